// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"fmt"
	"html/template"
	"strings"
)

// Spread is how something varies: five of its quantiles, from low to high.
type Spread struct {
	Name                                 string
	Role                                 Role
	Low, Quarter, Median, Quarter3, High float64
}

// Spreads draws each spread in a row, on one axis that holds zero: a thin line from
// Low to High, a bar over the middle half, a mark on the median.
func Spreads(id, name string, rows []Spread) template.HTML {
	lo, hi := 0.0, 0.0
	var shown []Spread
	var said []string
	for _, r := range rows {
		if !finite(r.Low, r.Quarter, r.Median, r.Quarter3, r.High) {
			continue
		}
		lo, hi = min(lo, r.Low), max(hi, r.High)
		shown = append(shown, r)
		said = append(said, fmt.Sprintf("%s: the middle half from %s to %s, median %s", r.Name, shortest(r.Quarter), shortest(r.Quarter3), shortest(r.Median)))
	}
	if len(shown) == 0 || !finite(hi-lo) {
		return ""
	}
	ts := ticks(lo, hi, 6)
	x := scale{ts[0], ts[len(ts)-1], 30, 550}
	foot := 20 + 44*float64(len(shown))
	s := begin(id, "n2", 580, int(foot)+24, name, strings.Join(said, "; ")+".")
	for _, t := range ts {
		s.line("gr", point{x.at(t), 12}, point{x.at(t), foot})
		s.text("t m", x.at(t), foot+16, told(t, places(ts)))
	}
	s.line("rule", point{x.at(0), 12}, point{x.at(0), foot})
	for i, r := range shown {
		spread(s, r, x, 42+44*float64(i))
	}
	return s.end()
}

func spread(s *svg, r Spread, x scale, y float64) {
	s.line("s-"+string(r.Role), point{x.at(r.Low), y}, point{x.at(r.High), y})
	s.rect("a-"+string(r.Role), x.at(r.Quarter), y-6, x.at(r.Quarter3)-x.at(r.Quarter), 12)
	for _, end := range []float64{r.Low, r.High} {
		s.line("s-"+string(r.Role), point{x.at(end), y - 4}, point{x.at(end), y + 4})
	}
	mark(s, r.Role, point{x.at(r.Median), y})
	s.text(string(r.Role), 30, y-12, short(r.Name, 60))
}
