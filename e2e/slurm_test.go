// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"flyball/training/executor/slurm/slurmtest"
)

// folderOf is a folder with the bikes' data of 2011 and the example's model file, changed.
func folderOf(t *testing.T, changes ...[2]string) (model string) {
	t.Helper()
	past, _ := history(t)
	dir := t.TempDir()
	model = filepath.Join(dir, "model.yaml")
	for name, raw := range map[string][]byte{model: []byte(modelFile(t, changes...)), filepath.Join(dir, source): csvFile(past)} {
		if err := os.WriteFile(name, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return model
}

// on is the line that has the model trained elsewhere.
func on(executor string) [2]string { return [2]string{"  seed: 7\n", "  seed: 7\n  executor: " + executor + "\n"} }

// TestTheBikesTrainOnAnExecutorWithTheBitsOfTheServerItself compares the bundle that the
// server makes by itself with those of the local executor and of a real Slurm.
func TestTheBikesTrainOnAnExecutorWithTheBitsOfTheServerItself(t *testing.T) {
	_, coming := history(t)
	bundle := func(t *testing.T, changes [][2]string, args ...string) string {
		t.Helper()
		s := start(t, t.TempDir(), args...)
		command{args: "apply " + folderOf(t, changes...), says: "bike-demand applied"}.check(t, s.url)
		if err := s.Advance(t.Context(), coming[0].at); err != nil {
			t.Fatal(err)
		}
		vs, err := s.Versions(t.Context(), bike)
		if err != nil || len(vs) != 1 {
			t.Fatalf("got %d versions, %v", len(vs), err)
		}
		if len(changes) > 0 {
			command{args: "runs logs bike-demand@1", says: "trained 200 of 200"}.check(t, s.url)
		}
		return string(vs[0].Bundle)
	}
	want := bundle(t, nil)
	if got := bundle(t, [][2]string{on("local")}, "--executor", "local"); got != want {
		t.Errorf("the local executor made %s, the server %s", got, want)
	}
	t.Run("Slurm", func(t *testing.T) {
		slurmtest.Start(t)
		if got := bundle(t, [][2]string{on("slurm")}, "--executor", "slurm"); got != want {
			t.Errorf("Slurm made %s, the server %s", got, want)
		}
	})
}
