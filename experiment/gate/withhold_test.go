// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"encoding/json"
	"strings"
	"testing"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
)

func TestWithoutGroupsAVerdictSaysTheSameOfEverythingElse(t *testing.T) {
	whole := Verdict{
		Decision: Harm, Summary: "kept out: fairness selection_ratio by sex",
		Reasons: []Reason{
			{Rule: "auc noninferior", Metric: "auc", Against: "live", Decision: NonInferior, Required: true, Text: "auc 0.81"},
			{Rule: "fairness selection_ratio", Metric: "selection_ratio", Slice: "sex", Decision: Harm, Required: true, Text: "0.61 for women", Needs: 77},
			{Rule: "slice sex=women", Metric: "auc", Against: "live", Slice: "sex=women", Decision: Harm, Required: true, Text: "worse by 0.61"},
			{Rule: "slice sexes=2", Metric: "auc", Against: "live", Slice: "sexes=2", Decision: NonInferior, Text: "as good"},
		},
		Estimates:   []evaluation.Estimate{{Metric: "auc", Value: 0.81}, {Metric: "selection_gap", Slice: "sex=women", Value: 0.61}, {Metric: "selection_gap", Slice: "sex", Value: 0.61}},
		Differences: []evaluation.Difference{{Metric: "auc", Against: "live"}, {Metric: "auc", Against: "live", Slice: "sex=women", Value: 0.61}},
		Groups:      []evaluation.GroupTable{{Column: "sex", Reference: "men", Groups: []evaluation.GroupRow{{Value: "women"}}}},
	}
	less, ok := whole.WithoutGroups()
	raw, err := json.Marshal(less)
	if err != nil || !ok || strings.Contains(string(raw), "0.61") || strings.Contains(string(raw), "77") {
		t.Errorf("got %s, %t, %v", raw, ok, err)
	}
	if len(less.Reasons) != 4 || less.Reasons[1].Decision != Harm || less.Reasons[3].Text != "as good" || len(less.Estimates) != 1 || len(less.Differences) != 1 {
		t.Errorf("got %s", raw)
	}
	if whole.Reasons[1].Needs != 77 || len(whole.Groups) != 1 {
		t.Error("the whole verdict was changed")
	}
	if _, ok := less.WithoutGroups(); !ok {
		t.Error("what names a rule about groups tells of them")
	}
	if _, ok := (Verdict{Reasons: whole.Reasons[:1]}).WithoutGroups(); ok {
		t.Error("a verdict without groups was said to have some")
	}
}

func TestASummaryNamesARuleAboutGroupsWithoutItsFigures(t *testing.T) {
	least := 0.8
	p := Policy{Fairness: &Fairness{Metric: "selection_ratio", Require: FairnessRequirement{AtLeast: &least}}}
	v := p.Judge(Input{Sample: chosen(1000, 5, 3), Groups: []string{"sex"}, First: true})
	if v.Decision != Harm || v.Summary != "kept out: fairness selection_ratio by sex" {
		t.Errorf("got %s, %q", v.Decision, v.Summary)
	}
	v = p.Judge(Input{Sample: evaluation.Sample{Kind: dataset.Binary}, First: true})
	if v.Summary != "kept out: selection_ratio is not judged: the rows have …" {
		t.Errorf("got %q", v.Summary)
	}
}
