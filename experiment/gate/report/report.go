// SPDX-License-Identifier: Apache-2.0

// Package report shows a verdict of the gate to people: as the one comment on a change, in
// Markdown, and as a page. It decides nothing; package gate does.
package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"

	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/fault"
	"flyball/model/registry"
	"flyball/unit"
)

// marker begins the hidden line of a gate's comment. The model and the digest of the
// verdict follow: who updates the one comment of a change finds it by marker and model.
const marker = "<!-- flyball:gate "

// Report is a verdict as a page or a comment shows it. Of makes one.
type Report struct {
	Ref, ID    string // of the version; of the verdict
	Model      string
	Word       string // SUPERIOR, NON-INFERIOR, INCONCLUSIVE or HARM
	Verdict    gate.Verdict
	Compared   []Row
	Others     []Row // rules that compare no versions
	Slices     []Row
	Notes      []string
	Data, Made string // digests of the snapshot and of the record; empty: there is none
	Code       int    // the exit code that the verdict has as an answer to flyball gate
}

// Row is what one rule found.
type Row struct {
	Name, Other, Candidate, Difference, Rule, Verdict string
	Bad                                               bool
}

// ID is the digest by which a verdict is asked for: of the version and what was said.
func ID(v registry.Version, verdict gate.Verdict) string {
	if verdict.Withheld != "" {
		return verdict.Withheld
	}
	raw, err := json.Marshal(verdict)
	if err != nil {
		return "unknown"
	}
	return fmt.Sprintf("%x", sha256.Sum256(append([]byte(v.Ref.String()+"\n"), raw...)))[:12]
}

// Withhold is the version for whoever may not see what it does for groups: its report
// without any figure of a group, under the same id. A report that cannot be read is an
// Internal fault.
func Withhold(v registry.Version) (registry.Version, error) {
	if len(v.Report) == 0 {
		return v, nil
	}
	var whole gate.Verdict
	if err := json.Unmarshal(v.Report, &whole); err != nil {
		return v, fault.Wrap(err, fault.Internal, "the report of %s cannot be read", v.Ref)
	}
	less, ok := whole.WithoutGroups()
	if !ok {
		return v, nil
	}
	less.Withheld = ID(v, whole)
	raw, err := json.Marshal(less)
	v.Report = raw
	return v, err
}

// Of is the report of what the gate said of a version; code is the exit code that it has as
// an answer.
func Of(v registry.Version, verdict gate.Verdict, code int) Report {
	r := Report{
		Ref: v.Ref.String(), Model: v.Model, ID: ID(v, verdict), Word: Decided(verdict.Decision), Verdict: verdict, Code: code,
		Data: short(string(v.Snapshot)), Made: short(string(v.Record)),
	}
	few := 0
	for _, reason := range verdict.Reasons {
		row := Row{
			Name: reason.Rule, Rule: asked(reason), Verdict: ruled(reason),
			Bad: reason.Required && (reason.Decision == gate.Harm || reason.Decision == gate.Inconclusive),
		}
		d := differenceFor(verdict, reason)
		part := strings.HasPrefix(reason.Rule, "slice ")
		switch {
		case part && d == nil:
			few++
			continue
		case d == nil:
			row.Difference = reason.Text
			r.Others = append(r.Others, row)
			continue
		}
		digits := unit.Digits(max(math.Abs(d.Candidate), math.Abs(d.Other)))
		row.Other, row.Candidate = d.Against+" "+unit.Fixed(d.Other, digits), unit.Fixed(d.Candidate, digits)
		for _, e := range verdict.Estimates {
			if e.Metric == reason.Metric && e.Slice == reason.Slice && e.Role == "candidate" {
				row.Candidate = gate.Measured(e)
			}
		}
		row.Name, row.Difference = reason.Metric+pointing(reason.Metric), Difference(*d)
		if reason.Slice != "" {
			row.Name = reason.Slice
			row.Rule = reason.Metric
		}
		if reason.Decision == gate.NonInferior && d.High < 0 && !part {
			row.Verdict += ": worse, within the margin"
		}
		if part {
			r.Slices = append(r.Slices, row)
		} else {
			r.Compared = append(r.Compared, row)
		}
	}
	r.note(verdict, few)
	return r
}

// note says in sentences what no table shows.
func (r *Report) note(v gate.Verdict, few int) {
	if few > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("Slices with too few rows to be judged: %d.", few))
	}
	if v.Changed != nil {
		r.Notes = append(r.Notes, fmt.Sprintf("Where they differ: %s of %s rows change decision.", unit.Count(*v.Changed), unit.Count(v.Rows)))
	}
	for _, t := range v.Groups {
		for _, g := range t.Groups {
			if g.Judged == evaluation.GroupLower {
				r.Notes = append(r.Notes, fmt.Sprintf("Of %s %s %s are decided yes, %s of the share of %s (%s…%s).", t.Column, g.Value, percent(g.Selection.Value),
					percent(g.Ratio.Value), t.Reference, percent(g.Ratio.Low), percent(g.Ratio.High)))
			}
		}
	}
	if v.Withheld != "" {
		r.Notes = append(r.Notes, "What it does for groups is withheld: that takes the permission fairness.")
	}
	if len(r.Compared) > 0 {
		r.Notes = append(r.Notes, "A difference above zero is better.")
	}
}

// differenceFor is the difference that a reason speaks of.
func differenceFor(v gate.Verdict, r gate.Reason) *evaluation.Difference {
	if r.NotJudged || r.Against == "" {
		return nil
	}
	for i, d := range v.Differences {
		if d.Metric == r.Metric && d.Against == r.Against && d.Slice == r.Slice {
			return &v.Differences[i]
		}
	}
	return nil
}

// asked is what a rule asks for, in words.
func asked(r gate.Reason) string {
	switch word := r.Rule[strings.LastIndex(r.Rule, " ")+1:]; {
	case word == "noninferior" && r.Margin == nil:
		return "not worse (default margin 0, not set by the owner)"
	case word == "noninferior":
		return "not worse by " + strings.ReplaceAll(fmt.Sprintf("%g", *r.Margin), "-", "−")
	case word == "superior", word == "report":
		return word
	}
	return r.Rule
}

// ruled is a reason's decision in a cell.
func ruled(r gate.Reason) string {
	switch {
	case r.NotJudged:
		return "not judged"
	case !r.Required:
		return "reported"
	case r.Decision == gate.Inconclusive && r.Needs > 0:
		return fmt.Sprintf("needs ≈ %s more rows", unit.Fixed(unit.RoundUp(float64(r.Needs)), 0))
	case r.Decision == gate.Inconclusive, r.Decision == gate.Harm:
		return string(r.Decision)
	}
	return "pass"
}

// pointing says which way is better.
func pointing(metric string) string {
	switch {
	case !evaluation.Known(metric):
		return ""
	case evaluation.LowerIsBetter(metric):
		return " ↓"
	}
	return " ↑"
}

// short is a digest as people compare it.
func short(digest string) string { return digest[:min(12, len(digest))] }

// Markdown is the report as a comment on a change. What came from a user is escaped.
func (r Report) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s %s -->\n### Flyball gate: %s — %s\n\n%s %s, on %s rows.\n\n", marker, r.Model, r.ID, Escape(r.Ref), r.Word, Escape(r.Ref), Escape(r.Verdict.Summary), unit.Count(r.Verdict.Rows))
	b.WriteString(r.Body())
	fmt.Fprintf(&b, "\n%s`flyball gate show %s` · exit code %d\n", r.origin(), r.ID, r.Code)
	return b.String()
}

// Body is the tables and sentences of the comment, without its head and its end.
func (r Report) Body() string {
	var b strings.Builder
	if len(r.Compared) > 0 {
		b.WriteString("| metric | against | candidate (95 %) | difference (95 %) | rule | verdict |\n|---|---|---|---|---|---|\n")
		for _, row := range r.Compared {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", Escape(row.Name), Escape(row.Other), row.Candidate, row.Difference, Escape(row.Rule), row.cell())
		}
		b.WriteString("\n")
	}
	for _, row := range r.Others {
		fmt.Fprintf(&b, "- %s: %s — %s\n", Escape(row.Name), Escape(row.Difference), row.cell())
	}
	if len(r.Others) > 0 {
		b.WriteString("\n")
	}
	if worst := r.worst(); worst != nil {
		fmt.Fprintf(&b, "Worst slice of %d: %s %s — %s.\n", len(r.Slices), Escape(worst.Name), worst.Difference, worst.cell())
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "%s\n", Escape(n))
	}
	return b.String()
}

// cell is the row's verdict, in bold where it does not pass.
func (row Row) cell() string {
	if row.Bad {
		return "**" + Escape(row.Verdict) + "**"
	}
	return Escape(row.Verdict)
}

// worst is the slice that decides, else the one with the lowest difference.
func (r Report) worst() *Row {
	var worst *Row
	low := math.Inf(1)
	for i, row := range r.Slices {
		for _, d := range r.Verdict.Differences {
			if d.Slice == row.Name && (worst == nil || row.Bad && !worst.Bad || row.Bad == worst.Bad && d.Value < low) {
				worst, low = &r.Slices[i], d.Value
			}
		}
	}
	return worst
}

// origin is what the version was made of.
func (r Report) origin() string {
	var parts string
	if r.Data != "" {
		parts += "Data " + r.Data + " · "
	}
	if r.Made != "" {
		parts += "record " + r.Made + " · "
	}
	return parts
}

//go:embed page.html
var page string

// HTML writes the report as one file that needs no other.
func (r Report) HTML(w io.Writer) error {
	t, err := template.New("gate").Parse(page)
	if err != nil {
		return fmt.Errorf("the page of a gate: %w", err)
	}
	return t.Execute(w, struct {
		Report
		Origin string
	}{r, r.origin()})
}

// Decided is a decision of the gate as it is written.
func Decided(d gate.Decision) string {
	if d == gate.NonInferior {
		return "NON-INFERIOR"
	}
	return strings.ToUpper(string(d))
}

// Difference is a difference with its interval.
func Difference(d evaluation.Difference) string {
	digits := unit.FineDigits(max(math.Abs(d.Candidate), math.Abs(d.Other)), d.Low, d.High)
	return fmt.Sprintf("%s (%s…%s)", unit.Signed(d.Value, digits), unit.Signed(d.Low, digits), unit.Signed(d.High, digits))
}

// percent is a share as people read it.
func percent(share float64) string {
	if p := 100 * share; p >= 10 || p == 0 {
		return fmt.Sprintf("%.0f%%", p)
	}
	return fmt.Sprintf("%.2g%%", 100*share)
}

// Escape takes from a text all that Markdown, HTML or a forge would read in it.
func Escape(s string) string { return escapes().Replace(s) }

func escapes() *strings.Replacer {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "|", `\|`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`,
		"#", `\#`, "@", "&#64;", `\`, `\\`, "~", `\~`, "!", `\!`, "\n", " ", "\r", " ", "$", `\$`)
}
