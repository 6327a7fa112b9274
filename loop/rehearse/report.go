// SPDX-License-Identifier: Apache-2.0

package rehearse

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"time"

	"flyball/data/dataset"
	"flyball/event"
	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/job"
	"flyball/model"
	"flyball/serving/prediction"
	"flyball/serving/release"
	"flyball/training"
	"flyball/unit"
)

// Report is what a policy would have done, and what it would have come to.
type Report struct {
	Model  string    `json:"model"`
	Policy string    `json:"policy"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`

	Rows       int    `json:"rows"`       // asked
	Unanswered int    `json:"unanswered"` // of them
	Problem    string `json:"problem,omitempty"`
	Judged     int    `json:"judged"` // answered, and their truth was due by the end of the history
	Blocks     int    `json:"blocks"` // independent draws among these
	AtEnd      int    `json:"at_end"` // of the judged, due by the end of the rehearsal

	Metric string    `json:"metric"`
	Served Score     `json:"served"`
	Rivals []Score   `json:"rivals"`
	Did    Did       `json:"did"`
	Cost   Cost      `json:"cost"`
	Parts  []Part    `json:"parts"`
	Made   []Version `json:"versions"`
	Shares []Share   `json:"served_by"`

	Events []event.Event `json:"events"`
}

// Score is how good a policy's answers were, with 95 % intervals, on the judged rows.
// Gain is by how much what was served was better, in pairs, whichever way the metric
// points: above zero, the policy of the rehearsal is better.
type Score struct {
	Name      string  `json:"name"`
	About     string  `json:"about,omitempty"`
	Value     float64 `json:"value"`
	Low       float64 `json:"low"`
	High      float64 `json:"high"`
	Gain      float64 `json:"gain"`
	GainLow   float64 `json:"gain_low"`
	GainHigh  float64 `json:"gain_high"`
	AtEnd     float64 `json:"at_end"` // the value on the rows that were due by the end of the rehearsal
	Trainings int     `json:"trainings"`
	Releases  int     `json:"releases"`
}

// Part is a stretch of the rehearsal: a month, or what there is of it.
type Part struct {
	From   time.Time          `json:"from"`
	Rows   int                `json:"rows"`
	Values map[string]float64 `json:"values"` // of the metric, by policy; one that cannot be told is left out
}

// Did counts what the loop did.
type Did struct {
	Trainings int `json:"trainings"`
	Refused   int `json:"refused"`  // candidates that the gate kept out
	Kept      int `json:"kept"`     // that passed, and would have gained too little
	Failed    int `json:"failed"`   // trainings that came to nothing
	Releases  int `json:"releases"` // versions that became live, the first among them
	Back      int `json:"back"`     // taken back before they were live, or rolled back
	Holds     int `json:"holds"`
	Findings  int `json:"findings"` // of the watch
	Floor     int `json:"floor"`    // times the baseline took over
}

// Cost is what the trainings of a policy took.
type Cost struct {
	Fits    int     `json:"fits"`        // of the estimator, as the policy would have run them: with what gate.reproduce asks for
	Seconds float64 `json:"seconds"`     // here, by the wall
	CPU     float64 `json:"cpu_seconds"` // here, of this process; 0: not known on this system
}

// Version is a version that the loop made.
type Version struct {
	Version int           `json:"version"`
	At      time.Time     `json:"at"`
	Cause   string        `json:"cause"`
	Verdict string        `json:"verdict"`
	Summary string        `json:"summary"`
	Window  unit.Duration `json:"window,omitempty"` // that the search picked; zero: all rows, or there was one
	Phase   string        `json:"release,omitempty"`
	Reason  string        `json:"reason,omitempty"` // of the release's end
	Rows    int           `json:"rows"`             // that it answered
}

// Share is how many rows somebody answered.
type Share struct {
	Arm     string `json:"arm"`
	Version int    `json:"version"`
	Rows    int    `json:"rows"`
}

// report adds up what happened and holds it against the rivals.
func (r *run) report(ctx context.Context) (Report, error) {
	if r.Rivals == nil {
		var err error
		if r.Rivals, err = MakeRivals(ctx, r.stream, r.Options); err != nil {
			return Report{}, err
		}
	}
	out := Report{
		Model: r.Model.Name, Policy: r.Policy, From: r.stream.From, To: r.stream.To, Rows: r.stream.Rows(), Unanswered: r.unanswered,
		Problem: r.refusal, Events: r.memory.events, Shares: r.shares(), Cost: r.spent.cost,
	}
	r.count(&out)
	return out, r.compare(ctx, &out)
}

// count fills in what the loop did.
func (r *run) count(out *Report) {
	for _, j := range r.memory.jobs {
		out.Did.Trainings++
		if j.State == job.Failed {
			out.Did.Failed++
		}
	}
	for _, s := range r.memory.releases {
		switch s.Phase {
		case release.Full, release.BakePhase, release.Succeeded:
			out.Did.Releases++
		case release.Aborted, release.RolledBack:
			out.Did.Back++
		}
	}
	for _, e := range out.Events {
		switch {
		case e.Kind == "hold":
			out.Did.Holds++
		case e.Kind == "floor" && e.Mark == event.Stop:
			out.Did.Floor++
		}
	}
	out.Did.Findings = len(r.memory.findings)
	for _, v := range r.memory.versions[r.Model.Name] {
		var verdict gate.Verdict
		if err := json.Unmarshal(v.Report, &verdict); err != nil {
			continue // it was written by us
		}
		made := Version{Version: v.Version, At: v.CreatedAt, Cause: v.Cause, Verdict: v.Verdict, Summary: verdict.Summary, Window: r.spent.windows[v.Key]}
		if v.Verdict != "pass" {
			out.Did.Refused++
		}
		for _, s := range r.memory.releases {
			if s.Candidate == v.Version {
				made.Phase, made.Reason = string(s.Phase), s.Reason
			}
		}
		for _, s := range out.Shares {
			if s.Version == v.Version && s.Arm != prediction.Baseline {
				made.Rows += s.Rows
			}
		}
		if v.Verdict == "pass" && made.Phase == "" {
			out.Did.Kept++
		}
		out.Made = append(out.Made, made)
	}
}

// shares are who answered how many rows, by version, and then whoever else.
func (r *run) shares() []Share {
	var out []Share
	for _, a := range r.answers {
		if a.arm == "" {
			continue
		}
		at := slices.IndexFunc(out, func(s Share) bool { return s.Arm == a.arm && s.Version == a.version })
		if at < 0 {
			at = len(out)
			out = append(out, Share{Arm: a.arm, Version: a.version})
		}
		out[at].Rows++
	}
	return out
}

// served is the role of what was served, in the sample that is measured.
const served = "served"

// compare measures what was served and each rival on the same rows: those that were
// answered and whose truth hindsight knows.
func (r *run) compare(ctx context.Context, out *Report) error {
	s, k := r.stream, r.stream.outputs()
	best, err := r.best(ctx)
	if err != nil {
		return err
	}
	rivals := r.Rivals.list
	if best != nil {
		rivals = append(slices.Clone(rivals), best)
	}
	sample := evaluation.Sample{Kind: s.Task.Kind, Classes: s.classes, Decide: s.Task.Decide, Scores: map[string][]float64{}}
	var at []int
	for i, a := range r.answers {
		if len(a.scores) == 0 || math.IsNaN(s.truth[s.first+i]) || s.due[s.first+i] > s.horizon {
			continue
		}
		at = append(at, s.first+i)
		sample.Truth = append(sample.Truth, s.truth[s.first+i])
		sample.Scores[served] = append(sample.Scores[served], s.aligned(a.scores, a.classes)...)
		for _, v := range rivals {
			sample.Scores[v.name] = append(sample.Scores[v.name], v.scores[i*k:(i+1)*k]...)
		}
	}
	out.Metric, out.Judged = r.metric(), len(at)
	if len(at) == 0 {
		return nil
	}
	if sample.Block, err = s.blocks(at); err != nil {
		return err
	}
	end, n := s.dueBy(sample, at, s.To)
	out.AtEnd = n
	if out.Served, err = measured(out.Metric, sample, end, served); err != nil {
		return err
	}
	out.Served.Trainings, out.Served.Releases = out.Did.Trainings, out.Did.Releases
	out.Parts = r.parts(out.Metric, sample, at)
	for _, v := range rivals {
		score, err := measured(out.Metric, sample, end, v.name)
		if err != nil {
			return err
		}
		d, err := evaluation.Compare(out.Metric, sample, served, v.name, 1)
		if err != nil {
			return err
		}
		out.Blocks = d.Blocks
		score.About, score.Gain, score.GainLow, score.GainHigh = v.about, d.Value, d.Low, d.High
		score.Trainings, score.Releases = v.trained, v.trained
		out.Rivals = append(out.Rivals, score)
	}
	return nil
}

// parts are the months of the sample, whose rows are those at the places.
func (r *run) parts(metric string, all evaluation.Sample, at []int) []Part {
	k := r.stream.outputs()
	month := func(i int) time.Time {
		t := time.UnixMicro(r.stream.asked[at[i]]).UTC()
		return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
	}
	var out []Part
	for from := 0; from < len(at); {
		to := from
		for to < len(at) && month(to).Equal(month(from)) {
			to++
		}
		p := Part{From: month(from), Rows: to - from, Values: map[string]float64{}}
		for role, scores := range all.Scores {
			one := evaluation.Sample{
				Kind: all.Kind, Classes: all.Classes, Decide: all.Decide, Truth: all.Truth[from:to],
				Scores: map[string][]float64{role: scores[from*k : to*k]},
			}
			if v, err := evaluation.Value(metric, one, role); err == nil {
				p.Values[role] = v
			}
		}
		out = append(out, p)
		from = to
	}
	return out
}

func measured(metric string, all, end evaluation.Sample, role string) (Score, error) {
	e, err := evaluation.Measure(metric, all, role, 1)
	out := Score{Name: role, Value: e.Value, Low: e.Low, High: e.High}
	if v, err := evaluation.Value(metric, end, role); err == nil {
		out.AtEnd = v
	}
	return out, err
}

// dueBy is the rows of a sample whose truth was due by then, and how many they are.
func (s *Stream) dueBy(all evaluation.Sample, at []int, then time.Time) (evaluation.Sample, int) {
	k := s.outputs()
	out := evaluation.Sample{Kind: all.Kind, Classes: all.Classes, Decide: all.Decide, Scores: map[string][]float64{}}
	for i, row := range at {
		if s.due[row] > then.UnixMicro() {
			continue
		}
		out.Truth = append(out.Truth, all.Truth[i])
		for role, scores := range all.Scores {
			out.Scores[role] = append(out.Scores[role], scores[i*k:(i+1)*k]...)
		}
	}
	return out, len(out.Truth)
}

// metric is the gate's loss, or the usual one of the kind.
func (r *run) metric() string {
	if rule, ok := r.Model.Recipe.LossRule(); ok {
		return rule.Name
	}
	if r.stream.Task.Kind == dataset.Regression {
		return "mae"
	}
	return "log_loss"
}

// blocks are the draws of rows: the model file's, or days.
func (s *Stream) blocks(at []int) ([]uint64, error) {
	task := s.Task
	if task.Block.Each == 0 && len(task.Block.Columns) == 0 {
		task.Block.Each = unit.Duration(24 * time.Hour)
	}
	return task.Blocks(s.rows.Take(at))
}

// best is the version that was best in each stretch between two trainings, of those that
// the loop had made when it began: what no policy could have known. nil where the metric
// is no mean over rows.
func (r *run) best(ctx context.Context) (*rival, error) {
	s, k, metric := r.stream, r.stream.outputs(), r.metric()
	out := &rival{name: Best, about: "of those that the loop made, known only afterwards"}
	if _, ok := evaluation.Loss(metric, s.Task.Kind, 0, make([]float64, k)); !ok {
		return nil, nil
	}
	versions := r.memory.versions[r.Model.Name]
	if len(versions) == 0 {
		return nil, nil
	}
	var said [][]float64 // of each version, from the row on that it could answer
	for i, v := range versions {
		from := max(s.first, min(s.last, s.before(v.CreatedAt)))
		if i == 0 {
			from = s.first
		}
		b, err := model.Open(ctx, r.blobs, r.Decoders, v.Bundle)
		if err != nil {
			return nil, err
		}
		scores := slices.Repeat([]float64{nan}, (from-s.first)*k)
		err = s.score(ctx, b, from, s.last, &scores)
		if err = errors.Join(err, b.Close()); err != nil {
			return nil, err
		}
		said = append(said, scores)
	}
	for i := range versions {
		from, to := max(s.first, min(s.last, s.before(versions[i].CreatedAt))), s.last
		if i == 0 {
			from = s.first
		}
		if i+1 < len(versions) {
			to = max(from, min(s.last, s.before(versions[i+1].CreatedAt)))
		}
		pick, least := 0, math.Inf(1)
		for v := range i + 1 {
			if loss := s.loss(metric, said[v], from, to, k); loss < least {
				pick, least = v, loss
			}
		}
		out.scores = append(out.scores, said[pick][(from-s.first)*k:(to-s.first)*k]...)
	}
	return out, nil
}

// loss is the sum of a version's losses on the rows [from, to): lower is better.
func (s *Stream) loss(metric string, scores []float64, from, to, k int) float64 {
	sum := 0.0
	for i := from; i < to; i++ {
		at := (i - s.first) * k
		if x, ok := evaluation.Loss(metric, s.Task.Kind, s.truth[i], scores[at:at+k]); ok && !math.IsNaN(s.truth[i]) {
			sum += x
		}
	}
	if !evaluation.LowerIsBetter(metric) {
		return -sum
	}
	return sum
}

// spent is what the trainings took.
type spent struct {
	cost    Cost
	windows map[string]unit.Duration // that were picked, by job key
}

// metered is a job's handler that notes what it took.
func (r *run) metered(do job.Handler) job.Handler {
	r.spent.windows = map[string]unit.Duration{}
	return func(ctx context.Context, j job.Job, progress func(string)) (json.RawMessage, error) {
		r.Progress(r.clock.now(), "training")
		began, cpu := time.Now(), cpuSeconds()
		raw, err := do(ctx, j, progress)
		r.spent.cost.Seconds += time.Since(began).Seconds()
		r.spent.cost.CPU += cpuSeconds() - cpu
		var res training.Result
		if err == nil && json.Unmarshal(raw, &res) == nil {
			r.spent.note(res, j.Key, r.twice)
		}
		return raw, err
	}
}

// note counts the fits of a training: of each trial, of what was judged, of what was
// released, and once more where the policy has it made twice.
func (s *spent) note(res training.Result, key string, twice bool) {
	s.cost.Fits += 2
	if twice {
		s.cost.Fits++
	}
	for _, t := range res.Trials {
		s.cost.Fits += len(t.Rungs)
		if t.Picked && t.Window != nil {
			s.windows[key] = t.Window.Window
		}
	}
}
