// SPDX-License-Identifier: Apache-2.0

package training

import (
	"testing"
	"time"

	"flyball/data/frame"
)

func TestAFitIsFoundAgainByAllThatWentIntoIt(t *testing.T) {
	t.Parallel()
	raw := table(t, 300)
	tr, _ := trainer(t, raw)
	tr.Fits = &Fits{}
	r := recipe()
	in, err := frame.OpenBytes("a.csv", raw, frame.CSVOptions{Kinds: r.Kinds()})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := frame.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	fit := func(r Recipe, hours int) string {
		t.Helper()
		made, err := tr.Fit(t.Context(), r, rows, start.Add(time.Duration(hours)*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		defer made.Version.Close()
		defer made.Floor.Close()
		return string(made.Version.Manifest.Files["model.json"])
	}
	other := recipe()
	other.Train.Seed = 8
	for _, c := range []struct {
		what  string
		r     Recipe
		hours int
		made  int // fits, each of a version and of its baseline
	}{
		{"the first", r, 200, 2},
		{"the same again", r, 200, 2},
		{"more rows", r, 201, 4},
		{"another seed, of which the baseline's is one", other, 200, 6},
	} {
		before := len(tr.Fits.made)
		got := fit(c.r, c.hours)
		if len(tr.Fits.made) != c.made {
			t.Errorf("%s: %d fits were made and %d before, want %d", c.what, len(tr.Fits.made), before, c.made)
		}
		kept := tr.Fits
		tr.Fits = nil
		if again := fit(c.r, c.hours); again != got {
			t.Errorf("%s: the model that was found is %s, and made anew %s", c.what, got, again)
		}
		tr.Fits = kept
	}
}

func TestInputsThatDifferHaveOtherDigests(t *testing.T) {
	t.Parallel()
	spec := recipe().Pipeline
	spec.Inputs = append(spec.Inputs, frame.Field{Name: "c", Kind: frame.Text})
	rows := func(x float64, c ...string) *frame.Frame {
		null := make([]bool, len(c))
		for i := range c {
			null[i] = c[i] == "-"
			if null[i] {
				c[i] = ""
			}
		}
		return frame.New(frame.NumberColumn("x", []float64{x, 2}), frame.TextColumn("c", c, null))
	}
	seen := map[[32]byte]int{}
	for i, in := range []inputs{
		{steps: spec, rows: rows(1, "a", "b"), y: []float64{1, 2}},
		{steps: spec, rows: rows(3, "a", "b"), y: []float64{1, 2}},
		{steps: spec, rows: rows(1, "ab", ""), y: []float64{1, 2}},
		{steps: spec, rows: rows(1, "ab", "-"), y: []float64{1, 2}},
		{steps: spec, rows: rows(1, "a", "b"), y: []float64{2, 1}},
		{steps: spec, rows: rows(1, "a", "b"), y: []float64{1, 2}, weights: []float64{1, 1}},
		{steps: spec, rows: rows(1, "a", "b"), y: []float64{1, 2}, times: []int64{1, 1}},
		{steps: spec, rows: rows(1, "a", "b"), y: []float64{1, 2}, classes: 2},
	} {
		key, err := in.digest()
		if err != nil {
			t.Fatal(err)
		}
		if j, ok := seen[key]; ok {
			t.Errorf("inputs %d and %d have one digest", j, i)
		}
		seen[key] = i
	}
}
