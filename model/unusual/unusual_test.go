// SPDX-License-Identifier: Apache-2.0

package unusual

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"flyball/data/frame"
)

// bed is 20 columns that go together by four hidden causes: 11 normal, 5 with heavy
// tails, 3 with five levels and one of two values. No column is near zero.
type bed struct {
	rng  *rand.Rand
	load [20][4]float64
}

func newBed(seed uint64) *bed {
	b := &bed{rng: rand.New(rand.NewPCG(seed, 7))}
	for k := range b.load {
		norm := 0.0
		for c := range b.load[k] {
			b.load[k][c] = b.rng.NormFloat64()
			norm += b.load[k][c] * b.load[k][c]
		}
		for c := range b.load[k] {
			b.load[k][c] *= math.Sqrt(0.88 / norm) // of the variance that causes explain
		}
	}
	return b
}

// hidden is a row of normal numbers of variance one.
func (b *bed) hidden() (z [20]float64) {
	var causes [4]float64
	for c := range causes {
		causes[c] = b.rng.NormFloat64()
	}
	for k := range z {
		for c, x := range causes {
			z[k] += b.load[k][c] * x
		}
		z[k] += math.Sqrt(0.12) * b.rng.NormFloat64()
	}
	return z
}

// seen is what a column shows of a hidden number.
func seen(k int, z float64) float64 {
	switch {
	case k < 11:
		return 50 + 5*z
	case k < 16:
		return 300 + 10*math.Sinh(1.5*z)
	case k < 19:
		return 2 + math.Floor(min(2, max(-2, z*1.3))+0.5)
	case z > 0.8:
		return 2
	}
	return 1
}

func (b *bed) row() (x [20]float64) {
	z := b.hidden()
	for k := range z {
		x[k] = seen(k, z[k])
	}
	return x
}

func framed(rows [][20]float64) (*frame.Frame, []frame.Field) {
	var cols []frame.Column
	var fields []frame.Field
	for k := range 20 {
		v := make([]float64, len(rows))
		for i := range rows {
			v[i] = rows[i][k]
		}
		cols = append(cols, frame.NumberColumn(fmt.Sprint("x", k), v))
		fields = append(fields, cols[k].Field)
	}
	return frame.New(cols...), fields
}

func (b *bed) rows(n int) [][20]float64 {
	out := make([][20]float64, n)
	for i := range out {
		out[i] = b.row()
	}
	return out
}

// flagged is the share of rows with a flag that is asked for.
func flagged(r *Reference, rows *frame.Frame, asked func(string) bool) float64 {
	l, n := r.On(rows), 0
	for i := range rows.Rows() {
		if slices.ContainsFunc(l.Flags(i, nil), asked) {
			n++
		}
	}
	return float64(n) / float64(rows.Rows())
}

func improbable(flag string) bool { return flag == Improbable }

func TestWhatIsWrongWithARowIsSeenAsOftenAsSaid(t *testing.T) {
	b := newBed(1)
	train, fields := framed(b.rows(25_000))
	r := New(fields, train, Held{})
	normal := func(k int) bool { return k < 11 }
	for _, c := range []struct {
		name          string
		spoil         func(x, other *[20]float64)
		atLeast, most float64
	}{
		{"usual rows", func(x, other *[20]float64) {}, 0.006, 0.014},
		{"a unit that is wrong by 100", func(x, other *[20]float64) { x[b.rng.IntN(16)] *= 100 }, 0.99, 1},
		{"one column five deviations off", func(x, other *[20]float64) { x[b.rng.IntN(11)] = 50 + 5*5.0 }, 0.97, 1},
		{"five columns of another row", func(x, other *[20]float64) {
			for _, k := range b.rng.Perm(20)[:5] {
				x[k] = other[k]
			}
		}, 0.60, 1},
		{"every column of another row", func(x, other *[20]float64) {
			for k := range x {
				x[k] = b.row()[k]
			}
		}, 0.95, 1},
		{"zero in every number", func(x, other *[20]float64) {
			for k := range x {
				if k < 16 {
					x[k] = 0
				}
			}
		}, 0.99, 1},
		{"a level that there is not", func(x, other *[20]float64) { x[16+b.rng.IntN(3)] = 9 }, 0.99, 1},
		{"all normal columns one deviation off, up or down", func(x, other *[20]float64) {
			for k := range x {
				if normal(k) {
					x[k] += 5 * float64(1-2*(k%2))
				}
			}
		}, 0.9, 1},
	} {
		rows := b.rows(2000)
		for i := range rows {
			other := b.row()
			c.spoil(&rows[i], &other)
		}
		f, _ := framed(rows)
		if got := flagged(r, f, improbable); got < c.atLeast || got > c.most {
			t.Errorf("%s: %.3f improbable, want %.3f to %.3f", c.name, got, c.atLeast, c.most)
		} else {
			t.Logf("%s: %.3f", c.name, got)
		}
	}
}
