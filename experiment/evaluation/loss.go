// SPDX-License-Identifier: Apache-2.0

package evaluation

import (
	"math"
	"strconv"

	"flyball/data/dataset"
	"flyball/fault"
)

// Loss is one row's part of a mean-type metric: the metric is its mean over rows
// (for accuracy, 1 where the score decides rightly at 0.5 or at its parameter). ok is
// false for a metric that is no mean, for another kind, for cost, whose table a Sample
// holds, for scores of the wrong length, or where the result is not finite (mape of a
// truth of zero, poisson_deviance of a score that is not above it). Log loss clips as
// scikit-learn does, at the spacing of float64 numbers at one.
func Loss(metric string, kind dataset.Kind, truth float64, scores []float64) (loss float64, ok bool) {
	t, err := parse(metric, kind)
	if err != nil {
		return 0, false
	}
	return Sample{Kind: kind}.rowLoss(t, truth, scores)
}

// Loss is what a row of such a sample adds to a metric that is a mean, turned so that less
// is better: of accuracy −1 where the decision is right. It knows the sample's decision and
// costs. ok is false where the package's Loss has no answer, and for bias and mean_score, of
// which less is not better.
func (s Sample) Loss(metric string, truth float64, scores []float64) (loss float64, ok bool) {
	t, err := parse(metric, s.Kind)
	if err != nil || t.name == "bias" || t.name == "mean_score" {
		return 0, false
	}
	v, ok := s.rowLoss(t, truth, scores)
	return -better(t.name) * v, ok
}

// losses are the rows' parts of a mean-type metric; false for another one.
func (s Sample) losses(t term, role string) ([]float64, bool) {
	width := s.width()
	out := make([]float64, len(s.Truth))
	for i, y := range s.Truth {
		v, ok := s.rowLoss(t, y, s.Scores[role][i*width:(i+1)*width])
		if !ok {
			return nil, false
		}
		out[i] = v
	}
	return out, true
}

func (s Sample) rowLoss(t term, truth float64, scores []float64) (float64, bool) {
	switch {
	case len(scores) == 0 || s.Kind != dataset.Multiclass && len(scores) != 1:
		return 0, false
	case s.Kind == dataset.Multiclass:
		return s.classLoss(t, truth, scores)
	case s.Kind == dataset.Regression:
		return numberLoss(t, truth, scores[0])
	}
	var v float64
	p := scores[0]
	switch t.name {
	case "log_loss":
		v = -math.Log(clip(p))
		if truth <= 0.5 {
			v = -math.Log1p(-clip(p))
		}
	case "brier":
		v = (p - truth) * (p - truth)
	case "accuracy":
		if (p > s.above(t)) == (truth > 0.5) {
			v = 1
		}
	case "cost":
		v = s.cost(name(truth > 0.5), name(p > s.above(t)))
	case "bias":
		v = p - truth
	case "mean_score":
		v = p
	default:
		return 0, false
	}
	return v, finite(v) && finite(p) && finite(truth)
}

// name is what a table of costs calls the answers of a binary model.
func name(yes bool) string {
	if yes {
		return "1"
	}
	return "0"
}

// above is the score from which a binary prediction is a yes.
func (s Sample) above(t term) float64 {
	switch {
	case !math.IsNaN(t.at):
		return t.at
	case s.Decide != nil:
		return s.Decide.Above
	}
	return 0.5
}

// cost is what it costs to say so where this is true; NaN without a table.
func (s Sample) cost(truth, said string) float64 {
	if len(s.Costs) == 0 {
		return math.NaN()
	}
	return s.Costs[truth][said]
}

// costed says whether the table of costs is one of these classes.
func (s Sample) costed() error {
	if len(s.Costs) == 0 {
		return fault.New(fault.Invalid, "cost is not judged: nothing says what a mistake costs").Do("say it under predict.cost")
	}
	known := map[string]bool{"0": true, "1": true}
	if s.Kind == dataset.Multiclass {
		clear(known)
		for _, c := range s.Classes {
			known[c] = true
		}
	}
	for truth, row := range s.Costs {
		for said := range row {
			if !known[truth] || !known[said] {
				return fault.New(fault.Invalid, "cost is not judged: predict.cost names %s, and one of them is no class of these rows",
					strconv.Quote(truth)+" and "+strconv.Quote(said))
			}
		}
	}
	return nil
}

// numberLoss is a row's part where a number is predicted.
func numberLoss(t term, truth, score float64) (float64, bool) {
	v, off := 0.0, score-truth
	switch t.name {
	case "mse":
		v = off * off
	case "mae":
		v = math.Abs(off)
	case "mape":
		v = math.Abs(off) / math.Abs(truth)
	case "pinball":
		v = max(-t.at*off, (1-t.at)*off)
	case "poisson_deviance":
		if v = math.NaN(); score > 0 && truth >= 0 {
			v = 2 * off
		}
		if truth > 0 {
			v += 2 * truth * math.Log(truth/score)
		}
	case "bias":
		v = off
	case "mean_score":
		v = score
	default:
		return 0, false
	}
	return v, finite(v) && finite(score) && finite(truth)
}

// classLoss is a row's part where one of several classes is predicted: the one with
// the highest score, the first of those that tie.
func (s Sample) classLoss(t term, truth float64, scores []float64) (float64, bool) {
	k := int(truth)
	if !(truth >= 0) || k >= len(scores) || float64(k) != truth {
		return 0, false
	}
	sum, square, best, before := 0.0, 0.0, 0, 0
	for i, p := range scores {
		if !finite(p) {
			return 0, false
		}
		sum += clip(p)
		square += p * p
		if p > scores[best] {
			best = i
		}
		if p > scores[k] || p == scores[k] && i > k {
			before++ // a tie goes to the later class, as scikit-learn has it
		}
	}
	yes := func(b bool) (float64, bool) {
		if b {
			return 1, true
		}
		return 0, true
	}
	switch t.name {
	case "log_loss":
		return -math.Log(clip(scores[k]) / sum), true
	case "brier":
		return square - 2*scores[k] + 1, true
	case "accuracy":
		return yes(best == k)
	case "top_k_accuracy":
		return yes(float64(before) < t.at)
	case "cost":
		if len(s.Classes) != len(scores) {
			return 0, false
		}
		v := s.cost(s.Classes[k], s.Classes[best])
		return v, finite(v)
	}
	return 0, false
}

func clip(p float64) float64 {
	const eps = 0x1p-52
	return min(max(p, eps), 1-eps)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
