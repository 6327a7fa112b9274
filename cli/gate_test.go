// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/ident"
	"flyball/model/registry"
)

// doubtful is a version whose verdict has a bit of everything.
func doubtful(t *testing.T) registry.Version {
	t.Helper()
	margin, changed := 0.005, 212
	v := gate.Verdict{
		Decision: gate.Inconclusive, Summary: "kept out: auc 0.842, live 0.841 (−0.0061…+0.0075)", Rows: 2000, Blocks: 2000, Changed: &changed,
		Reasons: []gate.Reason{
			{Rule: "log_loss superior", Metric: "log_loss", Against: "live", Decision: gate.Superior, Required: true},
			{Rule: "auc noninferior", Metric: "auc", Against: "live", Decision: gate.Inconclusive, Required: true, Needs: 3100, Margin: &margin},
			{Rule: "brier noninferior", Metric: "brier", Against: "live", Decision: gate.NonInferior, Required: true},
			{Rule: "latency_p99", Metric: "latency_p99", Decision: gate.NonInferior, Required: true, Text: "latency_p99 8.1 ms, at most 20 ms"},
			{Rule: "slice plan=" + evil, Metric: "log_loss", Against: "live", Slice: "plan=" + evil, Decision: gate.NonInferior, Required: true},
			{Rule: "slice plan=gold", Metric: "log_loss", Against: "live", Slice: "plan=gold", Decision: gate.Inconclusive, NotJudged: true, Text: "plan=gold is not judged (n=37)"},
		},
		Differences: []evaluation.Difference{
			{Metric: "log_loss", Against: "live", Candidate: 0.3074, Other: 0.3121, Value: 0.0047, Low: 0.0013, High: 0.0081, Rows: 2000, Blocks: 2000},
			{Metric: "auc", Against: "live", Candidate: 0.8419, Other: 0.8412, Value: 0.0007, Low: -0.0061, High: 0.0075, Rows: 2000, Blocks: 2000},
			{Metric: "brier", Against: "live", Candidate: 0.1012, Other: 0.1, Value: -0.0012, Low: -0.002, High: -0.0004, Rows: 2000, Blocks: 2000},
			{Metric: "log_loss", Against: "live", Slice: "plan=" + evil, Candidate: 0.31, Other: 0.3, Value: -0.01, Low: -0.03, High: 0.01, Rows: 412, Blocks: 412},
		},
		Estimates: []evaluation.Estimate{
			{Metric: "auc", Role: "candidate", Value: 0.8419, Low: 0.8312, High: 0.8526, Rows: 2000, Blocks: 2000},
			{Metric: "auc", Slice: "plan=gold", Role: "candidate", Value: 0.7, Low: 0.5, High: 0.9, Rows: 37, Blocks: 37},
		},
		Mix: []evaluation.Distance{{Column: evil, Value: 0.2, Low: 0.1, High: 0.3, Most: "≥90", Judged: 0.1, Asked: 0.3}},
	}
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return registry.Version{Ref: ident.Ref{Model: "churn", Version: 42}, Verdict: "inconclusive", Report: raw, Snapshot: "0123456789abcdef", Record: "fedcba9876543210"}
}

func TestAVerdictIsACommentWithOneMarker(t *testing.T) {
	code, out, errs, _ := answers(t, []registry.Version{doubtful(t)}, "gate", "show", "churn@42", "-o", "markdown")
	if code != exitNo {
		t.Fatalf("exit %d: %s", code, errs)
	}
	for _, want := range []string{
		"<!-- flyball:gate churn ",
		"### Flyball gate: churn&#64;42 — INCONCLUSIVE\n",
		`| log\_loss ↓ | live 0.312 | 0.307 | +0.0047 (+0.0013…+0.0081) | superior | pass |`,
		"| auc ↑ | live 0.841 | 0.842 (0.831…0.853) | +0.0007 (−0.0061…+0.0075) | not worse by 0.005 | **needs ≈ 3,100 more rows** |",
		"not worse (default margin 0, not set by the owner) | pass: worse, within the margin |",
		`- latency\_p99: latency\_p99 8.1 ms, at most 20 ms — pass`,
		"Worst slice of 1: plan=&lt;script&gt;",
		"Slices with too few rows to be judged: 1.",
		"Where they differ: 212 of 2,000 rows change decision.",
		"Data 0123456789ab · record fedcba987654 · `flyball gate show ",
		" · exit code 3\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Count(out, "<!--") != 1 || strings.Contains(out, "<script") {
		t.Errorf("what a user wrote is in\n%s", out)
	}
}

func TestAVerdictTellsEachMetricWithItsInterval(t *testing.T) {
	_, out, _, _ := answers(t, []registry.Version{doubtful(t)}, "gate", "show", "churn@42")
	if !strings.Contains(out, "METRIC  VALUE (95 %)         ROWS\nauc     0.842 (0.831…0.853)  2,000\n") {
		t.Errorf("no interval of the auc itself in\n%s", out)
	}
	v := doubtful(t)
	v.Report = json.RawMessage(`{"decision":"harm","summary":"kept out: worse","reasons":[{"rule":"auc superior","decision":"harm"}]}`) // of before
	if code, out, errs, _ := answers(t, []registry.Version{v}, "gate", "show", "churn@42"); code != exitNo || strings.Contains(out, "VALUE") {
		t.Errorf("an older verdict: exit %d, %s%s", code, out, errs)
	}
}

func TestAVerdictIsOnePageThatNeedsNoOther(t *testing.T) {
	_, out, _, _ := answers(t, []registry.Version{doubtful(t)}, "gate", "show", "churn@42", "-o", "html")
	for _, want := range []string{"churn@42: INCONCLUSIVE", "needs ≈ 3,100 more rows", "today&#39;s traffic", "≥90", "exit code 3"} {
		if !strings.Contains(strings.ReplaceAll(out, "today's", "today&#39;s"), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for _, evil := range []string{"<script", "http://", "https://", "src=", "@import"} {
		if strings.Contains(out, evil) {
			t.Errorf("%q in\n%s", evil, out)
		}
	}
}

func TestWhoWaitsIsToldThatMoreRowsMayTell(t *testing.T) {
	v := doubtful(t)
	if code, _, errs, _ := answers(t, []registry.Version{v}, "gate", "churn@42", "--wait", "1s"); code != exitGoing {
		t.Errorf("inconclusive: exit %d, %s", code, errs)
	}
	if code, _, errs, _ := answers(t, []registry.Version{v}, "gate", "churn@42"); code != exitNo {
		t.Errorf("inconclusive, not waiting: exit %d, %s", code, errs)
	}
	v.Report = json.RawMessage(`{"decision":"harm","summary":"kept out: worse"}`)
	if code, _, errs, _ := answers(t, []registry.Version{v}, "gate", "churn@42", "--wait", "1s"); code != exitNo {
		t.Errorf("harm: exit %d, %s", code, errs)
	}
}
