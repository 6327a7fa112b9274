// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// withPython puts the programs of an environment first on the path.
func withPython(t *testing.T, environment string) (exe string) {
	t.Helper()
	exe = python(t, environment)
	t.Setenv("PATH", filepath.Dir(exe)+string(os.PathListSeparator)+os.Getenv("PATH"))
	return exe
}

// ofExample is a folder with an example's script, its data and its model file, so changed
// that it trains quickly.
func ofExample(t *testing.T, name string, changes ...string) (model string) {
	t.Helper()
	dir := t.TempDir()
	for to, from := range map[string]string{
		"train.py": "command/" + name + "/train.py", "model.yaml": "command/" + name + "/model.yaml",
		"demo_bike_hourly.csv.gz": "bike-demand/demo_bike_hourly.csv.gz",
	} {
		raw, err := os.ReadFile(filepath.Join("..", "examples", filepath.FromSlash(from)))
		if err != nil {
			t.Fatal(err)
		}
		if to == "model.yaml" {
			for i := 0; i < len(changes); i += 2 {
				if !strings.Contains(string(raw), changes[i]) {
					t.Fatalf("the example's model file has no %q", changes[i])
				}
			}
			raw = []byte(strings.NewReplacer(append(changes, "../../bike-demand/", "")...).Replace(string(raw)))
		}
		if err := os.WriteFile(filepath.Join(dir, to), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "model.yaml")
}

func TestScriptsOfOtherLibrariesTrainUnchanged(t *testing.T) {
	withPython(t, "mlflow3")
	for _, name := range []string{"xgboost", "lightgbm"} {
		model := ofExample(t, name, "n_estimators: 100", "n_estimators: 20")
		got := runWithin(t, 3*patience, "", "", "train", model)
		for _, want := range []string{"bike-" + name + ": 17045 rows trained, 334 held out", "passes: mae"} {
			if got.code != 0 || !strings.Contains(got.out+got.stderr, want) {
				t.Errorf("%s: exit %d, want %q:\n%s%s", name, got.code, want, got.out, got.stderr)
			}
		}
		if !strings.Contains(got.out, "made twice, came out the same") {
			t.Errorf("%s: not made twice:\n%s", name, got.out)
		}
	}
}

// TestAScriptUnderAutologIsServedAndMadeAgainElsewhere takes scikit-learn under
// mlflow.autolog through the loop, and its archive to a machine that knows nothing.
func TestAScriptUnderAutologIsServedAndMadeAgainElsewhere(t *testing.T) {
	exe := withPython(t, "mlflow3")
	model := ofExample(t, "sklearn", "n_estimators: 60", "n_estimators: 25", "  reproduce: required\n", "")
	s := start(t, t.TempDir(), "--executor", "local", "--python", exe)
	command{args: "apply " + model, says: "bike-sklearn applied"}.check(t, s.url)
	at := time.Date(2013, 1, 2, 0, 0, 0, 0, time.UTC)
	if err := s.Advance(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(t.TempDir(), "v1.tar")
	row := `{"ts":"2013-01-02T08:00","hr":8,"weekday":3,"holiday":0,"workingday":1,"weathersit":1,"temp":0.4,"atemp":0.4,"hum":0.6,"windspeed":0.1}`
	for _, c := range []command{
		{args: "versions bike-sklearn -o csv", says: "bike-sklearn@1,live,pass"},
		{args: "predict bike-sklearn", stdin: row, says: "2013-01-02T08:00"},
		{args: "runs show bike-sklearn@1", says: "training_mean_absolute_error"}, // as autolog names it
		{args: "runs show bike-sklearn@1", says: "n_iter_no_change"},
		{args: "runs show bike-sklearn@1", says: "command.cpu_seconds"},
		{args: "runs logs bike-sklearn@1", says: "trained on 17045 rows and 9 features"},
		{args: "export bike-sklearn@1 " + archive, says: ""},
	} {
		c.check(t, s.url)
	}
	s.stop()
	refused := run(t, "", "", "reproduce", "--from", archive)
	if refused.code == 0 || !strings.Contains(refused.stderr, "to run it here, add --executor local") {
		t.Errorf("exit %d: %s%s", refused.code, refused.out, refused.stderr)
	}
	got := runWithin(t, 3*patience, "", "", "reproduce", "--from", archive, "--executor", "local", "--python", exe)
	if got.code != 0 || !strings.HasPrefix(got.out, "bike-sklearn@1: R2") && !strings.HasPrefix(got.out, "bike-sklearn@1: R3") {
		t.Errorf("exit %d: %s%s", got.code, got.out, got.stderr)
	}
}

// once notes each start of the program, and takes some seconds the first time, when the
// server is killed.
const once = `echo started >> %[1]q
[ "$(wc -l < %[1]q)" -gt 1 ] || sleep 5
cp ready.json "$FLYBALL_OUT/model.json"
`

func TestACommandGoesOnWhileItsServerIsKilledAndIsNotStartedTwice(t *testing.T) {
	past, _ := history(t)
	dir, starts := t.TempDir(), filepath.Join(t.TempDir(), "starts")
	s := start(t, dir, "--executor", "local")
	trained := applyScript(t, s, past, fmt.Sprintf(once, starts))
	commandRun(t, s)
	s.kill()
	if err := <-trained; err == nil {
		t.Fatal("the training had ended before the kill")
	}
	s = start(t, dir, "--executor", "local")
	now, err := s.Clock(t.Context())
	if err == nil {
		err = s.Advance(t.Context(), now.Now)
	}
	if err != nil {
		t.Fatal(err)
	}
	vs, err := s.Versions(t.Context(), bike)
	if err != nil || len(vs) != 1 {
		t.Errorf("got %d versions, %v", len(vs), err)
	}
	raw, err := os.ReadFile(starts)
	if err != nil {
		t.Fatal(err)
	}
	// The candidate, the same again for gate.reproduce, and the one that is registered.
	if got := strings.Fields(string(raw)); len(got) != 3 {
		t.Errorf("the program was started %d times, not 3", len(got))
	}
}
