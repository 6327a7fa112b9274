// SPDX-License-Identifier: Apache-2.0

// Package online compares candidate and live version on live traffic, at every
// look: both score every request, and the losses of requests whose truth is known
// are compared pair by pair. It may be asked as often as one likes: the interval
// holds at all looks at once. It judges; package release acts.
package online

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"flyball/serving/release"
	"flyball/stat"
)

// Pair is the losses of the two versions on one request. Block says which pairs are
// alike (hours of one day); equal numbers are one draw.
type Pair struct {
	Live, Candidate float64
	Block           uint64
}

// Policy is how the pairs are judged.
type Policy struct {
	Metric string
	Margin float64 // worse by more than this is harm, in the metric's unit
	Start  int     // pairs before anything is said; 0: 100
	Blocks bool    // Pair.Block means something
}

// alpha is the two-sided level of the interval over all looks, as at the gate.
const alpha = 0.05

// tightest is the number of pairs at which the interval is tightest.
const tightest = 300

// fewest is the number of blocks below which their spread cannot be told.
const fewest = 3

// neighbours is the number of blocks from which on it can be told whether a block is
// like the one before it.
const neighbours = 8

// Verdict is what the pairs say so far. Value is the mean improvement, positive where
// the candidate is better.
type Verdict struct {
	Verdict          release.Verdict
	Value, Low, High float64
	Pairs            int
	Text             string // one sentence with the figures; empty without pairs
}

// Compare judges the pairs seen so far, all of them at every look. The interval is
// the asymptotic confidence sequence of Waudby-Smith et al. (2021, eq. 9) over as
// many independent pairs as the blocks leave: n divided by the design effect, whose
// estimate is raised where blocks are few. It takes blocks for all but independent: where
// each day is much like the one before (correlation 0.7), 13 % of runs of 60 days are
// called harm where 2.5 % is meant. Such data need longer blocks.
func Compare(pairs []Pair, p Policy) Verdict {
	start := p.Start
	if start == 0 {
		start = 100
	}
	n := len(pairs)
	if n == 0 {
		return Verdict{}
	}
	mean, sd := moments(pairs)
	v := Verdict{Value: mean, Low: math.Inf(-1), High: math.Inf(1), Pairs: n}
	effect, enough := 1.0, true
	if p.Blocks {
		effect, enough = designEffect(pairs, mean, sd)
	}
	if n < start {
		v.Text = fmt.Sprintf("%s: %d of %d truths needed to judge", p.Metric, n, start)
		return v
	}
	if !enough {
		v.Text = fmt.Sprintf("%s: %d truths, from fewer than the %d blocks needed to judge", p.Metric, n, fewest)
		return v
	}
	half := stat.SequenceHalfWidth(float64(n)/effect, sd, tightest, alpha)
	v.judge(half, p, fmt.Sprintf("%d truths", n))
	return v
}

// judge fills in the interval of that half-width about the value, and what it says.
func (v *Verdict) judge(half float64, p Policy, over string) {
	v.Low, v.High = v.Value-half, v.Value+half
	worse := "better"
	if v.Value < 0 {
		worse = "worse"
	}
	v.Text = fmt.Sprintf("%s %s by %.3g (%s…%s) over %s", p.Metric, worse, math.Abs(v.Value), signed(v.Low), signed(v.High), over)
	switch {
	case v.High < -p.Margin:
		v.Verdict = release.Harm
	case v.Low > -p.Margin:
		v.Verdict = release.Pass
	default:
		v.Verdict = release.Inconclusive
	}
}

// signed is a difference with its sign, a real minus.
func signed(x float64) string {
	if x < 0 {
		return fmt.Sprintf("−%.3g", -x)
	}
	return fmt.Sprintf("+%.3g", x)
}

// moments are mean and standard deviation of the improvements.
func moments(pairs []Pair) (mean, sd float64) {
	for _, p := range pairs {
		mean += p.Live - p.Candidate
	}
	mean /= float64(len(pairs))
	for _, p := range pairs {
		d := p.Live - p.Candidate - mean
		sd += d * d
	}
	return mean, math.Sqrt(sd / float64(max(1, len(pairs)-1)))
}

// designEffect is how many times as spread out the mean is as it would be if pairs
// were independent (Kish 1965): the variance of block sums against that of pairs,
// raised by one standard error of that estimate, and never below 1. Where blocks are
// many, what one has in common with the next in the order of their numbers counts too
// (once, and only where it makes the mean less sure). false: too few blocks to tell.
func designEffect(pairs []Pair, mean, sd float64) (float64, bool) {
	sums := map[uint64]float64{}
	for _, p := range pairs {
		sums[p.Block] += p.Live - p.Candidate - mean
	}
	g := float64(len(sums))
	if len(sums) < fewest || sd == 0 {
		return 1, len(sums) >= fewest
	}
	total, beside, before := 0.0, 0.0, 0.0
	for _, b := range slices.Sorted(maps.Keys(sums)) {
		total += sums[b] * sums[b]
		beside += before * sums[b]
		before = sums[b]
	}
	if len(sums) >= neighbours {
		total += 2 * max(0, beside)
	}
	ratio := g / (g - 1) * total / (float64(len(pairs)) * sd * sd)
	return max(1, ratio*(1+math.Sqrt(2/(g-1)))), true
}

// ErrorsAbove reports whether n rows with s failures show, beyond doubt at every
// look, an error rate above p0: the beta-mixture test at level 0.01.
func ErrorsAbove(s, n int, p0 float64) bool {
	return s > 0 && n > 0 && stat.RateEvidence(s, n, p0) >= -math.Log(0.01)
}
