// SPDX-License-Identifier: Apache-2.0

// Package chart draws data as SVG, for pages and for reports that must still open in
// ten years. Each drawing is a pure function: the same data give the same bytes. It
// knows no clock and no place, and holds no words of the domain but those it is given.
// A value that is NaN or infinite is the caller's mistake; it is left out.
package chart

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// svg builds one drawing.
type svg struct{ b strings.Builder }

// begin opens the drawing with its title and description, for those who cannot see it.
func begin(id, class string, width, height int, title, desc string) *svg {
	s := &svg{}
	fmt.Fprintf(&s.b, `<svg class="%s" viewBox="0 0 %d %d" role="img" aria-labelledby="%s-t %s-d">`, class, width, height, esc(id), esc(id))
	fmt.Fprintf(&s.b, "\n<title id=\"%s-t\">%s</title><desc id=\"%s-d\">%s</desc>\n", esc(id), esc(title), esc(id), esc(desc))
	return s
}

// end closes the drawing. All that was written is escaped or made here.
func (s *svg) end() template.HTML {
	s.b.WriteString("</svg>")
	return template.HTML(s.b.String())
}

func esc(s string) string { return template.HTMLEscapeString(s) }

// num is a coordinate, rounded to a tenth, without a trailing .0.
func num(v float64) string {
	r := math.Round(v*10) / 10
	if r == 0 {
		r = 0 // no −0
	}
	return strconv.FormatFloat(r, 'f', -1, 64)
}

// point is a place in the drawing; y grows downwards.
type point struct{ x, y float64 }

func (s *svg) path(class, d string) { fmt.Fprintf(&s.b, "<path class=\"%s\" d=\"%s\"/>\n", class, d) }

func (s *svg) line(class string, ps ...point) { s.path(class, poly(ps)) }

func poly(ps []point) string {
	var d strings.Builder
	for i, p := range ps {
		d.WriteByte("ML"[min(i, 1)])
		d.WriteString(num(p.x) + " " + num(p.y))
	}
	return d.String()
}

func (s *svg) text(class string, x, y float64, text string) {
	if class != "" {
		class = ` class="` + class + `"`
	}
	fmt.Fprintf(&s.b, "<text x=\"%s\" y=\"%s\"%s>%s</text>\n", num(x), num(y), class, esc(text))
}

func (s *svg) rect(class string, x, y, w, h float64) {
	fmt.Fprintf(&s.b, "<rect class=\"%s\" x=\"%s\" y=\"%s\" width=\"%s\" height=\"%s\"/>\n", class, num(x), num(y), num(w), num(h))
}

func (s *svg) disc(class string, p point, r float64) {
	fmt.Fprintf(&s.b, "<circle class=\"%s\" cx=\"%s\" cy=\"%s\" r=\"%s\"/>\n", class, num(p.x), num(p.y), num(r))
}

// diamond is the candidate's mark.
func (s *svg) diamond(class string, p point, r float64) {
	s.path(class, poly([]point{{p.x, p.y - r}, {p.x + r, p.y}, {p.x, p.y + r}, {p.x - r, p.y}})+"Z")
}

// scale maps a domain onto a stretch of the drawing; what lies outside is clipped to
// its edge.
type scale struct{ a, b, p, q float64 }

func (s scale) at(v float64) float64 {
	if s.a == s.b {
		return (s.p + s.q) / 2
	}
	t := min(max((v-s.a)/(s.b-s.a), 0), 1)
	return s.p + t*(s.q-s.p)
}

// finite reports whether all values can be drawn.
func finite(vs ...float64) bool {
	for _, v := range vs {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}

// step is the distance of ticks: 1, 2 or 5 times a power of ten, so that about n fit.
func step(lo, hi float64, n int) float64 {
	span := hi - lo
	if span <= 0 || !finite(span) {
		return 1
	}
	raw := span / float64(n)
	ten := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5} {
		if m*ten >= raw {
			return m * ten
		}
	}
	return 10 * ten
}

// ticks are the round values from lo to hi, rounded outwards, at most n+2.
func ticks(lo, hi float64, n int) []float64 {
	d := step(lo, hi, n)
	first, last := math.Floor(lo/d+1e-9), math.Ceil(hi/d-1e-9)
	if last <= first {
		last = first + 1
	}
	var out []float64
	for i := first; i <= last && len(out) < n+3; i++ {
		out = append(out, i*d)
	}
	return out
}

// places is how many digits after the point tell ticks apart.
func places(ts []float64) int {
	if len(ts) < 2 {
		return 2
	}
	d := ts[1] - ts[0]
	n := 0
	for n < 9 && math.Abs(d-math.Round(d*math.Pow10(n))/math.Pow10(n)) > 1e-9*math.Abs(d) {
		n++
	}
	return n
}

// Number is v with so many digits after the point and a real minus.
func Number(v float64, digits int) string {
	s := strconv.FormatFloat(math.Abs(v), 'f', digits, 64)
	if v < 0 && strings.Trim(s, "0.") != "" {
		return "−" + s
	}
	return s
}

// Signed is Number with a plus before what is above zero.
func Signed(v float64, digits int) string {
	s := Number(v, digits)
	if v > 0 && strings.Trim(s, "0.") != "" {
		return "+" + s
	}
	return s
}
