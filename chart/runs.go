// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
)

// Axis is one upright line of Parallel.
type Axis struct {
	Name  string
	Ticks []Tick
}

// Tick is a named place on an axis; At is 0 at its foot and 1 at its head.
type Tick struct {
	Name string
	At   float64
}

// Path is one run of Parallel: its place on each axis, NaN where it has no value.
type Path struct {
	At   []float64
	Rank int // 0: the best; 1 to 4: the next; more: the others
}

// Parallel draws runs as lines over axes; the last axis is the metric. The lines are
// drawn in the order given but that the best lie on top.
func Parallel(id string, axes []Axis, runs []Path, desc string) template.HTML {
	if len(axes) < 2 || len(runs) == 0 {
		return ""
	}
	s := begin(id, "n3", 1180, 268, fmt.Sprintf("Parallel coordinates of %d runs over %d settings and %s", len(runs), len(axes)-1, axes[len(axes)-1].Name), desc)
	x := scale{0, float64(len(axes) - 1), 70, 1100}
	y := scale{0, 1, 236, 44}
	sorted := slices.Clone(runs)
	slices.SortStableFunc(sorted, func(a, b Path) int { return min(b.Rank, 5) - min(a.Rank, 5) })
	var others strings.Builder // one path for all of them: a browser lays it out at once
	for _, r := range sorted {
		if r.Rank > 4 {
			others.WriteString(curve(r, x, y))
		}
	}
	if others.Len() > 0 {
		s.path("pc", others.String())
	}
	for _, r := range sorted {
		class := "pc top"
		switch {
		case r.Rank > 4:
			continue
		case r.Rank == 0:
			class = "pc cand"
		}
		if d := curve(r, x, y); d != "" {
			s.path(class, d)
		}
	}
	for i, a := range axes {
		a.Name = short(a.Name, int(min(20, (x.at(1)-x.at(0))/glyph-1)))
		axis(s, a, x.at(float64(i)), y, i == len(axes)-1)
	}
	return s.end()
}

// curve is a run's way: cubics with handles half-way, broken where a value is missing.
func curve(r Path, x, y scale) string {
	var d strings.Builder
	open := false
	for i, v := range r.At {
		if !finite(v) {
			open = false
			continue
		}
		p := point{x.at(float64(i)), y.at(v)}
		if !open {
			d.WriteString("M" + num(p.x) + " " + num(p.y))
			open = true
			continue
		}
		q := point{x.at(float64(i - 1)), y.at(r.At[i-1])}
		half := (p.x + q.x) / 2
		fmt.Fprintf(&d, "C%s %s %s %s %s %s", num(half), num(q.y), num(half), num(p.y), num(p.x), num(p.y))
	}
	if !strings.Contains(d.String(), "C") {
		return ""
	}
	return d.String()
}

func axis(s *svg, a Axis, x float64, y scale, last bool) {
	s.line("ax", point{x, 44}, point{x, 236})
	s.text("h m", x, 22, a.Name)
	for _, t := range a.Ticks {
		if !finite(t.At) {
			continue
		}
		at := y.at(t.At)
		s.line("ax", point{x - 3, at}, point{x + 3, at})
		if last {
			s.text("t", x+8, at+4, short(t.Name, 10))
		} else {
			s.text("t e", x-8, at+4, short(t.Name, 10))
		}
	}
}

// glyph is how wide a character may be, in pixels.
const glyph = 0.62 * 11

// short is a text of at most n characters. What is left out is in its middle, since
// long names differ at their ends.
func short(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n/2]) + "…" + string(r[len(r)-n+n/2+1:])
}

// Scale lays the values of a setting along an axis: one tick for each of at most
// eight, evenly and in their order; else linear, or logarithmic when all are above
// zero and the greatest is more than 50 times the smallest. at gives a value's place.
func Scale(values []float64) (ticks []Tick, at func(float64) float64) {
	set := slices.Clone(values)
	set = slices.DeleteFunc(set, func(v float64) bool { return !finite(v) })
	slices.Sort(set)
	set = slices.Compact(set)
	switch {
	case len(set) == 0:
		return nil, func(float64) float64 { return math.NaN() }
	case len(set) <= 8:
		return stepped(set)
	case set[0] > 0 && set[len(set)-1] > 50*set[0]:
		lo, hi := math.Log10(set[0]), math.Log10(set[len(set)-1])
		for e := math.Ceil(lo); e <= math.Floor(hi); e++ {
			ticks = append(ticks, Tick{shortest(math.Pow(10, e)), (e - lo) / (hi - lo)})
		}
		return ticks, func(v float64) float64 { return (math.Log10(v) - lo) / (hi - lo) }
	}
	return Linear(set[0], set[len(set)-1])
}

// stepped gives each value of a few its own place.
func stepped(set []float64) (ticks []Tick, at func(float64) float64) {
	for i, v := range set {
		ticks = append(ticks, Tick{shortest(v), even(i, len(set))})
	}
	return ticks, func(v float64) float64 {
		if i, found := slices.BinarySearch(set, v); found {
			return even(i, len(set))
		}
		return math.NaN()
	}
}

// even is the place of the i-th of n.
func even(i, n int) float64 {
	if n == 1 {
		return 0.5
	}
	return float64(i) / float64(n-1)
}

// Linear is a linear axis from lo to hi.
func Linear(lo, hi float64) (marks []Tick, at func(float64) float64) {
	if !finite(lo, hi) || hi < lo {
		return nil, func(float64) float64 { return math.NaN() }
	}
	if lo == hi {
		return []Tick{{shortest(lo), 0.5}}, func(float64) float64 { return 0.5 }
	}
	ts := ticks(lo, hi, 5)
	for _, t := range ts {
		if t >= lo && t <= hi {
			marks = append(marks, Tick{told(t, places(ts)), (t - lo) / (hi - lo)})
		}
	}
	return marks, func(v float64) float64 { return (v - lo) / (hi - lo) }
}

// told is a tick's number, which has room for seven characters.
func told(v float64, digits int) string {
	for _, text := range []string{Number(v, digits), shortest(v)} {
		if len([]rune(text)) <= 7 {
			return text
		}
	}
	return strings.Replace(fmt.Sprintf("%.1g", v), "-", "−", 1)
}

// shortest is a number as people write it.
func shortest(v float64) string { return strings.Replace(fmt.Sprintf("%.4g", v), "-", "−", 1) }

// Words gives each of a few words its own place, in the order given.
func Words(words []string) (ticks []Tick, at func(string) float64) {
	for i, w := range words {
		ticks = append(ticks, Tick{w, even(i, len(words))})
	}
	return ticks, func(w string) float64 {
		if i := slices.Index(words, w); i >= 0 {
			return even(i, len(words))
		}
		return math.NaN()
	}
}

// Curve draws the course of a metric over its steps, one line for each run; at most
// 2,000 points of each should be given. Gaps stay gaps.
func Curve(id, name string, lines []Series) template.HTML {
	xlo, xhi, ylo, yhi := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, l := range lines {
		for i := range min(len(l.X), len(l.Y)) {
			if drawable(l.X[i], l.Y[i]) {
				xlo, xhi, ylo, yhi = min(xlo, l.X[i]), max(xhi, l.X[i]), min(ylo, l.Y[i]), max(yhi, l.Y[i])
			}
		}
	}
	if !finite(xlo, xhi, ylo, yhi) {
		return ""
	}
	xs, ys := ticks(xlo, xhi, 6), ticks(ylo, yhi, 5)
	sx, sy := scale{xs[0], xs[len(xs)-1], 56, 552}, scale{ys[0], ys[len(ys)-1], 196, 24}
	s := begin(id, "n2", 580, 236, name+" by step", fmt.Sprintf("%d lines over steps %s to %s; values from %s to %s.", len(lines), shortest(xlo), shortest(xhi), shortest(ylo), shortest(yhi)))
	for _, t := range ys {
		s.line("gr", point{56, sy.at(t)}, point{552, sy.at(t)})
		s.text("t e", 49, sy.at(t)+4, told(t, places(ys)))
	}
	for _, t := range xs {
		if t == math.Trunc(t) { // there is no half a step
			s.text("t m", sx.at(t), 212, told(t, 0))
		}
	}
	for _, l := range lines {
		course(s, l, sx, sy)
	}
	s.text("t", 4, 12, short(name, 60))
	s.text("t", 56, 230, "step")
	return s.end()
}

// drawable reports whether a point has a place. MLflow's clients write infinity as the
// largest number there is.
func drawable(x, y float64) bool { return finite(x, y) && math.Abs(y) < 1e300 }

// course draws a line in the pieces that its gaps leave; a piece of one point is a
// disc.
func course(s *svg, l Series, sx, sy scale) {
	var piece []point
	flush := func() {
		switch {
		case len(piece) == 1:
			s.disc("f-"+string(l.Role), piece[0], 3)
		case len(piece) > 1:
			s.line("l-"+string(l.Role), piece...)
		}
		piece = nil
	}
	for i := range min(len(l.X), len(l.Y)) {
		if !drawable(l.X[i], l.Y[i]) {
			flush()
			continue
		}
		piece = append(piece, point{sx.at(l.X[i]), sy.at(l.Y[i])})
	}
	flush()
}
