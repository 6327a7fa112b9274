// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"flyball/fault"
	"flyball/unit"
)

// Policy is what is watched and how often it may cry wolf: the `watch` section of
// a model file.
type Policy struct {
	Every       unit.Duration `json:"every,omitempty"`        // a window; default 1d
	FalseAlarms Rate          `json:"false_alarms,omitempty"` // the budget from which all thresholds are set; default 1 per month
	AtLeast     int           `json:"at_least,omitempty"`     // rows before a window is judged; default 200
	Season      unit.Duration `json:"season,omitempty"`       // compare with the same season of the reference; zero: none
	Score       *ScorePolicy  `json:"score,omitempty"`        //
}

// Rate is a number of times in a month of 30 days, written "1 per month" (also per
// day, week, year).
type Rate float64

// ScorePolicy is the metric by which performance on due rows is watched.
type ScorePolicy struct {
	Metric string `json:"metric"`
	PageIf Worse  `json:"page_if,omitzero"`
}

// Worse is how much worse than the reference is too bad, written "worse by 0.03" (in
// the metric's unit) or "worse by 30%" (of the reference). Zero: never.
type Worse struct {
	By       float64
	Relative bool
}

// days are the lengths of the words that a Rate may name.
func days(word string) float64 {
	switch word {
	case "day":
		return 1
	case "week":
		return 7
	case "month":
		return 30
	case "year":
		return 365
	}
	return 0
}

// ParseRate reads "1 per month", or per day, week or year. The error is an Invalid
// fault.
func ParseRate(s string) (Rate, error) {
	number, word, _ := strings.Cut(s, " per ")
	each := days(strings.TrimSpace(word))
	x, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || each == 0 || !(x >= 0) || x > 1e6 {
		return 0, fault.New(fault.Invalid, "%q is not a rate", s).Do("write a number and a length, such as 1 per month or 2 per week")
	}
	if each == 30 {
		return Rate(x), nil
	}
	return Rate(x * 30 / each), nil
}

// String prints the rate as a model file has it.
func (r Rate) String() string { return strconv.FormatFloat(float64(r), 'g', -1, 64) + " per month" }

// Forms are a text such as "1 per month".
func (r *Rate) Forms() unit.Forms {
	return unit.Forms{Words: []string{"1 per month"}, Word: func(text string) (err error) {
		*r, err = ParseRate(text)
		return err
	}}
}

// UnmarshalJSON reads the text.
func (r *Rate) UnmarshalJSON(text []byte) error { return unit.ReadJSON(text, r.Forms()) }

// MarshalJSON writes the text.
func (r Rate) MarshalJSON() ([]byte, error) { return json.Marshal(r.String()) }

// ParseWorse reads "worse by 0.03" or "worse by 30%". The error is an Invalid fault.
func ParseWorse(s string) (Worse, error) {
	number, ok := strings.CutPrefix(strings.TrimSpace(s), "worse by ")
	number, relative := strings.CutSuffix(strings.TrimSpace(number), "%")
	x, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if relative {
		x /= 100
	}
	if !ok || err != nil || !(x > 0) || math.IsInf(x, 0) {
		return Worse{}, fault.New(fault.Invalid, "%q does not say how much worse is too bad", s).
			Do("write worse by 0.03 (in the metric's unit) or worse by 30%%")
	}
	return Worse{By: x, Relative: relative}, nil
}

// String prints it as a model file has it; "" when it is zero.
func (w Worse) String() string {
	if w.By == 0 {
		return ""
	}
	if w.Relative {
		text, _ := unit.Percent(w.By)
		return "worse by " + text
	}
	return "worse by " + strconv.FormatFloat(w.By, 'g', -1, 64)
}

// Forms are a text such as "worse by 0.03".
func (w *Worse) Forms() unit.Forms {
	return unit.Forms{Words: []string{"worse by 0.03", "worse by 30%"}, Word: func(text string) (err error) {
		*w, err = ParseWorse(text)
		return err
	}}
}

// UnmarshalJSON reads the text; an empty one is zero.
func (w *Worse) UnmarshalJSON(text []byte) error {
	if string(text) == `""` {
		*w = Worse{}
		return nil
	}
	return unit.ReadJSON(text, w.Forms())
}

// MarshalJSON writes the text.
func (w Worse) MarshalJSON() ([]byte, error) { return json.Marshal(w.String()) }
