// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"flyball/blob"
	"flyball/data/frame"
	"flyball/experiment"
	"flyball/experiment/gate"
	"flyball/fault"
	"flyball/ident"
	"flyball/job"
	"flyball/loop"
	"flyball/model/registry"
	"flyball/serving/release"
	"flyball/training"
)

// SeenUntilTag is the tag of a registered version by which its people say what it was
// trained on: rows whose truth was due by then, in ISO 8601.
const SeenUntilTag = "flyball.seen_until"

// Judge has a version that a client registered read and judged by the gate, as a
// training's own candidate is. The answer names the job; asked again while that is
// under way, it is the same. A version that was judged is a Conflict fault.
func (s *Service) Judge(ctx context.Context, name string, version int, by string) (Changed, error) {
	m, err := s.Model(ctx, name)
	if err != nil {
		return Changed{}, err
	}
	ref := ident.Ref{Model: name, Version: version}
	v, err := s.opts.Store.Version(ctx, ref)
	if err != nil {
		return Changed{}, err
	}
	switch {
	case v.Made():
		return Changed{}, fault.New(fault.Conflict, "%s was judged already", ref).Do("see flyball gate %s", ref)
	case !strings.HasPrefix(v.Location, "mlflow-artifacts:/"):
		return Changed{}, fault.New(fault.Refused, "the files of %s are not kept here: its source is %q", ref, v.Source).
			Do("log the model to this server, and register it from there")
	}
	now := s.now(ctx)
	seen, err := seenUntil(v, now)
	if err != nil {
		return Changed{}, err
	}
	var snapshots []blob.Digest
	if seen.IsZero() {
		if snapshots, err = s.snapshotsOf(ctx, v.RunID); err != nil {
			return Changed{}, err
		}
	}
	r := training.Judging{
		Request: training.Request{Recipe: m.Recipe, Files: m.Files, Code: m.Code, Columns: m.Columns, Now: now, Cause: loop.ByHand, By: by},
		Version: version, Location: v.Location, Registered: v.CreatedAt, Trained: seen, Snapshots: snapshots,
	}
	if rel, any, err := s.opts.Store.Release(ctx, name); err != nil {
		return Changed{}, err
	} else if any {
		r.Live = rel.Aliases()[registry.Live]
	}
	if r.Key, err = s.nextKey(ctx, training.JudgeKind, ref); err != nil {
		return Changed{}, err
	}
	input, err := json.Marshal(r)
	if err != nil {
		return Changed{}, fmt.Errorf("encode the judging: %w", err)
	}
	j, err := s.opts.Store.AddJob(ctx, job.Job{Kind: training.JudgeKind, Key: r.Key, Model: name, Input: input, AddedAt: now})
	if err != nil {
		return Changed{}, err
	}
	s.opts.Poke()
	return Changed{Text: "judging of " + ref.String() + " begins", Job: j.ID}, nil
}

// seenUntil is until when the version's people say that it was trained; zero where
// they do not say.
func seenUntil(v registry.Version, now time.Time) (time.Time, error) {
	for _, t := range v.Tags {
		if t.Key != SeenUntilTag {
			continue
		}
		us, err := frame.ParseTime(t.Value)
		if err != nil {
			return time.Time{}, fault.Wrap(err, fault.Invalid, "the tag %s of %s", SeenUntilTag, v.Ref)
		}
		at := time.UnixMicro(us).UTC()
		if at.After(now) {
			return time.Time{}, fault.New(fault.Invalid, "the tag %s of %s lies in the future: %s", SeenUntilTag, v.Ref, t.Value)
		}
		return at, nil
	}
	return time.Time{}, nil
}

// snapshotsOf are the snapshots of ours that a run read to train: datasets whose source
// is one, as a training of ours logs them.
func (s *Service) snapshotsOf(ctx context.Context, id ident.RunID) ([]blob.Digest, error) {
	if id == "" {
		return nil, nil
	}
	run, err := s.opts.Store.Run(ctx, id)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	var out []blob.Digest
	for _, in := range run.Inputs {
		var source struct {
			Snapshot blob.Digest `json:"snapshot"`
		}
		training := !slices.ContainsFunc(in.Tags, func(t experiment.Tag) bool { return t.Key == "mlflow.data.context" && t.Value != "training" })
		if training && in.Dataset.SourceType == "flyball" && json.Unmarshal([]byte(in.Dataset.Source), &source) == nil && source.Snapshot != "" {
			out = append(out, source.Snapshot)
		}
	}
	return out, err
}

// newestJobs is how many of a model's newest jobs are looked at for those of one of its
// versions.
const newestJobs = 10_000

// nextKey is the key of the next job of a kind for a version: the same while one is under
// way, and a new one after it ended.
func (s *Service) nextKey(ctx context.Context, kind string, ref ident.Ref) (string, error) {
	jobs, err := s.opts.Store.Jobs(ctx, ref.Model, newestJobs)
	if err != nil {
		return "", err
	}
	ended := map[string]bool{}
	for _, j := range jobs {
		if j.Kind == kind {
			ended[j.Key] = j.State != job.Queued && j.State != job.Running
		}
	}
	for n := 1; ; n++ {
		key := fmt.Sprintf("%s %s/%d", kind, ref, n)
		if over, there := ended[key]; !there || !over {
			return key, nil
		}
	}
}

// Release begins the release of a version that passed the gate; of one whose release
// is under way, it moves that on. Where the model's risk asks for leave, it asks for that
// and is a Waiting fault.
func (s *Service) Release(ctx context.Context, name string, version int, by, why string) (Changed, error) {
	m, err := s.Model(ctx, name)
	if err != nil {
		return Changed{}, err
	}
	ref := ident.Ref{Model: name, Version: version}
	v, err := s.opts.Store.Version(ctx, ref)
	if err != nil {
		return Changed{}, err
	}
	if err := s.waiting(ctx, &m, version); err != nil {
		return Changed{}, err
	}
	rel, any, err := s.opts.Store.Release(ctx, name)
	if err != nil {
		return Changed{}, err
	}
	if any && !rel.Done() && rel.Candidate == version {
		return s.Promote(ctx, name, by, why)
	}
	if err := releasable(v, rel, any); err != nil {
		return Changed{}, err
	}
	wanted := loop.Wanted{Outcome: loop.Outcome{Version: version, Pass: true, Summary: summary(v)}, Asked: loop.Asked{By: by, Why: why}, Mark: mark(ctx, name)}
	if wanted.Baseline, err = s.baselineOf(ctx, v); err != nil {
		return Changed{}, err
	}
	rec, ev := s.record(name, by, "promote", why)
	rec.Object, ev.Text = ref.String(), fmt.Sprintf("%s asks for the release of v%d", by, version)
	err = s.opts.Loop.Change(ctx, name, func(st *loop.State) error {
		if st.Phase == loop.Training || st.Phase == loop.Releasing || any && !rel.Done() {
			return fault.New(fault.Conflict, "%s is %s: one thing at a time", name, phaseOf(st, rel)).Do("wait until that is over, or take it back with flyball rollback %s", name)
		}
		if st.Phase == "" {
			st.Phase, st.Since = loop.Steady, rec.At
		}
		st.Wanted = &wanted
		return nil
	}, rec, ev)
	if err != nil {
		return Changed{}, err
	}
	if err := s.opts.Loop.Turn(ctx, s.now(ctx)); err != nil {
		return Changed{}, err
	}
	if err := s.waiting(ctx, &m, version); err != nil {
		return Changed{}, err
	}
	return Changed{Text: fmt.Sprintf("the release of %s begins", ref)}, nil
}

// phaseOf is what keeps the model busy, in a word.
func phaseOf(st *loop.State, rel release.State) string {
	if st.Phase == loop.Training {
		return string(loop.Training)
	}
	return fmt.Sprintf("releasing v%d", rel.Candidate)
}

// summary is what the gate said of a version, in a sentence.
func summary(v registry.Version) string {
	var verdict gate.Verdict
	if json.Unmarshal(v.Report, &verdict) != nil || verdict.Summary == "" {
		return "passes"
	}
	return verdict.Summary
}

// baselineOf is the baseline that a version had to beat: the one of the same job; 0
// where there is none.
func (s *Service) baselineOf(ctx context.Context, v registry.Version) (int, error) {
	all, err := s.opts.Store.Versions(ctx, registry.BaselineOf(v.Model))
	if err != nil && !fault.Is(err, fault.NotFound) {
		return 0, err
	}
	for _, b := range all {
		if b.Key == v.Key && v.Key != "" {
			return b.Version, nil
		}
	}
	return 0, nil
}
