// SPDX-License-Identifier: Apache-2.0

package oip

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	"flyball/fault"
)

// scanner walks over JSON without building it. Its errors are Invalid faults.
type scanner struct {
	b  []byte
	at int
}

// maxDepth is of arrays and objects inside each other.
const maxDepth = 32

func (s *scanner) space() {
	for s.at < len(s.b) && (s.b[s.at] == ' ' || s.b[s.at] == '\n' || s.b[s.at] == '\t' || s.b[s.at] == '\r') {
		s.at++
	}
}

// peek is the next byte that is no space; 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.at < len(s.b) {
		return s.b[s.at]
	}
	return 0
}

// take passes over c and spaces before it; false when something else is there.
func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.at++
	return true
}

// broken says what is there instead of what should be.
func (s *scanner) broken(want string) *fault.Error {
	s.space()
	rest := s.b[s.at:]
	for _, word := range []string{"NaN", "-NaN", "Infinity", "-Infinity"} {
		if bytes.HasPrefix(rest, []byte(word)) {
			return fault.New(fault.Invalid, "%s is not JSON", word).Do("send null for a value that is missing, or a binary tensor")
		}
	}
	if len(rest) == 0 {
		return fault.New(fault.Invalid, "the JSON ends where %s should be", want)
	}
	return fault.New(fault.Invalid, "at byte %d of the JSON is %s, not %s", s.at, clip(rest), want)
}

// open passes over the beginning of an object.
func (s *scanner) open() error {
	if !s.take('{') {
		return s.broken("an object")
	}
	return nil
}

// field passes over the next key of an object, of which so many were read; false at the
// object's end. The caller passes over the value.
func (s *scanner) field(read int) (key []byte, ok bool, err error) {
	switch {
	case s.take('}'):
		return nil, false, nil
	case read > 0 && !s.take(','):
		return nil, false, s.broken("a comma or the end of the object")
	}
	if key, err = s.text(); err != nil {
		return nil, false, err
	}
	if !s.take(':') {
		return nil, false, s.broken("a colon")
	}
	return key, true, nil
}

// each calls visit for every key of an object, which must pass over its value.
func (s *scanner) each(visit func(key []byte) error) error {
	if err := s.open(); err != nil {
		return err
	}
	for read := 0; ; read++ {
		key, ok, err := s.field(read)
		if err != nil || !ok {
			return err
		}
		if err := visit(key); err != nil {
			return err
		}
	}
}

// items calls visit for every item of an array, which must pass over it.
func (s *scanner) items(visit func(i int) error) error {
	if !s.take('[') {
		return s.broken("an array")
	}
	if s.take(']') {
		return nil
	}
	for i := 0; ; i++ {
		if err := visit(i); err != nil {
			return err
		}
		if s.take(']') {
			return nil
		}
		if !s.take(',') {
			return s.broken("a comma or the end of the array")
		}
	}
}

// text reads a string. The result shares memory with the input where nothing was escaped.
func (s *scanner) text() ([]byte, error) {
	if s.peek() != '"' {
		return nil, s.broken("a text")
	}
	from := s.at
	plain := true
	for s.at++; s.at < len(s.b); s.at++ {
		switch c := s.b[s.at]; {
		case c == '"':
			s.at++
			if plain {
				return s.b[from+1 : s.at-1], nil
			}
			var out string // encoding/json knows escapes, and what to do with bytes that are no UTF-8
			if json.Unmarshal(s.b[from:s.at], &out) != nil {
				return nil, fault.New(fault.Invalid, "at byte %d of the JSON is no text: %s", from, clip(s.b[from:s.at]))
			}
			return []byte(out), nil
		case c == '\\':
			plain = false
			s.at++
		case c >= utf8.RuneSelf:
			plain = false
		case c < ' ':
			return nil, fault.New(fault.Invalid, "at byte %d of the JSON a text holds a control character", s.at)
		}
	}
	s.at = len(s.b)
	return nil, s.broken("the end of a text")
}

// number passes over a number as JSON writes it, and returns it; nil where none is.
func (s *scanner) number() []byte {
	s.space()
	b, i := s.b, s.at
	if i < len(b) && b[i] == '-' {
		i++
	}
	switch {
	case i < len(b) && b[i] == '0':
		i++
	case i < len(b) && b[i] >= '1' && b[i] <= '9':
		i = digits(b, i)
	default:
		return nil
	}
	if i < len(b) && b[i] == '.' {
		from := i + 1
		if i = digits(b, from); i == from {
			return nil
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		from := i
		if i = digits(b, from); i == from {
			return nil
		}
	}
	out := b[s.at:i]
	s.at = i
	return out
}

func digits(b []byte, i int) int {
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	return i
}

// word passes over true, false or null; false when something else is there.
func (s *scanner) word(w string) bool {
	s.space()
	if !bytes.HasPrefix(s.b[s.at:], []byte(w)) {
		return false
	}
	s.at += len(w)
	return true
}

// truth reads true or false.
func (s *scanner) truth() (bool, error) {
	switch {
	case s.word("true"):
		return true, nil
	case s.word("false"):
		return false, nil
	}
	return false, s.broken("true or false")
}

// whole reads an integer; 1.0 and 1e3 are some.
func (s *scanner) whole() (int64, error) {
	from := s.at
	n := s.number()
	if n == nil {
		return 0, s.broken("a number")
	}
	if v, err := strconv.ParseInt(string(n), 10, 64); err == nil {
		return v, nil
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		s.at = from
		return 0, s.broken("an integer")
	}
	return int64(f), nil
}

// skip passes over any value.
func (s *scanner) skip(depth int) error {
	if depth > maxDepth {
		return fault.New(fault.Invalid, "the JSON is nested deeper than %d", maxDepth)
	}
	switch c := s.peek(); {
	case c == '{':
		return s.each(func([]byte) error { return s.skip(depth + 1) })
	case c == '[':
		return s.items(func(int) error { return s.skip(depth + 1) })
	case c == '"':
		_, err := s.text()
		return err
	case s.number() != nil, s.word("true"), s.word("false"), s.word("null"):
		return nil
	}
	return s.broken("a value")
}

// span passes over an array by its brackets alone, and returns it: its values are read
// when it is known what they are.
func (s *scanner) span() ([]byte, error) {
	if s.peek() != '[' {
		return nil, s.broken("an array")
	}
	from, depth := s.at, 0
	for ; s.at < len(s.b); s.at++ {
		switch s.b[s.at] {
		case '[':
			depth++
		case ']':
			if depth--; depth == 0 {
				s.at++
				return s.b[from:s.at], nil
			}
		case '"':
			for s.at++; s.at < len(s.b) && s.b[s.at] != '"'; s.at++ {
				if s.b[s.at] == '\\' {
					s.at++
				}
			}
		}
	}
	s.at = len(s.b)
	return nil, s.broken("the end of an array")
}

// clip shortens what is told of a request.
func clip(b []byte) string {
	const most = 40
	if len(b) > most {
		b = append(append([]byte{}, b[:most]...), "…"...)
	}
	return string(bytes.ToValidUTF8(b, []byte("?")))
}

func itoa(n int) string { return strconv.Itoa(n) }

// quoted is a thing by its name, as messages have it.
func quoted(what, name string) string { return what + " " + strconv.Quote(clip([]byte(name))) }
