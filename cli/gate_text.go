// SPDX-License-Identifier: Apache-2.0

package cli

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
	"flyball/model/registry"
	"flyball/unit"
)

// gateMarker begins the hidden line of a gate's comment. The model and the digest of the
// verdict follow: who updates the one comment of a change finds it by marker and model.
const gateMarker = "<!-- flyball:gate "

// gateReport is a verdict as a page or a comment shows it.
type gateReport struct {
	Ref, ID    string
	Model      string
	Word       string // SUPERIOR, NON-INFERIOR, INCONCLUSIVE or HARM
	Verdict    gate.Verdict
	Compared   []gateRow
	Others     []gateRow // rules that compare no versions
	Slices     []gateRow
	Notes      []string
	Data, Made string // digests of the snapshot and of the record
	Code       int
}

// gateRow is what one rule found.
type gateRow struct {
	Name, Other, Candidate, Difference, Rule, Verdict string
	Bad                                               bool
}

// gateID is the digest by which a verdict is asked for: of the version and what was said.
func gateID(v registry.Version, verdict gate.Verdict) string {
	raw, err := json.Marshal(verdict)
	if err != nil {
		return "unknown"
	}
	return fmt.Sprintf("%x", sha256.Sum256(append([]byte(v.Ref.String()+"\n"), raw...)))[:12]
}

// newGateReport puts a verdict in rows.
func newGateReport(v registry.Version, verdict gate.Verdict, code int) gateReport {
	r := gateReport{
		Ref: v.Ref.String(), Model: v.Model, ID: gateID(v, verdict), Word: decided(verdict.Decision), Verdict: verdict, Code: code,
		Data: short(string(v.Snapshot)), Made: short(string(v.Record)),
	}
	few := 0
	for _, reason := range verdict.Reasons {
		row := gateRow{
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
		row.Name, row.Difference = reason.Metric+pointing(reason.Metric), difference(*d)
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
func (r *gateReport) note(v gate.Verdict, few int) {
	if few > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("Slices with too few rows to be judged: %d.", few))
	}
	if v.Changed != nil {
		r.Notes = append(r.Notes, fmt.Sprintf("Where they differ: %s of %s rows change decision.", unit.Count(*v.Changed), unit.Count(v.Rows)))
	}
	for _, t := range v.Groups {
		for _, g := range t.Groups {
			if g.Judged == evaluation.GroupLower {
				r.Notes = append(r.Notes, fmt.Sprintf("Of %s %s %s are decided yes, %s of the share of %s (%s…%s).", t.Column, g.Value, percentOf(g.Selection.Value),
					percentOf(g.Ratio.Value), t.Reference, percentOf(g.Ratio.Low), percentOf(g.Ratio.High)))
			}
		}
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

// gateMarkdown is the report as a comment on a change. What came from a user is escaped.
func gateMarkdown(r gateReport) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s %s -->\n### Flyball gate: %s — %s\n\n%s %s, on %s rows.\n\n", gateMarker, r.Model, r.ID, esc(r.Ref), r.Word, esc(r.Ref), esc(r.Verdict.Summary), unit.Count(r.Verdict.Rows))
	if len(r.Compared) > 0 {
		b.WriteString("| metric | against | candidate | difference (95 %) | rule | verdict |\n|---|---|---|---|---|---|\n")
		for _, row := range r.Compared {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", esc(row.Name), esc(row.Other), row.Candidate, row.Difference, esc(row.Rule), row.cell())
		}
		b.WriteString("\n")
	}
	for _, row := range r.Others {
		fmt.Fprintf(&b, "- %s: %s — %s\n", esc(row.Name), esc(row.Difference), row.cell())
	}
	if len(r.Others) > 0 {
		b.WriteString("\n")
	}
	if worst := r.worst(); worst != nil {
		fmt.Fprintf(&b, "Worst slice of %d: %s %s — %s.\n", len(r.Slices), esc(worst.Name), worst.Difference, worst.cell())
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "%s\n", esc(n))
	}
	fmt.Fprintf(&b, "\n%s`flyball gate show %s` · exit code %d\n", r.origin(), r.ID, r.Code)
	return b.String()
}

// cell is the row's verdict, in bold where it does not pass.
func (row gateRow) cell() string {
	if row.Bad {
		return "**" + esc(row.Verdict) + "**"
	}
	return esc(row.Verdict)
}

// worst is the slice that decides, else the one with the lowest difference.
func (r gateReport) worst() *gateRow {
	var worst *gateRow
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
func (r gateReport) origin() string {
	var parts string
	if r.Data != "" {
		parts += "Data " + r.Data + " · "
	}
	if r.Made != "" {
		parts += "record " + r.Made + " · "
	}
	return parts
}

//go:embed gate.html
var gatePage string

// gateHTML is the report as one file that needs no other.
func gateHTML(w io.Writer, r gateReport) error {
	t, err := template.New("gate").Parse(gatePage)
	if err != nil {
		return fmt.Errorf("the page of a gate: %w", err)
	}
	return t.Execute(w, struct {
		gateReport
		Origin string
	}{r, r.origin()})
}
