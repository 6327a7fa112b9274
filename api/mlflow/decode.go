// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"flyball/fault"
)

// number is a JSON number as it was sent, so that no digit is lost before it is known
// whether an integer or a fraction is wanted. It may be NaN, Infinity or -Infinity:
// Python's JSON writes them bare.
type number string

const (
	maxDepth  = 32     // of arrays and objects inside each other
	maxValues = 50_000 // in one request
)

// decode reads one JSON value: nil, bool, number, string, []any or map[string]any. Of
// equal keys the last counts. The error is an Invalid fault.
func decode(b []byte) (any, error) {
	d := &decoder{in: b}
	v, err := d.value(0)
	if err != nil {
		return nil, err
	}
	if d.space(); d.at != len(d.in) {
		return nil, d.broken("something follows the value")
	}
	return v, nil
}

type decoder struct {
	in     []byte
	at     int
	values int
}

func (d *decoder) broken(why string) error {
	return fault.New(fault.Invalid, "The request body is not JSON: %s at byte %d.", why, d.at)
}

func (d *decoder) space() {
	for d.at < len(d.in) && (d.in[d.at] == ' ' || d.in[d.at] == '\n' || d.in[d.at] == '\t' || d.in[d.at] == '\r') {
		d.at++
	}
}

// next is the next byte that is not space, 0 at the end.
func (d *decoder) next() byte {
	d.space()
	if d.at == len(d.in) {
		return 0
	}
	return d.in[d.at]
}

func (d *decoder) value(depth int) (any, error) {
	if d.values++; d.values > maxValues {
		return nil, fault.New(fault.Invalid, "The request holds more than %d values.", maxValues)
	}
	if depth > maxDepth {
		return nil, fault.New(fault.Invalid, "The request is nested more than %d deep.", maxDepth)
	}
	switch c := d.next(); c {
	case '{':
		return d.object(depth)
	case '[':
		return d.array(depth)
	case '"':
		return d.text()
	default:
		return d.word()
	}
}

func (d *decoder) object(depth int) (any, error) {
	d.at++
	out := map[string]any{}
	if d.next() == '}' {
		d.at++
		return out, nil
	}
	for {
		if d.next() != '"' {
			return nil, d.broken("a key is missing")
		}
		key, err := d.text()
		if err != nil {
			return nil, err
		}
		if d.next() != ':' {
			return nil, d.broken("a colon is missing")
		}
		d.at++
		if out[key], err = d.value(depth + 1); err != nil {
			return nil, err
		}
		switch d.next() {
		case ',':
			d.at++
		case '}':
			d.at++
			return out, nil
		default:
			return nil, d.broken("an object does not end")
		}
	}
}

func (d *decoder) array(depth int) (any, error) {
	d.at++
	out := []any{}
	if d.next() == ']' {
		d.at++
		return out, nil
	}
	for {
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
		switch d.next() {
		case ',':
			d.at++
		case ']':
			d.at++
			return out, nil
		default:
			return nil, d.broken("an array does not end")
		}
	}
}

// word reads what has no quotes: a number, true, false, null and Python's NaN.
func (d *decoder) word() (any, error) {
	from := d.at
	for d.at < len(d.in) && !strings.ContainsRune(" \n\t\r,:]}[{\"", rune(d.in[d.at])) {
		d.at++
	}
	switch w := string(d.in[from:d.at]); {
	case w == "null":
		return nil, nil
	case w == "true":
		return true, nil
	case w == "false":
		return false, nil
	case isNumber(w), isNotFinite(w):
		return number(w), nil
	default:
		d.at = from
		return nil, d.broken("a value is missing")
	}
}

// text reads a string. NUL and bytes that are not UTF-8 are refused here, because no
// database takes them all; half of a surrogate pair, which Python can send, becomes
// the replacement character.
func (d *decoder) text() (string, error) {
	d.at++
	from := d.at
	for d.at < len(d.in) && d.in[d.at] != '"' && d.in[d.at] != '\\' && d.in[d.at] >= ' ' {
		d.at++
	}
	if d.at < len(d.in) && d.in[d.at] == '"' { // as most end
		d.at++
		return checkText(string(d.in[from : d.at-1]))
	}
	var b strings.Builder
	b.Write(d.in[from:d.at])
	for d.at < len(d.in) {
		switch c := d.in[d.at]; {
		case c == '"':
			d.at++
			return checkText(b.String())
		case c == '\\':
			r, err := d.escape()
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
		case c < ' ':
			return "", d.broken("a control character stands in a string")
		default:
			b.WriteByte(c)
			d.at++
		}
	}
	return "", d.broken("a string does not end")
}

// escape reads one escaped character, both halves if it is a pair.
func (d *decoder) escape() (rune, error) {
	if d.at+1 >= len(d.in) {
		return 0, d.broken("a string does not end")
	}
	c := d.in[d.at+1]
	if c == 'u' {
		high, ok := d.unit(d.at)
		if !ok {
			return 0, d.broken("an escape cannot be read")
		}
		d.at += 6
		if high < 0xD800 || high > 0xDFFF {
			return high, nil
		}
		if low, ok := d.unit(d.at); ok && high <= 0xDBFF && low >= 0xDC00 && low <= 0xDFFF {
			d.at += 6
			return (high-0xD800)<<10 | (low - 0xDC00) + 0x10000, nil
		}
		return utf8.RuneError, nil
	}
	i := strings.IndexByte(`"\/bfnrt`, c)
	if i < 0 {
		return 0, d.broken("an escape cannot be read")
	}
	d.at += 2
	return rune("\"\\/\b\f\n\r\t"[i]), nil
}

// unit reads \uXXXX at a place.
func (d *decoder) unit(at int) (rune, bool) {
	if at+6 > len(d.in) || d.in[at] != '\\' || d.in[at+1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(d.in[at+2:at+6]), 16, 16)
	return rune(n), err == nil
}

// checkText refuses text that no database takes.
func checkText(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", fault.New(fault.Invalid, "The request holds text that is not UTF-8.")
	}
	if strings.IndexByte(s, 0) >= 0 {
		return "", fault.New(fault.Invalid, "The request holds text with a NUL character.")
	}
	return s, nil
}

// isNumber says whether s is a number as JSON writes it.
func isNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole := digits(s)
	if whole == 0 || whole > 1 && s[0] == '0' {
		return false
	}
	s = s[whole:]
	if strings.HasPrefix(s, ".") {
		n := digits(s[1:])
		if n == 0 {
			return false
		}
		s = s[1+n:]
	}
	if s == "" {
		return true
	}
	if s[0] != 'e' && s[0] != 'E' {
		return false
	}
	s = s[1:]
	if s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	return s != "" && digits(s) == len(s)
}

func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

func isNotFinite(s string) bool { return s == "NaN" || s == "Infinity" || s == "-Infinity" }
