// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"flyball/fault"
	"flyball/monitoring"
)

// found is what a command of the watch shows: findings, and how the live version
// stands.
type found struct {
	Findings []monitoring.Finding `json:"findings"`
	Standing *monitoring.Standing `json:"standing,omitempty"` // absent: no version is live
}

// standing adds how the live version stands; nothing where none is.
func (e *env) standing(ctx context.Context, model string) (*monitoring.Standing, error) {
	s, err := e.client().Standing(ctx, model, 0)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return &s, err
}

// showFound prints the findings, then below them what tell says of the standing.
func (e *env) showFound(f found, t table, tell func(*monitoring.Standing) error) error {
	if err := e.show(f, t); err != nil {
		return err
	}
	if f.Standing == nil || e.format != "table" && e.format != "wide" {
		return nil
	}
	fmt.Fprintf(e.out, "\n%s@%d on its newest %s\n", f.Standing.Model, f.Standing.Version, rowsWord(f.Standing.Rows))
	if err := tell(f.Standing); err != nil {
		return err
	}
	for _, u := range f.Standing.Unknown {
		fmt.Fprintln(e.out, "not known:", u)
	}
	return nil
}

func rowsWord(n int) string {
	if n == 1 {
		return "row"
	}
	return fmt.Sprintf("%d rows", n)
}

func (e *env) tellScore(s *monitoring.Standing) error {
	if len(s.Performance) == 0 {
		return nil
	}
	t := table{head: []string{"metric", "held out", "on due rows", "on labels so far", "matched", "estimated*", "blind below"}}
	for _, p := range s.Performance {
		blind := "-"
		if p.Blind > 0 {
			blind = "worse by " + digits3(p.Blind)
		}
		t.add(p.Metric, digits3(p.HeldOut), figureOf(p.Due), figureOf(p.Arrived), figureOf(p.Matched), figureOf(p.Estimated), blind)
	}
	if err := e.show(nil, t); err != nil {
		return err
	}
	fmt.Fprintln(e.out, "* without labels: "+s.Caveat+"; nothing is decided by it, but by due rows alone")
	c := s.Cause
	if c == nil {
		return nil
	}
	fmt.Fprintf(e.out, "change of %s on due rows: %+.3g (±%s): %s", c.Metric, c.Change, digits3(c.Half), c.Word)
	if first := c.Columns[0]; c.Word != "no change" {
		fmt.Fprintf(e.out, "; by %s %+.3g mix, %+.3g concept", first.Column, first.Mix, first.Concept)
		for i, g := range c.Groups[:min(3, len(c.Groups))] {
			fmt.Fprintf(e.out, "%s %s (%s: %s, %s held out)", []string{"; worst", ",", ","}[i], g.Where, rowsWord(g.Rows), digits3(g.Now), digits3(g.Was))
		}
	}
	fmt.Fprintln(e.out)
	return nil
}

// figureOf is a metric with half its interval, its rows, and the share known.
func figureOf(f *monitoring.Figure) string {
	if f == nil {
		return "-"
	}
	text := digits3(f.Value)
	if f.Half > 0 {
		text += " ±" + digits3(f.Half)
	}
	text += fmt.Sprintf(" (%s", rowsWord(f.Rows))
	if f.Coverage < 0.995 {
		text += fmt.Sprintf(", %.0f%%", 100*f.Coverage)
	}
	return text + ")"
}

// digits3 prints a number with three digits that matter.
func digits3(x float64) string {
	if a := math.Abs(x); a >= 100 && a < 1e6 {
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.3g", x)
}

// tellDrift shows the columns of the newest drift window, those of the greatest
// expected impact first, and the smallest change that can be seen of each.
func (e *env) tellDrift(s *monitoring.Standing) error {
	if len(s.Features) == 0 {
		return nil
	}
	t := table{head: []string{"column", "psi", "alarm at", "blind below", "missing", "seen from", "impact", "note", "js", "ks", "w1", "new"}, short: 8}
	order := slices.Clone(s.Features)
	slices.SortStableFunc(order, func(a, b monitoring.ShiftSeen) int {
		return cmp.Or(cmp.Compare(b.Impact, a.Impact), cmp.Compare(len(a.Fixed), len(b.Fixed)), cmp.Compare(b.Odd, a.Odd))
	})
	for _, f := range order {
		limit := "-"
		if f.Blind.PSI > 0 {
			limit = digits3(f.Blind.PSI)
		}
		missing := "-"
		if f.Blind.Missing > 0 {
			missing = percentOf(f.Blind.Missing)
		}
		impact := "-"
		if f.Impact > 0 {
			impact = fmt.Sprintf("%.2f", f.Impact)
		}
		note := f.Fixed
		if note != "" {
			note = "not judged: " + note
		}
		t.add(f.Feature, digits3(f.PSI), limit, blindness(f.Blind), percentOf(f.Missing), missing, impact, note,
			digits3(f.JS), digits3(f.KS), digits3(f.W1), percentOf(f.New))
	}
	if err := e.show(nil, t); err != nil {
		return err
	}
	if g := s.Together; g != nil {
		there := "how much is usual is not known"
		if g.Usual > 0 {
			there = fmt.Sprintf("there at most %.2f", g.Usual)
		}
		fmt.Fprintf(e.out, "together: %s correlate by %.2f, %.2f at training; a classifier tells these rows from training with AUC %.2f (%s), by %s\n",
			g.Pair, g.Now, g.Was, g.AUC, there, g.By)
	}
	if a := s.Attributed; a != nil {
		fmt.Fprintf(e.out, "scores are made by the columns in the same order by %.2f (nDCG); shares moved by %s", a.Order, percentOf(a.Moved))
		for i, c := range a.Columns[:min(3, len(a.Columns))] {
			fmt.Fprintf(e.out, "%s %s %s, was %s", []string{":", ";", ";"}[i], c.Name, percentOf(c.Now), percentOf(c.Was))
		}
		fmt.Fprintln(e.out)
	}
	if v := s.Sight; v.Lasting > 0 {
		fmt.Fprintf(e.out, "a change at its bound must last %d windows of %d rows until it is told, a large one a single window; %d windows of the reference are compared with\n", v.Lasting, v.Rows, v.Windows)
	}
	return nil
}

// blindness is the smallest change of a column that is seen.
func blindness(b monitoring.Blind) string {
	switch {
	case b.SD > 0:
		return fmt.Sprintf("±%.2f sd", b.SD)
	case b.Share > 0:
		return percentOf(b.Share) + " of rows"
	case b.PSI > 0:
		return "any shift"
	}
	return "-"
}

func percentOf(share float64) string {
	if p := 100 * share; p >= 10 || p == 0 {
		return fmt.Sprintf("%.0f%%", p)
	}
	return fmt.Sprintf("%.2g%%", 100*share)
}
