// SPDX-License-Identifier: Apache-2.0

package oip

import (
	"math"
	"strconv"

	"flyball/fault"
)

// numbers reads the elements into out, which has count places, row by row, of a tensor
// that fits. A missing one is NaN. Integers beyond 2^53 are rounded, as every number is a float64 from here on. A
// tensor of BYTES holds no numbers.
func (t *tensor) numbers(out []float64) error {
	switch {
	case t.datatype == texts:
		return t.bad("it is BYTES, and numbers are asked for").Do("send FP64, FP32, an integer type or BOOL")
	case t.json != nil && t.flatNumbers(out):
		return nil
	case t.json != nil: // nested, or wrong: then this says how
		return t.walk(func(s *scanner, i int) (err error) {
			out[i], err = t.jsonNumber(s, i)
			return err
		})
	case t.typed != nil:
		return t.typedNumbers(out)
	}
	return t.rawNumbers(out)
}

// flatNumbers reads a flat array, as most are; false when it is anything else.
func (t *tensor) flatNumbers(out []float64) bool {
	s := scanner{b: t.json}
	if !s.take('[') {
		return false
	}
	for i := range out {
		if i > 0 && !s.take(',') || s.peek() == '[' {
			return false
		}
		var err error
		if out[i], err = t.jsonNumber(&s, i); err != nil {
			return false
		}
	}
	return s.take(']') && s.peek() == 0
}

// words reads the elements of a tensor that fits as text; null tells which are missing, and is nil when none
// is. Integers are text too: keys are often sent as such.
func (t *tensor) words() (out []string, null []bool, err error) {
	_, _, integer := t.datatype.integer()
	if t.datatype != texts && !integer {
		return nil, nil, t.bad("it is %s, and text is asked for", t.datatype).Do("send BYTES")
	}
	switch {
	case t.json != nil:
		out = make([]string, t.count)
		err = t.walk(func(s *scanner, i int) error { return t.jsonWord(s, i, out, &null) })
	case integer:
		out = t.integers()
	case t.typed != nil:
		out, err = t.typedWords()
	default:
		out, err = t.rawWords()
	}
	return out, null, err
}

// walk calls visit for each element of the JSON, flat or nested as the shape is.
func (t *tensor) walk(visit func(s *scanner, i int) error) error {
	w := walker{scanner: scanner{b: t.json}, t: t, visit: visit}
	var err error
	if first := (&scanner{b: t.json, at: 1}).peek(); first == '[' {
		err = w.nested(0)
	} else {
		err = w.flat(t.count, "its shape asks for")
	}
	if err != nil {
		return err
	}
	if w.peek() != 0 {
		return t.bad("something follows its data")
	}
	return nil
}

// fits refuses data that cannot hold as many elements as the shape says, so that what is
// given room for is never much more than what was sent.
func (t *tensor) fits() error {
	switch size := t.datatype.size(); {
	case t.json != nil:
		if t.count > len(t.json)/2 { // a byte for each and one between two
			return t.bad("its shape %v asks for more elements than its data has", t.shape)
		}
	case t.typed != nil:
		return t.counted(typedLen(t.typed, t.datatype))
	case t.alone:
	case t.datatype == texts && len(t.raw)/size < t.count:
		return t.bad("its data has %d bytes, too few for %d elements of BYTES", len(t.raw), t.count)
	case t.datatype != texts && len(t.raw) != size*t.count:
		return t.bad("its data has %d bytes; %d elements of %s are %d", len(t.raw), t.count, t.datatype, size*t.count)
	}
	return nil
}

type walker struct {
	scanner
	t     *tensor
	visit func(s *scanner, i int) error
	i     int // of the next element
}

// flat reads an array of n elements.
func (w *walker) flat(n int, why string) error {
	from := w.i
	err := w.items(func(int) error {
		if w.i-from == n {
			return w.wrongLength(from, n+1, n, why)
		}
		if err := w.visit(&w.scanner, w.i); err != nil {
			return err
		}
		w.i++
		return nil
	})
	if err == nil && w.i-from != n {
		return w.wrongLength(from, w.i-from, n, why)
	}
	return err
}

func (w *walker) wrongLength(from, got, want int, why string) error {
	more := ""
	if got > want {
		more = " or more"
	}
	if want == w.t.count {
		return w.t.bad("its data has %d elements%s, %s %d", got, more, why, want)
	}
	return w.t.wrong(from, "there are %d elements%s, %s %d", got, more, why, want)
}

// nested reads arrays inside arrays, as many as dimension dim of the shape says.
func (w *walker) nested(dim int) error {
	shape := w.t.shape
	if dim == len(shape)-1 {
		return w.flat(int(shape[dim]), "its shape asks for")
	}
	n := 0
	err := w.items(func(i int) error {
		if n = i + 1; n > int(shape[dim]) {
			return w.t.bad("its data is longer than its shape %v", shape)
		}
		if w.peek() != '[' {
			return w.t.wrong(min(w.i, w.t.count-1), "an array should be here, since the data is nested")
		}
		return w.nested(dim + 1)
	})
	if err == nil && n != int(shape[dim]) {
		return w.t.bad("its data is shorter than its shape %v", shape)
	}
	return err
}

// jsonNumber reads element i of a tensor of numbers.
func (t *tensor) jsonNumber(s *scanner, i int) (float64, error) {
	n := s.number()
	if n == nil {
		return t.jsonOther(s, i)
	}
	switch t.datatype {
	case fp64:
		v, err := strconv.ParseFloat(string(n), 64)
		if err != nil {
			return 0, t.wrong(i, "%s is no FP64", clip(n))
		}
		return v, nil
	case fp32:
		v, err := strconv.ParseFloat(string(n), 32)
		if err != nil {
			return 0, t.wrong(i, "%s is no FP32", clip(n))
		}
		return v, nil
	case fp16, bf16:
		return 0, t.bad("%s has no form in JSON that all agree on", t.datatype).Do("send it as a binary tensor, or as FP32")
	case boolean:
		if len(n) == 1 && n[0] <= '1' {
			return float64(n[0] - '0'), nil
		}
		return 0, t.wrong(i, "%s is no BOOL", clip(n))
	}
	text, err := t.whole(n)
	if err != nil {
		return 0, t.wrong(i, "%s is no %s", clip(n), t.datatype)
	}
	return strconv.ParseFloat(text, 64)
}

// jsonOther reads what is no number: a truth value, or null for one that is missing.
func (t *tensor) jsonOther(s *scanner, i int) (float64, error) {
	switch c := s.peek(); {
	case s.word("null"):
		if t.datatype == fp32 || t.datatype == fp64 {
			return math.NaN(), nil
		}
		return 0, t.wrong(i, "null is no %s", t.datatype).Do("send FP64 or FP32, where null says that a value is missing")
	case t.datatype == boolean && s.word("true"):
		return 1, nil
	case t.datatype == boolean && s.word("false"):
		return 0, nil
	case c == '[':
		return 0, t.wrong(i, "the data is nested deeper than its shape %v", t.shape)
	}
	e := s.broken("an element of type " + t.datatype.String())
	e.What = quoted("input", t.name) + ", row " + itoa(t.at(i)) + ": " + e.What
	return 0, e
}

// whole is an integer as text, when the datatype can hold it. 1.0 and 1e3 are integers.
func (t *tensor) whole(n []byte) (string, error) {
	low, high, _ := t.datatype.integer()
	if n[0] == '-' {
		if v, err := strconv.ParseInt(string(n), 10, 64); err == nil && v >= low {
			return strconv.FormatInt(v, 10), nil
		}
	} else if v, err := strconv.ParseUint(string(n), 10, 64); err == nil && v <= high {
		return strconv.FormatUint(v, 10), nil
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 || f < float64(low) || f > float64(high) {
		return "", fault.New(fault.Invalid, "%s is no %s", n, t.datatype)
	}
	return strconv.FormatInt(int64(f), 10), nil
}

// jsonWord reads element i of a tensor of text.
func (t *tensor) jsonWord(s *scanner, i int, out []string, null *[]bool) error {
	if t.datatype != texts {
		n := s.number()
		if n == nil {
			_, err := t.jsonOther(s, i)
			return err
		}
		v, err := t.whole(n)
		if err != nil {
			return t.wrong(i, "%s is no %s", clip(n), t.datatype)
		}
		out[i] = v
		return nil
	}
	if s.word("null") {
		if *null == nil {
			*null = make([]bool, t.count)
		}
		(*null)[i] = true
		return nil
	}
	v, err := s.text()
	if err != nil {
		e := s.broken("a text")
		e.What = quoted("input", t.name) + ", row " + itoa(t.at(i)) + ": " + e.What
		return e
	}
	out[i] = string(v)
	return nil
}
