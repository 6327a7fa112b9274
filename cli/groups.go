// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"

	"flyball/experiment/evaluation"
	"flyball/unit"
)

// showGroups prints what a version does for each group, a table a column.
func (e *env) showGroups(tables []evaluation.GroupTable) error {
	for _, g := range tables {
		fmt.Fprintf(e.out, "\n%s, against %s, the largest group; a ratio of at least %s is asked for\n", g.Column, g.Reference, percentOf(g.AtLeast))
		t := table{
			head:  []string{g.Column, "rows", "truly yes", "decided yes", "ratio", "judged", "tpr", "fpr", "precision", "auc", "calibration", "mean score"},
			short: 9,
		}
		for _, r := range g.Groups {
			judged := r.Judged
			if r.Needs > 0 {
				judged += fmt.Sprintf(": about %s more rows", unit.Count(r.Needs))
			}
			t.add(r.Value, unit.Count(r.Rows), share(r.Base), within(r.Selection), within(r.Ratio), judged,
				share(r.TPR), share(r.FPR), share(r.Precision), maybe(r.AUC), maybe(r.Calibration), number(r.MeanScore))
		}
		if err := e.show(g, t); err != nil {
			return err
		}
		if g.Suppress > 0 {
			fmt.Fprintf(e.out, "and %d groups of fewer than %d rows, of which nothing is told\n", g.Suppress, evaluation.LeastShown)
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
