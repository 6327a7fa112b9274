// SPDX-License-Identifier: Apache-2.0

package mlmodel_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"flyball/data/dataset"
	"flyball/fault"
	"flyball/model"
	"flyball/model/formats"
	"flyball/model/mlmodel"
	"flyball/model/worker"
)

// saved is a folder that MLflow's recorded server was asked with.
func saved(t *testing.T, name string) fstest.MapFS {
	t.Helper()
	out := fstest.MapFS{}
	paths, err := filepath.Glob(filepath.Join("../../api/scoring/testdata/models", name, "*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files of %s: %v", name, err)
	}
	for _, p := range paths {
		raw, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(p)] = &fstest.MapFile{Data: raw}
	}
	return out
}

func TestEveryFlavorIsReadForWhatScoresItBest(t *testing.T) {
	host := worker.New(worker.Options{Dir: t.TempDir(), Python: "python3"})
	t.Cleanup(func() {
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, c := range []struct {
		folder, flavor, file string
		kind                 dataset.Kind
		form                 model.Form
		classes, more        int
	}{
		{"xgb_booster", "xgboost", "model.json", dataset.Multiclass, model.Values, 3, 0},
		{"xgb_classifier", "xgboost", "model.json", dataset.Multiclass, model.Label, 3, 0},
		{"lgb_booster", "lightgbm", "model.txt", dataset.Multiclass, model.Values, 3, 0},
		{"iris", "sklearn", "worker.json", "", model.Own, 0, 7},
		{"types", "python_function", "worker.json", "", model.Own, 0, 1},
	} {
		m, err := mlmodel.Read(ctx, files(saved(t, c.folder)), formats.Decoders(host), "")
		if err != nil {
			t.Errorf("%s: %v", c.folder, err)
			continue
		}
		if m.Flavor != c.flavor || m.File.Name != c.file || m.Kind != c.kind || m.Answer.Form != c.form || len(m.Classes) != c.classes || len(m.More) != c.more {
			t.Errorf("%s: got %s in %s, %q, %q, %d classes, %d files", c.folder, m.Flavor, m.File.Name, m.Kind, m.Answer.Form, len(m.Classes), len(m.More))
		}
	}
}

func TestAFlavorOfPythonIsRefusedWhereNobodyAllowedIt(t *testing.T) {
	_, err := mlmodel.Read(ctx, files(saved(t, "iris")), formats.Decoders(nil), "")
	if !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), "flavor sklearn, python_function cannot be scored without Python") {
		t.Errorf("got %v", err)
	}
}

func TestASignatureIsReadAndPrintedAsMLflowDoes(t *testing.T) {
	for _, c := range []struct{ inputs, want string }{
		{``, `[]`},
		{`[{"type":"double","name":"a","required":true},{"type":"long","name":"b","required":false}]`, `['a': double (required), 'b': long (optional)]`},
		{`[{"type":"double"}]`, `[double (required)]`},
		{`[{"type":"array","items":{"type":"double"},"name":"r"}]`, `['r': Array(double) (required)]`},
		{`[{"type":"tensor","tensor-spec":{"dtype":"float64","shape":[-1,4]}}]`, `[Tensor('float64', (-1, 4))]`},
	} {
		s, err := mlmodel.ParseSchema(c.inputs)
		if err != nil || s.String() != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.inputs, s, err, c.want)
		}
	}
	for _, bad := range []string{`{`, `[{"type":"double","name":"a"},{"type":"double","name":"a"}]`, `[{"type":"array"}]`, `[{"type":"word"}]`, `[{"type":"tensor"}]`} {
		if _, err := mlmodel.ParseSchema(bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v", bad, err)
		}
	}
}
