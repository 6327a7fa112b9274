// SPDX-License-Identifier: Apache-2.0

package lightgbm

import (
	"slices"
	"strconv"
	"strings"

	"flyball/fault"
)

// lines reads a text line by line and knows where it is.
type lines struct {
	rest string
	at   int // number of the line that next gave, from 1
}

// next is the next line without its end; false after the last.
func (l *lines) next() (string, bool) {
	if l.rest == "" {
		return "", false
	}
	line, rest, _ := strings.Cut(l.rest, "\n")
	l.rest = rest
	l.at++
	return strings.TrimSuffix(line, "\r"), true
}

// wrongAt is the fault of a line.
func wrongAt(line int, format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "line %d of the LightGBM model: "+format, append([]any{line}, args...)...)
}

// value is the text after the = of a line, and where it stood; line 0: it was not there.
type value struct {
	text string
	line int
}

// count reads a whole number that is not negative.
func (v value) count(name string) (int, error) {
	if v.line == 0 {
		return 0, fault.New(fault.Invalid, "the LightGBM model has no %s", name)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(v.text), 10, 32)
	if err != nil || n < 0 {
		return 0, wrongAt(v.line, "%s is %q, which is not a count", name, clip(v.text))
	}
	return int(n), nil
}

// integers reads n whole numbers into what it is given, and gives that back.
func (v value) integers(name string, into []int32, n int) ([]int32, error) {
	return list(v, name, into[:0], n, func(s string) (int32, error) {
		x, err := strconv.ParseInt(s, 10, 32)
		return int32(x), err
	})
}

// sets reads n words of bits.
func (v value) sets(name string, into []uint32, n int) ([]uint32, error) {
	return list(v, name, into[:0], n, func(s string) (uint32, error) {
		x, err := strconv.ParseUint(s, 10, 32)
		return uint32(x), err
	})
}

// numbers reads n numbers, as exactly as they are written.
func (v value) numbers(name string, into []float64, n int) ([]float64, error) {
	return list(v, name, into[:0], n, func(s string) (float64, error) { return strconv.ParseFloat(s, 64) })
}

// list reads n words that are separated by blanks.
func list[T any](v value, name string, into []T, n int, read func(string) (T, error)) ([]T, error) {
	if v.line == 0 {
		return nil, fault.New(fault.Invalid, "a tree of the LightGBM model has no %s", name)
	}
	if n > (len(v.text)+1)/2 {
		return nil, wrongAt(v.line, "%s has fewer than %d values", name, n)
	}
	into = slices.Grow(into, n)
	for word := range strings.FieldsSeq(v.text) {
		x, err := read(word)
		if err != nil {
			return nil, wrongAt(v.line, "value %d of %s is %q, which is not a number that it can hold", len(into), name, clip(word))
		}
		if len(into) == n {
			return nil, wrongAt(v.line, "%s has more than %d values", name, n)
		}
		into = append(into, x)
	}
	if len(into) != n {
		return nil, wrongAt(v.line, "%s has %d values, not %d", name, len(into), n)
	}
	return into, nil
}

// clip shortens what is shown of a text.
func clip(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "…"
	}
	return s
}
