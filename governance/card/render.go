// SPDX-License-Identifier: Apache-2.0

package card

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"flyball/experiment/gate/report"
	"flyball/fault"
)

// Title is the card in a sentence.
func (c Card) Title() string {
	switch {
	case len(c.Missing) > 0:
		return fmt.Sprintf("%s: %d of the six things that only people know are missing", c.Ref, len(c.Missing))
	case c.Verdict == "":
		return c.Ref + ": not judged yet"
	}
	return fmt.Sprintf("%s %s", c.Ref, c.Summary)
}

// escape takes from a text all that Markdown or HTML would read in it. A card lies in a
// file, where an @ calls nobody.
func escape(s string) string { return strings.ReplaceAll(report.Escape(s), "&#64;", "@") }

// Markdown is the card as a document. What came from a user is escaped.
func (c Card) Markdown() string {
	foot := fmt.Sprintf("Made by Flyball on %s from what is recorded. flyball card %s makes it again.", Moment(c.Made), c.Ref)
	return Markdown("Model card: "+c.Ref, c.Title()+".", c.Sections(), foot)
}

// Markdown is a document with a title, a first sentence and a last one. All is escaped.
func Markdown(title, lead string, sections []Section, foot string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n", escape(title), escape(lead))
	for _, s := range sections {
		s.markdown(&b)
	}
	fmt.Fprintf(&b, "\n%s\n", escape(foot))
	return b.String()
}

func (s Section) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n", escape(s.Title))
	if s.Lead != "" {
		fmt.Fprintf(b, "\n%s\n", escape(s.Lead))
	}
	if len(s.Pairs) > 0 {
		b.WriteString("\n")
	}
	for _, p := range s.Pairs {
		text := escape(p.Text)
		if p.Code {
			text = "`" + p.Text + "`"
		}
		fmt.Fprintf(b, "- **%s**: %s\n", escape(p.Name), text)
	}
	for _, t := range s.Tables {
		if t.Caption != "" {
			fmt.Fprintf(b, "\n%s:\n", escape(t.Caption))
		}
		b.WriteString("\n|")
		for _, h := range t.Head {
			fmt.Fprintf(b, " %s |", escape(h))
		}
		b.WriteString("\n|")
		for i := range t.Head {
			if t.Number(i) {
				b.WriteString("---:|")
			} else {
				b.WriteString("---|")
			}
		}
		for _, row := range t.Rows {
			b.WriteString("\n|")
			for _, cell := range row {
				fmt.Fprintf(b, " %s |", escape(cell))
			}
		}
		b.WriteString("\n")
	}
	if s.Note != "" {
		fmt.Fprintf(b, "\n%s\n", escape(s.Note))
	}
}

//go:embed page.html
var page string

// Page is a document that needs nothing else to be read: no script, no font, no request.
type Page struct {
	Title    string // a sentence
	What     string // the kind of document and its subject
	More     string
	Parts    []Part
	Foot     string
	Style    string // the style sheet of the pages; it must hold no </style
	Language string // empty: en
}

// Part is sections under a heading of their own; without one they stand by themselves.
type Part struct {
	Title    string
	Lead     string
	Sections []Section
}

// HTML writes the page.
func (p Page) HTML(w io.Writer) error {
	if strings.Contains(strings.ToLower(p.Style), "</style") {
		return fault.New(fault.Internal, "the style sheet would end the style of the page")
	}
	if p.Language == "" {
		p.Language = "en"
	}
	t, err := template.New("page").Parse(page)
	if err != nil {
		return fmt.Errorf("the page of a card: %w", err)
	}
	return t.Execute(w, struct {
		Page
		CSS template.CSS
	}{p, template.CSS(p.Style)}) // it is ours
}

// HTML writes the card as one file, in the style of the pages.
func (c Card) HTML(w io.Writer, style string) error {
	return Page{
		Title: c.Title(), What: "Model card · " + c.Ref, Parts: []Part{{Sections: c.Sections()}}, Style: style,
		Foot: fmt.Sprintf("Made by Flyball on %s from what is recorded. flyball card %s makes it again.", Moment(c.Made), c.Ref),
	}.HTML(w)
}
