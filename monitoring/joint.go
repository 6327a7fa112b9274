// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/serving/prediction"
	"flyball/unit"
)

const (
	jointColumns = 64
	jointRows    = 1000    // of a window that are looked at
	jointKept    = 2000    // of the reference
	jointBytes   = 120_000 // rows times columns of the reference
	leastPair    = 0.10    // of a correlation below which no change counts
	leastApart   = 0.05    // of the area over ½
)

// Joint is what is needed to see that columns no longer go together, though each by
// itself is as it was: a sample of the reference rows, and how far each reference window
// is from the others in two ways. Pairs is the largest change of a rank correlation of
// two columns; Apart how well a classifier tells the window from the rest.
type Joint struct {
	Columns []int     `json:"columns"` // places in the profile's features, rising
	Rows    int       `json:"rows"`
	Codes   []byte    `json:"codes"` // of column after column: a row's group, or the number of groups where it is missing
	Pairs   []float64 `json:"pairs"` // by window
	Apart   []float64 `json:"apart"` // by window; 0: there was nothing to hold it against

	Season unit.Duration `json:"season,omitempty"` // that windows are held against; zero: against all
	Held   []int         `json:"held,omitempty"`   // with a season: rows of the sample by window
}

// newJoint samples the windows and measures each against the sample without it and its
// neighbours, or with a season against the same season; nil where there is nothing that could go together.
func (p *Profile) newJoint(windows []stretch, cols []*frame.Column, season unit.Duration) *Joint {
	j := &Joint{}
	if !p.From.IsZero() { // else there are no seasons
		j.Season = max(0, season)
	}
	for i := range p.Features {
		if f := &p.Features[i]; f.Fixed == "" && f.groups() > 1 && len(j.Columns) < jointColumns {
			j.Columns = append(j.Columns, i)
		}
	}
	if len(j.Columns) < 2 || len(windows) < 3 {
		return nil
	}
	total := 0
	for _, w := range windows {
		total += len(w.rows)
	}
	coder := newCounter(p)
	keep := j.kept()
	kept, of := make([][]uint8, len(j.Columns)), []int{}
	samples := make([][][]uint8, len(windows))
	passed := 0
	for w := range windows {
		samples[w] = coder.column(j.Columns, cols, every(windows[w].rows, jointRows))
		var part []int
		for _, r := range windows[w].rows {
			if passed*keep/total != (passed+1)*keep/total {
				part = append(part, r)
			}
			passed++
		}
		for c, codes := range coder.column(j.Columns, cols, part) {
			kept[c] = append(kept[c], codes...)
		}
		of = append(of, slices.Repeat([]int{w}, len(part))...)
		if j.Season > 0 {
			j.Held = append(j.Held, len(part))
		}
	}
	j.Rows = len(of)
	for _, c := range kept {
		j.Codes = append(j.Codes, c...)
	}
	ranks := p.rankScores(j.Columns)
	for w := range windows {
		rest := [][]uint8(nil)
		if j.Season == 0 {
			rest = without(kept, of, w)
		} else if rest = j.against(p, windows[w].start, windows[w].end); rest == nil {
			j.Pairs, j.Apart = append(j.Pairs, 0), append(j.Apart, 0)
			continue
		}
		j.Pairs = append(j.Pairs, widest(ranks, samples[w], rest).change)
		auc, _ := tellApart(samples[w], rest)
		j.Apart = append(j.Apart, auc)
	}
	return j
}

// every is at most so many of the rows, evenly.
func every(rows []int, most int) []int {
	if len(rows) <= most {
		return rows
	}
	out := make([]int, most)
	for i := range out {
		out[i] = rows[i*len(rows)/most]
	}
	return out
}

// thinned is at most so many rows of the sample, evenly.
func thinned(x [][]uint8, most int) [][]uint8 {
	out := make([][]uint8, len(x))
	for c := range x {
		n := len(x[c])
		out[c] = make([]uint8, min(n, most))
		for i := range out[c] {
			out[c][i] = x[c][i*n/len(out[c])]
		}
	}
	return out
}

// without is the sample but for the rows of a window and its neighbours.
func without(x [][]uint8, of []int, w int) [][]uint8 {
	out := make([][]uint8, len(x))
	for i, k := range of {
		if k >= w-1 && k <= w+1 {
			continue
		}
		for c := range x {
			out[c] = append(out[c], x[c][i])
		}
	}
	return out
}

func (c *counter) column(columns []int, cols []*frame.Column, rows []int) [][]uint8 {
	out := make([][]uint8, len(columns))
	for k, i := range columns {
		out[k] = make([]uint8, len(rows))
		for n, r := range rows {
			var v any
			if col := cols[i]; !col.Missing(r) {
				switch col.Kind {
				case frame.Number:
					v = col.Num[r]
				case frame.Text:
					v = col.Text[r]
				}
			}
			out[k][n] = c.code(i, v)
		}
	}
	return out
}

// code is the group of a value; the number of groups where it is missing.
func (c *counter) code(i int, v any) uint8 {
	f := &c.profile.Features[i]
	switch f.Kind {
	case frame.Number:
		if x, ok := number(v); ok && finite(x) {
			return uint8(f.Groups[f.numberBin(x)])
		}
	case frame.Text:
		if s, ok := text(v); ok {
			b, known := c.words[i][s]
			if !known {
				b = len(f.Words)
			}
			return uint8(f.Groups[b])
		}
	}
	return uint8(f.groups())
}

// codesOf is the codes of at most so many rows of the log, by column.
func (c *counter) codesOf(columns []int, rows []prediction.Joined) [][]uint8 {
	out := make([][]uint8, len(columns))
	n := min(len(rows), jointRows)
	for r := range n {
		values, ok := c.rows.read(rows[r*len(rows)/n].Row)
		if !ok {
			continue
		}
		for k, i := range columns {
			out[k] = append(out[k], c.code(i, values[i]))
		}
	}
	return out
}

// rankScores are, by column and code, the normal score of the code's rank among the
// reference rows; a missing value stands in the middle.
func (p *Profile) rankScores(columns []int) [][]float64 {
	out := make([][]float64, len(columns))
	for k, i := range columns {
		f := &p.Features[i]
		whole := Counts{Bins: f.Counts}
		out[k] = append(normalScores(whole.grouped(f)), 0)
	}
	return out
}

// pair is two columns whose correlation changed.
type pair struct {
	a, b     int     // places among the columns
	now, was float64 // correlations
	change   float64 // of their arctangents
}

// widest is the pair of columns whose rank correlation differs most between two samples.
func widest(ranks [][]float64, now, was [][]uint8) pair {
	x, y := standard(ranks, now), standard(ranks, was)
	best := pair{b: 1}
	for a := range x {
		for b := a + 1; b < len(x); b++ {
			if x[a] == nil || x[b] == nil || y[a] == nil || y[b] == nil {
				continue
			}
			p := pair{a: a, b: b, now: dot(x[a], x[b]), was: dot(y[a], y[b])}
			if p.change = math.Abs(math.Atanh(p.now) - math.Atanh(p.was)); p.change > best.change {
				best = p
			}
		}
	}
	return best
}

// standard is the columns' scores with mean 0 and length 1; nil for one that does not
// vary.
func standard(ranks [][]float64, x [][]uint8) [][]float64 {
	out := make([][]float64, len(x))
	for c := range x {
		v, mean, length := make([]float64, len(x[c])), 0.0, 0.0
		for i, code := range x[c] {
			v[i] = ranks[c][code]
			mean += v[i]
		}
		mean /= float64(max(1, len(v)))
		for i := range v {
			v[i] -= mean
			length += v[i] * v[i]
		}
		if length < 1e-9 {
			continue
		}
		for i := range v {
			v[i] /= math.Sqrt(length)
		}
		out[c] = v
	}
	return out
}

// dot is a correlation, short of ±1 so that its arctangent is a number.
func dot(a, b []float64) float64 {
	s := 0.0
	for i := range a {
		s += a[i] * b[i]
	}
	return min(max(s, -0.999), 0.999)
}

func (j *Joint) columns() [][]uint8 {
	out := make([][]uint8, len(j.Columns))
	for c := range out {
		out[c] = j.Codes[c*j.Rows : (c+1)*j.Rows]
	}
	return out
}

// jointShifts are how far the window's rows are from the reference, each with the same of
// the reference's windows, so that both are ranked as columns are. None where the rows are
// not at hand, or the reference does not hold the season.
func (s *stepper) jointShifts(c comparison, w *Window) []shift {
	j := s.Profile.Joint
	pairsThere, apartThere, ok := s.jointReference(c)
	if !ok {
		return nil
	}
	kept := j.against(s.Profile, w.Start, w.End)
	if kept == nil {
		return nil
	}
	now := s.counter.codesOf(j.Columns, s.rowsOf(w))
	n := len(now[0])
	if n*2 < min(w.Rows, jointRows) || n < 4 {
		return nil
	}
	m := len(kept[0])
	p := widest(s.Profile.rankScores(j.Columns), now, kept)
	scale := math.Sqrt(1/float64(n) + 1/float64(m))
	pairs := len(j.Columns) * (len(j.Columns) - 1) / 2
	a, b := s.nameOf(j.Columns[p.a]), s.nameOf(j.Columns[p.b])
	out := []shift{{
		feature: jointPairs, name: a + " with " + b, psi: p.change, reference: pairsThere,
		beyond: math.Abs(p.now-p.was) >= leastPair && 2*normalTail(p.change/scale)*float64(pairs) <= floorAlpha,
		text:   fmt.Sprintf("%s and %s no longer go together as at training: rank correlation %.2f over %s, %.2f there", a, b, p.now, plural(w.Rows, "row"), p.was),
	}}
	auc, gain := tellApart(now, kept)
	least := float64(min(n, m, treeRows))
	luck := math.Sqrt((2*least + 1) / (12 * least * least))
	names := s.most(j.Columns, gain)
	out = append(out, shift{
		feature: jointApart, name: names + " together", psi: apartDistance(auc), reference: apartThere,
		beyond: auc-0.5 >= leastApart && normalTail((auc-0.5)/luck) <= floorAlpha,
		text:   fmt.Sprintf("inputs drifted together: a classifier tells %s from training with AUC %.2f, there at most %.2f, by %s", plural(w.Rows, "row"), auc, apartOf(largest(apartThere)), names),
	})
	for k := range out {
		out[k].aspects = []aspect{out[k].distance()}
	}
	return out
}

func normalTail(z float64) float64 { return math.Erfc(z/math.Sqrt2) / 2 }

// apartDistance is a distance whose logarithm, which is what is ranked, is straight in
// the area.
func apartDistance(auc float64) float64 { return math.Exp(4 * (auc - 0.5)) }

// apartOf is the area of a distance.
func apartOf(distance float64) float64 { return 0.5 + math.Log(distance)/4 }

// rowsOf is the window's rows that are at hand.
func (s *stepper) rowsOf(w *Window) []prediction.Joined {
	first, _ := slices.BinarySearchFunc(s.Rows, w.Start, func(j prediction.Joined, t time.Time) int { return j.Time.Compare(t) })
	last, _ := slices.BinarySearchFunc(s.Rows, w.End, func(j prediction.Joined, t time.Time) int { return j.Time.Compare(t) })
	return s.Rows[first:max(first, last)]
}

// most names the columns that helped most: at most three, each by half of the first.
func (s *stepper) most(columns []int, gain []float64) string {
	order := make([]int, len(gain))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(gain[b], gain[a]) })
	var out []string
	for n, k := range order[:min(3, len(order))] {
		if n > 0 && gain[k] < gain[order[0]]/2 {
			break
		}
		out = append(out, s.nameOf(columns[k]))
	}
	return strings.Join(out, ", ")
}

func (j *Joint) check(p *Profile) error {
	if j == nil {
		return nil
	}
	ok := len(j.Columns) >= 2 && len(j.Columns) <= jointColumns && j.Rows > 0 && j.Rows <= j.kept() &&
		len(j.Codes) == j.Rows*len(j.Columns) && len(j.Pairs) == len(p.Windows) && len(j.Apart) == len(p.Windows) &&
		finite(j.Pairs...) && finite(j.Apart...) && slices.IsSorted(j.Columns) && len(slices.Compact(slices.Clone(j.Columns))) == len(j.Columns)
	if ok && (j.Season != 0 || j.Held != nil) {
		ok = j.Season > 0 && len(j.Held) == len(p.Windows) && counts(j.Held) && sum(j.Held) == j.Rows
	}
	for c := 0; ok && c < len(j.Columns); c++ {
		i := j.Columns[c]
		if ok = i >= 0 && i < len(p.Features) && p.Features[i].Kind != frame.Time; !ok {
			break
		}
		for _, code := range j.Codes[c*j.Rows : (c+1)*j.Rows] {
			ok = ok && int(code) <= p.Features[i].groups()
		}
	}
	for k := range j.Apart {
		ok = ok && j.Apart[k] >= 0 && j.Apart[k] <= 1 && j.Pairs[k] >= 0
	}
	if !ok {
		return fault.New(fault.Invalid, "what the profile keeps of columns together does not hold together")
	}
	return nil
}
