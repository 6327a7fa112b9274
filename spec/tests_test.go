// SPDX-License-Identifier: Apache-2.0

package spec_test

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestTestsOfTheModelAreChecked(t *testing.T) {
	for _, c := range []struct{ test, wrong string }{
		{`{golden: {row: {a: 1, b: null}, at_most: 0.5}}`, ``},
		{`{name: more a, direction: {column: a, by: 2, must: not_lower, share: {at_least: 99%}}, severity: warn}`, ``},
		{`{invariance: {column: b, to: [1, 2], missing: true, at_most: 5%}}`, ``},
		{`{expectation: {where: "a > 1", metric: auc, at_least: 0.7}}`, ``},
		{`{schema: {inputs: {a: number, b: number}, missing: [b]}}`, ``},
		{`{name: nothing}`, `gate.tests[0]: a test makes one claim, and this makes 0; write one of golden, invariance, direction, expectation and schema`},
		{`{golden: {row: {a: 1}, at_most: 0.5}}`, `gate.tests[0].golden.row: b is an input, and the row has none; give it, or null for a missing value`},
		{`{golden: {row: {a: x, b: 1}, at_most: 0.5}}`, `gate.tests[0].golden.row: a is a number, and the row has x`},
		{`{golden: {row: {a: 1, b: 1, c: 1}, at_most: 0.5}}`, `gate.tests[0].golden.row: c is no input`},
		{`{golden: {row: {a: 1, b: 1}}}`, `gate.tests[0].golden: it does not say what the answer is; write at_least, at_most or decision`},
		{`{golden: {row: {a: 1, b: 1}, decision: hold}}`, `gate.tests[0].golden.decision: "hold" is no word of predict.decide`},
		{`{direction: {column: a, must: not_lower}}`, `gate.tests[0].direction.by: it says how far the column is raised; a negative number lowers it`},
		{`{direction: {column: a, by: 1, must: not_lower, class: x}}`, `gate.tests[0].direction.class: a binary model has no classes`},
		{`{expectation: {metric: mae, at_most: 1}}`, `gate.tests[0].expectation.metric: mae does not measure a binary model; it has log_loss, brier, accuracy, auc, bias, mean_score, pr_auc, f1, precision, recall, balanced_accuracy, ece, cost, precision_at_k(5%) or recall_at_k(5%)`},
		{`{expectation: {at_least: 2, at_most: 1}}`, `gate.tests[0].expectation: at_least 2 is above at_most 1`},
		{`{schema: {classes: [x]}}`, `gate.tests[0].schema.classes: a binary model has none`},
	} {
		wrong, warnings := check(t, whole+"gate: {tests: ["+c.test+"]}\n")
		want := []string{c.wrong}
		if c.wrong == "" {
			want = nil
		}
		if !slices.Equal(wrong, want) || len(warnings) > 0 {
			t.Errorf("%s:\n got %q, %q\nwant %q", c.test, wrong, warnings, want)
		}
	}
	if _, warnings := check(t, whole+"gate: {tests: [{invariance: {column: sex, at_most: 0}}]}\n"); len(warnings) != 1 {
		t.Errorf("a column that is no input: %q", warnings)
	}
}

func TestTheTestsOfThePageFitTheirModel(t *testing.T) {
	page, err := os.ReadFile("../docs/model-tests.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	tests, _, ok := strings.Cut(rest, "```")
	file := strings.NewReplacer(
		"{a: number, b: number}}", "{lead_time: number, is_repeated_guest: number, booked_weekday: number, hotel: text}, steps: [{op: one_hot, in: hotel}]}",
		"kind: binary,", "kind: binary, decide: {above: 0.5, then: hold, else: sell},",
	).Replace(whole)
	if wrong, warnings := check(t, file+tests); !ok || len(wrong)+len(warnings) > 0 {
		t.Errorf("%q, %q", wrong, warnings)
	}
}

func TestWhatMayChangeIsChecked(t *testing.T) {
	for _, c := range []struct{ flip, wrong string }{
		{`{fixed: [a], rises: [b], within: {b: {min: 0}}}`, ``},
		{`{fixed: [c]}`, `explain.flip.fixed: c is no input`},
		{`{rises: [a], falls: [a]}`, `explain.flip.falls: a rises and falls; write it under fixed if it stays`},
		{`{within: {a: {min: 2, max: 1}}}`, `explain.flip.within.a: min 2 is above max 1`},
	} {
		wrong, _ := check(t, whole+"explain: {flip: "+c.flip+"}\n")
		if got := strings.Join(wrong, "; "); got != c.wrong {
			t.Errorf("%s: %q, want %q", c.flip, got, c.wrong)
		}
	}
}
