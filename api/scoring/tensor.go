// SPDX-License-Identifier: Apache-2.0

package scoring

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"

	"flyball/data/frame"
	"flyball/model/mlmodel"
)

// tensor is numbers with a shape, row by row.
type tensor struct {
	shape  []int
	values []float64
}

// readTensor reads lists inside lists, all as long as their neighbours. Where numeric is
// false the values are looked at and not read.
func readTensor(src text, s span, numeric bool) (*tensor, error) {
	out := &tensor{}
	for at := s; src.kind(at) == '['; {
		n := 0
		var first span
		for item := range src.items(at) {
			if n == 0 {
				first = item
			}
			n++
		}
		out.shape = append(out.shape, n)
		at = first
	}
	if len(out.shape) == 0 {
		return nil, invalidInput("The data is a %s, not a list.", src.python(s))
	}
	row := -1
	return out, out.read(src, s, 0, numeric, &row)
}

func (t *tensor) read(src text, s span, depth int, numeric bool, row *int) error {
	if depth == len(t.shape) {
		if src.kind(s) == '[' {
			return invalidInput("row %d: setting an array element with a sequence.", max(*row, 0))
		}
		if !numeric {
			return nil
		}
		x, why := floatOf(src, s)
		if why != "" {
			return invalidInput("row %d: %s", max(*row, 0), why)
		}
		t.values = append(t.values, x)
		return nil
	}
	if src.kind(s) != '[' {
		return invalidInput("row %d: setting an array element with a sequence.", max(*row, 0))
	}
	n := 0
	for item := range src.items(s) {
		if depth == 0 {
			*row = n
		}
		if n++; n > t.shape[depth] {
			break
		}
		if err := t.read(src, item, depth+1, numeric, row); err != nil {
			return err
		}
	}
	if n != t.shape[depth] {
		return invalidInput("row %d: the lists have different lengths.", max(*row, 0))
	}
	return nil
}

// fits checks the shape against that of the signature.
func (t *tensor) fits(s mlmodel.Schema, want mlmodel.Tensor) error {
	ok := len(t.shape) == len(want.Shape)
	for i := 0; ok && i < len(want.Shape); i++ {
		ok = want.Shape[i] < 0 || want.Shape[i] == t.shape[i] || t.shape[0] == 0 && i > 0
	}
	if !ok && !(len(t.shape) == 1 && t.shape[0] == 0) {
		return unenforced(s.String(), "Shape of input %s does not match expected shape %s.", mlmodel.Shape(t.shape), mlmodel.Shape(want.Shape))
	}
	return nil
}

// numericTensor reports whether numpy's type is one of numbers.
func numericTensor(dtype string) bool {
	return slices.ContainsFunc([]string{"float", "int", "uint", "bool"}, func(p string) bool { return strings.HasPrefix(dtype, p) })
}

// matrix is a table's rows as lists inside a list, as text.
func matrix(t *table) text {
	b := []byte{'['}
	for i := range t.rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '[')
		for k := range t.cells {
			if k > 0 {
				b = append(b, ',')
			}
			if s := t.cells[k][i]; t.src.null(s) {
				b = append(b, "null"...)
			} else {
				b = append(b, t.src.bytes(s)...)
			}
		}
		b = append(b, ']')
	}
	return append(b, ']')
}

// enforceTensor is a request for a model whose signature is one tensor without a name.
func enforceTensor(r *request, s mlmodel.Schema, fields []frame.Field, own bool) (*asked, error) {
	want := s.Tensors[0]
	src, data := r.src, r.data
	switch {
	case r.table != nil:
		src = matrix(r.table)
		data = src.whole()
	case src.kind(data) != '[':
		return nil, invalidInput("Failed to parse input data. This model contains an un-named model signature which expects a single n-dimensional array or a single value as input, however, an input of type <class '%s'> was found.", src.python(data))
	}
	t, err := readTensor(src, data, numericTensor(want.Type))
	if err != nil {
		return nil, err
	}
	if err := t.fits(s, want); err != nil {
		return nil, err
	}
	out := &asked{rows: t.shape[0]}
	if own {
		out.body = inputsBody(src.bytes(data))
		return out, nil
	}
	return out, out.matrix(t, fields, want.Type == "float32")
}

// matrix gives the numbers to the model's columns by their places.
func (a *asked) matrix(t *tensor, fields []frame.Field, single bool) error {
	width := 1
	for _, n := range t.shape[1:] {
		width *= n
	}
	if t.shape[0] == 0 {
		width = len(fields)
	}
	if len(t.shape) != 2 && t.shape[0] != 0 || width != len(fields) {
		return badRequest("%s Error: %d columns in a row, and the model takes %d", unfit, width, len(fields))
	}
	cols := make([]frame.Column, len(fields))
	for k, f := range fields {
		if f.Kind != frame.Number {
			return badRequest("%s Error: the model takes column %s as a %s; send rows with names", unfit, clip(f.Name), f.Kind)
		}
		num := make([]float64, t.shape[0])
		for i := range num {
			num[i] = t.values[i*width+k]
			if x := float64(float32(num[i])); single && !(math.IsInf(x, 0) && !math.IsInf(num[i], 0)) {
				num[i] = x
			}
		}
		cols[k] = frame.NumberColumn(f.Name, num)
	}
	a.frame = frame.WithRows(t.shape[0], cols...)
	return nil
}

// enforceTensors is a request for a model whose signature is tensors with names.
func enforceTensors(r *request, s mlmodel.Schema) (*asked, error) {
	out := &asked{rows: -1}
	if r.table != nil {
		if err := namesIn(s, r.table.has); err != nil {
			return nil, err
		}
		out.rows, out.body = r.table.rows, rawBody(r.table)
		return out, nil
	}
	given := map[string]span{}
	if r.src.kind(r.data) == '{' {
		maps.Insert(given, r.src.members(r.data))
	} else if len(s.Tensors) == 1 {
		given[s.Tensors[0].Name] = r.data
	}
	if err := namesIn(s, func(n string) bool { _, ok := given[n]; return ok }); err != nil {
		return nil, err
	}
	b := []byte{'{'}
	for i, want := range s.Tensors {
		t, err := readTensor(r.src, given[want.Name], numericTensor(want.Type))
		if err == nil {
			err = t.fits(s, want)
		}
		if err != nil {
			return nil, err
		}
		if out.rows = t.shape[0]; i > 0 {
			b = append(b, ',')
		}
		b = append(append(appendText(b, want.Name), ':'), r.src.bytes(given[want.Name])...)
	}
	out.body = inputsBody(append(b, '}'))
	return out, nil
}

func namesIn(s mlmodel.Schema, has func(string) bool) error {
	var missing []string
	for _, t := range s.Tensors {
		if !has(t.Name) {
			missing = append(missing, "'"+clip(t.Name)+"'")
		}
	}
	if len(missing) > 0 {
		return unenforced(s.String(), "Model is missing inputs [%s].", strings.Join(missing, ", "))
	}
	return nil
}

func inputsBody(raw []byte) json.RawMessage {
	return append(append([]byte(`{"inputs":`), raw...), '}')
}
