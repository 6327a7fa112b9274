// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"bytes"

	"flyball/fault"
)

// span is a value's place in a block.
type span struct{ from, to int32 }

// cursor walks the records of a block, as RFC 4180 has them: values between delimiters,
// in quotes where a value holds a delimiter, a quote (written twice) or a line's end.
// Lines end in \n or \r\n; empty ones are skipped. It allocates nothing but its spans.
type cursor struct {
	name  string
	b     []byte
	at    int
	line  int // of at
	most  int // spans that are kept
	delim byte
	keep  bool // b is not written to, and quotes written twice stay twice

	stops  *[256]bool // bytes that end a run of plain ones
	spans  []span     // of the record; at most most
	values int        // of the record
	record int        // the line where it begins
}

// stopsOf are the bytes that end a run of plain ones.
func stopsOf(delim byte) *[256]bool {
	var stops [256]bool
	stops[delim], stops['\n'], stops['"'] = true, true, true
	return &stops
}

// begin goes to the start of a block.
func (c *cursor) begin(b block) { c.b, c.at, c.line = b.b, 0, b.line }

func (c *cursor) value(i int) []byte { s := c.spans[i]; return c.b[s.from:s.to] }

// next goes to the next record; false at the block's end. The error is an Invalid fault.
func (c *cursor) next() (bool, error) {
	b, i := c.b, c.at
	for i < len(b) && (b[i] == '\n' || b[i] == '\r' && (i+1 == len(b) || b[i+1] == '\n')) {
		if b[i] == '\n' {
			c.line++
		}
		i++
	}
	c.spans, c.values, c.record = c.spans[:0], 0, c.line
	if i >= len(b) {
		c.at = i
		return false, nil
	}
	stops, delim := c.stops, c.delim
	for {
		from := i
		if i < len(b) && b[i] == '"' {
			to, after, err := c.quoted(i)
			if err != nil {
				return false, err
			}
			c.put(from+1, to)
			i = after
		} else {
			for i < len(b) && !stops[b[i]] {
				i++
			}
			if i < len(b) && b[i] == '"' {
				return false, c.wrong(i, "a quote in a value that does not begin with one")
			}
			to := i
			if to > from && b[to-1] == '\r' && (i == len(b) || b[i] == '\n') {
				to--
			}
			c.put(from, to)
		}
		if i >= len(b) {
			c.at = i
			return true, nil
		}
		i++
		if b[i-1] == delim {
			continue
		}
		c.at = i
		c.line++
		return true, nil
	}
}

func (c *cursor) put(from, to int) {
	if c.values++; c.values <= c.most {
		c.spans = append(c.spans, span{int32(from), int32(to)})
	}
}

// quoted reads a value in quotes from its first quote on: where the value ends, and where
// what follows it stands, which is a delimiter, a line's end or the end of all. Quotes
// that are written twice are put together in place.
func (c *cursor) quoted(open int) (to, after int, err error) {
	b, line := c.b, c.line
	i, w := open+1, open+1
	for {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return 0, 0, fault.New(fault.Invalid, "%s:%d:%d: the quote that opens here is never closed", c.name, line, c.column(open)).Do("mend the quotes of that line")
		}
		c.line += bytes.Count(b[i:i+n], []byte{'\n'})
		if w != i && !c.keep {
			copy(b[w:], b[i:i+n])
		}
		w += n
		i += n + 1
		switch {
		case i == len(b), b[i] == c.delim, b[i] == '\n':
			return w, i, nil
		case b[i] == '\r' && (i+1 == len(b) || b[i+1] == '\n'):
			return w, i + 1, nil
		case b[i] != '"':
			return 0, 0, c.wrong(i, "a value goes on after its closing quote")
		}
		if !c.keep {
			b[w] = '"'
		}
		w++
		i++
	}
}

// column is a byte's place in its line, from 1.
func (c *cursor) column(at int) int { return at - bytes.LastIndexByte(c.b[:at], '\n') }

func (c *cursor) wrong(at int, what string) error {
	return fault.New(fault.Invalid, "%s:%d:%d: %s", c.name, c.line, c.column(at), what).Do("mend the quotes of that line")
}
