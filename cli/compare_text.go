// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"

	"flyball/api/wire"
	"flyball/experiment/compare"
	"flyball/experiment/gate"
	"flyball/experiment/gate/report"
	"flyball/unit"
)

// marker begins the hidden line of a comment: who updates one finds it by this. The
// digest after it is that of the comparison.
const marker = "<!-- flyball:compare "

// compareMarkdown is the comparison as a comment on a change. What came from a user is
// escaped.
func compareMarkdown(r wire.Comparison) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s -->\n", marker, digest(r))
	for _, p := range r.Pairs {
		word := "NOT JUDGED"
		if p.Decision != "" {
			word = report.Decided(p.Decision)
		}
		fmt.Fprintf(&b, "### Flyball: %s against %s — %s\n\n%s\n\n", report.Escape(p.Name), report.Escape(p.Against), word, report.Escape(p.Sentence))
		if len(p.Metrics) > 0 {
			fmt.Fprintf(&b, "| metric | %s | %s | difference (95 %%) | rule | verdict |\n|---|---|---|---|---|---|\n", report.Escape(p.Against), report.Escape(p.Name))
		}
		for _, j := range p.Metrics {
			rule := "not worse"
			if j.Margin > 0 {
				rule = "not worse by " + strings.ReplaceAll(fmt.Sprintf("%g", j.Margin), "-", "−")
			}
			verdict := report.Escape(verdictOf(j))
			if j.Decision == gate.Harm || j.Decision == gate.Inconclusive {
				verdict = "**" + verdict + "**"
			}
			fmt.Fprintf(&b, "| %s%s | %s | %s | %s | %s | %s |\n", report.Escape(j.Metric), arrow(j), valueOf(j.Reference), valueOf(j.Candidate), differenceOf(j), rule, verdict)
		}
		if len(p.Metrics) > 0 {
			b.WriteString("\nA difference above zero is better.\n")
		}
		for _, line := range slices.Concat([]string{worstSlices(p), whereText(p)}, p.Notes) {
			if line != "" {
				fmt.Fprintf(&b, "%s\n", report.Escape(line))
			}
		}
		b.WriteString("\n")
	}
	if len(r.Differs) > 0 {
		fmt.Fprintf(&b, "<details><summary>Only what differs (%d are equal)</summary>\n\n| | |", r.Equal)
		for _, s := range r.Subjects {
			fmt.Fprintf(&b, " %s |", report.Escape(s.Name))
		}
		fmt.Fprintf(&b, "\n|---|---|%s\n", strings.Repeat("---|", len(r.Subjects)))
		for _, f := range r.Differs {
			fmt.Fprintf(&b, "| %s | %s |", f.Kind, report.Escape(f.Key))
			for _, v := range factCells(f) {
				fmt.Fprintf(&b, " %s |", report.Escape(clip(v)))
			}
			b.WriteString("\n")
		}
		b.WriteString("\n</details>\n\n")
	}
	var refs []string
	for _, s := range r.Subjects {
		if s.Ref != "constant" {
			refs = append(refs, s.Ref)
		}
	}
	fmt.Fprintf(&b, "`flyball compare %s` · exit code %d\n", strings.ReplaceAll(strings.Join(refs, " "), "`", ""), code(r))
	return b.String()
}

func code(r wire.Comparison) int {
	if r.Better {
		return exitOK
	}
	return exitNo
}

// worstSlices is the worst part that was judged, and how many were not.
func worstSlices(p compare.Pair) string {
	judged := slices.DeleteFunc(slices.Clone(p.Slices), func(s compare.Slice) bool { return s.Difference == nil })
	if len(judged) == 0 {
		return ""
	}
	slices.SortStableFunc(judged, func(a, b compare.Slice) int { return cmp.Compare(a.Difference.Value, b.Difference.Value) })
	w := judged[0]
	holm := ""
	if w.Holm != nil {
		holm = fmt.Sprintf(", Holm p=%.2g", *w.Holm)
	}
	text := fmt.Sprintf("Worst slice: %s %s %s (n=%s%s).", w.Column+"="+w.Value, report.Difference(*w.Difference), p.Metrics[0].Metric, unit.Count(w.Rows), holm)
	if n := len(p.Slices) - len(judged); n > 0 {
		text += fmt.Sprintf(" Slices with too few rows to judge: %d.", n)
	}
	return text
}

func digest(r wire.Comparison) string {
	raw, err := json.Marshal(r)
	if err != nil {
		return "unknown"
	}
	return fmt.Sprintf("%x", sha256.Sum256(raw))[:16]
}

// clip shortens what would break a table.
func clip(s string) string {
	if runes := []rune(s); len(runes) > 120 {
		return string(runes[:119]) + "…"
	}
	return s
}

//go:embed compare.html
var comparePage string

// compareHTML is the comparison as one file that needs no other.
func compareHTML(w io.Writer, r wire.Comparison) error {
	t, err := template.New("compare").Funcs(template.FuncMap{
		"arrow": arrow, "value": valueOf, "difference": differenceOf, "verdict": verdictOf, "word": sliceWord, "where": whereText, "facts": factCells,
		"logged": loggedCells, "count": unit.Count, "span": span, "percent": func(v float64) string { return unit.Fixed(v, 2) }, "roc": rocPath,
		"part": func(s compare.Slice) string {
			if s.Difference == nil {
				return "–"
			}
			return report.Difference(*s.Difference)
		},
	}).Parse(comparePage)
	if err != nil {
		return fmt.Errorf("the page of a comparison: %w", err)
	}
	return t.Execute(w, r)
}

// drawn is an interval on an axis of 200 with its middle at zero.
type drawn struct{ Low, Value, High float64 }

// span places a difference on an axis that holds all of the pair.
func span(p compare.Pair, j compare.Judged) *drawn {
	if j.Difference == nil {
		return nil
	}
	d := j.Difference
	reach := max(math.Abs(d.Low), math.Abs(d.High))
	if reach == 0 {
		return &drawn{100, 100, 100}
	}
	at := func(v float64) float64 { return math.Round(10*(100+90*v/reach)) / 10 }
	return &drawn{at(d.Low), at(d.Value), at(d.High)}
}

// rocPath is a curve as the points of an SVG polyline, 200 by 200.
func rocPath(c *compare.Curves) string {
	var b strings.Builder
	b.WriteString("0,200")
	for _, p := range c.ROC {
		fmt.Fprintf(&b, " %.1f,%.1f", 200*p.FalsePositives, 200-200*p.TruePositives)
	}
	return b.String()
}
