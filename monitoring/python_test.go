// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"testing"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/stat"
)

// Where bins are values, distances on bins are those of the values.
func TestFiguresAreThoseOfSciPyAndScikitLearn(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs Python")
	}
	python := os.Getenv("FLYBALL_PYTHON")
	if python == "" {
		python = "../.cache/venv/bin/python"
	}
	if _, err := exec.LookPath(python); err != nil {
		t.Skip("no Python with SciPy: set FLYBALL_PYTHON or make .cache/venv")
	}
	r := rand.New(rand.NewPCG(1, 2))
	in := struct {
		A   []float64 `json:"a"`
		B   []float64 `json:"b"`
		X   []float64 `json:"x"`
		Y   []float64 `json:"y"`
		Now []float64 `json:"now"`
		Was []float64 `json:"was"`
	}{Now: []float64{0.1, 0.5, 0.25, 0.15}, Was: []float64{0.4, 0.3, 0.2, 0.1}}
	for range 3000 {
		in.A = append(in.A, float64(r.IntN(12)))
		in.B = append(in.B, float64(min(r.IntN(12), r.IntN(14))))
	}
	for range 600 {
		x := math.Round(r.Float64()*1e6) / 1e6
		y := 0.0
		if r.Float64() < x*x {
			y = 1
		}
		in.X, in.Y = append(in.X, x), append(in.Y, y)
	}
	raw, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-W", "ignore", "testdata/distances.py")
	cmd.Stdin = bytes.NewReader(raw)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		KS, JS, W1, Area, Accuracy, Brier, NDCG, AUC float64
		Isotonic                                     []float64
	}
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	near := func(what string, got, want float64) {
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: got %.12f, want %.12f", what, got, want)
		}
	}
	a, b := frame.NumberColumn("x", in.A), frame.NumberColumn("x", slices.Concat(in.A, in.B))
	f := newFeature(&b, 0)
	bins := func(v []float64) []int {
		c := make([]int, len(f.Counts))
		for _, x := range v {
			c[f.numberBin(x)]++
		}
		return c
	}
	at := append(slices.Clone(f.Edges), f.Max)
	near("KS", stat.KSBins(bins(a.Num), bins(in.B)), want.KS)
	near("Jensen–Shannon", stat.JensenShannon(bins(in.A), bins(in.B)), want.JS)
	near("Wasserstein", stat.W1Bins(at, bins(in.A), bins(in.B)), want.W1)

	order := make([]int, len(in.X))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		if in.X[i] < in.X[j] {
			return -1
		}
		return 1
	})
	var c Curve
	for _, i := range order {
		c.At, c.Value = append(c.At, in.X[i]), append(c.Value, in.Y[i])
	}
	c.Value = stat.Isotonic(c.Value, nil)
	for i, x := range in.X {
		near("isotonic curve", c.of(x), want.Isotonic[i])
	}
	u := &Unlabelled{Rows: 600, Metrics: []Known{{"auc", 0}, {"accuracy", 0}, {"brier", 0}}, Curves: []Curve{c}}
	got := u.Estimate(dataset.Binary, in.X)
	near("expected AUC", got[0].Value, want.Area)
	near("expected accuracy", got[1].Value, want.Accuracy)
	near("expected Brier score", got[2].Value, want.Brier)
	near("AUC of the classifier's scores", areaOf(in.X, in.Y, func(int) bool { return true }), want.AUC)

	shares := func(v []float64) *Attribution {
		out := &Attribution{Rows: 100}
		for k, s := range v {
			out.Columns = append(out.Columns, Column{string(rune('a' + k)), s})
		}
		slices.SortFunc(out.Columns, func(a, b Column) int {
			if a.Share > b.Share {
				return -1
			}
			return 1
		})
		return out
	}
	near("nDCG", compared(shares(in.Now), shares(in.Was)).Order, want.NDCG)
}
