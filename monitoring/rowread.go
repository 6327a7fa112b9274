// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// rowReader reads of a row's JSON the values that a profile asks for. Most rows are an object
// of plain values, which it reads by itself, several times as fast as encoding/json fills
// a map; whatever else there is, it leaves to that. It is for one goroutine.
type rowReader struct {
	place  map[string]int
	values []any // by place: float64, string, bool; nil: null or absent
}

func newRowReader(p *Profile) rowReader {
	r := rowReader{place: make(map[string]int, len(p.Features)), values: make([]any, len(p.Features))}
	for i := range p.Features {
		r.place[p.Features[i].Name] = i
	}
	return r
}

// read is the values of a row by feature, until the next call; false: it is no object.
func (r *rowReader) read(row []byte) ([]any, bool) {
	clear(r.values)
	if r.plain(row) {
		return r.values, true
	}
	var values map[string]any
	if json.Unmarshal(row, &values) != nil {
		return nil, false
	}
	clear(r.values)
	for name, i := range r.place {
		r.values[i] = values[name]
	}
	return r.values, true
}

// plain reads an object of numbers, words without escapes, true, false and null; false
// for everything else, also for what is no JSON.
func (r *rowReader) plain(row []byte) bool {
	at := space(row, 0)
	if at == len(row) || row[at] != '{' {
		return false
	}
	for at = space(row, at+1); ; at = space(row, at+1) {
		key, next := word(row, at)
		if next < 0 {
			return false
		}
		if at = space(row, next); at == len(row) || row[at] != ':' {
			return false
		}
		var v any
		if v, at = plainValue(row, space(row, at+1)); at < 0 {
			return false
		}
		if i, ok := r.place[string(key)]; ok {
			r.values[i] = v
		}
		if at = space(row, at); at == len(row) {
			return false
		}
		switch row[at] {
		case '}':
			return space(row, at+1) == len(row)
		case ',':
		default:
			return false
		}
	}
}

// space is the next place that holds none.
func space(b []byte, at int) int {
	for at < len(b) && (b[at] == ' ' || b[at] == '\n' || b[at] == '\t' || b[at] == '\r') {
		at++
	}
	return at
}

// word is the text in quotes at a place, and what is after it; -1: there is none, or not a
// plain one.
func word(b []byte, at int) ([]byte, int) {
	if at >= len(b) || b[at] != '"' {
		return nil, -1
	}
	ascii := true
	for k := at + 1; k < len(b); k++ {
		switch c := b[k]; {
		case c == '"':
			s := b[at+1 : k]
			if !ascii && !utf8.Valid(s) {
				return nil, -1
			}
			return s, k + 1
		case c == '\\' || c < ' ':
			return nil, -1
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return nil, -1
}

// plainValue is the value at a place, and what is after it; -1 where it is not plain.
func plainValue(b []byte, at int) (any, int) {
	if at >= len(b) {
		return nil, -1
	}
	switch b[at] {
	case '"':
		s, next := word(b, at)
		return string(s), next
	case 't':
		return true, literal(b, at, "true")
	case 'f':
		return false, literal(b, at, "false")
	case 'n':
		return nil, literal(b, at, "null")
	}
	end := numberEnd(b, at)
	if end < 0 {
		return nil, -1
	}
	x, err := strconv.ParseFloat(string(b[at:end]), 64)
	if err != nil { // too large
		return nil, -1
	}
	return x, end
}

func literal(b []byte, at int, want string) int {
	if len(b)-at < len(want) || string(b[at:at+len(want)]) != want {
		return -1
	}
	return at + len(want)
}

// numberEnd is the place after a number as RFC 8259 has it; -1: there is none.
func numberEnd(b []byte, at int) int {
	digits := func() bool {
		from := at
		for at < len(b) && b[at] >= '0' && b[at] <= '9' {
			at++
		}
		return at > from
	}
	if b[at] == '-' {
		at++
	}
	if at < len(b) && b[at] == '0' {
		at++
	} else if !digits() {
		return -1
	}
	if at < len(b) && b[at] == '.' {
		if at++; !digits() {
			return -1
		}
	}
	if at < len(b) && (b[at] == 'e' || b[at] == 'E') {
		if at++; at < len(b) && (b[at] == '+' || b[at] == '-') {
			at++
		}
		if !digits() {
			return -1
		}
	}
	return at
}
