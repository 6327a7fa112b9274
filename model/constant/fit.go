// SPDX-License-Identifier: Apache-2.0

package constant

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"

	"flyball/data/pipeline"
	"flyball/fault"
	"flyball/model"
)

// Fit makes constant.json of the means of y (x.Rows long), by the weights of the rows
// where they are not nil (finite, not below 0, not all 0), or of the class shares when
// classes is above 1 and y holds 0..classes-1. Groups are the tuples of x's columns, in
// the order of their bytes, so that equal data give equal bytes. Without rows, with an
// infinite column value or with a label out of range it is an Invalid fault.
func Fit(x pipeline.Matrix, y, weights []float64, classes int) (model.File, error) {
	if x.Rows == 0 || len(y) != x.Rows {
		return model.File{}, fault.New(fault.Invalid, "a constant model of %d rows has %d labels", x.Rows, len(y))
	}
	n := max(classes, 1)
	f := File{Format: Format, Features: x.Cols, Overall: make([]float64, n)}
	all := 0.0
	at, counts := map[string]int{}, []float64{}
	var keys []string
	for i, v := range y {
		c, add, weight := 0, v, 1.0
		if weights != nil {
			weight = weights[i]
		}
		if classes > 1 {
			if !(v >= 0 && v < float64(classes)) || v != math.Trunc(v) {
				return model.File{}, fault.New(fault.Invalid, "label %v of row %d is not a class below %d", v, i, classes)
			}
			c, add = int(v), 1
		} else if math.IsNaN(v) || math.IsInf(v, 0) {
			return model.File{}, fault.New(fault.Invalid, "the label of row %d is not finite", i)
		}
		var k []byte
		g := Group{Key: make([]*float32, x.Cols), Scores: make([]float64, n)}
		for j, w := range x.Row(i) {
			if math.IsInf(float64(w), 0) {
				return model.File{}, fault.New(fault.Invalid, "column %d of row %d is infinite", j, i)
			}
			k = appendKey(k, w)
			if w == w {
				g.Key[j] = &w
			}
		}
		p, ok := at[string(k)]
		if !ok {
			p = len(f.Groups)
			at[string(k)] = p
			f.Groups, counts, keys = append(f.Groups, g), append(counts, 0), append(keys, string(k))
		}
		f.Groups[p].Scores[c] += float64(weight * add)
		f.Overall[c] += float64(weight * add)
		counts[p] += weight
		all += weight
	}
	for c := range f.Overall {
		f.Overall[c] /= all
		for p := range f.Groups {
			if counts[p] > 0 { // a group that weighs nothing answers as all do
				f.Groups[p].Scores[c] /= counts[p]
			} else {
				f.Groups[p].Scores[c] = f.Overall[c]
			}
		}
	}
	if x.Cols == 0 {
		f.Groups = nil
	}
	slices.Sort(keys)
	sorted := make([]Group, 0, len(f.Groups))
	for _, k := range keys[:min(len(keys), len(f.Groups))] {
		sorted = append(sorted, f.Groups[at[k]])
	}
	f.Groups = sorted
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(f); err != nil {
		return model.File{}, fault.Wrap(err, fault.Invalid, "the means of the label are not finite")
	}
	return model.File{Name: "constant.json", Bytes: b.Bytes()}, nil
}
