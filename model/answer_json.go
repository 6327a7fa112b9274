// SPDX-License-Identifier: Apache-2.0

package model

import (
	"encoding/json"
	"iter"
	"math"
	"slices"
	"strconv"
)

// Predictions writes the scores of rows as MLflow's scoring server writes what pyfunc's
// predict gives of them: a JSON list, an item a row. A row without scores, which nothing
// could answer, is null. A may be nil.
func (a *Answer) Predictions(rows iter.Seq[[]float64]) json.RawMessage {
	if a != nil && a.Form == Arrays && len(a.Names) > 0 {
		return a.arrays(rows)
	}
	out := []byte{'['}
	for scores := range rows {
		if len(out) > 1 {
			out = append(out, ", "...)
		}
		out = a.appendRow(out, scores)
	}
	return append(out, ']')
}

// appendRow writes the answer for one row.
func (a *Answer) appendRow(b []byte, scores []float64) []byte {
	if len(scores) == 0 {
		return append(b, "null"...)
	}
	form := Values
	if a != nil {
		form = a.Form
	}
	switch {
	case form == Label && a.place(scores) < len(a.Classes):
		return append(b, a.Classes[a.place(scores)]...)
	case form == Both && len(a.Names) == 2 && a.place(scores) < len(a.Classes):
		return a.appendBoth(b, scores)
	case form == Records && len(a.Names) == len(scores):
		b = append(b, '{')
		for i, x := range scores {
			b = appendKey(b, i, a.Names[i])
			b = appendNumber(b, a.number(x))
		}
		return append(b, '}')
	case form == Records && len(a.Names) == 1:
		for i, x := range scores {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = append(appendNumber(appendKey(append(b, '{'), 0, a.Names[0]), a.number(x)), '}')
		}
		return b
	case form == Lists || len(scores) > 1:
		b = append(b, '[')
		for i, x := range scores {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = appendNumber(b, a.number(x))
		}
		return append(b, ']')
	}
	return appendNumber(b, a.number(scores[0]))
}

// appendBoth writes a class, and the probability of each by its name.
func (a *Answer) appendBoth(b []byte, scores []float64) []byte {
	b = appendKey(append(b, '{'), 0, a.Names[0])
	b = append(b, a.Classes[a.place(scores)]...)
	return append(a.appendMap(appendKey(b, 1, a.Names[1]), scores), '}')
}

// appendMap writes the probability of each class by its name.
func (a *Answer) appendMap(b []byte, scores []float64) []byte {
	b = append(b, '{')
	if len(scores) == 1 && len(a.Classes) == 2 {
		scores = []float64{1 - scores[0], scores[0]}
	}
	for i, x := range scores {
		if i >= len(a.Classes) {
			break
		}
		var name string
		if json.Unmarshal(a.Classes[i], &name) != nil {
			name = string(a.Classes[i]) // Python writes a number that is a key as text
		}
		b = appendNumber(appendKey(b, i, name), a.number(x))
	}
	return append(b, '}')
}

// arrays writes a list for each output.
func (a *Answer) arrays(rows iter.Seq[[]float64]) json.RawMessage {
	out := []byte{'{'}
	for k, name := range a.Names {
		out = append(appendKey(out, k, name), '[')
		first := true
		for scores := range rows {
			if !first {
				out = append(out, ", "...)
			}
			first = false
			switch {
			case len(scores) == 0:
				out = append(out, "null"...)
			case len(a.Names) == 2 && k == 0 && a.place(scores) < len(a.Classes):
				out = append(out, a.Classes[a.place(scores)]...)
			case a.Maps:
				out = a.appendMap(out, scores)
			default:
				if len(scores) == 1 && len(a.Classes) == 2 {
					scores = []float64{1 - scores[0], scores[0]}
				}
				out = (&Answer{Form: Lists, Single: a.Single}).appendRow(out, scores)
			}
		}
		out = append(out, ']')
	}
	return append(out, '}')
}

// place is the class that the scores stand for.
func (a *Answer) place(scores []float64) int {
	if len(scores) == 1 {
		if a.number(scores[0]) > 0.5 {
			return 1
		}
		return 0
	}
	best := 0
	for k := range scores {
		if a.number(scores[k]) > a.number(scores[best]) {
			best = k
		}
	}
	return best
}

// number is a score in the precision of the model.
func (a *Answer) number(x float64) float64 {
	if a != nil && a.Single {
		return float64(float32(x))
	}
	return x
}

// appendKey writes a member's name, after a comma unless it is the first.
func appendKey(b []byte, i int, name string) []byte {
	if i > 0 {
		b = append(b, ", "...)
	}
	quoted, err := json.Marshal(name)
	if err != nil { // a text always can be written
		quoted = []byte(`""`)
	}
	return append(append(b, quoted...), ": "...)
}

// appendNumber writes a float as Python's json does: the shortest digits that read back
// the same, with a point. What JSON cannot hold is null.
func appendNumber(b []byte, x float64) []byte {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return append(b, "null"...)
	}
	size := math.Abs(x)
	if size != 0 && (size < 1e-4 || size >= 1e16) {
		return strconv.AppendFloat(b, x, 'e', -1, 64)
	}
	from := len(b)
	b = strconv.AppendFloat(b, x, 'f', -1, 64)
	if slices.Contains(b[from:], '.') {
		return b
	}
	return append(b, ".0"...)
}
