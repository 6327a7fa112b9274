// SPDX-License-Identifier: Apache-2.0

package learner

import (
	"slices"
	"sort"

	"flyball/data/pipeline"
)

// missing is the bin of a value that is not there.
const missing = 255

// binned is the features in bins, a column after the other: value x is in bin b when
// b of the cuts are at or below it, so that "bin at most k" is "x < cuts[k]".
type binned struct {
	rows int
	cuts [][]float32 // by feature, rising, at most 253
	bin  [][]uint8   // by feature, a bin a row
}

// binsOf cuts each feature into at most bins bins of about equally many rows, and
// into one bin a value where there are no more values than bins.
func binsOf(x pipeline.Matrix, bins, workers int) *binned {
	b := &binned{rows: x.Rows, cuts: make([][]float32, x.Cols), bin: make([][]uint8, x.Cols)}
	parallel(workers, x.Cols, func(f int) {
		v := make([]float32, 0, x.Rows)
		for i := range x.Rows {
			if e := x.Data[i*x.Cols+f]; e == e {
				v = append(v, e)
			}
		}
		slices.Sort(v)
		b.cuts[f] = cutsOf(v, bins)
		col := make([]uint8, x.Rows)
		for i := range col {
			col[i] = binOf(b.cuts[f], x.Data[i*x.Cols+f])
		}
		b.bin[f] = col
	})
	return b
}

// binOf is how many cuts are at or below e.
func binOf(cuts []float32, e float32) uint8 {
	if e != e {
		return missing
	}
	return uint8(sort.Search(len(cuts), func(k int) bool { return cuts[k] > e }))
}

// cutsOf are the cuts between sorted values.
func cutsOf(v []float32, bins int) []float32 {
	var distinct []float32
	var upTo []int // values at or below
	for i, e := range v {
		if i == 0 || e != v[i-1] {
			distinct = append(distinct, e)
			upTo = append(upTo, i)
		}
		upTo[len(upTo)-1] = i + 1
	}
	var cuts []float32
	cut := func(k int) { // between distinct k and k+1
		a, b := distinct[k], distinct[k+1]
		m := float32((float64(a) + float64(b)) / 2)
		if m <= a || m > b {
			m = b
		}
		cuts = append(cuts, m)
	}
	if len(distinct) <= bins {
		for k := range len(distinct) - 1 {
			cut(k)
		}
		return cuts
	}
	taken := 0 // rows in the bins so far
	left := bins
	for k := range len(distinct) - 1 {
		if left == 1 {
			break
		}
		if upTo[k]-taken >= (len(v)-taken+left-1)/left {
			cut(k)
			taken = upTo[k]
			left--
		}
	}
	return cuts
}
