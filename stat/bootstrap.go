// SPDX-License-Identifier: Apache-2.0

package stat

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Resamples is how many times Bootstrap draws.
const Resamples = 2000

// Draws says which rows are one draw. Where Run is above 1 the draws lie one after
// another in time and are not independent of their neighbours: resamples take so many in
// a row, from the first again after the last (the circular block bootstrap of Politis and
// Romano 1992), and Run of them count as one independent draw.
type Draws struct {
	Of    []int // a row's draw, 0 to Count−1, numbered as they first appear, or in the order of the blocks where Run is above 1
	Count int   //
	Run   int   // 0 or 1: each draw is independent
}

// RunsOf groups n rows by their block numbers, whose order is that of time, in runs of so
// many blocks.
func RunsOf(n int, block []uint64, run int) Draws {
	d := DrawsOf(n, block)
	if run <= 1 || len(block) != n {
		return d
	}
	numbers := slices.Clone(block)
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	for i, b := range block {
		d.Of[i], _ = slices.BinarySearch(numbers, b)
	}
	d.Run = run
	return d
}

// Independent is how many independent draws there are: whole runs.
func (d Draws) Independent() int { return d.Count / max(1, d.Run) }

// DrawsOf groups n rows by their block numbers. A nil block, or one that is not n
// long, makes each row its own draw.
func DrawsOf(n int, block []uint64) Draws {
	d := Draws{Of: make([]int, n)}
	if len(block) != n {
		for i := range d.Of {
			d.Of[i] = i
		}
		d.Count = n
		return d
	}
	at := map[uint64]int{}
	for i, b := range block {
		k, ok := at[b]
		if !ok {
			k = len(at)
			at[b] = k
		}
		d.Of[i] = k
	}
	d.Count = len(at)
	return d
}

// Blocks is how many independent draws n rows are.
func Blocks(n int, block []uint64) int { return DrawsOf(n, block).Count }

// Spread is how a statistic varies over resamples: its 95 % percentile interval and
// its standard error.
type Spread struct {
	Low, High, SE float64
}

// Bootstrap is the spread of a statistic over Resamples resamples of the draws with
// replacement, the same for the same seed. The statistic gets how many times each
// draw is in the resample, and must not keep it; a resample for which it gives NaN
// is left out. ok is false when there are fewer than two draws or more than a tenth
// of the resamples were left out.
func (d Draws) Bootstrap(seed uint64, statistic func(times []float64) float64) (out Spread, ok bool) {
	if d.Independent() < 2 {
		return Spread{}, false
	}
	random := rand.New(rand.NewPCG(seed, 0))
	times := make([]float64, d.Count)
	values := make([]float64, 0, Resamples)
	for range Resamples {
		d.Draw(random, times)
		if v := statistic(times); !math.IsNaN(v) {
			values = append(values, v)
		}
	}
	if len(values) < Resamples*9/10 {
		return Spread{}, false
	}
	slices.Sort(values)
	m := MeanOf(values)
	return Spread{Quantile(values, 0.025), Quantile(values, 0.975), m.SE * math.Sqrt(float64(len(values)))}, true
}

// Draw puts how often each draw is in a resample into times, which has Count places.
func (d Draws) Draw(random *rand.Rand, times []float64) {
	clear(times)
	run := max(1, d.Run)
	for left := d.Count; left > 0; left -= run {
		at := random.IntN(d.Count)
		for k := range min(run, left) {
			times[(at+k)%d.Count]++
		}
	}
}

// Quantile is the value below which a share p of the sorted values lies, between its
// neighbours in proportion (Hyndman and Fan's type 7, NumPy's default). No values
// give 0.
func Quantile(sorted []float64, p float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	h := p * float64(len(sorted)-1)
	i := int(h)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (h-float64(i))*(sorted[i+1]-sorted[i])
}
