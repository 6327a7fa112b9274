// SPDX-License-Identifier: Apache-2.0

package unusual

import (
	"math"

	"flyball/data/frame"
)

// ready works out what looking at rows needs.
func (r *Reference) ready() {
	scores := newNormal()
	r.gauges = make([]gauge, len(r.Columns))
	for i := range r.Columns {
		r.gauges[i] = newGauge(&r.Columns[i], scores)
	}
	r.tailAt, r.farAt = math.Inf(1), math.Inf(1)
	if j := r.Joint; j != nil {
		r.learned(j)
		k := j.rank() - 1
		r.tailAt, r.farAt = j.Tails[k], j.Distances[k]
	}
}

// inverse is the inverse of a lower triangle, row by row.
func inverse(l []float64, d int) []float64 {
	out := make([]float64, len(l))
	for c := range d {
		for i := c; i < d; i++ {
			row := l[i*(i+1)/2:]
			sum := 0.0
			if i == c {
				sum = 1
			}
			for k := c; k < i; k++ {
				sum -= row[k] * out[k*(k+1)/2+c]
			}
			out[i*(i+1)/2+c] = sum / row[i]
		}
	}
	return out
}

// Looker looks at the rows of one frame. It may be used by many goroutines at once.
type Looker struct {
	r       *Reference
	columns []*frame.Column // nil: absent, or of another kind
}

// On makes a looker at the rows, which should have the columns of the reference; what
// is absent, or of another kind, is as if missing.
func (r *Reference) On(rows *frame.Frame) Looker {
	l := Looker{r: r, columns: make([]*frame.Column, len(r.Columns))}
	cols := rows.Columns()
	for i := range r.Columns {
		want := &r.Columns[i]
		var c *frame.Column
		if want.At < len(cols) && cols[want.At].Name == want.Name { // as a plan reads them
			c = &cols[want.At]
		} else {
			c = rows.Column(want.Name)
		}
		if c != nil && c.Kind == want.Kind {
			l.columns[i] = c
		}
	}
	return l
}

// Flags appends what is unusual about row i, in the order of the columns. Missing
// values are not unusual, and neither is an infinite one, which pipelines count as
// missing.
func (l *Looker) Flags(i int, flags []string) []string {
	var room [maxColumns]float64
	scores := room[:len(l.columns)]
	if l.scores(i, scores) {
		flags = l.outside(i, flags)
	}
	if l.r.Joint != nil {
		if tail, far := l.r.joint(scores); tail > l.r.tailAt || far > l.r.farAt {
			flags = append(flags, Improbable)
		}
	}
	return flags
}

// scores are the normal scores of row i by column, NaN where it is missing. odd reports
// whether a value is out of range or was never met.
func (l *Looker) scores(i int, scores []float64) (odd bool) {
	for k, c := range l.columns {
		scores[k] = math.NaN()
		if c == nil {
			continue
		}
		g, col := &l.r.gauges[k], &l.r.Columns[k]
		if c.Kind == frame.Number {
			if x := c.Num[i]; g.quantiles != nil && x-x == 0 { // a number, and finite
				scores[k] = g.number(x)
				odd = odd || x < col.Low || x > col.High
			}
			continue
		}
		if !c.Missing(i) {
			known := false
			scores[k], known = g.word(c.Text[i])
			odd = odd || !known && !col.Open
		}
	}
	return odd
}

// outside appends the flags of single values.
func (l *Looker) outside(i int, flags []string) []string {
	for k, c := range l.columns {
		if c == nil {
			continue
		}
		g, col := &l.r.gauges[k], &l.r.Columns[k]
		switch {
		case c.Kind == frame.Number && g.quantiles != nil:
			if x := c.Num[i]; !math.IsInf(x, 0) && (x < col.Low || x > col.High) {
				flags = append(flags, g.outOfRange)
			}
		case c.Kind == frame.Text && !col.Open && !c.Missing(i):
			if _, known := g.word(c.Text[i]); !known {
				flags = append(flags, g.unseen)
			}
		}
	}
	return flags
}

// learned works out of the factor what distances are measured with.
func (r *Reference) learned(j *Joint) {
	d := len(j.Columns)
	r.inverse, r.precision = inverse(j.Factor, d), make([]float64, d*d)
	for k := range d {
		row := r.inverse[k*(k+1)/2:]
		for a := range k + 1 {
			for b := range k + 1 {
				r.precision[a*d+b] += row[a] * row[b]
			}
		}
	}
}

// joint is the largest score of a row and its squared distance from the middle, of the
// scores of all columns. One that is not a number is missing: it adds to neither, as the
// distance is that of the nearest row with these values. A row with more than maxGone
// missing values is judged by the others one by one, and its distance is 0.
func (r *Reference) joint(scores []float64) (tail, far float64) {
	j := r.Joint
	var room [maxJoint]float64
	var gone [maxGone]int
	z, missing := room[:len(j.Columns)], 0
	for k, at := range j.Columns {
		x := scores[at]
		if x != x { // no number
			if missing < maxGone {
				gone[missing] = k
			}
			missing++
			continue
		}
		tail = max(tail, math.Abs(x))
		z[k] = x - j.Mean[k]
	}
	switch {
	case missing > maxGone:
		return tail, 0
	case missing > 0:
		r.complete(z, gone[:missing])
	}
	at := 0
	for k := range z {
		y := dot(r.inverse[at:at+k+1], z)
		far += float64(y * y)
		at += k + 1
	}
	return tail, far
}

// dot is the sum of a times b over the length of a. Four sums side by side do not wait for
// each other; the conversions give the same bits on every processor.
func dot(a, b []float64) float64 {
	var s0, s1, s2, s3 float64
	b = b[:len(a)]
	k := 0
	for ; k+4 <= len(a); k += 4 {
		u, v := (*[4]float64)(a[k:]), (*[4]float64)(b[k:])
		s0 += float64(u[0] * v[0])
		s1 += float64(u[1] * v[1])
		s2 += float64(u[2] * v[2])
		s3 += float64(u[3] * v[3])
	}
	for ; k < len(a); k++ {
		s0 += float64(a[k] * b[k])
	}
	return (s0 + s1) + (s2 + s3)
}

// maxGone is how many missing values of a row are filled in.
const maxGone = 16

// complete fills in what brings the row nearest to the middle: the mean of the missing
// scores, given the others. z is zero where they are missing.
func (r *Reference) complete(z []float64, gone []int) {
	var matrix [maxGone * (maxGone + 1) / 2]float64
	var x [maxGone]float64
	d, m := len(z), len(gone)
	for a, k := range gone {
		row := r.precision[k*d : (k+1)*d]
		for c, v := range z {
			x[a] -= row[c] * v
		}
		for b, other := range gone[:a+1] {
			matrix[a*(a+1)/2+b] = row[other]
		}
	}
	factorize(matrix[:], m)
	for a := range m { // forward
		row := matrix[a*(a+1)/2:]
		for b := range a {
			x[a] -= row[b] * x[b]
		}
		x[a] /= row[a]
	}
	for a := m - 1; a >= 0; a-- { // and back
		for b := a + 1; b < m; b++ {
			x[a] -= matrix[b*(b+1)/2+a] * x[b]
		}
		x[a] /= matrix[a*(a+1)/2+a]
		z[gone[a]] = x[a]
	}
}
