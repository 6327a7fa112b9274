// SPDX-License-Identifier: Apache-2.0

package learner

import (
	"math"
	"slices"

	"flyball/data/pipeline"
	"flyball/fault"
)

// mostCategories is how many numbers a category may have: 0 to one less.
const mostCategories = 254

// binned is the features in bins. Value x of a feature is in bin b when b of the cuts
// are at or below it, so that "bin at most k" is "x < cuts[k]"; a category is its own
// bin. What is missing has the bin after all others. Four features of a row lie in one
// word, so that one read serves four sums.
type binned struct {
	cuts   [][]float32 // by feature, rising, at most 254; of a category 0, 1, …
	absent []bool      // by feature: some row lacks it
	quads  [][]uint32  // by four features, a word a row
	from   []int       // by feature, and one more: where its bins begin among those of all
}

// missing is the bin of a feature's values that are not there.
func (b *binned) missing(feature int) int { return len(b.cuts[feature]) + 1 }

// binsOf cuts each feature into at most bins bins of about equally many rows, and
// into one bin a value where there are no more values than bins.
func binsOf(x pipeline.Matrix, bins, workers int, category []bool) (*binned, error) {
	b := &binned{cuts: make([][]float32, x.Cols), absent: make([]bool, x.Cols), quads: make([][]uint32, (x.Cols+3)/4)}
	errs := make([]error, x.Cols)
	parallel(workers, len(b.quads), func(q int) {
		words := make([]uint32, x.Rows)
		keys, spare := make([]uint32, 0, x.Rows), make([]uint32, x.Rows)
		for f := 4 * q; f < min(4*q+4, x.Cols); f++ {
			shift := 8 * (f % 4)
			if category[f] {
				errs[f] = b.categories(x, f, words)
				continue
			}
			keys = keys[:0]
			for i := range x.Rows {
				if e := x.Data[i*x.Cols+f]; e == e {
					keys = append(keys, sortable(e))
				}
			}
			b.absent[f] = len(keys) < x.Rows
			cuts := cutsOf(sorted(keys, spare[:len(keys)]), bins, b.absent[f])
			b.cuts[f] = cuts
			t, none := tableOf(cuts), uint32(b.missing(f))<<shift
			for i := range words {
				if e := x.Data[i*x.Cols+f]; e == e {
					words[i] |= uint32(t.bin(e)) << shift
				} else {
					words[i] |= none
				}
			}
		}
		b.quads[q] = words
	})
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	b.from = make([]int, x.Cols+1)
	for f := range x.Cols {
		b.from[f+1] = b.from[f] + b.missing(f) + 1
	}
	return b, nil
}

// categories puts a feature of categories into its bins.
func (b *binned) categories(x pipeline.Matrix, f int, words []uint32) error {
	top := 0
	for i := range words {
		e := x.Data[i*x.Cols+f]
		if e != e {
			b.absent[f] = true
			continue
		}
		bin := int(e)
		if float32(bin) != e || bin < 0 || bin >= mostCategories {
			return fault.New(fault.Invalid, "row %d: %v is not a category of feature %q: they are whole numbers from 0 to %d", i, e, x.Names[f], mostCategories-1).
				Do("encode the column with ordinal, or take the feature out of train.settings.categorical")
		}
		top = max(top, bin)
	}
	for c := range top {
		b.cuts[f] = append(b.cuts[f], float32(c+1))
	}
	for i := range words {
		bin := b.missing(f)
		if e := x.Data[i*x.Cols+f]; e == e {
			bin = int(e)
		}
		words[i] |= uint32(bin) << (8 * (f % 4))
	}
	return nil
}

// sortable are the bits of a number in an order that is the numbers' own; both zeros
// are one.
func sortable(e float32) uint32 {
	bits := math.Float32bits(e + 0)
	if bits>>31 == 1 {
		return ^bits
	}
	return bits | 1<<31
}

// number turns sortable around.
func number(key uint32) float32 {
	if key>>31 == 1 {
		return math.Float32frombits(key &^ (1 << 31))
	}
	return math.Float32frombits(^key)
}

// sorted sorts keys by their digits, the last first; the result is in one of the two.
func sorted(keys, spare []uint32) []uint32 {
	if len(keys) < 2000 {
		slices.Sort(keys)
		return keys
	}
	for shift := 0; shift < 33; shift += 11 {
		var at [2048]int
		for _, k := range keys {
			at[k>>shift&2047]++
		}
		sum := 0
		for d, n := range at {
			at[d] = sum
			sum += n
		}
		for _, k := range keys {
			d := k >> shift & 2047
			spare[at[d]] = k
			at[d]++
		}
		keys, spare = spare, keys
	}
	return keys
}

// table finds bins: a search of eight steps without a branch over 256 cuts.
type table [256]float32

func tableOf(cuts []float32) *table {
	t := new(table)
	for i := copy(t[:], cuts); i < len(t); i++ {
		t[i] = float32(math.Inf(1))
	}
	return t
}

// bin is how many cuts are at or below e, which is finite.
func (t *table) bin(e float32) uint8 {
	at := 0
	for step := 128; step > 0; step >>= 1 {
		next := at
		if t[at+step-1] <= e {
			next = at + step
		}
		at = next
	}
	return uint8(at)
}

// cutsOf are the cuts between sorted values; with last, one more above all values, so
// that what is missing may go by itself.
func cutsOf(keys []uint32, bins int, last bool) []float32 {
	var distinct []float32
	var upTo []int // values at or below
	for i, k := range keys {
		if i == 0 || k != keys[i-1] {
			distinct = append(distinct, number(k))
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
	if n := len(distinct); n <= bins {
		for k := range n - 1 {
			cut(k)
		}
	} else {
		taken, left := 0, bins // rows in the bins so far
		for k := 0; k < n-1 && left > 1; k++ {
			if upTo[k]-taken >= (len(keys)-taken+left-1)/left {
				cut(k)
				taken = upTo[k]
				left--
			}
		}
	}
	if top := len(distinct) - 1; last && top >= 0 {
		m := distinct[top]
		if above := m + float32(math.Abs(float64(m))) + 1e-5; above > m && !math.IsInf(float64(above), 0) {
			cuts = append(cuts, above)
		}
	}
	return cuts
}
