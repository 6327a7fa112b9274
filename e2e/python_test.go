// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// pythons are the versions that the Python SDK is for.
var pythons = []string{"3.9", "3.10", "3.11", "3.12", "3.13"}

// python is the interpreter of an environment that scripts/setup.sh makes.
func python(t *testing.T, environment string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", ".cache", environment, "bin", "python"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no .cache/%s: scripts/setup.sh makes it", environment)
	}
	return path
}

func TestThePythonSDKPredictsAndLabels(t *testing.T) {
	exe := python(t, "venv")
	past, coming := history(t)
	s := start(t, t.TempDir())
	live(t, s, modelFile(t, byHand...), past[len(past)-150*24:])
	if err := s.Advance(t.Context(), coming[0].at); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-W", "error", "-m", "unittest", "discover", "-s", "tests")
	cmd.Dir = filepath.Join("..", "python")
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH=.", "FLYBALL_URL="+s.url, "FLYBALL_TOKEN=",
		"FLYBALL_TEST_MODEL="+bike, "FLYBALL_TEST_ROW="+string(coming[0].row(nil)), "FLYBALL_TEST_KEY="+coming[0].key())
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "\nOK") || strings.Contains(string(out), "skipped") {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestThePythonSDKIsTypedForEachPython(t *testing.T) {
	exe := python(t, "venv")
	cache := t.TempDir()
	for _, v := range pythons {
		cmd := exec.CommandContext(t.Context(), exe, "-m", "mypy", "--strict", "--python-version", v, "--cache-dir", cache, "flyball")
		cmd.Dir = filepath.Join("..", "python")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("Python %s: %v\n%s", v, err, out)
		}
	}
}

func TestThePythonSDKParsesForEachPython(t *testing.T) {
	exe := python(t, "venv")
	parse := `import ast, pathlib, sys
for f in pathlib.Path("flyball").glob("*.py"):
    ast.parse(f.read_text(), str(f), feature_version=tuple(map(int, sys.argv[1].split("."))))`
	for _, v := range pythons {
		cmd := exec.CommandContext(t.Context(), exe, "-c", parse, v)
		cmd.Dir = filepath.Join("..", "python")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("Python %s: %v\n%s", v, err, out)
		}
	}
}
