// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"bytes"
	"hash/maphash"
	"strings"
	"unsafe"

	"flyball/fault"
)

// dialect is how one CSV file is written, as far as it is known.
type dialect struct {
	delim   byte
	point   byte            // of numbers; 0: not known yet
	missing map[string]bool // nil: missingWord
	numeric bool            // a missing word may look like a number or a time
	clock   clock
}

// isMissing reports whether a value says that there is none.
func (d *dialect) isMissing(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	if d.missing == nil {
		return len(b) <= 4 && missingWord(unsafe.String(unsafe.SliceData(b), len(b))) // not kept
	}
	return d.missing[string(b)]
}

// sameTexts is how many texts of a column a parser remembers, to give the same string again.
const sameTexts = 256

// parser turns blocks into rows of known kinds. One goroutine at a time uses it.
type parser struct {
	name   string
	fields []Field
	how    *dialect
	c      cursor
	seed   maphash.Seed
	known  [][]string // by column: texts by their hash
	each   int        // of known
}

func newParser(name string, fields []Field, how *dialect) *parser {
	p := &parser{name: name, fields: fields, how: how, seed: maphash.MakeSeed(), known: make([][]string, len(fields))}
	p.c = cursor{name: name, delim: how.delim, stops: stopsOf(how.delim), most: len(fields)}
	for p.each = sameTexts; p.each*len(fields) > 1<<16; {
		p.each /= 2 // wide tables
	}
	return p
}

// parse reads a block. The error is an Invalid fault with file, line and column.
func (p *parser) parse(b block) (*Frame, error) {
	most := min(len(b.b)/max(1, len(p.fields)), bytes.Count(b.b, []byte{'\n'})) + 1 // a record has a byte for each value
	cols := p.room(most)
	p.c.begin(b)
	row, bad := 0, 0
	for {
		if bad <= row/2+8 { // else most records are not plain
			n, ok := p.plain(cols, row, b.b[p.c.at:])
			row += n
			p.c.at += ok
			p.c.line += n
			bad++
		}
		some, err := p.c.next()
		if err != nil {
			return nil, err
		}
		if !some {
			break
		}
		if p.c.values != len(cols) {
			return nil, ragged(&p.c, len(cols))
		}
		for i := range cols {
			if err := p.put(&cols[i], i, row, p.c.value(i)); err != nil {
				return nil, err
			}
		}
		row++
	}
	for i := range cols {
		c := &cols[i]
		c.Num, c.Text, c.Time = c.Num[:min(row, len(c.Num))], c.Text[:min(row, len(c.Text))], c.Time[:min(row, len(c.Time))]
		if c.Null != nil {
			c.Null = c.Null[:row]
		}
	}
	return WithRows(row, cols...), nil
}

// room is columns of n rows, to be filled.
func (p *parser) room(n int) []Column {
	cols := make([]Column, len(p.fields))
	for i, f := range p.fields {
		cols[i].Field = f
		switch f.Kind {
		case Number:
			cols[i].Num = make([]float64, n)
		case Text:
			cols[i].Text = make([]string, n)
		case Time:
			cols[i].Time = make([]int64, n)
		}
	}
	return cols
}

// ragged says that a record has too few or too many values.
func ragged(c *cursor, columns int) error {
	return fault.New(fault.Invalid, "%s:%d: %d values, the head has %d columns", c.name, c.record, c.values, columns)
}

// put sets a row's value in column i.
func (p *parser) put(c *Column, i, row int, b []byte) error {
	ok := true
	switch c.Kind {
	case Number:
		c.Num[row], ok = p.number(b)
	case Text:
		missing := p.how.isMissing(b)
		c.Text[row] = ""
		if !missing {
			c.Text[row] = p.text(i, b)
		} else if c.Null == nil {
			c.Null = make([]bool, len(c.Text))
		}
		if c.Null != nil {
			c.Null[row] = missing
		}
	case Time:
		c.Time[row], ok = p.moment(b)
	}
	if !ok {
		return p.wrong(c, b)
	}
	return nil
}

// number reads what may have blanks about it, be missing, or be true or false.
func (p *parser) number(b []byte) (float64, bool) {
	if p.how.isMissing(b) {
		return nan, true
	}
	b = trim(b)
	if p.how.isMissing(b) {
		return nan, true
	}
	if x, is := parseNumber(b, p.how.point); is != 0 {
		return x, true
	}
	return truth(string(b))
}

func (p *parser) moment(b []byte) (int64, bool) {
	if p.how.isMissing(b) {
		return NoTime, true
	}
	b = trim(b)
	if p.how.isMissing(b) {
		return NoTime, true
	}
	return p.how.clock.parse(b)
}

// text is b as a string, which texts that come again share.
func (p *parser) text(i int, b []byte) string {
	if p.each < 8 || len(b) > 64 {
		return string(b)
	}
	if p.known[i] == nil {
		p.known[i] = make([]string, p.each)
	}
	at := &p.known[i][maphash.Bytes(p.seed, b)&uint64(p.each-1)]
	if *at != string(b) {
		*at = string(b)
	}
	return *at
}

func (p *parser) wrong(c *Column, b []byte) error {
	err := fault.New(fault.Invalid, "%s:%d: column %q: %q is not a %s", p.name, p.c.record, c.Name, clip(string(b)), c.Kind)
	switch {
	case c.Kind == Time:
		return err.Do("write times as 2016-05-03 or 2016-05-03T14:00:00Z; a form that leaves open which number is the month is not read")
	case p.how.point == '.' && strings.Contains(string(b), ","):
		if _, is := parseNumber(trim(b), ','); is != 0 {
			return err.Do("if numbers have a decimal comma, write decimal: \",\"")
		}
	case p.how.point == ',' && strings.Contains(string(b), "."):
		if _, is := parseNumber(trim(b), '.'); is != 0 {
			return err.Do("if numbers have a decimal point, write decimal: \".\"")
		}
	}
	return err
}
