// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"cmp"
	"math"
	"slices"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
	"flyball/stat"
)

// watchedMetric is the policy's metric where a mean over rows can tell it, else the
// most telling metric of the kind: a window of a few hundred rows has no AUC worth an
// alarm.
func watchedMetric(p Policy, kind dataset.Kind) string {
	known := evaluation.ForKind(kind)
	if len(known) == 0 {
		return ""
	}
	metric := known[0]
	if p.Score != nil && p.Score.Metric != "" && p.Score.Metric != "bias" && p.Score.Metric != "mean_score" {
		metric = p.Score.Metric
	}
	one := []float64{0.5}
	truth := 1.0
	if kind == dataset.Multiclass {
		one, truth = []float64{0.5, 0.5}, 0
	}
	if _, ok := evaluation.Loss(metric, kind, truth, one); !ok {
		return known[0]
	}
	return metric
}

// newHeldOut measures bias and the metric by blocks of time, so that a window can
// be compared with what blocks differ by of themselves.
func newHeldOut(policy Policy, kind dataset.Kind, r Residuals) HeldOut {
	h := HeldOut{}
	n := len(r.Truth)
	if n == 0 || len(r.Scores) == 0 || len(r.Scores)%n != 0 || r.Time != nil && len(r.Time) != n {
		return h
	}
	width := len(r.Scores) / n
	if r.Outputs != 0 && r.Outputs != width {
		return h
	}
	metric := watchedMetric(policy, kind)
	var blocks []Tally
	for _, rows := range r.blocks(policy.Every.D().Microseconds(), max(1, min(policy.AtLeast, n/10))) {
		b := Tally{}
		for _, i := range rows {
			b.add(metric, kind, r.Truth[i], r.Scores[i*width:(i+1)*width])
		}
		blocks = append(blocks, b)
	}
	all := Tally{}
	var bias, loss []float64
	for _, b := range blocks {
		all.join(b)
		if b.Rows*2 >= n/len(blocks) && b.Rows > 0 { // a cut block at the edge says little
			bias, loss = append(bias, b.Error/float64(b.Rows)), append(loss, b.Loss/float64(b.Rows))
		}
	}
	if all.Rows == 0 || len(bias) == 0 {
		return h
	}
	h.Rows, h.Blocks, h.Metric = all.Rows, len(bias), metric
	h.Value, h.Truth = all.Loss/float64(all.Rows), all.Size/float64(all.Rows)
	m := stat.MeanOf(loss)
	h.SD = m.SE * math.Sqrt(float64(len(loss)))
	if kind != dataset.Multiclass {
		b := stat.MeanOf(bias)
		h.Bias, h.BiasSD = all.Error/float64(all.Rows), b.SE*math.Sqrt(float64(len(bias)))
	}
	if !finite(h.Value, h.SD, h.Bias, h.BiasSD, h.Truth) {
		return HeldOut{}
	}
	return h
}

// blocks cuts the rows as live windows grow: whole stretches of time, until there are
// enough rows. A last one that is too short is left to the overall figures.
func (r *Residuals) blocks(every int64, atLeast int) [][]int {
	order := make([]int, len(r.Truth))
	for i := range order {
		order[i] = i
	}
	if r.Time != nil {
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(r.Time[a], r.Time[b]) })
	}
	var out [][]int
	first := 0
	for k := range order {
		last := k+1 == len(order) || r.Time == nil || floorDiv(r.Time[order[k]], every) != floorDiv(r.Time[order[k+1]], every)
		if last && (k+1-first >= atLeast || k+1 == len(order)) {
			out, first = append(out, order[first:k+1]), k+1
		}
	}
	return out
}

// Tally is what is added up of due rows with a truth.
type Tally struct {
	Rows   int     `json:"rows"`   // with a truth and a score
	Due    int     `json:"due"`    // with or without a truth
	Error  float64 `json:"error"`  // Σ score − truth
	Loss   float64 `json:"loss"`   // Σ of the metric's part
	Size   float64 `json:"size"`   // Σ |truth|
	Blocks int     `json:"blocks"` // blocks with a row
}

// add counts a row, unless the metric cannot tell of it.
func (d *Tally) add(metric string, kind dataset.Kind, truth float64, scores []float64) {
	const huge = 1e100
	loss, ok := evaluation.Loss(metric, kind, truth, scores)
	if !ok || math.Abs(truth) > huge || loss > huge || math.Abs(scores[0]) > huge {
		return // sums must stay numbers
	}
	d.Rows++
	d.Loss += loss
	if kind != dataset.Multiclass {
		d.Error += scores[0] - truth
		d.Size += math.Abs(truth)
	}
}

func (d *Tally) join(o Tally) {
	d.Rows += o.Rows
	d.Due += o.Due
	d.Error += o.Error
	d.Loss += o.Loss
	d.Size += o.Size
	d.Blocks += o.Blocks
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
