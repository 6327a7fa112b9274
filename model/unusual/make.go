// SPDX-License-Identifier: Apache-2.0

package unusual

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"flyball/data/frame"
)

const (
	stretches  = 20     // consecutive parts of the training rows; every fourth calibrates
	mostLearn  = 45_000 // rows from which quantiles and covariance are learned, spread evenly
	mostCheck  = 15_000 // rows that calibrate
	leastRows  = 200    // for quantiles to say anything
	fresh      = 0.05   // share of new words, or of numbers beyond, from which a column only ever moves on
	leastWidth = 0.5    // variance of a score from which it is not stretched further
)

// New makes the reference from a version's raw training rows, oldest first, and from
// how the judged model did on rows that it had not seen. inputs are the columns that
// the bundle takes; times are left out, as they only move on. The rows are not changed.
func New(inputs []frame.Field, rows *frame.Frame, held Held) *Reference {
	r := &Reference{Format: Format, Rows: rows.Rows(), Columns: []Column{}, Confidence: newConfidence(held)}
	learn, check := parts(rows.Rows())
	var columns []*frame.Column
	var moving []bool
	for at, in := range inputs {
		c := rows.Column(in.Name)
		if c == nil || c.Kind != in.Kind || c.Kind == frame.Time || len(columns) == maxColumns {
			continue
		}
		col := Column{Name: in.Name, Kind: in.Kind, At: at}
		moves := false
		if c.Kind == frame.Number {
			moves = col.numbers(c, learn)
		} else {
			moves = col.texts(c)
		}
		r.Columns = append(r.Columns, col)
		columns, moving = append(columns, c), append(moving, moves)
	}
	r.ready()
	if rank(len(check)) < 1 {
		return r
	}
	together := &Joint{Calibration: len(check)}
	for k := range columns {
		if c := &r.Columns[k]; !moving[k] && len(together.Columns) < maxJoint && (c.Kind == frame.Text || len(c.Quantiles) > 0) {
			together.Columns = append(together.Columns, k)
		}
	}
	if len(together.Columns) > 0 {
		r.calibrate(together, rows, learn, check)
	}
	return r
}

// parts spreads the rows over learning and calibration: every fourth of 20 consecutive
// stretches calibrates, so that neighbours, which are alike, are on one side, and
// every season is on both.
func parts(n int) (learn, check []int) {
	each := func(most int, calibrates bool) (out []int) {
		for i := range n {
			if (i*stretches/n)%4 == 3 == calibrates {
				out = append(out, i)
			}
		}
		if len(out) <= most {
			return out
		}
		thin := make([]int, most)
		for k := range thin {
			thin[k] = out[k*len(out)/most]
		}
		return thin
	}
	return each(mostLearn, false), each(mostCheck, true)
}

// numbers learns the range and the quantiles of a column. The range is widened by as
// far as the newest quarter went beyond the rows before it: a stream sets records of
// itself. moves says that it does nothing else.
func (c *Column) numbers(from *frame.Column, learn []int) (moves bool) {
	low, high := math.Inf(1), math.Inf(-1)
	older := len(from.Num) - len(from.Num)/4
	usable := func(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
	for _, x := range from.Num[:older] {
		if usable(x) {
			low, high = min(low, x), max(high, x)
		}
	}
	if low > high {
		return false // none, and nothing can be said
	}
	was, top := low, high
	beyond, newer := 0, 0
	for _, x := range from.Num[older:] {
		if usable(x) {
			newer++
			if x < was || x > top {
				beyond++
			}
			low, high = min(low, x), max(high, x)
		}
	}
	c.Low, c.High = low-(was-low), high+(high-top)
	if !finite(c.Low, c.High) {
		c.Low, c.High = low, high
	}
	var v []float64
	for _, i := range learn {
		if usable(from.Num[i]) {
			v = append(v, from.Num[i])
		}
	}
	if len(v) > 0 {
		slices.Sort(v)
		c.Quantiles = make([]float64, grid)
		for i := range c.Quantiles {
			c.Quantiles[i] = v[(2*i+1)*len(v)/(2*grid)]
		}
	}
	return len(v) < leastRows || float64(beyond) > fresh*float64(newer)
}

// texts learns the words of a column; moves says that it always has new ones.
func (c *Column) texts(from *frame.Column) (moves bool) {
	counts := map[string]int{}
	older := len(from.Text) - len(from.Text)/4
	added, newer, known := 0, 0, 0
	for i, s := range from.Text {
		if from.Missing(i) {
			continue
		}
		known++
		n, ok := counts[s]
		if i >= older {
			newer++
			if !ok || n < 0 {
				added++
			}
		}
		switch {
		case ok && n < 0: // a word that the newest quarter brought
			counts[s] = n - 1
		case ok:
			counts[s] = n + 1
		case len(s) > maxWord || len(counts) > maxWords:
			c.Open = true
		case i >= older:
			counts[s] = -1
		default:
			counts[s] = 1
		}
	}
	c.Open = c.Open || known == 0 || float64(added) > fresh*float64(newer)
	if len(counts) > maxWords {
		return true
	}
	for s, n := range counts {
		c.Words = append(c.Words, s)
		counts[s] = max(n, -n)
	}
	slices.SortFunc(c.Words, func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	for _, s := range c.Words {
		c.Counts = append(c.Counts, counts[s])
	}
	return c.Open || known < leastRows
}

// calibrate learns how the columns go together, and what usual rows look like to it.
func (r *Reference) calibrate(j *Joint, rows *frame.Frame, learn, check []int) {
	l := r.On(rows)
	d := len(j.Columns)
	scores := make([]float64, len(r.Columns))
	j.Mean, j.Factor = covariance(d, learn, func(i int, z []float64) {
		l.scores(i, scores)
		for k, at := range j.Columns {
			z[k] = scores[at]
		}
	})
	r.Joint = j
	r.learned(j)
	tails, distances := make([]float64, len(check)), make([]float64, len(check))
	for k, i := range check {
		l.scores(i, scores)
		tails[k], distances[k] = r.joint(scores)
	}
	j.Tails, j.Distances = largest(slices.Clone(tails)), largest(slices.Clone(distances))
	j.Rank = j.shared(tails, distances)
	k := j.Rank - 1
	r.tailAt, r.farAt = j.Tails[k], j.Distances[k]

	// By stretches: rows of a day are alike, and so their flags come together.
	var hits, all [stretches]int
	for _, i := range append(slices.Clone(learn), check...) {
		l.scores(i, scores)
		at := i * stretches / rows.Rows()
		all[at]++
		if tail, far := r.joint(scores); tail > r.tailAt || far > r.farAt {
			hits[at]++
		}
	}
	for at, n := range all {
		if n > 0 {
			j.Worst = max(j.Worst, round(float64(hits[at])/float64(n)))
		}
	}
}

// covariance is the mean of the scores of rows and the Cholesky factor of their
// covariance, shrunk towards its diagonal. A missing score counts as the mean.
func covariance(d int, rows []int, read func(i int, z []float64)) (mean, factor []float64) {
	mean, factor = make([]float64, d), make([]float64, d*(d+1)/2)
	z, n := make([]float64, d), make([]float64, d)
	for _, i := range rows {
		read(i, z)
		for k, x := range z {
			if !math.IsNaN(x) {
				mean[k] += x
				n[k]++
			}
		}
	}
	for k := range mean {
		mean[k] = round(mean[k] / max(1, n[k]))
	}
	for _, i := range rows {
		read(i, z)
		for k := range z {
			if z[k] -= mean[k]; math.IsNaN(z[k]) {
				z[k] = 0
			}
		}
		at := 0
		for k, x := range z {
			for c, y := range z[:k+1] {
				factor[at+c] += float64(x * y)
			}
			at += k + 1
		}
	}
	shrink := min(1, 0.01+float64(d)/float64(len(rows)))
	for k, at := 0, 0; k < d; k++ {
		for c := range k {
			factor[at+c] *= (1 - shrink) / float64(len(rows))
		}
		factor[at+k] = max(leastWidth, factor[at+k]/float64(len(rows)))
		at += k + 1
	}
	factorize(factor, d)
	for k := range factor {
		factor[k] = round(factor[k])
	}
	return mean, factor
}

// factorize makes the lower Cholesky factor of a positive matrix in its place, row by row.
func factorize(a []float64, d int) {
	for i := range d {
		row := a[i*(i+1)/2:]
		for c := range i + 1 {
			other := a[c*(c+1)/2:]
			sum := row[c]
			for k := range c {
				sum -= float64(row[k] * other[k])
			}
			if c < i {
				row[c] = sum / other[c]
			} else {
				row[c] = math.Sqrt(max(sum, 1e-6))
			}
		}
	}
}

// largest are the largest of v, falling.
func largest(v []float64) []float64 {
	slices.SortFunc(v, func(a, b float64) int { return cmp.Compare(b, a) })
	out := slices.Clone(v[:min(maxKept, len(v))])
	least := 0.0
	for i := len(out) - 1; i >= 0; i-- { // rounding up must not change their order
		least = max(least, roundUp(out[i]))
		out[i] = least
	}
	return out
}

// round keeps six digits, which differ between no two processors, and are enough.
func round(x float64) float64 {
	y, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 6, 64), 64) // it was a number
	return y
}

// roundUp keeps about six digits and is not below x, so that what was on a limit is
// not beyond it.
func roundUp(x float64) float64 {
	if y := round(x); y >= x {
		return y
	}
	return round(x + math.Abs(x)*1e-5)
}
