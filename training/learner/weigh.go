// SPDX-License-Identifier: Apache-2.0

package learner

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"flyball/data/dataset"
	"flyball/fault"
)

// classWeights are what the rows of each class weigh. The zero value: one.
type classWeights struct {
	balanced bool
	by       []float64 // by class, in the order of the labels
}

// weights are what the rows weigh: their own weight times that of their class. With
// balanced every class has the same sum, as scikit-learn's class_weight="balanced".
func (d Data) weights(c classWeights) ([]float64, error) {
	w := slices.Clone(d.Weights)
	if w == nil {
		w = slices.Repeat([]float64{1}, d.X.Rows)
	}
	by, classes := c.by, max(2, d.Classes)
	switch {
	case !c.balanced && by == nil:
		return w, nil
	case d.Kind == dataset.Regression:
		return nil, fault.New(fault.Invalid, "train.settings.class_weight is for classes, and the label is a number").Do("leave it out, or use train.weight")
	case c.balanced:
		sums, all := make([]float64, classes), 0.0
		for i, y := range d.Y {
			sums[int(y)] += w[i]
			all += w[i]
		}
		by = make([]float64, classes)
		for k, s := range sums {
			if s > 0 {
				by[k] = all / (float64(classes) * s)
			}
		}
	case len(by) != classes:
		return nil, fault.New(fault.Invalid, "train.settings.class_weight has %d numbers for %d classes", len(by), classes).Do("write one for each class, in the order of the labels, or balanced")
	}
	for i, y := range d.Y {
		w[i] *= by[int(y)]
	}
	return w, nil
}

// checkWeights looks at the weights and times before a fit.
func (d Data) checkWeights() error {
	if d.Weights != nil && len(d.Weights) != d.X.Rows || d.Time != nil && len(d.Time) != d.X.Rows {
		return fault.New(fault.Invalid, "%d rows have %d weights and %d times", d.X.Rows, len(d.Weights), len(d.Time))
	}
	all := 0.0
	for i, w := range d.Weights {
		if !(w >= 0) || math.IsInf(w, 0) {
			return fault.New(fault.Invalid, "row %d: %v is not a weight", i, w).Do("weights are numbers from 0 up, and none is missing")
		}
		all += w
	}
	if d.Weights != nil && (all == 0 || math.IsInf(all, 0)) {
		return fault.New(fault.Invalid, "the weights of all rows come to %v", all).Do("give some row a weight above 0")
	}
	return nil
}

// tail is the newest rows, which tell when more trees do not help.
type tail struct {
	rows     []int32
	patience int // 0: nothing is held back
	seen     int
	at       int // rounds that did best
	best     float64
}

// hold takes the newest share of the rows away from training. Rows of one moment stay
// together. Without patience it takes none.
func (d Data) hold(share float64, patience int) (rows []int32, t tail, err error) {
	rows = make([]int32, d.X.Rows)
	for i := range rows {
		rows[i] = int32(i)
	}
	if patience == 0 {
		return rows, t, nil
	}
	if d.Time != nil {
		slices.SortStableFunc(rows, func(a, b int32) int {
			switch x, y := d.Time[a], d.Time[b]; {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		})
	}
	at := d.X.Rows - max(1, int(share*float64(d.X.Rows)))
	for d.Time != nil && at > 0 && d.Time[rows[at]] == d.Time[rows[at-1]] {
		at--
	}
	some := func(rows []int32) bool {
		return slices.ContainsFunc(rows, func(r int32) bool { return d.Weights == nil || d.Weights[r] > 0 })
	}
	if at <= 0 || !some(rows[:at]) || !some(rows[at:]) {
		return nil, t, fault.New(fault.Invalid, "early stopping finds no rows to train on before the newest %v of them", share).
			Do("leave train.settings.early_stopping out, or give more rows")
	}
	t = tail{rows: rows[at:], patience: patience, best: math.Inf(1)}
	rows = slices.Clone(rows[:at])
	slices.Sort(rows)
	return rows, t, nil
}

// see takes the loss after one more round.
func (t *tail) see(loss float64) {
	if t.seen++; loss < t.best {
		t.best, t.at = loss, t.seen
	}
}

func (t *tail) over() bool { return t.patience > 0 && t.seen-t.at >= t.patience }

// keep is how many of the trees are the model.
func (t *tail) keep(trees, outputs int) int {
	if t.patience == 0 {
		return trees
	}
	return max(1, t.at) * outputs
}

// listed are names for a message, no more than a few.
func listed(names []string) string {
	const few = 12
	if len(names) > few {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
	}
	return strings.Join(names, ", ")
}
