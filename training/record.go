// SPDX-License-Identifier: Apache-2.0

package training

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"time"

	"flyball/blob"
	"flyball/model"
	"flyball/serving/prediction"
	"flyball/training/environment"
)

// BuildType names what a record.json describes, in the sense of SLSA v1 provenance.
const BuildType = "https://flyball.dev/training/v1"

// statement is an in-toto Statement v1 with a SLSA v1 provenance predicate
// (https://slsa.dev/spec/v1.0/provenance): how a version was made. Two equal runs on one
// machine differ in runDetails alone. docs/formats/record.md describes it.
type statement struct {
	Type          string     `json:"_type"`
	Subject       []resource `json:"subject"`
	PredicateType string     `json:"predicateType"`
	Predicate     predicate  `json:"predicate"`
}

type resource struct {
	Name   string            `json:"name"`
	URI    string            `json:"uri,omitempty"`
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
		Builder  builder `json:"builder"`
		Metadata struct {
			InvocationID string    `json:"invocationId"`
			StartedOn    time.Time `json:"startedOn"`
			FinishedOn   time.Time `json:"finishedOn"`
		} `json:"metadata"`
	} `json:"runDetails"`
}

// builder is the Flyball that made a version.
type builder struct {
	ID      string            `json:"id"`
	Version map[string]string `json:"version"` // of flyball, and of the Go that built it
}

// internals are what is not part of the request and decided what came out, or tells it.
type internals struct {
	Live        *Opponent           `json:"live"`
	SeenUntil   time.Time           `json:"refit"`              // until when the truth of the final version's rows was due
	Settings    map[string]any      `json:"settings,omitempty"` // that a search chose
	Machine     environment.Machine `json:"machine"`
	Threads     int                 `json:"threads"`               // of the learner; for a command the processors that were granted, and its OMP_NUM_THREADS
	Environment *interpreter        `json:"environment,omitempty"` // of a command in Python
	Pipelines   pipelines           `json:"pipelines"`
	Split       parts               `json:"split"`
	Predictions blob.Digest         `json:"predictions"` // of the judged version on the test rows
}

// interpreter is the Python that a command ran in; its packages are the lock.
type interpreter struct {
	Path           string      `json:"path"`
	Version        string      `json:"version"`
	Implementation string      `json:"implementation"`
	Platform       string      `json:"platform"`
	LibC           string      `json:"libc,omitempty"`
	Lock           blob.Digest `json:"lock"`
}

// pipelines are the digests of pipeline.json; empty where a version has none.
type pipelines struct {
	Judged blob.Digest `json:"judged,omitempty"`
	Final  blob.Digest `json:"final,omitempty"`
}

// parts are digests of the rows of the snapshot that trained the judged version, tested
// it, and trained the final one.
type parts struct {
	Train blob.Digest `json:"train"`
	Test  blob.Digest `json:"test"`
	Final blob.Digest `json:"final"`
}

// record writes record.json.
func (w *work) record(ctx context.Context) error {
	in := internals{
		Live: w.live, SeenUntil: w.result.SeenUntil, Machine: environment.Here(), Threads: w.Workers,
		Pipelines:   pipelines{Judged: w.candidate.Manifest.Files[model.PipelineFile], Final: w.pipeline},
		Split:       parts{Train: rowsDigest(w.part.Train), Test: rowsDigest(w.part.Test), Final: rowsDigest(w.last)},
		Predictions: scoresDigest(w.said.sample.Scores[prediction.Candidate]),
	}
	if in.Threads == 0 {
		in.Threads = runtime.NumCPU()
	}
	if w.recipe.Train.With == Command || w.recipe.Train.Limits.CPUs > 0 {
		in.Threads = cpus(w.recipe.Train, w.CPUs)
	}
	if len(w.recipe.Train.Search) > 0 {
		in.Settings = w.recipe.Train.Settings
	}
	var more []resource
	if p := w.python; p != nil {
		lock, _, err := w.Blobs.Put(ctx, bytes.NewReader(p.Lock()))
		if err != nil {
			return err
		}
		in.Environment = &interpreter{Path: p.Path, Version: p.Version, Implementation: p.Implementation, Platform: p.Platform, LibC: p.LibC, Lock: lock}
		more = append(more, named("environment.lock", lock))
	}
	return w.describe(ctx, BuildType, in, more...)
}

// rowsDigest is the SHA-256 of the places of rows, sorted, eight bytes each, the lowest
// first.
func rowsDigest(at []int) blob.Digest {
	raw := make([]byte, 0, 8*len(at))
	for _, r := range slices.Sorted(slices.Values(at)) {
		raw = eight(raw, uint64(r))
	}
	return blob.Sum(raw)
}

// scoresDigest is the SHA-256 of scores in their order, as float64, the lowest byte first.
func scoresDigest(scores []float64) blob.Digest {
	raw := make([]byte, 0, 8*len(scores))
	for _, x := range scores {
		raw = eight(raw, math.Float64bits(x))
	}
	return blob.Sum(raw)
}

// eight appends the bytes of x, the lowest first.
func eight(to []byte, x uint64) []byte {
	return append(to, byte(x), byte(x>>8), byte(x>>16), byte(x>>24), byte(x>>32), byte(x>>40), byte(x>>48), byte(x>>56))
}

// describe writes record.json of the type, with what is not part of the request, and
// what was used besides the snapshot, the files of the source and the code.
func (w *work) describe(ctx context.Context, buildType string, internal any, more ...resource) error {
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
	for _, name := range slices.Sorted(maps.Keys(w.request.Files)) {
		d.ResolvedDependencies = append(d.ResolvedDependencies, named("source/"+name, w.request.Files[name].Digest))
	}
	for _, name := range slices.Sorted(maps.Keys(w.request.Code)) {
		d.ResolvedDependencies = append(d.ResolvedDependencies, named("code/"+name, w.request.Code[name].Digest))
	}
	if o := w.request.Commit; o != nil {
		from := resource{Name: "repository", Digest: map[string]string{"gitCommit": o.ID}}
		if o.Repository != "" {
			from.URI = "git+" + o.Repository + "@" + o.ID
		}
		more = append(more, from)
	}
	d.ResolvedDependencies = append(d.ResolvedDependencies, more...)
	run := &s.Predicate.RunDetails
	run.Builder = builder{ID: "https://flyball.dev/flyball", Version: builderVersion()}
	run.Metadata.InvocationID, run.Metadata.StartedOn, run.Metadata.FinishedOn = w.request.Key, w.began.UTC(), time.Now().UTC()
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

// recorded is a record.json that was read.
type recorded struct {
	Request Request
	In      internals
	Builder builder
}

// readRecord reads a record.json of a training.
func readRecord(raw []byte) (recorded, error) {
	var s statement
	var out recorded
	s.Predicate.BuildDefinition.InternalParameters = &out.In
	if err := json.Unmarshal(raw, &s); err != nil || s.Predicate.BuildDefinition.BuildType != BuildType {
		return recorded{}, invalidRecord(err)
	}
	out.Request, out.Builder = s.Predicate.BuildDefinition.ExternalParameters, s.Predicate.RunDetails.Builder
	return out, nil
}

// Recorded reads what a record.json says a version was made of, and from what live
// version it had to differ.
func Recorded(raw []byte) (Request, *Opponent, error) {
	r, err := readRecord(raw)
	return r.Request, r.In.Live, err
}

// RecordedLock is the lock of the Python environment that the command of a version ran
// in, from its record.json; nil where the record has none.
func RecordedLock(ctx context.Context, blobs blob.Store, record []byte) ([]byte, error) {
	r, err := readRecord(record)
	if err != nil || r.In.Environment == nil {
		return nil, err
	}
	return readBlob(ctx, blobs, r.In.Environment.Lock)
}
