// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"math"

	"flyball/fault"
	"flyball/stat"
)

// transform turns the sums of a model into its scores.
type transform uint8

const (
	none transform = iota
	logistic
	softmax
	softmaxZero
	probit
)

// transformOf reads the attribute post_transform.
func transformOf(n *site) (transform, error) {
	switch s := n.text("post_transform", "NONE"); s {
	case "NONE", "":
		return none, nil
	case "LOGISTIC":
		return logistic, nil
	case "SOFTMAX":
		return softmax, nil
	case "SOFTMAX_ZERO":
		return softmaxZero, nil
	case "PROBIT":
		return probit, nil
	default:
		return none, refuse("the post_transform %q", s)
	}
}

// apply changes the scores of one row, two or more of them.
func (t transform) apply(v []float64) {
	switch t {
	case logistic:
		for i := range v {
			v[i] = sigmoid(v[i])
		}
	case softmax:
		softmaxLine(v, v, 0, 1, len(v), false)
	case softmaxZero:
		softmaxZeros(v)
	case probit:
		for i := range v {
			v[i] = inverseNormal(v[i])
		}
	}
}

// softmaxZeros is a softmax that leaves out what is 0.
func softmaxZeros(v []float64) {
	m, s := math.Inf(-1), 0.0
	for _, x := range v {
		m = max(m, x)
	}
	shrunk := stat.Exp(-m)
	for i, x := range v {
		if x > 0.0000001 || x < -0.0000001 {
			v[i] = stat.Exp(x - m)
		} else {
			v[i] *= shrunk
		}
		s += v[i]
	}
	if s == 0 {
		return
	}
	for i := range v {
		v[i] /= s
	}
}

// inverseNormal is the inverse of the normal distribution's cumulative, by the formula of
// Winitzki (2008) with onnxruntime's constants, which models are checked with.
func inverseNormal(p float64) float64 {
	x := float64(2*p) - 1
	l := math.Log(float64((1 - x) * (1 + x)))
	v := 2/(3.14159*0.147) + float64(0.5*l)
	w := math.Sqrt(float64(v*v)-l/0.147) - v
	return math.Sqrt2 * math.Copysign(math.Sqrt(w), x)
}

// second is how the score of the other class is made of one score; onnxruntime knows the
// cases by these numbers (write_scores in ml_common.h).
type second int8

const (
	alone       second = -1 // there is no other class
	complement  second = 1  // 1 - p: all weights are positive
	oppositeWon second = 2  // mixed weights, the positive class wins
	oppositeLost
)

// spread makes the two scores of a row with one, and says how many there are.
func (t transform) spread(score float64, how second) (scores [2]float64, n int) {
	switch {
	case t == probit:
		return [2]float64{inverseNormal(score)}, 1
	case how == alone:
		return [2]float64{score}, 1
	case how == complement:
		return [2]float64{1 - score, score}, 2
	case t == logistic:
		return [2]float64{sigmoid(-score), sigmoid(score)}, 2
	case how == oppositeWon:
		return [2]float64{-score, score}, 2
	}
	return [2]float64{score, -score}, 2
}

// labels are the classes of a classifier: texts or whole numbers.
type labels struct {
	texts []string
	ints  []int64
}

// labelsOf reads the classes from the attributes of these names.
func labelsOf(n *site, texts, ints string) (labels, error) {
	l := labels{n.texts(texts), n.ints(ints)}
	if len(l.texts) > 0 {
		l.ints = nil
	}
	if l.len() == 0 {
		return l, fault.New(fault.Invalid, "%s has no classes", n.op).Do("write the model again")
	}
	return l, nil
}

func (l labels) len() int { return max(len(l.texts), len(l.ints)) }

// of makes the tensor of labels for the places of the classes.
func (l labels) of(e *session, places []int) (*tensor, error) {
	if len(l.texts) > 0 {
		t, to, err := make1[string](e, len(places))
		if err != nil {
			return nil, err
		}
		for i, p := range places {
			to[i] = l.texts[p]
		}
		return t, nil
	}
	t, to, err := make1[int64](e, len(places))
	if err != nil {
		return nil, err
	}
	for i, p := range places {
		to[i] = l.ints[p]
	}
	return t, nil
}

// greatest is the place of the greatest, of equal ones the first.
func greatest(v []float64) int {
	best := 0
	for i, x := range v {
		if x > v[best] {
			best = i
		}
	}
	return best
}
