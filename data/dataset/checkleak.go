// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"flyball/data/frame"
)

const (
	leakAUC    = 0.98    // from here on a column alone tells too much
	leakRows   = 200_000 // that are looked at; of more a sample
	leakLeast  = 30      // rows of either side, below which luck tells as well
	leakLabels = 20      // classes, the most frequent
)

// leaks finds columns that tell the label alone: by their order, by the values that a
// text has, by whether they are filled; or that are filled only where the label is.
func (c Check) leaks(task Task, f *frame.Frame, g Given) (finding, error) {
	limit := c.Leaks.AUC
	if limit == 0 {
		limit = leakAUC
	}
	y, classes, err := task.Labels(f, g.Now)
	if err != nil {
		return finding{}, err
	}
	known, unknown := split(y)
	targets := targetsOf(task.Kind, y, known, len(classes))
	var text []string
	for _, col := range g.inputs(task, f) {
		if slices.Contains(c.Leaks.Except, col.Name) {
			continue
		}
		if what := filledWith(col, known, unknown); what != "" {
			text = append(text, what)
			continue
		}
		best, how := 0.0, ""
		for _, t := range targets {
			if got, by := tells(col, known, t, task.Kind == Regression); got > best {
				best, how = got, by
			}
		}
		if best >= limit {
			word := "AUC"
			if task.Kind == Regression {
				word = "rank correlation"
			}
			text = append(text, fmt.Sprintf("column %q tells the label alone, by %s: %s %.4f", col.Name, how, word, best))
		}
	}
	if len(text) == 0 {
		return finding{}, nil
	}
	return finding{strings.Join(text, "; ") + "; is it known when the prediction is asked for?", known[:min(len(known), 10)], len(text)}, nil
}

// split are the rows whose label is known, sampled by their places, and the others.
func split(y []float64) (known, unknown []int) {
	share := uint64(math.MaxUint64)
	if len(y) > leakRows {
		share = uint64(float64(math.MaxUint64) * (leakRows / float64(len(y))))
	}
	for i, v := range y {
		switch {
		case drawn(uint64(i)) > share:
		case math.IsNaN(v):
			unknown = append(unknown, i)
		default:
			known = append(known, i)
		}
	}
	return known, unknown
}

// targetsOf are what a column might tell: the label, or of several classes whether it is
// that one. They are by the places in known.
func targetsOf(kind Kind, y []float64, known []int, classes int) [][]float64 {
	if kind != Multiclass {
		out := make([]float64, len(known))
		for i, r := range known {
			out[i] = y[r]
		}
		return [][]float64{out}
	}
	var all [][]float64
	for k := range min(classes, leakLabels) {
		one := make([]float64, len(known))
		for i, r := range known {
			if y[r] == float64(k) {
				one[i] = 1
			}
		}
		all = append(all, one)
	}
	return all
}

// filledWith says that a column is filled where the label is known, and nowhere else.
func filledWith(c *frame.Column, known, unknown []int) string {
	if len(known) < leakLeast || len(unknown) < leakLeast {
		return ""
	}
	for _, i := range unknown {
		if !c.Missing(i) {
			return ""
		}
	}
	filled := 0
	for _, i := range known {
		if !c.Missing(i) {
			filled++
		}
	}
	if filled == 0 {
		return ""
	}
	return fmt.Sprintf("column %q is filled only where the label is (%d of %d rows, and none of %d without)", c.Name, filled, len(known), len(unknown))
}

// tells is how well a column alone orders the rows by the target, from 0 to 1: the larger
// of AUC and 1 - AUC, or the size of Spearman's rank correlation; and by what.
func tells(c *frame.Column, rows []int, target []float64, correlate bool) (best float64, by string) {
	score := func(values []float64, how string) {
		got := auc(values, target)
		if correlate {
			got = spearman(values, target)
		}
		if got > best {
			best, by = got, how
		}
	}
	filled, some, values := make([]float64, len(rows)), false, make([]float64, len(rows))
	for i, r := range rows {
		if c.Missing(r) {
			values[i], some = math.NaN(), true
			continue
		}
		filled[i] = 1
		switch c.Kind {
		case frame.Number:
			values[i] = c.Num[r]
		case frame.Time:
			values[i] = float64(c.Time[r])
		}
	}
	if c.Kind == frame.Text {
		score(rates(c, rows, target), "its values")
	} else {
		score(values, "its order")
	}
	if some {
		score(filled, "whether it is filled")
	}
	return best, by
}

// rates are, for each row, the mean target of the other half's rows with the same text:
// a row's own label has no part in it, so a text that is different in each row tells
// nothing.
func rates(c *frame.Column, rows []int, target []float64) []float64 {
	type half struct{ sum, n float64 }
	var seen [2]map[string]half
	seen[0], seen[1] = map[string]half{}, map[string]half{}
	var all half
	text := func(r int) string {
		if c.Missing(r) {
			return "\x00missing"
		}
		return c.Text[r]
	}
	for i, r := range rows {
		of, s := seen[drawn(uint64(r))&1], text(r)
		h := of[s]
		of[s] = half{h.sum + target[i], h.n + 1}
		all = half{all.sum + target[i], all.n + 1}
	}
	out := make([]float64, len(rows))
	for i, r := range rows {
		h, ok := seen[1-drawn(uint64(r))&1][text(r)]
		if !ok {
			h = all
		}
		out[i] = h.sum / h.n
	}
	return out
}

// auc is the larger of AUC and 1 - AUC of values for a target of 0 and 1; 0 where either
// side has too few rows.
func auc(values, target []float64) float64 {
	var ones, sum float64
	for i, r := range ranks(values) {
		if target[i] == 1 {
			ones++
			sum += r
		}
	}
	zeros := float64(len(values)) - ones
	if ones < leakLeast || zeros < leakLeast {
		return 0
	}
	a := (sum - ones*(ones+1)/2) / (ones * zeros)
	return max(a, 1-a)
}

// spearman is the size of the rank correlation; 0 where it is not defined.
func spearman(values, target []float64) float64 {
	if len(values) < 2*leakLeast {
		return 0
	}
	a, b := ranks(values), ranks(target)
	mean := float64(len(a)+1) / 2
	var ab, aa, bb float64
	for i := range a {
		x, y := a[i]-mean, b[i]-mean
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return math.Abs(ab / math.Sqrt(aa*bb))
}

// Leaks looks for columns that tell the label, as the check does with its defaults;
// empty: none does.
func Leaks(task Task, f *frame.Frame, now time.Time) (string, error) {
	found, err := Check{Leaks: &LeakCheck{}}.leaks(task, f, Given{Now: now})
	return found.text, err
}
