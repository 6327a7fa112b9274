// SPDX-License-Identifier: Apache-2.0

package online

import (
	"fmt"
	"math"
	"strings"
	"time"

	"flyball/serving/release"
	"flyball/stat"
	"flyball/unit"
)

// Ahead is what is known of a release before it starts.
type Ahead struct {
	Plan   release.Plan
	First  bool          // nothing is live: there is nothing to compare with
	Split  bool          // labels hang on decisions: what came of them is compared
	Metric string        // of the paired losses; empty: none is compared
	Margin float64       // of it
	SD     float64       // of a pair's difference at the gate, blocks reckoned in; 0: not known
	PerDay float64       // rows asked for; 0: not known
	Delay  time.Duration // from a row to its truth
}

// Foresee says what the plan can find out about a candidate, and how fast: a sentence for
// each. Numbers of rows are those within which half of such candidates are found out.
func Foresee(a Ahead) []string {
	var out []string
	if b := a.Plan.BackIf.Errors; b != nil && b.Above > 0 {
		out = append(out, a.failures(float64(b.Above)))
	}
	switch {
	case a.First:
		out = append(out, "nothing is live, so its losses are compared with nobody's")
	case a.Split:
		out = append(out, fmt.Sprintf("labels hang on decisions: from the canary on, what its decisions cost is compared with a control group of equal size, from %d truths on each side on", splitStart))
	case a.Plan.BackIf.Loss == "" && a.Plan.Require != "pass":
		out = append(out, "worse losses are shown and take nothing back: the plan has no back_if.loss")
	case a.Metric == "" || a.SD <= 0:
		out = append(out, "what the comparison of losses can find is not known: the gate has no paired difference from the live version")
	default:
		out = append(out, a.losses()...)
	}
	return out
}

// failures is how fast failing is found out.
func (a Ahead) failures(limit float64) string {
	var parts []string
	for _, rate := range []float64{0.2, 2 * limit} {
		if rate <= limit || rate >= 1 {
			continue
		}
		text := "failing in " + percent(rate) + " of rows "
		if half, _ := RowsToFind(rate, limit); half > 0 {
			text += "is found out in about " + rows(half) + a.takes(half, 0)
		} else {
			text += fmt.Sprintf("may not be found out in %s rows", unit.Count(mostRows))
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return fmt.Sprintf("failing in more than %s of rows takes it back", percent(limit))
	}
	return strings.Join(parts, ", ")
}

// losses is how fast a worse loss is found out, and what the whole plan can see.
func (a Ahead) losses() []string {
	worse := 2 * a.Margin
	if worse == 0 {
		worse = a.SD / 10
	}
	out := []string{fmt.Sprintf("%s worse by %.3g needs about %s with their truth%s", a.Metric, worse,
		rows(PairsToFind(a.SD, worse, a.Margin)), a.takes(PairsToFind(a.SD, worse, a.Margin), a.Delay))}
	if a.Plan.Require == "pass" {
		if a.Margin > 0 {
			n := PairsToFind(a.SD, a.Margin, 0)
			out = append(out, fmt.Sprintf("the plan asks for a pass: an equal candidate needs about %s%s", rows(n), a.takes(n, a.Delay)))
		} else {
			out = append(out, "the plan asks for a pass, and the gate sets no margin: only a better candidate ever passes")
		}
	}
	if a.PerDay <= 0 {
		return out
	}
	n := a.PerDay * (a.length() - a.Delay).Hours() / 24
	if n < 100 {
		return append(out, fmt.Sprintf("the plan is over in %s, before 100 truths are due: its losses are not judged", span(a.length())))
	}
	return append(out, fmt.Sprintf("the plan sees about %s with their truth in %s: enough for %s worse by %.3g", rows(int(n)), span(a.length()), a.Metric,
		a.Margin+stat.SequenceHalfWidth(n, a.SD, tightest, alpha)))
}

// length is how long the plan takes when nothing holds it.
func (a Ahead) length() time.Duration {
	d := a.Plan.Shadow.For.D() + a.Plan.Bake.For.D()
	for _, s := range a.Plan.Canary {
		if s.Share < 1 {
			d += s.For.D()
		}
	}
	return d
}

// takes is how long so many rows take at the present rate.
func (a Ahead) takes(n int, delay time.Duration) string {
	if a.PerDay <= 0 || n <= 0 {
		return ""
	}
	return ", " + span(time.Duration(float64(n)/a.PerDay*float64(24*time.Hour))+delay) + " at the present rate"
}

func rows(n int) string {
	if n <= 0 {
		return "more rows than there are"
	}
	return unit.Count(n) + " rows"
}

// span is a length of time in the unit that suits it.
func span(d time.Duration) string {
	for _, u := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "days"}, {time.Hour, "hours"}, {time.Minute, "minutes"}} {
		if x := float64(d) / float64(u.of); x >= 2 {
			return fmt.Sprintf("≈ %.0f %s", x, u.name)
		}
	}
	return fmt.Sprintf("≈ %.0f seconds", math.Ceil(d.Seconds()))
}

// mostRows is how far RowsToFind looks ahead.
const mostRows = 20_000

// RowsToFind is within how many rows ErrorsAbove finds that a rate of failures is above
// the limit: in half of the cases, and in nine of ten. 0: not within 20,000 rows. It is
// exact: the probability of every count is carried from row to row.
func RowsToFind(rate, limit float64) (half, most int) {
	if !(rate > 0 && rate <= 1 && limit > 0 && limit < 1) {
		return 0, 0
	}
	still := []float64{1} // by number of failures, without an alarm so far
	for n := 1; n <= mostRows; n++ {
		still = append(still, 0)
		for s := len(still) - 1; s > 0; s-- {
			still[s] = still[s]*(1-rate) + still[s-1]*rate
		}
		still[0] *= 1 - rate
		for len(still) > 1 && ErrorsAbove(len(still)-1, n, limit) {
			still = still[:len(still)-1]
		}
		left := 0.0
		for _, p := range still {
			left += p
		}
		if half == 0 && left <= 0.5 {
			half = n
		}
		if left <= 0.1 {
			return half, n
		}
	}
	return half, 0
}

// PairsToFind is after how many pairs, whose differences have that standard deviation,
// half of the candidates that are worse by so much are called harm at the margin. 0:
// never, for they are not worse than the margin allows.
func PairsToFind(sd, worse, margin float64) int {
	room := worse - margin
	if !(room > 0 && sd >= 0) || math.IsInf(sd, 1) {
		return 0
	}
	enough := func(n int) bool { return stat.SequenceHalfWidth(float64(n), sd, tightest, alpha) <= room }
	const far = 1 << 40
	high := 100
	for !enough(high) {
		if high *= 2; high > far {
			return 0
		}
	}
	low := max(high/2, 99)
	for high-low > 1 {
		if mid := low + (high-low)/2; enough(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}
