// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"flyball/fault"
)

// DecodeOptions say which columns are read from JSON rows.
type DecodeOptions struct {
	Required []Field // absent: an Invalid fault; null: missing
	Optional []Field // absent or null: missing
	Loose    bool    // text columns also take a number or a boolean, as it is written
}

// DecodeRows reads JSON objects into a frame of the required and then the optional
// columns. Other keys are ignored. Numbers take numbers and booleans (0, 1), text
// takes strings, times take strings that ParseTime reads. An error is an Invalid
// fault that names the row (from 0) and the column.
func DecodeRows(rows []json.RawMessage, opts DecodeOptions) (*Frame, error) {
	d := rowDecoder{opts: opts, cols: blanks(opts, len(rows))}
	f := &Frame{cols: d.cols, rows: len(rows), index: make(map[string]int, len(d.cols))}
	for i := range d.cols {
		f.index[d.cols[i].Name] = i
	}
	if len(f.index) != len(d.cols) {
		return nil, fault.New(fault.Internal, "a column is asked for twice")
	}
	d.seen = make([]int, len(d.cols))
	if len(d.cols) > few {
		d.place = f.index
	}
	for i, raw := range rows {
		if err := d.row(i, raw); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// blanks are columns of n missing values. The numbers share one piece of memory, as
// one row of thirty columns would else be thirty pieces.
func blanks(opts DecodeOptions, n int) []Column {
	cols := make([]Column, len(opts.Required)+len(opts.Optional))
	numbers := 0
	for i := range cols {
		if i < len(opts.Required) {
			cols[i].Field = opts.Required[i]
		} else {
			cols[i].Field = opts.Optional[i-len(opts.Required)]
		}
		if cols[i].Kind == Number {
			numbers++
		}
	}
	all := make([]float64, numbers*n)
	for i := range all {
		all[i] = nan
	}
	for i := range cols {
		switch c := &cols[i]; c.Kind {
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
	return cols
}

// few is up to how many columns a look at each name beats a map.
const few = 16

// rowDecoder reads one object after another in a single pass over its bytes.
type rowDecoder struct {
	opts  DecodeOptions
	cols  []Column
	place map[string]int // nil: the columns are few
	next  int            // the column after the last that was found: senders keep an order
	seen  []int          // by column: the row last seen in, plus 1
}

// find is the column of the name, -1 where it is not asked for.
func (d *rowDecoder) find(name []byte) int {
	at := -1
	switch {
	case d.next < len(d.cols) && d.cols[d.next].Name == string(name):
		at = d.next
	case d.place != nil:
		if i, ok := d.place[string(name)]; ok {
			at = i
		}
	default:
		for i := range d.cols {
			if d.cols[i].Name == string(name) {
				at = i
				break
			}
		}
	}
	if at >= 0 {
		d.next = at + 1
	}
	return at
}

func (d *rowDecoder) row(i int, raw []byte) error {
	s := scanner{b: raw}
	d.next = 0
	s.space()
	if !s.take('{') {
		return fault.New(fault.Invalid, "row %d is not a JSON object", i)
	}
	s.space()
	for first := true; !s.take('}'); first = false {
		if !first {
			if !s.take(',') {
				return d.broken(i)
			}
			s.space()
		}
		key, ok := s.str()
		if !ok {
			return d.broken(i)
		}
		s.space()
		if !s.take(':') {
			return d.broken(i)
		}
		s.space()
		v, ok := s.value()
		if !ok {
			return d.broken(i)
		}
		s.space()
		col := d.find(key)
		if col < 0 {
			continue
		}
		if d.seen[col] == i+1 {
			return fault.New(fault.Invalid, "row %d: column %q stands twice", i, key)
		}
		d.seen[col] = i + 1
		if err := d.set(i, &d.cols[col], v); err != nil {
			return err
		}
	}
	s.space()
	if s.at != len(raw) {
		return d.broken(i)
	}
	for c := range d.opts.Required {
		if d.seen[c] != i+1 {
			return fault.New(fault.Invalid, "row %d: column %q is absent", i, d.cols[c].Name).Do("send it; null says that its value is missing")
		}
	}
	return nil
}

func (d *rowDecoder) broken(i int) error {
	return fault.New(fault.Invalid, "row %d is not valid JSON", i)
}

// set puts a JSON value into the column.
func (d *rowDecoder) set(i int, c *Column, v []byte) error {
	if v[0] == 'n' {
		return nil
	}
	switch {
	case c.Kind == Number && (v[0] == 't' || v[0] == 'f'):
		c.Num[i] = 0
		if v[0] == 't' {
			c.Num[i] = 1
		}
		return nil
	case c.Kind == Number && (v[0] == '-' || v[0] >= '0' && v[0] <= '9'):
		x, err := strconv.ParseFloat(string(v), 64)
		if err != nil {
			return d.wrong(i, c, v)
		}
		c.Num[i] = x
		return nil
	case c.Kind == Text && v[0] == '"', c.Kind == Time && v[0] == '"':
		s, ok := unquote(v)
		if !ok {
			return d.wrong(i, c, v)
		}
		if c.Kind == Text {
			c.Text[i], c.Null[i] = s, false
			return nil
		}
		t, err := ParseTime(s)
		if err != nil {
			return fault.Wrap(err, fault.Invalid, "row %d, column %q", i, c.Name)
		}
		c.Time[i] = t
		return nil
	case c.Kind == Text && d.opts.Loose && v[0] != '{' && v[0] != '[':
		c.Text[i], c.Null[i] = string(v), false
		return nil
	}
	return d.wrong(i, c, v)
}

func (d *rowDecoder) wrong(i int, c *Column, v []byte) error {
	return fault.New(fault.Invalid, "row %d, column %q: %s is not a %s", i, c.Name, clip(string(v)), c.Kind)
}

// unquote is the text of a JSON string that has been scanned.
func unquote(v []byte) (string, bool) {
	for _, c := range v {
		if c == '\\' || c >= utf8.RuneSelf { // encoding/json knows escapes, and what to do with bytes that are no UTF-8
			var s string
			err := json.Unmarshal(v, &s)
			return s, err == nil
		}
	}
	return string(v[1 : len(v)-1]), true
}

// scanner walks over JSON without building it.
type scanner struct {
	b  []byte
	at int
}

func (s *scanner) space() {
	for s.at < len(s.b) && (s.b[s.at] == ' ' || s.b[s.at] == '\n' || s.b[s.at] == '\t' || s.b[s.at] == '\r') {
		s.at++
	}
}

func (s *scanner) take(c byte) bool {
	if s.at < len(s.b) && s.b[s.at] == c {
		s.at++
		return true
	}
	return false
}

// str reads a string and returns it without quotes and escapes.
func (s *scanner) str() ([]byte, bool) {
	raw, escaped, ok := s.rawString()
	if !ok {
		return nil, false
	}
	if !escaped {
		return raw[1 : len(raw)-1], true
	}
	out, ok := unquote(raw)
	return []byte(out), ok
}

// rawString reads a string with its quotes.
func (s *scanner) rawString() (raw []byte, escaped, ok bool) {
	from := s.at
	if !s.take('"') {
		return nil, false, false
	}
	for s.at < len(s.b) {
		switch c := s.b[s.at]; {
		case c == '"':
			s.at++
			raw = s.b[from:s.at]
			if escaped {
				return raw, true, json.Valid(raw)
			}
			return raw, false, true
		case c == '\\':
			escaped = true
			s.at += 2
		case c < ' ':
			return nil, false, false
		case c >= utf8.RuneSelf:
			escaped = true // let encoding/json judge the bytes
			s.at++
		default:
			s.at++
		}
	}
	return nil, false, false
}

// value reads any value and returns its bytes.
func (s *scanner) value() ([]byte, bool) {
	from := s.at
	if s.at >= len(s.b) {
		return nil, false
	}
	switch s.b[s.at] {
	case '"':
		raw, _, ok := s.rawString()
		return raw, ok
	case '{', '[':
		if !s.nested() {
			return nil, false
		}
		return s.b[from:s.at], json.Valid(s.b[from:s.at])
	}
	for s.at < len(s.b) && !stops(s.b[s.at]) {
		s.at++
	}
	v := s.b[from:s.at]
	return v, len(v) > 0 && scalar(v)
}

func stops(c byte) bool {
	return c == ',' || c == '}' || c == ']' || c == ' ' || c == '\n' || c == '\t' || c == '\r'
}

// scalar reports whether v is a JSON number, true, false or null.
func scalar(v []byte) bool {
	i := 0
	if i < len(v) && v[i] == '-' {
		i++
	}
	from := i
	for i < len(v) && v[i]-'0' <= 9 {
		i++
	}
	if i == from {
		return string(v) == "true" || string(v) == "false" || string(v) == "null"
	}
	if v[from] == '0' && i > from+1 {
		return false
	}
	if i < len(v) && v[i] == '.' {
		i++
		from = i
		for i < len(v) && v[i]-'0' <= 9 {
			i++
		}
		if i == from {
			return false
		}
	}
	if i < len(v) && v[i]|0x20 == 'e' {
		i++
		if i < len(v) && (v[i] == '+' || v[i] == '-') {
			i++
		}
		from = i
		for i < len(v) && v[i]-'0' <= 9 {
			i++
		}
		if i == from {
			return false
		}
	}
	return i == len(v)
}

// nested skips an object or a list, minding strings.
func (s *scanner) nested() bool {
	depth := 0
	for s.at < len(s.b) {
		switch s.b[s.at] {
		case '"':
			if _, _, ok := s.rawString(); !ok {
				return false
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				s.at++
				return true
			}
		}
		s.at++
	}
	return false
}
