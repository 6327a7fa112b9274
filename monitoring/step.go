// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sort"
	"time"

	"flyball/data/dataset"
	"flyball/serving/prediction"
	"flyball/unit"
)

const (
	month     = 30 * 24 * time.Hour
	families  = 3.0    // quality, drift and score share the budget
	maxBlocks = 10_000 // that one Step closes; longer silence is skipped
)

// withDefaults is the policy with what the model file leaves out.
func (p Policy) withDefaults() Policy {
	p.Every = cmp.Or(max(p.Every, 0), unit.Duration(24*time.Hour))
	p.FalseAlarms = cmp.Or(max(p.FalseAlarms, 0), 1)
	p.AtLeast = cmp.Or(max(p.AtLeast, 0), 200)
	return p
}

// Start is the state of a version that begins to score at the moment from: its
// first block is the first whole one.
func Start(p Policy, from time.Time) State {
	every := p.withDefaults().Every.D()
	b := from.UTC().Truncate(every)
	if b.Before(from) {
		b = b.Add(every)
	}
	return State{From: b, Block: b, Next: b.Add(every)}
}

// End closes what is open, because the version scores no longer.
func End(s State, now time.Time) []Finding {
	out := make([]Finding, 0, len(s.Open))
	for _, e := range s.Open {
		e.Finding.Closed = now
		out = append(out, e.Finding)
	}
	return out
}

// Step closes every block of time that is over by now and judges the windows that
// have enough rows. It is pure, and may be called at any moment: what it finds
// depends on the blocks, not on when it was asked, and a second call with the same
// now changes nothing. Rows with an event time in a closed block come too late.
//
// A row's truth counts in the block in which it falls due, whenever the label came:
// labels that arrive early would favour their outcome.
func Step(in Input) Output {
	in.Policy = in.Policy.withDefaults()
	if in.State.Block.IsZero() {
		first := in.Now
		if len(in.Rows) > 0 && in.Rows[0].Time.Before(first) {
			first = in.Rows[0].Time
		}
		in.State = Start(in.Policy, first)
	}
	if in.Now.Before(in.State.Next) {
		return Output{State: in.State}
	}
	every := in.Policy.Every.D()
	if oldest := in.Now.UTC().Truncate(every).Add(-maxBlocks * every); in.State.Block.Before(oldest) {
		in.State.Block = oldest
	}
	s := newStepper(in)
	for !in.Now.Before(s.out.State.Block.Add(every)) {
		s.close(s.out.State.Block, s.out.State.Block.Add(every))
		s.out.State.Block = s.out.State.Block.Add(every)
	}
	st := &s.out.State
	st.Next = st.Block.Add(every)
	st.From = st.Block
	for i := range in.Rows { // in order: the first row whose truth is still to come
		if !in.Rows[i].Time.Before(st.Block) {
			break
		}
		if !in.Rows[i].Due.Before(st.Block) {
			st.From = in.Rows[i].Time.UTC()
			break
		}
	}
	if st.Drift.Rows > 0 && st.Drift.Start.Before(st.From) {
		st.From = st.Drift.Start // rows are looked at together when the window is full
	}
	return s.out
}

// stepper is one call of Step.
type stepper struct {
	Input
	out       Output
	counter   *counter
	due       []int // rows in order of due date
	dueNext   int
	groupNext int // of due, for the groups
	rowNext   int
	class     map[string]int
}

func newStepper(in Input) *stepper {
	s := &stepper{Input: in, out: Output{State: in.State.clone()}}
	if in.Profile != nil {
		s.counter = newCounter(in.Profile)
		s.class = map[string]int{}
		for i, c := range in.Profile.Classes {
			s.class[c] = i
		}
	}
	start := in.State.Block
	s.rowNext = sort.Search(len(in.Rows), func(i int) bool { return !in.Rows[i].Time.Before(start) })
	for i := range in.Rows {
		if !in.Rows[i].Due.Before(start) {
			s.due = append(s.due, i)
		}
	}
	slices.SortStableFunc(s.due, func(a, b int) int { return in.Rows[a].Due.Compare(in.Rows[b].Due) })
	return s
}

// clone is a state that may be changed. Windows are replaced, never written to.
func (s State) clone() State {
	s.Open, s.Told, s.Recent, s.Groups = slices.Clone(s.Open), slices.Clone(s.Told), slices.Clone(s.Recent), slices.Clone(s.Groups)
	s.Slow = slices.Clone(s.Slow)
	for _, d := range []*Detector{&s.Inputs, &s.Predictions, &s.Bias, &s.Performance} {
		d.Means = slices.Clone(d.Means)
	}
	return s
}

// close takes one block in: its traffic, and the truths that fell due in it.
func (s *stepper) close(start, end time.Time) {
	first := s.rowNext
	for s.rowNext < len(s.Rows) && s.Rows[s.rowNext].Time.Before(end) {
		s.rowNext++
	}
	rows := s.Rows[first:s.rowNext]
	s.volume(len(rows), start, end)
	s.skew(rows, start, end)
	s.unusual(rows, start, end)
	s.groups(first, len(rows), start, end)
	if s.Profile == nil {
		s.out.Windows = append(s.out.Windows, Window{Model: s.Model, Version: s.Version, Start: start, End: end, Rows: len(rows)})
		return
	}
	w := s.counter.count(rows, func(j *prediction.Joined) (float64, bool) {
		if scores := s.scores(&j.Record); len(scores) > 0 {
			return scores[0], true
		}
		return 0, false
	})
	w.Model, w.Version, w.Start, w.End = s.Model, s.Version, start, end
	s.out.Windows = append(s.out.Windows, w)

	st := &s.out.State
	st.Quality = grow(st.Quality, w)
	if st.Quality.Rows >= s.Policy.AtLeast {
		s.quality(&st.Quality)
		st.Quality = Window{}
	}
	st.Drift = grow(st.Drift, w)
	if st.Drift.Rows >= s.Profile.WindowRows {
		s.drift(&st.Drift)
		st.Drift = Window{}
	}
	s.truths(start, end)
}

// grow is the window with one more block; a block without rows does not begin one.
func grow(w, block Window) Window {
	switch {
	case len(w.Features) == 0 && w.Rows == 0 && block.Rows == 0:
		return w
	case len(w.Features) == 0 && w.Rows == 0:
		return block
	}
	return Add(w, block)
}

func (s *stepper) scores(r *prediction.Record) []float64 {
	if s.Baseline {
		return r.BaselineScores()
	}
	return r.ScoresOf(s.Version)
}

// open begins a finding, once; while it is open, being seen again keeps it so.
func (s *stepper) open(f Finding, data any) {
	for i := range s.out.State.Open {
		if e := &s.out.State.Open[i]; e.Finding.Kind == f.Kind && e.Finding.Subject == f.Subject {
			e.Quiet = 0
			return
		}
	}
	f.Model, f.Version, f.Duty = s.Model, s.Version, "monitor"
	if f.Kind == Quality {
		f.Duty = "feed"
	}
	f.ID = fmt.Sprintf("%s/%d/%s/%s/%s", f.Model, f.Version, f.Kind, f.Subject, f.Opened.UTC().Format("2006-01-02T15:04Z"))
	f.Data, _ = json.Marshal(data)
	s.out.State.Open = append(s.out.State.Open, Episode{Finding: f})
	s.out.Findings = append(s.out.Findings, f)
}

// isOpen reports whether a finding of the kind and subject is open.
func (s *stepper) isOpen(kind, subject string) bool {
	return slices.ContainsFunc(s.out.State.Open, func(e Episode) bool { return e.Finding.Kind == kind && e.Finding.Subject == subject })
}

// quiet counts one window in which the finding was not seen, and ends it after
// enough of them.
func (s *stepper) quiet(kind, subject string, at time.Time, windows int) (closed bool) {
	for i := range s.out.State.Open {
		e := &s.out.State.Open[i]
		if e.Finding.Kind != kind || e.Finding.Subject != subject {
			continue
		}
		if e.Quiet++; e.Quiet < windows {
			return false
		}
		f := e.Finding
		f.Closed = at
		s.out.Findings = append(s.out.Findings, f)
		s.out.State.Open = slices.Delete(s.out.State.Open, i, i+1)
		return true
	}
	return false
}

// note tells once for each version and key.
func (s *stepper) note(key, subject string, at time.Time, data any, format string, args ...any) {
	if slices.Contains(s.out.State.Told, key) || len(s.out.State.Told) > 2*maxColumns {
		return
	}
	s.out.State.Told = append(s.out.State.Told, key)
	n := Note{Model: s.Model, Version: s.Version, Subject: subject, At: at, Text: fmt.Sprintf(format, args...)}
	if data != nil {
		n.Data, _ = json.Marshal(data)
	}
	s.out.Notes = append(s.out.Notes, n)
}

// alarmAt is the evidence at which one of so many monitors of a family, with
// windows of this length, keeps its part of the budget: the expected number of
// windows to a false alarm.
func (s *stepper) alarmAt(monitors int, window time.Duration) float64 {
	perMonth := float64(month) / float64(max(window, time.Minute))
	return max(2, families*float64(monitors)*perMonth/float64(s.Policy.FalseAlarms))
}

// truthOf is the row's label as the evaluation has it.
func (s *stepper) truthOf(j *prediction.Joined) (float64, bool) {
	if j.Label == nil {
		return 0, s.Task.Kind == dataset.Binary && s.Task.Truth.Missing == "negative"
	}
	if s.Task.Kind == dataset.Multiclass {
		i, ok := s.class[j.Label.Value]
		return float64(i), ok
	}
	x, ok := number(j.Label.Value)
	return x, ok && finite(x)
}

// figure prints a number with three digits that matter, and no more than needed.
func figure(x float64) string {
	switch a := math.Abs(x); {
	case a >= 100:
		return fmt.Sprintf("%.0f", x)
	case a >= 1:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.3g", x)
}

// signed is the figure with its sign, which tells too many from too few.
func signed(x float64) string {
	if x > 0 {
		return "+" + figure(x)
	}
	return figure(x)
}

func percent(share float64) string {
	if p := share * 100; p >= 10 || p == 0 {
		return fmt.Sprintf("%.0f%%", p)
	}
	return fmt.Sprintf("%.2g%%", share*100)
}

// span is a length of time in words: 7 days, 36 hours.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day:
		return fmt.Sprintf("%d days", (d+day/2)/day)
	case d == day:
		return "1 day"
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", (d+time.Hour/2)/time.Hour)
	}
	return fmt.Sprintf("%d minutes", (d+time.Minute/2)/time.Minute)
}
