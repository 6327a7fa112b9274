// SPDX-License-Identifier: Apache-2.0

// Package evidence sorts what is recorded of a model into the headings of a law or a
// standard, and lists what is missing under each. It claims nothing: whether a heading is
// satisfied is for whoever answers for the model to say, and this program does not know.
package evidence

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"flyball/fault"
	"flyball/governance/card"
	"flyball/governance/duty"
	"flyball/unit"
)

// Facts are what is held of a model at a moment. Zero times say that there is none.
type Facts struct {
	Model     string
	Card      *card.Card // of its live version, else of the newest; nil: it has none
	Duties    duty.Duties
	Snapshots int       // of its data
	Records   int       // of the audit chain, of this model
	Predicted time.Time // its newest prediction
	Reasoned  bool      // whose reasons were kept
	Labelled  time.Time // the newest of its predictions whose truth is known
	Findings  int       // of its monitors, ever
	Groups    bool      // what the version does for groups is recorded
	Monitored bool      // it has a model file, so that it is watched
	Now       time.Time
}

// Line is one thing that a heading asks for.
type Line struct {
	Held bool   `json:"held"`
	What string `json:"what"`
	Text string `json:"text"` // what is held and where, or what is missing and what would give it
}

// Heading is a heading of the profile, with what is held and what is missing under it.
type Heading struct {
	Title string `json:"title"`
	Lines []Line `json:"lines"`
}

// Export is what is held of a model, by the headings of a profile.
type Export struct {
	Model    string    `json:"model"`
	Ref      string    `json:"ref,omitempty"` // of the version that is spoken of
	Profile  string    `json:"profile"`
	Document string    `json:"document"`
	Made     time.Time `json:"made"`
	Claim    string    `json:"claim"` // that there is none
	Headings []Heading `json:"headings"`
}

// claim stands in every export.
const claim = "This lists what is recorded and what is missing. It is no statement that a law or a standard is satisfied, and no advice."

// Of is the export of a profile: ai-act, sr-26-2, iso-42001 or nist. Another is an Invalid
// fault.
func Of(profile string, f Facts) (Export, error) {
	all := profiles()
	at := slices.IndexFunc(all, func(p headings) bool { return p.name == profile })
	if at < 0 {
		return Export{}, fault.New(fault.Invalid, "there is no profile %q", profile).Do("name one of %s", unit.List(Profiles()))
	}
	p := all[at]
	out := Export{Model: f.Model, Profile: profile, Document: p.document, Made: f.Now, Claim: claim}
	if f.Card != nil {
		out.Ref = f.Card.Ref
	}
	for _, h := range p.all {
		heading := Heading{Title: h.title}
		for _, what := range h.asks {
			heading.Lines = append(heading.Lines, f.line(what))
		}
		for _, text := range h.outside {
			heading.Lines = append(heading.Lines, Line{What: text, Text: "Flyball holds nothing of this kind; it is yours to keep"})
		}
		out.Headings = append(out.Headings, heading)
	}
	return out, nil
}

// Count says how many lines are held, and how many are not.
func (e Export) Count() (held, missing int) {
	for _, h := range e.Headings {
		for _, l := range h.Lines {
			if l.Held {
				held++
			} else {
				missing++
			}
		}
	}
	return held, missing
}

// Title is the export in a sentence.
func (e Export) Title() string {
	held, missing := e.Count()
	return fmt.Sprintf("%s, by the headings of %s: %d things are held, %d are missing", e.Model, e.Document, held, missing)
}

// Sections are the export as a document.
func (e Export) Sections() []card.Section {
	out := make([]card.Section, len(e.Headings))
	for i, h := range e.Headings {
		t := card.Table{Head: []string{"asked for", "", "what there is"}}
		for _, l := range h.Lines {
			state := "missing"
			if l.Held {
				state = "held"
			}
			t.Rows = append(t.Rows, []string{l.What, state, l.Text})
		}
		out[i] = card.Section{Title: h.Title, Tables: []card.Table{t}}
	}
	return out
}

// Markdown is the export as a document. What came from a user is escaped.
func (e Export) Markdown() string {
	return card.Markdown("Evidence: "+e.Title(), e.Claim, e.Sections(), "Made by Flyball on "+card.Moment(e.Made)+".")
}

// HTML writes the export as one file, in the style of the pages.
func (e Export) HTML(w io.Writer, style string) error {
	return card.Page{
		Title: e.Title(), What: "Evidence · " + strings.TrimSpace(e.Model+" "+e.Ref), More: e.Claim, Parts: []card.Part{{Sections: e.Sections()}}, Style: style,
		Foot: fmt.Sprintf("Made by Flyball on %s.", card.Moment(e.Made)),
	}.HTML(w)
}

// JSON is the export as a program reads it.
func (e Export) JSON() ([]byte, error) { return json.MarshalIndent(e, "", "  ") }
