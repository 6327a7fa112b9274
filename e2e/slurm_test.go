// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"flyball/e2e/engines"
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
func on(executor string) [2]string {
	return [2]string{"  seed: 7\n", "  seed: 7\n  executor: " + executor + "\n"}
}

// TestTheBikesTrainOnAnExecutorWithTheBitsOfTheServerItself compares the bundle that the
// server makes by itself with those of the local executor and of real clusters.
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
	t.Run("Kubernetes", func(t *testing.T) {
		engines.Want(t, "kubernetes")
		k := engines.StartKubernetes(t)
		file := executorsFile(t, "kubernetes: {kubeconfig: "+k.Kubeconfig+", image: none, binary: "+binary+"}\n")
		if got := bundle(t, [][2]string{on("kubernetes")}, "--executors", file); got != want {
			t.Errorf("Kubernetes made %s, the server %s", got, want)
		}
	})
	t.Run("Ray", func(t *testing.T) {
		engines.Want(t, "ray")
		r := engines.StartRay(t)
		file := executorsFile(t, "ray: {url: \""+r.URL+"\", token_file: "+r.Token+"}\n")
		if got := bundle(t, [][2]string{on("ray")}, "--executors", file); got != want {
			t.Errorf("Ray made %s, the server %s", got, want)
		}
	})
}

// executorsFile is a file for --executors.
func executorsFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "executors.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
