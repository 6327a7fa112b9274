// SPDX-License-Identifier: Apache-2.0

package training

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"time"

	"flyball/blob"
	"flyball/model"
	"flyball/monitoring"
)

// final makes the version that may be released: the judged recipe fitted again on
// all mature rows, when it passed and the model file does not say never; else the
// judged version itself. Either gets the profile that monitoring compares with.
func (w *work) final(ctx context.Context) error {
	w.result.SeenUntil = w.part.SeenUntil
	at := w.part.Mature
	if !w.result.Verdict.Pass || w.recipe.Train.Refit == "never" {
		at = w.part.Train
		w.result.SeenUntil = w.part.TestFrom.Add(-time.Microsecond)
	} else {
		w.progress("fitting the recipe on all mature rows")
	}
	profile, err := w.profile(ctx, at)
	if err != nil {
		return err
	}
	b, err := w.make(ctx, w.recipe.Train, w.recipe.Pipeline, at, w.Workers, profile)
	if err != nil {
		return err
	}
	floor, err := w.makeFloor(ctx, at)
	if err != nil {
		return err
	}
	w.result.Bundle, w.result.Floor = b.Digest, floor.Digest
	return w.shift(ctx, b)
}

// profile is the reference that monitoring compares with: the rows trained on, and
// how far off the judged version was on rows it had not seen.
func (w *work) profile(ctx context.Context, at []int) ([]byte, error) {
	test := w.rows.Take(w.part.Test)
	got, err := w.candidate.Predict(ctx, test)
	if err != nil {
		return nil, err
	}
	held := monitoring.Residuals{Outputs: got.Outputs, Scores: got.Values, Classes: w.classes}
	for _, r := range w.part.Test {
		held.Truth = append(held.Truth, w.labels[r])
		if w.due[r] != math.MinInt64 { // rows without times have none
			held.Time = append(held.Time, w.due[r])
		}
	}
	rows := w.rows.Take(at)
	var scores []float64
	if got.Outputs == 1 {
		all, err := w.candidate.Predict(ctx, rows)
		if err != nil {
			return nil, err
		}
		scores = all.Values
	}
	p, err := monitoring.NewProfile(w.recipe.Watch, w.recipe.Task, w.recipe.Pipeline.Inputs, rows, scores, held)
	if err != nil {
		return nil, err
	}
	return p.Encode()
}

// shift reports how far the refit's predictions moved from the judged version's on
// the newest traffic, and fails the verdict when the owner set a bound and it is
// passed.
func (w *work) shift(ctx context.Context, b *model.Bundle) error {
	at, err := w.traffic()
	if err != nil || len(at) == 0 {
		return err
	}
	rows := w.rows.Take(at)
	before, err := w.candidate.Predict(ctx, rows)
	if err != nil {
		return err
	}
	after, err := b.Predict(ctx, rows)
	if err != nil {
		return err
	}
	sum, scale := 0.0, 0.0
	for i := range before.Values {
		sum += math.Abs(after.Values[i] - before.Values[i])
		scale += math.Abs(before.Values[i])
	}
	moved := sum / float64(len(before.Values))
	w.result.Shift = &moved
	if limit := w.recipe.Gate.Refit; limit != nil && sum > float64(limit.ShiftAtMost)*scale {
		v := &w.result.Verdict
		v.Pass = false
		v.Summary = fmt.Sprintf("kept out: refit moved predictions by %.1f %%", 100*sum/scale)
	}
	return nil
}

// BuildType names what a record.json describes, in the sense of SLSA v1 provenance.
const BuildType = "https://flyball.dev/training/v1"

// statement is an in-toto Statement v1 with a SLSA v1 provenance predicate
// (https://slsa.dev/spec/v1.0/provenance): how a version was made. It holds nothing
// that differs between two runs of the same request but the times of the run.
type statement struct {
	Type          string     `json:"_type"`
	Subject       []resource `json:"subject"`
	PredicateType string     `json:"predicateType"`
	Predicate     predicate  `json:"predicate"`
}

type resource struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

type predicate struct {
	BuildDefinition struct {
		BuildType            string     `json:"buildType"`
		ExternalParameters   Request    `json:"externalParameters"`
		InternalParameters   any        `json:"internalParameters"`
		ResolvedDependencies []resource `json:"resolvedDependencies"`
	} `json:"buildDefinition"`
	RunDetails struct {
		Builder struct {
			ID      string            `json:"id"`
			Version map[string]string `json:"version"`
		} `json:"builder"`
		Metadata struct {
			InvocationID string    `json:"invocationId"`
			FinishedOn   time.Time `json:"finishedOn"`
		} `json:"metadata"`
	} `json:"runDetails"`
}

// record writes record.json.
func (w *work) record(ctx context.Context) error {
	return w.describe(ctx, BuildType, map[string]any{
		"live": w.live, "refit": w.result.SeenUntil, "os": runtime.GOOS, "arch": runtime.GOARCH, "cpus": runtime.NumCPU(),
	})
}

// describe writes record.json of the type, with what is not part of the request.
func (w *work) describe(ctx context.Context, buildType string, internal map[string]any) error {
	s := statement{
		Type: "https://in-toto.io/Statement/v1", PredicateType: "https://slsa.dev/provenance/v1",
		Subject: []resource{named("bundle.json", w.result.Bundle), named("judged/bundle.json", w.result.Judged), named("baseline/bundle.json", w.result.Floor)},
	}
	d := &s.Predicate.BuildDefinition
	d.BuildType = buildType
	d.ExternalParameters = w.request
	d.ExternalParameters.Snapshot = w.result.Snapshot
	d.InternalParameters = internal
	d.ResolvedDependencies = []resource{named("snapshot", w.result.Snapshot)}
	for name, f := range w.request.Files {
		d.ResolvedDependencies = append(d.ResolvedDependencies, named("source/"+name, f.Digest))
	}
	run := &s.Predicate.RunDetails
	run.Builder.ID = "https://flyball.dev/flyball"
	run.Builder.Version = map[string]string{"go": runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		run.Builder.Version["flyball"] = info.Main.Version
	}
	run.Metadata.InvocationID, run.Metadata.FinishedOn = w.request.Key, w.request.Now
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode record.json: %w", err)
	}
	w.result.Record, _, err = w.Blobs.Put(ctx, bytes.NewReader(raw))
	return err
}

func named(name string, d blob.Digest) resource {
	return resource{Name: name, Digest: map[string]string{"sha256": string(d)}}
}

// Recorded reads what a record.json says a version was made of, and from what live
// version it had to differ.
func Recorded(raw []byte) (Request, *Opponent, error) {
	var s struct {
		Predicate struct {
			BuildDefinition struct {
				BuildType          string  `json:"buildType"`
				ExternalParameters Request `json:"externalParameters"`
				InternalParameters struct {
					Live *Opponent `json:"live"`
				} `json:"internalParameters"`
			} `json:"buildDefinition"`
		} `json:"predicate"`
	}
	if err := json.Unmarshal(raw, &s); err != nil || s.Predicate.BuildDefinition.BuildType != BuildType {
		return Request{}, nil, invalidRecord(err)
	}
	d := s.Predicate.BuildDefinition
	return d.ExternalParameters, d.InternalParameters.Live, nil
}
