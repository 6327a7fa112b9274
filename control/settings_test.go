// SPDX-License-Identifier: Apache-2.0

package control

import (
	"strings"
	"testing"

	"flyball/data/frame"
	"flyball/experiment/gate"
	"flyball/training"
)

const visits = `apiVersion: flyball/v1
kind: Model
name: visits
about: How many come tomorrow?
risk: low
predict: {column: n, kind: regression, id: day, time: day, truth: {within: 1d}}
data: {source: visits.csv, train: all, test: {window: 14d}}
pipeline:
  inputs: {temp: number, week: number, town: text}
  steps: [{op: one_hot, in: town}]
train: {with: builtin/gbdt, settings: SETTINGS}
gate: {metrics: [{name: mae, require: report}, {name: mae, against: baseline, require: superior}]}
`

func TestAFeatureThatNoPipelineMakesIsToldWhenTheFileIsApplied(t *testing.T) {
	for _, c := range []struct{ settings, want string }{
		{"{monotone: {temp: 1}, categorical: [week]}", ""},
		{`{monotone: {"town=Faro": 1}}`, ""}, // whether there is one is known with the rows
		{"{monotone: {tmp: 1}}", `train.settings.monotone names "tmp", which is no feature; did you mean "temp"?`},
		{"{categorical: [town]}", `train.settings.categorical names "town", which is no feature; features are what the pipeline makes: temp, week or town=other`},
	} {
		_, _, err := Read(Application{Name: "model.yaml", File: strings.Replace(visits, "SETTINGS", c.settings, 1)})
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.settings, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want %s", c.settings, err, c.want)
		}
	}
}

func TestALastValueThatIsNoNumberIsToldWhenTheFileIsApplied(t *testing.T) {
	columns := []frame.Field{{Name: "lag", Kind: frame.Number}, {Name: "town", Kind: frame.Text}}
	for _, c := range []struct {
		column  string
		columns []frame.Field
		want    string
	}{
		{"lag", columns, ""},
		{"lag", nil, ""},
		{"town", columns, `gate.baseline takes the column "town", which is a text, and builtin/last repeats a number; name a column of numbers, or use builtin/constant with by: [town]`},
		{"lug", columns, `gate.baseline takes the column "lug", which the data does not have`},
	} {
		r := training.Recipe{Gate: gate.Policy{Baseline: gate.Baseline{With: "builtin/last", Settings: map[string]any{"column": c.column}}}}
		err := repeats(r, c.columns)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %s", c.column, err, c.want)
		}
	}
}
