// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"slices"

	"flyball/fault"
)

// buildOneHotEncoder gives each category a column. One that is not known has none, or is
// an Invalid fault where zeros is 0.
func buildOneHotEncoder(n *site) (op, error) {
	texts, ints, zeros := n.texts("cats_strings"), n.ints("cats_int64s"), n.int("zeros", 1) != 0
	l, count := byInt(ints), len(ints)
	if len(texts) > 0 {
		l, count = byText(texts), len(texts)
	}
	if count == 0 {
		return nil, fault.New(fault.Invalid, "OneHotEncoder has no categories").Do("write the model again")
	}
	return func(e *session, in, out []*tensor) error {
		at, err := l.places(e, in[0])
		if err != nil {
			return err
		}
		t, to, err := make1[float32](e, slices.Concat(in[0].shape, []int{count})...)
		if err != nil {
			return err
		}
		clear(to)
		for i, p := range at {
			switch {
			case p >= 0:
				to[i*count+p] = 1
			case !zeros:
				return fault.New(fault.Invalid, "row %d has a category that the model does not know", i)
			}
		}
		out[0] = t
		return nil
	}, nil
}

// buildOneHot is OneHot of the base operators: a one at the place that a number tells.
func buildOneHot(n *site) (op, error) {
	along := int(n.int("axis", -1))
	return func(e *session, in, out []*tensor) error {
		depth := in[1].toFloat64()
		if len(depth) != 1 || in[2].len() != 2 || in[0].kind == textKind || !(depth[0] >= 1 && depth[0] < 1<<30) {
			return fault.New(fault.Invalid, "OneHot has no depth or no two values")
		}
		d := int(depth[0])
		a, err := axis(along, len(in[0].shape)+1)
		if err != nil {
			return err
		}
		shape := slices.Insert(slices.Clone(in[0].shape), a, d)
		from, err := e.index(shape)
		if err != nil {
			return err
		}
		clear(from)
		inner := size(in[0].shape[a:])
		for i, v := range in[0].toFloat64() {
			p := int(v)
			if p < 0 {
				p += d
			}
			if p >= 0 && p < d {
				from[(i/inner*d+p)*inner+i%inner] = 1
			}
		}
		out[0], err = moved(e, in[2], shape, from)
		return err
	}, nil
}

// buildCategoryMapper turns texts to numbers, or numbers to texts.
func buildCategoryMapper(n *site) (op, error) {
	texts, ints := n.texts("cats_strings"), n.ints("cats_int64s")
	if len(texts) != len(ints) {
		return nil, fault.New(fault.Invalid, "CategoryMapper has %d texts for %d numbers", len(texts), len(ints)).Do("write the model again")
	}
	m := &mapper{
		byText: byText(texts), byInt: byInt(ints), texts: texts, ints: ints,
		noText: n.text("default_string", "_Unused"), noInt: n.int("default_int64", -1),
	}
	return m.op, nil
}

// mapper is a list of pairs of text and number.
type mapper struct {
	byText, byInt *lookup
	texts         []string
	ints          []int64
	noText        string
	noInt         int64
}

func (m *mapper) op(e *session, in, out []*tensor) error {
	x := in[0]
	if x.kind == textKind {
		at, err := m.byText.places(e, x)
		if err != nil {
			return err
		}
		out[0], err = taken(e, x.shape, at, m.ints, m.noInt)
		return err
	}
	at, err := m.byInt.places(e, x)
	if err != nil {
		return err
	}
	out[0], err = taken(e, x.shape, at, m.texts, m.noText)
	return err
}

// taken is the values at the places, absent where there is none.
func taken[T element](e *session, shape, at []int, values []T, absent T) (*tensor, error) {
	t, to, err := make1[T](e, shape...)
	if err != nil {
		return nil, err
	}
	for i, p := range at {
		if to[i] = absent; p >= 0 {
			to[i] = values[p]
		}
	}
	return t, nil
}

// buildLabelEncoder puts values in the place of keys.
func buildLabelEncoder(n *site) (op, error) {
	if n.version < 2 {
		texts := n.texts("classes_strings")
		ints := make([]int64, len(texts))
		for i := range ints {
			ints[i] = int64(i)
		}
		m := &mapper{
			byText: byText(texts), byInt: byInt(ints), texts: texts, ints: ints,
			noText: n.text("default_string", "_Unused"), noInt: n.int("default_int64", -1),
		}
		return m.op, nil
	}
	keys, count := labelKeys(n)
	value, values := labelValues(n)
	if count == 0 || count != values {
		return nil, fault.New(fault.Invalid, "LabelEncoder has %d keys for %d values", count, values).Do("write the model again")
	}
	return func(e *session, in, out []*tensor) error {
		at, err := keys.places(e, in[0])
		if err != nil {
			return err
		}
		out[0], err = value(e, in[0].shape, at)
		return err
	}, nil
}

func labelKeys(n *site) (l *lookup, count int) {
	texts, ints, floats, t := n.texts("keys_strings"), n.ints("keys_int64s"), n.floats("keys_floats"), n.tensor("keys_tensor")
	if t != nil {
		switch t.kind {
		case textKind:
			texts = t.texts
		case int64Kind:
			ints = t.i64
		default:
			return byReal(t.toFloat64()), t.len()
		}
	}
	switch {
	case len(texts) > 0:
		return byText(texts), len(texts)
	case len(ints) > 0:
		return byInt(ints), len(ints)
	}
	return byReal(widened(floats)), len(floats)
}

// labelValues is what makes the tensor of values, and how many values there are.
func labelValues(n *site) (take func(e *session, shape, at []int) (*tensor, error), count int) {
	texts, ints, floats := n.texts("values_strings"), n.ints("values_int64s"), n.floats("values_floats")
	noText, noInt, noFloat := n.text("default_string", "_Unused"), n.int("default_int64", -1), n.float("default_float", 0)
	t, absent := n.tensor("values_tensor"), n.tensor("default_tensor")
	if t != nil {
		if absent != nil && (absent.kind != t.kind || absent.len() != 1) {
			n.err = fault.New(fault.Invalid, "LabelEncoder has a default of another kind than its values")
			return nil, 0
		}
		switch t.kind {
		case textKind:
			texts, noText = t.texts, or(absent, noText)
		case int64Kind:
			ints, noInt = t.i64, or(absent, noInt)
		case float32Kind:
			floats, noFloat = t.f32, or(absent, noFloat)
		case float64Kind:
			none := or(absent, 0.0)
			return func(e *session, shape, at []int) (*tensor, error) { return taken(e, shape, at, t.f64, none) }, t.len()
		default:
			n.err = refuseKind(t.kind)
			return nil, 0
		}
	}
	switch {
	case len(texts) > 0:
		return func(e *session, shape, at []int) (*tensor, error) { return taken(e, shape, at, texts, noText) }, len(texts)
	case len(ints) > 0:
		return func(e *session, shape, at []int) (*tensor, error) { return taken(e, shape, at, ints, noInt) }, len(ints)
	}
	return func(e *session, shape, at []int) (*tensor, error) { return taken(e, shape, at, floats, noFloat) }, len(floats)
}

// or is the one element of t, or v where there is no t.
func or[T element](t *tensor, v T) T {
	if t == nil {
		return v
	}
	return data[T](t)[0]
}
