// SPDX-License-Identifier: Apache-2.0

package online

import (
	"fmt"
	"math"

	"flyball/stat"
	"flyball/unit"
)

// Arm is what is known of the units on one side of a split. The zero value is empty.
type Arm struct {
	Units int // that were drawn for it

	// Strata are the units whose truth is due, by what must not differ between arms for
	// the shares with a label to be alike: what was decided, where truth hangs on that.
	Strata [2]Known

	Outcomes Moments // of the units whose truth is due
}

// Known is how many truths are due, and how many of them there are.
type Known struct{ Due, Labelled int }

// Moments are sums that mean and spread follow from, kept so that they lose no digits.
// The zero value is empty.
type Moments struct {
	N        int
	Mean, M2 float64 // M2: sum of squares about the mean
}

// Add takes one number in.
func (m *Moments) Add(x float64) {
	m.N++
	d := x - m.Mean
	m.Mean += d / float64(m.N)
	m.M2 += d * (x - m.Mean)
}

// Step is one stretch of a release in which the share did not change. Arms of
// different steps are never pooled: a share that grows while the world changes would
// look like a difference between the versions (Simpson).
type Step struct {
	Share     float64 // that the candidate was to answer, between 0 and 1
	Candidate Arm
	Rest      Arm // all others
	Control   Arm // of the others as many as the candidate's, by release.Control
}

// Levels of the checks, over all looks and all steps.
const (
	splitAlpha = 0.001
	knownAlpha = 0.001
)

// CheckSplit says why the split cannot be trusted: the share of units that the
// candidate answered is not what was meant. Empty: nothing speaks against it. It holds
// its level however often it is asked, for units that were drawn one by one: a key that
// comes twice is one unit.
func CheckSplit(steps []Step) string {
	n := 0
	for i := range steps {
		if steps[i].Candidate.Units+steps[i].Rest.Units > 0 {
			n++
		}
	}
	for i := range steps {
		s := &steps[i]
		p := stat.SplitSequential([]int{s.Candidate.Units, s.Rest.Units}, []float64{s.Share, 1 - s.Share})
		if p*float64(n) <= splitAlpha {
			return fmt.Sprintf("the candidate answered %s of %s units, %s were meant (p %.2g)",
				unit.Fixed(float64(s.Candidate.Units), 0), unit.Fixed(float64(s.Candidate.Units+s.Rest.Units), 0), percent(s.Share), p)
		}
	}
	return ""
}

// CheckKnown says why truths cannot be compared between the arms: they come more often
// on one side. Empty: nothing speaks against it. It is the Cochran–Mantel–Haenszel test
// over steps and strata, made fit for many looks by a normal mixture.
func CheckKnown(steps []Step) string {
	sum, spread := knownApart(steps)
	const best = 500 // the variance at which it is tightest: a few thousand truths
	if stat.MixtureAt(best, knownAlpha, false).Evidence(sum, spread) < -math.Log(knownAlpha) {
		return ""
	}
	var a, b Known
	for i := range steps {
		for k := range steps[i].Candidate.Strata {
			a.add(steps[i].Candidate.Strata[k])
			b.add(steps[i].Rest.Strata[k])
		}
	}
	return fmt.Sprintf("%s of the candidate's due truths are known, and %s of the others'", a.percent(), b.percent())
}

// knownApart is the sum over steps and strata of how many truths more the candidate's
// arm has than it would by the share of all, and the variance of that sum.
func knownApart(steps []Step) (sum, spread float64) {
	for i := range steps {
		for k, a := range steps[i].Candidate.Strata {
			b := steps[i].Rest.Strata[k]
			n, have := float64(a.Due+b.Due), float64(a.Labelled+b.Labelled)
			if n < 2 {
				continue
			}
			sum += float64(a.Labelled) - float64(a.Due)*have/n
			spread += float64(a.Due) * float64(b.Due) * have * (n - have) / (n * n * (n - 1))
		}
	}
	return sum, spread
}

func (k *Known) add(o Known) { k.Due += o.Due; k.Labelled += o.Labelled }

func (k Known) percent() string {
	if k.Due == 0 {
		return "none"
	}
	return percent(float64(k.Labelled) / float64(k.Due))
}

func percent(x float64) string {
	return fmt.Sprintf("%.3g%%", 100*x)
}

// splitTightest is the number of units at which the interval of a split is tightest:
// arms of different units need many more than pairs.
const splitTightest = 5000

// splitStart is how many units each side has before anything is said, over all steps:
// costs are skewed, and few of them look too sure.
const splitStart = 500

// Outcomes judges what came of the answers of the candidate against those of the
// control group. Outcomes are costs: less is better. Each step is compared by itself, and
// the differences are combined with weights n·m/(n+m) of its two sides. It takes units
// for independent.
func Outcomes(steps []Step, p Policy) Verdict {
	start := p.Start
	if start == 0 {
		start = splitStart
	}
	n, m := 0, 0
	total, mean, variance := 0.0, 0.0, 0.0
	for i := range steps {
		a, b := &steps[i].Candidate.Outcomes, &steps[i].Control.Outcomes
		n, m = n+a.N, m+b.N
		if a.N < 2 || b.N < 2 {
			continue
		}
		na, nb := float64(a.N), float64(b.N)
		w := na * nb / (na + nb)
		total += w
		mean += w * (b.Mean - a.Mean)
		variance += w * w * (a.M2/(na-1)/na + b.M2/(nb-1)/nb)
	}
	if n+m == 0 {
		return Verdict{}
	}
	v := Verdict{Low: math.Inf(-1), High: math.Inf(1), Pairs: min(n, m)}
	if total > 0 {
		v.Value = mean / total
	}
	if v.Pairs < start || total == 0 {
		v.Text = fmt.Sprintf("%s: %d of %d truths needed on each side to judge", p.Metric, v.Pairs, start)
		return v
	}
	all := float64(n + m)
	half := stat.SequenceHalfWidth(all, math.Sqrt(variance*all)/total, splitTightest, alpha)
	v.judge(half, p, fmt.Sprintf("%d truths and %d of the control group", n, m))
	return v
}

// SharesApart is how far apart the shares of n rows are that two versions say yes to: at
// least so far, beyond doubt at every look. To yes of the rows only the one says yes, to
// no of them only the other. It is 0 where the shares may be equal, and below 100 rows.
func SharesApart(yes, no, n int) float64 {
	if n < 100 {
		return 0
	}
	mean := float64(yes-no) / float64(n)
	sd := math.Sqrt(max(0, float64(yes+no)/float64(n)-mean*mean))
	return max(0, math.Abs(mean)-stat.SequenceHalfWidth(float64(n), sd, tightest, alpha))
}
