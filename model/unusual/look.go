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
		r.inverse = inverse(j.Factor, len(j.Columns))
		k := rank(j.Calibration) - 1
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
			if x := c.Num[i]; g.quantiles != nil && !math.IsInf(x, 0) && x == x { // a number
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

// joint is the largest score of a row and its squared distance from the middle, of the
// scores of all columns; one that is not a number is missing and adds to neither.
func (r *Reference) joint(scores []float64) (tail, far float64) {
	j := r.Joint
	var room [maxJoint]float64
	z := room[:len(j.Columns)]
	for k, at := range j.Columns {
		if x := scores[at]; x == x { // a number
			tail = max(tail, math.Abs(x))
			z[k] = x - j.Mean[k]
		}
	}
	at := 0
	for k := range z {
		row := r.inverse[at : at+k+1]
		y := 0.0
		for c, w := range row {
			y += w * z[c]
		}
		far += y * y
		at += k + 1
	}
	return tail, far
}
