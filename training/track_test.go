// SPDX-License-Identifier: Apache-2.0

package training

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"flyball/event"
	"flyball/experiment"
	"flyball/experiment/compare"
	"flyball/ident"
	"flyball/job"
	"flyball/model/registry"
)

// shelf keeps versions and runs in memory.
type shelf struct {
	versions []registry.Version
	runs     map[ident.RunID]experiment.Run
	files    map[string][]byte
	tracked  int
	fails    error
}

func (s *shelf) AddVersion(_ context.Context, v registry.Version, _ ...event.Event) (registry.Version, error) {
	for _, kept := range s.versions {
		if kept.Key == v.Key && kept.Model == v.Model {
			return kept, nil
		}
	}
	v.Version = 1
	for _, kept := range s.versions {
		if kept.Model == v.Model {
			v.Version++
		}
	}
	s.versions = append(s.versions, v)
	return v, nil
}

func (s *shelf) Version(_ context.Context, ref ident.Ref) (registry.Version, error) {
	for _, v := range s.versions {
		if v.Ref == ref {
			return v, nil
		}
	}
	return registry.Version{}, errors.New("no version")
}

func (s *shelf) Begin(context.Context, string, experiment.Run) error { return nil }

func (s *shelf) Track(_ context.Context, name string, r experiment.Run, files map[string][]byte) error {
	s.tracked++
	if s.fails != nil {
		return s.fails
	}
	if name != "m" {
		return fmt.Errorf("the experiment is %s", name)
	}
	if _, ok := s.runs[r.ID]; !ok {
		s.runs[r.ID] = r
		for path, b := range files {
			s.files[string(r.ID)+"/"+path] = b
		}
	}
	return nil
}

func (s *shelf) train(t *testing.T, tr *Trainer, r Request) {
	t.Helper()
	input, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Handler(s)(t.Context(), job.Job{Input: input}, nil); err != nil {
		t.Fatal(err)
	}
}

func TestATrainingLeavesARunWithWhatItPredicted(t *testing.T) {
	tr, files := trainer(t, table(t, 1000))
	s := &shelf{runs: map[ident.RunID]experiment.Run{}, files: map[string][]byte{}}
	tr.Tracker = s
	r := Request{Recipe: recipe(), Files: files, Now: start.Add(1005 * time.Hour), Cause: "first", By: "ana", Key: "m/1"}
	s.train(t, tr, r)
	s.train(t, tr, r) // the job again, as after a crash
	if len(s.runs) != 1 || s.tracked != 2 || s.versions[0].RunID != RunOf("m/1") {
		t.Fatalf("two runnings of one job left %d runs; version 1 is of run %s", len(s.runs), s.versions[0].RunID)
	}
	run := s.runs[RunOf("m/1")]
	got := map[string]string{}
	for _, p := range run.Params {
		got[p.Key] = p.Value
	}
	want := map[string]string{
		"learner": "builtin/gbdt", "trees": "20", "depth": "3", "learning_rate": "0.3", "seed": "7", "rows.train": "756", "rows.test": "240",
		"columns": "x", "data.source": "a.csv", "data.test": `{"window":"10d","at_least":200}`, "pipeline": got["pipeline"],
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	tags := map[string]string{}
	for _, tag := range run.Tags {
		tags[tag.Key] = tag.Value
	}
	for k, v := range map[string]string{"mlflow.runName": "v1", "mlflow.user": "ana", "flyball.version": "m@1", "flyball.cause": "first", "flyball.verdict": "pass", "mlflow.source.type": "JOB"} {
		if tags[k] != v {
			t.Errorf("tag %s: got %q, want %q", k, tags[k], v)
		}
	}
	if in := run.Inputs[0]; in.Dataset.Digest != string(s.versions[0].Snapshot[:32]) || in.Tags[0].Value != "training" {
		t.Errorf("got %+v", in)
	}
	mae := -1.0
	for _, m := range run.Metrics {
		if m.Key == "mae" {
			mae = m.Value
		}
	}
	if !(mae > 0 && mae < 0.5) || len(run.Metrics) < 5 {
		t.Errorf("mae %v of %d metrics", mae, len(run.Metrics))
	}
	names := slices.Sorted(maps.Keys(s.files))
	if want := []string{"evaluation/evaluation.json", "evaluation/others/m.baseline@1.csv.gz", "evaluation/predictions.csv.gz"}; !cmp.Equal(trimmed(names), want) {
		t.Errorf("got %q", names)
	}
	own := s.evaluation(t, RunOf("m/1"), compare.PredictionsFileZip)
	floor := s.evaluation(t, RunOf("m/1"), compare.OtherFile("m.baseline@1"))
	p := compare.Compare([]compare.Subject{{Name: "the baseline", Evaluation: floor}, {Name: "v1", Evaluation: own}}, compare.Options{}).Pairs[0]
	if p.Rows != 240 || p.Blocks != 11 || !strings.HasPrefix(p.Sentence, "v1 is better than the baseline by ") {
		t.Errorf("got %d rows in %d blocks: %s", p.Rows, p.Blocks, p.Sentence)
	}
	if got := p.Metrics[0].Candidate.Value; got != mae {
		t.Errorf("mae is %v in the files and %v in the metrics", got, mae)
	}
}

func (s *shelf) evaluation(t *testing.T, id ident.RunID, file string) *compare.Evaluation {
	t.Helper()
	m, err := compare.ReadManifest(s.files[string(id)+"/"+compare.ManifestFile])
	if err != nil {
		t.Fatal(err)
	}
	e, err := compare.Read(m, file, bytes.NewReader(s.files[string(id)+"/"+file]))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func trimmed(names []string) []string {
	var out []string
	for _, n := range names {
		_, rest, _ := strings.Cut(n, "/")
		out = append(out, rest)
	}
	return out
}

func TestAVersionServesEvenIfItsRunCannotBeKept(t *testing.T) {
	tr, files := trainer(t, table(t, 1000))
	s := &shelf{fails: errors.New("the experiment is deleted")}
	tr.Tracker = s
	s.train(t, tr, Request{Recipe: recipe(), Files: files, Now: start.Add(1005 * time.Hour), Cause: "first", By: "ana", Key: "m/1"})
	if len(s.versions) != 2 || s.tracked != 1 {
		t.Errorf("%d versions, %d tries", len(s.versions), s.tracked)
	}
}

func TestATrainingThatFailsLeavesARunThatSaysWhy(t *testing.T) {
	tr, files := trainer(t, table(t, 500))
	s := &shelf{runs: map[ident.RunID]experiment.Run{}}
	tr.Tracker = s
	r := Request{Recipe: recipe(), Files: files, Now: start, Cause: "drift", By: "flyball", Key: "m/3"}
	input, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := tr.Handler(s)(t.Context(), job.Job{Input: input}, nil); err == nil {
			t.Fatal("it did not fail")
		}
	}
	run, ok := s.runs[RunOf("m/3/failed")]
	if !ok || len(s.runs) != 1 || len(s.versions) != 0 || run.Status != experiment.Failed || run.Name != "failed" {
		t.Fatalf("got %d runs, %+v", len(s.runs), run)
	}
	tags := map[string]string{}
	for _, tag := range run.Tags {
		tags[tag.Key] = tag.Value
	}
	if !strings.HasPrefix(tags["flyball.error"], "0 mature rows: too few to train and to test") || tags["flyball.cause"] != "drift" || tags["flyball.version"] != "" {
		t.Errorf("got %v", tags)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := tr.Handler(s)(stopped, job.Job{Input: []byte(strings.Replace(string(input), "m/3", "m/4", 1))}, nil); err == nil || len(s.runs) != 1 {
		t.Errorf("a training that was stopped left a run: %v", err)
	}
}

func TestRowsWithoutAKeyAreNamedByTheirPlace(t *testing.T) {
	tr, files := trainer(t, table(t, 1000))
	r := Request{Recipe: recipe(), Files: files, Now: start.Add(1005 * time.Hour), Key: "m/1"}
	r.Recipe.Task.ID = ""
	res, err := tr.Run(t.Context(), r, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := res.said.keys[0], string(res.Snapshot[:12])+"/756"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
