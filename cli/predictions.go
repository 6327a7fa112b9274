// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/ident"
	"flyball/serving/prediction"
	"flyball/unit"
)

// picking is which predictions a command is asked for.
type picking struct {
	q                      prediction.Query
	id, from, to, answered string
}

func (p *picking) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&p.q.Key, "key", "", "only this key of the caller")
	f.StringVar(&p.id, "id", "", "only this prediction")
	f.StringVar(&p.from, "from", "", "event time at or after this date or time, or since so long (7d, 6h)")
	f.StringVar(&p.to, "to", "", "event time before this date or time")
	f.StringVar(&p.answered, "since", "", "answered at or after this date or time, or in the last so long")
	f.IntVar(&p.q.Version, "version", 0, "answered by this version")
	f.StringVar(&p.q.Arm, "arm", "", "answered as live, candidate, baseline or fallback")
	f.StringVar(&p.q.Decision, "decision", "", "with this decision")
	f.StringVar(&p.q.Flag, "flag", "", "with this flag: unseen:agent, unseen, fallback")
	f.StringVar(&p.q.Truth, "truth", "", "known or waiting: with a label, or without")
	c.RegisterFlagCompletionFunc("arm", cobra.FixedCompletions([]string{"live", "candidate", "baseline", "fallback"}, cobra.ShellCompDirectiveNoFileComp))
	c.RegisterFlagCompletionFunc("truth", cobra.FixedCompletions([]string{"known", "waiting"}, cobra.ShellCompDirectiveNoFileComp))
}

// query is what is asked for of a model; lengths of time count back from the server's
// clock.
func (e *env) query(ctx context.Context, model string, p *picking) (prediction.Query, error) {
	q := p.q
	q.Model, q.ID = model, ident.PredictionID(p.id)
	for text, at := range map[string]*time.Time{p.from: &q.From, p.to: &q.To, p.answered: &q.Since} {
		var err error
		if *at, err = e.moment(ctx, text); err != nil {
			return q, err
		}
	}
	return q, nil
}

// moment is a date, a time, or a length of time back from the server's clock; zero for
// nothing.
func (e *env) moment(ctx context.Context, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := unit.ParseDuration(text); err == nil {
		clock, err := e.client().Clock(ctx)
		return clock.Now.Add(-d.D()), err
	}
	us, err := frame.ParseTime(text)
	if err != nil {
		return time.Time{}, fault.New(fault.Invalid, "%q is neither a date, a time nor a length of time", text).Do("write 2016-05-03, 2016-05-03T12:00:00Z or 7d")
	}
	return time.UnixMicro(us).UTC(), nil
}

func predictionsCommand(e *env) *cobra.Command {
	c := searchPredictions(e)
	c.Use, c.Short = "predictions [MODEL]", "Predictions with their truths, newest last"
	c.Long = "Predictions of a model, of the prediction log: what was asked, who answered what, and the truth where\nit is known. `flyball predictions MODEL` is `flyball predictions search MODEL`."
	c.Example = "  flyball predictions hotel-cancel --last 20\n  flyball predictions hotel-cancel --key b-17 -o json\n  flyball predictions show b-17\n  flyball predictions tail hotel-cancel\n  flyball predictions export hotel-cancel --from 30d --out predictions.parquet"
	c.AddCommand(searchPredictions(e), showPrediction(e), tailPredictions(e), exportPredictions(e))
	return c
}

func searchPredictions(e *env) *cobra.Command {
	var p picking
	c := &cobra.Command{
		Use: "search [MODEL]", Short: "The newest predictions that are picked", Args: cobra.MaximumNArgs(1),
		Example: "  flyball predictions search hotel-cancel --arm candidate --flag unseen:agent\n  flyball predictions search hotel-cancel --truth known --from 7d --last 100 -o csv",
		RunE: func(cmd *cobra.Command, args []string) error {
			model, err := e.model(cmd.Context(), args)
			if err != nil {
				return err
			}
			q, err := e.query(cmd.Context(), model, &p)
			if err != nil {
				return err
			}
			ps, err := e.client().Predictions(cmd.Context(), q)
			if err != nil {
				return err
			}
			t := table{head: predictionHead, short: 7}
			for i := range ps {
				t.add(predictionCells(&ps[i])...)
			}
			return e.show(ps, t)
		},
	}
	p.add(c)
	c.Flags().IntVar(&p.q.Last, "last", 20, "the newest so many, at most 10,000")
	return c
}

var predictionHead = []string{"time", "key", "version", "arm", "score", "truth", "decision", "flags", "id"}

func predictionCells(p *prediction.Joined) []string {
	truth := "-"
	if p.Label != nil {
		truth = p.Label.Value
	}
	scores := make([]string, len(p.Scores))
	for i, s := range p.Scores {
		scores[i] = number(s)
	}
	return []string{when(p.Time), p.Key, fmt.Sprint(p.Version), p.Arm, strings.Join(scores, " "), truth, p.Decision, strings.Join(p.Flags, " "), string(p.ID)}
}

func showPrediction(e *env) *cobra.Command {
	var model string
	c := &cobra.Command{
		Use: "show ID|KEY", Short: "One prediction with everything", Args: cobra.ExactArgs(1),
		Example: "  flyball predictions show b-17\n  flyball predictions show 0199f1c2-7b1e-7c3a-9d2f-0a4b5c6d7e8f -o json\n  flyball predictions show b-17 -m hotel-cancel",
		RunE: func(cmd *cobra.Command, args []string) error {
			j, err := e.prediction(cmd.Context(), args[0], model)
			if err != nil {
				return err
			}
			t := table{head: []string{"what", "value"}}
			for i, cell := range predictionCells(&j) {
				t.add(predictionHead[i], cell)
			}
			t.add("model", j.Model)
			t.add("answered", when(j.At))
			t.add("truth due", when(j.Due))
			t.add("generation", fmt.Sprint(j.Generation))
			t.add("latency", j.Latency.String())
			for _, o := range j.Others {
				said := o.Error
				if said == "" {
					said = strings.Trim(fmt.Sprint(o.Scores), "[]")
				}
				t.add(fmt.Sprintf("%s v%d said", o.Role, o.Version), said)
			}
			t.add("row", string(j.Row))
			return e.show(j, t)
		},
	}
	c.Flags().StringVarP(&model, "model", "m", "", "of this model; else of whichever has it")
	return c
}

// prediction finds one by id or by key, the newest of a key, in one model or in all.
func (e *env) prediction(ctx context.Context, name, model string) (prediction.Joined, error) {
	models := []string{model}
	if model == "" {
		all, err := e.client().Statuses(ctx)
		if err != nil {
			return prediction.Joined{}, err
		}
		models = models[:0]
		for _, s := range all {
			models = append(models, s.Model)
		}
	}
	var found []prediction.Joined
	for _, m := range models {
		for _, q := range []prediction.Query{{Model: m, ID: ident.PredictionID(name), Last: 1}, {Model: m, Key: name, Last: 1}} {
			got, err := e.client().Predictions(ctx, q)
			if err != nil {
				return prediction.Joined{}, err
			}
			found = append(found, got...)
		}
	}
	switch {
	case len(found) == 0:
		return prediction.Joined{}, fault.New(fault.NotFound, "no prediction has the id or key %q", name).Do("see flyball predictions MODEL")
	case len(found) > 1:
		return prediction.Joined{}, fault.New(fault.Invalid, "%s and %s both have a prediction %q", found[0].Model, found[1].Model, name).Do("say which with --model")
	}
	return found[0], nil
}

func tailPredictions(e *env) *cobra.Command {
	var p picking
	c := &cobra.Command{
		Use: "tail [MODEL]", Short: "Predictions as they are answered, until Ctrl-C", Args: cobra.MaximumNArgs(1),
		Example: "  flyball predictions tail hotel-cancel\n  flyball predictions tail hotel-cancel --flag fallback -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			model, err := e.model(cmd.Context(), args)
			if err != nil {
				return err
			}
			q, err := e.query(cmd.Context(), model, &p)
			if err != nil {
				return err
			}
			return e.tail(cmd.Context(), q)
		},
	}
	p.add(c)
	c.Flags().IntVar(&p.q.Last, "last", 10, "begin with the newest so many")
	return c
}

// tail asks every second for what was answered since. Rows are told apart by their ids,
// as several are answered in one moment.
func (e *env) tail(ctx context.Context, q prediction.Query) error {
	seen := map[ident.PredictionID]bool{}
	for tick := time.NewTicker(time.Second); ; {
		ps, err := e.client().Predictions(ctx, q)
		if err != nil {
			return err
		}
		slices.SortFunc(ps, func(a, b prediction.Joined) int { return a.At.Compare(b.At) })
		for i := range ps {
			if seen[ps[i].ID] {
				continue
			}
			seen[ps[i].ID] = true
			if e.format == "json" {
				err = json.NewEncoder(e.out).Encode(ps[i])
			} else {
				_, err = fmt.Fprintln(e.out, tidy(predictionCells(&ps[i])))
			}
			if err != nil {
				return err
			}
		}
		if len(ps) > 0 {
			q.Since = ps[len(ps)-1].At
			for id := range seen { // only those of that moment can come again
				if !slices.ContainsFunc(ps, func(j prediction.Joined) bool { return j.ID == id && !j.At.Before(q.Since) }) {
					delete(seen, id)
				}
			}
		}
		q.Last = 10_000
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
