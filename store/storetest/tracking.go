// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"flyball/experiment"
	"flyball/fault"
	"flyball/ident"
	"flyball/store"
)

// tracking are the tests of experiments, runs and logged models.
func tracking(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, open Open)
	}{
		{"the default experiment is there", defaultExperiment},
		{"an experiment is made, found, renamed, tagged, deleted and restored", experiments},
		{"an experiment keeps its number where that is free, and numbers are never given twice", experimentNumbers},
		{"experiments made at once under one name are one", experimentsAtOnce},
		{"what experiments refuse, they refuse in MLflow's words", experimentRefusals},
		{"deleting an experiment takes its runs along, and restoring brings back exactly those", experimentLife},
		{"a run comes back as it was made", runs},
		{"what runs refuse, they refuse in MLflow's words", runRefusals},
		{"a run changes where it is told to, and only there", runChanges},
		{"a run is deleted and restored, twice as once", runLife},
		{"who has given up before it begins changes nothing", givenUp},
		{"what a run read and made is kept once", inputsAndOutputs},
		{"a dataset keeps its first description in an experiment", datasets},
		{"names in use are found by their beginning", names},
		{"a logged model comes back as it was made", loggedModels},
		{"what logged models refuse, they refuse in MLflow's words", loggedModelRefusals},
		{"a logged model is changed, tagged and deleted", loggedModelLife},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open) })
	}
}

// same compares what tracking keeps: NaN is NaN, and no list is as good as an empty one.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// runA is an id that a run may have.
const (
	runA ident.RunID   = "a0000000000000000000000000000001"
	runB ident.RunID   = "Imported_run-2"
	modA ident.ModelID = "m-b0000000000000000000000000000001"
)

// wholeRun is a run with everything.
func wholeRun(id ident.RunID, in ident.ExperimentID) experiment.Run {
	return experiment.Run{
		ID: id, Experiment: in, Name: "käse-mole-7", User: "ana", Status: experiment.Finished, Start: 1_700_000_000_001, End: 1_700_000_000_999,
		Location: "mlflow-artifacts:/" + in.String() + "/" + string(id) + "/artifacts",
		Metrics: []experiment.Metric{
			{Key: "acc", Value: 0.1, Timestamp: 1_700_000_000_002, Step: -3},
			{Key: "loss/val", Value: math.NaN(), Timestamp: 0, Step: math.MinInt64},
			{Key: "rmse", Value: -math.MaxFloat64, Timestamp: math.MaxInt64, Step: math.MaxInt64},
			{Key: "ζ", Value: math.SmallestNonzeroFloat64, Timestamp: 5, Step: 9_007_199_254_740_993},
		},
		Params: []experiment.Param{{Key: "depth", Value: ""}, {Key: "features", Value: strings.Repeat("äbc ", 1500)}},
		Tags:   []experiment.Tag{{Key: "mlflow.runName", Value: "käse-mole-7"}, {Key: "note", Value: "line\nline 'two' \"three\" \\ 日本 🦊"}},
		Inputs: []experiment.Input{
			{
				Dataset: experiment.Dataset{Name: "wine", Digest: "d1", SourceType: "local", Source: `{"uri":"wine.csv"}`, Schema: `{"mlflow_colspec":[]}`, Profile: `{"num_rows":3}`},
				Tags:    []experiment.Tag{{Key: "mlflow.data.context", Value: "training"}, {Key: "a", Value: "b"}},
			},
			{Dataset: experiment.Dataset{Name: "ale", Digest: "d2", SourceType: "code", Source: "{}"}},
		},
		Models:  []ident.ModelID{"m-1", "m-2"},
		Outputs: []experiment.Output{{ModelID: "m-9", Step: -1}, {ModelID: "m-3", Step: 7}},
	}
}

func defaultExperiment(t *testing.T, open Open) {
	db, _ := open(t)
	e := must(db.Experiment(t.Context(), experiment.Default))(t)
	if e.Created < 1_600_000_000_000 || e.Updated != e.Created {
		t.Errorf("got times %d and %d, want the same moment in ms", e.Created, e.Updated)
	}
	e.Created, e.Updated = 0, 0
	same(t, "experiment", e, experiment.Experiment{Name: "Default", Location: "mlflow-artifacts:/0"})
}

func experiments(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	e := must(db.CreateExperiment(ctx, experiment.Experiment{
		Name: "wine Ω", Created: 5, Updated: 6, Tags: []experiment.Tag{{Key: "b", Value: "2"}, {Key: "a", Value: ""}, {Key: "b", Value: "3"}},
	}))(t)
	want := experiment.Experiment{
		ID: 1, Name: "wine Ω", Location: "mlflow-artifacts:/1", Created: 5, Updated: 6, Tags: []experiment.Tag{{Key: "a", Value: ""}, {Key: "b", Value: "3"}},
	}
	same(t, "id and location", []any{e.ID, e.Location}, []any{want.ID, want.Location})
	same(t, "by id", must(db.Experiment(ctx, 1))(t), want)
	same(t, "by name", must(db.ExperimentByName(ctx, "wine Ω"))(t), want)

	check(t, db.RenameExperiment(ctx, 1, "wine", 7))
	check(t, db.RenameExperiment(ctx, 1, "wine", 8)) // its own name is free
	check(t, db.SetExperimentTag(ctx, 1, experiment.Tag{Key: "a", Value: "long " + strings.Repeat("ü", 20_000)}, 9))
	check(t, db.SetExperimentTag(ctx, 1, experiment.Tag{Key: "c", Value: "new"}, 10))
	check(t, db.DeleteExperimentTag(ctx, 1, "b", 11))
	want.Name, want.Updated = "wine", 11
	want.Tags = []experiment.Tag{{Key: "a", Value: "long " + strings.Repeat("ü", 20_000)}, {Key: "c", Value: "new"}}
	same(t, "changed", must(db.Experiment(ctx, 1))(t), want)

	check(t, db.SetExperimentDeleted(ctx, 1, true, 12))
	want.Deleted, want.Updated = true, 12
	same(t, "a deleted one by id", must(db.Experiment(ctx, 1))(t), want)
	same(t, "a deleted one by name", must(db.ExperimentByName(ctx, "wine"))(t), want)
	check(t, db.SetExperimentDeleted(ctx, 1, false, 13))
	want.Deleted, want.Updated = false, 13
	same(t, "restored", must(db.Experiment(ctx, 1))(t), want)
}

func experimentNumbers(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	for _, c := range []struct {
		name      string
		asks, has ident.ExperimentID
	}{
		{"a", 0, 1},
		{"b", 7, 7},
		{"c", 0, 8},
		{"d", 7, 9}, // taken
		{"e", 3, 3},
		{"f", 0, 10},
		{"g", -4, 11},
	} {
		if e := must(db.CreateExperiment(ctx, experiment.Experiment{ID: c.asks, Name: c.name}))(t); e.ID != c.has {
			t.Errorf("%s asks for %d: got %d, want %d", c.name, c.asks, e.ID, c.has)
		}
	}
	check(t, db.SetExperimentDeleted(ctx, 11, true, 1))
	check(t, db.PurgeExperiment(ctx, 11))
	if e := must(db.CreateExperiment(ctx, experiment.Experiment{Name: "h"}))(t); e.ID != 12 {
		t.Errorf("after the last was removed: got %d, want 12", e.ID)
	}
}

func experimentsAtOnce(t *testing.T, open Open) {
	db, _ := open(t)
	made := make(chan ident.ExperimentID, 16)
	atOnce(16, func(int) {
		e, err := db.CreateExperiment(t.Context(), experiment.Experiment{Name: "one"})
		switch {
		case err == nil:
			made <- e.ID
		case !fault.Is(err, fault.Conflict):
			t.Error(err)
		}
	})
	if len(made) != 1 || <-made != 1 {
		t.Error("want one, with the number 1")
	}
}

func experimentRefusals(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	one := must(db.CreateExperiment(ctx, experiment.Experiment{Name: "e1"}))(t)
	gone := must(db.CreateExperiment(ctx, experiment.Experiment{Name: "e2"}))(t)
	check(t, db.SetExperimentDeleted(ctx, gone.ID, true, 1))
	create := func(name string) error {
		_, err := db.CreateExperiment(ctx, experiment.Experiment{Name: name})
		return err
	}
	get := func(id ident.ExperimentID) error {
		_, err := db.Experiment(ctx, id)
		return err
	}
	_, byName := db.ExperimentByName(ctx, "zz")
	tag := experiment.Tag{Key: "a"}
	for _, c := range []struct {
		name    string
		err     error
		kind    fault.Kind
		message string
	}{
		{"a name that is taken", create("e1"), fault.Conflict, "Experiment(name=e1) already exists."},
		{"a name that a deleted one has", create("e2"), fault.Conflict, "Experiment(name=e2) already exists."},
		{"a rename to a taken name", db.RenameExperiment(ctx, one.ID, "e2", 1), fault.Conflict, "Experiment(name=e2) already exists."},
		{"a rename of a deleted one", db.RenameExperiment(ctx, gone.ID, "e3", 1), fault.Invalid, "Cannot rename a non-active experiment."},
		{"a rename of none", db.RenameExperiment(ctx, 9999, "e3", 1), fault.NotFound, "No Experiment with id=9999 exists"},
		{"an id that is none", get(9999), fault.NotFound, "No Experiment with id=9999 exists"},
		{"a name that is none", byName, fault.NotFound, "Could not find experiment with name 'zz'"},
		{"deleting twice", db.SetExperimentDeleted(ctx, gone.ID, true, 1), fault.NotFound, "No Experiment with id=2 exists"},
		{"restoring an active one", db.SetExperimentDeleted(ctx, one.ID, false, 1), fault.NotFound, "No Experiment with id=1 exists"},
		{"deleting none", db.SetExperimentDeleted(ctx, 9999, true, 1), fault.NotFound, "No Experiment with id=9999 exists"},
		{
			"a tag of a deleted one", db.SetExperimentTag(ctx, gone.ID, tag, 1), fault.Invalid,
			"The experiment 2 must be in the 'active' state. Current state is deleted.",
		},
		{"a tag of none", db.SetExperimentTag(ctx, 9999, tag, 1), fault.NotFound, "No Experiment with id=9999 exists"},
		{"a tag that is none", db.DeleteExperimentTag(ctx, one.ID, "zzz", 1), fault.NotFound, "No tag with name: zzz in experiment with id " + one.ID.String()},
		{
			"deleting a tag of a deleted one", db.DeleteExperimentTag(ctx, gone.ID, "a", 1), fault.Invalid,
			"The experiment 2 must be in the 'active' state. Current state is deleted.",
		},
		{"a run in none", db.CreateRun(ctx, experiment.Run{ID: runA, Experiment: 9999}), fault.NotFound, "No Experiment with id=9999 exists"},
		{
			"a run in a deleted one", db.CreateRun(ctx, experiment.Run{ID: runA, Experiment: gone.ID}), fault.Invalid,
			"The experiment 2 must be in the 'active' state. Current state is deleted.",
		},
	} {
		t.Run(c.name, func(t *testing.T) { says(t, c.err, c.kind, c.message) })
	}
}

// living says of each run whether it is deleted.
func living(t *testing.T, db *store.DB, ids ...ident.RunID) map[ident.RunID]bool {
	t.Helper()
	deleted := map[ident.RunID]bool{}
	for _, id := range ids {
		deleted[id] = must(db.Run(t.Context(), id))(t).Deleted
	}
	return deleted
}

func experimentLife(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	e := must(db.CreateExperiment(ctx, experiment.Experiment{Name: "e"}))(t)
	for _, r := range []experiment.Run{{ID: "kept", Experiment: e.ID}, {ID: "gone", Experiment: e.ID}, {ID: "elsewhere"}} {
		check(t, db.CreateRun(ctx, r))
	}
	check(t, db.SetRunDeleted(ctx, "gone", true, 1))
	check(t, db.SetExperimentDeleted(ctx, e.ID, true, 2))
	same(t, "with the experiment", living(t, db, "kept", "gone", "elsewhere"), map[ident.RunID]bool{"kept": true, "gone": true, "elsewhere": false})
	check(t, db.SetExperimentDeleted(ctx, e.ID, false, 3))
	same(t, "restored", living(t, db, "kept", "gone", "elsewhere"), map[ident.RunID]bool{"kept": false, "gone": true, "elsewhere": false})
}

func runs(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	for _, id := range []ident.RunID{runA, runB} {
		want := wholeRun(id, experiment.Default)
		check(t, db.CreateRun(ctx, want))
		same(t, string(id), must(db.Run(ctx, id))(t), want)
	}
	bare := experiment.Run{ID: "bare", Status: experiment.Running}
	check(t, db.CreateRun(ctx, bare))
	same(t, "a run of which little is known", must(db.Run(ctx, "bare"))(t), bare)

	infinite := experiment.Run{ID: "inf", Metrics: []experiment.Metric{{Key: "a", Value: math.Inf(1)}, {Key: "b", Value: math.Inf(-1)}, {Key: "c", Value: math.Copysign(0, -1)}}}
	check(t, db.CreateRun(ctx, infinite))
	infinite.Metrics[0].Value, infinite.Metrics[1].Value, infinite.Metrics[2].Value = 1.7976931348623157e308, -1.7976931348623157e308, 0
	same(t, "infinities", must(db.Run(ctx, "inf"))(t), infinite)

	odd := experiment.Run{ID: "odd", Params: []experiment.Param{{Key: "p", Value: "a\x00b"}}, Tags: []experiment.Tag{{Key: "half a rune \xc3", Value: "\xff"}}}
	check(t, db.CreateRun(ctx, odd))
	odd.Params[0].Value, odd.Tags[0] = "a\uFFFDb", experiment.Tag{Key: "half a rune \uFFFD", Value: "\uFFFD"}
	same(t, "what no engine keeps", must(db.Run(ctx, "odd"))(t), odd)
}

func runRefusals(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	check(t, db.CreateRun(ctx, experiment.Run{ID: runA}))
	check(t, db.CreateRun(ctx, experiment.Run{ID: "gone", Deleted: true}))
	get := func(id ident.RunID) error {
		_, err := db.Run(ctx, id)
		return err
	}
	update := func(id ident.RunID) error {
		_, err := db.UpdateRun(ctx, id, experiment.RunChange{})
		return err
	}
	log := func(id ident.RunID) error { return db.Log(ctx, experiment.Batch{Run: id}, false) }
	const missing, deleted = "Run with id=none not found", "The run gone must be in the 'active' state. Current state is deleted."
	for _, c := range []struct {
		name    string
		err     error
		kind    fault.Kind
		message string
	}{
		{"an id that is taken", db.CreateRun(ctx, experiment.Run{ID: runA}), fault.Conflict, "Run with id=a0000000000000000000000000000001 already exists."},
		{"getting none", get("none"), fault.NotFound, missing},
		{"getting a deleted one", get("gone"), fault.Internal, ""},
		{"updating none", update("none"), fault.NotFound, missing},
		{"updating a deleted one", update("gone"), fault.Invalid, deleted},
		{"deleting none", db.SetRunDeleted(ctx, "none", true, 1), fault.NotFound, missing},
		{"restoring none", db.SetRunDeleted(ctx, "none", false, 1), fault.NotFound, missing},
		{"logging to none", log("none"), fault.NotFound, missing},
		{"logging to a deleted one", log("gone"), fault.Invalid, deleted},
		{"a tag that is none", db.DeleteRunTag(ctx, runA, "zzzz"), fault.NotFound, "No tag with name: zzzz in run with id " + string(runA)},
		{"deleting a tag of none", db.DeleteRunTag(ctx, "none", "a"), fault.NotFound, missing},
		{"deleting a tag of a deleted one", db.DeleteRunTag(ctx, "gone", "a"), fault.Invalid, deleted},
		{"inputs of none", db.LogInputs(ctx, "none", nil, nil), fault.NotFound, missing},
		{"inputs of a deleted one", db.LogInputs(ctx, "gone", nil, nil), fault.Invalid, deleted},
		{"outputs of none", db.LogOutputs(ctx, "none", nil), fault.NotFound, missing},
		{"outputs of a deleted one", db.LogOutputs(ctx, "gone", nil), fault.Invalid, deleted},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.message == "" {
				check(t, c.err)
				return
			}
			says(t, c.err, c.kind, c.message)
		})
	}
}

func runChanges(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	whole := wholeRun(runA, experiment.Default)
	check(t, db.CreateRun(ctx, whole))
	status, end, never, name := experiment.Running, int64(77), int64(0), "renamed"
	row := whole
	row.Metrics, row.Params, row.Tags, row.Inputs, row.Models, row.Outputs = nil, nil, nil, nil, nil, nil
	for _, c := range []struct {
		name   string
		change experiment.RunChange
		expect func()
	}{
		{"nothing", experiment.RunChange{}, func() {}},
		{"the status", experiment.RunChange{Status: &status}, func() { row.Status = experiment.Running }},
		{"the end", experiment.RunChange{End: &end}, func() { row.End = 77 }},
		{"no end", experiment.RunChange{End: &never}, func() { row.End = 0 }},
		{"the name", experiment.RunChange{Name: &name}, func() { row.Name = "renamed" }},
	} {
		c.expect()
		same(t, c.name, must(db.UpdateRun(ctx, runA, c.change))(t), row)
		got := must(db.Run(ctx, runA))(t)
		same(t, c.name+", read", []any{got.Status, got.End, got.Name}, []any{row.Status, row.End, row.Name})
	}
	same(t, "the name is a tag", must(db.Run(ctx, runA))(t).Tags, []experiment.Tag{{Key: "mlflow.runName", Value: "renamed"}, whole.Tags[1]})
	check(t, db.Log(ctx, experiment.Batch{Run: runA, Tags: []experiment.Tag{{Key: "mlflow.runName", Value: "by its tag"}}}, true))
	if got := must(db.Run(ctx, runA))(t).Name; got != "by its tag" {
		t.Errorf("the tag is the name: got %q", got)
	}
	check(t, db.DeleteRunTag(ctx, runA, "note"))
	same(t, "the tags left", must(db.Run(ctx, runA))(t).Tags, []experiment.Tag{{Key: "mlflow.runName", Value: "by its tag"}})
}

func runLife(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	want := wholeRun(runA, experiment.Default)
	check(t, db.CreateRun(ctx, want))
	for range 2 {
		check(t, db.SetRunDeleted(ctx, runA, true, 5))
		want.Deleted = true
		same(t, "deleted", must(db.Run(ctx, runA))(t), want)
	}
	for range 2 {
		check(t, db.SetRunDeleted(ctx, runA, false, 6))
		want.Deleted = false
		same(t, "restored", must(db.Run(ctx, runA))(t), want)
	}
}

func givenUp(t *testing.T, open Open) {
	db, _ := open(t)
	oneRun(t, db, runA)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	name := "other"
	_, update := db.UpdateRun(ctx, runA, experiment.RunChange{Name: &name})
	for what, err := range map[string]error{
		"create": db.CreateRun(ctx, experiment.Run{ID: "new"}), "update": update, "delete": db.SetRunDeleted(ctx, runA, true, 1),
		"import": db.ImportPoints(ctx, runA, climb(0, 3)), "delete the experiment": db.SetExperimentDeleted(ctx, experiment.Default, true, 1),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want that it was canceled", what, err)
		}
	}
	same(t, "the run", must(db.Run(t.Context(), runA))(t), experiment.Run{ID: runA, Status: experiment.Running})
	_, err := db.Run(t.Context(), "new")
	says(t, err, fault.NotFound, "Run with id=new not found")
}

func inputsAndOutputs(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	check(t, db.CreateRun(ctx, experiment.Run{ID: runA}))
	whole := wholeRun(runA, experiment.Default)
	for range 2 {
		check(t, db.LogInputs(ctx, runA, whole.Inputs, whole.Models))
		check(t, db.LogOutputs(ctx, runA, whole.Outputs))
		check(t, db.LogInputs(ctx, runA, nil, nil))
	}
	other := whole.Inputs[0]
	other.Tags = []experiment.Tag{{Key: "mlflow.data.context", Value: "changed"}}
	check(t, db.LogInputs(ctx, runA, []experiment.Input{other}, nil))
	got := must(db.Run(ctx, runA))(t)
	same(t, "inputs", got.Inputs, whole.Inputs)
	same(t, "models", got.Models, whole.Models)
	same(t, "outputs", got.Outputs, whole.Outputs)
}

func datasets(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	e := must(db.CreateExperiment(ctx, experiment.Experiment{Name: "e"}))(t)
	for _, r := range []experiment.Run{{ID: "one", Experiment: e.ID}, {ID: "two", Experiment: e.ID}, {ID: "elsewhere"}} {
		check(t, db.CreateRun(ctx, r))
	}
	input := func(source, context string) []experiment.Input {
		return []experiment.Input{{Dataset: experiment.Dataset{Name: "wine", Digest: "d1", Source: source}, Tags: []experiment.Tag{{Key: "mlflow.data.context", Value: context}}}}
	}
	check(t, db.LogInputs(ctx, "one", input("first", "training"), nil))
	check(t, db.LogInputs(ctx, "two", input("second", "eval"), nil))
	check(t, db.LogInputs(ctx, "elsewhere", input("third", "training"), nil))
	for id, want := range map[ident.RunID][]experiment.Input{"one": input("first", "training"), "two": input("first", "eval"), "elsewhere": input("third", "training")} {
		same(t, string(id), must(db.Run(ctx, id))(t).Inputs, want)
	}
	ids := []ident.ExperimentID{e.ID, experiment.Default, 99}
	same(t, "summaries", must(db.SearchDatasets(ctx, ids, 1000))(t), []experiment.DatasetSummary{
		{Experiment: 0, Name: "wine", Digest: "d1", Context: "training"},
		{Experiment: 1, Name: "wine", Digest: "d1", Context: "eval"},
		{Experiment: 1, Name: "wine", Digest: "d1", Context: "training"},
	})
	if got := must(db.SearchDatasets(ctx, ids, 2))(t); len(got) != 2 {
		t.Errorf("got %d summaries, want 2", len(got))
	}
	same(t, "of no experiment", must(db.SearchDatasets(ctx, nil, 10))(t), []experiment.DatasetSummary(nil))
}

func names(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	e := must(db.CreateExperiment(ctx, experiment.Experiment{Name: "e"}))(t)
	check(t, db.CreateRun(ctx, experiment.Run{
		ID: "one", Experiment: e.ID,
		Metrics: []experiment.Metric{{Key: "val/acc"}, {Key: "val/loss"}, {Key: "acc"}, {Key: "val_"}, {Key: "väl"}},
		Params:  []experiment.Param{{Key: "val"}, {Key: "depth"}},
	}))
	check(t, db.CreateRun(ctx, experiment.Run{ID: "two", Metrics: []experiment.Metric{{Key: "val/other"}}}))
	for _, c := range []struct {
		prefix string
		limit  int
		want   []string
	}{
		{"", 10, []string{"acc", "val/acc", "val/loss", "val_", "väl"}},
		{"", 2, []string{"acc", "val/acc"}},
		{"val/", 10, []string{"val/acc", "val/loss"}},
		{"val/loss", 10, []string{"val/loss"}},
		{"VAL", 10, nil},
		{"%", 10, nil},
	} {
		same(t, c.prefix, must(db.MetricKeys(ctx, e.ID, c.prefix, c.limit))(t), c.want)
	}
	same(t, "params", must(db.ParamKeys(ctx, e.ID, "", 10))(t), []string{"depth", "val"})
	same(t, "of none", must(db.ParamKeys(ctx, 99, "", 10))(t), []string(nil))
}
