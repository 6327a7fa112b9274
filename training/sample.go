// SPDX-License-Identifier: Apache-2.0

package training

import (
	"math/rand/v2"
	"slices"
)

// Sample says how many of the training rows train: enough to see whether a change holds,
// in less time. Which rows are held out is cut before, so they are the same, and all of
// them judge. What is made of a sample is not fitted again on all rows. The zero value
// takes all.
type Sample struct {
	Rows  int     `json:"rows,omitempty"`  // at most so many; 0: no bound
	Share float64 `json:"share,omitempty"` // of the rows, above 0 and below 1; 0: all
	Seed  uint64  `json:"seed,omitempty"`
}

// All reports whether no row is left out on purpose.
func (s Sample) All() bool { return s.Rows == 0 && s.Share == 0 }

// of are the rows that the sample keeps, in their order: each subset of that size is as
// likely, and the same rows and the same seed give the same one. At least one is kept.
func (s Sample) of(rows []int) []int {
	n := len(rows)
	if s.Share > 0 {
		n = int(s.Share * float64(n))
	}
	if s.Rows > 0 {
		n = min(n, s.Rows)
	}
	if n = min(max(n, 1), len(rows)); n == len(rows) {
		return rows
	}
	at := rand.New(rand.NewPCG(s.Seed, 0)).Perm(len(rows))[:n] //nolint:gosec // not a secret: a sample that can be drawn again
	slices.Sort(at)
	out := make([]int, n)
	for i, k := range at {
		out[i] = rows[k]
	}
	return out
}
