// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAPipelineLeavesTheServer takes the live version's pipeline out in each form, and
// has onnxruntime and Python make the same features as Flyball.
func TestAPipelineLeavesTheServer(t *testing.T) {
	exe := python(t, "onnx")
	past, _ := history(t)
	past = past[len(past)-150*24:]
	s := start(t, t.TempDir())
	live(t, s, modelFile(t, byHand...), past)
	dir := t.TempDir()
	csv := filepath.Join(dir, "hours.csv")
	if err := os.WriteFile(csv, csvFile(past[:500]), 0o600); err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, c := range []command{
		{args: "pipelines export " + bike + " --to onnx --out " + at("p.onnx")},
		{args: "pipelines export " + bike + "@9 --to onnx --out " + at("q.onnx"), code: 5, says: "there is no version"},
		{args: "pipelines export " + bike + " --to python --out " + at("py")},
		{args: "pipelines transform " + bike + " --in " + csv + " --out " + at("f.parquet"), says: "500"},
		{args: "pipelines transform " + at("py/pipeline.json") + " --in " + csv + " --out " + at("g.parquet"), says: "500"},
		{args: "pipelines transform " + bike + " --in " + csv + " --out " + at("f.parquet"), code: 6, says: "is there already"},
	} {
		c.check(t, s.url)
	}
	one, err := os.ReadFile(at("f.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	two, err := os.ReadFile(at("g.parquet"))
	if err != nil || string(one) != string(two) {
		t.Errorf("the version and its file give other features (%v)", err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-c", `import onnxruntime
from flyball import pipeline
p = pipeline.load("pipeline.json")
p.check(onnxruntime.InferenceSession("../p.onnx"))
print(len(p.features), "features")`)
	cmd.Dir = at("py")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), " features") {
		t.Errorf("%v\n%s", err, out)
	}
}
