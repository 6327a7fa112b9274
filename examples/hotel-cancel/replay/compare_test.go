// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"flyball/blob"
	"flyball/event"
	"flyball/experiment"
	"flyball/experiment/compare"
	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/ident"
	"flyball/job"
	"flyball/model/registry"
	"flyball/training"
	"flyball/training/learner"
)

var update = flag.Bool("update", false, "write testdata/deep.csv.gz and shallow.csv.gz anew; then run testdata/verdict.py")

// kept takes what trainings leave.
type kept struct {
	versions int
	files    map[string][]byte
	params   []experiment.Param
}

func (k *kept) AddVersion(_ context.Context, v registry.Version, _ ...event.Event) (registry.Version, error) {
	k.versions++
	v.Version = 1
	return v, nil
}

func (k *kept) Version(context.Context, ident.Ref) (registry.Version, error) {
	return registry.Version{}, nil
}

func (k *kept) Begin(context.Context, string, experiment.Run) error { return nil }

func (k *kept) Track(_ context.Context, _ string, r experiment.Run, files map[string][]byte) error {
	k.files, k.params = files, r.Params
	return nil
}

// recipeRun trains all bookings made before the replay by a changed model file, and
// returns the run that is left.
func recipeRun(t *testing.T, name string, raw []byte, change ...string) compare.Subject {
	t.Helper()
	recipe := read(t, change...)
	recipe.Gate.Reproduce = ""
	memory := blob.Memory()
	source, err := training.SourceBytes(t.Context(), memory, raw)
	if err != nil {
		t.Fatal(err)
	}
	k := &kept{}
	tr := training.Trainer{Blobs: memory, Decoders: learner.Decoders(), Logger: slog.New(slog.DiscardHandler), Tracker: k}
	input, err := json.Marshal(training.Request{Recipe: recipe, Files: map[string]registry.DataFile{"bookings.csv.gz": source}, Now: begins, Key: name})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Handler(k)(t.Context(), job.Job{Input: input}, nil); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", name+".csv.gz")
	if *update {
		if err := os.WriteFile(file, k.files[compare.PredictionsFileZip], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m, err := compare.ReadManifest(k.files[compare.ManifestFile])
	if err != nil {
		t.Fatal(err)
	}
	e, err := compare.Read(m, compare.PredictionsFileZip, bytes.NewReader(k.files[compare.PredictionsFileZip]))
	if err != nil {
		t.Fatal(err)
	}
	recorded, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	old, err := compare.Read(m, compare.PredictionsFileZip, bytes.NewReader(recorded))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(old.Keys, e.Keys) || !slices.Equal(old.Score, e.Score) {
		t.Errorf("%s predicts otherwise than %s: go test -update, and verdict.py again", name, file)
	}
	return compare.Subject{Ref: "run:" + name, Name: name, Params: k.params, Evaluation: e}
}

// independent is what testdata/verdict.py, apart from Flyball, says of two recipes.
type independent struct {
	Rows, Blocks, Positives, Changed, Right int
	LogLoss                                 figures `json:"log_loss"`
	Brier                                   figures
	Accuracy                                figures
	AUC                                     struct{ Shallow, Deep float64 }
	Slices                                  map[string]struct {
		figures
		Rows int
		Holm float64
	}
}

type figures struct{ Value, Low, High float64 }

func (f figures) is(d *evaluation.Difference) bool {
	near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-9 }
	return d != nil && near(d.Value, f.Value) && near(d.Low, f.Low) && near(d.High, f.High)
}

func TestTwoRecipesAreComparedOnRealBookings(t *testing.T) {
	rows, err := history(options{dir: "..", thin: 1}, func(booked time.Time) bool { return booked.Before(begins) })
	if err != nil {
		t.Fatal(err)
	}
	raw, err := pack(rows)
	if err != nil {
		t.Fatal(err)
	}
	const ours = "{trees: 100, depth: 4, learning_rate: 0.1, colsample: 0.3}"
	deep := recipeRun(t, "deep", raw, ours, "{trees: 100, depth: 4, learning_rate: 0.1}")
	shallow := recipeRun(t, "shallow", raw, ours, "{trees: 25, depth: 2, learning_rate: 0.1}")
	r := compare.Compare([]compare.Subject{shallow, deep}, compare.Options{Slices: true})
	text, err := os.ReadFile("testdata/verdict.json")
	if err != nil {
		t.Fatal(err)
	}
	var want independent
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	p := r.Pairs[0]
	if p.Rows != want.Rows || p.Blocks != want.Blocks || p.Positives != want.Positives {
		t.Errorf("got %d rows in %d blocks, %d cancelled; Python has %+v", p.Rows, p.Blocks, p.Positives, want)
	}
	for _, j := range p.Metrics {
		switch j.Metric {
		case "log_loss":
			if !want.LogLoss.is(j.Difference) || j.Decision != decision(want.LogLoss) {
				t.Errorf("log_loss: got %s %+v, want %+v", j.Decision, j.Difference, want.LogLoss)
			}
		case "brier":
			if !want.Brier.is(j.Difference) {
				t.Errorf("brier: got %+v, want %+v", j.Difference, want.Brier)
			}
		case "accuracy":
			if !want.Accuracy.is(j.Difference) {
				t.Errorf("accuracy: got %+v, want %+v", j.Difference, want.Accuracy)
			}
		case "auc":
			if math.Abs(j.Candidate.Value-want.AUC.Deep) > 1e-9 || math.Abs(j.Reference.Value-want.AUC.Shallow) > 1e-9 {
				t.Errorf("auc: got %v and %v, want %+v", j.Candidate.Value, j.Reference.Value, want.AUC)
			}
		}
	}
	if w := p.Where; w.Changed != want.Changed || w.ToYes.Right+w.ToNo.Right != want.Right {
		t.Errorf("got %+v; Python finds %d changed, right in %d", w, want.Changed, want.Right)
	}
	for _, s := range p.Slices {
		py, judged := want.Slices[s.Column+"="+s.Value]
		if s.NotJudged == judged {
			t.Errorf("%s=%s: judged %v, in Python %v", s.Column, s.Value, !s.NotJudged, judged)
		} else if judged && (!py.is(s.Difference) || s.Rows != py.Rows || math.Abs(*s.Holm-py.Holm) > 1e-9) {
			t.Errorf("%s=%s: got %+v, Holm %v, want %+v", s.Column, s.Value, s.Difference, *s.Holm, py)
		}
	}
	if p.Judged != len(want.Slices) {
		t.Errorf("%d slices are judged, in Python %d", p.Judged, len(want.Slices))
	}
	const sentence = "2,330 rows in 1,167 blocks that both have cannot tell deep from shallow: log_loss is better by 0.034 (95 %: −0.010…+0.078); it needs about 1,700 more rows. " +
		"It is better in 3 of 13 slices and worse beyond doubt in none."
	if r.Sentence != sentence {
		t.Errorf("got  %s\nwant %s", r.Sentence, sentence)
	}
	var differs []string
	for _, f := range r.Differs {
		differs = append(differs, f.Key+" "+*f.Values[0]+" "+*f.Values[1])
	}
	if want := []string{"depth 2 4", "trees 25 100"}; !slices.Equal(differs, want) {
		t.Errorf("got %q, want %q", differs, want)
	}
}

func decision(f figures) gate.Decision {
	switch {
	case f.Low > 0:
		return gate.Superior
	case f.High < 0:
		return gate.Harm
	}
	return gate.Inconclusive
}
