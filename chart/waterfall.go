// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// Step is what one thing added to a sum.
type Step struct {
	Name string
	Adds float64
}

// Waterfall draws how steps lead from a base to a sum, one in each row: filled bars
// raise, hollow bars lower. space names what is added up.
func Waterfall(id, name, space string, base float64, steps []Step) template.HTML {
	at, lo, hi := base, base, base
	var shown []Step
	said := []string{"from " + Number(base, 3)}
	for _, p := range steps {
		if !finite(p.Adds) {
			continue
		}
		at += p.Adds
		lo, hi = min(lo, at), max(hi, at)
		shown = append(shown, p)
		said = append(said, fmt.Sprintf("%s %s", p.Name, Signed(p.Adds, 3)))
	}
	if !finite(base, at, hi-lo) {
		return ""
	}
	if lo == hi {
		lo, hi = lo-0.5, hi+0.5
	}
	ts := ticks(lo, hi, 5)
	x := scale{ts[0], ts[len(ts)-1], 196, 508}
	foot := 48 + 26*float64(len(shown))
	s := begin(id, "n2", 580, int(foot)+32, name, strings.Join(said, ", ")+", to "+Number(at, 3)+".")
	for _, t := range ts {
		s.line("gr", point{x.at(t), 22}, point{x.at(t), foot})
		s.text("t m", x.at(t), 14, told(t, places(ts)))
	}
	s.text("e", 188, 39, "base")
	s.line("rule", point{x.at(base), 28}, point{x.at(base), 42})
	s.text("e", 574, 39, Number(base, 3))
	from := base
	for i, p := range shown {
		y, to := 48+26*float64(i), from+p.Adds
		class := "w-up"
		if p.Adds < 0 {
			class = "w-dn"
		}
		s.text("e", 188, y+11, short(p.Name, 28))
		left := x.at(min(from, to))
		s.rect(class, left, y, math.Max(x.at(max(from, to))-left, 0.5), 14)
		s.text("e", 574, y+11, Signed(p.Adds, 3))
		from = to
	}
	s.text("e h", 188, foot+11, "sum")
	s.line("rule", point{x.at(at), foot}, point{x.at(at), foot + 14})
	s.text("e h", 574, foot+11, Number(at, 3))
	s.text("t", 196, foot+28, space)
	return s.end()
}
