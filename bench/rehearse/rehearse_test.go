// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flyball/loop/rehearse"
)

// The lines between which the document holds what was measured.
const begins, ends = "<!-- made by: go run ./bench/rehearse -write docs/rehearsals.md -employment FOLDER -->\n", "<!-- end -->\n"

func TestTheTablesStandBetweenTheirMarks(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rehearsals.md")
	if err := os.WriteFile(path, []byte("before\n"+begins+"old\n"+ends+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := rehearse.Report{Judged: 9, Policy: "its own", Metric: "mae", Served: rehearse.Score{Value: 43.91, Low: 40, High: 47.04}, Rivals: []rehearse.Score{
		{Name: rehearse.Never, Value: 61, Gain: 17.2, GainLow: 15, GainHigh: 19}, {Name: rehearse.Always, Value: 42.4, Gain: -1.52, GainLow: -2, GainHigh: -1, Releases: 14},
	}, Did: rehearse.Did{Trainings: 14, Releases: 6}}
	if err := into(path, []rehearsed{{history{name: "bikes"}, []rehearse.Report{r}}, {history{name: "resort"}, []rehearse.Report{{Policy: "its own", Metric: "mae"}}}}); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := string(raw)
	for _, want := range []string{
		"before\n", "| bikes | `mae` | 43.9 (40.0…47.0) | 61.0 | 42.4 | – | – | – | 6 | 14 |",
		"| bikes | its own | 43.9 (40.0…47.0) | +17.2 (+15.0…+19.0) | −1.5200 (−2.0000…−1.0000) | 14 | 0 | 0 | 6 | 0 | 0 |", ends + "after\n",
		"| resort | `mae` | no version passed | – | – | – | – | – | 0 | 0 |", "| resort | its own | no version passed | – | – | 0 |",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "old") {
		t.Error("the old tables are still there")
	}
}

func TestEveryHistoryOpens(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, h := range all("../../examples", "") {
		m, rows, err := h.open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rehearse.NewStream(m.Recipe.Task, rows, h.from, h.to); err != nil || names[h.name] {
			t.Errorf("%s: %v", h.name, err)
		}
		names[h.name] = true
	}
}
