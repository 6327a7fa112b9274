// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"math"
	"slices"
	"time"

	usual "flyball/model/unusual"
	"flyball/serving/prediction"
	"flyball/stat"
)

// Run is a run of blocks in which something happened more often than it may.
type Run struct {
	From time.Time `json:"from,omitzero"`
	Hits int       `json:"hits"`
	Rows int       `json:"rows"`
}

const unusualRows = "unusual rows"

// unusual judges how many of the rows that the version answered it found improbable. One
// usual row in a hundred is; in a bad stretch of the training rows more were, and twice
// as many are not worth a word. The evidence of a run of blocks may be looked at after
// every one (stat.RateEvidence), and a run without any begins anew.
func (s *stepper) unusual(rows []prediction.Joined, start, end time.Time) {
	if s.Usual == nil || s.Usual.Joint == nil || s.Baseline {
		return
	}
	hits, n := 0, 0
	for i := range rows {
		if r := &rows[i]; r.Version == s.Version && (r.Arm == prediction.Live || r.Arm == prediction.Candidate) {
			n++
			if slices.Contains(r.Flags, usual.Improbable) {
				hits++
			}
		}
	}
	if n == 0 {
		return
	}
	run := &s.out.State.Unusual
	if run.Rows == 0 {
		run.From = start
	}
	run.Hits, run.Rows = run.Hits+hits, run.Rows+n
	most := min(0.5, max(2*usual.Alpha, s.Usual.Joint.Worst))
	got, limit := float64(run.Hits)/float64(run.Rows), s.alarmAt(1, s.Policy.Every.D())
	evidence := stat.RateEvidence(run.Hits, run.Rows, most)
	s.out.Readings = append(s.out.Readings, Reading{
		Kind: Quality, Subject: unusualRows, Start: run.From, End: end, Rows: run.Rows, Value: got, Reference: most,
		P: min(1, math.Exp(-evidence)), Evidence: math.Exp(min(700, evidence)), Alarm: limit,
	})
	if float64(hits) <= most*float64(n) {
		s.quiet(Quality, unusualRows, end, 3)
	}
	switch {
	case evidence >= math.Log(limit) && run.Hits >= 3:
		s.open(Finding{
			Kind: Quality, Subject: unusualRows, Severity: "warn", Opened: end,
			Text: percent(got) + " of " + plural(run.Rows, "row") + " hold improbable combinations of values, since " + moment(run.From) +
				"; at training " + percent(usual.Alpha) + ", at worst " + percent(max(usual.Alpha, s.Usual.Joint.Worst)),
		}, map[string]any{"hits": run.Hits, "rows": run.Rows, "reference": most, "evidence": evidence, "limit": math.Log(limit), "start": run.From, "end": end})
		*run = Run{}
	case evidence <= 0:
		*run = Run{}
	}
}
