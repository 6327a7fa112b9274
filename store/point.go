// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"math"

	"flyball/experiment"
)

// point is a metric's point as it is kept.
type point struct {
	run, key, experiment int64
	at, step             int64
	nan                  int64 // 1: not a number, and value is 0
	value                float64
}

// value is a number as it is kept: one that is none beside it, and the infinities as
// the greatest numbers, for not every engine has them. -0 becomes 0, which compares
// equal and would be kept by one engine only.
func value(v float64) (nan int64, kept float64) {
	switch {
	case math.IsNaN(v):
		return 1, 0
	case math.IsInf(v, 0):
		return 0, math.Copysign(math.MaxFloat64, v)
	case v == 0:
		return 0, 0
	}
	return 0, v
}

// number is what value kept.
func number(nan bool, kept float64) float64 {
	if nan {
		return math.NaN()
	}
	return kept
}

// later compares by what makes a point the latest of its key: step, time, value. One
// that is not a number counts as 0, as with MLflow, and yields to a true 0, so that
// the order in which points come never matters.
func later(a, b point) int {
	return cmp.Or(cmp.Compare(a.step, b.step), cmp.Compare(a.at, b.at), cmp.Compare(a.value, b.value), cmp.Compare(b.nan, a.nan))
}

// before compares by the order in which table metrics lies.
func before(a, b point) int {
	return cmp.Or(cmp.Compare(a.run, b.run), cmp.Compare(a.key, b.key), cmp.Compare(a.at, b.at), cmp.Compare(a.step, b.step),
		cmp.Compare(a.nan, b.nan), cmp.Compare(a.value, b.value))
}

func pointOf(to target, key int64, m experiment.Metric) point {
	p := point{run: to.seq, key: key, experiment: to.experiment, at: m.Timestamp, step: m.Step}
	p.nan, p.value = value(m.Value)
	return p
}
