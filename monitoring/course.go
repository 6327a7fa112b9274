// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"time"

	"flyball/serving/prediction"
)

// The stretches of a course: how many at most, and how many rows each has at least.
const (
	mostStretches = 24
	leastStretch  = 30
)

// CoursePart is rows that follow one another in event time: a step of the course of a
// standing, for a chart. It judges nothing.
type CoursePart struct {
	From      time.Time          `json:"from" doc:"event time of the first row"`
	To        time.Time          `json:"to"`
	Rows      int                `json:"rows"`
	Known     int                `json:"known" doc:"rows with a truth by now"`
	True      *Figure            `json:"true,omitempty" doc:"the watched metric on rows with a truth"`
	Estimated *Figure            `json:"estimated,omitempty" doc:"the same without labels"`
	PSI       map[string]float64 `json:"psi,omitempty" doc:"by column, against training"`
}

// course tells the watched metric and the columns over stretches of as many rows each.
func (s *stepper) course(newest []prediction.Joined, now time.Time) []CoursePart {
	n := min(mostStretches, len(newest)/leastStretch)
	out := make([]CoursePart, n)
	for i := range out {
		rows := newest[i*len(newest)/n : (i+1)*len(newest)/n]
		out[i] = s.coursePart(rows, now)
	}
	return out
}

func (s *stepper) coursePart(rows []prediction.Joined, now time.Time) CoursePart {
	p := s.Profile
	metric := p.HeldOut.Metric
	known := s.gather(rows, func(*prediction.Joined) bool { return true }, now, false)
	out := CoursePart{From: rows[0].Time, To: rows[len(rows)-1].Time, Rows: len(rows), Known: len(known.Truth), PSI: map[string]float64{}}
	if out.Known >= leastStretch {
		out.True = s.measure(metric, known)
	}
	if all := s.scoresOf(rows); p.Unlabelled != nil && len(all.at) >= leastStretch {
		for _, e := range p.Unlabelled.Estimate(s.Task.Kind, all.Scores) {
			if e.Metric == metric {
				out.Estimated = &Figure{Value: e.Value, Half: e.Half, Rows: len(all.at), Coverage: share(len(all.at), len(rows)), From: out.From, To: out.To}
			}
		}
	}
	w := s.counter.count(rows, func(j *prediction.Joined) (float64, bool) { return 0, false })
	for i := range p.Features {
		if sh, ok := shiftOf(&p.Features[i], &w.Features[i], p.Rows); ok {
			out.PSI[sh.Feature] = sh.PSI
		}
	}
	return out
}
