// SPDX-License-Identifier: Apache-2.0

package stat

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Resamples is how many times Bootstrap draws.
const Resamples = 2000

// Bootstrap is the 95 % percentile interval and standard error of a statistic of
// rows, drawn with replacement by block (nil: by row), the same for the same seed.
// The statistic gets row numbers, with repeats, and must not keep them; a draw for
// which it gives NaN is left out. ok is false when there are fewer than two blocks
// or more than a tenth of the draws were left out.
func Bootstrap(n int, block []uint64, seed uint64, statistic func(rows []int) float64) (low, high, se float64, ok bool) {
	groups := blocksOf(n, block)
	if len(groups) < 2 {
		return 0, 0, 0, false
	}
	random := rand.New(rand.NewPCG(seed, 0))
	rows := make([]int, 0, n)
	values := make([]float64, 0, Resamples)
	for range Resamples {
		rows = rows[:0]
		for range groups {
			rows = append(rows, groups[random.IntN(len(groups))]...)
		}
		if v := statistic(rows); !math.IsNaN(v) {
			values = append(values, v)
		}
	}
	if len(values) < Resamples*9/10 {
		return 0, 0, 0, false
	}
	slices.Sort(values)
	m := MeanOf(values)
	return quantile(values, 0.025), quantile(values, 0.975), m.SE * math.Sqrt(float64(len(values))), true
}

// Blocks is how many independent draws n rows are.
func Blocks(n int, block []uint64) int { return len(blocksOf(n, block)) }

func blocksOf(n int, block []uint64) [][]int {
	at := map[uint64]int{}
	var groups [][]int
	for i := range n {
		key := uint64(i)
		if len(block) == n {
			key = block[i]
		}
		k, ok := at[key]
		if !ok {
			k = len(groups)
			at[key] = k
			groups = append(groups, nil)
		}
		groups[k] = append(groups[k], i)
	}
	return groups
}

func quantile(sorted []float64, p float64) float64 {
	h := p * float64(len(sorted)-1)
	i := int(h)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (h-float64(i))*(sorted[i+1]-sorted[i])
}
