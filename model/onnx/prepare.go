// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"math"

	"flyball/fault"
)

// eachColumn makes a float32 array of the shape of x by f of each element and its column.
func eachColumn(e *session, x *tensor, f func(v float64, col int) float64) (*tensor, error) {
	v, err := e.asFloat64(x)
	if err != nil {
		return nil, err
	}
	t, to, err := make1[float32](e, x.shape...)
	if err != nil {
		return nil, err
	}
	cols := 1
	if len(x.shape) > 0 {
		cols = max(x.shape[len(x.shape)-1], 1)
	}
	for i, y := range v {
		to[i] = float32(f(y, i%cols))
	}
	return t, nil
}

// perColumn is a list with one number for each column or for all.
func perColumn(name string, v []float32, x *tensor) (func(col int) float64, error) {
	cols := 1
	if len(x.shape) > 0 {
		cols = x.shape[len(x.shape)-1]
	}
	switch len(v) {
	case cols:
		return func(col int) float64 { return float64(v[col]) }, nil
	case 1:
		return func(int) float64 { return float64(v[0]) }, nil
	}
	return nil, fault.New(fault.Invalid, "rows of %d columns meet %d numbers of %s", cols, len(v), name)
}

// buildScaler is (x - offset) · scale.
func buildScaler(n *site) (op, error) {
	offset, scale := n.floats("offset"), n.floats("scale")
	if len(offset) == 0 {
		offset = []float32{0}
	}
	if len(scale) == 0 {
		scale = []float32{1}
	}
	return func(e *session, in, out []*tensor) error {
		o, err := perColumn("offset", offset, in[0])
		if err != nil {
			return err
		}
		s, err := perColumn("scale", scale, in[0])
		if err != nil {
			return err
		}
		out[0], err = eachColumn(e, in[0], func(v float64, col int) float64 { return (v - o(col)) * s(col) })
		return err
	}, nil
}

// buildBinarizer is 1 above the threshold, else 0.
func buildBinarizer(n *site) (op, error) {
	threshold := float64(n.float("threshold", 0))
	return func(e *session, in, out []*tensor) (err error) {
		x := in[0]
		above := unary{
			real:  func(v float64) float64 { return one[float64](v > threshold) },
			whole: func(v int64) int64 { return one[int64](float64(v) > threshold) },
		}
		return above.op()(e, []*tensor{x}, out)
	}, nil
}

// buildNormalizer divides each row by its greatest value, the sum of its absolute values
// or its length. A row where that is 0 stays.
func buildNormalizer(n *site) (op, error) {
	norm := n.text("norm", "MAX")
	if norm != "MAX" && norm != "L1" && norm != "L2" {
		return nil, refuse("the norm %q", norm)
	}
	return func(e *session, in, out []*tensor) error {
		x := in[0]
		v, err := e.asFloat64(x)
		if err != nil {
			return err
		}
		t, to, err := make1[float32](e, x.shape...)
		if err != nil {
			return err
		}
		rows, cols := x.rows()
		for i := range rows {
			row, by := v[i*cols:(i+1)*cols], 0.0
			switch norm {
			case "MAX":
				by = maxOf(row)
			case "L1":
				by = absOf(row)
			default:
				by = lengthOf(row)
			}
			if by == 0 {
				by = 1
			}
			for j, y := range row {
				to[i*cols+j] = float32(y / by)
			}
		}
		out[0] = t
		return nil
	}, nil
}

// buildImputer puts a value, for each column or for all, where one is missing: where it
// equals what the attribute says, which may be NaN.
func buildImputer(n *site) (op, error) {
	floats, missing := n.floats("imputed_value_floats"), n.float("replaced_value_float", 0)
	ints, missingInt := n.ints("imputed_value_int64s"), n.int("replaced_value_int64", 0)
	return func(e *session, in, out []*tensor) (err error) {
		switch x := in[0]; x.kind {
		case float32Kind:
			out[0], err = imputed(e, x, floats, missing)
		case float64Kind:
			out[0], err = imputed(e, x, widened(floats), float64(missing))
		case int64Kind:
			out[0], err = imputed(e, x, ints, missingInt)
		default:
			err = refuseKind(x.kind)
		}
		return err
	}, nil
}

func imputed[T float32 | float64 | int64](e *session, x *tensor, with []T, missing T) (*tensor, error) {
	cols := 1
	if len(x.shape) > 0 {
		cols = max(x.shape[len(x.shape)-1], 1)
	}
	if len(with) != 1 && len(with) != cols {
		return nil, fault.New(fault.Invalid, "rows of %d columns meet %d values for what is missing", cols, len(with))
	}
	t, to, err := make1[T](e, x.shape...)
	if err != nil {
		return nil, err
	}
	for i, v := range data[T](x) {
		if v == missing || (math.IsNaN(float64(v)) && math.IsNaN(float64(missing))) {
			v = with[i%cols%len(with)]
		}
		to[i] = v
	}
	return t, nil
}

// buildVectorizer is FeatureVectorizer: the columns of all inputs side by side.
func buildVectorizer(n *site) (op, error) {
	widths := n.ints("inputdimensions")
	return func(e *session, in, out []*tensor) error {
		if len(widths) != len(in) {
			return fault.New(fault.Invalid, "FeatureVectorizer has %d inputs and %d widths", len(in), len(widths))
		}
		rows, wide := 0, 0
		for i, x := range in {
			if x == nil {
				return fault.New(fault.Invalid, "FeatureVectorizer lacks input %d", i)
			}
			r, c := x.rows()
			if len(x.shape) == 1 && int64(c) != widths[i] {
				r, c = c, 1
			}
			if int64(c) != widths[i] || (i > 0 && r != rows) {
				return fault.New(fault.Invalid, "FeatureVectorizer has an input of the shape %v for %d columns", x.shape, widths[i])
			}
			rows, wide = r, wide+c
		}
		t, to, err := make1[float32](e, rows, wide)
		if err != nil {
			return err
		}
		at := 0
		for i, x := range in {
			v, err := e.asFloat64(x)
			if err != nil {
				return err
			}
			c := int(widths[i])
			for r := range rows {
				for j := range c {
					to[r*wide+at+j] = float32(v[r*c+j])
				}
			}
			at += c
		}
		out[0] = t
		return nil
	}, nil
}

// lookup finds places by text or number. NaN is found as NaN.
type lookup struct {
	texts map[string]int
	ints  map[int64]int
	reals map[float64]int
	nan   int // place of NaN; -1: not there
	by    kind
}

func newLookup() *lookup { return &lookup{nan: -1} }

func byText(keys []string) *lookup {
	l := newLookup()
	l.by, l.texts = textKind, make(map[string]int, len(keys))
	for i, k := range keys {
		if _, ok := l.texts[k]; !ok {
			l.texts[k] = i
		}
	}
	return l
}

func byInt(keys []int64) *lookup {
	l := newLookup()
	l.by, l.ints = int64Kind, make(map[int64]int, len(keys))
	for i, k := range keys {
		if _, ok := l.ints[k]; !ok {
			l.ints[k] = i
		}
	}
	return l
}

func byReal(keys []float64) *lookup {
	l := newLookup()
	l.by, l.reals = float64Kind, make(map[float64]int, len(keys))
	for i, k := range keys {
		if math.IsNaN(k) && l.nan < 0 {
			l.nan = i
		} else if _, ok := l.reals[k]; !ok {
			l.reals[k] = i
		}
	}
	return l
}

// places are where the elements of x stand among the keys, -1 for one that does not.
func (l *lookup) places(e *session, x *tensor) ([]int, error) {
	out, err := e.index(x.shape)
	if err != nil {
		return nil, err
	}
	switch {
	case x.kind == textKind && l.by == textKind:
		fill(out, x.texts, l.texts)
	case x.kind == int64Kind && l.by == int64Kind:
		fill(out, x.i64, l.ints)
	case x.kind != textKind && l.by == int64Kind:
		for i, v := range x.toFloat64() {
			out[i] = place(l.ints, wholeOf(v))
		}
	case x.kind != textKind && l.by == float64Kind:
		for i, v := range x.toFloat64() {
			if out[i] = l.nan; v == v {
				out[i] = place(l.reals, v)
			}
		}
	default:
		return nil, refuse("elements of type %s looked up among %ss", x.kind, l.by)
	}
	return out, nil
}

func fill[K comparable](out []int, v []K, in map[K]int) {
	for i, k := range v {
		out[i] = place(in, k)
	}
}

func place[K comparable](in map[K]int, k K) int {
	if i, ok := in[k]; ok {
		return i
	}
	return -1
}
