// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"encoding/json"

	"flyball/fault"
)

// Plan reads the same JSON rows for several readers in one pass: each gets the frame
// that DecodeRows would give it. It is immutable and may be used by many goroutines at
// once.
type Plan struct {
	readers []reader
	wanted  []wanted
	place   map[string]int // of a name in wanted
	columns int            // of all readers
	numbers int            // columns of numbers that are parsed, of all readers
}

// reader is one of those whom a Plan reads for.
type reader struct {
	columns []Field
	index   map[string]int
}

// wanted is a name that some reader asks for.
type wanted struct {
	name     string
	required bool
	to       []target
}

// target is a column that a value goes to, by its place among those of all readers.
type target struct {
	column int
	loose  bool
	same   []int // columns of other readers that share its values
}

// NewPlan makes a plan for the readers, in their order.
func NewPlan(readers ...DecodeOptions) (*Plan, error) {
	p := &Plan{place: map[string]int{}}
	for _, opts := range readers {
		r := reader{index: map[string]int{}}
		for i, f := range append(append([]Field(nil), opts.Required...), opts.Optional...) {
			if _, twice := r.index[f.Name]; twice {
				return nil, fault.New(fault.Internal, "a column is asked for twice")
			}
			r.index[f.Name] = i
			r.columns = append(r.columns, f)
			p.want(f, opts.Loose, i < len(opts.Required), readersColumn(p.readers, len(r.columns)-1))
		}
		p.readers = append(p.readers, r)
		p.columns += len(r.columns)
	}
	return p, nil
}

// readersColumn is the place of a column of the reader after those given.
func readersColumn(before []reader, i int) int {
	for _, r := range before {
		i += len(r.columns)
	}
	return i
}

// want notes that a column wants a value.
func (p *Plan) want(f Field, loose, required bool, column int) {
	at, ok := p.place[f.Name]
	if !ok {
		at = len(p.wanted)
		p.place[f.Name] = at
		p.wanted = append(p.wanted, wanted{name: f.Name})
	}
	w := &p.wanted[at]
	w.required = w.required || required
	loose = loose && f.Kind == Text // it changes nothing else
	for i := range w.to {
		if t := &w.to[i]; p.field(t.column, f.Name).Kind == f.Kind && t.loose == loose {
			t.same = append(t.same, column)
			return
		}
	}
	w.to = append(w.to, target{column: column, loose: loose})
	if f.Kind == Number {
		p.numbers++
	}
}

// field is a column that was noted before, by its place and name.
func (p *Plan) field(column int, name string) Field {
	for i := range p.readers {
		r := &p.readers[i]
		if column < len(r.columns) {
			return r.columns[column]
		}
		column -= len(r.columns)
	}
	return Field{Name: name}
}

// Decode reads the rows. It is false where any reader would get an error: DecodeRows
// says which. The frames do not share memory with rows.
func (p *Plan) Decode(rows []json.RawMessage) ([]Frame, bool) {
	d := planned{plan: p, cols: make([]Column, p.columns), seen: make([]int32, len(p.wanted))}
	d.room(len(rows))
	for i, raw := range rows {
		if !d.row(i, raw) {
			return nil, false
		}
	}
	out := make([]Frame, len(p.readers))
	at := 0
	for i := range p.readers {
		r := &p.readers[i]
		out[i] = Frame{cols: d.cols[at : at+len(r.columns) : at+len(r.columns)], rows: len(rows), index: r.index}
		at += len(r.columns)
	}
	for i := range p.wanted {
		for _, t := range p.wanted[i].to {
			from := &d.cols[t.column]
			for _, c := range t.same {
				to := &d.cols[c]
				to.Num, to.Text, to.Null, to.Time = from.Num, from.Text, from.Null, from.Time
			}
		}
	}
	return out, true
}

// planned is rows while they are read by a plan.
type planned struct {
	plan *Plan
	cols []Column
	seen []int32 // by wanted: the row last seen in, plus 1
	next int     // the name after the last that was found
}

// room makes the columns, of n missing values.
func (d *planned) room(n int) {
	k := 0
	for i := range d.plan.readers {
		for _, f := range d.plan.readers[i].columns {
			d.cols[k].Field = f
			k++
		}
	}
	all := make([]float64, d.plan.numbers*n)
	for i := range all {
		all[i] = nan
	}
	for i := range d.plan.wanted {
		for _, t := range d.plan.wanted[i].to {
			switch c := &d.cols[t.column]; c.Kind {
			case Number:
				c.Num, all = all[:n:n], all[n:]
			case Text:
				c.Text, c.Null = make([]string, n), make([]bool, n)
				for k := range c.Null {
					c.Null[k] = true
				}
			case Time:
				c.Time = make([]int64, n)
				for k := range c.Time {
					c.Time[k] = NoTime
				}
			}
		}
	}
}

// row reads one row; false where it, or a value of it, is wrong.
func (d *planned) row(i int, raw []byte) bool {
	s := scanner{b: raw}
	d.next = 0
	s.space()
	if !s.take('{') {
		return false
	}
	s.space()
	for first := true; !s.take('}'); first = false {
		if !first {
			if !s.take(',') {
				return false
			}
			s.space()
		}
		key, ok := s.str()
		if !ok {
			return false
		}
		s.space()
		if !s.take(':') {
			return false
		}
		s.space()
		v, ok := s.value()
		if !ok {
			return false
		}
		s.space()
		if w := d.find(key); w >= 0 && !d.put(i, w, v) {
			return false
		}
	}
	s.space()
	if s.at != len(raw) {
		return false
	}
	for w := range d.seen {
		if d.seen[w] != int32(i+1) && d.plan.wanted[w].required {
			return false
		}
	}
	return true
}

// find is the place of a name, -1 where nobody asks for it.
func (d *planned) find(name []byte) int {
	at := d.next
	if at >= len(d.plan.wanted) || d.plan.wanted[at].name != string(name) {
		i, ok := d.plan.place[string(name)]
		if !ok {
			return -1
		}
		at = i
	}
	d.next = at + 1
	return at
}

// put puts a value where it is wanted.
func (d *planned) put(i, w int, v []byte) bool {
	if d.seen[w] == int32(i+1) {
		return false // it stands twice
	}
	d.seen[w] = int32(i + 1)
	for _, t := range d.plan.wanted[w].to {
		r := rowDecoder{opts: DecodeOptions{Loose: t.loose}}
		if r.set(i, &d.cols[t.column], v) != nil {
			return false
		}
	}
	return true
}
