// SPDX-License-Identifier: Apache-2.0

// Package maturity says how far the work on a model has come, from what was recorded of
// it: 37 checks on four levels, each a pure function of Facts, after the maturity model of
// Azure's architecture center (docs/maturity.md). A level is reached when every check up
// to it holds; there is no score. It looks at what was done and not at what is configured:
// a trigger that never brought a version forth, or a gate that asks for nothing, counts
// for nothing. What the records do not hold is "no evidence", never "met". It gathers
// nothing: package control does.
package maturity

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Window is how far back most checks look, and Long how far those of rare events do; an
// attestation ends after Long at the latest.
const (
	Window = 90 * 24 * time.Hour
	Long   = 180 * 24 * time.Hour
)

// Levels is the highest level.
const Levels = 4

// Area is the part of the work that a check looks at.
type Area string

// The areas. Of people the records show what they did, not how they think.
const (
	People      Area = "people"
	Creation    Area = "creation"
	Release     Area = "release"
	Integration Area = "integration"
	Operations  Area = "operations"
)

// Kind is what decides a check.
type Kind string

// The kinds of check.
const (
	Evidence Kind = "evidence" // records alone
	Mixed    Kind = "mixed"    // records, or a named person's word where the work is done elsewhere
)

// Verdict is what a check comes to.
type Verdict string

// The verdicts.
const (
	Met           Verdict = "met"
	NotMet        Verdict = "not met"
	NoEvidence    Verdict = "no evidence" // nothing was recorded that could tell
	Attested      Verdict = "attested"    // by a person, until Result.Until
	NotApplicable Verdict = "not applicable"
)

// Holds reports whether the verdict does not stand in the way of a level.
func (v Verdict) Holds() bool { return v == Met || v == Attested || v == NotApplicable }

// Check is one question to the records.
type Check struct {
	ID    string `json:"id"` // such as L3.rollback-proven
	Level int    `json:"level"`
	Area  Area   `json:"area"`
	Kind  Kind   `json:"kind"`
	Rule  string `json:"rule"` // what must hold, one sentence
	Next  string `json:"next"` // what to do; MODEL stands for the model's name

	ask func(*Facts) answer
}

// answer is what a check says of facts.
type answer struct {
	verdict  Verdict
	text     string   // one clause, with its figures
	evidence []string // names of records; may be long
}

func met(evidence []string, format string, args ...any) answer {
	return answer{Met, fmt.Sprintf(format, args...), evidence}
}

func notMet(evidence []string, format string, args ...any) answer {
	return answer{NotMet, fmt.Sprintf(format, args...), evidence}
}

func unknown(format string, args ...any) answer {
	return answer{verdict: NoEvidence, text: fmt.Sprintf(format, args...)}
}

func notApplicable(format string, args ...any) answer {
	return answer{verdict: NotApplicable, text: fmt.Sprintf(format, args...)}
}

// Result is a check with its verdict.
type Result struct {
	Check
	Verdict  Verdict    `json:"verdict"`
	Text     string     `json:"text"`               // why, with its figures
	Evidence []string   `json:"evidence,omitempty"` // the records that it was decided by, at most 20
	Until    *time.Time `json:"until,omitempty"`    // of an attestation
}

// Progress counts the checks of a level that hold.
type Progress struct {
	Level int `json:"level"`
	Hold  int `json:"hold"`
	Of    int `json:"of"`
}

// Standing is how far a model has come.
type Standing struct {
	Model   string     `json:"model"`
	At      time.Time  `json:"at"`
	Level   int        `json:"level"` // 0 to 4: the highest of which, and below which, every check holds
	Levels  []Progress `json:"levels"`
	Results []Result   `json:"results"` // all checks, in their order
}

// Next is the level that comes next, with what holds of it; false at the highest.
func (s Standing) Next() (Progress, bool) {
	if s.Level >= len(s.Levels) {
		return Progress{}, false
	}
	return s.Levels[s.Level], true
}

// mostEvidence bounds the records that one result names.
const mostEvidence = 20

// Judge asks every check.
func Judge(f *Facts) Standing {
	s := Standing{Model: f.Model, At: f.Now, Levels: make([]Progress, Levels)}
	for i := range s.Levels {
		s.Levels[i].Level = i + 1
	}
	for _, c := range Checks() {
		r := f.judge(c)
		s.Results = append(s.Results, r)
		s.Levels[c.Level-1].Of++
		if r.Verdict.Holds() {
			s.Levels[c.Level-1].Hold++
		}
	}
	for _, p := range s.Levels {
		if p.Hold < p.Of {
			break
		}
		s.Level = p.Level
	}
	return s
}

func (f *Facts) judge(c Check) Result {
	a := c.ask(f)
	r := Result{Check: c, Verdict: a.verdict, Text: a.text, Evidence: a.evidence[:min(len(a.evidence), mostEvidence)]}
	r.Next = strings.ReplaceAll(c.Next, "MODEL", f.Model)
	if c.Kind != Mixed || a.verdict.Holds() {
		return r
	}
	var best *Attestation
	for i, x := range f.Attestations {
		good := x.Check == c.ID && (x.Model == "" || x.Model == f.Model) && !x.At.After(f.Now) && x.Until.After(f.Now)
		if good && (best == nil || x.Until.After(best.Until)) {
			best = &f.Attestations[i]
		}
	}
	if best != nil {
		r.Verdict, r.Until, r.Evidence = Attested, &best.Until, []string{best.ID}
		r.Text = fmt.Sprintf("%s says so: %s", best.By, best.Why)
	}
	return r
}

// CheckOf is the check of an id; false when there is none.
func CheckOf(id string) (Check, bool) {
	all := Checks()
	i := slices.IndexFunc(all, func(c Check) bool { return c.ID == id })
	if i < 0 {
		return Check{}, false
	}
	return all[i], true
}

// Organisation is how far all models of a server have come.
type Organisation struct {
	At      time.Time `json:"at"`
	Minimum int       `json:"minimum"` // level of the model that is furthest behind; 0 without models
	Median  int       `json:"median"`  // of an even number the lower of the two in the middle
	Models  []Brief   `json:"models"`
}

// Brief is a Standing without its results.
type Brief struct {
	Model  string     `json:"model"`
	Level  int        `json:"level"`
	Levels []Progress `json:"levels"`
}

// Together is the organisation of models, which are listed in the order given.
func Together(now time.Time, all []Standing) Organisation {
	o := Organisation{At: now, Models: make([]Brief, 0, len(all))}
	levels := make([]int, 0, len(all))
	for _, s := range all {
		o.Models = append(o.Models, Brief{Model: s.Model, Level: s.Level, Levels: s.Levels})
		levels = append(levels, s.Level)
	}
	slices.Sort(levels)
	if n := len(levels); n > 0 {
		o.Minimum, o.Median = levels[0], levels[(n-1)/2]
	}
	return o
}
