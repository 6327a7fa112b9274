// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/unit"
)

func digitsOf(d evaluation.Difference) int {
	return unit.FineDigits(max(math.Abs(d.Candidate), math.Abs(d.Other)), d.Low, d.High)
}

func word(d evaluation.Difference, digits int) string {
	switch {
	case d.Value > unit.Nothing:
		return "better by " + unit.Fixed(d.Value, digits)
	case d.Value < -unit.Nothing:
		return "worse by " + unit.Fixed(-d.Value, digits)
	}
	return "no different"
}

// ninetyFive is the interval of a difference as a reader meets it: turned so that the
// side that is spoken of is positive.
func ninetyFive(d evaluation.Difference, worse bool) string {
	digits, low, high := digitsOf(d), d.Low, d.High
	if worse {
		low, high = -d.High, -d.Low
	}
	if low > 0 {
		return fmt.Sprintf("(95 %%: %s…%s)", unit.Fixed(low, digits), unit.Fixed(high, digits))
	}
	return fmt.Sprintf("(95 %%: %s…%s)", unit.Signed(low, digits), unit.Signed(high, digits))
}

// say is what a metric came to, in the gate's words.
func (j Judged) say(against string) string {
	d := *j.Difference
	digits := unit.Digits(max(math.Abs(d.Candidate), math.Abs(d.Other)))
	text := fmt.Sprintf("%s %s, %s %s: %s", j.Metric, unit.Fixed(d.Candidate, digits), against, unit.Fixed(d.Other, digits), gate.Change(d))
	switch {
	case j.Decision == gate.NonInferior:
		text += ", within the margin of " + plain(j.Margin)
	case j.Decision == gate.Inconclusive && j.Needs > 0:
		text += "; " + needs(j.Needs)
	}
	return text
}

func needs(n int) string {
	return fmt.Sprintf("needs about %s more rows", unit.Fixed(unit.RoundUp(float64(n)), 0))
}

// plain is a number that somebody wrote.
func plain(v float64) string {
	return strings.ReplaceAll(strconv.FormatFloat(v, 'g', 6, 64), "-", "−")
}

// say is the verdict on the pair, made of the numbers that it holds.
func (p Pair) say() string {
	j := p.Metrics[0]
	if j.NotJudged || j.Difference == nil {
		return fmt.Sprintf("%s and %s cannot be told apart: %s.", p.Name, p.Against, j.Text)
	}
	d := *j.Difference
	digits := digitsOf(d)
	var text string
	switch j.Decision {
	case gate.Superior:
		text = fmt.Sprintf("%s is better than %s by %s %s %s on %s.", p.Name, p.Against, unit.Fixed(d.Value, digits), j.Metric, ninetyFive(d, false), p.on())
	case gate.Harm:
		text = fmt.Sprintf("%s is worse than %s by %s %s %s on %s.", p.Name, p.Against, unit.Fixed(-d.Value, digits), j.Metric, ninetyFive(d, true), p.on())
	case gate.NonInferior:
		text = fmt.Sprintf("%s is not worse than %s by more than %s %s: it is %s %s on %s.", p.Name, p.Against, plain(j.Margin), j.Metric,
			word(d, digits), ninetyFive(d, d.Value < -unit.Nothing), p.on())
	default:
		text = fmt.Sprintf("%s cannot tell %s from %s: %s is %s %s", p.on(), p.Name, p.Against, j.Metric, word(d, digits), ninetyFive(d, d.Value < -unit.Nothing))
		text = strings.ToUpper(text[:1]) + text[1:]
		if j.Needs > 0 {
			text += "; it " + needs(j.Needs)
		}
		text += "."
	}
	return text + p.slicesSay() + p.butSay()
}

func (p Pair) on() string {
	if p.Blocks < p.Rows {
		return fmt.Sprintf("%s rows in %s blocks that both have", unit.Count(p.Rows), unit.Count(p.Blocks))
	}
	return unit.Count(p.Rows) + " rows that both have"
}

// slicesSay counts the parts in which the subject is better or worse.
func (p Pair) slicesSay() string {
	if p.Judged == 0 {
		return ""
	}
	better, worse, worst := 0, 0, Slice{}
	for _, s := range p.Slices {
		switch s.Decision {
		case gate.Superior:
			better++
		case gate.Harm:
			if worse++; worst.Difference == nil || s.Difference.Value < worst.Difference.Value {
				worst = s
			}
		}
	}
	noun := "slices"
	if p.Judged == 1 {
		noun = "slice"
	}
	text := fmt.Sprintf(" It is better in %d of %d %s and worse beyond doubt in ", better, p.Judged, noun)
	if worse == 0 {
		return text + "none."
	}
	d := *worst.Difference
	return text + fmt.Sprintf("%d, most in %s by %s.", worse, d.Slice, unit.Fixed(-d.Value, digitsOf(d)))
}

// butSay warns of other metrics that are worse beyond doubt.
func (p Pair) butSay() string {
	var worse []string
	for _, j := range p.Metrics[1:] {
		if j.Decision == gate.Harm && j.Difference != nil {
			worse = append(worse, fmt.Sprintf("%s by %s", j.Metric, unit.Fixed(-j.Difference.Value, digitsOf(*j.Difference))))
		}
	}
	if worse == nil || p.Decision == gate.Harm {
		return ""
	}
	return " But it is worse in " + strings.Join(worse, " and in ") + "."
}

// sentence is the verdict on all: that of the one pair, or of the best.
func sentence(r Report) string {
	if len(r.Pairs) == 1 {
		return r.Pairs[0].Sentence
	}
	better, judged, best := 0, 0, -1
	for i, p := range r.Pairs {
		if len(p.Metrics) == 0 || p.Metrics[0].Difference == nil {
			continue
		}
		judged++
		if p.Decision == gate.Superior {
			better++
		}
		if best < 0 || p.Metrics[0].Difference.Value > r.Pairs[best].Metrics[0].Difference.Value {
			best = i
		}
	}
	against := r.Subjects[0].Name
	if judged == 0 {
		return fmt.Sprintf("None of %d can be compared with %s. %s", len(r.Pairs), against, r.Pairs[0].Sentence)
	}
	text := fmt.Sprintf("%d of %d are better than %s by more than chance allows.", better, len(r.Pairs), against)
	if better == 0 {
		text = fmt.Sprintf("None of %d is better than %s by more than chance allows.", len(r.Pairs), against)
	}
	text += " The best: " + r.Pairs[best].Sentence
	if better > 0 {
		text += fmt.Sprintf(" It was picked as the best of %d on these rows, which flatters it a little.", len(r.Pairs))
	}
	return text
}
