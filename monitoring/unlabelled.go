// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
	"flyball/fault"
	"flyball/stat"
)

const (
	leastUnlabelled = 200 // held-out rows below which nothing is said without labels
	curvePoints     = 64
	curveRows       = 20 // at least, of a point of a probability
	lossRows        = 50 // at least, of a point of an expected loss
	maxClasses      = 256
)

// Unlabelled is what the held-out rows say of metrics by the scores alone: how often
// the truth was yes, or which class, or how far off a number was, where the model had
// said so much. It holds as long as that relation does: only if the concept has not
// changed.
type Unlabelled struct {
	Rows    int     `json:"rows"`    // held out
	Metrics []Known `json:"metrics"` // on these rows
	Curves  []Curve `json:"curves"`  // Binary: the probability of 1; Multiclass: of each class; Regression: of each of Metrics
}

// Known is a metric's value on the held-out rows.
type Known struct {
	Metric string  `json:"metric"`
	Value  float64 `json:"value"`
}

// Curve is a function of a score, straight between points that rise, level outside.
type Curve struct {
	At    []float64 `json:"at"`
	Value []float64 `json:"value"`
}

func (c *Curve) of(x float64) float64 {
	k := sort.SearchFloat64s(c.At, x)
	switch {
	case k == 0:
		return c.Value[0]
	case k == len(c.At):
		return c.Value[k-1]
	}
	part := (x - c.At[k-1]) / (c.At[k] - c.At[k-1])
	return c.Value[k-1] + part*(c.Value[k]-c.Value[k-1])
}

// estimable are the metrics that are told of a kind without labels: the watched one,
// if a row's part in it is known, and the usual ones.
func estimable(watched string, kind dataset.Kind) []string {
	names := []string{"mae", "rmse"}
	switch kind {
	case dataset.Binary:
		names = []string{"log_loss", "brier", "accuracy", "auc"}
	case dataset.Multiclass:
		names = []string{"log_loss", "brier", "accuracy"}
	}
	if watched != "" && watched != "bias" && watched != "mean_score" && watched != "cost" && !slices.Contains(names, watched) {
		names = append([]string{watched}, names...)
	}
	return names
}

// newUnlabelled learns the curves on the held-out rows; nil where they are too few, or
// hold one class only.
func newUnlabelled(watched string, kind dataset.Kind, r Residuals) *Unlabelled {
	n := len(r.Truth)
	if n < leastUnlabelled || len(r.Scores) == 0 || len(r.Scores)%n != 0 || !finite(r.Scores...) || !finite(r.Truth...) {
		return nil
	}
	width := len(r.Scores) / n
	if kind == dataset.Multiclass && (width < 2 || width > maxClasses || width != len(r.Classes)) || kind != dataset.Multiclass && width != 1 {
		return nil
	}
	u := &Unlabelled{Rows: n}
	sample := evaluation.Sample{Kind: kind, Classes: r.Classes, Truth: r.Truth, Scores: map[string][]float64{"": r.Scores}}
	for _, m := range estimable(watched, kind) {
		v, err := evaluation.Value(m, sample, "")
		if err != nil || !finite(v) {
			continue
		}
		if kind == dataset.Regression {
			loss, ok := rowLosses(m, r)
			if !ok {
				continue
			}
			u.Curves = append(u.Curves, curveOf(r.Scores, loss, lossRows, false))
		}
		u.Metrics = append(u.Metrics, Known{m, v})
	}
	if kind != dataset.Regression {
		for k := range width {
			score, yes := make([]float64, n), make([]float64, n)
			for i, t := range r.Truth {
				score[i] = r.Scores[i*width+k]
				if kind == dataset.Binary && t > 0.5 || kind == dataset.Multiclass && int(t) == k {
					yes[i] = 1
				}
			}
			u.Curves = append(u.Curves, curveOf(score, yes, curveRows, true))
		}
	}
	if u.check(kind, len(r.Classes)) != nil {
		return nil
	}
	return u
}

// rowLosses are the rows' parts in a metric of numbers; of rmse its square.
func rowLosses(metric string, r Residuals) ([]float64, bool) {
	if metric == "rmse" {
		metric = "mse"
	}
	out := make([]float64, len(r.Truth))
	for i, t := range r.Truth {
		v, ok := evaluation.Loss(metric, dataset.Regression, t, r.Scores[i:i+1])
		if !ok {
			return nil, false
		}
		out[i] = v
	}
	return out, true
}

// curveOf is the mean of y at the mean of each group of neighbouring scores, and, when
// it must rise, the nearest rising line through them.
func curveOf(score, y []float64, least int, rising bool) Curve {
	order := make([]int, len(score))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(score[a], score[b]) })
	size := max(least, (len(score)+curvePoints-1)/curvePoints)
	var c Curve
	var weight []float64
	var at, sum, n float64
	for k, i := range order {
		at, sum, n = at+score[i], sum+y[i], n+1
		ties := k+1 < len(order) && score[order[k+1]] == score[i]
		if k+1 < len(order) && (ties || int(n) < size || len(order)-k-1 < least) {
			continue
		}
		mean := at / n
		if last := len(c.At) - 1; last >= 0 && mean <= c.At[last] { // by rounding
			mean = math.Nextafter(c.At[last], math.Inf(1))
		}
		c.At, c.Value, weight = append(c.At, mean), append(c.Value, sum/n), append(weight, n)
		at, sum, n = 0, 0, 0
	}
	if rising {
		c.Value = stat.Isotonic(c.Value, weight)
	}
	return c
}

// Estimated is a metric as it would be expected without any label.
type Estimated struct {
	Metric  string  `json:"metric"`
	Value   float64 `json:"value"`
	Half    float64 `json:"half" doc:"half of what the luck of the truths alone would spread it by, 95 %; 0: not known"`
	HeldOut float64 `json:"held_out" doc:"the same metric, measured on the held-out rows"`
}

// Estimate is the metrics to be expected of rows with these scores, a row's one after
// the other, if the truth depends on the score as it did on the held-out rows: CBPE for
// classes, its like for numbers. It cannot see a change of that relation, and is never a
// reason to do anything. Rows that do not fit the curves give none.
func (u *Unlabelled) Estimate(kind dataset.Kind, scores []float64) []Estimated {
	if u == nil || len(u.Curves) == 0 || !finite(scores...) {
		return nil
	}
	width := 1
	if kind == dataset.Multiclass {
		width = len(u.Curves)
	}
	n := len(scores) / width
	if n == 0 || len(scores)%width != 0 {
		return nil
	}
	var out []Estimated
	for k, m := range u.Metrics {
		e := Estimated{Metric: m.Metric, HeldOut: m.Value}
		ok := true
		switch {
		case kind == dataset.Regression && k < len(u.Curves):
			e.Value = u.number(k, m.Metric, scores)
		case m.Metric == "auc":
			e.Value, ok = u.auc(scores)
		case kind == dataset.Regression:
			ok = false
		default:
			e.Value, e.Half, ok = u.classes(m.Metric, kind, scores, width)
		}
		if ok && finite(e.Value, e.Half) {
			out = append(out, e)
		}
	}
	return out
}

func (u *Unlabelled) number(k int, metric string, scores []float64) float64 {
	sum := 0.0
	for _, s := range scores {
		sum += u.Curves[k].of(s)
	}
	if metric == "rmse" {
		return math.Sqrt(sum / float64(len(scores)))
	}
	return sum / float64(len(scores))
}

// classes is the mean over rows of the metric's part, over the truths as likely as the
// curves have them.
func (u *Unlabelled) classes(metric string, kind dataset.Kind, scores []float64, width int) (value, half float64, ok bool) {
	n := len(scores) / width
	sum, variance := 0.0, 0.0
	p := make([]float64, max(2, width))
	for i := range n {
		row := scores[i*width : (i+1)*width]
		u.probabilities(kind, row, p)
		mean, square := 0.0, 0.0
		for truth, q := range p {
			if q == 0 {
				continue
			}
			loss, fine := evaluation.Loss(metric, kind, float64(truth), row)
			if !fine {
				return 0, 0, false
			}
			mean, square = mean+q*loss, square+q*loss*loss
		}
		sum, variance = sum+mean, variance+max(0, square-mean*mean)
	}
	return sum / float64(n), 1.96 * math.Sqrt(variance) / float64(n), true
}

// probabilities are those of the truths of a row, by the curves.
func (u *Unlabelled) probabilities(kind dataset.Kind, row, p []float64) {
	if kind == dataset.Binary {
		p[1] = u.Curves[0].of(row[0])
		p[0] = 1 - p[1]
		return
	}
	all := 0.0
	for k := range row {
		p[k] = u.Curves[k].of(row[k])
		all += p[k]
	}
	for k := range row {
		if all > 0 {
			p[k] /= all
		} else {
			p[k] = row[k]
		}
	}
}

// auc is the area under the expected curve of hits by false alarms: rows in order of
// their scores, each a hit by its probability.
func (u *Unlabelled) auc(scores []float64) (float64, bool) {
	sorted := slices.Sorted(slices.Values(scores))
	yes, no, area := 0.0, 0.0, 0.0
	for i := 0; i < len(sorted); {
		y, m := 0.0, 0.0
		for first := sorted[i]; i < len(sorted) && sorted[i] == first; i++ {
			p := u.Curves[0].of(sorted[i])
			y, m = y+p, m+1-p
		}
		area += y * (no + m/2)
		yes, no = yes+y, no+m
	}
	return area / (yes * no), yes > 0 && no > 0
}

func (u *Unlabelled) check(kind dataset.Kind, classes int) error {
	if u == nil {
		return nil
	}
	want := 1
	switch kind {
	case dataset.Multiclass:
		want = classes
	case dataset.Regression:
		want = len(u.Metrics)
	}
	ok := u.Rows > 0 && len(u.Curves) == want && len(u.Curves) <= maxClasses && len(u.Metrics) > 0 && len(u.Metrics) <= 16
	for _, m := range u.Metrics {
		ok = ok && evaluation.Known(m.Metric) && finite(m.Value)
	}
	for _, c := range u.Curves {
		ok = ok && len(c.At) > 0 && len(c.At) <= 2*curvePoints && len(c.Value) == len(c.At) && finite(c.At...) && finite(c.Value...)
		for k := 1; ok && k < len(c.At); k++ {
			ok = c.At[k-1] < c.At[k]
		}
		if kind != dataset.Regression {
			for _, v := range c.Value {
				ok = ok && v >= 0 && v <= 1
			}
		}
	}
	if !ok {
		return fault.New(fault.Invalid, "what the profile says of scores without labels does not hold together")
	}
	return nil
}
