// SPDX-License-Identifier: Apache-2.0

package dossier

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"

	"flyball/chart"
	"flyball/experiment/gate/report"
	"flyball/governance/card"
	"flyball/serving/prediction"
	"flyball/unit"
)

// HTML writes the dossier as one file, in the style of the pages.
func (d Dossier) HTML(w io.Writer, style string) error {
	p := card.Page{
		Title: d.Title(), What: "Dossier · " + d.Subject, Style: style,
		Foot: fmt.Sprintf("Made by Flyball for %s on %s. It says what is recorded; it claims nothing else.", d.By, card.Moment(d.Made)),
	}
	if d.Prediction != nil {
		p.More = d.Prediction.told()
		p.Parts = append(p.Parts, card.Part{Sections: d.Prediction.sections()})
	}
	if d.Card != nil {
		p.Parts = append(p.Parts,
			card.Part{Title: "The version: " + d.Card.Ref, Lead: "Its model card.", Sections: d.Card.Sections()},
			card.Part{Title: "The gate", Sections: []card.Section{d.Verdict.section()}})
	}
	p.Parts = append(p.Parts, card.Part{Title: "Who changed what", Sections: []card.Section{d.Records.section()}})
	return p.HTML(w)
}

// Title is the dossier in a sentence.
func (d Dossier) Title() string {
	p := d.Prediction
	if p == nil {
		return d.Card.Title()
	}
	who := "the fallback of the model file"
	if d.Card != nil {
		who = d.Card.Ref
	}
	text := fmt.Sprintf("%s said %s", who, p.said())
	switch {
	case p.Truth != nil:
		text += fmt.Sprintf("; the truth was %s", p.Truth.Value)
	default:
		text += "; the truth is not known"
	}
	return text
}

// said are the scores, and what was decided of them.
func (p *Prediction) said() string {
	parts := make([]string, len(p.Scores))
	for i, s := range p.Scores {
		parts[i] = strconv.FormatFloat(s, 'g', 6, 64)
		if len(p.Classes) == len(p.Scores) && len(p.Scores) > 1 {
			parts[i] = p.Classes[i] + " " + parts[i]
		}
	}
	text := strings.Join(parts, ", ")
	if p.Decision != "" {
		text += ": " + p.Decision
	}
	return text
}

// told is what a replay found, in a sentence.
func (p *Prediction) told() string {
	switch {
	case p.Replay.Equal:
		return "Scored again for this dossier, it is equal to the last bit."
	case p.Replay.Scores == nil:
		return "It could not be scored again: " + p.Replay.Why + "."
	}
	return "Scored again for this dossier, it is not equal: " + p.Replay.Why + "."
}

func (p *Prediction) sections() []card.Section {
	return []card.Section{p.asked(), p.why(), p.replayed(), p.routed()}
}

func (p *Prediction) asked() card.Section {
	s := card.Section{Title: "What was asked and answered"}
	add := func(name, text string) { s.Pairs = append(s.Pairs, card.Pair{Name: name, Text: text}) }
	s.Pairs = append(s.Pairs, card.Pair{Name: "Prediction", Text: string(p.ID), Code: true})
	if p.Key != "" {
		add("Key of the caller", p.Key)
	}
	add("Answered", card.Moment(p.At))
	add("Time of the row", card.Moment(p.Time))
	add("Answer", p.said())
	if p.Decide != nil && len(p.Scores) == 1 {
		add("Rule", fmt.Sprintf("above %g: %s, else %s", p.Decide.Above, p.Decide.Then, p.Decide.Else))
	}
	flags := "nothing"
	if len(p.Flags) > 0 {
		flags = strings.Join(p.Flags, ", ")
	}
	add("Unusual", flags)
	switch t := p.Truth; t {
	case nil:
		add("Truth", "not known; due "+card.Moment(p.Due))
	default:
		add("Truth", fmt.Sprintf("%s, known %s, received %s", t.Value, card.Moment(t.At), card.Moment(t.Received)))
	}
	s.Tables = []card.Table{{Caption: "The row, as it was sent", Head: []string{"column", "value"}, Rows: inputs(p.Row)}}
	others := card.Table{Caption: "What other versions said of the same row", Head: []string{"role", "version", "scores", "decision"}}
	for _, o := range p.Others {
		text := o.Error
		if text == "" {
			text = strings.Trim(fmt.Sprint(o.Scores), "[]")
		}
		others.Rows = append(others.Rows, []string{o.Role, strconv.Itoa(o.Version), text, o.Decision})
	}
	if len(others.Rows) > 0 {
		s.Tables = append(s.Tables, others)
	}
	return s
}

func (p *Prediction) why() card.Section {
	s := card.Section{Title: "Why"}
	if p.Why == nil {
		s.Lead = "There are no reasons: " + p.Unexplained + "."
		return s
	}
	when := "worked out for this dossier"
	if p.Kept {
		when = "kept with the prediction"
	}
	of := ""
	if p.Why.Class != "" {
		of = " of " + p.Why.Class
	}
	s.Lead = fmt.Sprintf("What each column added to the score%s in %s, by %s; %s. Base, columns and rest add up to %s.", of, p.Why.Space, p.Why.Method, when, unit.Fixed(p.Why.Margin, 6))
	t := card.Table{Head: []string{"column", "value", "added"}, Numbers: 2}
	const most = 12
	var steps []chart.Step
	rest := p.Why.Rest
	for i, r := range p.Why.Top {
		t.Rows = append(t.Rows, []string{r.Feature, string(r.Value), unit.Signed(r.Contribution, 6)})
		if i < most {
			steps = append(steps, chart.Step{Name: named(r), Adds: r.Contribution})
		} else {
			rest += r.Contribution
		}
	}
	if rest != 0 {
		steps = append(steps, chart.Step{Name: "all others", Adds: rest})
	}
	t.Rows = append(t.Rows, []string{"base", "", unit.Signed(p.Why.Base, 6)})
	if p.Why.Rest != 0 {
		t.Rows = append(t.Rows, []string{"rest", "", unit.Signed(p.Why.Rest, 6)})
	}
	s.Charts = []template.HTML{chart.Waterfall("why", "What each column added", p.Why.Space, p.Why.Base, steps)}
	s.Tables = []card.Table{t}
	return s
}

func named(r prediction.Reason) string {
	if len(r.Value) == 0 {
		return r.Feature
	}
	return r.Feature + " = " + strings.Trim(string(r.Value), `"`)
}

func (p *Prediction) replayed() card.Section {
	s := card.Section{Title: "Replay", Lead: p.told()}
	if p.Replay.Bundle != "" {
		s.Pairs = append(s.Pairs, card.Pair{Name: "Bundle", Text: string(p.Replay.Bundle), Code: true})
	}
	t := card.Table{Head: []string{"score", "recorded", "its bits", "again", "its bits"}}
	for i := range max(len(p.Scores), len(p.Replay.Scores)) {
		row := []string{strconv.Itoa(i), "", "", "", ""}
		if i < len(p.Scores) {
			row[1], row[2] = strconv.FormatFloat(p.Scores[i], 'g', -1, 64), p.Bits[i]
		}
		if i < len(p.Replay.Scores) {
			row[3], row[4] = strconv.FormatFloat(p.Replay.Scores[i], 'g', -1, 64), p.Replay.Bits[i]
		}
		t.Rows = append(t.Rows, row)
	}
	s.Tables = []card.Table{t}
	return s
}

func (p *Prediction) routed() card.Section {
	s := card.Section{Title: "Under which route"}
	s.Pairs = []card.Pair{{Name: "Answered as", Text: p.Arm}, {Name: "Generation of the route", Text: strconv.FormatInt(p.Generation, 10)}}
	if p.Version > 0 {
		s.Pairs = append(s.Pairs, card.Pair{Name: "Version", Text: strconv.Itoa(p.Version)})
	}
	r := p.Route
	if r == nil {
		s.Lead = "The history of the releases does not hold this route."
		return s
	}
	s.Pairs = append(s.Pairs,
		card.Pair{Name: "Release", Text: r.ID, Code: true},
		card.Pair{Name: "Phase", Text: fmt.Sprintf("%s since %s", r.Phase, card.Moment(r.EnteredAt))},
		card.Pair{Name: "Live, candidate", Text: fmt.Sprintf("%s, %s", version(r.Live), version(r.Candidate))},
		card.Pair{Name: "Asked for by", Text: r.By + ", cause " + r.Cause})
	if r.Reason != "" {
		s.Pairs = append(s.Pairs, card.Pair{Name: "Reason", Text: r.Reason})
	}
	return s
}

func version(n int) string {
	if n == 0 {
		return "none"
	}
	return "v" + strconv.Itoa(n)
}

// section is what the gate said, rule by rule.
func (v *Verdict) section() card.Section {
	if v == nil {
		return card.Section{Title: "Verdict", Lead: "The gate has not judged this version."}
	}
	r := report.Of(v.of, v.Verdict, 0)
	s := card.Section{Title: r.Word, Lead: fmt.Sprintf("%s %s. Verdict %s.", r.Ref, v.Summary, v.ID), Note: strings.Join(r.Notes, " ")}
	table := func(caption string, rows []report.Row) {
		t := card.Table{Caption: caption, Head: []string{"metric", "against", "candidate", "difference (95 %)", "rule", "verdict"}}
		for _, x := range rows {
			t.Rows = append(t.Rows, []string{x.Name, x.Other, x.Candidate, x.Difference, x.Rule, x.Verdict})
		}
		if len(t.Rows) > 0 {
			s.Tables = append(s.Tables, t)
		}
	}
	table("Compared on the same rows", r.Compared)
	others := card.Table{Caption: "What else was asked", Head: []string{"rule", "found", "verdict"}}
	for _, x := range r.Others {
		others.Rows = append(others.Rows, []string{x.Name, x.Difference, x.Verdict})
	}
	if len(others.Rows) > 0 {
		s.Tables = append(s.Tables, others)
	}
	table("By slice", r.Slices)
	return s
}

func (r Records) section() card.Section {
	s := card.Section{Title: "Audit records"}
	switch {
	case r.Withheld:
		s.Lead = "Whoever asked for this dossier may not read the audit records."
		return s
	case len(r.All) == 0:
		s.Lead = "There is none of this model."
		return s
	}
	s.Lead = fmt.Sprintf("Each holds the hash of the one before. Of the %s here, each was hashed again: all hold.", unit.Count(len(r.All)))
	if len(r.Changed) > 0 {
		s.Lead = fmt.Sprintf("Somebody wrote to the database past Flyball: records %s do not have the hash of their text.", strings.Trim(fmt.Sprint(r.Changed), "[]"))
	}
	t := card.Table{Head: []string{"record", "when", "who", "what", "of", "why", "hash"}}
	for _, x := range r.All {
		t.Rows = append(t.Rows, []string{strconv.FormatInt(x.Seq, 10), card.Moment(x.At), x.Actor, x.Action, x.Object, x.Why, x.Hash})
	}
	s.Tables = []card.Table{t}
	if r.Earlier > 0 {
		s.Note = fmt.Sprintf("%s earlier ones are left out; flyball audit has them.", unit.Count(r.Earlier))
	}
	return s
}

// order are the keys of a JSON object as they stand.
func order(row json.RawMessage) []string {
	d := json.NewDecoder(bytes.NewReader(row))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	var out []string
	for d.More() {
		key, err := d.Token()
		name, ok := key.(string)
		if err != nil || !ok {
			return out
		}
		out = append(out, name)
		var skip json.RawMessage
		if d.Decode(&skip) != nil {
			return out
		}
	}
	return out
}
