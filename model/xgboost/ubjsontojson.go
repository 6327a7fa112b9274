// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"encoding/json"
	"math"
	"strconv"
)

// FromUBJSON turns a model that XGBoost wrote as UBJSON into the same model as JSON,
// for what reads nothing else; Decode reads both. What is no UBJSON is an Invalid
// fault. Memory is bounded by a multiple of len(b).
func FromUBJSON(b []byte) ([]byte, error) {
	r := &ubjson{cursor: cursor{in: b, what: "UBJSON"}}
	r.next = r.mark()
	w := respeller{r: r, out: make([]byte, 0, 2*len(b))}
	w.value(0)
	if err := r.end(); err != nil {
		return nil, err
	}
	return w.out, nil
}

// respeller writes what it reads as JSON.
type respeller struct {
	r   *ubjson
	out []byte
}

func (w *respeller) value(depth int) {
	r := w.r
	if depth > maxDepth {
		r.fail("it is nested too deeply")
	}
	if r.bad != "" {
		return
	}
	switch mark := r.next; mark {
	case 'S':
		w.text(r.text())
	case '[':
		w.out = append(w.out, '[')
		n := 0
		r.list(func() { w.comma(n); n++; w.value(depth + 1) })
		w.out = append(w.out, ']')
	case '{':
		w.out = append(w.out, '{')
		n := 0
		r.object(func(key string) {
			w.comma(n)
			n++
			w.text(key)
			w.out = append(w.out, ':')
			w.value(depth + 1)
		})
		w.out = append(w.out, '}')
	default:
		r.next = 0
		w.scalar(mark)
	}
}

func (w *respeller) scalar(mark byte) {
	switch mark {
	case 'Z':
		w.out = append(w.out, "null"...)
	case 'T':
		w.out = append(w.out, "true"...)
	case 'F':
		w.out = append(w.out, "false"...)
	case 'd':
		w.float(w.r.number(mark), 32)
	case 'D':
		w.float(w.r.number(mark), 64)
	case 'i', 'U', 'I', 'l', 'L':
		w.out = strconv.AppendInt(w.out, w.r.whole(mark), 10)
	default:
		w.r.fail("there is a type that XGBoost does not write")
	}
}

func (w *respeller) comma(n int) {
	if n > 0 {
		w.out = append(w.out, ',')
	}
}

func (w *respeller) text(s string) {
	raw, err := json.Marshal(s)
	if err != nil {
		w.r.fail("a text cannot be written")
	}
	w.out = append(w.out, raw...)
}

// float writes a number with an exponent, as XGBoost tells floats from whole numbers,
// and what is not finite as XGBoost spells it.
func (w *respeller) float(x float64, bits int) {
	switch {
	case math.IsNaN(x):
		w.out = append(w.out, "NaN"...)
	case math.IsInf(x, 1):
		w.out = append(w.out, "Infinity"...)
	case math.IsInf(x, -1):
		w.out = append(w.out, "-Infinity"...)
	default:
		w.out = strconv.AppendFloat(w.out, x, 'E', -1, bits)
	}
}
