// SPDX-License-Identifier: Apache-2.0

package mlflowimport_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flyball/experiment"
	"flyball/experiment/archive"
	"flyball/experiment/mlflowimport"
	"flyball/fault"
)

// database is a new SQLite file with what a dump of testdata holds.
func database(t *testing.T, dump string) string {
	t.Helper()
	script, err := os.ReadFile(filepath.Join("testdata", dump))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "mlflow.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), string(script)); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, src archive.Source) map[string][]archive.Record {
	t.Helper()
	out := map[string][]archive.Record{}
	for r, err := range src.Records(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		out[r.Kind()] = append(out[r.Kind()], r)
	}
	return out
}

func open(t *testing.T, where string, o mlflowimport.Options) archive.Source {
	t.Helper()
	src, err := mlflowimport.Open(context.Background(), where, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	})
	return src
}

// told is what MLflow's client reads of a run.
type told struct {
	Name, Status, Stage string
	Start, End          int64
	Params, Tags        map[string]string
	Metrics             map[string]archive.Number
	Points              int
	Inputs, Outputs     []string
}

// tell is a record as MLflow's client would read it.
func tell(r archive.Run) told {
	out := told{
		Name: r.Name, Status: [...]string{"", "RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"}[r.Status], Stage: "active",
		Start: r.Start, End: r.End, Params: map[string]string{}, Tags: map[string]string{}, Metrics: map[string]archive.Number{}, Points: len(r.Metrics),
		Inputs: []string{}, Outputs: []string{},
	}
	if r.Deleted {
		out.Stage = "deleted"
	}
	for _, p := range r.Params {
		out.Params[p.Key] = p.Value
	}
	for _, p := range r.Tags {
		out.Tags[p.Key] = p.Value
	}
	for _, in := range r.Inputs {
		out.Inputs = append(out.Inputs, in.Name)
	}
	for _, o := range r.Outputs {
		out.Outputs = append(out.Outputs, string(o.ModelID))
	}
	return out
}

func TestADatabaseOfMLflowIsReadAsItsClientReadsIt(t *testing.T) {
	for _, version := range []string{"mlflow-2.22", "mlflow-3.17"} {
		t.Run(version, func(t *testing.T) {
			src := open(t, "sqlite:///"+database(t, version+".sql"), mlflowimport.Options{})
			got := read(t, src)
			want := struct{ Runs map[string]told }{}
			b, err := os.ReadFile(filepath.Join("testdata", version+".json"))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(b, &want); err != nil {
				t.Fatal(err)
			}
			if len(got["runs"]) != 7 || len(want.Runs) != 7 {
				t.Fatalf("got %d runs, the client %d, want 7", len(got["runs"]), len(want.Runs))
			}
			for _, r := range got["runs"] {
				compare(t, *r.Run, want.Runs[string(r.Run.ID)])
			}
			counts, err := src.Count(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			for kind, rs := range got {
				if int64(len(rs)) != counts[kind] {
					t.Errorf("%s: %d were read, and %d counted", kind, len(rs), counts[kind])
				}
			}
			checkRegistry(t, got)
		})
	}
}

func compare(t *testing.T, r archive.Run, want told) {
	t.Helper()
	got := tell(r)
	if got.Name != want.Name || got.Status != want.Status || got.Stage != want.Stage || got.Start != want.Start || got.End != want.End {
		t.Errorf("run %s: got %+v, want %+v", r.ID, got, want)
	}
	if !maps.Equal(got.Params, want.Params) || !maps.Equal(got.Tags, want.Tags) {
		t.Errorf("run %s: got %v %v, want %v %v", r.ID, got.Params, got.Tags, want.Params, want.Tags)
	}
	if got.Points != want.Points || !slices.Equal(got.Inputs, want.Inputs) || !slices.Equal(got.Outputs, want.Outputs) {
		t.Errorf("run %s: got %d points, %v, %v; want %d, %v, %v", r.ID, got.Points, got.Inputs, got.Outputs, want.Points, want.Inputs, want.Outputs)
	}
	for key, value := range want.Metrics {
		last := archive.Number(0)
		for _, m := range r.Metrics {
			if m.Key == key && (key != "odd" || !math.IsNaN(float64(m.Value)) && m.Value > last) {
				last = m.Value
			}
		}
		if last != value {
			t.Errorf("run %s, %s: got %v, want %v", r.ID, key, last, value)
		}
	}
}

func checkRegistry(t *testing.T, got map[string][]archive.Record) {
	t.Helper()
	m, v, a := got["models"][1].Model, got["versions"], got["aliases"][0].Alias
	if m.Name != "hotel" || m.About != "Will they come?" || len(m.Tags) != 1 || m.Tags[0].Value != "bo" {
		t.Errorf("got %+v, want hotel with its text and tag", m)
	}
	if len(v) != 2 || v[0].Version.Ref.Version != 1 || v[0].Version.Stage != "Archived" || v[1].Version.Ref.Version != 3 || v[1].Version.About != "the 2th" {
		t.Errorf("got %+v, want versions 1 (Archived) and 3", v)
	}
	if *a != (archive.Alias{Model: "hotel", Name: "best", Version: 3}) {
		t.Errorf("got %+v, want best → 3", a)
	}
	var locations []string
	for _, e := range got["experiments"] {
		locations = append(locations, e.Experiment.Name+"="+e.Experiment.Location)
	}
	if want := "Default=|first=|Zweites Experiment, gelöscht=|in a bucket=s3://bucket/x"; strings.Join(locations, "|") != want {
		t.Errorf("got %v, want %v: only a bucket keeps its place", locations, want)
	}
}

func TestLoggedModelsOfADatabaseKeepTheirMetrics(t *testing.T) {
	got := read(t, open(t, "sqlite:///"+database(t, "mlflow-3.17.sql"), mlflowimport.Options{}))["logged_models"]
	if len(got) != 1 {
		t.Fatalf("got %d logged models, want 1", len(got))
	}
	m := got[0].LoggedModel
	if m.Name != "model" || m.Type != "xgboost" || m.Status != experiment.ModelReady || m.Experiment != "first" || len(m.Metrics) != 1 ||
		m.Metrics[0].Value != 0.75 || m.Metrics[0].DatasetName != "bookings" || m.Params[0] != (archive.Pair{Key: "p", Value: "1"}) {
		t.Errorf("got %+v", m)
	}
}

func TestFilesAreTakenFromTheFolderThatTheServerKeepsThemIn(t *testing.T) {
	root := t.TempDir()
	src := open(t, "sqlite:///"+database(t, "mlflow-2.22.sql"), mlflowimport.Options{Artifacts: root})
	owner := read(t, src)["runs"][0]
	dir := filepath.Join(root, "1", string(owner.Run.ID), "artifacts", "plots")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	var got []string
	for f, err := range src.Files(context.Background(), owner) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, f.Path)
	}
	if want := []string{"plots/a.txt"}; owner.Run.Experiment != "first" || !slices.Equal(got, want) {
		t.Errorf("got %v of a run of %s, want %v", got, owner.Run.Experiment, want)
	}
}

func TestWhatIsNoSourceIsRefused(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.db")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		where string
		kind  fault.Kind
		want  string
	}{
		{"mlruns", fault.Invalid, "is no MLflow server and no database of one"},
		{"mysql://host/db", fault.Invalid, "is no MLflow server and no database of one"},
		{"sqlite:///" + empty + "x", fault.NotFound, "there is no database"},
		{"sqlite:///" + empty, fault.Invalid, "this is no database of an MLflow server"},
		{"http://ana:secret@host:5000", fault.Invalid, "an address with a password"},
		{"postgresql://ana:secret@[", fault.Invalid, "the address of the PostgreSQL database cannot be read"},
	} {
		_, err := mlflowimport.Open(context.Background(), c.where, mlflowimport.Options{})
		if !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want %q", c.where, err, c.want)
		}
	}
}
