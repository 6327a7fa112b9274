// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"flyball/blob"
	"flyball/data/frame"
	"flyball/experiment/gate"
	"flyball/fault"
	"flyball/model"
	"flyball/model/onnx"
	"flyball/model/worker"
	"flyball/training/learner"
)

// scikit is a judge whose Python has scikit-learn and skl2onnx, or the latter not.
func scikit(t *testing.T, tr *Trainer, fs fstest.MapFS, converts bool) *Judge {
	t.Helper()
	host := worker.New(worker.Options{Dir: t.TempDir(), Python: pythonOf(t)})
	t.Cleanup(func() {
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	tr.Decoders = model.Decoders{Estimators: learner.Decoders().Estimators}
	tr.Decoders.Scorers = map[string]func(context.Context, model.Manifest, model.Files) (model.Scorer, error){
		onnx.File: onnx.Open, worker.FileName: host.Open,
	}
	j := judge(tr, fs)
	if j.Convert = host.Convert; !converts {
		j.Convert = func(context.Context, model.Manifest, model.Files) ([]byte, error) {
			return nil, fault.New(fault.Refused, "No module named 'skl2onnx'")
		}
	}
	return j
}

func pythonOf(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../.cache/onnx/bin/python")
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Skip("no .cache/onnx: scripts/setup.sh makes it")
	}
	return path
}

// pickled are the models of testdata/pickles.py, each as a folder that MLflow writes.
func pickled(t *testing.T, raw []byte) func(name string) fstest.MapFS {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "a.csv")
	if err := os.WriteFile(source, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), pythonOf(t), "testdata/pickles.py", source, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return func(name string) fstest.MapFS {
		b, err := os.ReadFile(filepath.Join(dir, name, "model.pkl"))
		if err != nil {
			t.Fatal(err)
		}
		return fstest.MapFS{"model.pkl": {Data: b}, "MLmodel": {Data: []byte(`flavors:
  python_function: {loader_module: mlflow.sklearn, model_path: model.pkl, predict_fn: predict}
  sklearn: {pickled_model: model.pkl, serialization_format: pickle}
signature: {inputs: '[{"type": "double", "name": "x", "required": true}]', outputs: null, params: null}
`)}}
	}
}

func TestAModelOfScikitLearnIsServedAsONNXWhereThatSaysTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts many Python processes")
	}
	raw := table(t, 1000)
	folder := pickled(t, raw)
	now := start.Add(1005 * time.Hour)
	for _, c := range []struct {
		name, file, says string
		converts, whole  bool
	}{
		{"tree", onnx.File, "the same as scikit-learn of 996 rows", true, false},
		{"linear", onnx.File, "the same as scikit-learn of 996 rows", true, true},
		{"neighbours", worker.FileName, "a Python process scores it", true, false},
		{"linear", worker.FileName, "No module named 'skl2onnx'", false, false},
	} {
		t.Run(fmt.Sprint(c.name, c.converts), func(t *testing.T) {
			tr, files := trainer(t, raw)
			j := scikit(t, tr, folder(c.name), c.converts)
			r := Request{Recipe: recipe(), Files: files, Now: now, Key: "judge m@3/1"}
			res, err := j.Run(t.Context(), Judging{Request: r, Version: 3, Registered: now}, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			text, judged := reason(res.Verdict, "scored in Go")
			if !strings.Contains(text, c.says) || judged != (c.file == onnx.File) {
				t.Errorf("%v %q", judged, text)
			}
			t.Log(text)
			if record, err := readBlob(t.Context(), tr.Blobs, res.Record); err != nil || !strings.Contains(string(record), "scored in Go") {
				t.Errorf("the record does not tell: %v", err)
			}
			asServed(t, tr, res.Bundle, c.file, c.whole)
		})
	}
}

// asServed opens the bundle, replays its golden rows, and asks for a row that misses its
// value.
func asServed(t *testing.T, tr *Trainer, d blob.Digest, file string, whole bool) {
	t.Helper()
	b, err := model.Open(t.Context(), tr.Blobs, tr.Decoders, d)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.Manifest.Estimator != file {
		t.Fatalf("the bundle is %s, want %s", b.Manifest.Estimator, file)
	}
	if err := b.Verify(t.Context(), tr.Blobs); err != nil {
		t.Error(err)
	}
	if file != onnx.File {
		return
	}
	_, err = b.Predict(t.Context(), frame.New(frame.NumberColumn("x", []float64{0.5, math.NaN()})))
	if refused := fault.Is(err, fault.Invalid) && strings.Contains(err.Error(), `row 1: column "x"`); refused != whole || (err != nil) != whole {
		t.Errorf("a missing value: %v", err)
	}
}

// TestAConvertedClassifierAnswersLabelsAsItsPredictDoes compares by sameAnswers, and then
// looks at what is kept.
func TestAConvertedClassifierAnswersLabelsAsItsPredictDoes(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts many Python processes")
	}
	raw := table(t, 1000)
	folder := pickled(t, raw)
	margin := 0.1
	for name, want := range map[string]string{"logistic": "true", "words": `"many"`} {
		t.Run(name, func(t *testing.T) {
			tr, files := trainer(t, raw)
			f, err := SourceBytes(t.Context(), tr.Blobs, binary(t, string(raw)))
			if err != nil {
				t.Fatal(err)
			}
			files["a.csv"] = f
			r := Request{Recipe: recipe(), Files: files, Now: start.Add(1005 * time.Hour), Key: "judge m@3/1"}
			r.Recipe.Task.Kind = "binary"
			r.Recipe.Gate.Metrics = []gate.Rule{{Name: "log_loss", Require: gate.Requirement{Word: "noninferior"}, Margin: &margin}}
			res, err := scikit(t, tr, folder(name), true).Run(t.Context(), Judging{Request: r, Version: 3, Registered: r.Now}, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := reason(res.Verdict, "scored in Go")
			t.Log(text)
			b, err := model.Open(t.Context(), tr.Blobs, tr.Decoders, res.Bundle)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			got, err := b.Answer(t.Context(), model.Call{Rows: frame.New(frame.NumberColumn("x", []float64{3}))})
			if err != nil || string(got) != "["+want+"]" {
				t.Errorf("%s answers %s, %v", b.Manifest.Estimator, got, err)
			}
		})
	}
}

// binary is the table with y as 1 where it is above 10.
func binary(t *testing.T, raw string) []byte {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(raw, "\n"), "\n")
	for i, l := range lines[1:] {
		at := strings.LastIndexByte(l, ',')
		var y float64
		if _, err := fmt.Sscan(l[at+1:], &y); err != nil {
			t.Fatal(err)
		}
		word := "0"
		if y > 10 {
			word = "1"
		}
		lines[i+1] = l[:at+1] + word
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}
