// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"flyball/experiment/evaluation"
	"flyball/unit"
)

// longest is how many characters a summary has at most: a line of the feed.
const longest = 56

// number is a measured value.
func number(v float64) string {
	return unit.Fixed(v, unit.Digits(v))
}

// given is a number that the owner wrote.
func given(v float64) string {
	return strings.ReplaceAll(strconv.FormatFloat(v, 'g', 6, 64), "-", "−")
}

// Change says a difference in words with its interval, such as "better by 3.6
// (+2.1…+5.1)".
func Change(d evaluation.Difference) string { return change(d, "") }

// change is Change with how it is better or worse, such as " in the mean".
func change(d evaluation.Difference, how string) string {
	digits := unit.FineDigits(max(math.Abs(d.Candidate), math.Abs(d.Other)), d.Low, d.High)
	word := "no different"
	switch {
	case d.Value > unit.Nothing:
		word = "better" + how + " by " + unit.Fixed(d.Value, digits)
	case d.Value < -unit.Nothing:
		word = "worse" + how + " by " + unit.Fixed(-d.Value, digits)
	}
	return fmt.Sprintf("%s (%s…%s)", word, unit.Signed(d.Low, digits), unit.Signed(d.High, digits))
}

// both are the two versions' values with the same digits.
func both(d evaluation.Difference) (candidate, other string) {
	digits := unit.Digits(max(math.Abs(d.Candidate), math.Abs(d.Other)))
	return unit.Fixed(d.Candidate, digits), unit.Fixed(d.Other, digits)
}

// short is a difference for the summary, in the room that is left.
func short(d evaluation.Difference, room int) string {
	digits := unit.FineDigits(max(math.Abs(d.Candidate), math.Abs(d.Other)), d.Low, d.High)
	a, b := both(d)
	ends := unit.Signed(d.Low, digits) + "…" + unit.Signed(d.High, digits)
	word := ""
	if d.Against == "live" && d.Low > 0 {
		word = " better"
	} else if d.Against == "live" && d.High < 0 {
		word = " worse"
	}
	return fit(room, fmt.Sprintf("%s %s, %s %s (%s%s)", d.Metric, a, d.Against, b, ends, word),
		fmt.Sprintf("%s %s, %s %s (%s)", d.Metric, a, d.Against, b, ends), fmt.Sprintf("%s %s (%s)", d.Metric, a, ends))
}

// fit is the first of the texts that the room holds, else the last.
func fit(room int, texts ...string) string {
	for _, text := range texts {
		if len([]rune(text)) <= room {
			return text
		}
	}
	return texts[len(texts)-1]
}

// on says how many rows, and draws where these are fewer.
func on(rows, blocks int) string {
	if blocks < rows {
		return fmt.Sprintf("on %s rows in %s blocks", unit.Fixed(float64(rows), 0), unit.Fixed(float64(blocks), 0))
	}
	return fmt.Sprintf("on %s rows", unit.Fixed(float64(rows), 0))
}

// more is how many more rows make an interval ratio times as narrow, and the words
// for it; 0 and nothing where the ratio cannot say.
func more(rows, blocks int, ratio float64) (int, string) {
	if !(ratio > 1) || math.IsInf(ratio, 0) {
		return 0, ""
	}
	times := ratio*ratio - 1
	n := math.Min(1e9, math.Ceil(float64(rows)*times))
	text := fmt.Sprintf("; about %s more rows", unit.Fixed(unit.RoundUp(n), 0))
	if blocks < rows {
		text += fmt.Sprintf(" in %s blocks", unit.Fixed(unit.RoundUp(math.Min(1e9, math.Ceil(float64(blocks)*times))), 0))
	}
	return int(n), text + " would tell"
}

// cut shortens a text to so many characters.
func cut(text string, room int) string {
	if runes := []rune(text); len(runes) > room {
		return string(runes[:room-1]) + "…"
	}
	return text
}
