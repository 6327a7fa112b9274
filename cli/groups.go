// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"flyball/experiment/evaluation"
	"flyball/unit"
)

func groupsCommand(e *env) *cobra.Command {
	var window string
	var version int
	c := &cobra.Command{
		Use: "groups [MODEL]", Short: "What the live version does for each group of people or things", Args: cobra.MaximumNArgs(1),
		Long: "Shows, for each column of predict.groups and predict.audit, how often each group is decided yes, against\nthe largest group, and what came of it where the truth is known. A group is lower where its ratio is surely\n" +
			"below what is asked for. It tells of groups of ten rows or more, never of a row.",
		Example: "  flyball groups loans\n  flyball groups loans --window 90d -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			model, err := e.model(cmd.Context(), args)
			if err != nil {
				return err
			}
			seen, err := e.client().Groups(cmd.Context(), model, version, window)
			if err != nil {
				return err
			}
			if e.format == "json" || e.format == "yaml" {
				return e.show(seen, table{})
			}
			if e.format == "table" || e.format == "wide" {
				fmt.Fprintf(e.out, "%s@%d on %s, %s to %s\n", seen.Model, seen.Version, rowsWord(seen.Rows), seen.From.Format(time.DateOnly), seen.To.Format(time.DateOnly))
			}
			if err := e.showGroups(seen.Tables); err != nil {
				return err
			}
			for _, u := range seen.Unknown {
				e.say("not known: %s", u)
			}
			return nil
		},
	}
	c.Flags().StringVar(&window, "window", "28d", "event times of the rows: so many whole days, and today")
	c.Flags().IntVar(&version, "version", 0, "another version that scored the rows; default the live one")
	return c
}

// showGroups prints what a version does for each group, a table a column.
func (e *env) showGroups(tables []evaluation.GroupTable) error {
	for _, g := range tables {
		words := e.format == "table" || e.format == "wide"
		if words {
			fmt.Fprintf(e.out, "\n%s, against %s, the largest group; a ratio of at least %s is asked for\n", g.Column, g.Reference, percentOf(g.AtLeast))
		}
		t := table{
			head:  []string{g.Column, "rows", "truly yes", "decided yes", "ratio", "judged", "tpr", "fpr", "precision", "auc", "calibration", "mean score", "with truth"},
			short: 9,
		}
		for _, r := range g.Groups {
			judged := r.Judged
			if r.Needs > 0 {
				judged += fmt.Sprintf(": about %s more rows", unit.Count(r.Needs))
			}
			t.add(r.Value, unit.Count(r.Rows), share(r.Base), within(r.Selection), within(r.Ratio), judged,
				share(r.TPR), share(r.FPR), share(r.Precision), maybe(r.AUC), maybe(r.Calibration), number(r.MeanScore), unit.Count(r.Known))
		}
		if err := e.show(g, t); err != nil {
			return err
		}
		if g.Suppress > 0 && words {
			fmt.Fprintf(e.out, "groups of which nothing is told, for having fewer than %d rows or being what is left beside one: %d\n", evaluation.LeastShown, g.Suppress)
		}
	}
	return nil
}

// within is a share with its interval.
func within(r evaluation.Range) string {
	return fmt.Sprintf("%s (%s…%s)", percentOf(r.Value), percentOf(r.Low), percentOf(r.High))
}

// share is a rate that may not be known.
func share(x *float64) string {
	if x == nil {
		return "?"
	}
	return percentOf(*x)
}

func maybe(x *float64) string {
	if x == nil {
		return "?"
	}
	return number(*x)
}
