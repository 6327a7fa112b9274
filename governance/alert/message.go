// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"flyball/notify"
)

// Told is the body of a webhook.
type Told struct {
	Type  string `json:"type"` // alert or over
	Step  Step   `json:"step"`
	Alert Alert  `json:"alert"` // without data of rows
	Run   string `json:"run"`   // the command that acknowledges it, or that shows it
	Link  string `json:"link,omitempty"`
}

// messages are those of the step i, one for each address, each with the link of its way.
// Their ids are the same whenever they are made, so that nobody is told twice.
func (a Alert) messages(i int, to []notify.Address, link func(a Alert, who, way string) string, now time.Time) []notify.Message {
	s := a.Told[i]
	subject := fmt.Sprintf("[flyball] %s: %s", a.Model, cut(a.Text, 120))
	told := Told{Type: "alert", Step: s, Alert: a, Run: "flyball alerts ack " + a.ID}
	if s.As == Over {
		subject = fmt.Sprintf("[flyball] %s, over: %s", a.Model, cut(a.Text, 120))
		told.Type, told.Run = Over, "flyball alerts "+a.Model+" --all"
	}
	told.Alert.Data = nil
	out := make([]notify.Message, len(to))
	for k, at := range to {
		if link != nil && s.As != Over {
			told.Link = link(a, s.Who, at.Way)
		}
		text := a.letter(s, told.Link)
		body, err := json.Marshal(told)
		if err != nil { // there is nothing in it that cannot be written
			body = nil
		}
		out[k] = notify.Message{
			ID: notify.ID(a.ID, strconv.Itoa(i), at.Way, at.To), Address: at, Subject: subject, Text: text, Body: body, CreatedAt: now,
		}
	}
	return out
}

// letter is what a person reads.
func (a Alert) letter(s Step, link string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if s.As == Over {
		word := "is over"
		if a.Once && a.Acked != nil {
			word = "is in the hands of " + a.Acked.By
		}
		line("%s, the alert %s of %s %s: %s", s.Who, a.ID, a.Model, word, a.Text)
		return b.String()
	}
	switch {
	case a.Duty == Approve && s.As == "lead":
		line("%s, you answer for %s, and nobody has answered this:", s.Who, a.Model)
	case a.Duty == Approve:
		line("%s, your leave is asked for, for %s:", s.Who, a.Model)
	case s.As == "lead":
		line("%s, you answer for %s, and neither owner nor backup of the duty %s acknowledged this:", s.Who, a.Model, a.Duty)
	default:
		line("%s, you are the %s of the duty %s for %s:", s.Who, s.As, a.Duty, a.Model)
	}
	line("\n%s (since %s)", a.Text, a.Opened.UTC().Format("2006-01-02 15:04 UTC"))
	if a.Advice != nil {
		line("%s", a.Advice.Diagnosis)
		for i, c := range a.Advice.Causes {
			word := "It may come of "
			if i > 0 {
				word = "or of          "
			}
			line("%s%s", word, c)
		}
		line("\nRun first    %s", a.Advice.Command)
	}
	if link != "" {
		line("Look, answer %s", link)
	}
	line("Acknowledge  flyball alerts ack %s", a.ID)
	if s.As != "lead" {
		line("\nWithout that the next is told after %s.", a.Within)
	}
	return b.String()
}

// cut is a text of at most so many characters.
func cut(text string, most int) string {
	r := []rune(text)
	if len(r) <= most {
		return text
	}
	return string(r[:most-1]) + "…"
}
