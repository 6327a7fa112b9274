// SPDX-License-Identifier: Apache-2.0

package evaluation

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"flyball/data/frame"
	"flyball/stat"
	"flyball/unit"
)

// Distance is how far the rows that were judged on lie from the traffic in one column:
// the share of them that would have to hold another value (total variation, 0 to 1;
// numbers by tenths of the judged rows, a missing value as one of its own), with its
// interval. A distance is never below zero, so the low end is the value less what luck
// alone gives, at 2.5 % over all the columns compared; the high end is the percentile's.
type Distance struct {
	Column  string  `json:"column"`
	Value   float64 `json:"value"`
	Low     float64 `json:"low"`
	High    float64 `json:"high"`
	Rows    int     `json:"rows"`    // judged
	Traffic int     `json:"traffic"` // rows of it
	Most    string  `json:"most"`    // the value whose share differs most, as in ≥90
	Judged  float64 `json:"judged"`  // its share of the judged rows
	Asked   float64 `json:"asked"`   // its share of the traffic
}

// Crowd is rows to be compared, with the draws that they are (nil: each row is one).
type Crowd struct {
	Rows  *frame.Frame
	Block []uint64
	Run   int // as in Sample
}

// The most rows of a crowd that are compared, evenly over it, the values of a text that
// are told apart, and how often is resampled.
const mostMixed, mostValues, mixResamples = 20_000, 20, 500

// Mix compares judged rows with traffic in each of the columns, the furthest first.
// Times, and columns that either does not have, are left out. Without rows of either it
// is nil. The same rows and seed give the same distances.
func Mix(judged, traffic Crowd, columns []string, seed uint64) []Distance {
	a, b := judged.thin(), traffic.thin()
	if a.Rows == nil || b.Rows == nil || a.Rows.Rows() == 0 || b.Rows.Rows() == 0 {
		return nil
	}
	var all []*mixed
	for _, name := range columns {
		if m, ok := mix(a.Rows.Column(name), b.Rows.Column(name)); ok {
			m.Rows, m.Traffic = judged.Rows.Rows(), traffic.Rows.Rows()
			all = append(all, m)
		}
	}
	a.resampled(b, all, seed)
	out := make([]Distance, len(all))
	for i, m := range all {
		slices.Sort(m.luck)
		slices.Sort(m.again)
		m.Low = max(0, m.Value-stat.Quantile(m.luck, 1-0.025/float64(len(all))))
		m.High = max(m.Value, stat.Quantile(m.again, 0.975))
		out[i] = m.Distance
	}
	slices.SortStableFunc(out, func(a, b Distance) int {
		return cmp.Or(cmp.Compare(b.Low, a.Low), cmp.Compare(b.Value, a.Value))
	})
	return out
}

// thin takes rows evenly where there are too many.
func (c Crowd) thin() Crowd {
	if c.Rows == nil || c.Rows.Rows() <= mostMixed {
		return c
	}
	at := make([]int, mostMixed)
	for i := range at {
		at[i] = i * c.Rows.Rows() / mostMixed
	}
	out := Crowd{Rows: c.Rows.Take(at), Run: c.Run}
	if c.Block != nil {
		for _, i := range at {
			out.Block = append(out.Block, c.Block[i])
		}
	}
	return out
}

// mixed is a column under comparison.
type mixed struct {
	Distance
	a, b   []int32   // the rows' bins
	pa, pb []float64 // the bins' shares
	again  []float64 // the distance in resamples
	luck   []float64 // and how far resamples move of themselves
}

// mix sorts the values of a column into bins.
func mix(a, b *frame.Column) (*mixed, bool) {
	if a == nil || b == nil || a.Kind != b.Kind || a.Kind == frame.Time {
		return nil, false
	}
	m := &mixed{Distance: Distance{Column: a.Name}}
	var names []string
	if a.Kind == frame.Number {
		m.a, m.b, names = numbers(a, b)
	} else {
		m.a, m.b, names = texts(a, b)
	}
	m.pa, m.pb = shares(m.a, len(names)), shares(m.b, len(names))
	m.Value = apart(m.pa, m.pb)
	most := 0
	for k := range names {
		if math.Abs(m.pa[k]-m.pb[k]) > math.Abs(m.pa[most]-m.pb[most]) {
			most = k
		}
	}
	m.Most, m.Judged, m.Asked = names[most], m.pa[most], m.pb[most]
	return m, true
}

// missing is the name of no value.
const missing = "missing"

// numbers bins by the tenths of a; bin 0 is missing.
func numbers(a, b *frame.Column) (x, y []int32, names []string) {
	var known []float64
	for i := range a.Len() {
		if !a.Missing(i) {
			known = append(known, a.Num[i])
		}
	}
	slices.Sort(known)
	var edges []float64
	for k := 1; k < 10 && len(known) > 0; k++ {
		if e := known[k*len(known)/10]; e > known[0] && (len(edges) == 0 || e > edges[len(edges)-1]) {
			edges = append(edges, e)
		}
	}
	bins := func(c *frame.Column) []int32 {
		out := make([]int32, c.Len())
		for i := range out {
			if !c.Missing(i) {
				out[i] = 1 + int32(sort.Search(len(edges), func(k int) bool { return edges[k] > c.Num[i] }))
			}
		}
		return out
	}
	text := func(v float64) string { return unit.Fixed(v, unit.Digits(v)) }
	names = []string{missing, "any"}
	if len(edges) > 0 {
		names[1] = "<" + text(edges[0])
		for k, e := range edges[1:] {
			names = append(names, fmt.Sprintf("%s…%s", text(edges[k]), text(e)))
		}
		names = append(names, "≥"+text(edges[len(edges)-1]))
	}
	return bins(a), bins(b), names
}

// texts bins by the most frequent values of both, with one bin for the others; bin 0 is
// missing.
func texts(a, b *frame.Column) (x, y []int32, names []string) {
	counts := map[string]int{}
	for _, c := range []*frame.Column{a, b} {
		for i := range c.Len() {
			if !c.Missing(i) {
				counts[c.Format(i)]++
			}
		}
	}
	var values []string
	for v := range counts {
		values = append(values, v)
	}
	slices.SortFunc(values, func(v, w string) int { return cmp.Or(counts[w]-counts[v], cmp.Compare(v, w)) })
	names = append([]string{missing}, values[:min(len(values), mostValues)]...)
	bin := map[string]int32{}
	for k, v := range names[1:] {
		bin[v] = int32(k + 1)
	}
	if len(values) > mostValues {
		names = append(names, "others")
	}
	bins := func(c *frame.Column) []int32 {
		out := make([]int32, c.Len())
		for i := range out {
			if c.Missing(i) {
				continue
			}
			k, ok := bin[c.Format(i)]
			if !ok {
				k = int32(len(names) - 1)
			}
			out[i] = k
		}
		return out
	}
	return bins(a), bins(b), names
}

func shares(bins []int32, n int) []float64 {
	out := make([]float64, n)
	for _, k := range bins {
		out[k] += 1 / float64(len(bins))
	}
	return out
}

// apart is the total variation between two sets of shares.
func apart(p, q []float64) float64 {
	sum := 0.0
	for k := range p {
		sum += math.Abs(p[k] - q[k])
	}
	return sum / 2
}

// resampled draws both crowds again and again, all columns on the same resamples.
func (c Crowd) resampled(other Crowd, all []*mixed, seed uint64) {
	da, db := stat.RunsOf(c.Rows.Rows(), c.Block, c.Run), stat.RunsOf(other.Rows.Rows(), other.Block, other.Run)
	random := rand.New(rand.NewPCG(seed, 1))
	ta, tb := make([]float64, da.Count), make([]float64, db.Count)
	for range mixResamples {
		da.Draw(random, ta)
		db.Draw(random, tb)
		for _, m := range all {
			p, q := counted(m.a, da, ta, len(m.pa)), counted(m.b, db, tb, len(m.pb))
			m.again = append(m.again, apart(p, q))
			for k := range p {
				p[k], q[k] = p[k]-m.pa[k], q[k]-m.pb[k]
			}
			m.luck = append(m.luck, apart(p, q))
		}
	}
}

// counted are the shares of the bins in a resample.
func counted(bins []int32, d stat.Draws, times []float64, n int) []float64 {
	out, sum := make([]float64, n), 0.0
	for i, k := range bins {
		t := times[d.Of[i]]
		out[k] += t
		sum += t
	}
	for k := range out {
		out[k] /= sum
	}
	return out
}
