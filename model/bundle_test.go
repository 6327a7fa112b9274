// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/fault"
	"flyball/model"
	"flyball/training/learner"
)

var ctx = context.Background()

func rows() *frame.Frame {
	n := 400
	x, y := make([]float64, n), make([]string, n)
	for i := range n {
		x[i] = math.Sin(float64(i))
		if y[i] = "a"; i%3 == 0 {
			y[i] = "b"
		}
		if i%50 == 7 {
			x[i] = math.NaN()
		}
	}
	return frame.New(frame.NumberColumn("x", x), frame.TextColumn("city", y, nil))
}

func make1(t *testing.T, blobs blob.Store) *model.Bundle {
	t.Helper()
	f := rows()
	p, err := pipeline.Fit(ctx, pipeline.Spec{Inputs: f.Fields(), Steps: []pipeline.Step{{Op: "one_hot", In: []string{"city"}}}}, f, pipeline.Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	x, _, err := p.Transform(f)
	if err != nil {
		t.Fatal(err)
	}
	y := make([]float64, f.Rows())
	for i := range y {
		if f.Column("city").Text[i] == "b" {
			y[i] = 1
		}
	}
	l, err := learner.New("builtin/gbdt", map[string]any{"trees": 5})
	if err != nil {
		t.Fatal(err)
	}
	file, err := l.Fit(ctx, learner.Data{X: x, Y: y, Kind: dataset.Binary}, learner.Options{})
	if err != nil {
		t.Fatal(err)
	}
	task := dataset.Task{Column: "y", Kind: dataset.Binary, Decide: &dataset.Decision{Above: 0.5, Then: "hold", Else: "sell"}}
	b, err := model.Make(ctx, blobs, learner.Decoders(), model.Parts{Model: "m", Task: task, Pipeline: p, Estimator: file, Rows: f})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTheSamePartsAreTheSameBundleAndScoreTheSameWhenOpened(t *testing.T) {
	blobs := blob.Memory()
	a, b := make1(t, blobs), make1(t, blobs)
	if a.Digest != b.Digest {
		t.Errorf("got %s and %s", a.Digest, b.Digest)
	}
	opened, err := model.Open(ctx, blobs, learner.Decoders(), a.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := opened.Verify(ctx, blobs); err != nil {
		t.Errorf("golden rows: %v", err)
	}
	want, err := a.Predict(ctx, rows())
	if err != nil {
		t.Fatal(err)
	}
	got, err := opened.Predict(ctx, rows())
	if err != nil {
		t.Fatal(err)
	}
	for i := range want.Values {
		if math.Float64bits(got.Values[i]) != math.Float64bits(want.Values[i]) {
			t.Fatalf("row %d: got %v, want %v", i, got.Values[i], want.Values[i])
		}
	}
	if d := opened.Decision(got.Row(0)); d != "hold" { // row 0 is of city b
		t.Errorf("decision: got %q, want hold", d)
	}
}

// TestABundleThatDoesNotReproduceItsGoldenRowsIsRefused puts another estimator under
// the same golden rows.
func TestABundleThatDoesNotReproduceItsGoldenRowsIsRefused(t *testing.T) {
	blobs := blob.Memory()
	b := make1(t, blobs)
	raw, err := b.File(ctx, blobs, "model.json")
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(raw, []byte(`"base_score":"`), []byte(`"base_score":"0.5","was":"`), 1)
	if bytes.Equal(raw, changed) {
		t.Fatal("nothing was changed")
	}
	m := b.Manifest
	if m.Files["model.json"], err = blob.PutBytes(ctx, blobs, changed); err != nil {
		t.Fatal(err)
	}
	manifest, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	d, err := blob.PutBytes(ctx, blobs, manifest)
	if err != nil {
		t.Fatal(err)
	}
	other, err := model.Open(ctx, blobs, learner.Decoders(), d)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Verify(ctx, blobs); !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), "golden row 0 scores") {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsNoBundleIsNotOpened(t *testing.T) {
	blobs := blob.Memory()
	for _, text := range []string{"", "{}", `{"format":"flyball.bundle/v9"}`, `{"format":"flyball.bundle/v1","files":{}}`} {
		d, err := blob.PutBytes(ctx, blobs, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := model.Open(ctx, blobs, learner.Decoders(), d); err == nil {
			t.Errorf("%q was opened", text)
		}
	}
}
