// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"math"
	"strings"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
	"flyball/stat"
	"flyball/unit"
)

// The least that anything is judged on: rows, rows of each class for what counts
// classes, and draws for what is resampled.
const leastRows, leastOfClass, leastDraws = 200, 30, 10

// rule judges one metric by the interval of the paired difference. After the first
// release the baseline must be beaten in the mean only.
func (j *judging) rule(r Rule) finding {
	out := finding{comparison: true, Reason: Reason{
		Rule: strings.TrimSpace(r.Name + " " + r.Require.Word), Metric: r.Name,
		Required: r.Require.Word != "report", Decision: Inconclusive,
	}}
	if r.Require.Word == "" || Apart(r.Name) {
		return j.limit(r, out)
	}
	if r.Require.Word == "noninferior" {
		out.Margin = r.Margin
	}
	if out.Against = r.Against; out.Against == "" {
		out.Against = "live"
	}
	if j.in.First && out.Against == "live" {
		out.Required, out.NotJudged, out.Text = false, true, r.Name+": no version is live yet"
		if r.Require.Word == "report" {
			j.report(r.Name, &out)
		} else if !j.few(r.Name, &finding{}) {
			j.own(r.Name)
		}
		return out
	}
	if j.few(r.Name, &out) {
		return out
	}
	j.own(r.Name)
	d, err := evaluation.Compare(r.Name, j.in.Sample, "candidate", out.Against, j.seed)
	if err != nil {
		out.NotJudged, out.Text = true, err.Error()
		return out
	}
	j.verdict.Differences = append(j.verdict.Differences, d)
	out.short = func(room int) string { return short(d, room) }
	j.compare(r, d, &out)
	return out
}

// compare decides by the interval, and says what it shows.
func (j *judging) compare(r Rule, d evaluation.Difference, out *finding) {
	margin, how, tail := 0.0, "", ""
	if r.Margin != nil {
		margin = *r.Margin
	}
	later := out.Against == "baseline" && !j.in.First
	switch {
	case d.Low > 0:
		out.Decision = Superior
	case later && d.Value > 0:
		out.Decision, how = NonInferior, " in the mean"
	case r.Require.Word == "noninferior" && d.Low > -margin:
		out.Decision = NonInferior
		tail = ", within the margin of " + given(margin)
	case d.High < -margin:
		out.Decision = Harm
		if margin > 0 {
			tail = ", beyond the margin of " + given(margin)
		}
	default:
		out.Needs, tail = needs(d, margin)
	}
	if r.Margin == nil && r.Require.Word == "noninferior" {
		tail += "; default margin 0, not set by the owner"
	}
	a, b := both(d)
	out.Text = fmt.Sprintf("%s %s, %s %s: %s %s%s%s", r.Name, a, out.Against, b, change(d, how), on(d.Rows, d.Blocks), tail, j.alone(r.Name, out.Against))
}

// alone says of accuracy on how many rows one of the two alone is right, with the p-value
// that luck divides them so. It is shown; the interval decides.
func (j *judging) alone(metric, against string) string {
	s := j.in.Sample
	if evaluation.Name(metric) != "accuracy" || s.Block != nil || s.Weight != nil {
		return ""
	}
	b, c, ok := evaluation.Alone(metric, s, "candidate", against)
	if !ok {
		return ""
	}
	return fmt.Sprintf("; right alone on %s rows and on %s (McNemar mid-p %.2g)", unit.Count(b), unit.Count(c), stat.McNemarMidP(b, c))
}

// needs is how many more rows like these would bring one end of the interval past
// −margin if the difference stayed as it is, with the words for it.
func needs(d evaluation.Difference, margin float64) (int, string) {
	half, room := d.Value-d.Low, d.Value+margin
	if room < 0 {
		half, room = d.High-d.Value, -room
	}
	return more(d.Rows, d.Blocks, half/room)
}

// report measures the candidate alone.
func (j *judging) report(metric string, out *finding) {
	if j.few(metric, out) {
		return
	}
	e, err := j.own(metric)
	if err != nil {
		out.Text = err.Error()
		return
	}
	out.NotJudged, out.Text = false, measured(e)+" "+on(e.Rows, e.Blocks)
}

// own is the candidate's metric on all rows with its interval. It is part of the verdict,
// once, whatever is asked of the metric.
func (j *judging) own(metric string) (evaluation.Estimate, error) {
	for _, e := range j.verdict.Estimates {
		if e.Metric == metric && e.Slice == "" && e.Role == "candidate" {
			return e, nil
		}
	}
	e, err := evaluation.Measure(metric, j.in.Sample, "candidate", j.seed)
	if err == nil {
		j.verdict.Estimates = append(j.verdict.Estimates, e)
	}
	return e, err
}

// measured is a metric with its value and interval.
func measured(e evaluation.Estimate) string { return e.Metric + " " + Measured(e) }

// Measured is a value with its 95 % interval, such as "38.4 (33.1…43.7)".
func Measured(e evaluation.Estimate) string {
	digits := unit.FineDigits(max(math.Abs(e.Value), math.Abs(e.Low), math.Abs(e.High)), e.Value-e.Low, e.High-e.Value)
	return fmt.Sprintf("%s (%s…%s)", unit.Fixed(e.Value, digits), unit.Fixed(e.Low, digits), unit.Fixed(e.High, digits))
}

// few reports whether the rows are too few to judge the metric, and says so.
func (j *judging) few(metric string, out *finding) bool {
	s, n := j.in.Sample, len(j.in.Sample.Truth)
	least := leastClass(s)
	switch {
	case n < leastRows:
		out.Needs = leastRows - n
		out.Text = fmt.Sprintf("%s is not judged (n=%d); %d more rows would do", metric, n, out.Needs)
		out.short = func(int) string { return fmt.Sprintf("%s not judged, %d of %d rows", metric, n, leastRows) }
	case evaluation.ByClass(metric) && least < leastOfClass:
		more := ""
		if least > 0 {
			out.Needs = int(math.Ceil(float64(n) * float64(leastOfClass-least) / float64(least)))
			more = fmt.Sprintf("; about %s more rows would do", unit.Fixed(unit.RoundUp(float64(out.Needs)), 0))
		}
		out.Text = fmt.Sprintf("%s is not judged (%d rows of the rarer class, of %d)%s", metric, least, leastOfClass, more)
		out.short = func(int) string {
			return fmt.Sprintf("%s not judged, %d of %d of a class", metric, least, leastOfClass)
		}
	case !evaluation.IsMean(metric) && j.verdict.Blocks < leastDraws:
		blocks := j.verdict.Blocks
		out.Needs = int(math.Ceil(float64(n) * float64(leastDraws-blocks) / float64(max(1, blocks))))
		out.Text = fmt.Sprintf("%s is not judged (%d blocks, of %d); about %s more rows in %d blocks would do",
			metric, blocks, leastDraws, unit.Fixed(unit.RoundUp(float64(out.Needs)), 0), leastDraws-blocks)
		out.short = func(int) string { return fmt.Sprintf("%s not judged, %d of %d blocks", metric, blocks, leastDraws) }
	default:
		return false
	}
	out.NotJudged = true
	return true
}

// leastClass is how many rows the rarer class has; of several classes, the second
// most frequent, for a rare one need not be in every part. Without classes it is all
// rows.
func leastClass(s evaluation.Sample) int {
	if s.Kind == dataset.Regression {
		return len(s.Truth)
	}
	counts := map[float64]int{}
	for _, y := range s.Truth {
		counts[y]++
	}
	first, second := 0, 0
	for _, c := range counts {
		if c > first {
			first, second = c, first
		} else {
			second = max(second, c)
		}
	}
	return second
}
