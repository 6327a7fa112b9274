// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"strings"
	"testing"

	"flyball/fault"
)

const policyBase = `apiVersion: flyball/v1
kind: Model
name: bikes
predict: {column: cnt, kind: regression, time: ts}   # what it is
data: {source: bikes.csv, train: all}
gate:
  baseline: builtin/constant
  metrics:
    - {name: mae, require: noninferior, margin: 1.5}
retrain: {every: 28d, wait: 14d, budget: 3 per month}
`

func TestAPartOfAModelFileIsAPolicy(t *testing.T) {
	t.Parallel()
	out, err := WithPolicy([]byte(policyBase), "weekly.yaml", []byte("retrain: {every: 7d}\ndata: {train: [all, {window: 90d}]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := Parse("weekly.yaml", out)
	if err != nil {
		t.Fatal(err)
	}
	m := f.Model
	if m.Retrain.Every != 7*day || m.Retrain.Wait != 14*day || m.Retrain.Budget != 3 || len(m.Data.Train) != 2 || m.Data.Source != "bikes.csv" || len(m.Gate.Metrics) != 1 {
		t.Errorf("got %+v, %+v", m.Retrain, m.Data)
	}
}

func TestAModelFileReplacesThePolicyWhole(t *testing.T) {
	t.Parallel()
	whole := strings.Replace(strings.Replace(policyBase, "  # what it is", "", 1), "retrain: {every: 28d, wait: 14d, budget: 3 per month}\n", "watch: {every: 2d}\n", 1)
	out, err := WithPolicy([]byte(policyBase), "other.yaml", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	f, err := Parse("other.yaml", out)
	if err != nil {
		t.Fatal(err)
	}
	if f.Model.Retrain.Every != 0 || f.Model.Watch.Every != 2*day {
		t.Errorf("got %+v, %+v", f.Model.Retrain, f.Model.Watch)
	}
}

func TestAPolicyMayNotChangeWhatIsPredicted(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"predict: {kind: binary}\n":                     "other.yaml: predict differs",
		"name: other\n":                                 "other.yaml: name differs",
		strings.Replace(policyBase, "cnt", "casual", 1): "other.yaml: predict differs",
		"retrain: [":                                    "no part of a model file",
		"- retrain\n":                                   "no part of a model file",
	} {
		if _, err := WithPolicy([]byte(policyBase), "other.yaml", []byte(text)); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}
