// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"flyball/stat"
)

const (
	scoreFeature = -1
	jointPairs   = -2
	jointApart   = -3
	leastShift   = 0.05 // Jensen-Shannon distance (PSI about 0.02) below which no shift counts, however many rows show it
	floorAlpha   = 0.01 // of the test against independent draws, shared over the features
	predictions  = "prediction"
)

// comparison is what a window's distances are held against.
type comparison struct {
	season bool
	ends   []int // reference windows whose distances are the ranks
	start  time.Time
	end    time.Time
}

// shift is how far one feature of a window is from the reference.
type shift struct {
	feature   int
	psi       float64
	beyond    bool      // an aspect is further than independent draws and than a trifle
	reference []float64 // the PSI of the reference's own windows
	aspects   []aspect  // by distanceAspect and so on
	to        slow      // what its slow level becomes
	name      string    // of columns together; empty: the feature's
	text      string    // what to say of columns together
}

// drift judges a grown window: how unusual is its distance from the reference among
// the distances of the reference's own windows? Rows of one window are alike, so a
// test for independent draws alone would alarm every week; it is asked for as well,
// so that a steady reference does not make a trifle unusual.
func (s *stepper) drift(w *Window) {
	s.stuck(w)
	s.ranges(w)
	c := s.comparison(w)
	var inputs, score []shift
	judged := 0
	for i := range s.Profile.Features {
		if s.Profile.Features[i].Fixed == "" {
			judged++
		}
	}
	for i := range s.Profile.Features {
		f := &s.Profile.Features[i]
		if f.Fixed != "" {
			continue
		}
		if sh, ok := s.shift(c, i, w.Features[i].grouped(f), floorAlpha/float64(judged)); ok {
			inputs = append(inputs, sh)
		}
	}
	if len(inputs) > 0 {
		inputs = append(inputs, s.jointShifts(c, w)...)
	}
	if p := s.Profile.Score; p != nil && w.Score != nil && p.groups() > 1 {
		if sh, ok := s.shift(c, scoreFeature, w.Score.grouped(p), floorAlpha); ok {
			score = append(score, sh)
		}
	}
	s.judgeDrift(w, c, inputs, &s.out.State.Inputs, "inputs")
	s.judgeDrift(w, c, score, &s.out.State.Predictions, predictions)
}

// comparison picks the reference windows: with a season those that have a
// counterpart one season before, else all.
func (s *stepper) comparison(w *Window) comparison {
	c := comparison{season: s.season() > 0, start: w.Start, end: w.End}
	for k := range s.Profile.Windows {
		r := &s.Profile.Windows[k]
		if !c.season || len(s.sameSeason(r.Start, r.End)) > 0 {
			c.ends = append(c.ends, k)
		}
	}
	return c
}

// sameSeason is the reference windows whose middle lies in the stretch one season
// before, or else the one nearest to it; and where the reference ends earlier than
// that, in the last season that it holds.
func (s *stepper) sameSeason(start, end time.Time) []int {
	season, length := s.Policy.Season.D(), end.Sub(start)
	for range 10 {
		start = start.Add(-season)
		if start.Add(length).Before(s.Profile.From) {
			return nil
		}
		if in := s.around(start, length); len(in) > 0 {
			return in
		}
	}
	return nil
}

// around is the reference windows with their middle in the stretch, or else the one
// whose middle is nearest to its own, within its length.
func (s *stepper) around(start time.Time, length time.Duration) []int {
	end, center := start.Add(length), start.Add(length/2)
	var in []int
	near, gap := -1, length
	for k := range s.Profile.Windows {
		r := &s.Profile.Windows[k]
		mid := r.Start.Add(r.End.Sub(r.Start) / 2)
		if !mid.Before(start) && mid.Before(end) {
			in = append(in, k)
		}
		if d := mid.Sub(center).Abs(); d < gap {
			near, gap = k, d
		}
	}
	if len(in) == 0 && near >= 0 {
		in = append(in, near)
	}
	return in
}

// shift is the distance of a feature's counts; false where there is nothing to
// compare with.
func (s *stepper) shift(c comparison, i int, now []int, alpha float64) (shift, bool) {
	total := s.whole(i)
	ref := total
	if c.season {
		ref = s.sumOf(i, s.sameSeason(c.start, c.end))
	}
	n, m := sum(now), sum(ref)
	if n == 0 || m == 0 || len(now) != len(ref) || len(now) < 2 {
		return shift{}, false
	}
	out := shift{feature: i, psi: stat.PSI(now, ref)}
	out.beyond = stat.PSITail(out.psi, len(now), n, m) <= alpha && stat.JensenShannon(now, ref) >= leastShift
	f := s.feature(i)
	scores, _ := f.levels()
	var levels []float64
	for _, k := range c.ends {
		r := &s.Profile.Windows[k]
		against := s.against(c, i, k, total)
		out.reference = append(out.reference, stat.PSI(r.of(i), against))
		if scores != nil {
			levels = append(levels, levelOf(r.of(i), scores)-levelOf(against, scores))
		}
	}
	out.aspects = []aspect{distanceAspect: out.distance()}
	out.level(f, now, ref, levels, alpha, s.out.State.slowOf(i))
	return out, true
}

// against is what a reference window is held against: the same season, else all windows
// but itself and its neighbours.
func (s *stepper) against(c comparison, i, k int, total []int) []int {
	if r := &s.Profile.Windows[k]; c.season {
		return s.sumOf(i, s.sameSeason(r.Start, r.End))
	}
	return s.restOf(i, k, total)
}

// feature is the feature of a shift.
func (s *stepper) feature(i int) *Feature {
	if i == scoreFeature {
		return s.Profile.Score
	}
	return &s.Profile.Features[i]
}

func (s *stepper) sumOf(i int, windows []int) []int {
	var out []int
	for _, k := range windows {
		out = addInts(out, s.Profile.Windows[k].of(i))
	}
	return out
}

// judgeDrift ranks the window's largest standardised distance and feeds the rank to
// the detector.
func (s *stepper) judgeDrift(w *Window, c comparison, shifts []shift, d *Detector, subject string) {
	if len(shifts) == 0 {
		if c.season && subject == "inputs" && len(s.sameSeason(w.Start, w.End)) == 0 {
			s.note("no season", "drift", w.End, nil, "the reference does not hold this season, so drift is not judged")
		}
		return
	}
	least := s.alarmAt(2, w.End.Sub(w.Start))
	limit := alarmLevel(least)
	z := standardised(shifts)
	cannot := len(c.ends) < 3 || float64(len(c.ends)+1) < least
	for _, sh := range shifts {
		s.out.State.keep(sh)
	}
	p := 1.0
	if !cannot {
		p = rank(z, shifts)
		d.update(p, w.Start, w.Rows, 0)
		d.Suspect.take(d.Evidence, limit)
	}
	for j, sh := range shifts {
		s.out.Readings = append(s.out.Readings, Reading{
			Kind: Drift, Subject: s.called(sh), Start: w.Start, End: w.End, Rows: w.Rows, Value: sh.psi,
			Reference: largest(sh.reference), P: rank(z[j:j+1], shifts[j:j+1]), Evidence: d.Evidence, Alarm: limit,
		})
	}
	if cannot {
		s.tellInstead(w, c, shifts, least, subject)
		return
	}
	s.settleDrift(w, c, shifts, z, d, p, limit, subject)
}

// settleDrift opens the finding, names what moved most, and ends it after two
// windows that are not unusual.
func (s *stepper) settleDrift(w *Window, c comparison, shifts []shift, z [][]float64, d *Detector, p, limit float64, subject string) {
	for _, e := range s.out.State.Open {
		f := e.Finding
		if f.Kind != Drift || (f.Subject == predictions) != (subject == predictions) {
			continue
		}
		if p <= 0.25 {
			s.open(f, nil) // seen again
		} else if s.quiet(Drift, f.Subject, w.End, 2) {
			*d = Detector{}
		}
		return
	}
	if d.Evidence < limit || p > 0.25 {
		return
	}
	order := byDistance(shifts, z)
	if len(order) == 0 {
		return
	}
	first := shifts[order[0]]
	than := "training"
	if c.season {
		than = "the same season"
	}
	text := s.called(first) + " drifted: " + first.words(w, than)
	if first.text != "" {
		text = first.text
	}
	if len(order) > 1 {
		var also []string
		for _, j := range order[1:min(3, len(order))] {
			also = append(also, s.called(shifts[j]))
		}
		text += "; also " + strings.Join(also, ", ")
		if more := len(order) - 3; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
	}
	moved, levels := map[string]float64{}, map[string]float64{}
	for _, j := range order[:min(len(order), 20)] {
		moved[s.called(shifts[j])] = shifts[j].psi
		if to := shifts[j].to; to.Windows > 0 {
			levels[s.called(shifts[j])], _ = to.mean()
		}
	}
	impact := s.byImpact(shifts, z, order)
	if len(impact) > 0 && impact[0] != s.called(first) {
		text += "; of most weight " + impact[0]
	}
	s.open(Finding{Kind: Drift, Subject: s.called(first), Severity: "warn", Trigger: true, Opened: w.End, Text: text},
		map[string]any{"psi": moved, "level": levels, "impact": impact, "p": p, "evidence": d.Evidence, "alarm": limit, "windows": len(c.ends), "start": w.Start, "end": w.End})
}

// byImpact names the columns that moved in the order of their share of what is added to
// scores times their standardised distance; none where the shares are not known. It
// ranks what to look at, and explains nothing.
func (s *stepper) byImpact(shifts []shift, z [][]float64, order []int) []string {
	impact := map[string]float64{}
	var out []string
	for _, j := range order {
		far := z[j][len(z[j])-1]
		if v := s.Profile.Attribution.of(s.called(shifts[j])) * max(0, far); v > 0 {
			out = append(out, s.called(shifts[j]))
			impact[s.called(shifts[j])] = v
		}
	}
	slices.SortStableFunc(out, func(a, b string) int { return cmp.Compare(impact[b], impact[a]) })
	return out[:min(len(out), 20)]
}

// tellInstead says what cannot be judged, and what was seen all the same.
func (s *stepper) tellInstead(w *Window, c comparison, shifts []shift, limit float64, subject string) {
	if c.season && len(c.ends) == 0 {
		order := byDistance(shifts, nil)
		for _, j := range order[:min(2, len(order))] {
			name := s.called(shifts[j])
			ago := "a season"
			if s.Policy.Season.D() == 365*24*time.Hour {
				ago = "a year"
			}
			if shifts[j].psi >= 0.25 {
				s.note("season "+name, name, w.End, map[string]any{"psi": shifts[j].psi, "rows": w.Rows},
					"%s is %s PSI from the same season %s ago; one season only, so no alarm", name, psi(shifts[j].psi), ago)
			}
		}
		return
	}
	s.note("cannot judge", subject, w.End, map[string]any{"windows": len(c.ends), "needed": math.Ceil(limit) - 1},
		"cannot judge drift yet: %s to compare with, %.0f needed for the budget", plural(len(c.ends), "window"), math.Ceil(limit)-1)
}

// byDistance is the shifts beyond the floors, the furthest first: by standardised
// distance, or by PSI where there is none.
func byDistance(shifts []shift, z [][]float64) []int {
	var out []int
	for j := range shifts {
		if shifts[j].beyond {
			out = append(out, j)
		}
	}
	slices.SortStableFunc(out, func(a, b int) int {
		if all, other := shifts[a].feature == jointApart, shifts[b].feature == jointApart; all != other {
			if all { // it is of all columns, and says least
				return 1
			}
			return -1
		}
		if z != nil {
			return cmp.Compare(z[b][len(z[b])-1], z[a][len(z[a])-1])
		}
		return cmp.Compare(shifts[b].psi, shifts[a].psi)
	})
	return out
}

// called is the name of what moved.
func (s *stepper) called(sh shift) string {
	if sh.name != "" {
		return sh.name
	}
	return s.nameOf(sh.feature)
}

func (s *stepper) nameOf(i int) string {
	if i == scoreFeature {
		return predictions
	}
	return s.Profile.Features[i].Name
}

func psi(x float64) string { return fmt.Sprintf("%.2f", x) }

func largest(v []float64) float64 {
	out := 0.0
	for _, x := range v {
		out = max(out, x)
	}
	return out
}
