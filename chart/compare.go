// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// Role is whose line it is: they differ in colour, in stroke and in mark.
type Role string

// The roles.
const (
	Live      Role = "live"
	Candidate Role = "cand"
	Base      Role = "base"
	Other     Role = "ink"
)

// Series is a named line.
type Series struct {
	Name string
	Role Role
	X, Y []float64 // of one length
}

// square draws the grid of a chart whose axes both go from 0 to top.
func square(s *svg, top float64, marks []float64, digits int, x, y string) (sx, sy scale) {
	sx, sy = scale{0, top, 50, 350}, scale{0, top, 282, 12}
	for _, t := range marks {
		label := Number(t, digits)
		if t == 0 || t == math.Trunc(t) {
			label = Number(t, 0)
		}
		s.line("gr", point{50, sy.at(t)}, point{350, sy.at(t)})
		s.line("gr", point{sx.at(t), 12}, point{sx.at(t), 282})
		s.text("t e", 43, sy.at(t)+4, label)
		s.text("t m", sx.at(t), 298, label)
	}
	s.line("ref", point{50, 282}, point{350, 12})
	s.text("t", 50, 324, x)
	fmt.Fprintf(&s.b, "<text x=\"10\" y=\"147\" class=\"t m\" transform=\"rotate(-90 10 147)\">%s</text>\n", esc(y))
	return sx, sy
}

// ROC draws curves of the true against the false positive rate, both 0 to 1, in the
// order given: the best is last and its name on top. label is a series' name with its
// area.
func ROC(id string, curves []Series) template.HTML {
	names := make([]string, len(curves))
	for i, c := range curves {
		names[i] = c.Name
	}
	s := begin(id, "n1", 360, 330, "ROC curves", "True positive rate against false positive rate: "+strings.Join(names, ", ")+".")
	sx, sy := square(s, 1, []float64{0, .25, .5, .75, 1}, 2, "false positive rate", "true positive rate")
	for _, c := range curves {
		s.line("l-"+string(c.Role), along(c, sx, sy)...)
	}
	for i, c := range curves {
		y := 220 + 18*float64(len(curves)-1-i)
		s.line("l-"+string(c.Role), point{190, y}, point{214, y})
		s.text("", 220, y+4, c.Name)
	}
	return s.end()
}

// along are the places of a series' points that can be drawn.
func along(c Series, sx, sy scale) []point {
	var out []point
	for i := range min(len(c.X), len(c.Y)) {
		if finite(c.X[i], c.Y[i]) {
			out = append(out, point{sx.at(c.X[i]), sy.at(c.Y[i])})
		}
	}
	return out
}

// Group is a part of the rows, by what was said of them: the mean that was said, the
// share that was, and its interval.
type Group struct{ Said, Was, Low, High float64 }

// Reliability is one version's groups.
type Reliability struct {
	Name   string // with its calibration error
	Role   Role
	Groups []Group
}

// Calibration draws what was said against what was, for one or more versions.
func Calibration(id string, rs []Reliability) template.HTML {
	top, names := 0.2, make([]string, len(rs))
	for i, r := range rs {
		names[i] = r.Name
		for _, g := range r.Groups {
			if finite(g.Said, g.Was, g.High) {
				top = max(top, g.Said, g.Was, g.High)
			}
		}
	}
	top = math.Ceil(top/0.2-1e-9) * 0.2
	s := begin(id, "n1", 360, 330, "Calibration", "What was said against what was; points on the diagonal are right on average: "+strings.Join(names, ", ")+".")
	var marks []float64
	for t := 0.0; t <= top+1e-9; t += 0.2 {
		marks = append(marks, t)
	}
	sx, sy := square(s, top, marks, 1, "what it said", "what was")
	for _, r := range rs {
		reliability(s, r, sx, sy)
	}
	for i, r := range rs {
		p := point{66, 24 + 18*float64(i)}
		mark(s, r.Role, p)
		s.text("", 76, p.y+4, r.Name)
	}
	return s.end()
}

func reliability(s *svg, r Reliability, sx, sy scale) {
	var ps []point
	for _, g := range r.Groups {
		if finite(g.Said, g.Was, g.Low, g.High) {
			ps = append(ps, point{sx.at(g.Said), sy.at(g.Was)})
		}
	}
	if len(ps) > 1 {
		s.line("l-"+string(r.Role), ps...)
	}
	i := 0
	for _, g := range r.Groups {
		if !finite(g.Said, g.Was, g.Low, g.High) {
			continue
		}
		s.line("s-"+string(r.Role), point{ps[i].x, sy.at(g.Low)}, point{ps[i].x, sy.at(g.High)})
		mark(s, r.Role, ps[i])
		i++
	}
}

// mark is a role's point: a hollow diamond for a candidate, a disc for the others.
func mark(s *svg, r Role, p point) {
	if r == Candidate {
		s.diamond("s-cand hollow", p, 4)
		return
	}
	s.disc("f-"+string(r), p, 3)
}

// Difference is an estimate with its interval. Margin, when it is not zero, is how
// much worse is still good enough.
type Difference struct {
	Name            string // of the metric and the pair
	Value, Low, Top float64
	LowerIsBetter   bool
	Margin          float64
	Digits          int // after the point
}

// Verdict draws a difference on an axis that holds zero.
func Verdict(id string, d Difference) template.HTML {
	if !finite(d.Value, d.Low, d.Top) {
		return ""
	}
	lo, hi := min(0, d.Low, -math.Abs(d.Margin)), max(0, d.Top, math.Abs(d.Margin))
	third := (hi - lo) / 3
	if third == 0 {
		third = 1
	}
	ts := ticks(lo-third/2, hi+third/2, 7)
	x := scale{ts[0], ts[len(ts)-1], 22, 556}
	end := Number
	if d.Low < 0 && d.Top > 0 {
		end = Signed
	}
	said := fmt.Sprintf("%s (%s…%s)", Signed(d.Value, d.Digits), end(d.Low, d.Digits), end(d.Top, d.Digits))
	where := "zero lies inside"
	if d.Low > 0 || d.Top < 0 {
		where = "zero lies outside"
	}
	s := begin(id, "n2", 580, 72, d.Name, fmt.Sprintf("Estimate %s, 95 percent interval %s…%s; %s.", Signed(d.Value, d.Digits), Signed(d.Low, d.Digits), Signed(d.Top, d.Digits), where))
	s.line("ax", point{22, 50}, point{556, 50})
	for _, t := range ts {
		s.line("ax", point{x.at(t), 50}, point{x.at(t), 54})
		s.text("t m", x.at(t), 67, Signed(t, places(ts)))
	}
	left, right := "worse", "better"
	if d.LowerIsBetter {
		left, right = right, left
	}
	zero := x.at(0)
	s.line("rule", point{zero, 12}, point{zero, 50})
	if d.Margin != 0 {
		m := x.at(-math.Abs(d.Margin))
		if d.LowerIsBetter {
			m = x.at(math.Abs(d.Margin))
		}
		s.line("ref", point{m, 24}, point{m, 50})
	}
	s.text("t e", zero-5, 10, left)
	s.text("t", zero+5, 10, right)
	s.rect("a-cand", x.at(d.Low), 29, x.at(d.Top)-x.at(d.Low), 10)
	for _, end := range []float64{d.Low, d.Top} {
		s.line("s-cand", point{x.at(end), 27}, point{x.at(end), 41})
	}
	s.line("s-cand", point{x.at(d.Low), 34}, point{x.at(d.Top), 34})
	s.diamond("f-cand", point{x.at(d.Value), 34}, 6)
	s.text("m cand", min(max(x.at(d.Value), 90), 490), 23, said)
	return s.end()
}

// Interval draws a difference in a row of a table, on the domain lo to hi that the
// whole table has.
func Interval(id string, d Difference, lo, hi float64) template.HTML {
	if !finite(d.Value, d.Low, d.Top, lo, hi) {
		return ""
	}
	x := scale{lo, hi, 4, 186}
	s := begin(id, "ivl", 190, 22, d.Name, fmt.Sprintf("difference %s, 95 percent interval %s…%s; dashed line is zero.",
		Signed(d.Value, d.Digits), Signed(d.Low, d.Digits), Signed(d.Top, d.Digits)))
	s.line("ref", point{x.at(0), 0}, point{x.at(0), 22})
	s.line("s-ink", point{x.at(d.Low), 11}, point{x.at(d.Top), 11})
	for _, end := range []float64{d.Low, d.Top} {
		s.line("s-ink", point{x.at(end), 7}, point{x.at(end), 15})
	}
	s.diamond("f-cand", point{x.at(d.Value), 11}, 4)
	return s.end()
}
