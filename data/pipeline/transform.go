// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"math"
	"slices"
	"sync"

	"github.com/expr-lang/expr/vm"

	"flyball/data/frame"
	"flyball/fault"
)

const (
	fewRows   = 8   // at most as many rows are worked on in a small batch
	blockRows = 256 // more go through in blocks of so many, so that a block stays in the cache
)

var nan = math.NaN()

// Transform makes features of the rows and tells the categories it had not met, in
// the order of the rows. It does not change rows; columns it does not know are
// passed over. An absent input column or one of the wrong kind is an Invalid fault
// that names it. ±Inf counts as missing, in the rows and between the steps, and so
// does a result that float32 cannot hold.
func (f *Fitted) Transform(rows *frame.Frame) (Matrix, []Unseen, error) {
	return f.transform(rows, nil)
}

// transform takes what steps that read the target make from folded, where that is not nil.
func (f *Fitted) transform(rows *frame.Frame, folded folds) (Matrix, []Unseen, error) {
	m := Matrix{Names: f.plan.names, Rows: rows.Rows(), Cols: len(f.plan.names)}
	b := f.batch(m.Rows)
	defer f.release(b)
	if err := b.bind(f.spec.Inputs, rows); err != nil {
		return Matrix{}, nil, err
	}
	b.folded = folded
	m.Data = make([]float32, m.Rows*m.Cols)
	for from := 0; from < m.Rows; from += blockRows {
		to := min(from+blockRows, m.Rows)
		if err := b.load(f.spec.Inputs, from, to); err != nil {
			return Matrix{}, nil, err
		}
		b.to, b.cols = m.Data[from*m.Cols:to*m.Cols], m.Cols
		for i := range f.plan.steps {
			if err := f.plan.steps[i].apply(b); err != nil {
				return Matrix{}, nil, err
			}
		}
		b.write(f.plan.features)
	}
	unseen := b.unseen
	if len(unseen) > 1 { // they were met block by block and step by step
		slices.SortStableFunc(unseen, func(a, b Unseen) int { return a.Row - b.Row })
	}
	return m, unseen, nil
}

// batch is rows on their way through the steps. Numbers have a slot for every input
// and for every column that a step makes, and no step changes the slot of another.
// Text and times stay in their inputs: no step makes any.
type batch struct {
	few      bool // from which pool it is
	n, first int  // rows, and where in the frame the first of them stands
	columns  []*frame.Column
	nums     [][]float64
	words    []words   // by input
	times    [][]int64 // by input
	buffers  []buffer  // by input
	unseen   []Unseen
	folded   folds     // of the training rows; nil online
	to       []float32 // where one_hot, hash and text write their features; nil while fitting
	cols     int
	machine  *vm.VM
	envs     map[*program]map[string]any
	tokens   tokens // of a text
}

// buffer holds an input's values where they cannot be used as they stand.
type buffer struct {
	nums  []float64
	times []int64
}

// words are texts and which of them are missing.
type words struct {
	text []string
	null []bool
}

// at is the word in row i, with fill for a missing one; false where that is nil.
func (w words) at(i int, fill *string) (string, bool) {
	if w.null == nil || !w.null[i] {
		return w.text[i], true
	}
	if fill == nil {
		return "", false
	}
	return *fill, true
}

// batch takes a batch with room for n rows, or for a block of them.
func (f *Fitted) batch(n int) *batch {
	few, stride := n <= fewRows, blockRows
	if few {
		stride = fewRows
	}
	if b, ok := f.pool(few).Get().(*batch); ok {
		return b
	}
	b := &batch{few: few, nums: make([][]float64, f.plan.slots)}
	var slots []int
	for i := range f.plan.steps {
		if s := &f.plan.steps[i]; !s.direct {
			slots = append(slots, s.outs...)
		}
	}
	slab := make([]float64, len(slots)*stride)
	for k, slot := range slots {
		b.nums[slot] = slab[k*stride : (k+1)*stride : (k+1)*stride]
	}
	return b
}

// release gives the batch back, without what it holds of the caller's rows.
func (f *Fitted) release(b *batch) {
	for i := range b.columns {
		b.columns[i], b.nums[i], b.words[i] = nil, nil, words{}
		b.times[i] = nil
	}
	for _, env := range b.envs {
		clear(env)
	}
	b.unseen, b.to, b.folded = nil, nil, nil
	f.pool(b.few).Put(b)
}

func (f *Fitted) pool(few bool) *sync.Pool {
	if few {
		return &f.few
	}
	return &f.many
}

// bind finds the input columns in rows.
func (b *batch) bind(inputs []frame.Field, rows *frame.Frame) error {
	if b.columns == nil {
		b.columns = make([]*frame.Column, len(inputs))
		b.words = make([]words, len(inputs))
		b.times = make([][]int64, len(inputs))
		b.buffers = make([]buffer, len(inputs))
	}
	have := rows.Columns()
	at := 0 // the columns mostly stand in the order of the inputs
	for i := range inputs {
		in := &inputs[i]
		var c *frame.Column
		if at < len(have) && have[at].Name == in.Name {
			c = &have[at]
			at++
		} else if c = rows.Column(in.Name); c == nil {
			return fault.New(fault.Invalid, "column %q is absent", in.Name).Do("send it; null says that its value is missing")
		}
		if c.Kind != in.Kind && (c.Kind != frame.Text || in.Kind != frame.Time) {
			return fault.New(fault.Invalid, "column %q holds %s, the pipeline takes %s", in.Name, c.Kind, in.Kind)
		}
		b.columns[i] = c
	}
	return nil
}

// load makes the rows from (inclusive) to to (exclusive) those of the batch.
func (b *batch) load(inputs []frame.Field, from, to int) error {
	b.n, b.first = to-from, from
	for i, c := range b.columns {
		switch {
		case c.Kind == frame.Number:
			b.nums[i] = b.buffers[i].finite(c.Num[from:to])
		case c.Kind == frame.Time:
			b.times[i] = c.Time[from:to]
		case inputs[i].Kind == frame.Time:
			at, err := b.buffers[i].parse(c, from, to)
			if err != nil {
				return err
			}
			b.times[i] = at
		default:
			b.words[i].text = c.Text[from:to]
			if c.Null != nil {
				b.words[i].null = c.Null[from:to]
			}
		}
	}
	return nil
}

// finite is v with NaN for ±Inf; v itself where there is none.
func (f *buffer) finite(v []float64) []float64 {
	for _, x := range v {
		if math.IsInf(x, 0) {
			f.nums = append(f.nums[:0], v...)
			for j, y := range f.nums {
				f.nums[j] = finite(y)
			}
			return f.nums
		}
	}
	return v
}

// finite is x, or NaN for ±Inf.
func finite(x float64) float64 {
	if math.IsInf(x, 0) {
		return nan
	}
	return x
}

func (f *buffer) parse(c *frame.Column, from, to int) ([]int64, error) {
	f.times = f.times[:0]
	for i := from; i < to; i++ {
		t := int64(frame.NoTime)
		if !c.Missing(i) {
			var err error
			if t, err = frame.ParseTime(c.Text[i]); err != nil {
				return nil, fault.Wrap(err, fault.Invalid, "row %d, column %q", i, c.Name)
			}
		}
		f.times = append(f.times, t)
	}
	return f.times, nil
}

// write casts the features to float32, once. Whatever is not finite becomes the one
// NaN, so that the bits do not depend on the processor.
func (b *batch) write(features []feature) {
	missing := float32(nan)
	for _, f := range features {
		at := f.at
		for _, x := range b.nums[f.slot][:b.n] {
			y := float32(x)
			if y-y != 0 {
				y = missing
			}
			b.to[at] = y
			at += b.cols
		}
	}
}
