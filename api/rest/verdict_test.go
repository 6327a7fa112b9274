// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"strings"
	"testing"

	"flyball/ident"
	"flyball/model/registry"
)

func TestAVerdictComesInTheFormThatIsAskedFor(t *testing.T) {
	v := registry.Version{Ref: ident.Ref{Model: "churn", Version: 7}, Verdict: "harm", Report: []byte(`{"decision":"harm","summary":"kept out: auc 0.8","reasons":[],"rows":900}`)}
	for _, c := range []struct{ format, accept, kind, begins string }{
		{"", "", "application/json", `{"decision":"harm"`},
		{"", "*/*", "application/json", `{"decision":"harm"`},
		{"markdown", "text/html", "text/markdown; charset=utf-8", "<!-- flyball:gate churn "},
		{"", "text/markdown, text/html;q=0.5", "text/markdown; charset=utf-8", "<!-- flyball:gate churn "},
		{"", "Text/HTML;q=0.9", "text/html; charset=utf-8", "<!doctype html>"},
	} {
		got, err := showVerdict(v, form(c.format, c.accept))
		if err != nil || got.Type != c.kind || !strings.HasPrefix(string(got.Body), c.begins) {
			t.Errorf("%q, %q: got %+v, %v", c.format, c.accept, got, err)
		}
	}
	page, err := showVerdict(v, "html")
	if err != nil || !strings.Contains(string(page.Body), "exit code 3") {
		t.Errorf("got %v, %v", page, err)
	}
	v.Report = []byte("{")
	if _, err := showVerdict(v, "html"); err == nil {
		t.Error("a report that cannot be read was shown")
	}
}
