// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"math"
	"slices"
	"time"

	"flyball/experiment/evaluation"
	"flyball/serving/prediction"
)

const (
	ages      = 8  // groups of rows of about one age
	leastAged = 30 // rows of the finished ones that had their label at an age
)

// Performance is one metric as it was on the held-out rows, and as it is, told in four
// ways. Due alone decides anything.
type Performance struct {
	Metric  string  `json:"metric"`
	HeldOut float64 `json:"held_out"`
	Due     *Figure `json:"due,omitempty" doc:"on the newest rows whose truth is due"`
	Arrived *Figure `json:"arrived,omitempty" doc:"on the newest rows whose label has arrived, due or not: labels that come early favour their outcome"`
	Matched *Figure `json:"matched,omitempty" doc:"arrived, less what finished rows were off by when their labels were as old"`

	// Estimated is told of all of the newest rows without any label.
	Estimated *Figure `json:"estimated,omitempty" doc:"without labels: valid only if the concept has not changed"`

	Blind float64 `json:"blind,omitempty" doc:"a worsening below this cannot be seen in ten windows; 0: not known"`
}

// Caveat is said wherever an estimated figure is shown.
const Caveat = "valid only if the concept has not changed"

// Figure is a metric over some rows.
type Figure struct {
	Value    float64   `json:"value"`
	Half     float64   `json:"half,omitempty" doc:"half of the 95 % interval, days being draws; 0: not known"`
	Rows     int       `json:"rows" doc:"with a truth, or scores to estimate by"`
	Coverage float64   `json:"coverage" doc:"the share of rows that count"`
	From     time.Time `json:"from" doc:"event time of the first row"`
	To       time.Time `json:"to"`
}

// judgedRows is rows with a score, and with a truth where it is known.
type judgedRows struct {
	Residuals
	days  []uint64
	asked int // rows that could have had a truth
	at    []time.Time
	delay []time.Duration // from the row to its label
}

// performance tells each metric that can be told.
func (s *stepper) performanceNow(newest, due []prediction.Joined, now time.Time) []Performance {
	h := &s.Profile.HeldOut
	dueRows := s.gather(due, func(j *prediction.Joined) bool { return !j.Due.After(now) }, now, true)
	arrived := s.gather(newest, func(*prediction.Joined) bool { return true }, now, false)
	all := s.scoresOf(newest)
	estimated := map[string]Estimated{}
	if s.Profile.Unlabelled != nil {
		for _, e := range s.Profile.Unlabelled.Estimate(s.Task.Kind, all.Scores) {
			estimated[e.Metric] = e
		}
	}
	var out []Performance
	for _, metric := range estimable(h.Metric, s.Task.Kind) {
		p := Performance{Metric: metric, Due: s.measure(metric, dueRows), Arrived: s.measure(metric, arrived)}
		if metric == h.Metric {
			p.HeldOut = h.Value
			if h.Blocks >= 3 {
				p.Blind = 2 * h.SD * math.Sqrt(0.1+1/float64(h.Blocks))
			}
		}
		if e, ok := estimated[metric]; ok {
			p.HeldOut = e.HeldOut
			p.Estimated = &Figure{Value: e.Value, Half: e.Half, Rows: len(all.at), Coverage: share(len(all.at), len(newest)), From: all.at[0], To: all.at[len(all.at)-1]}
		}
		p.Matched = s.matched(metric, arrived, dueRows, now)
		if p.Due != nil || p.Arrived != nil || p.Estimated != nil {
			out = append(out, p)
		}
	}
	return out
}

// gather is the rows that count and have a truth by now. implied: a due row without a
// label may have one (a missing label means no).
func (s *stepper) gather(rows []prediction.Joined, counts func(*prediction.Joined) bool, now time.Time, implied bool) judgedRows {
	out := judgedRows{}
	for i := range rows {
		j := &rows[i]
		scores := s.scores(&j.Record)
		if len(scores) == 0 || !counts(j) {
			continue
		}
		out.asked++
		known := now
		if j.Label != nil {
			if known = j.Label.At; known.IsZero() {
				known = j.Label.Received
			}
		}
		truth, ok := s.truthOf(j)
		if !ok || j.Label == nil && !implied || known.After(now) || !out.fits(scores) {
			continue
		}
		out.add(j, scores)
		out.Truth = append(out.Truth, truth)
		out.delay = append(out.delay, known.Sub(j.Time))
	}
	return out
}

// scoresOf is all rows with scores.
func (s *stepper) scoresOf(rows []prediction.Joined) judgedRows {
	out := judgedRows{}
	for i := range rows {
		if scores := s.scores(&rows[i].Record); len(scores) > 0 && finite(scores...) && out.fits(scores) {
			out.add(&rows[i], scores)
		}
	}
	return out
}

func (r *judgedRows) fits(scores []float64) bool { return r.Outputs == 0 || len(scores) == r.Outputs }

func (r *judgedRows) add(j *prediction.Joined, scores []float64) {
	r.Outputs = len(scores)
	r.Scores = append(r.Scores, scores...)
	r.days = append(r.days, uint64(floorDiv(j.Time.Unix(), 24*60*60)))
	r.at = append(r.at, j.Time)
}

// measure is the metric over the rows; nil where they cannot tell it. Rows of a day are
// alike: each day is one draw, where there are enough of them.
func (s *stepper) measure(metric string, r judgedRows) *Figure {
	n := len(r.Truth)
	if n == 0 {
		return nil
	}
	sample := evaluation.Sample{Kind: s.Task.Kind, Classes: s.Profile.Classes, Truth: r.Truth, Scores: map[string][]float64{"": r.Scores}, Decide: s.Task.Decide, Costs: s.Task.Cost}
	if distinct := len(slices.Compact(slices.Sorted(slices.Values(r.days)))); distinct >= 5 {
		sample.Block = r.days
	}
	f := &Figure{Rows: n, Coverage: share(n, r.asked), From: r.at[0], To: r.at[n-1]}
	e, err := evaluation.Measure(metric, sample, "", sample.Seed())
	switch {
	case err == nil && finite(e.Value, e.Low, e.High):
		f.Value, f.Half = e.Value, (e.High-e.Low)/2
		return f
	case err == nil || finite(e.Value) && e.Value != 0:
		f.Value = e.Value
	default:
		return nil
	}
	if !finite(f.Value) {
		return nil
	}
	return f
}

// matched is the metric on rows whose label has arrived, less how far off the metric of
// finished rows was when it was told of those only whose label was there at that age. It
// is of means over rows; nil where too few finished rows had a label so early.
func (s *stepper) matched(metric string, arrived, finished judgedRows, now time.Time) *Figure {
	lossOf := func(r *judgedRows) []float64 {
		out := make([]float64, len(r.Truth))
		for i, t := range r.Truth {
			v, ok := evaluation.Loss(metric, s.Task.Kind, t, r.Scores[i*r.Outputs:(i+1)*r.Outputs])
			if !ok {
				return nil
			}
			out[i] = v
		}
		return out
	}
	loss, final := lossOf(&arrived), lossOf(&finished)
	if len(loss) < leastAged || len(final) < leastAged {
		return nil
	}
	order := make([]int, len(loss)) // the newest first
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return arrived.at[b].Compare(arrived.at[a]) })
	end := mean(final)
	sum, n := 0.0, 0
	size := (len(order) + ages - 1) / ages
	for first := 0; first < len(order); first += size {
		group := order[first:min(first+size, len(order))]
		age := now.Sub(arrived.at[group[len(group)/2]])
		early, have := 0.0, 0
		for i, d := range finished.delay {
			if d <= age {
				early, have = early+final[i], have+1
			}
		}
		if have < leastAged {
			continue
		}
		off := early/float64(have) - end
		for _, i := range group {
			sum, n = sum+loss[i]-off, n+1
		}
	}
	if n < leastAged {
		return nil
	}
	return &Figure{Value: sum / float64(n), Rows: n, Coverage: share(n, arrived.asked), From: arrived.at[0], To: arrived.at[len(arrived.at)-1]}
}

func mean(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x
	}
	return s / float64(max(1, len(v)))
}

func share(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}
