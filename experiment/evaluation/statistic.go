// SPDX-License-Identifier: Apache-2.0

package evaluation

import (
	"cmp"
	"math"
	"slices"

	"flyball/data/dataset"
	"flyball/stat"
)

// statistic is a metric as it follows from how often each draw is there.
type statistic struct {
	// of is the metric of a resample; NaN where those rows cannot tell it.
	of func(times []float64) float64

	// influence is by how much each draw, taken once more, would change the metric of the
	// rows as they are; nil where the metric has kinks, such as that of the k highest rows.
	influence func() []float64
}

// statistic is the metric of a role's scores, prepared so that a resample costs one
// pass: over the draws for what sums tell, over the sorted rows for areas.
func (s Sample) statistic(t term, role string, d stat.Draws) statistic {
	score := s.Scores[role]
	if x, ok := s.losses(t, role); ok && t.name != "bias" {
		return s.sums(1, d, func(i int, out []float64) { out[0] = x[i] },
			func(n float64, sum []float64) float64 { return sum[0] / n })
	}
	if s.Kind == dataset.Multiclass {
		return s.ofClasses(t, role, d)
	}
	switch t.name {
	case "auc", "pr_auc":
		return s.curve(t.name, score, d, nil)
	case "precision_at_k", "recall_at_k":
		return s.highest(t, score, d)
	case "f1", "precision", "recall", "balanced_accuracy":
		return s.confusion(t, score, d)
	}
	miss := func(i int) float64 { return score[i] - s.Truth[i] }
	switch t.name {
	case "ece":
		return s.calibration(role, d)
	case "rmse":
		return s.sums(1, d, func(i int, out []float64) { out[0] = miss(i) * miss(i) },
			func(n float64, sum []float64) float64 { return math.Sqrt(sum[0] / n) })
	case "bias":
		return s.sums(1, d, func(i int, out []float64) { out[0] = miss(i) },
			func(n float64, sum []float64) float64 { return sum[0] / n })
	case "r2":
		mean := stat.MeanOf(s.Truth).Value // taken off first, so that squares do not cancel
		return s.sums(3, d, func(i int, out []float64) {
			y := s.Truth[i] - mean
			out[0], out[1], out[2] = miss(i)*miss(i), y, y*y
		}, func(n float64, sum []float64) float64 {
			if around := sum[2] - sum[1]*sum[1]/n; around > 0 {
				return 1 - sum[0]/around
			}
			return math.NaN()
		})
	}
	return statistic{of: func([]float64) float64 { return math.NaN() }} // a mean that some row cannot tell
}

// sums is a statistic of k sums over rows and their number n, as the rows count. part
// puts a row's part of them into out.
func (s Sample) sums(k int, d stat.Draws, part func(i int, out []float64), value func(n float64, sum []float64) float64) statistic {
	table, one := make([]float64, (k+1)*d.Count), make([]float64, k)
	for i := range s.Truth {
		part(i, one)
		row, w := table[(k+1)*d.Of[i]:(k+1)*d.Of[i]+k+1], s.weight(i)
		for j, v := range one {
			row[j] += w * v
		}
		row[k] += w
	}
	total := make([]float64, k+1)
	return statistic{of: func(times []float64) float64 {
		clear(total)
		for g, t := range times {
			for j, v := range table[(k+1)*g : (k+1)*(g+1)] {
				total[j] += t * v
			}
		}
		return value(total[k], total[:k])
	}, influence: func() []float64 {
		sum, size, out := make([]float64, k+1), make([]float64, k+1), make([]float64, d.Count)
		for at, v := range table {
			sum[at%(k+1)] += v
			size[at%(k+1)] += math.Abs(v)
		}
		for j, slope := range slopes(sum, size, func(sum []float64) float64 { return value(sum[k], sum[:k]) }) {
			for g := range out {
				out[g] += slope * table[(k+1)*g+j]
			}
		}
		return out
	}}
}

// slopes are how a value changes with each of the sums that it follows from, told from a
// step up and down that is small beside the size of what was added up. A sum of nothing
// has none.
func slopes(sum, size []float64, value func(sum []float64) float64) []float64 {
	out := make([]float64, len(sum))
	for j, x := range sum {
		if size[j] == 0 {
			continue
		}
		step := 1e-5 * size[j]
		sum[j] = x + step
		up := value(sum)
		sum[j] = x - step
		out[j] = (up - value(sum)) / (2 * step)
		sum[j] = x
	}
	return out
}

// confusion is a metric of the counts of decisions, right and wrong.
func (s Sample) confusion(t term, score []float64, d stat.Draws) statistic {
	above := s.above(t)
	return s.sums(3, d, func(i int, out []float64) {
		clear(out)
		switch said, yes := score[i] > above, s.Truth[i] > 0.5; {
		case said && yes:
			out[0] = 1
		case said:
			out[1] = 1
		case yes:
			out[2] = 1
		}
	}, func(n float64, sum []float64) float64 {
		tp, fp, fn := sum[0], sum[1], sum[2]
		tn := n - tp - fp - fn
		switch t.name {
		case "f1":
			return 2 * tp / (2*tp + fp + fn)
		case "precision":
			return tp / (tp + fp)
		case "recall":
			return tp / (tp + fn)
		}
		return (tp/(tp+fn) + tn/(tn+fp)) / 2
	})
}

// weight is how much a row counts.
func (s Sample) weight(i int) float64 {
	if s.Weight == nil {
		return 1
	}
	return s.Weight[i]
}

// curve is the area under the curve of true against false positives (auc; a tie
// counts half), or the average precision (pr_auc; tied rows enter together), of the
// rows of a positive and a negative class, nil for those of a binary truth.
func (s Sample) curve(metric string, score []float64, d stat.Draws, class func(i int) (positive, in bool)) statistic {
	if class == nil {
		class = func(i int) (bool, bool) { return s.Truth[i] > 0.5, true }
	}
	var order []int
	for i := range s.Truth {
		if _, in := class(i); in {
			order = append(order, i)
		}
	}
	n := len(order)
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(score[b], score[a]) })
	draw, yes, last, weight := make([]int32, n), make([]bool, n), make([]bool, n), make([]float64, n)
	for k, i := range order {
		draw[k], weight[k] = int32(d.Of[i]), s.weight(i)
		yes[k], _ = class(i)
		last[k] = k+1 == n || score[order[k+1]] != score[i]
	}
	c := ranked{draw: draw, yes: yes, last: last, weight: weight}
	if metric == "pr_auc" {
		return statistic{of: c.precision, influence: func() []float64 { return c.precisionInfluence(d.Count) }}
	}
	return statistic{of: c.area, influence: func() []float64 { return c.areaInfluence(d.Count) }}
}
