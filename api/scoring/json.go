// SPDX-License-Identifier: Apache-2.0

package scoring

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"unicode/utf8"
)

// span is a value in a text of JSON that was checked. The zero span is an absent value.
type span struct{ from, to int32 }

// text is JSON as Python's json reads it: NaN, Infinity and -Infinity are numbers, and
// of equal keys the last counts.
type text []byte

// syntax is what is wrong with a text, in the words of Python's json.
type syntax struct {
	what string
	at   int
}

// deepest is how many lists and objects may be one inside the other.
const deepest = 64

// check reports what is wrong with the whole text; nil: nothing.
func (t text) check() *syntax {
	at, bad := t.value(t.blank(0), 0)
	if bad != nil {
		return bad
	}
	if at = t.blank(at); at < len(t) {
		return &syntax{"Extra data", at}
	}
	return nil
}

// String is the fault as Python prints it, without the text itself.
func (s *syntax) in(t text) string {
	before := t[:min(s.at, len(t))]
	line := bytes.Count(before, []byte{'\n'}) + 1
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	quote := "'"
	if strings.Contains(s.what, "'") {
		quote = `"`
	}
	return fmt.Sprintf("JSONDecodeError(%s%s: line %d column %d (char %d)%s)", quote, s.what, line, column, utf8.RuneCount(before), quote)
}

func (t text) blank(at int) int {
	for at < len(t) && (t[at] == ' ' || t[at] == '\n' || t[at] == '\t' || t[at] == '\r') {
		at++
	}
	return at
}

// value checks the value that begins at a place, and returns where it ends.
func (t text) value(at, depth int) (int, *syntax) {
	if at >= len(t) {
		return at, &syntax{"Expecting value", at}
	}
	if depth > deepest {
		return at, &syntax{"Too many lists or objects inside each other", at}
	}
	switch t[at] {
	case '{':
		return t.object(at, depth)
	case '[':
		return t.list(at, depth)
	case '"':
		return t.quoted(at)
	}
	for _, word := range []string{"null", "true", "false", "NaN", "Infinity", "-Infinity"} {
		if t.at(at, word) {
			return at + len(word), nil
		}
	}
	return t.number(at)
}

func (t text) at(at int, word string) bool {
	return len(t)-at >= len(word) && string(t[at:at+len(word)]) == word
}

func (t text) number(from int) (int, *syntax) {
	at := from
	digits := func() bool {
		start := at
		for at < len(t) && t[at] >= '0' && t[at] <= '9' {
			at++
		}
		return at > start
	}
	if at < len(t) && t[at] == '-' {
		at++
	}
	if at < len(t) && t[at] == '0' {
		at++
	} else if !digits() {
		return from, &syntax{"Expecting value", from}
	}
	end := at
	if at < len(t) && t[at] == '.' {
		if at++; !digits() {
			return end, nil // Python ends the number before the point
		}
		end = at
	}
	if at < len(t) && (t[at] == 'e' || t[at] == 'E') {
		if at++; at < len(t) && (t[at] == '+' || t[at] == '-') {
			at++
		}
		if digits() {
			end = at
		}
	}
	return end, nil
}

func (t text) quoted(from int) (int, *syntax) {
	for at := from + 1; at < len(t); at++ {
		switch c := t[at]; {
		case c == '"':
			return at + 1, nil
		case c < ' ':
			return at, &syntax{"Invalid control character at", at}
		case c == '\\':
			if at++; at >= len(t) {
				break
			}
			if t[at] == 'u' {
				for i := 1; i <= 4; i++ {
					if at+i >= len(t) || !strings.ContainsRune("0123456789abcdefABCDEF", rune(t[at+i])) {
						return at, &syntax{`Invalid \uXXXX escape`, at}
					}
				}
			} else if !strings.ContainsRune(`"\/bfnrt`, rune(t[at])) {
				return at, &syntax{`Invalid \escape`, at - 1}
			}
		}
	}
	return from, &syntax{"Unterminated string starting at", from}
}

func (t text) list(at, depth int) (int, *syntax) {
	if at = t.blank(at + 1); at < len(t) && t[at] == ']' {
		return at + 1, nil
	}
	for {
		end, bad := t.value(at, depth+1)
		if bad != nil {
			return at, bad
		}
		at = t.blank(end)
		switch {
		case at < len(t) && t[at] == ']':
			return at + 1, nil
		case at >= len(t) || t[at] != ',':
			return at, &syntax{"Expecting ',' delimiter", at}
		}
		at = t.blank(at + 1)
	}
}

func (t text) object(at, depth int) (int, *syntax) {
	if at = t.blank(at + 1); at < len(t) && t[at] == '}' {
		return at + 1, nil
	}
	for {
		if at >= len(t) || t[at] != '"' {
			return at, &syntax{"Expecting property name enclosed in double quotes", at}
		}
		end, bad := t.quoted(at)
		if bad != nil {
			return at, bad
		}
		if at = t.blank(end); at >= len(t) || t[at] != ':' {
			return at, &syntax{"Expecting ':' delimiter", at}
		}
		if end, bad = t.value(t.blank(at+1), depth+1); bad != nil {
			return at, bad
		}
		at = t.blank(end)
		switch {
		case at < len(t) && t[at] == '}':
			return at + 1, nil
		case at >= len(t) || t[at] != ',':
			return at, &syntax{"Expecting ',' delimiter", at}
		}
		at = t.blank(at + 1)
	}
}

// The rest walks over a text that was checked.

// whole is the value that the text is.
func (t text) whole() span {
	at := t.blank(0)
	return span{int32(at), int32(t.end(at))} //nolint:gosec // a body is far below 2 GiB
}

// end is where the value ends that begins at a place.
func (t text) end(at int) int {
	end, _ := t.value(at, -deepest) // it was checked from the outside
	return end
}

// bytes are the characters of a value.
func (t text) bytes(s span) []byte { return t[s.from:s.to:s.to] }

// kind is the first character of a value; 0 of one that is absent.
func (t text) kind(s span) byte {
	if s.from == s.to {
		return 0
	}
	return t[s.from]
}

// null reports whether the value is missing: absent, null or no number.
func (t text) null(s span) bool {
	return s.from == s.to || t[s.from] == 'n' || t[s.from] == 'N'
}

// items yields the values of a list.
func (t text) items(s span) iter.Seq[span] {
	return func(yield func(span) bool) {
		at := t.blank(int(s.from) + 1)
		for at < int(s.to)-1 {
			end := t.end(at)
			if !yield(span{int32(at), int32(end)}) { //nolint:gosec // as above
				return
			}
			at = t.blank(t.blank(end) + 1)
		}
	}
}

// members yields the members of an object, each of a name's in turn.
func (t text) members(s span) iter.Seq2[string, span] {
	return func(yield func(string, span) bool) {
		at := t.blank(int(s.from) + 1)
		for at < int(s.to)-1 {
			end, _ := t.quoted(at)
			name := t.string(span{int32(at), int32(end)}) //nolint:gosec // as above
			at = t.blank(t.blank(end) + 1)
			end = t.end(at)
			if !yield(name, span{int32(at), int32(end)}) { //nolint:gosec // as above
				return
			}
			at = t.blank(t.blank(end) + 1)
		}
	}
}

// string is the text that a value in quotes stands for; of any other its characters.
func (t text) string(s span) string {
	raw := t.bytes(s)
	if len(raw) < 2 || raw[0] != '"' {
		return string(raw)
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	var out string
	if json.Unmarshal(raw, &out) != nil {
		return string(raw[1 : len(raw)-1])
	}
	return out
}

// python is Python's word for the type of a value.
func (t text) python(s span) string {
	switch t.kind(s) {
	case '{':
		return "dict"
	case '[':
		return "list"
	case '"':
		return "str"
	case 't', 'f':
		return "bool"
	case 'n', 0:
		return "NoneType"
	}
	if bytes.ContainsAny(t.bytes(s), ".eENI") {
		return "float"
	}
	return "int"
}
