// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"flyball/control"
	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/experiment/gate/report"
	"flyball/experiment/modeltest"
	"flyball/fault"
	"flyball/ident"
	"flyball/model/registry"
	"flyball/training"
	"flyball/unit"
)

// ciReport is what came of the files of one run.
type ciReport struct {
	Code  int        `json:"code"` // the exit code
	Files []proposal `json:"files"`
}

// proposal is what came of one file.
type proposal struct {
	File     string           `json:"file"`
	Model    string           `json:"model,omitempty"` // empty: the file does not say
	Code     int              `json:"code"`
	Says     string           `json:"says"` // the headline
	Error    string           `json:"error,omitempty"`
	How      string           `json:"how,omitempty"`     // judged against: live, base or baseline
	Against  string           `json:"against,omitempty"` // the same in words
	Base     string           `json:"base,omitempty"`    // since when Diff is: a commit, or in words
	Diff     []string         `json:"diff,omitempty"`    // of the model file and its pipeline
	Warnings []string         `json:"warnings,omitempty"`
	Notes    []string         `json:"notes,omitempty"`
	Asked    training.Sample  `json:"sample"`
	Result   *training.Result `json:"result,omitempty"`
	Command  string           `json:"command"`

	now control.Application // the file, also where it is wrong
}

// failed is p with what went wrong.
func (p proposal) failed(code int, err error) proposal {
	p.Code, p.Error = code, strings.TrimSpace(err.Error())
	return p
}

// compare finds the file as it was, and what changed since.
func (p *proposal) compare(path string, m modelFile, commit string) earlier {
	p.now = m.application
	if raw, err := os.ReadFile(path); p.now.File == "" && err == nil {
		p.now.File = string(raw)
		if name := modelName.FindSubmatch(raw); name != nil {
			p.Model = string(name[1])
		}
	}
	if commit == "" {
		return earlier{}
	}
	b := readEarlier(commit, path)
	p.since(b.name(), b.model.application.File, b.model.application.Pipeline)
	return b
}

// since says what the file and its pipeline have that they had not at the base.
func (p *proposal) since(base, file, pipeline string) {
	p.Base, p.Diff = base, diffLines(file, p.now.File)
	if p.now.Pipeline != "" && p.now.Pipeline != pipeline {
		p.Diff = append(p.Diff, "  "+filepath.Base(p.now.PipelineName))
		p.Diff = append(p.Diff, diffLines(pipeline, p.now.Pipeline)...)
	}
}

// finish says the headlines and the exit code, and takes out what must not be shown.
func (r *ciReport) finish(hide func(string) string) {
	for i := range r.Files {
		p := &r.Files[i]
		p.Says = p.headline()
		for _, text := range []*string{&p.Says, &p.Error, &p.Against, &p.Base, &p.Command} {
			*text = hide(*text)
		}
		for _, list := range [][]string{p.Diff, p.Warnings, p.Notes} {
			for k := range list {
				list[k] = hide(list[k])
			}
		}
		if order := []int{exitOK, exitNo, exitFailed, exitDenied, exitUnreachable, exitUsage}; slices.Index(order, p.Code) > slices.Index(order, r.Code) {
			r.Code = p.Code
		}
	}
}

// headline is the answer in a sentence.
func (p proposal) headline() string {
	name := cmp.Or(p.Model, p.File)
	switch {
	case p.Code == exitUsage:
		return fmt.Sprintf("%s: the model file is wrong", name)
	case p.Code == exitNo && p.Error != "":
		return fmt.Sprintf("%s is kept out: the data fails a check", name)
	case p.Error != "":
		first, _, _ := strings.Cut(p.Error, "\n")
		return fmt.Sprintf("%s could not be tried: %s", name, clip(first))
	case p.Code == exitNo:
		return fmt.Sprintf("%s is kept out: %s", name, strings.TrimPrefix(p.verdict().Summary, "kept out: "))
	}
	return fmt.Sprintf("%s holds: %s", name, strings.TrimPrefix(p.verdict().Summary, "passes: "))
}

// inURL is a user and a password in the address of a source.
var inURL = regexp.MustCompile(`(?i)(://)[^\s/@]+:[^\s/@]*@|\b(password|passwd|secret|token)=[^\s&"']+`)

// hidden takes secrets out of a text: passwords in addresses, and the token that this
// command asks with.
func (e *env) hidden() func(string) string {
	var tokens []string
	for _, t := range []string{e.token, secrets()[e.url]} {
		if t != "" {
			tokens = append(tokens, t, "…")
		}
	}
	known := strings.NewReplacer(tokens...)
	return func(text string) string {
		return known.Replace(inURL.ReplaceAllStringFunc(text, func(found string) string {
			if word, _, is := strings.Cut(found, "="); is && !strings.HasPrefix(found, "://") {
				return word + "=…"
			}
			return "://…@"
		}))
	}
}

func (r ciReport) table() table {
	t := table{head: []string{"file", "model", "code", "says"}}
	for _, p := range r.Files {
		t.add(p.File, p.Model, fmt.Sprint(p.Code), p.Says)
	}
	return t
}

// ciMarker begins the hidden line of a comment; the model follows.
const ciMarker = "<!-- flyball ci "

// markdown is the whole comment. What came from a file is escaped.
func (r ciReport) markdown() string {
	if len(r.Files) == 0 {
		return ciMarker + "-->\n### Flyball: no model file changes\n"
	}
	var parts []string
	for _, p := range r.Files {
		parts = append(parts, p.markdown())
	}
	return strings.Join(parts, "\n")
}

func (p proposal) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s -->\n### Flyball: %s\n\n", ciMarker, p.marked(), report.Escape(p.Says))
	for _, w := range p.Warnings {
		fmt.Fprintf(&b, "Worth a look: %s.\n\n", report.Escape(w))
	}
	if p.Error != "" {
		b.WriteString(fenced("", strings.Split(p.Error, "\n")))
	}
	b.WriteString(p.changes())
	if p.Result != nil && p.Error == "" {
		b.WriteString(p.judged())
	}
	fmt.Fprintf(&b, "\n%s· exit code %d\n", code1(p.Command), p.Code)
	return b.String()
}

// marked is the name in the marker: the model's, else the file's, in letters that cannot
// end the marker.
func (p proposal) marked() string {
	if ident.CheckModel(p.Model) == nil {
		return p.Model
	}
	return strings.Trim(strings.ReplaceAll(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '/' || r == '_' {
			return r
		}
		return '_'
	}, p.File), "--", "_"), "_")
}

// changes shows the diff of the model file.
func (p proposal) changes() string {
	switch {
	case p.Base == "":
		return ""
	case len(p.Diff) == 0:
		return fmt.Sprintf("Nothing changes in the model file since %s.\n\n", report.Escape(p.Base))
	}
	lines, rest := slices.Clone(p.Diff), ""
	for i, l := range lines {
		if runes := []rune(l); len(runes) > maxLine {
			lines[i] = string(runes[:maxLine-1]) + "…"
		}
	}
	if n := len(lines) - maxDiff; n > 0 {
		lines, rest = lines[:maxDiff], fmt.Sprintf("and %s more lines\n", unit.Count(n))
	}
	return fmt.Sprintf("<details%s><summary>What changes since %s: %s lines</summary>\n\n%s%s</details>\n\n", open(len(lines)), report.Escape(p.Base),
		unit.Count(len(p.Diff)), fenced("diff", lines), rest)
}

// maxDiff is how many lines of a diff are shown, maxLine how many letters of one; short
// diffs are shown open.
const maxDiff, maxLine, shortDiff = 200, 200, 20

func open(lines int) string {
	if lines <= shortDiff {
		return " open"
	}
	return ""
}

// judged is what was measured, and what that cannot tell.
func (p proposal) judged() string {
	var b strings.Builder
	v := p.verdict()
	fmt.Fprintf(&b, "Judged against %s, on %s rows held out.\n\n", report.Escape(p.Against), unit.Count(v.Rows))
	b.WriteString(report.Of(registry.Version{Ref: ident.Ref{Model: p.Model}}, v, p.Code).Body())
	for _, t := range v.Groups {
		b.WriteString(groupRows(t))
	}
	if n := len(v.Tests); n > 0 {
		passed := len(slices.DeleteFunc(slices.Clone(v.Tests), func(t modeltest.Result) bool { return !t.Passed }))
		fmt.Fprintf(&b, "\nTests of the model: %d of %d pass.\n", passed, n)
	}
	b.WriteString("\n**What this rests on**\n\n")
	for _, n := range slices.Concat([]string{p.sampled(), p.heldOut()}, p.doubts(), p.Notes) {
		fmt.Fprintf(&b, "- %s\n", report.Escape(n))
	}
	return b.String()
}

// verdict is what the gate said, with the name base for what it calls live where that is
// the file as it was.
func (p proposal) verdict() gate.Verdict {
	v := p.Result.Verdict
	if p.How != againstBase {
		return v
	}
	v.Summary = strings.Replace(v.Summary, ", live ", ", base ", 1)
	v.Reasons, v.Differences = slices.Clone(v.Reasons), slices.Clone(v.Differences)
	for i := range v.Reasons {
		if r := &v.Reasons[i]; r.Against == againstLive {
			r.Against = againstBase
		}
	}
	for i := range v.Differences {
		if d := &v.Differences[i]; d.Against == againstLive {
			d.Against = againstBase
		}
	}
	return v
}

// sampled says which rows trained.
func (p proposal) sampled() string {
	r := p.Result
	if r.Whole <= r.Train {
		return fmt.Sprintf("Trained on all %s rows that are due and not held out.", unit.Count(r.Train))
	}
	return fmt.Sprintf("Trained on a sample of %s of %s rows (seed %d): whether all of them make it better is not told.", unit.Count(r.Train), unit.Count(r.Whole), p.Asked.Seed)
}

// heldOut says which rows judged.
func (p proposal) heldOut() string {
	r := p.Result
	if r.TestFrom.IsZero() {
		return fmt.Sprintf("Judged on the last %s rows of the data, all of them.", unit.Count(r.Test))
	}
	return fmt.Sprintf("Judged on all %s rows whose truth fell due from %s to %s, the newest there are.", unit.Count(r.Test), when(r.TestFrom), when(r.TestTo))
}

// doubts are what cannot be told from the checkout alone.
func (p proposal) doubts() []string {
	out := []string{"Latency, memory and size are those of this machine and this sample. What requests will do, a shadow and a canary tell."}
	switch p.How {
	case againstBase:
		out = append(out, "Base is that file, made from the same sample: what the version that is live now says of these rows is not told.")
	case againstBaseline:
		out = append(out, "No version was compared with: what the rules ask against the live version is not told.")
	}
	for _, problem := range p.Result.Problems {
		out = append(out, fmt.Sprintf("The data: %s.", strings.TrimSuffix(problem.Text, ".")))
	}
	return out
}

// groupRows is what the model does for each group, as a table.
func groupRows(t evaluation.GroupTable) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n| %s | rows | decided yes (95 %%) | of the share of %s (95 %%) | |\n|---|---|---|---|---|\n", report.Escape(t.Column), report.Escape(t.Reference))
	for _, g := range t.Groups {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", report.Escape(g.Value), unit.Count(g.Rows), within(g.Selection), within(g.Ratio), report.Escape(g.Judged))
	}
	return b.String()
}

// fenced is lines as code, in a fence that none of them can end.
func fenced(language string, lines []string) string {
	text := strings.Join(lines, "\n")
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + language + "\n" + strings.ReplaceAll(text, "\r", "") + "\n" + fence + "\n\n"
}

// code1 is a text as code within a line.
func code1(text string) string {
	fence := "`"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + " " + strings.Join(strings.Fields(text), " ") + " " + fence + " "
}

// oneLine is an error within a sentence.
func oneLine(err error) string {
	if f, ok := err.(*fault.Error); ok { //nolint:errorlint // what it says itself, without its causes
		return f.What
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}
