// SPDX-License-Identifier: Apache-2.0

package evaluation

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"flyball/data/dataset"
	"flyball/fault"
	"flyball/stat"
)

// The least a group must hold for its part in a gap to be known: rows, and rows of
// the class that a rate is taken over.
const (
	LeastGroup      = 100
	LeastGroupClass = 10
)

// Gap is how far the groups of a column lie apart in one metric: the highest group's
// value less the lowest's, with its 95 % interval. Groups too small to be known are
// left out and counted.
type Gap struct {
	Value, Low, High float64
	Groups           []Estimate // each known group, in the order of their names; Slice is column=value
	Small            []string   // groups left out, as "column=value (n=37)"
	Missing          int        // more rows like these that would make two groups known; 0: two are, or none can tell
	Rows, Blocks     int        // of the groups known
}

// GapMetrics is the gaps that can be measured of a kind of prediction. selection_gap
// is of the share decided yes, tpr_gap and fpr_gap of that share among rows whose
// truth is yes or no, mae_gap of the mean absolute error, bias_gap of the mean error.
func GapMetrics(kind dataset.Kind) []string {
	switch kind {
	case dataset.Binary:
		return []string{"selection_gap", "tpr_gap", "fpr_gap"}
	case dataset.Regression:
		return []string{"mae_gap", "bias_gap"}
	}
	return nil
}

// Gaps is the gap between the groups that the slice column cuts, in a role's scores.
// A gap is never below zero, and the luck of many groups widens it. So the low end is
// the value less what luck alone spreads the groups by in 97.5 % of resamples, which
// holds for any number of groups; the high end is that of the percentile interval.
// It fails, Invalid, where fewer than two groups are known; the Gap then says what is
// missing.
func Gaps(metric string, s Sample, column, role string, seed uint64) (Gap, error) {
	p, err := s.gapParts(metric, column, role)
	if err != nil {
		return Gap{}, err
	}
	out := p.gap(role)
	if len(p.known) < 2 {
		return out, fault.New(fault.Invalid, "%s is not judged: fewer than two groups of %s have enough rows", metric, column).
			Do("give at least %d rows of each group, and %d of a class that a rate is taken over", LeastGroup, LeastGroupClass)
	}
	means := p.means(once(p.draws))
	out.Value = spread(means)
	b, ok := p.draws.Bootstrap(seed, p.of)
	luck, okLuck := p.draws.Bootstrap(seed, func(times []float64) float64 {
		return spread(less(p.means(times), means))
	})
	out.Low, out.High = max(0, out.Value-luck.High), b.High
	return out, told(metric, ok && okLuck)
}

// Widening is by how much narrower the candidate's gap is than the other's, on the
// same resamples of the same groups: positive is better, as in every Difference. The
// low end is the better of two that hold: the gap is wider by no more than the groups'
// own changes lie apart (which is little where the two say nearly the same), and by no
// more than the high end of the candidate's gap less the low end of the other's. The
// high end is the wider of the percentile one and the one mirrored about the value. It
// fails, Invalid, where Gaps does.
func Widening(metric string, s Sample, column, candidate, other string, seed uint64) (Difference, error) {
	d := Difference{Metric: metric, Slice: column, Against: other}
	p, err := s.gapParts(metric, column, candidate)
	if err != nil {
		return d, err
	}
	q, err := s.gapParts(metric, column, other)
	if err != nil {
		return d, err
	}
	if d.Rows, d.Blocks = p.rows, p.blocks; len(p.known) < 2 {
		_, err := Gaps(metric, s, column, candidate, seed)
		return d, err
	}
	whole := once(p.draws)
	before, after := q.means(whole), p.means(whole)
	d.Candidate, d.Other, d.Value = spread(after), spread(before), spread(before)-spread(after)
	var over [4]stat.Spread // the same resamples
	ok := true
	for k, of := range []func(times []float64) float64{
		func(times []float64) float64 { return q.of(times) - p.of(times) },
		func(times []float64) float64 { return spread(less(p.means(times), q.means(times))) },
		p.of,
		func(times []float64) float64 { return spread(less(q.means(times), before)) },
	} {
		b, can := p.draws.Bootstrap(seed, of)
		over[k], ok = b, ok && can
	}
	changes, own, luck := over[1].High, over[2].High, over[3].High
	d.Low = -min(changes, own-max(0, d.Other-luck))
	d.High, d.SE = max(over[0].High, 2*d.Value-over[0].Low), over[0].SE
	d.freedom = float64(d.Blocks - 1)
	d.P = d.Worse(0)
	return d, told(metric, ok)
}

// gapParts is one role's part in the groups of a column.
type gapParts struct {
	metric, column string
	sample         Sample
	draws          stat.Draws
	value          []float64 // what a row gives to its group's mean
	group          []int     // a row's known group; −1: none, or no part in the mean
	known          []string
	small          []string
	missing        int
	rows, blocks   int
}

func (s Sample) gapParts(metric, column, role string) (*gapParts, error) {
	if !slices.Contains(GapMetrics(s.Kind), metric) {
		return nil, fault.New(fault.Invalid, "%s does not compare groups of a %s model", metric, s.Kind)
	}
	if s.Weight != nil {
		return nil, fault.New(fault.Invalid, "%s is not judged: groups are compared only where each row counts once", metric)
	}
	at := slices.IndexFunc(s.Slices, func(c SliceColumn) bool { return c.Name == column })
	if at < 0 || len(s.Slices[at].Values) != len(s.Truth) {
		return nil, fault.New(fault.Invalid, "%s is not judged: the rows have no groups by %s", metric, column)
	}
	if _, err := s.check(ForKind(s.Kind)[0], role); err != nil {
		return nil, err
	}
	p := &gapParts{metric: metric, column: column, sample: s, draws: s.draws()}
	p.value, p.group = make([]float64, len(s.Truth)), make([]int, len(s.Truth))
	p.choose(s.Slices[at].Values)
	above := s.above(term{at: math.NaN()})
	for i, y := range s.Truth {
		score := s.Scores[role][i]
		switch {
		case metric == "mae_gap":
			p.value[i] = math.Abs(score - y)
		case metric == "bias_gap":
			p.value[i] = score - y
		case score > above:
			p.value[i] = 1
		}
	}
	return p, nil
}

// takesPart reports whether a row counts in the group's mean.
func (p *gapParts) takesPart(i int) bool {
	yes := p.sample.Truth[i] > 0.5
	return !(p.metric == "tpr_gap" && !yes || p.metric == "fpr_gap" && yes)
}

// choose finds the groups that hold enough, in the order of their names.
func (p *gapParts) choose(values []string) {
	rows, part := map[string]int{}, map[string]int{}
	for i, v := range values {
		if v == "" {
			continue
		}
		rows[v]++
		if p.takesPart(i) {
			part[v]++
		}
	}
	number := map[string]int{}
	var times []float64 // how many times as many rows make each group known
	for _, v := range slices.Sorted(maps.Keys(rows)) {
		f := max(LeastGroup/float64(rows[v]), LeastGroupClass/float64(part[v]))
		if times = append(times, f); f <= 1 {
			number[v] = len(p.known)
			p.known = append(p.known, v)
			continue
		}
		p.small = append(p.small, fmt.Sprintf("%s=%s (n=%d)", p.column, v, rows[v]))
	}
	if slices.Sort(times); len(times) > 1 && times[1] > 1 && !math.IsInf(times[1], 0) {
		p.missing = int(math.Ceil((times[1] - 1) * float64(len(values))))
	}
	seen := map[int]bool{}
	for i, v := range values {
		p.group[i] = -1
		if k, ok := number[v]; ok {
			p.rows++
			seen[p.draws.Of[i]] = true
			if p.takesPart(i) {
				p.group[i] = k
			}
		}
	}
	p.blocks = len(seen)
}

// of is the gap in a resample; NaN where a group is not in it.
func (p *gapParts) of(times []float64) float64 { return spread(p.means(times)) }

// means are the groups' values in a resample; NaN for one that is not in it.
func (p *gapParts) means(times []float64) []float64 {
	n, sum := make([]float64, len(p.known)), make([]float64, len(p.known))
	for i, k := range p.group {
		if k >= 0 {
			t := times[p.draws.Of[i]]
			n[k] += t
			sum[k] += t * p.value[i]
		}
	}
	for k := range sum {
		sum[k] /= n[k]
	}
	return sum
}

// less takes y off x, in place.
func less(x, y []float64) []float64 {
	for k := range x {
		x[k] -= y[k]
	}
	return x
}

// spread is the largest less the smallest; NaN where one is.
func spread(x []float64) float64 { return slices.Max(x) - slices.Min(x) }

// gap is what is known of the groups without resampling: each one's own value, by
// Wilson where a share is of independent rows, else by the t over draws.
func (p *gapParts) gap(role string) Gap {
	out := Gap{Small: p.small, Missing: p.missing, Rows: p.rows, Blocks: p.blocks}
	name := p.metric[:len(p.metric)-len("_gap")]
	for k, v := range p.known {
		var x []float64
		var block []uint64
		hits := 0
		for i, g := range p.group {
			if g == k {
				x, block = append(x, p.value[i]), append(block, uint64(p.draws.Of[i]))
				hits += int(p.value[i])
			}
		}
		m := stat.ClusterMean(x, block)
		e := Estimate{Metric: name, Slice: p.column + "=" + v, Role: role, Value: m.Value, Rows: len(x), Blocks: stat.Blocks(len(x), block)}
		e.Low, e.High = m.Interval(0.95)
		if p.sample.Kind == dataset.Binary {
			if e.Low, e.High = max(0, e.Low), min(1, e.High); e.Blocks == e.Rows {
				e.Low, e.High = stat.Wilson(hits, len(x), 1.959963984540054)
			}
		}
		out.Groups = append(out.Groups, e)
	}
	return out
}
