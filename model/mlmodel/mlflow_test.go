// SPDX-License-Identifier: Apache-2.0

package mlmodel_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os/exec"
	"path/filepath"
	"testing"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/data/pipeline"
)

func TestMLflowLoadsAFolderAndScoresRowsInAnyForm(t *testing.T) {
	train, later := table(900, 0), table(200, 5000)
	y := make([]float64, train.Rows())
	for i := range y {
		y[i] = math.Sin(float64(i)) + float64(i%5)
	}
	blobs := blob.Memory()
	b := bundle(t, blobs, dataset.Regression, "builtin/gbdt", pipeline.Spec{Inputs: train.Fields(), Steps: everything}, train, y)
	dir := folder(t, blobs, b)
	want, err := b.Predict(ctx, later)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := json.Marshal(columns(later))
	if err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("testdata/frames.py")
	if err != nil {
		t.Fatal(err)
	}
	for _, client := range []string{"mlflow2", "mlflow3"} {
		t.Run(client, func(t *testing.T) {
			python, err := filepath.Abs("../../.cache/" + client + "/bin/python")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := exec.LookPath(python); err != nil {
				t.Skip("no Python with MLflow: scripts/setup.sh makes .cache/" + client)
			}
			t.Parallel()
			var out, talk bytes.Buffer
			cmd := exec.CommandContext(ctx, python, script, dir)
			cmd.Dir = t.TempDir() // MLflow leaves a folder where it runs
			cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(rows), &out, &talk
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v\n%s", err, talk.String())
			}
			var got struct {
				Bits   []uint64
				Differ []string
			}
			if err := json.Unmarshal(out.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			for _, what := range got.Differ {
				t.Error(what)
			}
			if len(got.Bits) != len(want.Values) {
				t.Fatalf("got %d scores, want %d", len(got.Bits), len(want.Values))
			}
			for i, w := range want.Values {
				if got.Bits[i] != math.Float64bits(w) {
					t.Fatalf("score %d is %v in Python and %v in Go", i, math.Float64frombits(got.Bits[i]), w)
				}
			}
		})
	}
}
