// SPDX-License-Identifier: Apache-2.0

package app

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/api/wire"
	"flyball/blob"
	"flyball/client"
	"flyball/control"
	"flyball/experiment"
	"flyball/fault"
	"flyball/ident"
	"flyball/job"
	"flyball/model/registry"
	"flyball/training"
)

const modelFile = `apiVersion: flyball/v1
kind: Model
name: demand
predict: {column: y, kind: regression, id: id, time: at, truth: {within: 10h}, block: {each: 1d}}
data: {source: a.csv, test: {window: 10d, at_least: 200}}
pipeline: {inputs: {x: number, z: number}}
train: {with: builtin/gbdt, settings: {trees: 5, depth: 2}, seed: 7}
gate:
  metrics:
    - {name: mae, require: noninferior, margin: 0.1}
    - {name: mae, against: baseline, require: superior}
  reproduce: required
release: {shadow: {for: 0s, at_least: 0}, canary: [{share: 100%}], bake: {for: 0s}}
retrain: {when: [schedule], every: 365d}
duties:
  feed: {owner: ana, backup: bo, within: 1d}
  monitor: {owner: ana, backup: bo, within: 1d}
  retrain: {owner: ana, backup: bo, within: 1d}
  fix: {owner: ana, backup: bo, within: 1d}
`

const description = `flavors:
  python_function: {loader_module: mlflow.xgboost, data: model.ubj}
  xgboost: {data: model.ubj, model_class: xgboost.sklearn.XGBRegressor, model_format: ubj, xgb_version: 3.2.0}
signature: {inputs: '[{"type": "double", "name": "x", "required": true}, {"type": "double", "name": "z", "required": true}]', outputs: null}
`

var first = time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC)

// table is hourly rows whose label hangs on x and z in a way that no line follows.
func table(t *testing.T, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{{"id", "at", "x", "z", "y"}}
	for i := range n {
		x, z := 2*math.Sin(float64(i)), math.Cos(float64(i)/3)
		y := fmt.Sprint(10 + 5*math.Abs(x) + x*z + 0.5*math.Sin(float64(i*i)))
		text := fmt.Sprint(x)
		if i%31 == 0 {
			text = ""
		}
		rows = append(rows, []string{fmt.Sprint(i), first.Add(time.Duration(i) * time.Hour).Format(time.RFC3339), text, fmt.Sprint(z), y})
	}
	if err := w.WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// trained has XGBoost train on the first 700 rows, and returns the folder of the model
// and the bits of its predictions.
func trained(t *testing.T, raw []byte) (folder string, predictions []uint32) {
	t.Helper()
	python := os.Getenv("FLYBALL_PYTHON")
	if python == "" {
		python = "../.cache/venv/bin/python"
	}
	if _, err := exec.LookPath(python); err != nil {
		t.Skip("no Python with xgboost: set FLYBALL_PYTHON or make .cache/venv")
	}
	folder = t.TempDir()
	source := filepath.Join(folder, "a.csv")
	if err := os.WriteFile(source, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), python, "testdata/train.py", source, folder, "700").Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &predictions); err != nil {
		t.Fatal(err)
	}
	return folder, predictions
}

// server is a server with a model that is live, and its clock.
type server struct {
	*App
	*client.Client
	at time.Time
}

// begin starts a server at which a version of the model, trained on the first rows, is
// live; the later rows are not due then, and are when it returns.
func begin(t *testing.T, raw []byte) *server {
	t.Helper()
	cfg := config(t)
	cfg.Manual, cfg.Start = true, first.Add(650*time.Hour)
	a := start(t, cfg)
	s := &server{App: a, Client: client.New(a.URL(), "", http.DefaultClient), at: cfg.Start}
	up, err := s.Upload(t.Context(), bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	data := map[string]registry.DataFile{"a.csv": {Digest: blob.Digest(up.Digest), Size: up.Size}}
	if _, err := s.Apply(t.Context(), wire.ApplyRequest{Name: "model.yaml", File: modelFile, Data: data}); err != nil {
		t.Fatal(err)
	}
	s.pass(t, 6)
	if st, err := s.Status(t.Context(), "demand"); err != nil || st.Live != 1 || st.Phase != "steady" {
		t.Fatalf("before: %+v, %v", st, err)
	}
	s.at = first.Add(1004 * time.Hour)
	s.pass(t, 1)
	return s
}

// pass lets hours pass.
func (s *server) pass(t *testing.T, hours int) {
	t.Helper()
	for range hours {
		s.at = s.at.Add(time.Hour)
		if err := s.Client.Advance(t.Context(), s.at); err != nil {
			t.Fatal(err)
		}
	}
}

// register logs a model folder to a run of its own and registers it, as a client
// would; another source may be named.
func (s *server) register(t *testing.T, files map[string][]byte, source string, tags ...registry.Tag) registry.Version {
	t.Helper()
	id := ident.NewRunID()
	root := "0/" + string(id) + "/artifacts"
	run := experiment.Run{ID: id, Status: experiment.Finished, Location: "mlflow-artifacts:/" + root}
	if err := s.store.CreateRun(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	for name, b := range files {
		if _, err := s.artifacts.Put(t.Context(), root+"/model/"+name, bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
	}
	if source == "" {
		source = run.Location + "/model"
	}
	v, err := registry.New(registry.Options{Store: s.store, Now: s.clock.now, Schemes: []string{"s3"}}).CreateVersion(t.Context(), registry.Version{
		Ref: ident.Ref{Model: "demand"}, Source: source, RunID: id, CreatedBy: "ana", Tags: tags,
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// judged asks for a judging, and returns its job when it is over.
func (s *server) judged(t *testing.T, v registry.Version) job.Job {
	t.Helper()
	asked, err := s.Judge(t.Context(), "demand", v.Version)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.Judge(t.Context(), "demand", v.Version); err != nil || again.Job != asked.Job {
		t.Errorf("asked again: %+v, %v; want the same job", again, err)
	}
	s.pass(t, 1)
	j, err := s.Job(t.Context(), asked.Job)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// watched has the version answer rows of two days, far from what it was trained on, and
// checks that its windows and its drift are seen.
func (s *server) watched(t *testing.T, version int) {
	t.Helper()
	for range 2 {
		var rows []json.RawMessage
		for i := range 250 {
			at := s.at.Add(-time.Duration(i) * time.Minute).Format(time.RFC3339)
			rows = append(rows, json.RawMessage(fmt.Sprintf(`{"id":"%s/%d","at":%q,"x":40,"z":0.5}`, at, i, at)))
		}
		if _, err := s.Predict(t.Context(), "demand", rows); err != nil {
			t.Fatal(err)
		}
		s.pass(t, 24)
	}
	windows, err := s.store.Windows(t.Context(), "demand", first, s.at)
	if err != nil || len(windows) == 0 || windows[len(windows)-1].Version != version {
		t.Errorf("its windows: %+v, %v", windows, err)
	}
	found, err := s.Findings(t.Context(), "demand", false)
	var subjects []string
	for _, f := range found {
		subjects = append(subjects, f.Subject)
	}
	if err != nil || !slices.Contains(subjects, "x far out of range") || !slices.Contains(subjects, "unusual rows") {
		t.Errorf("what was found: %q, %v", subjects, err)
	}
}

func TestAModelThatXGBoostTrainedIsJudgedReleasedAndServed(t *testing.T) {
	raw := table(t, 1000)
	folder, want := trained(t, raw)
	s := begin(t, raw)
	model, err := os.ReadFile(filepath.Join(folder, "model.ubj"))
	if err != nil {
		t.Fatal(err)
	}
	seen := registry.Tag{Key: control.SeenUntilTag, Value: first.Add(710 * time.Hour).Format(time.RFC3339)}
	v := s.register(t, map[string][]byte{"MLmodel": []byte(description), "model.ubj": model}, "", seen)
	if _, err := s.Release(t.Context(), "demand", v.Version, ""); !fault.Is(err, fault.Refused) {
		t.Errorf("the release of what was not judged: %v", err)
	}
	j := s.judged(t, v)
	var res training.Result
	if err := json.Unmarshal(j.Result, &res); err != nil || j.State != job.Done {
		t.Fatalf("the judging: %+v, %v", j, err)
	}
	if !res.Verdict.Pass || len(res.Verdict.Differences) != 2 || res.Test != 240 {
		t.Fatalf("the verdict: %+v", res.Verdict)
	}
	if _, err := s.Judge(t.Context(), "demand", v.Version); !fault.Is(err, fault.Conflict) {
		t.Errorf("judged twice: %v", err)
	}

	if _, err := s.Release(t.Context(), "demand", v.Version, "the team's own"); err != nil {
		t.Fatal(err)
	}
	s.pass(t, 6)
	st, err := s.Status(t.Context(), "demand")
	if err != nil || st.Live != v.Version || st.Phase != "steady" || st.Release.Baseline != res.Baseline || res.Baseline != 2 {
		t.Fatalf("after: %+v, %v", st, err)
	}
	if st.Release.By != "local" || st.Release.Cause != "hand" {
		t.Errorf("the release is by %s for %s", st.Release.By, st.Release.Cause)
	}
	same(t, s.Client, raw, want)
	s.watched(t, v.Version)
	if _, err := s.Client.Reproduce(t.Context(), "demand", v.Version); !fault.Is(err, fault.Refused) {
		t.Errorf("made again: %v", err)
	}
	if _, err := s.Release(t.Context(), "demand", v.Version, ""); !fault.Is(err, fault.Conflict) {
		t.Errorf("released when it is live: %v", err)
	}
	if _, err := s.Release(t.Context(), "demand", 1, "we liked it more"); err != nil {
		t.Fatal(err)
	}
	s.pass(t, 6)
	if st, err := s.Status(t.Context(), "demand"); err != nil || st.Live != 1 {
		t.Errorf("v1 again: %+v, %v", st, err)
	}
}

// weak is a model that says the same of every row.
const weak = `{"learner":{"attributes":{},"feature_names":["x","z"],"gradient_booster":{"name":"gbtree","model":{"tree_info":[0],"trees":[{
"left_children":[-1],"right_children":[-1],"split_indices":[0],"split_conditions":[0.5],"default_left":[0],"split_type":[0],
"tree_param":{"size_leaf_vector":"1"}}]}},"learner_model_param":{"base_score":"[9E0]","num_class":"0","num_feature":"2","num_target":"1"},
"objective":{"name":"reg:squarederror"}}}`

func TestAModelThatCannotBeReadOrIsNotGoodEnoughStaysOut(t *testing.T) {
	s := begin(t, table(t, 1000))
	sklearn := s.register(t, map[string][]byte{"MLmodel": []byte("flavors: {sklearn: {pickled_model: model.pkl}}"), "model.pkl": []byte("x")}, "")
	for range 2 { // what failed may be asked for again
		if j := s.judged(t, sklearn); j.State != job.Failed || !strings.Contains(j.Error, "flavor sklearn, python_function cannot be scored without Python") {
			t.Errorf("another flavor: %s %s", j.State, j.Error)
		}
	}
	if got, err := s.store.Version(t.Context(), sklearn.Ref); err != nil || got.Verdict != "" || got.Made() {
		t.Errorf("it was changed: %+v, %v", got, err)
	}

	bucket := s.register(t, nil, "s3://bucket/model")
	if _, err := s.Judge(t.Context(), "demand", bucket.Version); !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), "not kept here") {
		t.Errorf("a model in a bucket: %v", err)
	}
	later := registry.Tag{Key: control.SeenUntilTag, Value: "2030-01-01"}
	if _, err := s.Judge(t.Context(), "demand", s.register(t, nil, "", later).Version); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "in the future") {
		t.Errorf("trained on what is to come: %v", err)
	}

	knows := s.register(t, map[string][]byte{"MLmodel": []byte(description), "model.ubj": []byte(weak)}, "") // JSON, whatever its name
	ours, err := s.store.Version(t.Context(), ident.Ref{Model: "demand", Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	read := experiment.Input{Dataset: experiment.Dataset{Name: "demand", Digest: "1", SourceType: "flyball", Source: fmt.Sprintf(`{"snapshot":%q}`, ours.Snapshot)}}
	if err := s.store.LogInputs(t.Context(), knows.RunID, []experiment.Input{read}, nil); err != nil {
		t.Fatal(err)
	}
	if j := s.judged(t, knows); j.State != job.Failed || !strings.Contains(j.Error, "no truth fell due since") {
		t.Errorf("a model that was trained on all there is: %s %s", j.State, j.Error)
	}

	dull := s.register(t, map[string][]byte{"MLmodel": []byte(description), "model.ubj": []byte(weak)}, "")
	if j := s.judged(t, dull); j.State != job.Done {
		t.Fatalf("the judging: %+v", j)
	}
	if v, err := s.store.Version(t.Context(), dull.Ref); err != nil || v.Verdict != "fail" {
		t.Errorf("the verdict is %q, %v", v.Verdict, err)
	}
	if _, err := s.Release(t.Context(), "demand", dull.Version, "please"); !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), "keeps demand@") {
		t.Errorf("the release of what failed: %v", err)
	}
}

// same compares what the server answers with XGBoost's predictions, in float32.
func same(t *testing.T, c *client.Client, raw []byte, want []uint32) {
	t.Helper()
	cells, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []json.RawMessage
	for _, r := range cells[1:] {
		x := r[2]
		if x == "" {
			x = "null"
		}
		rows = append(rows, json.RawMessage(fmt.Sprintf(`{"id":%q,"at":%q,"x":%s,"z":%s}`, "new "+r[0], r[1], x, r[3])))
	}
	got, err := c.Predict(context.Background(), "demand", rows)
	if err != nil || len(got.Predictions) != len(want) {
		t.Fatalf("%d predictions, %v", len(got.Predictions), err)
	}
	differ := 0
	for i, p := range got.Predictions {
		if p.Value == nil || math.Float32bits(float32(*p.Value)) != want[i] {
			differ++
		}
	}
	if differ != 0 {
		t.Errorf("%d of %d predictions differ from XGBoost's", differ, len(want))
	}
}
