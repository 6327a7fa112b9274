// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/api/wire"
	"flyball/client"
	"flyball/experiment/compare"
	"flyball/fault"
	"flyball/unit"
)

func runsCommand(e *env) *cobra.Command {
	var ask client.RunsAsked
	var model, since string
	c := &cobra.Command{
		Use: "runs", Short: "Runs, and how far each lies from the baseline", Args: cobra.NoArgs,
		Long: "Runs of an experiment, with the settings that tell them apart and how far each lies\n" +
			"from the baseline: the run that the experiment's tag flyball.baseline names, else the\n" +
			"constant. The distance has its 95 % interval where both keep their predictions.",
		Example: "  flyball runs -m hotel-cancel --since 1d\n" +
			"  flyball runs --experiment sweeps --filter \"metrics.auc > 0.82 AND params.depth = '5'\" --sort 'metrics.auc DESC'\n" +
			"  flyball runs -m hotel-cancel --against live --columns metrics.auc,params.depth -o csv",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if model != "" && ask.Experiment != "" {
				return fault.New(fault.Invalid, "-m and --experiment name two things").Do("give one: an experiment is named like its model")
			}
			if model != "" {
				ask.Experiment = model
			}
			if since != "" {
				filter, err := e.since(cmd.Context(), since, ask.Filter)
				if err != nil {
					return err
				}
				ask.Filter = filter
			}
			got, err := e.client().Runs(cmd.Context(), ask)
			if err != nil {
				return err
			}
			return e.showRuns(got)
		},
	}
	f := c.Flags()
	f.StringVarP(&model, "model", "m", "", "runs of the experiment of this model")
	f.StringVar(&ask.Experiment, "experiment", "", "runs of this experiment, by name or id")
	f.StringVar(&ask.Filter, "filter", "", "in MLflow's language: metrics.auc > 0.8 AND params.depth = '5'")
	f.StringSliceVar(&ask.OrderBy, "sort", nil, "as in 'metrics.auc DESC'; else the newest first")
	f.StringVar(&ask.Columns, "columns", "", "as in metrics.auc,params.depth,tags.note; else what tells the runs apart")
	f.StringVar(&ask.Against, "against", "baseline", "measure from the baseline, live, constant, a reference, or none")
	f.StringVar(&ask.Metric, "metric", "", "of the distance; else the gate's first, or the usual one")
	f.StringVar(&since, "since", "", "begun in the last 1d, 6h, 2w")
	f.IntVar(&ask.MaxResults, "limit", 100, "so many, at most 1000")
	f.StringVar(&ask.PageToken, "page", "", "the page after this token")
	c.AddCommand(showRunCommand(e), runLogsCommand(e), cancelRunCommand(e))
	return c
}

func showRunCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "show RUN", Short: "One run: what went in, and what came out", Args: cobra.ExactArgs(1),
		Long:    "Everything of one run. It is named by the beginning of its id (8f3c or run:8f3c), or by the\nversion that it made (hotel-cancel@7).",
		Example: "  flyball runs show 8f3c\n  flyball runs show hotel-cancel@7 -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			got, err := e.client().Run(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return e.showRun(got)
		},
	}
}

func (e *env) showRun(d wire.Run) error {
	t := table{head: []string{"what", "key", "value"}, short: 3}
	t.add("run", "id", d.ID)
	t.add("run", "name", d.Name)
	t.add("run", "experiment", d.ExperimentName)
	t.add("run", "status", strings.ToLower(d.Status))
	t.add("run", "at", when(d.Start))
	t.add("run", "took", took(d.Row))
	for _, m := range d.AllMetrics {
		value := "NaN"
		if m.Value != nil {
			value = number(*m.Value)
		}
		t.add("metric", m.Key, value)
	}
	for _, p := range d.All {
		t.add("param", p.Key, p.Value)
	}
	for _, in := range d.Inputs {
		t.add("data", strings.TrimSpace(in.Name+" "+in.Context), in.Digest)
	}
	for _, tag := range d.AllTags {
		t.add("tag", tag.Key, tag.Value)
	}
	if d.Predictions != nil {
		t.add("predictions", "rows", fmt.Sprint(d.Predictions.Rows))
	} else if d.Missing != "" {
		e.say("%s", d.Missing)
	}
	return e.show(d, t)
}

// since adds to a filter that runs began in the last so long, by the server's clock.
func (e *env) since(ctx context.Context, text, filter string) (string, error) {
	d, err := unit.ParseDuration(text)
	if err != nil {
		return "", err
	}
	clock, err := e.client().Clock(ctx)
	if err != nil {
		return "", err
	}
	begun := fmt.Sprintf("attributes.start_time >= %d", clock.Now.Add(-d.D()).UnixMilli())
	if filter != "" {
		begun = filter + " AND " + begun
	}
	return begun, nil
}

func (e *env) showRuns(got wire.Runs) error {
	t := table{head: []string{"run", "name", "status"}}
	if got.Against != nil {
		t.head = append(t.head, "against "+got.Against.Name)
	}
	for _, c := range got.Columns {
		_, key, _ := strings.Cut(c, ".")
		t.head = append(t.head, key)
	}
	t.short = len(t.head) + 1
	t.head = append(t.head, "at", "took", "by", "version")
	for _, r := range got.Runs {
		id := r.ID
		if e.format == "table" || e.format == "wide" {
			id = id[:min(8, len(id))]
		}
		cells := []string{id, r.Name, strings.ToLower(r.Status)}
		if got.Against != nil {
			cells = append(cells, distance(r.Distance))
		}
		for _, c := range got.Columns {
			cells = append(cells, cell(r, c))
		}
		t.add(append(cells, when(r.Start), took(r), orDash(r.User), orDash(r.Version))...)
	}
	if got.Sentence != "" {
		e.say("%s", got.Sentence)
	}
	if got.Next != "" {
		e.say("there are more: --page %s", got.Next)
	}
	return e.show(got, t)
}

// distance is how far a run lies from the reference, in one cell.
func distance(d *compare.Distance) string {
	switch {
	case d == nil:
		return "-"
	case d.Low == nil:
		return unit.Signed(d.Value, unit.Digits(d.Value)) + " " + d.Metric + " (as logged)"
	}
	digits := unit.FineDigits(d.Own, *d.Low, *d.High)
	return fmt.Sprintf("%s %s (%s…%s)", unit.Signed(d.Value, digits), d.Metric, unit.Signed(*d.Low, digits), unit.Signed(*d.High, digits))
}

func cell(r compare.Row, column string) string {
	kind, key, _ := strings.Cut(column, ".")
	switch kind {
	case "params":
		return orDash(r.Params[key])
	case "tags":
		return orDash(r.Tags[key])
	}
	v, ok := r.Metrics[key]
	switch {
	case !ok:
		return "-"
	case v == nil:
		return "NaN"
	}
	return number(*v)
}

func took(r compare.Row) string {
	if r.Start.IsZero() || r.End.IsZero() {
		return "-"
	}
	return r.End.Sub(r.Start).Round(100 * time.Millisecond).String()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
