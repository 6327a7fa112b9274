// SPDX-License-Identifier: Apache-2.0

package mlmodel_test

import (
	"context"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"flyball/data/dataset"
	"flyball/fault"
	"flyball/internal/fuzzcheck"
	"flyball/model/mlmodel"
	"flyball/training/learner"
)

// files is a folder in memory.
type files fstest.MapFS

func (fs files) Open(_ context.Context, name string) (io.ReadCloser, error) {
	f, err := fstest.MapFS(fs).Open(name)
	return f, fault.Wrap(err, fault.NotFound, "there is no %s", name)
}

func (fs files) Names(context.Context) ([]string, error) { return slices.Sorted(maps.Keys(fs)), nil }

// recorded is a folder that MLflow wrote, with a change to its MLmodel.
func recorded(t *testing.T, name, old, changed string) fstest.MapFS {
	t.Helper()
	out := fstest.MapFS{}
	paths, err := filepath.Glob(filepath.Join("testdata", name, "*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files of %s: %v", name, err)
	}
	for _, p := range paths {
		raw, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(p) == "MLmodel" {
			if !strings.Contains(string(raw), old) {
				t.Fatalf("%s has no %q", p, old)
			}
			raw = []byte(strings.Replace(string(raw), old, changed, 1))
		}
		out[filepath.Base(p)] = &fstest.MapFile{Data: raw}
	}
	return out
}

func TestAFolderThatMLflowWroteIsRead(t *testing.T) {
	for _, c := range []struct{ folder, class string }{
		{"xgb_booster", "xgboost.core.Booster"},
		{"xgb_classifier", "xgboost.sklearn.XGBClassifier"},
	} {
		m, err := mlmodel.Read(ctx, files(recorded(t, c.folder, "", "")), learner.Decoders(), dataset.Multiclass)
		if err != nil {
			t.Errorf("%s: %v", c.folder, err)
			continue
		}
		if len(m.Inputs) != 4 || m.Inputs[0].Name != "sl" || m.Inputs[3].Name != "pw" || m.Class != c.class || m.Flavor != "xgboost" {
			t.Errorf("%s: got %+v", c.folder, m)
		}
		if m.Examples == nil || m.Examples.Rows() != 2 || m.Examples.Column("sw").Num[1] != 3.0 {
			t.Errorf("%s: the input example is %v", c.folder, m.Examples)
		}
	}
}

func TestAFolderThatCannotBeScoredSaysWhy(t *testing.T) {
	for _, c := range []struct {
		name, old, changed string
		kind               dataset.Kind
		fault              fault.Kind
		says               string
	}{
		{"another flavor", "  xgboost:", "  sklearn:", dataset.Multiclass, fault.Refused, "flavor sklearn, python_function cannot be scored without Python"},
		{"another kind", "", "", dataset.Binary, fault.Refused, "objective multi:softprob, and the model file predicts binary"},
		{"an old format", "data: model.ubj\n    model_class", "data: MLmodel\n    model_class", dataset.Multiclass, fault.Refused, `model_format="json"`},
		{"a file outside of the folder", "data: model.ubj\n    model_class", "data: ../model.ubj\n    model_class", dataset.Multiclass, fault.Invalid, "names the file"},
		{"a file that is not there", "data: model.ubj\n    model_class", "data: gone.ubj\n    model_class", dataset.Multiclass, fault.NotFound, "gone.ubj"},
		{"a column that is text", `{"type": "double", "name": "sl"`, `{"type": "string", "name": "sl"`, dataset.Multiclass, fault.Refused, `"sl" is of the type string`},
		{"other columns than the training had", `"name": "sl"`, `"name": "xl"`, dataset.Multiclass, fault.Refused, "the model was trained on sl, sw, pl, pw"},
		{"a signature that is no JSON", `'[{"type"`, `'[{type`, dataset.Multiclass, fault.Invalid, "signature cannot be read"},
		{"an anchor", "flavors:", "flavors: &a", dataset.Multiclass, fault.Invalid, "which MLflow does not write"},
		{"no YAML", "flavors:", "flavors: [", dataset.Multiclass, fault.Invalid, "not YAML"},
		{"no flavors", "flavors:", "flavours:", dataset.Multiclass, fault.Invalid, "names no flavor"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := mlmodel.Read(ctx, files(recorded(t, "xgb_booster", c.old, c.changed)), learner.Decoders(), c.kind)
			if !fault.Is(err, c.fault) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
}

func TestAModelWithoutASignatureHasTheColumnsOfItsTraining(t *testing.T) {
	fs := recorded(t, "xgb_booster", "signature:", "unknown:")
	delete(fs, "input_example.json")
	m, err := mlmodel.Read(ctx, files(fs), learner.Decoders(), dataset.Multiclass)
	if err != nil || len(m.Inputs) != 4 || m.Inputs[2].Name != "pl" || m.Examples != nil {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestAModelFileIsReadByWhatItHoldsAndNotByItsName(t *testing.T) {
	fs := recorded(t, "xgb_booster", "data: model.ubj\n    model_class", "data: model.xgb\n    model_class")
	fs["model.xgb"] = fs["model.ubj"] // MLflow 2 says xgb, XGBoost writes UBJSON
	if m, err := mlmodel.Read(ctx, files(fs), learner.Decoders(), dataset.Multiclass); err != nil || m.File.Name != "model.json" {
		t.Errorf("got %s, %v", m.File.Name, err)
	}
}

func FuzzRead(f *testing.F) {
	raw, err := os.ReadFile("testdata/xgb_booster/MLmodel")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw, []byte(`{"columns": ["sl"], "data": [[1]]}`))
	f.Add([]byte("flavors: {xgboost: {data: model.json}}"), []byte("{}"))
	f.Add([]byte("flavors:\n- - - a\n&a *b"), []byte("["))
	f.Fuzz(func(t *testing.T, text, example []byte) {
		fs := fstest.MapFS{
			"MLmodel": {Data: text}, "input_example.json": {Data: example},
			"model.json": {Data: []byte(`{"learner":{"feature_names":["sl"],"objective":{"name":"reg:squarederror"}}}`)},
		}
		var m mlmodel.Model
		var err error
		fuzzcheck.Within(t, len(text)+len(example), 1<<20, func() {
			m, err = mlmodel.Read(ctx, files(fs), learner.Decoders(), dataset.Regression)
		})
		if err == nil && (len(m.Inputs) == 0 || m.Examples != nil && m.Examples.Rows() == 0) {
			t.Errorf("got %+v", m)
		}
	})
}
