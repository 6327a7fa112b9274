// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"slices"
	"strconv"

	"flyball/fault"
)

// Cut is the model, JSON or UBJSON, as JSON with its first iterations alone: what
// XGBoost's scikit-learn classes answer with after an early stop, while a Booster takes
// all. A model in JSON that has no more is returned as it is, and so is gblinear, where
// iterations are no parts. The error is an Invalid fault.
func Cut(b []byte, iterations int) ([]byte, error) {
	if IsUBJSON(b) {
		var err error
		if b, err = FromUBJSON(b); err != nil {
			return nil, err
		}
	}
	d, err := read(b, false)
	if err != nil || d.booster == "gblinear" {
		return b, err
	}
	ends, err := d.iterations()
	if err != nil {
		return nil, err
	}
	if iterations < 0 || iterations+1 >= len(ends) {
		return b, nil
	}
	n, s := int(ends[iterations]), d.spans
	if n < 0 || n > len(s.trees) || n > len(d.info) || (len(d.drop) > 0 && n > len(d.drop)) {
		return nil, fault.New(fault.Invalid, "the XGBoost iteration_indptr does not match the trees")
	}
	edits := []edit{
		{s.num, []byte(strconv.Quote(strconv.Itoa(n)))},
		{s.info, numbers(d.info[:n])},
	}
	if len(d.ends) > 0 {
		edits = append(edits, edit{s.ends, numbers(ends[:iterations+1])})
	}
	if len(d.drop) > 0 {
		edits = append(edits, edit{s.drop, decimals(d.drop[:n])})
	}
	trees := []byte("[]")
	if n > 0 { // as they are, the last bracket behind
		trees = append(slices.Clone(b[s.all.from:s.trees[n-1].to]), ']')
	}
	return splice(b, append(edits, edit{s.all, trees})), nil
}

// edit is a place and what is to stand there.
type edit struct {
	at   span
	text []byte
}

// splice is b with the edits; those without a place are left out.
func splice(b []byte, edits []edit) []byte {
	slices.SortFunc(edits, func(x, y edit) int { return x.at.from - y.at.from })
	var out []byte
	done := 0
	for _, e := range edits {
		if e.at.to > done {
			out = append(append(out, b[done:e.at.from]...), e.text...)
			done = e.at.to
		}
	}
	return append(out, b[done:]...)
}

func numbers(list []int32) []byte {
	out := []byte{'['}
	for i, n := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendInt(out, int64(n), 10)
	}
	return append(out, ']')
}

func decimals(list []float32) []byte {
	out := []byte{'['}
	for i, x := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendFloat(out, float64(x), 'E', -1, 32)
	}
	return append(out, ']')
}
