// SPDX-License-Identifier: Apache-2.0

package maturity

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"flyball/fault"
)

// Attestation is a named person's word that a check holds though the records do not show
// it: the work is done elsewhere. It ends.
type Attestation struct {
	ID    string    `json:"id"`
	Check string    `json:"check"`
	Model string    `json:"model,omitempty"` // empty: of all models
	Why   string    `json:"why"`
	By    string    `json:"by"`
	At    time.Time `json:"at"`
	Until time.Time `json:"until"`
}

// Validate says whether the attestation can be kept: an Invalid fault for a check that
// there is not or a text or a time out of bounds, a Refused one for a check that records
// alone decide.
func (a Attestation) Validate() error {
	c, ok := CheckOf(a.Check)
	switch {
	case !ok:
		return fault.New(fault.Invalid, "there is no check %q", a.Check).Do("see flyball maturity MODEL -o wide for their names")
	case c.Kind != Mixed:
		return fault.New(fault.Refused, "%s is decided by records alone, and by nobody's word", a.Check).Do("%s", c.Next)
	case !a.Until.After(a.At) || a.Until.Sub(a.At) > Long:
		return fault.New(fault.Invalid, "an attestation is good for at most 180 days").Do("say it again when it ends")
	}
	return checkText("the reason", a.Why, true)
}

// The targets of a Report, and its statuses.
const (
	App      = "app"      // the application that asks the model
	Pipeline = "pipeline" // what makes the data and the training
	Scoring  = "scoring"  // the model with what is around it when it answers

	Pass = "pass"
	Fail = "fail"
)

// Report is what ran elsewhere and how it ended: a suite of tests, a build, a deployment.
type Report struct {
	ID      string    `json:"id"`
	Suite   string    `json:"suite"`             // unit, integration, build, deploy, or what else it is called
	Target  string    `json:"target"`            // app, pipeline or scoring
	Status  string    `json:"status"`            // pass or fail
	Model   string    `json:"model,omitempty"`   // empty: of all models
	Version int       `json:"version,omitempty"` // that it ran on; 0: on none
	Link    string    `json:"link,omitempty"`    // where its log lies; never opened
	By      string    `json:"by"`
	Program bool      `json:"program"` // By is a program
	At      time.Time `json:"at"`
}

// Validate says whether the report can be kept; the error is an Invalid fault.
func (r Report) Validate() error {
	if !slices.Contains([]string{App, Pipeline, Scoring}, r.Target) {
		return fault.New(fault.Invalid, "%q is no target of a test", r.Target).Do("choose among app, pipeline and scoring")
	}
	if r.Status != Pass && r.Status != Fail {
		return fault.New(fault.Invalid, "%q is no status of a test", r.Status).Do("say pass or fail")
	}
	if r.Version < 0 || r.Version > 0 && r.Model == "" {
		return fault.New(fault.Invalid, "a report on a version names its model").Do("say --model MODEL --version N")
	}
	if err := checkText("the suite", r.Suite, true); err != nil {
		return err
	}
	return checkText("the link", r.Link, false)
}

// mostText bounds, in bytes, what somebody says.
const mostText = 2000

func checkText(what, s string, needed bool) error {
	switch {
	case needed && strings.TrimSpace(s) == "":
		return fault.New(fault.Invalid, "%s is missing", what)
	case len(s) > mostText || !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		return fault.New(fault.Invalid, "%s is no text of at most %d bytes", what, mostText)
	}
	return nil
}
