// SPDX-License-Identifier: Apache-2.0

package training

import (
	"slices"
	"testing"
)

func TestASampleIsTheSameForASeedAndKeepsTheOrder(t *testing.T) {
	rows := make([]int, 1000)
	for i := range rows {
		rows[i] = 3*i + 7
	}
	for _, c := range []struct {
		name   string
		sample Sample
		want   int
	}{
		{"nothing is asked", Sample{Seed: 1}, 1000},
		{"so many rows", Sample{Rows: 200, Seed: 1}, 200},
		{"more than there are", Sample{Rows: 2000, Seed: 1}, 1000},
		{"a share", Sample{Share: 0.1, Seed: 1}, 100},
		{"a share, and at most so many", Sample{Share: 0.5, Rows: 50, Seed: 1}, 50},
		{"a share of less than a row", Sample{Share: 0.0001, Seed: 1}, 1},
	} {
		got := c.sample.of(rows)
		if len(got) != c.want || !slices.IsSorted(got) || !slices.Equal(got, c.sample.of(rows)) {
			t.Errorf("%s: %d rows, want %d, in their order and the same again", c.name, len(got), c.want)
		}
		for _, r := range got {
			if (r-7)%3 != 0 || r < 7 || r > 3*999+7 {
				t.Fatalf("%s: %d is none of the rows", c.name, r)
			}
		}
	}
	if slices.Equal(Sample{Rows: 200, Seed: 1}.of(rows), Sample{Rows: 200, Seed: 2}.of(rows)) {
		t.Error("two seeds give one sample")
	}
	if got := (Sample{Rows: 5}).of(nil); len(got) != 0 {
		t.Errorf("of no rows: %v", got)
	}
}
