// SPDX-License-Identifier: Apache-2.0

package evaluation

import (
	"math"
	"slices"

	"flyball/stat"
)

// ofClasses is a metric of several classes that is no mean over rows.
func (s Sample) ofClasses(t term, role string, d stat.Draws) statistic {
	k, scores := s.width(), s.Scores[role]
	known, said := make([]int, len(s.Truth)), make([]int, len(s.Truth))
	for i, y := range s.Truth {
		known[i] = int(min(max(y, 0), float64(k-1)))
		row := scores[i*k : (i+1)*k]
		for c, p := range row {
			if p > row[said[i]] {
				said[i] = c
			}
		}
	}
	switch t.name {
	case "ece":
		return s.calibration(role, d)
	case "auc_ovr", "pr_auc_macro":
		return s.oneAgainstRest(t.name, role, known, d)
	case "auc_ovo":
		return s.oneAgainstOne(role, known, d)
	}
	return s.counted(t.name, known, said, d)
}

// counted is a metric of how often each class was true, said, and both.
func (s Sample) counted(metric string, known, said []int, d stat.Draws) statistic {
	k := s.width()
	counts := make([]float64, 3*k) // by class: true, said, both
	count := func(times []float64) []float64 {
		clear(counts)
		for i, c := range known {
			n := times[d.Of[i]] * s.weight(i)
			counts[c] += n
			counts[k+said[i]] += n
			if c == said[i] {
				counts[2*k+c] += n
			}
		}
		return counts
	}
	value := func(counts []float64) float64 { return ofCounts(metric, counts[:k], counts[k:2*k], counts[2*k:]) }
	return statistic{
		of: func(times []float64) float64 { return value(count(times)) },
		influence: func() []float64 {
			whole := count(once(d))
			slope, out := slopes(whole, slices.Clone(whole), value), make([]float64, d.Count)
			for i, c := range known {
				change := slope[c] + slope[k+said[i]]
				if c == said[i] {
					change += slope[2*k+c]
				}
				out[d.Of[i]] += s.weight(i) * change
			}
			return out
		},
	}
}

// ofCounts is the mean over the classes of what their counts give.
func ofCounts(metric string, truths, claims, both []float64) float64 {
	sum, among := 0.0, 0.0
	for c := range truths {
		weight, v := 1.0, classValue(metric, truths[c], claims[c], both[c])
		switch metric {
		case "balanced_accuracy":
			if truths[c] == 0 {
				weight = 0
			}
		case "f1_weighted", "precision_weighted":
			weight = truths[c]
		default:
			if truths[c]+claims[c] == 0 {
				weight = 0
			}
		}
		sum, among = sum+weight*v, among+weight
	}
	if metric == "balanced_accuracy" && among < 2 {
		return math.NaN()
	}
	return sum / among
}

// classValue is a class's part of a metric, 0 where it has none, as in scikit-learn.
func classValue(metric string, truths, claims, both float64) float64 {
	switch {
	case both == 0:
		return 0
	case metric == "f1_macro" || metric == "f1_weighted":
		return 2 * both / (truths + claims)
	case metric == "precision_macro" || metric == "precision_weighted":
		return both / claims
	}
	return both / truths
}

// oneAgainstRest is the mean over the classes of an area, each class's score telling
// its rows from all others. A class without rows has none, and so the mean has not.
func (s Sample) oneAgainstRest(metric, role string, known []int, d stat.Draws) statistic {
	curve := "auc"
	if metric == "pr_auc_macro" {
		curve = "pr_auc"
	}
	var areas []statistic
	for c := range s.width() {
		areas = append(areas, s.curve(curve, s.scoresOf(c, role), d, func(i int) (bool, bool) { return known[i] == c, true }))
	}
	return meanOf(areas)
}

// oneAgainstOne is the mean over all ordered pairs of classes of the area with which
// the first one's score tells its rows from the second's (Hand and Till 2001).
func (s Sample) oneAgainstOne(role string, known []int, d stat.Draws) statistic {
	var areas []statistic
	for c := range s.width() {
		score := s.scoresOf(c, role)
		for other := range s.width() {
			if other != c {
				areas = append(areas, s.curve("auc", score, d, func(i int) (bool, bool) { return known[i] == c, known[i] == c || known[i] == other }))
			}
		}
	}
	return meanOf(areas)
}

// scoresOf are the rows' scores of one class.
func (s Sample) scoresOf(class int, role string) []float64 {
	k, out := s.width(), make([]float64, len(s.Truth))
	for i := range out {
		out[i] = s.Scores[role][i*k+class]
	}
	return out
}

func meanOf(parts []statistic) statistic {
	n := float64(len(parts))
	return statistic{of: func(times []float64) float64 {
		sum := 0.0
		for _, part := range parts {
			sum += part.of(times)
		}
		return sum / n
	}, influence: func() []float64 {
		var mean []float64
		for _, part := range parts {
			x := part.influence()
			if mean == nil {
				mean = make([]float64, len(x))
			}
			for g, v := range x {
				mean[g] += v / n
			}
		}
		return mean
	}}
}
