// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"math"
	"strings"

	"flyball/experiment/evaluation"
	"flyball/unit"
)

// limit judges a value by itself. What was measured apart from the rows, such as a
// latency, has no interval and is compared as it is; a metric of the rows must lie
// within the limit with its whole interval.
func (j *judging) limit(r Rule, out finding) finding {
	out.comparison = false
	switch {
	case r.Name == "mean_score" && r.Require.Within != nil:
		return j.level(float64(*r.Require.Within), out)
	case r.Name == "mix":
		return j.mix(r.Require.AtMost, out)
	case r.Require.Word == "report":
		return j.told(r.Name, out)
	}
	low, high, words := bounds(r)
	if words == "" {
		out.NotJudged, out.Text = true, r.Name+" is not judged: the rule names nothing to compare with"
		return out
	}
	if value, ok := j.in.Values[r.Name]; ok {
		if r.Require.AtMost != nil {
			words = "at most " + quantity(r.Name, high, given)
		}
		out.Text = fmt.Sprintf("%s %s, %s", r.Name, quantity(r.Name, value, number), words)
		out.Decision = Harm
		if low <= value && value <= high {
			out.Decision = NonInferior
		}
		return out
	}
	if !evaluation.Known(r.Name) {
		out.NotJudged, out.Text = true, r.Name+" is not judged: it was not measured"
		return out
	}
	if j.few(r.Name, &out) {
		return out
	}
	e, err := j.own(r.Name)
	if err != nil {
		out.NotJudged, out.Text = true, err.Error()
		return out
	}
	tail := ""
	out.Decision, out.Needs, tail = inside(e, low, high)
	out.Text = fmt.Sprintf("%s, %s, %s%s", measured(e), words, on(e.Rows, e.Blocks), tail)
	out.short = func(int) string { return measured(e) + ", " + words }
	return out
}

// Apart reports whether a metric is measured apart from the rows: what a limit may be
// set on, and no version is compared with.
func Apart(metric string) bool {
	switch metric {
	case "latency_p99", "size", "memory", "mix":
		return true
	}
	return false
}

// quantity is a value that was measured apart from the rows, with its unit: a number that
// write writes.
func quantity(metric string, v float64, write func(float64) string) string {
	switch {
	case strings.HasPrefix(metric, "latency"):
		return write(1000*v) + " ms"
	case metric == "size" || metric == "memory":
		for _, u := range []struct {
			name string
			of   float64
		}{{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}} {
			if v >= u.of {
				return write(v/u.of) + " " + u.name
			}
		}
		return unit.Fixed(v, 0) + " bytes"
	}
	return write(v)
}

// told reports what was measured apart from the rows.
func (j *judging) told(metric string, out finding) finding {
	value, ok := j.in.Values[metric]
	if !ok {
		out.NotJudged, out.Text = true, metric+" was not measured"
		return out
	}
	out.Text = metric + " " + quantity(metric, value, number)
	return out
}

// bounds are the ends that a rule sets a value, in numbers and in words; no words
// where it sets none. A bias lies within so much of nothing.
func bounds(r Rule) (low, high float64, words string) {
	low, high = math.Inf(-1), math.Inf(1)
	switch q := r.Require; {
	case q.AtMost != nil:
		high = float64(*q.AtMost)
		words = "at most " + given(high)
	case q.AtLeast != nil:
		low = float64(*q.AtLeast)
		words = "at least " + given(low)
	case q.Within != nil && r.Name == "bias":
		high = float64(*q.Within)
		low, words = -high, "within "+given(high)
	}
	return low, high, words
}

// inside decides whether an interval lies within the bounds, and how many more rows
// would tell where it does not and its value's side is not clear.
func inside(e evaluation.Estimate, low, high float64) (Decision, int, string) {
	switch {
	case e.Low >= low && e.High <= high:
		return NonInferior, 0, ""
	case e.High < low || e.Low > high:
		return Harm, 0, ""
	}
	ratio := 0.0
	for _, bound := range []float64{low, high} {
		half := e.High - e.Value
		if e.Value > bound {
			half = e.Value - e.Low
		}
		if !math.IsInf(bound, 0) {
			ratio = max(ratio, half/math.Abs(bound-e.Value))
		}
	}
	n, tail := more(e.Rows, e.Blocks, ratio)
	return Inconclusive, n, tail
}

// level compares the mean score on the newest traffic with the rate of yes, or the
// mean truth, among mature rows: both move where labels do not arrive at random.
func (j *judging) level(within float64, out finding) finding {
	value, ok := j.in.Values["mean_score_traffic"]
	base, known := j.in.Values["base_rate_mature"]
	if !ok || !known {
		out.Required, out.NotJudged, out.Text = false, true, "mean_score is not applicable: no traffic yet"
		return out
	}
	out.Decision = Harm
	if math.Abs(value-base) <= within {
		out.Decision = NonInferior
	}
	digits := unit.Digits(max(math.Abs(value), math.Abs(base)))
	a, b := unit.Fixed(value, digits), unit.Fixed(base, digits)
	out.Text = fmt.Sprintf("mean_score %s on the newest traffic, %s among mature rows: %s apart, at most %s", a, b,
		unit.Fixed(math.Abs(value-base), digits), given(within))
	out.short = func(int) string { return fmt.Sprintf("mean_score %s, truth %s, within %s", a, b, given(within)) }
	return out
}
