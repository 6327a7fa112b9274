// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"flyball/api/wire"
	"flyball/experiment/compare"
	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/experiment/gate/report"
	"flyball/training"
	"flyball/unit"
)

func compareCommand(e *env) *cobra.Command {
	var against, model, metric, format, at string
	var procedure bool
	var set map[string]string
	var trials training.Trials
	var margin float64
	c := &cobra.Command{
		Use: "compare A [B…]", Short: "Is it better? On the rows that both predicted (exit 0: yes, 3: no)", Args: cobra.MinimumNArgs(1),
		Long: "Compares runs and versions on the rows that both predicted: only what differs, each\n" +
			"metric with the 95 % interval of the paired difference, the parts of the rows where it\n" +
			"is better or worse, and one sentence. A run is named by the beginning of its id (8f3c or\n" +
			"run:8f3c), a version as hotel-cancel@7, hotel-cancel@live or @live.\n\n" +
			"The first is what the others are compared with, unless --against says another.\n" +
			"With --procedure, ways of training are compared rather than models: two model files, or one\n" +
			"and --set. Both train on this machine on repeated splits in the order of time, and the\n" +
			"interval allows for the rows that the splits share (Nadeau and Bengio).\n\n" +
			"Exit codes: 0 the subject, or the best of several, is better; 3 it is not, or nobody can\n" +
			"tell; 5 there is no such run or version.",
		Example: "  flyball compare 7c1e --against live\n" +
			"  flyball compare hotel-cancel@12 hotel-cancel@13\n" +
			"  flyball compare 7c1e 9890 3670 --against baseline --metric auc\n" +
			"  flyball compare 7c1e --against @live -m hotel-cancel --format markdown > comment.md\n" +
			"  flyball compare --procedure model.yaml deeper.yaml\n" +
			"  flyball compare --procedure model.yaml --set depth=8,rounds=300 --splits 6",
		RunE: func(cmd *cobra.Command, args []string) error {
			if procedure {
				trials.Metric = metric
				if cmd.Flags().Changed("margin") {
					trials.Margin = &margin
				}
				return e.procedures(cmd.Context(), args, set, at, trials)
			}
			r, err := e.client().Compare(cmd.Context(), args, against, model, metric)
			if err != nil {
				return err
			}
			if err := e.showComparison(r, format); err != nil {
				return err
			}
			if !r.Better {
				return errNo
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&against, "against", "", "baseline, live, constant, or a reference")
	f.StringVarP(&model, "model", "m", "", "the model of @live")
	f.StringVar(&metric, "metric", "", "that decides; else the gate's first, or the usual one")
	f.StringVar(&format, "format", "table", "table, markdown, json or html")
	f.BoolVar(&procedure, "procedure", false, "compare ways of training: model files on this machine")
	f.StringToStringVar(&set, "set", nil, "train.settings of the second way, where one file is given (--procedure)")
	f.IntVar(&trials.Splits, "splits", 10, "splits to train on (--procedure)")
	f.Float64Var(&margin, "margin", 0, "how much worse is not harm; default the gate's (--procedure)")
	f.StringVar(&at, "now", "", "train as at this time; default now (--procedure)")
	return c
}

func (e *env) showComparison(r wire.Comparison, format string) error {
	switch format {
	case "table":
		switch e.format {
		case "table", "wide":
			return e.compareTables(r)
		case "markdown", "html":
			return e.showComparison(r, e.format)
		}
		return e.show(r, metricsTable(r))
	case "json":
		enc := json.NewEncoder(e.out)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	case "markdown":
		_, err := fmt.Fprint(e.out, compareMarkdown(r))
		return err
	case "html":
		return compareHTML(e.out, r)
	}
	return fmt.Errorf("invalid argument %q for --format: table, markdown, json or html", format)
}

// compareTables is the comparison for a terminal.
func (e *env) compareTables(r wire.Comparison) error {
	fmt.Fprintln(e.out, tidy([]string{r.Sentence}))
	if len(r.Differs) > 0 {
		fmt.Fprintf(e.out, "\nOnly what differs (%d are equal)\n", r.Equal)
		t := table{head: []string{"", ""}}
		for _, s := range r.Subjects {
			t.head = append(t.head, s.Name)
		}
		for _, f := range r.Differs {
			t.add(slices.Concat([]string{f.Kind, f.Key}, factCells(f))...)
		}
		if err := e.show(r, t); err != nil {
			return err
		}
	}
	if t := metricsTable(r); len(t.rows) > 0 {
		fmt.Fprintln(e.out)
		if err := e.show(r, t); err != nil {
			return err
		}
	}
	for _, p := range r.Pairs {
		if err := e.pairTables(r, p); err != nil {
			return err
		}
	}
	if len(r.Logged) == 0 || slices.ContainsFunc(r.Pairs, func(p compare.Pair) bool { return p.Decision != "" }) && e.format != "wide" {
		return nil
	}
	fmt.Fprintln(e.out, "\nAs logged, without an interval: nobody can tell from these what chance does")
	t := table{head: []string{"metric"}}
	for _, s := range r.Subjects {
		t.head = append(t.head, s.Name)
	}
	for _, l := range r.Logged {
		t.add(append([]string{l.Key}, loggedCells(l)...)...)
	}
	return e.show(r, t)
}

func (e *env) pairTables(r wire.Comparison, p compare.Pair) error {
	if len(p.Slices) > 0 {
		fmt.Fprintf(e.out, "\n%s against %s by slice, in %s; %d looks, corrected after Holm\n", p.Name, p.Against, p.Metrics[0].Metric, p.Judged)
		t := table{head: []string{"slice", "rows", "difference (95 %)", "verdict"}}
		for _, s := range p.Slices {
			diff := "-"
			if s.Difference != nil {
				diff = report.Difference(*s.Difference)
			}
			t.add(s.Column+"="+s.Value, unit.Count(s.Rows), diff, sliceWord(s))
		}
		if err := e.show(r, t); err != nil {
			return err
		}
	}
	if text := whereText(p); text != "" {
		fmt.Fprintln(e.out, "\n"+text)
	}
	for _, n := range p.Notes {
		fmt.Fprintln(e.out, tidy([]string{p.Name + ": " + n}))
	}
	return nil
}

func metricsTable(r wire.Comparison) table {
	t := table{head: []string{"metric", "of", "against", "value", "reference", "difference (95 %)", "verdict"}}
	for _, p := range r.Pairs {
		for _, j := range p.Metrics {
			t.add(j.Metric+arrow(j), p.Name, p.Against, valueOf(j.Candidate), valueOf(j.Reference), differenceOf(j), verdictOf(j))
		}
	}
	return t
}

// arrow says which way is better.
func arrow(j compare.Judged) string {
	if j.LowerIsBetter {
		return " ↓"
	}
	return " ↑"
}

func valueOf(e *evaluation.Estimate) string {
	if e == nil {
		return "-"
	}
	return unit.Fixed(e.Value, unit.Digits(e.Value))
}

// difference is shown as the verdict sees it: positive is better.

func differenceOf(j compare.Judged) string {
	if j.Difference == nil {
		return "-"
	}
	return report.Difference(*j.Difference)
}

func verdictOf(j compare.Judged) string {
	switch {
	case j.NotJudged:
		return "not judged: " + j.Text
	case j.Decision == gate.Inconclusive && j.Needs > 0:
		return fmt.Sprintf("INCONCLUSIVE, needs about %s more rows", unit.Fixed(unit.RoundUp(float64(j.Needs)), 0))
	}
	return report.Decided(j.Decision)
}

func sliceWord(s compare.Slice) string {
	switch {
	case s.NotJudged:
		return fmt.Sprintf("not judged (n=%d)", s.Rows)
	case s.Decision == gate.Superior:
		return "better"
	case s.Decision == gate.Harm:
		return "worse"
	}
	return "cannot tell"
}

func whereText(p compare.Pair) string {
	w := p.Where
	if w == nil || w.Changed == 0 {
		return ""
	}
	return fmt.Sprintf("Where they differ: %s of %s rows change decision; %s is right in %s of them.", unit.Count(w.Changed), unit.Count(w.Rows), p.Name,
		unit.Count(w.ToYes.Right+w.ToNo.Right))
}

func factCells(f compare.Fact) []string {
	var out []string
	for _, v := range f.Values {
		if v == nil {
			out = append(out, "-")
		} else {
			out = append(out, *v)
		}
	}
	return out
}

func loggedCells(l compare.LoggedValue) []string {
	var out []string
	for _, v := range l.Values {
		switch {
		case v == nil:
			out = append(out, "-")
		case v.Value == nil:
			out = append(out, "NaN")
		case v.Dataset != "":
			out = append(out, number(*v.Value)+" on "+v.Dataset)
		default:
			out = append(out, number(*v.Value))
		}
	}
	return out
}
