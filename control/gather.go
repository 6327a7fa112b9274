// SPDX-License-Identifier: Apache-2.0

package control

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"flyball/blob"
	"flyball/experiment/gate"
	"flyball/fault"
	"flyball/governance/maturity"
	"flyball/ident"
	"flyball/job"
	"flyball/loop"
	"flyball/model"
	"flyball/model/registry"
	"flyball/serving/prediction"
	"flyball/serving/release"
	"flyball/training"
)

// gathering collects the facts of one model, part by part.
type gathering struct {
	*Service
	model *loop.Model
	facts *maturity.Facts
}

func (g *gathering) releases(ctx context.Context) error {
	history, err := g.opts.Store.ReleaseHistory(ctx, g.model.Name)
	g.facts.Rollouts = maturity.Rollouts(history)
	return err
}

// versions reads the records of the versions that checks look at: those of the longest
// window, and the live one.
func (g *gathering) versions(ctx context.Context) error {
	all, err := g.opts.Store.Versions(ctx, g.model.Name)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	live := 0
	if len(g.facts.Rollouts) > 0 {
		live = g.facts.Rollouts[0].Aliases()[registry.Live]
	}
	for _, v := range all {
		fact := maturity.Version{Version: v}
		if v.Version == live || g.facts.Now.Sub(v.CreatedAt) <= maturity.Long {
			if err := g.version(ctx, &fact); err != nil {
				return err
			}
		}
		if v.Version == live {
			if fact.Reproductions, err = g.opts.Store.Reproductions(ctx, g.model.Name, live); err != nil {
				return err
			}
		}
		g.facts.Versions = append(g.facts.Versions, fact)
	}
	g.facts.Snapshots, err = g.opts.Store.Snapshots(ctx, g.model.Name)
	return err
}

// maxRecord bounds what is read of one record or bundle.
const maxRecord = 64 << 20

// version reads what the records of one version tell. What is not there, or is no record
// of a training, tells nothing.
func (g *gathering) version(ctx context.Context, v *maturity.Version) error {
	var verdict gate.Verdict
	if json.Unmarshal(v.Report, &verdict) == nil {
		for _, t := range verdict.Tests {
			v.Tests++
			if !t.Passed {
				v.Failed++
			}
		}
	}
	run, err := g.opts.Store.Run(ctx, cmp.Or(v.RunID, training.RunOf(v.Key)))
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	v.Params, v.Metrics, v.Inputs = len(run.Params), len(run.Metrics), len(run.Inputs)
	if v.Bundle != "" {
		var bundle model.Manifest
		if raw, err := g.read(ctx, v.Bundle); err != nil {
			return err
		} else if json.Unmarshal(raw, &bundle) == nil {
			v.Served = bundle.Files[model.PipelineFile]
		}
	}
	if v.Record == "" {
		return nil
	}
	raw, err := g.read(ctx, v.Record)
	if err != nil || raw == nil {
		return err
	}
	r, err := training.ReadRecording(raw)
	if err != nil {
		return nil //nolint:nilerr // a record of another kind tells nothing of a training
	}
	v.Commit, v.Recorded = r.Request.Commit, r.Pipeline
	v.Required = len(r.Request.Recipe.Gate.Tests) > 0 || slices.ContainsFunc(r.Request.Recipe.Gate.Metrics, func(x gate.Rule) bool { return x.Require.Word != "report" })
	v.Environment = r.Builder
	if r.Request.Recipe.Train.With == training.Command {
		v.Environment = ""
		if here, err := g.has(ctx, r.Lock); err != nil {
			return err
		} else if here {
			v.Environment = string(r.Lock)
		}
	}
	return nil
}

// read is the bytes of a blob; nil when it is not kept.
func (g *gathering) read(ctx context.Context, d blob.Digest) ([]byte, error) {
	raw, err := blob.ReadAll(ctx, g.opts.Blobs, d, maxRecord)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return raw, err
}

func (g *gathering) has(ctx context.Context, d blob.Digest) (bool, error) {
	if d == "" {
		return false, nil
	}
	return g.opts.Blobs.Has(ctx, d)
}

// mostJobs bounds the jobs that are looked through.
const mostJobs = 2000

func (g *gathering) trainings(ctx context.Context) error {
	jobs, err := g.opts.Store.Jobs(ctx, g.model.Name, mostJobs)
	for _, j := range jobs {
		var of struct {
			Cause string `json:"cause"`
		}
		if j.Kind == training.JobKind || j.Kind == training.JudgeKind {
			for i := range g.facts.Versions {
				if v := &g.facts.Versions[i]; v.Key == j.Key {
					v.JudgedAt = j.EndedAt
				}
			}
		}
		if j.Kind != training.JobKind || json.Unmarshal(j.Input, &of) != nil {
			continue
		}
		g.facts.Trainings = append(g.facts.Trainings, maturity.Training{
			ID: j.ID, Key: j.Key, Cause: of.Cause, At: j.AddedAt, Ended: j.State == job.Done || j.State == job.Failed,
		})
	}
	return err
}

// people reads who did what, and what was said of work elsewhere.
func (g *gathering) people(ctx context.Context) error {
	users, err := g.opts.Store.Users(ctx)
	if err != nil {
		return err
	}
	for _, u := range users {
		if u.Machine() {
			g.facts.Programs = append(g.facts.Programs, u.Name)
		}
	}
	since := g.facts.Now.Add(-maturity.Long)
	if g.facts.Acts, err = g.opts.Store.Acts(ctx, g.model.Name, since); err != nil {
		return err
	}
	if g.facts.Reports, err = g.opts.Store.Reports(ctx, g.model.Name, since); err != nil {
		return err
	}
	g.facts.Attestations, err = g.opts.Store.Attestations(ctx, g.facts.Now)
	return err
}

func (g *gathering) watch(ctx context.Context) error {
	var err error
	if g.facts.Findings, err = g.opts.Store.Findings(ctx, g.model.Name, false); err != nil {
		return err
	}
	if g.facts.Alerts, err = g.opts.Store.Alerts(ctx, g.model.Name, false); err != nil {
		return err
	}
	windows, err := g.opts.Store.Windows(ctx, g.model.Name, g.facts.Now.Add(-maturity.Month), g.facts.Now)
	for _, w := range windows {
		g.facts.Drift = append(g.facts.Drift, maturity.Span{Start: w.Start, End: w.End, Inputs: len(w.Features) > 0, Scores: w.Score != nil})
	}
	return err
}

// served reads how the route answered, and what of the model's life a subscriber took.
func (g *gathering) served(ctx context.Context) error {
	hours, err := g.opts.Store.Hours(ctx, g.model.Name, time.Time{})
	if err != nil {
		return err
	}
	g.facts.Hours = slices.DeleteFunc(hours, func(h release.Hour) bool { // an hour counts as a whole, so the one that runs does not yet
		return h.Start.Add(time.Hour).After(g.facts.Now)
	})
	if g.facts.Drills, err = g.opts.Store.Drills(ctx, g.model.Name, g.facts.Now.Add(-maturity.Long)); err != nil {
		return err
	}
	if g.facts.Approvals, err = g.opts.Store.Approvals(ctx, g.model.Name, false); err != nil {
		return err
	}
	if g.facts.Incidents, err = g.Incidents(ctx, g.model.Name, false); err != nil {
		return err
	}
	g.facts.Deliveries, err = g.opts.Store.Delivered(ctx, g.model.Name, g.facts.Now.Add(-maturity.Long))
	return err
}

// traced is how many predictions are followed.
const traced = 20

// trace follows predictions of the month to where their versions came from: the newest
// before each of some moments, which a generator draws whose seed is the model and the
// day. So nobody chooses them, and who has the log draws the same. Where a month holds
// too few the newest make up for it.
func (g *gathering) trace(ctx context.Context) error {
	g.facts.Drawn = g.model.Name + "/" + g.facts.Now.UTC().Format("2006-01-02")
	draw := rand.New(rand.NewChaCha8(sha256.Sum256([]byte(g.facts.Drawn)))) //nolint:gosec // who has the seed must draw the same
	day := g.facts.Now.UTC().Truncate(24 * time.Hour)
	taken, broken := map[ident.PredictionID]bool{}, map[int]string{}
	follow := func(j prediction.Joined) error {
		if taken[j.ID] || len(taken) == traced || j.Arm != prediction.Live && j.Arm != prediction.Candidate { // the fallback, or a baseline that is counted apart
			return nil
		}
		taken[j.ID] = true
		why, ok := broken[j.Version]
		if !ok {
			var err error
			if why, err = g.broken(ctx, j.Version); err != nil {
				return err
			}
			broken[j.Version] = why
		}
		g.facts.Traced = append(g.facts.Traced, maturity.Trace{ID: "prediction " + string(j.ID), Broken: why})
		return nil
	}
	for range traced {
		at := day.Add(-time.Duration(draw.Int64N(int64(maturity.Month))))
		if err := g.opts.Log.Scan(ctx, prediction.Query{Model: g.model.Name, From: day.Add(-maturity.Month), To: at, Last: 1}, follow); err != nil {
			return err
		}
	}
	return g.opts.Log.Scan(ctx, prediction.Query{Model: g.model.Name, Last: traced}, follow)
}

// broken is the first link that is missing between a version and where it came from;
// empty when none is.
func (g *gathering) broken(ctx context.Context, version int) (string, error) {
	i := slices.IndexFunc(g.facts.Versions, func(v maturity.Version) bool { return v.Version.Version == version })
	if i < 0 {
		return fmt.Sprintf("v%d is not there", version), nil
	}
	v := &g.facts.Versions[i]
	if g.facts.Now.Sub(v.CreatedAt) > maturity.Long && v.Environment == "" { // an old one that was not read yet
		if err := g.version(ctx, v); err != nil {
			return "", err
		}
	}
	data, err := g.has(ctx, v.Snapshot)
	switch {
	case err != nil:
		return "", err
	case v.Record == "":
		return fmt.Sprintf("v%d has no record", version), nil
	case v.Commit == nil:
		return fmt.Sprintf("v%d was made from no commit that is known", version), nil
	case !data:
		return fmt.Sprintf("the snapshot of v%d is not there", version), nil
	case v.Environment == "":
		return fmt.Sprintf("the environment of v%d is not known", version), nil
	}
	return "", nil
}
