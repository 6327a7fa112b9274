// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/event"
	"flyball/experiment"
	"flyball/experiment/gate"
	"flyball/fault"
	"flyball/ident"
	"flyball/job"
	"flyball/model"
	"flyball/model/mlmodel"
	"flyball/model/registry"
	"flyball/training/learner"
)

// elsewhere is a folder as MLflow writes it, of a model that was trained on the first
// 700 rows of table.
func elsewhere(t *testing.T, raw []byte, column string) fstest.MapFS {
	t.Helper()
	r, err := frame.OpenBytes("a.csv", raw, frame.CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := frame.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	rows = frame.New(frame.NumberColumn(column, rows.Column("x").Num[:700]), frame.NumberColumn("y", rows.Column("y").Num[:700]))
	fitted, err := pipeline.Fit(context.Background(), pipeline.Spec{Inputs: rows.Fields()[:1]}, rows, pipeline.Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	x, _, err := fitted.Transform(rows)
	if err != nil {
		t.Fatal(err)
	}
	l, err := learner.New("builtin/gbdt", map[string]any{"trees": 40, "depth": 4, "learning_rate": 0.3})
	if err != nil {
		t.Fatal(err)
	}
	file, err := l.Fit(context.Background(), learner.Data{X: x, Y: rows.Column("y").Num, Kind: dataset.Regression}, learner.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{
		"model.json":         {Data: file.Bytes},
		"input_example.json": {Data: fmt.Appendf(nil, `{"columns":[%q],"data":[[0.25],[null]]}`, column)},
		"MLmodel": {Data: fmt.Appendf(nil, `flavors:
  python_function: {loader_module: mlflow.xgboost, data: model.json}
  xgboost: {data: model.json, model_class: xgboost.sklearn.XGBRegressor, model_format: json}
model_uuid: 15248922bec648afa7969fd1160dc6fd
saved_input_example_info: {artifact_path: input_example.json, pandas_orient: split, type: dataframe}
signature: {inputs: '[{"type": "double", "name": %q, "required": true}]', outputs: null, params: null}
`, column)},
	}
}

func judge(t *Trainer, fs fstest.MapFS) *Judge {
	return &Judge{Trainer: t, Folder: func(string) mlmodel.Source { return inMemory(fs) }}
}

// inMemory is a folder in memory.
type inMemory fstest.MapFS

func (m inMemory) Open(_ context.Context, name string) (io.ReadCloser, error) {
	f, err := fstest.MapFS(m).Open(name)
	return f, fault.Wrap(err, fault.NotFound, "there is no %s", name)
}

func (m inMemory) Names(context.Context) ([]string, error) {
	return slices.Sorted(maps.Keys(m)), nil
}

// reason is the text of a rule in a verdict, and whether it was judged.
func reason(v gate.Verdict, rule string) (text string, judged bool) {
	for _, r := range v.Reasons {
		if r.Rule == rule {
			return r.Text, !r.NotJudged
		}
	}
	return "", false
}

func TestAVersionThatWasTrainedElsewhereIsJudgedAsACandidateIs(t *testing.T) {
	raw := table(t, 1000)
	tr, files := trainer(t, raw)
	now := start.Add(1005 * time.Hour)
	r := Request{Recipe: recipe(), Files: files, Now: now, Cause: "hand", By: "ana", Key: "judge m@3/1"}
	j := judge(tr, elsewhere(t, raw, "x"))
	res, err := j.Run(context.Background(), Judging{Request: r, Version: 3, Location: "mlflow-artifacts:/1/a", Registered: now}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !res.Verdict.Pass || res.Test != 240 || res.Verdict.Rows != 240 {
		t.Errorf("got %+v", res.Verdict)
	}
	if text, judged := reason(res.Verdict, "held-out rows"); judged || !strings.Contains(text, "not blind") {
		t.Errorf("held-out rows: %v %q", judged, text)
	}
	if text, judged := reason(res.Verdict, "reproduce required"); judged || !strings.Contains(text, "trained elsewhere") {
		t.Errorf("reproduce: %v %q", judged, text)
	}
	if !res.SeenUntil.Equal(now) {
		t.Errorf("seen until %v, want the moment of its registration", res.SeenUntil)
	}
	b, err := model.Open(context.Background(), tr.Blobs, tr.Decoders, res.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Verify(context.Background(), tr.Blobs); err != nil {
		t.Error(err)
	}
	if _, err := b.File(context.Background(), tr.Blobs, model.ProfileFile); err != nil || len(b.Inputs()) != 1 {
		t.Errorf("the bundle has the inputs %v: %v", b.Inputs(), err)
	}
	if record, err := readBlob(context.Background(), tr.Blobs, res.Record); err != nil || !strings.Contains(string(record), JudgeType) {
		t.Errorf("the record: %v", err)
	}
}

func TestWhatAVersionWasTrainedOnIsLeftOutOfItsJudging(t *testing.T) {
	raw := table(t, 1000)
	tr, files := trainer(t, raw)
	now := start.Add(1005 * time.Hour)
	r := Request{Recipe: recipe(), Files: files, Now: now, Key: "judge m@3/1"}
	r.Recipe.Data.Test.AtLeast = 100
	trained := now.Add(-220 * time.Hour)
	live := &Opponent{Bundle: own(t, tr, r), SeenUntil: now.Add(-230 * time.Hour)}
	res, err := judge(tr, elsewhere(t, raw, "x")).Run(context.Background(),
		Judging{Request: r, Version: 3, Registered: now, Trained: trained}, live, nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.Test != 220 || !res.TestFrom.After(trained) || !res.SeenUntil.Equal(trained) {
		t.Errorf("%d rows from %v on, seen until %v", res.Test, res.TestFrom, res.SeenUntil)
	}
	if text, judged := reason(res.Verdict, "held-out rows"); !judged || !strings.Contains(text, "as its people say") {
		t.Errorf("got %v %q", judged, text)
	}
	roles := map[string]bool{}
	for _, d := range res.Verdict.Differences {
		roles[d.Against] = true
	}
	if !roles["live"] || !roles["baseline"] {
		t.Errorf("compared with %v, want live and baseline", roles)
	}
}

func TestTheSnapshotThatItsRunReadSaysWhatAVersionWasTrainedOn(t *testing.T) {
	raw := table(t, 1000)
	tr, files := trainer(t, raw)
	early := Request{Recipe: recipe(), Files: files, Now: start.Add(780 * time.Hour), Key: "m/1"}
	early.Files = map[string]registry.DataFile{}
	var err error
	if early.Files["a.csv"], err = SourceBytes(context.Background(), tr.Blobs, table(t, 770)); err != nil {
		t.Fatal(err)
	}
	before, err := tr.Run(context.Background(), early, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := Request{Recipe: recipe(), Files: files, Now: start.Add(1005 * time.Hour), Key: "judge m@3/1"}
	gone := blob.Sum([]byte("a snapshot that is not kept"))
	res, err := judge(tr, elsewhere(t, raw, "x")).Run(context.Background(),
		Judging{Request: r, Version: 3, Registered: r.Now, Snapshots: []blob.Digest{gone, before.Snapshot}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := start.Add((769 + 10) * time.Hour); !res.SeenUntil.Equal(want) || !res.TestFrom.After(want) || res.Test != 226 {
		t.Errorf("seen until %v, %d rows from %v on; want %v", res.SeenUntil, res.Test, res.TestFrom, want)
	}
	if text, judged := reason(res.Verdict, "held-out rows"); !judged || !strings.Contains(text, "as the dataset of its run says") {
		t.Errorf("got %v %q", judged, text)
	}
}

// own is the bundle of a training of ours.
func own(t *testing.T, tr *Trainer, r Request) blob.Digest {
	t.Helper()
	res, err := tr.Run(context.Background(), r, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return res.Bundle
}

func TestAModelThatTakesWhatTheDataDoesNotHaveIsRefused(t *testing.T) {
	raw := table(t, 1000)
	tr, files := trainer(t, raw)
	r := Request{Recipe: recipe(), Files: files, Now: start.Add(1005 * time.Hour), Key: "judge m@3/1"}
	for column, says := range map[string]string{"z": `takes the column "z"`, "id": `"id" as a number, and the data holds text`} {
		_, err := judge(tr, elsewhere(t, raw, column)).Run(context.Background(), Judging{Request: r, Version: 3}, nil, nil)
		if !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v", column, err)
		}
	}
}

// kept is a registry in memory, of one version that a client registered.
type kept struct {
	version, floor registry.Version
	events         []event.Event
}

func (k *kept) Version(context.Context, ident.Ref) (registry.Version, error) { return k.version, nil }

func (k *kept) AddVersion(_ context.Context, v registry.Version, _ ...event.Event) (registry.Version, error) {
	v.Version = 1
	k.floor = v
	return v, nil
}

func (k *kept) JudgeVersion(_ context.Context, v registry.Version, evs ...event.Event) (registry.Version, error) {
	k.version, k.events = v, evs
	return v, nil
}

func TestAVerdictIsKeptWithItsBaseline(t *testing.T) {
	raw := table(t, 1000)
	tr, files := trainer(t, raw)
	tr.Logger = slog.New(slog.DiscardHandler)
	r := Request{Recipe: recipe(), Files: files, Now: start.Add(1005 * time.Hour), By: "ana", Key: "judge m@3/1"}
	input, err := json.Marshal(Judging{Request: r, Version: 3, Registered: r.Now})
	if err != nil {
		t.Fatal(err)
	}
	reg, runs := &kept{}, &shelf{runs: map[ident.RunID]experiment.Run{}, files: map[string][]byte{}}
	tr.Tracker = runs
	out, err := judge(tr, elsewhere(t, raw, "x")).Handler(reg)(context.Background(), job.Job{Input: input}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var res Result
	if err := json.Unmarshal(out, &res); err != nil {
		t.Fatal(err)
	}
	v, f := reg.version, reg.floor
	if v.Ref.String() != "m@3" || v.Verdict != "pass" || v.Bundle != res.Bundle || v.Key != r.Key || len(v.Report) == 0 {
		t.Errorf("the version is %+v", v)
	}
	if f.Model != "m.baseline" || f.Key != r.Key || f.Bundle != res.Floor || res.Baseline != 1 {
		t.Errorf("the baseline is %+v", f)
	}
	run := runs.runs[RunOf(r.Key)]
	mae := slices.IndexFunc(run.Metrics, func(m experiment.Metric) bool { return m.Key == "mae" })
	if run.Name != "v3 judged" || mae < 0 || run.Metrics[mae].Value > 1 || len(runs.files) == 0 {
		t.Errorf("the run is %+v with %d files", run, len(runs.files))
	}
	if len(reg.events) != 1 || !strings.HasPrefix(reg.events[0].Text, "v3 passes: ") || reg.events[0].Command != "flyball gate m@3" {
		t.Errorf("the feed says %+v", reg.events)
	}
}
