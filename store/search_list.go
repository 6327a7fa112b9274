// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// common lists the runs that pass all those tests that list at most limit runs, and
// says which these are; nil: no test does. Lists come as one text each: a row for each
// run would cost more than to find it.
func (s *runSearch) common(ctx context.Context, tests []*runTest, limit int) (*runTest, []*runTest, error) {
	var usable []*runTest
	for _, t := range tests {
		if t.source == nil {
			continue
		}
		if err := s.count(ctx, t, limit); err != nil {
			return nil, nil, err
		}
		if t.count >= 0 {
			usable = append(usable, t)
		}
	}
	if usable == nil {
		return nil, nil, nil
	}
	slices.SortStableFunc(usable, func(a, b *runTest) int { return cmp.Compare(a.count, b.count) })
	var in []int64
	for i, t := range usable {
		if i > 0 && t.count > listCost*len(in) { // to try each is cheaper
			usable = usable[:i]
			break
		}
		list, err := s.list(ctx, t)
		if err != nil {
			return nil, nil, err
		}
		if i == 0 {
			in = list
			continue
		}
		in = both(in, list)
	}
	passed := newRunTest(nil, func(a *asking) string {
		return "SELECT CAST(value AS BIGINT) AS run FROM " + a.listed(in)
	})
	passed.count = len(in)
	return passed, usable, nil
}

// list are the runs that a test's source lists, in ascending order.
func (s *runSearch) list(ctx context.Context, t *runTest) ([]int64, error) {
	a := &asking{dialect: s.db.dialect}
	var raw string
	if err := s.db.row(ctx, "SELECT COALESCE(CAST({list}(run) AS TEXT), '[]') FROM ("+t.source(a)+") AS listed", a.args...).Scan(&raw); err != nil {
		return nil, err
	}
	list, err := numbers(raw, t.count)
	slices.Sort(list) // which does nothing when it is sorted, as lists of one value are
	return list, err
}

// numbers reads a JSON list of whole numbers. It is here because a list may be long,
// and encoding/json takes ten times as long.
func numbers(raw string, about int) ([]int64, error) {
	list := make([]int64, 0, about)
	n, digits := int64(0), false
	for _, c := range []byte(raw) {
		switch {
		case '0' <= c && c <= '9':
			n, digits = n*10+int64(c-'0'), true
		case c == ',' || c == ']' || c == ' ' || c == '[' || c == '\n':
			if digits {
				list = append(list, n)
			}
			n, digits = 0, false
		default:
			return nil, fmt.Errorf("%q in a list of numbers", c)
		}
	}
	return list, nil
}

// both are the numbers in two ascending lists.
func both(a, b []int64) []int64 {
	out := a[:0]
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] < b[0]:
			a = a[1:]
		case a[0] > b[0]:
			b = b[1:]
		default:
			out = append(out, a[0])
			a, b = a[1:], b[1:]
		}
	}
	return out
}
