// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"math"
	"time"

	"flyball/data/frame"
)

// logarithm is the natural logarithm of x, or of 1 + x; missing outside its range.
func logarithm(to, from []float64, plus bool) {
	of := math.Log
	if plus {
		of = math.Log1p
	}
	from = from[:len(to)]
	for i, x := range from {
		to[i] = finite(of(x))
	}
}

// products are the columns of interactions: each two columns of in, in their order.
func (s *step) products() []column {
	var out []column
	for i, a := range s.in {
		for _, b := range s.in[i+1:] {
			out = append(out, column{Field: frame.Field{Name: a.Name + "*" + b.Name, Kind: frame.Number}})
		}
	}
	return out
}

// interact multiplies each two columns.
func (s *step) interact(b *batch) {
	outs := s.outs
	for i, x := range s.in {
		left := b.nums[x.slot][:b.n]
		for _, y := range s.in[i+1:] {
			to, right := b.nums[outs[0]][:b.n], b.nums[y.slot][:b.n]
			outs = outs[1:]
			for row := range to {
				to[row] = finite(left[row] * right[row])
			}
		}
	}
}

// periods are after how much a part of a time comes again.
var periods = map[string]int{"month": 12, "day": 31, "weekday": 7, "hour": 24, "minute": 60, "yearday": 366}

// cycle is a part of a time on a circle: the sine and cosine of each value it can have.
type cycle struct {
	part     string
	sin, cos []float64
}

// cyclesOf makes the circles of the parts. The values are rounded to float32, and those
// below 1e-9 are zero, so that every library's sine gives the same.
func cyclesOf(parts []string) []cycle {
	out := make([]cycle, len(parts))
	for i, part := range parts {
		n := periods[part]
		c := cycle{part, make([]float64, n+1), make([]float64, n+1)}
		for v := range n + 1 {
			angle := 2 * math.Pi * float64(v) / float64(n)
			c.sin[v], c.cos[v] = rounded(math.Sin(angle)), rounded(math.Cos(angle))
		}
		out[i] = c
	}
	return out
}

func rounded(x float64) float64 {
	if math.Abs(x) < 1e-9 {
		return 0
	}
	return float64(float32(x))
}

// apply writes where the times stand on the circle; missing where they are.
func (c cycle) apply(sin, cos []float64, times []int64) {
	for i, us := range times {
		if sin[i], cos[i] = nan, nan; us != frame.NoTime {
			v := int(datePart(time.UnixMicro(us).UTC(), c.part))
			sin[i], cos[i] = c.sin[v], c.cos[v]
		}
	}
}
