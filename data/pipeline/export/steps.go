// SPDX-License-Identifier: Apache-2.0

package export

import (
	"encoding/binary"
	"math"
	"strconv"

	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/fault"
)

// other is the one_hot column of the categories without one of their own.
const other = "other"

// input declares an input and lets it stand as a column.
func (w *writer) input(f frame.Field) {
	c := column{Field: f, at: f.Name}
	if w.rows == "" {
		w.rows = f.Name
	}
	switch f.Kind {
	case frame.Number:
		w.inputs = message(w.inputs, 11, declare(f.Name, float64Kind, "rows", 1))
		w.whole[f.Name] = true
		c.at = w.finite(f.Name)
	case frame.Time:
		w.inputs = message(w.inputs, 11, declare(f.Name, int64Kind, "rows", 1))
		c.missing = w.node("Equal", f.Name, w.wholes(frame.NoTime))
	default:
		w.inputs = message(w.inputs, 11, declare(f.Name, textKind, "rows", 1))
		c.missing = missingOf(f.Name)
		// A constant of an input's name is what it is where the caller leaves it out.
		w.inputs = message(w.inputs, 11, declare(c.missing, boolKind, c.missing+" rows", 1))
		w.constants = message(w.constants, 5, text(message(tensor(boolKind, []int{1, 1}), 9, []byte{0}), 8, c.missing))
	}
	w.columns, w.origins = append(w.columns, c), append(w.origins, c)
}

// output puts the columns side by side and casts them, once. Whatever is not finite
// becomes the one NaN.
func (w *writer) output(columns []column) {
	in := make([]string, len(columns))
	for k, c := range columns {
		in[k] = c.at
	}
	all := w.cast(w.add("", "Concat", []attr{{"axis", 1}}, in), float32Kind)
	bad := w.node("Or", w.node("IsNaN", all), w.node("IsInf", all))
	missing := w.constant(float32Kind, []byte{0, 0, 0xc0, 0x7f}, 1, 1)
	body := text(text(text(text(nil, 1, bad), 1, missing), 1, all), 2, w.out)
	w.nodes = message(w.nodes, 1, text(body, 4, "Where"))
}

// finite is x with NaN for an infinite value.
func (w *writer) finite(x string) string {
	out := w.node("Where", w.node("IsInf", x), w.reals(math.NaN()), x)
	w.whole[out] = w.whole[x]
	return out
}

// each is x for every row, where it may be one for all.
func (w *writer) each(x string) string {
	if w.whole[x] {
		return x
	}
	out := w.node("Expand", x, w.node("Shape", w.rows))
	w.whole[out] = true
	return out
}

// pick is a where yes says so, else b, both float64. It is not Where, which in onnxruntime
// makes 0 of a negative zero that is picked from a.
func (w *writer) pick(yes, a, b string) string {
	at := w.node("Sub", w.wholes(1), w.cast(w.each(yes), int64Kind))
	both := w.add("", "Concat", []attr{{"axis", 1}}, []string{w.each(a), w.each(b)})
	out := w.add("", "GatherElements", []attr{{"axis", 1}}, []string{both, at})
	w.whole[out] = true
	return out
}

// step writes one step.
func (w *writer) step(s pipeline.Step, st learned) error {
	in := make([]column, len(s.In))
	for k, name := range s.In {
		var err error
		if in[k], err = w.find(name); err != nil {
			return err
		}
	}
	switch s.Op {
	case "select":
		w.columns = in
		return nil
	case "interactions":
		for i, a := range in {
			for _, b := range in[i+1:] {
				name := a.Name + "*" + b.Name
				w.put("", name, numberColumn(name, w.finite(w.node("Mul", a.at, b.at))))
			}
		}
		return nil
	case "expr":
		x, err := w.expression(s.Expr)
		if err != nil {
			return err
		}
		w.put("", s.As, numberColumn(s.As, w.finite(x)))
		return nil
	}
	for k, c := range in {
		made, err := w.make(s, st, k, c)
		if err != nil {
			return err
		}
		w.put(c.Name, s.As, made...)
	}
	return nil
}

func numberColumn(name, at string) column {
	return column{Field: frame.Field{Name: name, Kind: frame.Number}, at: at}
}

// make is what a step makes of its k-th column.
func (w *writer) make(s pipeline.Step, st learned, k int, c column) ([]column, error) {
	name := c.Name
	if s.As != "" {
		name = s.As
	}
	one := func(at string) ([]column, error) { return []column{numberColumn(name, at)}, nil }
	switch s.Op {
	case "impute":
		if c.Kind == frame.Text {
			fill := w.word(st.Words[k])
			return []column{{frame.Field{Name: name, Kind: frame.Text}, w.node("Where", c.missing, fill, c.at), w.truth(false)}}, nil
		}
		return one(w.pick(w.node("IsNaN", c.at), w.reals(st.Fill[k]), c.at))
	case "scale":
		return one(w.finite(w.node("Div", w.node("Sub", c.at, w.reals(st.Center[k])), w.reals(st.Scale[k]))))
	case "clip":
		return one(w.clip(c.at, s.Min, s.Max))
	case "bucketize":
		return one(w.bucketize(c.at, st.Edges[k]))
	case "log":
		if s.Strategy == "log1p" {
			return one(w.finite(w.log1p(c.at)))
		}
		return one(w.finite(w.node("Log", c.at)))
	case "target_encode":
		return w.targetEncode(name, c, st.Kept[k], st.Means[k]), nil
	case "ordinal":
		place := w.cast(w.place(c, st.Kept[k]), float64Kind)
		return one(w.node("Where", c.missing, w.reals(math.NaN()), place))
	case "one_hot":
		return w.oneHot(name, c, st.Kept[k]), nil
	case "datetime":
		return w.datetime(s, name, c)
	}
	return nil, refuse("the operation "+s.Op, "ONNX has no operators for it")
}

func (w *writer) clip(x string, low, high *float64) string {
	if low != nil {
		x = w.pick(w.node("Less", x, w.reals(*low)), w.reals(*low), x)
	}
	if high != nil {
		x = w.pick(w.node("Greater", x, w.reals(*high)), w.reals(*high), x)
	}
	return x
}

// bucketize counts the edges at or below each value.
func (w *writer) bucketize(x string, edges []float64) string {
	missing := w.node("IsNaN", x)
	if len(edges) == 0 {
		return w.node("Where", missing, x, w.reals(0))
	}
	below := w.cast(w.node("LessOrEqual", w.reals(edges...), x), float64Kind)
	count := w.node("ReduceSum", below, w.constant(int64Kind, littleEndian([]int64{1}), 1))
	return w.node("Where", missing, x, count)
}

// place is the category's place: the last for the rare and the unseen. Of a missing one
// it is any.
func (w *writer) place(c column, kept []string) string {
	keys, values := kept, make([]int64, len(kept))
	for i := range kept {
		values[i] = int64(i)
	}
	if len(keys) == 0 { // there must be one
		keys, values = []string{""}, []int64{0}
	}
	return w.add("ai.onnx.ml", "LabelEncoder", []attr{
		{"keys_strings", keys}, {"values_int64s", values}, {"default_int64", len(kept)},
	}, []string{c.at})
}

func (w *writer) oneHot(name string, c column, kept []string) []column {
	at, there := w.place(c, kept), w.node("Not", c.missing)
	out := make([]column, 0, len(kept)+1)
	for i := range len(kept) + 1 {
		word := other
		if i < len(kept) {
			word = kept[i]
		}
		is := w.node("And", w.node("Equal", at, w.wholes(int64(i))), there)
		out = append(out, numberColumn(name+"="+word, w.cast(is, float64Kind)))
	}
	return out
}

// look is the value of a table for each place.
func (w *writer) look(table []float64, place string) string {
	raw := make([]byte, 0, 8*len(table))
	for _, x := range table {
		raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(x))
	}
	return w.node("Gather", w.constant(float64Kind, raw, len(table)), place)
}

// targetEncode is the mean of each category, then that of the unseen and of the missing.
func (w *writer) targetEncode(name string, c column, kept []string, means [][]float64) []column {
	place := w.node("Where", c.missing, w.wholes(int64(len(kept)+1)), w.place(c, kept))
	if len(means) == 1 {
		return []column{numberColumn(name, w.look(means[0], place))}
	}
	out := make([]column, len(means))
	for j := range means {
		out[j] = numberColumn(name+"_"+strconv.Itoa(j), w.look(means[j], place))
	}
	return out
}

// datetime writes the parts of the times, in UTC.
func (w *writer) datetime(s pipeline.Step, name string, c column) ([]column, error) {
	d := w.calendar(c.at)
	out := make([]column, 0, len(s.Parts))
	for _, part := range s.Parts {
		at, ok := d[part]
		if !ok {
			return nil, fault.New(fault.Refused, "the part %q is not known here", part)
		}
		there := func(x string) string { return w.node("Where", c.missing, w.reals(math.NaN()), x) }
		if s.Cyclic {
			sin, cos := circle(periods[part])
			out = append(out, numberColumn(name+"_"+part+"_sin", there(w.look(sin, at))), numberColumn(name+"_"+part+"_cos", there(w.look(cos, at))))
			continue
		}
		out = append(out, numberColumn(name+"_"+part, there(w.cast(at, float64Kind))))
	}
	return out, nil
}
