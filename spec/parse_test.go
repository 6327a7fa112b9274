// SPDX-License-Identifier: Apache-2.0

package spec_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/experiment/gate"
	"flyball/fault"
	"flyball/governance/duty"
	"flyball/loop"
	"flyball/monitoring"
	"flyball/serving/release"
	"flyball/spec"
	"flyball/training"
	"flyball/unit"
)

const day = unit.Duration(24 * time.Hour)

func parse(t *testing.T, name string) spec.File {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	f, err := spec.Parse(name, b)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAModelFileIsReadIntoTheSettingsOfEachPackage(t *testing.T) {
	got := *parse(t, "bike-demand.yaml").Model
	number := func(names ...string) (out pipeline.Fields) {
		for _, n := range names {
			out = append(out, frame.Field{Name: n, Kind: frame.Number})
		}
		return out
	}
	want := spec.Model{
		APIVersion: "flyball/v1", Kind: "Model", Name: "bike-demand", Risk: "low",
		About: "How many bikes will be hired in the coming hour? Used to send vans to the stations that will run empty.",
		Predict: dataset.Task{
			Column: "cnt", Kind: dataset.Regression, ID: "ts", Time: "ts",
			Truth: dataset.Truth{Within: unit.Duration(time.Hour)}, Block: dataset.Block{Each: day}, Never: []string{"casual", "registered"},
		},
		Data: dataset.Settings{
			Source: "bikes_2011.csv.gz", Also: "predictions", Test: dataset.TestWindow{Window: 14 * day, AtLeast: 200},
			Checks: []dataset.Check{
				{Rows: &dataset.RowCount{Per: day, AtLeast: 20}, Severity: "warn"},
				{Column: "cnt", Min: new(0.0)},
				{Column: "hum", Min: new(0.0), Max: new(1.0), Missing: &dataset.AtMost{AtMost: 0.01}},
				{Column: "lag168", Missing: &dataset.AtMost{AtMost: 0.05}},
				{Unique: []string{"ts"}},
			},
		},
		Pipeline: spec.PipelineRef{Inputs: number("hr", "weekday", "holiday", "workingday", "weathersit", "temp", "atemp", "hum", "windspeed", "lag24", "lag168")},
		Train: training.Settings{
			With: "builtin/gbdt", Settings: map[string]any{"trees": 200.0, "depth": 6.0, "learning_rate": 0.1}, Seed: 7,
			Limits: training.Limits{Time: unit.Duration(5 * time.Minute), Memory: 1e9},
		},
		Gate: gate.Policy{
			Baseline: gate.Baseline{With: "builtin/constant", Settings: map[string]any{"by": []any{"hr", "workingday"}}},
			Metrics: []gate.Rule{
				{Name: "mae", Require: gate.Requirement{Word: "noninferior"}, Margin: new(1.5)},
				{Name: "mae", Against: "baseline", Require: gate.Requirement{Word: "superior"}},
				{Name: "bias", Require: gate.Requirement{Word: "report"}},
			},
			Slices:    []dataset.Slice{{Column: "workingday"}, {Column: "hr", Bins: []float64{6, 10, 16, 20}}, {Column: "weathersit"}},
			Reproduce: "required",
		},
		Release: release.Plan{
			Shadow: release.Shadow{For: 5 * day, AtLeast: 100}, Canary: []release.Step{{Share: 0.25, For: day}, {Share: 1}},
			Bake: release.Bake{For: 7 * day}, KeepWarm: 1, Fallback: &release.Fallback{Column: "lag168"},
			BackIf: release.BackIf{Errors: &release.Above{Above: 0.01}, LatencyP99: &release.Above{Above: 0.05}, Loss: "worse"},
		},
		Watch: monitoring.Policy{
			Every: day, FalseAlarms: 1, AtLeast: 24, Season: 365 * day,
			Score: &monitoring.ScorePolicy{Metric: "mae", PageIf: monitoring.Worse{By: 0.3, Relative: true}},
		},
		Retrain: loop.Policy{When: []string{"schedule", "score"}, Every: 28 * day, Wait: 14 * day, Budget: 3, HoldAfter: "rollback"},
		Explain: spec.Explain{Keep: "all"},
		Log:     spec.Log{Durable: true, WhenFull: "wait"},
		Duties: duty.Duties{
			Feed:    duty.Duty{Owner: "ops", Backup: "ana", Within: unit.Duration(4 * time.Hour)},
			Monitor: duty.Duty{Owner: "bo", Backup: "chen", Within: unit.Duration(30 * time.Minute)},
			Retrain: duty.Duty{Owner: "ana", Backup: "bo", Within: day},
			Fix:     duty.Duty{Owner: "chen", Backup: "bo", Within: unit.Duration(15 * time.Minute)},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestAPipelineFileKeepsTheOrderOfItsInputs(t *testing.T) {
	got := parse(t, "hotel-features.yaml").Pipeline
	if got.Name != "hotel-features" || len(got.Inputs) != 19 || got.Inputs[0] != (frame.Field{Name: "hotel", Kind: frame.Text}) ||
		got.Inputs[18] != (frame.Field{Name: "adr", Kind: frame.Number}) {
		t.Errorf("got %q with inputs %v", got.Name, got.Inputs)
	}
	want := pipeline.Step{Op: "ordinal", In: pipeline.Columns{"agent"}, AtLeast: 100, By: "frequency"}
	if diff := cmp.Diff(want, got.Steps[1]); diff != "" || len(got.Steps) != 4 {
		t.Errorf("%d steps, -want +got\n%s", len(got.Steps), diff)
	}
}

func TestAFileSaysTheSameAfterItWasPrintedWithEveryDefault(t *testing.T) {
	for _, name := range []string{"bike-demand.yaml", "hotel-cancel.yaml"} {
		m := parse(t, name).Model
		for _, want := range []spec.Model{*m, m.WithDefaults(), m.WithDefaults().WithDefaults()} {
			same(t, want)
		}
	}
}

func TestAPrintedFileReadsAsAPersonWouldWriteIt(t *testing.T) {
	b, err := parse(t, "hotel-cancel.yaml").Model.WithDefaults().YAML()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\n  train: all\n", "\n  block: [booked_on, label_due_on, agent, market_segment]\n", "\n  groups: [{column: children, bins: [1]}]\n",
		"\n    - {row: \"adults + children + babies > 0\", share: {at_least: 99%}, severity: stop}\n",
		"\npipeline: hotel-features\n", "\n  baseline: builtin/constant\n", "\n    - {name: latency_p99, require: {at_most: 20ms}}\n",
		"\n  canary: [{share: 5%, for: 1d}, {share: 25%, for: 2d}, {share: 100%}]\n",
		"\n  back_if: {errors: {above: 1%}, latency_p99: {above: 50ms}, decisions_shift: {above: 10%}, loss: worse}\n",
		"\n  false_alarms: 1 per month\n", "\n  score: {metric: log_loss, page_if: worse by 0.03}\n", "\n  limits: {time: 20m, memory: 4GB}\n",
		"\n  max_hold: 14d\n",
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%q is not in\n%s", want, b)
		}
	}
}

func same(t *testing.T, want spec.Model) {
	t.Helper()
	b, err := want.YAML()
	if err != nil {
		t.Fatal(err)
	}
	again, err := spec.Parse("printed.yaml", b)
	if err != nil {
		t.Fatalf("%v in\n%s", err, b)
	}
	if diff := cmp.Diff(want, *again.Model, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("-want +got\n%s\nprinted as\n%s", diff, b)
	}
}

// head is a model file that is right; the tests below put one thing wrong into it.
const head = `apiVersion: flyball/v1
kind: Model
name: m
predict: {column: y, kind: binary}
data: {source: a.csv}
`

func TestWhatIsWrongIsToldWithItsPlaceAndTheNearestKey(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"an unknown key", head + "watch:\n  evry: 1d\n", `m.yaml:7:3: unknown key "evry"; did you mean "every"?`},
		{"an unknown key in a form of its own", head + "train:\n  settings: {}\ngate: {slices: [{colum: a}]}\n", `m.yaml:8:18: unknown key "colum"; did you mean "column"?`},
		{"an unknown key that is near nothing", head + "log: {zzzzzz: 1}\n", `m.yaml:6:7: unknown key "zzzzzz"; known here: durable or when_full`},
		{"a key twice", head + "name: n\n", `m.yaml:6:1: the key "name" stands twice; the first is in line 3`},
		{"a bad duration", head + "watch: {every: 1 day}\n", `m.yaml:6:16: "1 day" is not a duration; write a number and a unit, such as 90s, 10m, 6h, 45d or 1y`},
		{"a share above one", head + "release: {canary: [{share: 150%}]}\n", `m.yaml:6:28: "150%" is not a share; write 5% or 0.05; a share lies between 0 and 1`},
		{"a word that is near another", head + "train: {refit: after-gate}\n", `m.yaml:6:16: "after-gate" is not known here; did you mean "after_gate"?`},
		{"a number where a text stands", head + "about: 7\n", `m.yaml:6:8: about wants a text, not the number 7; put it in quotes: "7"`},
		{"a word where a number stands", head + "watch: {at_least: many}\n", `m.yaml:6:19: at_least wants a number, not the text "many"`},
		{"a part of a thing", head + "watch: {at_least: 2.5}\n", `m.yaml:6:19: at_least wants a whole number, not 2.5`},
		{"less than nothing", head + "watch: {at_least: -2}\n", `m.yaml:6:19: at_least cannot be negative`},
		{"a yes of YAML 1.1", head + "log: {durable: yes}\n", `m.yaml:6:16: durable wants true or false, not the text "yes"`},
		{"a rate", head + "retrain: {budget: 4 a month}\n", `m.yaml:6:19: "4 a month" is not a rate; write a number and a length, such as 1 per month or 2 per week`},
		{"a threshold", head + "watch: {score: {metric: log_loss, page_if: bad}}\n", `m.yaml:6:44: "bad" does not say how much worse is too bad; write worse by 0.03 (in the metric's unit) or worse by 30%`},
		{"two limits", head + "gate: {metrics: [{name: auc, require: {at_most: 1, within: 2}}]}\n", `m.yaml:6:40: a requirement has 2 limits; give exactly one of at_most, at_least or within`},
		{"a list where a mapping stands", head + "log: [1]\n", `m.yaml:6:6: log wants keys, not a list`},
		{"a text where a list stands", head + "retrain: {when: drift}\n", `m.yaml:6:17: when wants a list, not the text "drift"; write [drift]`},
		{"a kind of column", head + "pipeline: {inputs: {a: float}}\n", `m.yaml:6:24: "float" is not a kind of column; write number, text or time`},
		{"another executor", head + "train: {executor: slurrm}\n", `m.yaml:6:19: "slurrm" is not known here; did you mean "slurm"?`},
		{"a grade that there is none of", head + "train: {expect: R5}\n", `m.yaml:6:17: "R5" is not known here; did you mean "R3"?`},
		{"a search", head + "train: {search: {depth: normal(3)}}\n", `m.yaml:6:25: "normal(3)" is not a range of a setting; write a list, log(0.01, 0.3), uniform(0, 1) or whole(4, 12)`},
		{"a missing column", strings.Replace(head, "column: y, ", "", 1), "m.yaml:4:11: there is no predict.column; name the column to predict"},
		{"another version", strings.Replace(head, "v1", "v2", 1), `m.yaml:1:13: apiVersion is the text "flyball/v2"; this program reads flyball/v1`},
		{"another kind", strings.Replace(head, "Model", "Modell", 1), `m.yaml:2:7: "Modell" is not known here; did you mean "Model"?`},
		{"no YAML", "a: [1\n", `m.yaml:1:4: sequence end token ']' not found`},
		{"an empty file", "# nothing\n", `m.yaml:1:1: the file is empty`},
		{"a tag", head + "about: !!str 7\n", `m.yaml:6:8: tags are not read here`},
		{"a second document", head + "---\na: 1\n", `m.yaml:7:1: a second document begins here; put each into a file of its own`},
		{"infinity", head + "train: {settings: {a: .inf}}\n", `m.yaml:6:23: a number must be finite`},
		{"an alias of nothing", head + "about: *x\n", `m.yaml:6:8: nothing is anchored as "x" before this`},
		{
			"two mistakes", head + "watch: {evry: 1d}\nlog: {durable: 1}\n",
			"m.yaml:6:9: unknown key \"evry\"; did you mean \"every\"?\nm.yaml:7:16: durable wants true or false, not the number 1",
		},
	} {
		_, err := spec.Parse("m.yaml", []byte(c.file))
		if err == nil || err.Error() != c.want || !fault.Is(err, fault.Invalid) {
			t.Errorf("%s:\ngot  %v\nwant %s", c.name, err, c.want)
		}
	}
}

func TestAFileThatWouldCostMoreThanItsSizeIsRefused(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString(head + "train:\n  settings:\n    a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]\n")
	for i := range 12 {
		a, b := string(rune('a'+i)), string(rune('a'+i+1))
		if i == 0 {
			a = "a0"
		}
		bomb.WriteString("    " + b + ": &" + b + " [*" + a + strings.Repeat(", *"+a, 9) + "]\n")
	}
	var keys strings.Builder
	for i := range 70_000 {
		fmt.Fprintf(&keys, "k%d: 1\n", i)
	}
	for _, c := range []struct{ name, file, want string }{
		{"very many keys", head + keys.String(), "the file holds too many values"},
		{"very many items", head + "about: [" + strings.Repeat("1,", 1<<18) + "]", "the file holds too many values"},
		{"aliases of aliases", bomb.String(), "the file holds too many values"},
		{"deep brackets", head + "about: " + strings.Repeat("[", 1<<19), "nested too deep"},
		{"deep dashes", head + "about:\n " + strings.Repeat("- ", 1<<18), "nested too deep"},
		{"more than a MiB", head + strings.Repeat("#", 1<<20), "larger than 1 MiB"},
		{"bytes that are no text", "a: \xff", "not UTF-8"},
	} {
		if _, err := spec.Parse("m.yaml", []byte(c.file)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}
