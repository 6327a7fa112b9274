// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"flyball/api/wire"
	"flyball/fault"
	"flyball/model/dependence"
)

func dependenceCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "dependence MODEL[@VERSION] [COLUMN]", Short: "How the scores of a version follow its columns", Args: cobra.RangeArgs(1, 2),
		Long: "What the version scores in the mean over a sample of rows when one column has the same value in all of them (partial\n" +
			"dependence), measured when the version was made. Without a column: how far each moves the score, the greatest first.\n" +
			"With one: the mean at each of its values, and between which a tenth of the rows score less and a tenth more.",
		Example: "  flyball dependence hotel-cancel\n  flyball dependence hotel-cancel@7 lead_time\n  flyball dependence hotel-cancel lead_time -o csv",
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := e.version(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			got, err := e.client().Dependence(cmd.Context(), v.Model, v.Version)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				return e.showDependence(got)
			}
			i := slices.IndexFunc(got.Curves, func(c dependence.Curve) bool { return c.Column == args[1] })
			if i < 0 {
				return fault.New(fault.NotFound, "%s has no column %q that was measured", v.Ref, args[1]).Do("see flyball dependence %s", v.Ref)
			}
			return e.showCurve(got.Curves[i], got.Outputs)
		},
	}
}

// showDependence is a line a column.
func (e *env) showDependence(d wire.Dependence) error {
	t := table{head: []string{"column", "moves", "lowest at", "highest at"}}
	for _, c := range d.Curves {
		low, high := 0, 0
		for i, p := range c.Points {
			if p.Mean[0] < c.Points[low].Mean[0] {
				low = i
			}
			if p.Mean[0] > c.Points[high].Mean[0] {
				high = i
			}
		}
		if len(c.Points) == 0 {
			continue
		}
		if d.Outputs > 1 { // of several classes there is no lowest
			t.add(c.Column, number(c.Moves), "", "")
			continue
		}
		t.add(c.Column, number(c.Moves), string(c.Points[low].Value), string(c.Points[high].Value))
	}
	return e.show(d, t)
}

// showCurve is a line a value.
func (e *env) showCurve(c dependence.Curve, outputs int) error {
	head := []string{c.Column}
	for o := range outputs {
		if outputs > 1 {
			head = append(head, fmt.Sprintf("mean %d", o), fmt.Sprintf("low %d", o), fmt.Sprintf("high %d", o))
		} else {
			head = append(head, "mean", "low", "high", "")
		}
	}
	t := table{head: head}
	low, high := c.Points[0].Mean[0], c.Points[0].Mean[0]
	for _, p := range c.Points {
		low, high = min(low, p.Mean[0]), max(high, p.Mean[0])
	}
	for _, p := range c.Points {
		cells := []string{string(p.Value)}
		for o := range outputs {
			cells = append(cells, number(p.Mean[o]), number(p.Low[o]), number(p.High[o]))
		}
		if outputs == 1 {
			cells = append(cells, bar(p.Mean[0], low, high))
		}
		t.add(cells...)
	}
	return e.show(c, t)
}

// bar is a value between low and high as a length.
func bar(v, low, high float64) string {
	if !(high > low) {
		return ""
	}
	return strings.Repeat("▇", 1+int(19*(v-low)/(high-low)))
}
