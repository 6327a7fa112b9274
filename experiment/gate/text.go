// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"flyball/experiment/evaluation"
)

// longest is how many characters a summary has at most: a line of the feed.
const longest = 56

// nothing is what is shown as zero: rounding errors of sums, not measurements.
const nothing = 1e-9

// decimals is how many digits after the point show v: one from ten on, else as many
// as make three significant ones.
func decimals(v float64) int {
	v = math.Abs(v)
	switch {
	case v < nothing || v >= 10 || math.IsInf(v, 0) || math.IsNaN(v):
		return 1
	case v >= 1:
		return 2
	}
	return 2 - int(math.Floor(math.Log10(v)))
}

// fixed is v with so many digits after the point, a real minus, and commas between
// thousands.
func fixed(v float64, digits int) string {
	text := strconv.FormatFloat(math.Abs(v), 'f', digits, 64)
	whole, rest, _ := strings.Cut(text, ".")
	for at := len(whole) - 3; at > 0 && len(text) < 30; at -= 3 {
		whole = whole[:at] + "," + whole[at:]
	}
	if rest != "" {
		whole += "." + rest
	}
	if v < 0 && strings.ContainsAny(text, "123456789") {
		return "−" + whole
	}
	return whole
}

// number is a measured value.
func number(v float64) string {
	return fixed(v, decimals(v))
}

// given is a number that the owner wrote.
func given(v float64) string {
	return strings.ReplaceAll(strconv.FormatFloat(v, 'g', 6, 64), "-", "−")
}

// signed is a difference, with its sign.
func signed(v float64, digits int) string {
	if text := fixed(v, digits); v < 0 {
		return text
	} else {
		return "+" + text
	}
}

// fine is how many digits a difference of figures such as value is shown with: those
// of the value, or as many as leave two significant ones at the larger end.
func fine(value, low, high float64) int {
	if m := max(math.Abs(low), math.Abs(high)); m > nothing && m < 10 {
		return max(decimals(value), decimals(m)-1)
	}
	return decimals(value)
}

// change says a difference in words with its interval, such as "better by 3.6
// (+2.1…+5.1)".
func change(d evaluation.Difference, how string) string {
	digits := fine(max(math.Abs(d.Candidate), math.Abs(d.Other)), d.Low, d.High)
	word := "no different"
	switch {
	case d.Value > nothing:
		word = "better" + how + " by " + fixed(d.Value, digits)
	case d.Value < -nothing:
		word = "worse" + how + " by " + fixed(-d.Value, digits)
	}
	return fmt.Sprintf("%s (%s…%s)", word, signed(d.Low, digits), signed(d.High, digits))
}

// both are the two versions' values with the same digits.
func both(d evaluation.Difference) (candidate, other string) {
	digits := decimals(max(math.Abs(d.Candidate), math.Abs(d.Other)))
	return fixed(d.Candidate, digits), fixed(d.Other, digits)
}

// short is a difference for the summary, in the room that is left.
func short(d evaluation.Difference, room int) string {
	digits := fine(max(math.Abs(d.Candidate), math.Abs(d.Other)), d.Low, d.High)
	a, b := both(d)
	ends := signed(d.Low, digits) + "…" + signed(d.High, digits)
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
		return fmt.Sprintf("on %s rows in %s blocks", fixed(float64(rows), 0), fixed(float64(blocks), 0))
	}
	return fmt.Sprintf("on %s rows", fixed(float64(rows), 0))
}

// more is how many more rows make an interval ratio times as narrow, and the words
// for it; 0 and nothing where the ratio cannot say.
func more(rows, blocks int, ratio float64) (int, string) {
	if !(ratio > 1) || math.IsInf(ratio, 0) {
		return 0, ""
	}
	times := ratio*ratio - 1
	n := math.Min(1e9, math.Ceil(float64(rows)*times))
	text := fmt.Sprintf("; about %s more rows", fixed(roundUp(n), 0))
	if blocks < rows {
		text += fmt.Sprintf(" in %s blocks", fixed(roundUp(math.Min(1e9, math.Ceil(float64(blocks)*times))), 0))
	}
	return int(n), text + " would tell"
}

// roundUp keeps two significant digits of a count.
func roundUp(n float64) float64 {
	step := math.Pow(10, math.Max(0, math.Floor(math.Log10(math.Max(1, n)))-1))
	return math.Ceil(n/step) * step
}

// cut shortens a text to so many characters.
func cut(text string, room int) string {
	if runes := []rune(text); len(runes) > room {
		return string(runes[:room-1]) + "…"
	}
	return text
}
