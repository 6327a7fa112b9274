// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"flyball/data/frame"
	"flyball/data/pipeline"
)

// fittedFile is a folder with a pipeline.json and rows.csv.
func fittedFile(t *testing.T) (dir string, f *pipeline.Fitted) {
	t.Helper()
	dir = t.TempDir()
	spec := pipeline.Spec{
		Inputs: []frame.Field{{Name: "city", Kind: frame.Text}, {Name: "x", Kind: frame.Number}},
		Steps:  []pipeline.Step{{Op: "one_hot", In: []string{"city"}}, {Op: "expr", As: "twice", Expr: "x * 2"}},
	}
	rows := frame.New(frame.TextColumn("city", []string{"a", "b"}, nil), frame.NumberColumn("x", []float64{1, 2}))
	f, err := pipeline.Fit(t.Context(), spec, rows, pipeline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"pipeline.json": f.Encode(), "rows.csv": []byte("id,city,x\nr1,a,0.5\nr2,,\nr3,c,3\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, f
}

// run runs a command and gives its code and both its outputs.
func run(args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = Main(args, strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

func TestAPipelineIsWrittenForOtherPrograms(t *testing.T) {
	dir, f := fittedFile(t)
	file := filepath.Join(dir, "pipeline.json")
	if code, out, errs := run("pipelines", "export", file, "--to", "json", "--out", "-"); code != exitOK || out != string(f.Encode()) {
		t.Errorf("json ends with %d, %s", code, errs)
	}
	graph := filepath.Join(dir, "p.onnx")
	if code, _, errs := run("pipelines", "export", file, "--to", "onnx", "--out", graph); code != exitOK {
		t.Errorf("onnx ends with %d, %s", code, errs)
	}
	if code, _, errs := run("pipelines", "export", file, "--to", "onnx", "--out", graph); code != exitConflict {
		t.Errorf("writing over a file ends with %d, %s", code, errs)
	}
	if code, _, errs := run("pipelines", "export", file, "--to", "cobol", "--out", "x"); code != exitFailed || !strings.Contains(errs, "json, onnx or python") {
		t.Errorf("an unknown form ends with %d, %s", code, errs)
	}
	folder := filepath.Join(dir, "py")
	if code, _, errs := run("pipelines", "export", file, "--to", "python", "--out", folder); code != exitOK {
		t.Fatalf("python ends with %d, %s", code, errs)
	}
	exe, err := filepath.Abs("../.cache/onnx/bin/python")
	if _, err2 := exec.LookPath(exe); err != nil || err2 != nil || testing.Short() {
		t.Skip("no Python with NumPy, or a short run")
	}
	cmd := exec.CommandContext(t.Context(), exe, "-c", `from flyball import pipeline
print(pipeline.load("pipeline.json").transform([{"city": "a", "x": 0.5}, {"city": None, "x": None}]).tolist())`)
	cmd.Dir = folder
	got, err := cmd.Output()
	if want := "[[1.0, 0.0, 0.0, 0.5, 1.0], [0.0, 0.0, 0.0, nan, nan]]\n"; err != nil || string(got) != want {
		t.Errorf("the folder's Python says %s, %v", got, err)
	}
}

func TestFeaturesOfFilesAreWrittenAsParquet(t *testing.T) {
	dir, _ := fittedFile(t)
	out := filepath.Join(dir, "features.parquet")
	args := []string{"pipelines", "transform", filepath.Join(dir, "pipeline.json"), "--in", filepath.Join(dir, "rows.csv"), "--keep", "id", "--out", out}
	code, text, errs := run(args...)
	if code != exitOK || !strings.Contains(text, "3") || !strings.Contains(errs, "1 values had not been met") {
		t.Fatalf("transform ends with %d, %s%s", code, text, errs)
	}
	r, err := frame.OpenFile(out, frame.CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if c := got.Column("city=other").Num; c[0] != 0 || c[1] != 0 || c[2] != 1 {
		t.Errorf("city=other is %v", c)
	}
	if c := got.Column("twice").Num; c[0] != 1 || !math.IsNaN(c[1]) || c[2] != 6 {
		t.Errorf("twice is %v", c)
	}
	if c := got.Column("id"); c.Text[2] != "r3" {
		t.Errorf("the ids are %v", c.Text)
	}
	if code, _, errs := run("pipelines", "transform", filepath.Join(dir, "pipeline.json"), "--in", filepath.Join(dir, "rows.csv"), "--keep", "absent", "--out", out+"2"); code != exitFailed || !strings.Contains(errs, `"absent"`) {
		t.Errorf("an absent column ends with %d, %s", code, errs)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*tmp")); len(left) > 0 {
		t.Errorf("a failed command leaves %v", left)
	}
}
