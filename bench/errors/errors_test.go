// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The lines between which the document holds what was measured.
const begins, ends = "<!-- made by: go run ./bench/errors -write docs/errors.md -->\n", "<!-- end -->\n"

// A share as high as the one promised is seldom three standard errors above it; the whole
// table takes minutes.
func TestPromisesHoldInAFewTrials(t *testing.T) {
	trials, truth := 300, 1
	if os.Getenv("FLYBALL_LONG") != "" {
		trials, truth = 6000, 10
	}
	checked := 0
	for _, e := range experiments(truth) {
		if !strings.Contains(e.name, "on 200 rows") && !strings.Contains(e.name, "no difference") {
			continue
		}
		e.trials = trials
		if o := e.run(); o.low > o.nominal+0.005 {
			t.Errorf("%s, %s: %.4f (%.4f…%.4f), promised %.4f", o.group, o.name, o.share, o.low, o.high, o.nominal)
		}
		checked++
	}
	if checked < 4 {
		t.Errorf("only %d were tried", checked)
	}
}

func TestTheTableStandsBetweenItsMarks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "errors.md")
	if err := os.WriteFile(path, []byte("before\n"+begins+"old\n"+ends+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := outcome{experiment: experiment{group: "gate", name: "x", nominal: 0.025, trials: 10}, share: 0.02, low: 0.01, high: 0.03}
	if err := into(path, []outcome{o}); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	want := "before\n" + begins + "| what decides | data, and what is asked | may be wrong | was wrong (95 %) | trials |\n|---|---|---|---|---|\n" +
		"| gate | x | 2.5 % | 2.00 % (1.00…3.00) | 10 |\n" + ends + "after\n"
	if err != nil || string(raw) != want {
		t.Errorf("got %q, %v", raw, err)
	}
	if err := into(filepath.Join(t.TempDir(), "none.md"), nil); err == nil {
		t.Error("a document that is not there was written")
	}
}
