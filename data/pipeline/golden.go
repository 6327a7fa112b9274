// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"flyball/data/frame"
	"flyball/fault"
)

const (
	goldenRows  = 64      // of a pipeline
	goldenBytes = 1 << 18 // that they may take, in a wide pipeline fewer rows do
	goldenText  = 200     // bytes of a text
)

// golden are rows and the features that they came to where the pipeline was fitted: who
// uses it elsewhere sees that they come out the same, bit for bit, or does not use it.
type golden struct {
	Rows     int            `json:"rows"`
	Inputs   []goldenColumn `json:"inputs"`   // one for each input
	Features []byte         `json:"features"` // float32, little-endian, row by row
}

// goldenColumn is the values of an input. JSON has a list of texts, null where missing,
// or the base64 of 8 bytes a row, little-endian: a float64, or microseconds since 1970.
type goldenColumn struct {
	texts []*string
	bytes []byte
}

// MarshalJSON writes the one that there is.
func (c goldenColumn) MarshalJSON() ([]byte, error) {
	if c.bytes != nil {
		return json.Marshal(c.bytes)
	}
	return json.Marshal(c.texts)
}

// UnmarshalJSON reads either.
func (c *goldenColumn) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		return json.Unmarshal(b, &c.texts)
	}
	c.bytes = []byte{}
	return json.Unmarshal(b, &c.bytes)
}

// example are golden rows: training rows from first to last, and others with everything
// missing, with infinities, with words that were not met. A row that the pipeline
// refuses is not among them. Nil where there is nothing to show.
func (f *Fitted) example(rows *frame.Frame) *golden {
	cols := len(f.plan.names)
	if len(f.spec.Inputs) == 0 || cols == 0 {
		return nil
	}
	n := min(goldenRows, max(len(odd), goldenBytes/(8*len(f.spec.Inputs)+4*cols)))
	some := f.odd(rows, n)
	m, _, err := f.Transform(some)
	if err != nil {
		var good []int
		for i := range some.Rows() {
			if _, _, err := f.Transform(some.Slice(i, i+1)); err == nil {
				good = append(good, i)
			}
		}
		some = some.Take(good)
		if m, _, err = f.Transform(some); err != nil || len(good) == 0 {
			return nil
		}
	}
	g := &golden{Rows: m.Rows}
	for _, x := range m.Data {
		g.Features = binary.LittleEndian.AppendUint32(g.Features, math.Float32bits(x))
	}
	for k, c := range some.Columns() {
		g.Inputs = append(g.Inputs, column8(c, f.spec.Inputs[k].Kind))
	}
	return g
}

// odd are the numbers of the rows that are made up, each with a text and a time.
var odd = [...]struct {
	number float64
	text   string
	null   bool
	time   int64
}{
	{nan, "", true, frame.NoTime},
	{math.Inf(1), "", false, 0},
	{math.Inf(-1), "a word that was never met", false, -1},
	{0, "other", false, 951_782_400_000_000},                            // 29 February 2000
	{math.Copysign(0, -1), "ÄÖ ß 日本 x_1", false, 4_102_444_799_999_999}, // the end of 2099
	{1e300, " ", false, -2_208_988_800_000_000},                         // 1900
	{-1e-300, `"quoted", \ and` + "\nmore", false, 1},
	{-1, "0", false, 1_735_689_599_999_999}, // the last moment of 2024
}

// odd is n rows at most: the first are training rows.
func (f *Fitted) odd(rows *frame.Frame, n int) *frame.Frame {
	taken := min(rows.Rows(), n-len(odd))
	var at []int
	for i := range taken {
		at = append(at, i*rows.Rows()/taken)
	}
	cols := make([]frame.Column, len(f.spec.Inputs))
	for k, in := range f.spec.Inputs {
		from := rows.Column(in.Name)
		switch in.Kind {
		case frame.Number:
			var v []float64
			for _, i := range at {
				v = append(v, from.Num[i])
			}
			for _, o := range odd {
				v = append(v, o.number)
			}
			cols[k] = frame.NumberColumn(in.Name, v)
		case frame.Time:
			var v []int64
			for _, i := range at {
				v = append(v, timeAt(from, i))
			}
			for _, o := range odd {
				v = append(v, o.time)
			}
			cols[k] = frame.TimeColumn(in.Name, v)
		default:
			var v []string
			var null []bool
			for _, i := range at {
				v, null = append(v, short(from.Text[i])), append(null, from.Missing(i))
			}
			for _, o := range odd {
				v, null = append(v, o.text), append(null, o.null)
			}
			cols[k] = frame.TextColumn(in.Name, v, null)
		}
	}
	return frame.New(cols...)
}

// timeAt is the time in row i of a column of times, or of texts that the fit has read.
func timeAt(c *frame.Column, i int) int64 {
	switch {
	case c.Missing(i):
		return frame.NoTime
	case c.Kind == frame.Time:
		return c.Time[i]
	}
	t, err := frame.ParseTime(c.Text[i])
	if err != nil {
		return frame.NoTime
	}
	return t
}

// short is a text as JSON can keep it, or its beginning.
func short(s string) string {
	s = valid(s)
	if len(s) <= goldenText {
		return strings.Clone(s)
	}
	end := goldenText
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return strings.Clone(s[:end])
}

func column8(c frame.Column, kind frame.Kind) goldenColumn {
	out := goldenColumn{}
	switch kind {
	case frame.Number:
		out.bytes = []byte{}
		for _, x := range c.Num {
			if x != x {
				x = nan
			}
			out.bytes = binary.LittleEndian.AppendUint64(out.bytes, math.Float64bits(x))
		}
	case frame.Time:
		out.bytes = []byte{}
		for _, t := range c.Time {
			out.bytes = binary.LittleEndian.AppendUint64(out.bytes, uint64(t))
		}
	default:
		out.texts = make([]*string, len(c.Text))
		for i := range c.Text {
			if !c.Missing(i) {
				out.texts[i] = &c.Text[i]
			}
		}
	}
	return out
}

// reproduce transforms the golden rows and compares the bits. They go through a few at a
// time, so that a file cannot ask for much memory.
func (f *Fitted) reproduce(g golden) error {
	cols := len(f.plan.names)
	rows, err := f.goldenFrame(g)
	if err != nil {
		return err
	}
	if len(g.Features) != 4*g.Rows*cols {
		return fault.New(fault.Invalid, "the golden rows of the pipeline have %d bytes of features, not %d", len(g.Features), 4*g.Rows*cols)
	}
	for from := 0; from < g.Rows; from += fewRows {
		m, _, err := f.Transform(rows.Slice(from, min(from+fewRows, g.Rows)))
		if err != nil {
			return fault.Wrap(err, fault.Invalid, "a golden row of the pipeline cannot be transformed")
		}
		for i, x := range m.Data {
			at := from*cols + i
			if want := binary.LittleEndian.Uint32(g.Features[4*at:]); math.Float32bits(x) != want {
				return fault.New(fault.Invalid, "the pipeline does not make here what it made where it was fitted: golden row %d, feature %q is %g, not %g",
					at/cols, f.plan.names[at%cols], x, math.Float32frombits(want)).Do("fit it again with this version")
			}
		}
	}
	return nil
}

// goldenFrame is the golden rows as rows.
func (f *Fitted) goldenFrame(g golden) (*frame.Frame, error) {
	wrong := func(name string) error {
		return fault.New(fault.Invalid, "the golden rows of the pipeline do not have %d values of %q", g.Rows, name)
	}
	if g.Rows < 1 || len(g.Inputs) != len(f.spec.Inputs) {
		return nil, fault.New(fault.Invalid, "the golden rows of the pipeline have %d columns, not %d", len(g.Inputs), len(f.spec.Inputs))
	}
	cols := make([]frame.Column, len(g.Inputs))
	for k, in := range f.spec.Inputs {
		c := g.Inputs[k]
		if in.Kind == frame.Text {
			if len(c.texts) != g.Rows {
				return nil, wrong(in.Name)
			}
			v, null := make([]string, g.Rows), make([]bool, g.Rows)
			for i, text := range c.texts {
				if null[i] = text == nil; !null[i] {
					v[i] = *text
				}
			}
			cols[k] = frame.TextColumn(in.Name, v, null)
			continue
		}
		if len(c.bytes) != 8*g.Rows {
			return nil, wrong(in.Name)
		}
		nums, times := make([]float64, g.Rows), make([]int64, g.Rows)
		for i, b := range slices.Collect(slices.Chunk(c.bytes, 8)) {
			u := binary.LittleEndian.Uint64(b)
			nums[i], times[i] = math.Float64frombits(u), int64(u)
		}
		if cols[k] = frame.NumberColumn(in.Name, nums); in.Kind == frame.Time {
			cols[k] = frame.TimeColumn(in.Name, times)
		}
	}
	return frame.New(cols...), nil
}
