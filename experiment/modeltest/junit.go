// SPDX-License-Identifier: Apache-2.0

package modeltest

import (
	"encoding/xml"
	"fmt"
	"io"
)

// The elements of a JUnit report, as Jenkins, GitLab and GitHub's actions read it
// (https://github.com/testmoapp/junitxml).
type (
	suites struct {
		XMLName xml.Name `xml:"testsuites"`
		Suites  []suite  `xml:"testsuite"`
	}
	suite struct {
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Skipped  int        `xml:"skipped,attr"`
		Cases    []testcase `xml:"testcase"`
	}
	testcase struct {
		Class   string   `xml:"classname,attr"`
		Name    string   `xml:"name,attr"`
		Failure *message `xml:"failure,omitempty"`
		Skipped *message `xml:"skipped,omitempty"`
		Out     string   `xml:"system-out,omitempty"`
	}
	message struct {
		Type string `xml:"type,attr,omitempty"`
		Text string `xml:"message,attr"`
	}
)

// WriteJUnit writes the results of one version, such as bike@7, as a JUnit report. A
// test that only warns is shown as passed, with what it found; one that could not be
// judged is skipped, and a failure where it is required.
func WriteJUnit(w io.Writer, version string, results []Result) error {
	s := suite{Name: version, Tests: len(results)}
	for _, r := range results {
		c := testcase{Class: version + "." + r.Kind, Name: r.Name}
		switch {
		case r.Passed || !r.Required && r.Judged:
			c.Out = r.Text
		case !r.Required:
			c.Skipped = &message{Text: r.Text}
			s.Skipped++
		default:
			c.Failure = &message{Type: r.Kind, Text: r.Text}
			s.Failures++
		}
		s.Cases = append(s.Cases, c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(suites{Suites: []suite{s}}); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}
