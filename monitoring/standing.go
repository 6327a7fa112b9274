// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"math"
	"strconv"
	"time"

	"flyball/data/dataset"
	"flyball/serving/prediction"
	"flyball/stat"
)

// Standing is how a version stands by its newest rows: figures for a page. Whether any
// of them is unusual is for Step to judge, and nothing is decided by them.
type Standing struct {
	Model       string        `json:"model"`
	Version     int           `json:"version"`
	At          time.Time     `json:"at"`
	Rows        int           `json:"rows" doc:"the newest ones, that this is told of"`
	From        time.Time     `json:"from,omitzero" doc:"event time of the first of them"`
	To          time.Time     `json:"to,omitzero"`
	Unknown     []string      `json:"unknown,omitempty" doc:"what cannot be told, and why"`
	Performance []Performance `json:"performance,omitempty"`

	Sight      *Sight       `json:"sight,omitempty" doc:"what the watch can see"`
	Features   []ShiftSeen  `json:"features,omitempty" doc:"of the newest rows that make one drift window, and last the prediction"`
	Cause      *Cause       `json:"cause,omitempty" doc:"of the change of the watched metric"`
	Attributed *Attributed  `json:"attributed,omitempty" doc:"by which columns scores are made"`
	Together   *Together    `json:"together,omitempty" doc:"columns looked at together, over the same rows"`
	Course     []CoursePart `json:"course,omitempty" doc:"of the newest rows, the oldest first"`
	Caveat     string       `json:"caveat" doc:"of every estimated figure"`
}

// ShiftSeen is how a column is distributed in the newest rows, and what could be seen.
type ShiftSeen struct {
	Shift
	Share  float64 `json:"share,omitempty" doc:"of what columns add to scores, on the held-out rows; 0: none, or not known"`
	Odd    float64 `json:"odd" doc:"how far the log distance is from those of the reference's windows, in their standard deviations"`
	Impact float64 `json:"impact" doc:"share times odd, 0 below none: ranks what is to be looked at first, and explains nothing"`
	Blind  Blind   `json:"blind"`
}

// Together is how far the newest rows are from the reference, columns together. Whether
// it is unusual is for the drift monitor to judge.
type Together struct {
	Rows  int     `json:"rows"`
	Pair  string  `json:"pair" doc:"the two columns whose rank correlation changed most"`
	Now   float64 `json:"now" doc:"their correlation"`
	Was   float64 `json:"was"`
	AUC   float64 `json:"auc" doc:"how well a classifier tells these rows from the reference; 0.5: not at all"`
	Usual float64 `json:"usual" doc:"the highest AUC of a window of the reference; 0: not known, as of one season only"`
	By    string  `json:"by" doc:"the columns that told it most"`
}

// StandingInput is what a Standing is made of.
type StandingInput struct {
	Policy  Policy
	Task    dataset.Task
	Profile *Profile // nil: little can be told
	Model   string
	Version int
	Newest  []prediction.Joined // the newest rows that the version scored, in order of event time
	Due     []prediction.Joined // the newest of those whose truth is due, in order of event time
	Now     time.Time
}

// Stand tells how the version stands. It is pure.
func Stand(in StandingInput) Standing {
	out := Standing{Model: in.Model, Version: in.Version, At: in.Now, Rows: len(in.Newest), Caveat: Caveat}
	if n := len(in.Newest); n > 0 {
		out.From, out.To = in.Newest[0].Time, in.Newest[n-1].Time
	}
	if in.Profile == nil {
		out.Unknown = append(out.Unknown, "the version has no profile: nothing to compare with")
		return out
	}
	s := newStepper(Input{Policy: in.Policy.withDefaults(), Task: in.Task, Profile: in.Profile, Model: in.Model, Version: in.Version, Now: in.Now})
	out.Performance = s.performanceNow(in.Newest, in.Due, in.Now)
	s.shiftsNow(&out, in.Newest)
	out.Course = s.course(in.Newest, in.Now)
	out.Cause = s.cause(in.Due, in.Now)
	var why string
	if out.Attributed, why = s.attributionNow(in.Newest); why != "" {
		out.Unknown = append(out.Unknown, why)
	}
	if in.Profile.Unlabelled == nil {
		out.Unknown = append(out.Unknown, "estimated performance: the profile has no calibration of the scores, of 200 held-out rows or more")
	}
	return out
}

// shiftsNow tells how the newest rows, as many as make a drift window, are distributed.
func (s *stepper) shiftsNow(out *Standing, newest []prediction.Joined) {
	p := s.Profile
	sight := Sees(s.Policy, p)
	out.Sight = &sight
	if sight.Windows < max(3, sight.Needed) {
		out.Unknown = append(out.Unknown, "whether drift is unusual: "+plural(sight.Windows, "window")+" of the reference to compare with, "+strconv.Itoa(sight.Needed)+" needed for the budget")
	}
	rows := newest[max(0, len(newest)-p.WindowRows):]
	if len(rows) == 0 {
		return
	}
	w := s.counter.count(rows, func(j *prediction.Joined) (float64, bool) {
		if scores := s.scores(&j.Record); len(scores) > 0 {
			return scores[0], true
		}
		return 0, false
	})
	for i := range p.Features {
		if sh, ok := shiftOf(&p.Features[i], &w.Features[i], p.Rows); ok {
			seen := ShiftSeen{Shift: sh, Blind: sight.Features[i], Share: p.Attribution.of(sh.Feature), Odd: s.odd(i, w.Features[i].grouped(&p.Features[i]))}
			seen.Impact = seen.Share * max(0, seen.Odd)
			out.Features = append(out.Features, seen)
		}
	}
	if p.Score != nil && w.Score != nil {
		if sh, ok := shiftOf(p.Score, w.Score, p.Rows); ok {
			out.Features = append(out.Features, ShiftSeen{Shift: sh, Blind: sight.Score, Odd: s.odd(scoreFeature, w.Score.grouped(p.Score))})
		}
	}
	start, end := rows[0].Time, rows[len(rows)-1].Time
	if why := s.jointUnknown(start, end); why != "" {
		out.Unknown = append(out.Unknown, why)
		return
	}
	j := p.Joint
	now := s.counter.codesOf(j.Columns, rows)
	if len(now[0]) < 4 {
		return
	}
	kept := j.against(p, start, end)
	pair := widest(p.rankScores(j.Columns), now, kept)
	auc, gain := tellApart(now, kept)
	out.Together = &Together{
		Rows: len(now[0]), Pair: s.nameOf(j.Columns[pair.a]) + " with " + s.nameOf(j.Columns[pair.b]), Now: pair.now, Was: pair.was,
		AUC: auc, Usual: largest(j.Apart), By: s.most(j.Columns, gain),
	}
}

// odd is how far a feature's distance is from those of the reference's windows; 0 where
// they are too few to say.
func (s *stepper) odd(i int, now []int) float64 {
	c := comparison{}
	for k := range s.Profile.Windows {
		c.ends = append(c.ends, k)
	}
	if i == scoreFeature && len(c.ends) > 0 && s.Profile.Windows[0].ScoreRow == nil {
		return 0
	}
	sh, ok := s.shift(c, i, now, 1)
	if !ok || len(sh.reference) < 3 {
		return 0
	}
	logs := logged(sh.reference)
	m := stat.MeanOf(logs)
	return (logged([]float64{sh.psi})[0] - m.Value) / max(0.05, m.SE*math.Sqrt(float64(len(logs))))
}
