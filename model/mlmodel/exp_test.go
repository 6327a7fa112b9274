// SPDX-License-Identifier: Apache-2.0

package mlmodel_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/data/pipeline"
	"flyball/stat"
)

func TestTheLoadersExpHasGosBits(t *testing.T) {
	x := []float64{
		0, math.Copysign(0, -1), 1, -1, math.Inf(1), math.Inf(-1), math.NaN(), math.SmallestNonzeroFloat64, math.MaxFloat64,
		7.09782712893383973096e+02, math.Nextafter(7.09782712893383973096e+02, 1000),
		-7.45133219101941108420e+02, math.Nextafter(-7.45133219101941108420e+02, -1000),
	}
	r := rand.New(rand.NewPCG(6, 1))
	for len(x) < 1_000_000 {
		x = append(x, 5*r.NormFloat64(), -746+1456*r.Float64(), -746+38*r.Float64(), math.Ldexp(2*r.Float64()-1, -r.IntN(1074)))
	}
	in, err := binary.Append(nil, binary.LittleEndian, x)
	if err != nil {
		t.Fatal(err)
	}
	var out, talk bytes.Buffer
	cmd := exec.CommandContext(ctx, python(t), "-W", "error", "testdata/exp.py", "flyball_model.py")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &talk
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, talk.String())
	}
	got := make([]float64, len(x))
	if _, err := binary.Decode(out.Bytes(), binary.LittleEndian, got); err != nil {
		t.Fatal(err)
	}
	for i := range x {
		if want := stat.Exp(x[i]); math.Float64bits(got[i]) != math.Float64bits(want) {
			t.Fatalf("e^%v is %v in Python and %v in Go", x[i], got[i], want)
		}
	}
}

func TestAProbabilityThatDiffersInItsLastBitIsRefusedInPython(t *testing.T) {
	train := table(300, 0)
	y := make([]float64, train.Rows())
	for i := range y {
		y[i] = float64(i % 2)
	}
	for _, c := range []struct {
		name, expr string
		tolerance  float64
	}{
		{"exact arithmetic", `1 / (1 + exp(-x))`, 0},
		{"a logarithm", `log(1 + exp(x))`, 1e-6},
	} {
		t.Run(c.name, func(t *testing.T) {
			blobs := blob.Memory()
			b := bundle(t, blobs, dataset.Binary, "builtin/linear", pipeline.Spec{
				Inputs: train.Fields()[:2], Steps: []pipeline.Step{{Op: "expr", As: "made", Expr: c.expr}},
			}, train, y)
			dir := folder(t, blobs, b)
			path := filepath.Join(dir, "flyball/loader.json")
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var file map[string]any
			if err := json.Unmarshal(raw, &file); err != nil {
				t.Fatal(err)
			}
			if file["tolerance"] != c.tolerance {
				t.Errorf("the tolerance is %v, want %v", file["tolerance"], c.tolerance)
			}
			score := file["golden"].(map[string]any)["scores"].([]any)[3].([]any)
			score[0] = math.Nextafter(score[0].(float64), 1)
			if raw, err = json.Marshal(file); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(ctx, python(t), "testdata/score.py", dir)
			cmd.Stdin = strings.NewReader(`{"x": [1], "lead time": [2]}`)
			out, err := cmd.CombinedOutput()
			if refused := err != nil && strings.Contains(string(out), "golden row 3 scores"); refused != (c.tolerance == 0) {
				t.Errorf("got %v, %s", err, out)
			}
		})
	}
}
