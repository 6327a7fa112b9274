// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/api/wire"
	"flyball/blob"
	"flyball/training"
)

// withUV puts uv on the path, with what scripts/setup.sh has fetched already.
func withUV(t *testing.T) {
	t.Helper()
	cache, err := filepath.Abs(filepath.Join("..", ".cache"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(cache, "uv", "bin", "uv")); err != nil {
		t.Skip("no .cache/uv: scripts/setup.sh makes it")
	}
	t.Setenv("PATH", filepath.Join(cache, "uv", "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("UV_CACHE_DIR", filepath.Join(cache, "uv-cache"))
	t.Setenv("UV_PYTHON_DOWNLOADS", "never")
	t.Setenv("UV_NATIVE_TLS", "true")
}

// withRequirements is a folder with a script of scikit-learn, what it requires, its data
// and its model file.
func withRequirements(t *testing.T) (model string) {
	t.Helper()
	model = ofExample(t, "sklearn", "settings: {n_estimators: 60, max_depth: 5, learning_rate: 0.1}", "environment: requirements.txt", "  reproduce: required\n", "")
	for _, name := range []string{"train.py", "requirements.txt"} {
		raw, err := os.ReadFile(filepath.Join("testdata", "environment", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(filepath.Dir(model), name), raw, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return model
}

// recordedIn is the lock that the record of an archive names.
func recordedIn(t *testing.T, archive string) string {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	blobs := blob.Memory()
	v, err := training.ReadTar(t.Context(), f, blobs)
	if err != nil {
		t.Fatal(err)
	}
	record, err := blob.ReadAll(t.Context(), blobs, v.Record, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := training.RecordedLock(t.Context(), blobs, record)
	if err != nil {
		t.Fatal(err)
	}
	return string(lock)
}

func TestACommandHasThePythonEnvironmentOfItsModelFileAndItIsMadeAgainElsewhere(t *testing.T) {
	python(t, "onnx") // whose packages are those that the script requires
	withUV(t)
	model := withRequirements(t)
	s := start(t, t.TempDir(), "--executor", "local")
	command{args: "apply " + model, says: "bike-sklearn applied"}.check(t, s.url)
	if err := s.Advance(t.Context(), time.Date(2013, 1, 2, 0, 0, 0, 0, time.UTC)); err != nil {
		if strings.Contains(err.Error(), "uv cannot fetch") {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	archive := filepath.Join(t.TempDir(), "v1.tar")
	command{args: "versions bike-sklearn -o csv", says: "bike-sklearn@1,live,pass"}.check(t, s.url)
	command{args: "export bike-sklearn@1 " + archive}.check(t, s.url)
	s.stop()
	lock := recordedIn(t, archive)
	for _, want := range []string{"# python 3.", "\nscikit-learn==1.8.0\n", "\nthreadpoolctl=="} { // the last is only required by another
		if !strings.Contains(lock, want) {
			t.Errorf("the lock has no %q:\n%s", want, lock)
		}
	}
	t.Chdir(t.TempDir())
	got := runWithin(t, 3*patience, "", "", "reproduce", "--from", archive, "--executor", "local", "-o", "json")
	var again wire.Reproduced
	if err := json.Unmarshal([]byte(got.out), &again); err != nil || got.code != 0 || again.Grade < training.R2 {
		t.Fatalf("exit %d: %s%s", got.code, got.out, got.stderr)
	}
	told := false
	for _, c := range again.Table {
		told = told || c.What == "python environment" && c.Recorded != ""
		if c.Part == "machine" && !c.Equal {
			t.Errorf("another %s: was %s, is %s", c.What, c.Recorded, c.Again)
		}
	}
	if !told {
		t.Errorf("the environments are not compared: %s", got.out)
	}
}
