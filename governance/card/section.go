// SPDX-License-Identifier: Apache-2.0

package card

import (
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"

	"flyball/experiment/evaluation"
	"flyball/unit"
)

// Section is a part of a document: sentences, pairs of a name and what it is, tables and
// drawings. What is empty is left out.
type Section struct {
	Title  string
	Lead   string
	Pairs  []Pair
	Charts []template.HTML // for the page alone; they hold what the tables hold
	Tables []Table
	Note   string
}

// Pair is a name and what it is.
type Pair struct {
	Name, Text string
	Code       bool // a digest or another text that people compare letter by letter
}

// Table has a first column of names; from column Numbers on, where it is not 0, its cells
// are numbers.
type Table struct {
	Caption string
	Head    []string
	Rows    [][]string
	Numbers int
	Texts   int // from this column on its cells are sentences again; 0: none
}

// Number reports whether a column holds numbers.
func (t Table) Number(i int) bool {
	return t.Numbers > 0 && i >= t.Numbers && (t.Texts == 0 || i < t.Texts)
}

// Sections are the card as a document.
func (c Card) Sections() []Section {
	out := []Section{c.people(), c.performance()}
	for _, g := range c.Groups {
		out = append(out, groups(g))
	}
	if c.Withheld {
		out = append(out, Section{Title: "By group", Lead: "It is recorded what the version does for each group of people. Whoever asked for this card may not see it."})
	}
	out = append(out, c.tests(), c.data(), c.origin(), c.leave(), c.history(), c.drift())
	kept := out[:0]
	for _, s := range out {
		if s.Title != "" {
			kept = append(kept, s)
		}
	}
	return kept
}

// leave is whose leave its releases had: who, in which role, of which digest, when, why, and
// whether it was somebody else's work.
func (c Card) leave() Section {
	s := Section{Title: "Whose leave it had"}
	if len(c.Approvals) == 0 {
		s.Lead = "Nobody's leave was asked for."
		return s
	}
	for _, r := range c.Approvals {
		authors := "nobody by hand"
		if len(r.Authors) > 0 {
			authors = strings.Join(r.Authors, ", ")
		}
		stands := "it waits"
		if r.Ended != nil {
			stands = string(r.Ended.State) + ", " + Moment(r.Ended.At) + ": " + r.Ended.Why
		}
		s.Pairs = append(s.Pairs,
			Pair{Name: "Request " + r.ID, Text: fmt.Sprintf("risk %s, asked by %s on %s; made by %s", r.Risk, r.By, Moment(r.AskedAt), authors)},
			Pair{Name: "Digest", Text: string(r.Digest), Code: true}, Pair{Name: "Came to", Text: stands})
		t := Table{Caption: "What was said to request " + r.ID, Head: []string{"who", "role", "said", "digest", "when", "why", "of own work"}}
		for _, g := range r.Given {
			apart := "no: neither proposed nor made it"
			if !r.Apart(g.By) {
				apart = "yes"
			}
			t.Rows = append(t.Rows, []string{g.By, strings.Join(g.Roles, ", "), string(g.Kind), string(g.Digest[:min(12, len(g.Digest))]), Moment(g.At), g.Why, apart})
		}
		if len(t.Rows) > 0 {
			s.Tables = append(s.Tables, t)
		}
	}
	s.Note = "Leave is bound to the digest: of the bundle, the verdict with its report, the plan of the release and the risk."
	return s
}

func (c Card) people() Section {
	s := Section{Title: "What it is for"}
	if len(c.Missing) > 0 {
		s.Lead = fmt.Sprintf("Missing, and needed before production: %s. The model file says them.", strings.Join(c.Missing, ", "))
	}
	for _, f := range c.Human.fields() {
		text := f.text
		if text == "" {
			text = "missing"
		}
		s.Pairs = append(s.Pairs, Pair{Name: f.title, Text: text})
	}
	if c.About != "" && c.About != c.Human.IntendedUse {
		s.Pairs = append(s.Pairs, Pair{Name: "About", Text: c.About})
	}
	if c.SaidBy != "" {
		s.Note = fmt.Sprintf("As the model file says that %s applied on %s.", c.SaidBy, Moment(c.SaidAt))
	}
	return s
}

func (c Card) performance() Section {
	s := Section{Title: "How good it is"}
	if c.Verdict == "" {
		s.Lead = "The gate has not judged this version, so nothing is measured."
		return s
	}
	s.Lead = fmt.Sprintf("The gate said %s: %s %s. Judged on %s rows that it was not trained on, in %s independent draws.", c.Verdict, c.Ref, c.Summary, unit.Count(c.Rows), unit.Count(c.Blocks))
	whole := Table{Caption: "Each figure with its 95 % interval", Head: []string{"metric", "of", "value", "from", "to", "rows"}, Numbers: 2}
	parts := Table{Caption: "By slice", Head: []string{"slice", "metric", "value", "from", "to", "rows"}, Numbers: 2}
	for _, e := range c.Estimates {
		value, low, high := figures(e)
		switch {
		case e.Slice == "":
			whole.Rows = append(whole.Rows, []string{metric(e.Metric), e.Role, value, low, high, unit.Count(e.Rows)})
		case e.Role == "candidate":
			parts.Rows = append(parts.Rows, []string{e.Slice, metric(e.Metric), value, low, high, unit.Count(e.Rows)})
		}
	}
	s.Tables = filled(c.compared(), whole, parts)
	s.Note = "The candidate is this version; live is the version that answered then, and the baseline the simplest model that is worth having."
	if c.Judged != "" && c.Judged != c.Bundle {
		s.Note += " What was judged is the same recipe, fitted without the rows it was judged on; this version was fitted on all of them afterwards."
	}
	return s
}

// compared are the paired differences; those of slices name them.
func (c Card) compared() Table {
	t := Table{Caption: "Compared on the same rows; a difference above zero is better, with its 95 % interval", Head: []string{"metric", "against", "this version", "the other", "difference", "from", "to"}, Numbers: 2}
	for _, d := range c.Compared {
		name := metric(d.Metric)
		if d.Slice != "" {
			name += ", " + d.Slice
		}
		own, apart := unit.Digits(max(math.Abs(d.Candidate), math.Abs(d.Other))), unit.FineDigits(max(math.Abs(d.Candidate), math.Abs(d.Other)), d.Low, d.High)
		t.Rows = append(t.Rows, []string{
			name, d.Against, unit.Fixed(d.Candidate, own), unit.Fixed(d.Other, own),
			unit.Signed(d.Value, apart), unit.Signed(d.Low, apart), unit.Signed(d.High, apart),
		})
	}
	return t
}

// metric is a metric with the way that is better.
func metric(name string) string {
	switch {
	case !evaluation.Known(name):
		return name
	case evaluation.LowerIsBetter(name):
		return name + " ↓"
	}
	return name + " ↑"
}

// figures are an estimate with its interval, in digits that suit the interval.
func figures(e evaluation.Estimate) (value, low, high string) {
	d := unit.FineDigits(e.Value, e.Low, e.High)
	return unit.Fixed(e.Value, d), unit.Fixed(e.Low, d), unit.Fixed(e.High, d)
}

func groups(g evaluation.GroupTable) Section {
	s := Section{
		Title: "By " + g.Column,
		Lead:  fmt.Sprintf("What the version does for each group, compared with %s, the largest. Of %s rows with a group.", g.Reference, unit.Count(g.Rows)),
	}
	t := Table{Head: []string{"group", "rows", "decided yes", "from", "to", "of the reference's", "from", "to", "judged"}, Numbers: 1, Texts: 8}
	for _, r := range g.Groups {
		t.Rows = append(t.Rows, []string{
			r.Value, unit.Count(r.Rows), unit.Fixed(r.Selection.Value, 3), unit.Fixed(r.Selection.Low, 3), unit.Fixed(r.Selection.High, 3),
			unit.Fixed(r.Ratio.Value, 3), unit.Fixed(r.Ratio.Low, 3), unit.Fixed(r.Ratio.High, 3), r.Judged,
		})
	}
	s.Tables = filled(t)
	if g.Suppress > 0 {
		s.Note = fmt.Sprintf("Groups too small to be shown: %d.", g.Suppress)
	}
	return s
}

func (c Card) tests() Section {
	if len(c.Tests) == 0 {
		return Section{}
	}
	t := Table{Head: []string{"test", "kind", "result", "rows", "failed", "found"}, Numbers: 3, Texts: 5}
	for _, r := range c.Tests {
		result := "not judged"
		switch {
		case r.Passed:
			result = "passed"
		case r.Judged:
			result = "failed"
		}
		t.Rows = append(t.Rows, []string{r.Name, r.Kind, result, unit.Count(r.Rows), unit.Count(r.Failed), r.Text})
	}
	return Section{Title: "What was tested", Tables: []Table{t}}
}

func (c Card) data() Section {
	s := Section{Title: "What it was made from"}
	if c.Data.Snapshot != "" {
		s.Pairs = append(s.Pairs, Pair{"Snapshot", string(c.Data.Snapshot), true})
	}
	if c.Data.Rows > 0 {
		s.Pairs = append(s.Pairs, Pair{Name: "Rows", Text: unit.Count(c.Data.Rows)})
	}
	if !c.Data.SeenUntil.IsZero() {
		s.Pairs = append(s.Pairs, Pair{Name: "Truths seen until", Text: Moment(c.Data.SeenUntil)})
	}
	if c.Source != "" {
		s.Pairs = append(s.Pairs, Pair{Name: "Trained elsewhere", Text: c.Source})
	}
	t := Table{Caption: "Everything that went in", Head: []string{"what", "algorithm", "digest"}}
	for _, m := range c.Origin.Ingredients {
		t.Rows = append(t.Rows, []string{m.Name, m.Algorithm, m.Digest})
	}
	s.Tables = filled(t)
	if len(s.Pairs)+len(s.Tables) == 0 {
		s.Lead = "It is not recorded."
	}
	return s
}

func (c Card) origin() Section {
	s := Section{Title: "How it was made"}
	add := func(name, text string, code bool) {
		if text != "" {
			s.Pairs = append(s.Pairs, Pair{name, text, code})
		}
	}
	o := c.Origin
	if c.Task != "" {
		add("Predicts", c.Predicts+", "+c.Task, false)
	}
	add("Trainer", c.Trainer, false)
	add("Made", fmt.Sprintf("%s by %s, cause %s", Moment(c.CreatedAt), c.CreatedBy, c.Cause), false)
	add("Bundle", string(c.Bundle), true)
	if c.Judged != c.Bundle {
		add("Bundle that was judged", string(c.Judged), true)
	}
	add("Record", string(c.Record), true)
	if o.Commit != "" {
		add("Commit", o.Commit, true)
		add("Repository", o.Repository, false)
	}
	if o.Flyball != "" || o.Go != "" {
		add("Flyball", strings.TrimSpace(o.Flyball+" "+o.Go), false)
	}
	add("Python", o.Python, false)
	add("Machine", o.Machine, false)
	if o.Threads > 0 {
		add("Threads", fmt.Sprint(o.Threads), false)
	}
	if o.Seed != nil {
		add("Seed", fmt.Sprint(*o.Seed), false)
	}
	t := Table{Caption: "Made again", Head: []string{"when", "by", "grade"}}
	for _, r := range c.Remade {
		t.Rows = append(t.Rows, []string{Moment(r.At), r.By, r.Grade})
	}
	s.Tables = filled(t)
	if len(c.Remade) == 0 && c.Source == "" {
		s.Note = "It was not made again yet: flyball reproduce " + c.Ref
	}
	return s
}

func (c Card) history() Section {
	if len(c.Steps) == 0 {
		return Section{Title: "Its releases", Lead: "It was never released."}
	}
	t := Table{Head: []string{"route", "when", "phase", "by", "why"}}
	for _, s := range c.Steps {
		t.Rows = append(t.Rows, []string{fmt.Sprint(s.Generation), Moment(s.At), s.Phase, s.By, s.Reason})
	}
	return Section{Title: "Its releases", Tables: []Table{t}}
}

func (c Card) drift() Section {
	if len(c.Steps) == 0 {
		return Section{}
	}
	if len(c.Findings) == 0 {
		return Section{Title: "Since it was released", Lead: "The monitors found nothing."}
	}
	t := Table{Head: []string{"opened", "closed", "kind", "subject", "found"}}
	for _, f := range c.Findings {
		closed := "open"
		if !f.Closed.IsZero() {
			closed = Moment(f.Closed)
		}
		t.Rows = append(t.Rows, []string{Moment(f.Opened), closed, f.Kind, f.Subject, f.Text})
	}
	return Section{Title: "Since it was released", Tables: []Table{t}}
}

// Moment is a time as documents write it, in UTC.
func Moment(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04:05 UTC") }

// filled are the tables that have rows.
func filled(all ...Table) []Table {
	var out []Table
	for _, t := range all {
		if len(t.Rows) > 0 {
			out = append(out, t)
		}
	}
	return out
}
