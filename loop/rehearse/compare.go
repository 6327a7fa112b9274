// SPDX-License-Identifier: Apache-2.0

package rehearse

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
	"flyball/model"
	"flyball/unit"
)

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
