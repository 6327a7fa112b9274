// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"flyball/fault"
	"flyball/search"
)

// What a search may ask for at most. SQLite refuses expressions that are nested more
// deeply, and a thousand comparisons are a mistake.
const (
	mostComparisons = 200
	mostOrders      = 20
	longestPattern  = 8_000 // bytes
)

// asking is a statement while it is written: its text is made in pieces, and args are
// the values of $1, $2 and so on.
type asking struct {
	dialect dialect
	args    []any
}

// arg adds a value and returns its name in the text.
func (a *asking) arg(v any) string {
	a.args = append(a.args, v)
	return "$" + strconv.Itoa(len(a.args))
}

// among is a condition on a column of whole numbers.
func (a *asking) among(column string, list []int64) string {
	if len(list) == 1 {
		return column + " = " + a.arg(list[0])
	}
	return column + " " + strings.ReplaceAll(a.dialect.sql("{among}"), "$1", a.arg(set(list)))
}

// listed is a table whose column value has the numbers of a list.
func (a *asking) listed(list []int64) string {
	return strings.ReplaceAll(a.dialect.sql("{texts}"), "$1", a.arg(set(list)))
}

// lookup joins a table, called alias, by a condition that finds at most one row of it.
// Both engines are to take the rows so far one by one, in their order, for these are
// few, which a planner cannot know: SQLite does so for CROSS JOIN and LEFT JOIN, and
// PostgreSQL where OFFSET keeps it from looking at the condition.
func (a *asking) lookup(join, table, alias, on string) string {
	if a.dialect.folder == "sqlite" {
		return " " + join + " JOIN " + table + " " + alias + " ON " + on
	}
	return " " + strings.TrimPrefix(join, "CROSS") + " JOIN LATERAL (SELECT * FROM " + table + " " + alias + " WHERE " + on + " OFFSET 0) " + alias + " ON TRUE"
}

// text is a comparison of a column of texts. A column that is NULL satisfies none.
func (a *asking) text(column string, c search.Comparison) string {
	switch c.Op {
	case search.Like, search.ILike:
		return a.like(column, c)
	case search.In, search.NotIn:
		list := make([]string, len(c.List))
		for i, s := range c.List {
			list[i] = clean(s)
		}
		return column + " " + c.Op.String() + " (SELECT value FROM " + strings.ReplaceAll(a.dialect.sql("{texts}"), "$1", a.arg(set(list))) + ")"
	}
	return column + " " + c.Op.String() + " " + a.arg(clean(c.Text))
}

// like is LIKE, in which case matters, or ILIKE, in which that of ASCII does not. A
// backslash is a character. SQLite's own LIKE takes any case, so that its GLOB stands
// for the other.
func (a *asking) like(column string, c search.Comparison) string {
	pattern := clean(c.Text)
	switch {
	case a.dialect.folder != "sqlite":
		return column + " " + c.Op.String() + " CAST(" + a.arg(pattern) + " AS TEXT) ESCAPE ''"
	case c.Op == search.Like:
		pattern = strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]", "%", "*", "_", "?").Replace(pattern)
		return column + " GLOB " + a.arg(pattern)
	}
	return column + " LIKE " + a.arg(pattern)
}

// number is a comparison of a column of numbers that need not be whole.
func (a *asking) number(column string, c search.Comparison) string {
	return column + " " + c.Op.String() + " " + a.arg(finite(c.Number))
}

// finite is a number that every engine has; the infinities are kept as the greatest
// ones, so that nothing lies beyond.
func finite(f float64) float64 {
	return max(-math.MaxFloat64, min(f, math.MaxFloat64))
}

// whole is a comparison of a column of whole numbers, with a number that need not be
// one.
func (a *asking) whole(column string, c search.Comparison) string {
	n, op := c.Number, c.Op
	switch {
	case n == math.Trunc(n):
	case op == search.Equal || op == search.NotEqual:
		return always(column, op == search.NotEqual)
	case op == search.Less || op == search.GreaterEqual:
		n = math.Ceil(n)
	default:
		n = math.Floor(n)
	}
	switch {
	case n >= math.MaxInt64: // as float64 it is one more
		return always(column, op == search.Less || op == search.LessEqual || op == search.NotEqual)
	case n < math.MinInt64:
		return always(column, op == search.Greater || op == search.GreaterEqual || op == search.NotEqual)
	}
	return column + " " + op.String() + " " + a.arg(int64(n))
}

// always is a condition that holds for all values of a column, or for none.
func always(column string, holds bool) string {
	if holds {
		return column + " IS NOT NULL"
	}
	return "1 = 0"
}

// sortKey is one key of an order as SQL: things are sorted by class, then by value.
type sortKey struct {
	class string // 0: a value; 1: not a number; 2: there is none. Empty: always 0
	value string
	desc  bool
	kind  kind
}

// kind is what values of a key are.
type kind uint8

const (
	wholeKind kind = iota
	numberKind
	textKind
)

// spot is the value of a sortKey of one thing.
type spot struct {
	Class  int64   `json:"c,omitempty"`
	Whole  int64   `json:"w,omitempty"`
	Number float64 `json:"n,omitempty"`
	Text   string  `json:"t,omitempty"`
}

func (k sortKey) columns() string {
	return cmp.Or(k.class, "0") + ", " + k.value
}

// order is the key as ORDER BY has it.
func (k sortKey) order() string {
	s := k.value
	if k.desc {
		s += " DESC"
	}
	if k.class != "" {
		s = k.class + ", " + s
	}
	return s
}

func (k sortKey) of(s spot) any {
	switch k.kind {
	case wholeKind:
		return s.Whole
	case numberKind:
		return s.Number
	}
	return s.Text
}

// after is the condition that a thing comes after a place in the order of keys.
func (a *asking) after(keys []sortKey, place []spot) string {
	var all []string
	same := ""
	for i, k := range keys {
		all = append(all, "("+same+k.past(a, place[i])+")")
		if i < len(keys)-1 {
			same += k.same(a, place[i]) + " AND "
		}
	}
	return "(" + strings.Join(all, " OR ") + ")"
}

// past is the condition that the key is after a spot.
func (k sortKey) past(a *asking, s spot) string {
	text := ""
	if k.class != "" {
		text = "(" + k.class + ") > " + a.arg(s.Class)
	}
	if s.Class != 0 {
		return text
	}
	op := " > "
	if k.desc {
		op = " < "
	}
	return "(" + strings.TrimPrefix(text+" OR "+k.value+op+a.arg(k.of(s)), " OR ") + ")"
}

// same is the condition that the key is at a spot.
func (k sortKey) same(a *asking, s spot) string {
	var text []string
	if k.class != "" {
		text = append(text, "("+k.class+") = "+a.arg(s.Class))
	}
	if s.Class == 0 {
		text = append(text, k.value+" = "+a.arg(k.of(s)))
	}
	return strings.Join(text, " AND ")
}

// reading scans more columns after those that somebody else scans.
type reading struct {
	scanner
	more []any
}

func (r reading) Scan(dest ...any) error { return r.scanner.Scan(append(dest, r.more...)...) }

// into are where the columns of keys are scanned to.
func into(spots []spot, keys []sortKey) []any {
	to := make([]any, 0, 2*len(keys))
	for i, k := range keys {
		to = append(to, &spots[i].Class)
		switch k.kind {
		case wholeKind:
			to = append(to, zero[int64]{&spots[i].Whole})
		case numberKind:
			to = append(to, zero[float64]{&spots[i].Number})
		default:
			to = append(to, zero[string]{&spots[i].Text})
		}
	}
	return to
}

// zero scans NULL as the zero value.
type zero[T int64 | float64 | string] struct{ to *T }

func (z zero[T]) Scan(v any) error {
	got, ok := v.(T)
	if !ok && v != nil {
		return fmt.Errorf("a %T where a %T belongs", v, got)
	}
	*z.to = got
	return nil
}

// token is a place in an answer, as clients carry it from page to page.
type token struct {
	Query string `json:"q"` // a digest of what was asked
	Place []spot `json:"p"` // of the last thing told
}

// digest tells one query from another.
func digest(parts ...any) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%v\x00", p)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func (t token) String() string {
	raw, err := json.Marshal(t)
	if err != nil { // a number that JSON does not have: never, for those are classes
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// parseToken reads the place at which the page before ended; nil: the beginning.
func parseToken(text, query string, keys []sortKey) ([]spot, error) {
	if text == "" {
		return nil, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, fault.New(fault.Invalid, "Invalid page token, could not base64-decode")
	}
	var t token
	if err := json.Unmarshal(raw, &t); err != nil || t.Query != query || !t.fits(keys) {
		return nil, fault.New(fault.Invalid, "Invalid page token, parsed value=%.200s", strings.ToValidUTF8(clean(string(raw)), "")).
			Do("go on with the token of the page before, and ask for the same as then")
	}
	for i := range t.Place {
		t.Place[i].Text = clean(t.Place[i].Text)
	}
	return t.Place, nil
}

func (t token) fits(keys []sortKey) bool {
	if len(t.Place) != len(keys) {
		return false
	}
	for i, s := range t.Place {
		if s.Class < 0 || s.Class > 2 || s.Class != 0 && keys[i].class == "" {
			return false
		}
	}
	return true
}

// bounds refuses what is too much to ask.
func bounds(f search.Filter, order []search.Order) error {
	if len(f) > mostComparisons {
		return fault.New(fault.Invalid, "the filter has %d comparisons, and %d are the most", len(f), mostComparisons)
	}
	if len(order) > mostOrders {
		return fault.New(fault.Invalid, "the order has %d keys, and %d are the most", len(order), mostOrders)
	}
	for _, c := range f {
		if (c.Op == search.Like || c.Op == search.ILike) && len(c.Text) > longestPattern {
			return fault.New(fault.Invalid, "a pattern has %d bytes, and %d are the most", len(c.Text), longestPattern)
		}
	}
	return nil
}
