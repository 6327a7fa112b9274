// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"cmp"
	"math"
	"slices"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
	"flyball/stat"
)

// Curves are the points that charts of one subject draw, on the rows of the pair.
type Curves struct {
	ROC         []ROCPoint  `json:"roc,omitempty" doc:"binary: the highest rate of true positives at each hundredth of false positives"`
	Thresholds  []Threshold `json:"thresholds,omitempty" doc:"binary: what deciding above each twentieth would do"`
	Calibration []Tenth     `json:"calibration,omitempty" doc:"binary: by tenth of the predictions"`
	Errors      []Quantile  `json:"errors,omitempty" doc:"regression: quantiles of prediction less label"`
}

// ROCPoint is a point of the receiver operating characteristic.
type ROCPoint struct {
	FalsePositives float64 `json:"fpr"`
	TruePositives  float64 `json:"tpr"`
}

// Threshold is what deciding yes above it does. Precision is 0 where nothing is
// decided yes.
type Threshold struct {
	Above     float64 `json:"above"`
	Yes       float64 `json:"yes" doc:"share of rows decided yes"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	Accuracy  float64 `json:"accuracy"`
}

// Tenth is the rows of a tenth of the predictions: what was said, and what was, with
// Wilson's interval.
type Tenth struct {
	Rows int     `json:"rows"`
	Said float64 `json:"said"`
	Was  float64 `json:"was"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Quantile is a value below which a share of the rows lies.
type Quantile struct {
	Share float64 `json:"share"`
	Value float64 `json:"value"`
}

func curves(s evaluation.Sample, role string) *Curves {
	score := s.Scores[role]
	if s.Kind == dataset.Regression {
		off := make([]float64, len(score))
		for i, v := range score {
			off[i] = v - s.Truth[i]
		}
		slices.Sort(off)
		c := &Curves{}
		for _, p := range []float64{0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99} {
			c.Errors = append(c.Errors, Quantile{p, stat.Quantile(off, p)})
		}
		return c
	}
	weight := s.Weight
	if weight == nil {
		weight = slices.Repeat([]float64{1}, len(score))
	}
	return &Curves{ROC: roc(s.Truth, score, weight), Thresholds: thresholds(s.Truth, score, weight), Calibration: calibration(s.Truth, score)}
}

// roc walks down the scores; rows that tie come together.
func roc(truth, score, weight []float64) []ROCPoint {
	order := make([]int, len(score))
	pos, neg := 0.0, 0.0
	for i, y := range truth {
		order[i] = i
		if y > 0.5 {
			pos += weight[i]
		} else {
			neg += weight[i]
		}
	}
	if pos == 0 || neg == 0 {
		return nil
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(score[b], score[a]) })
	out := make([]ROCPoint, 101)
	tp, fp := 0.0, 0.0
	for k := 0; k < len(order); {
		from := k
		for ; k < len(order) && score[order[k]] == score[order[from]]; k++ {
			if i := order[k]; truth[i] > 0.5 {
				tp += weight[i]
			} else {
				fp += weight[i]
			}
		}
		out[int(math.Ceil(100*fp/neg-1e-9))].TruePositives = tp / pos // a later point has more
	}
	for g := range out {
		out[g].FalsePositives = float64(g) / 100
		if g > 0 {
			out[g].TruePositives = max(out[g].TruePositives, out[g-1].TruePositives)
		}
	}
	return out
}

func thresholds(truth, score, weight []float64) []Threshold {
	var out []Threshold
	for step := 1; step < 20; step++ {
		t := Threshold{Above: float64(step) / 20}
		var tp, fp, pos, n float64
		for i, y := range truth {
			w := weight[i]
			n += w
			pos += w * y
			switch {
			case score[i] <= t.Above:
			case y > 0.5:
				tp += w
			default:
				fp += w
			}
		}
		t.Yes, t.Accuracy = (tp+fp)/n, (tp+n-pos-fp)/n
		if tp+fp > 0 {
			t.Precision = tp / (tp + fp)
		}
		if pos > 0 {
			t.Recall = tp / pos
		}
		out = append(out, t)
	}
	return out
}

// calibration counts rows, whatever they weigh: Wilson's interval is of a count.
func calibration(truth, score []float64) []Tenth {
	rows, said, was := [10]int{}, [10]float64{}, [10]float64{}
	for i, k := range evaluation.Tenths(score) {
		rows[k]++
		said[k] += score[i]
		was[k] += truth[i]
	}
	var out []Tenth
	for k, n := range rows {
		if n == 0 {
			continue
		}
		t := Tenth{Rows: n, Said: said[k] / float64(n), Was: was[k] / float64(n)}
		t.Low, t.High = stat.Wilson(int(was[k]), n, 1.959963984540054)
		out = append(out, t)
	}
	return out
}
