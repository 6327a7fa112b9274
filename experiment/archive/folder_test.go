// SPDX-License-Identifier: Apache-2.0

package archive_test

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/experiment"
	"flyball/experiment/archive"
	"flyball/fault"
	"flyball/ident"
	"flyball/model/registry"
)

// some are records of every kind, with what is hard to keep.
func some() []archive.Record {
	at := time.UnixMilli(1795574803245).UTC()
	long := archive.Record{Run: &archive.Run{ID: "b", Experiment: "Über /x", Name: "long", Status: experiment.Finished, Start: 1}}
	for i := range int64(25_000) {
		long.Run.Metrics = append(long.Run.Metrics, archive.Metric{Key: "loss", At: i, Step: -i, Value: archive.Number(i) / 3})
	}
	records := []archive.Record{
		archive.FromExperiment(experiment.Experiment{ID: 3, Name: "Über /x", Location: "mlflow-artifacts:/3", Created: 1, Updated: 2, Tags: []experiment.Tag{{Key: "b", Value: ""}, {Key: "a", Value: "\x00"}}}),
		archive.FromRun("Über /x", experiment.Run{
			ID: "a", Experiment: 3, Name: "parent", User: "ana", Status: experiment.Failed, Start: 5, End: 9, Location: "s3://bucket/x", Deleted: true,
			Params:  []experiment.Param{{Key: "z", Value: strings.Repeat("v", 6000)}, {Key: "a", Value: ""}},
			Tags:    []experiment.Tag{{Key: "mlflow.note.content", Value: "two\nlines"}},
			Inputs:  []experiment.Input{{Dataset: experiment.Dataset{Name: "d", Digest: "1", SourceType: "local", Source: "{}"}, Tags: []experiment.Tag{{Key: "mlflow.data.context", Value: "train"}}}},
			Models:  []ident.ModelID{"m-1"},
			Outputs: []experiment.Output{{ModelID: "m-2", Step: 4}},
		}, []experiment.Metric{
			{Key: "acc", Value: math.NaN(), Timestamp: 1, Step: 1},
			{Key: "acc", Value: math.MaxFloat64, Timestamp: 1, Step: 1},
			{Key: "acc", Value: math.Copysign(0, -1), Timestamp: math.MaxInt64, Step: math.MinInt64},
		}),
	}
	records = append(records, long.Split()...)
	return append(records,
		archive.FromLoggedModel("Über /x", experiment.LoggedModel{
			ID: "m-2", Experiment: 3, Name: "m", Status: experiment.ModelReady, Location: "mlflow-artifacts:/3/models/m-2/artifacts", Created: 1, Updated: 2,
			Metrics: []experiment.Metric{{Key: "acc", Value: 1, Timestamp: 1, RunID: "a", DatasetName: "d", DatasetDigest: "1"}},
		}),
		archive.Record{Model: &registry.Model{Name: "hotel", About: "bookings", CreatedAt: at, UpdatedAt: at, Tags: []registry.Tag{{Key: "k", Value: "v"}}}},
		archive.Record{Version: &archive.Version{Version: registry.Version{Ref: ident.Ref{Model: "hotel", Version: 7}, Source: "models:/m-2", CreatedAt: at, Stage: registry.Staging}}},
		archive.Record{Alias: &archive.Alias{Model: "hotel", Name: "best", Version: 7}},
	)
}

func export(t *testing.T, dir string) {
	t.Helper()
	f, err := archive.NewFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range some() {
		if err := f.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.File(archive.OwnerFolder(some()[1])+"/plots/é a.txt", strings.NewReader("hello")); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAnExportIsReadBackRecordByRecord(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	export(t, dir)
	src, err := archive.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	want := some()
	i := 0
	for got, err := range src.Records(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		if i < len(want) && got.Digest() != want[i].Digest() {
			t.Errorf("record %d, of %s: got %s…, want %s…", i, got.Kind(), got.Digest()[:8], want[i].Digest()[:8])
		}
		i++
	}
	if i != len(want) {
		t.Errorf("got %d records, want %d", i, len(want))
	}
	for file, err := range src.Files(context.Background(), want[1]) {
		if err != nil {
			t.Fatal(err)
		}
		r, err := file.Open(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil || file.Path != "plots/é a.txt" || file.Size != 5 || string(b) != "hello" {
			t.Errorf("got %s (%d bytes) %q %v, want plots/é a.txt with hello", file.Path, file.Size, b, err)
		}
	}
}

func TestAnExportThatIsNotWholeOrHasChangedIsRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(dir string) error
		want  string
	}{
		{"nothing is there", os.RemoveAll, "there is no folder"},
		{"it was not finished", func(dir string) error { return os.Remove(filepath.Join(dir, "export.json")) }, "export.json is not there"},
		{"a table is gone", func(dir string) error { return os.Remove(filepath.Join(dir, "tags.parquet")) }, "tags.parquet cannot be read"},
		{"a line has changed", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "registry.jsonl"), []byte(`{"alias":{}}`), 0o600)
		}, "registry.jsonl has changed since it was made"},
		{"it is newer", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "export.json"), []byte(`{"format":9}`), 0o600)
		}, "the export has format 9, and this Flyball reads format 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "out")
			export(t, dir)
			if err := c.spoil(dir); err != nil {
				t.Fatal(err)
			}
			if _, err := archive.OpenFolder(dir); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestAFolderThatHoldsSomethingIsNotWrittenInto(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.NewFolder(dir); !fault.Is(err, fault.Conflict) {
		t.Errorf("got %v, want that the folder is not empty", err)
	}
}

func TestAFileOfAnExportStaysInItsFolder(t *testing.T) {
	f, err := archive.NewFolder(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../x", "artifacts/../../x", "/etc/x"} {
		if _, err := f.File(name, strings.NewReader("")); err == nil {
			t.Errorf("%s was written", name)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func FuzzLines(f *testing.F) {
	f.Add([]byte(`{"experiment":{"name":"a","created":1,"updated":1}}` + "\n"))
	f.Add([]byte(`{"run":{"run_id":"a","experiment":"e","name":"","status":3,"start":0,"metrics":[{"key":"k","at":1,"step":1,"value":"NaN"}]}}`))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := archive.Lines(strings.NewReader(string(b)), "x", func(r archive.Record) error {
			if r.Kind() == "" || r.Digest() == "" {
				t.Errorf("a record without kind or digest: %+v", r)
			}
			return nil
		})
		if err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("got %v, want an Invalid fault", err)
		}
	})
}
