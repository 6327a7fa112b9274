// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"fmt"
	"html/template"
	"math"
)

// Window is a stretch of time of a score's course: what was estimated of it without
// labels, and what was true where labels have come. NaN where a value is missing.
type Window struct {
	Label                     string
	Known                     float64 // share of the rows whose truth is known, 0 to 1
	Estimated, EstLow, EstTop float64
	True, TrueLow, TrueTop    float64
}

// Event is what happened in a window, at its beginning: a release.
type Event struct {
	Window int
	Label  string
}

// Score draws a metric over time: the estimate with its interval as a line, truths as
// discs with whiskers, hollow where less than half of the truth is known, and below how
// much of it is. It is empty when there is nothing to draw.
func Score(id, metric string, windows []Window, events []Event) template.HTML {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, w := range windows {
		for _, v := range []float64{w.Estimated, w.EstLow, w.EstTop, w.True, w.TrueLow, w.TrueTop} {
			if finite(v) {
				lo, hi = min(lo, v), max(hi, v)
			}
		}
	}
	if len(windows) == 0 || !finite(lo, hi) {
		return ""
	}
	ts := ticks(lo, hi, 5)
	y := scale{ts[0], ts[len(ts)-1], 206, 34}
	first, last := windows[0], windows[len(windows)-1]
	s := begin(id, "n3", 1180, 292, metric+" over time", fmt.Sprintf("%d windows from %s to %s; values from %s to %s. Truth known: %.0f percent in the first, %.0f in the last.",
		len(windows), first.Label, last.Label, shortest(lo), shortest(hi), 100*first.Known, 100*last.Known))
	slot := (1040.0 - 46) / float64(len(windows))
	at := func(i int) float64 { return 46 + slot*(float64(i)+0.5) }
	for _, t := range ts {
		s.line("gr", point{46, y.at(t)}, point{1040, y.at(t)})
		s.text("t e", 39, y.at(t)+4, told(t, places(ts)))
	}
	s.text("t", 4, 12, short(metric, 40))
	estimates(s, windows, at, y)
	for i, w := range windows {
		if !finite(w.True) {
			continue
		}
		if finite(w.TrueLow, w.TrueTop) {
			s.line("s-ink", point{at(i), y.at(w.TrueLow)}, point{at(i), y.at(w.TrueTop)})
		}
		class := "f-ink"
		if w.Known < 0.5 {
			class = "s-ink hollow"
		}
		s.disc(class, point{at(i), y.at(w.True)}, 3.5)
	}
	for _, e := range events {
		if e.Window >= 0 && e.Window < len(windows) {
			x := 46 + slot*float64(e.Window)
			s.line("rule", point{x, 26}, point{x, 250})
			s.text("", min(x+4, 1000), 22, short(e.Label, 20))
		}
	}
	maturity(s, windows, slot)
	s.text("", 1050, 48, "line: estimated")
	s.text("h", 1050, 66, "disc: true")
	s.text("t", 1050, 240, "truth known")
	return s.end()
}

// estimates draws the line of estimates with their intervals, a piece for each stretch
// without a gap.
func estimates(s *svg, windows []Window, at func(int) float64, y scale) {
	for i := 0; i < len(windows); i++ {
		from := i
		for i < len(windows) && finite(windows[i].Estimated) {
			i++
		}
		if i == from {
			continue
		}
		var line, area []point
		for k := from; k < i; k++ {
			line = append(line, point{at(k), y.at(windows[k].Estimated)})
			if finite(windows[k].EstLow, windows[k].EstTop) {
				area = append(area, point{at(k), y.at(windows[k].EstTop)})
			}
		}
		for k := i - 1; k >= from; k-- {
			if finite(windows[k].EstLow, windows[k].EstTop) {
				area = append(area, point{at(k), y.at(windows[k].EstLow)})
			}
		}
		if len(area) > 2 {
			s.path("a-live", poly(area)+"Z")
		}
		s.line("l-live", line...)
	}
}

// maturity draws how much of each window's truth is known, and the windows' labels.
func maturity(s *svg, windows []Window, slot float64) {
	every := max(1, (len(windows)+5)/6)
	for i, w := range windows {
		x, share := 46+slot*float64(i), min(max(w.Known, 0), 1)
		s.rect("f-band", x+1, 220, slot-2, 30)
		class := "f-base"
		if share < 0.5 {
			class = "f-faint"
		}
		if share > 0 {
			s.rect(class, x+1, 220+30*(1-share), slot-2, 30*share)
		}
		if i%every == 0 {
			s.text("t", x+1, 266, short(w.Label, 18))
		}
	}
}

// Sparkline draws how a value went, with its limit; 0: it has none.
func Sparkline(id, name string, values []float64, limit float64) template.HTML {
	top, n := 1.2*limit, 0
	for _, v := range values {
		if finite(v) {
			top, n = max(top, v), n+1
		}
	}
	if n == 0 || !finite(top) {
		return ""
	}
	if top == 0 {
		top = 1
	}
	y := scale{0, top, 19, 3}
	last := math.NaN()
	var ps []point
	for i, v := range values {
		if finite(v) {
			ps = append(ps, point{2 + 100*float64(i)/float64(max(1, len(values)-1)), y.at(v)})
			last = v
		}
	}
	said := fmt.Sprintf("%d windows, the last %s.", n, shortest(last))
	if limit > 0 {
		said = fmt.Sprintf("%d windows, the last %s; limit %s.", n, shortest(last), shortest(limit))
	}
	s := begin(id, "spark", 108, 22, name, said)
	if limit > 0 {
		s.line("ref", point{2, y.at(limit)}, point{102, y.at(limit)})
	}
	s.line("l-ink", ps...)
	s.disc("f-ink", ps[len(ps)-1], 2.5)
	return s.end()
}

// Traffic draws what share of the requests the candidate answers, 0 to 1; the live
// version answers the others.
func Traffic(id, live, candidate string, share float64) template.HTML {
	if !finite(share) {
		return ""
	}
	share = min(max(share, 0), 1)
	s := &svg{}
	fmt.Fprintf(&s.b, `<svg class="bar100" viewBox="0 0 1000 24" preserveAspectRatio="none" role="img" aria-labelledby="%s-t %s-d">`, esc(id), esc(id))
	fmt.Fprintf(&s.b, "\n<title id=\"%s-t\">Who answers</title><desc id=\"%s-d\">%s answers %s percent, %s answers %s.</desc>\n",
		esc(id), esc(id), esc(live), shortest(100*(1-share)), esc(candidate), shortest(100*share))
	wide := share * 1000
	if share > 0 {
		wide = min(max(wide, 10), 1000)
	}
	gap := 0.0
	if wide > 0 && wide < 1000 {
		gap = 4
	}
	if wide < 1000 {
		s.rect("f-live", 0, 0, max(1000-wide-gap, 0), 24)
	}
	if wide > 0 {
		s.rect("f-cand", 1000-wide, 0, wide, 24)
	}
	return s.end()
}
