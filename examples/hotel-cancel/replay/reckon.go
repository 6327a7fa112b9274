// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/blob"
	"flyball/experiment/evaluation"
	"flyball/fault"
	"flyball/model"
	"flyball/model/registry"
	"flyball/training"
	"flyball/training/learner"
)

// reckon compares what was served with never retraining, on the rows whose truth is
// due when the replay ends.
func (r *run) reckon(ctx context.Context) error {
	served, err := r.served(ctx)
	if err != nil {
		return err
	}
	never, err := r.never(ctx)
	if err != nil {
		return err
	}
	d, err := r.compare(served, never)
	if err != nil {
		return err
	}
	if err := r.versions(ctx); err != nil {
		return err
	}
	chain, err := r.client.VerifyAudit(ctx)
	if err != nil {
		return err
	}
	r.say("%d rows asked, %d not answered; the audit chain holds: %d records", r.sent, r.failed, chain.Records)
	r.say("log loss on %d due rows (%d draws): served %s, never retrained %s, gain %s (%s…%s)",
		d.Rows, d.Blocks, four(d.Candidate), four(d.Other), four(d.Value), four(d.Low), four(d.High))
	switch {
	case r.failed > 0:
		return fault.New(fault.Refused, "%d of %d rows were not answered", r.failed, r.sent)
	case !(d.Candidate <= d.Other+1e-9):
		return fault.New(fault.Refused, "served is worse than never retraining: %s against %s", four(d.Candidate), four(d.Other))
	}
	return nil
}

// compare compares on the due rows; rows alike, as the model file says, are one draw.
func (r *run) compare(served, never []float64) (evaluation.Difference, error) {
	now := begins.AddDate(0, 0, r.days-1).Add(21 * time.Hour)
	var due []int
	for i := range r.due {
		if !r.due[i].After(now) && !r.known[i].After(now) {
			if math.IsNaN(served[i]) {
				return evaluation.Difference{}, fault.New(fault.Refused, "booking %s is due, and its answer is not in the log", r.key[i])
			}
			due = append(due, i)
		}
	}
	task := r.model.Recipe.Task
	s := evaluation.Sample{Kind: task.Kind, Decide: task.Decide, Scores: map[string][]float64{}}
	var err error
	if s.Block, err = task.Blocks(r.rows.Take(due)); err != nil {
		return evaluation.Difference{}, err
	}
	for _, i := range due {
		y, err := strconv.ParseFloat(r.label[i], 64)
		if err != nil {
			return evaluation.Difference{}, fault.Wrap(err, fault.Invalid, "the label of booking %s", r.key[i])
		}
		s.Truth = append(s.Truth, y)
		s.Scores["served"] = append(s.Scores["served"], served[i])
		s.Scores["never"] = append(s.Scores["never"], never[i])
	}
	return evaluation.Compare("log_loss", s, "served", "never", 1)
}

// served is what the server answered, from its log; NaN where that has no answer.
func (r *run) served(ctx context.Context) ([]float64, error) {
	at := make(map[string]int, len(r.key))
	out := make([]float64, len(r.key))
	for i, key := range r.key {
		at[key] = i
		out[i] = math.NaN()
	}
	for d := range r.days {
		day := begins.AddDate(0, 0, d)
		ps, err := r.client.PredictionsBetween(ctx, r.model.Name, day, day.AddDate(0, 0, 1))
		if err != nil {
			return nil, err
		}
		for _, p := range ps {
			if i, ok := at[p.Key]; ok && len(p.Scores) == 1 {
				out[i] = p.Scores[0]
			}
		}
	}
	return out, nil
}

// never is version 1's answer to every booking. The version is made again here, from
// the model file and its source alone, and must be the server's byte for byte.
func (r *run) never(ctx context.Context) ([]float64, error) {
	memory := blob.Memory()
	source, err := training.SourceBytes(ctx, memory, r.raw)
	if err != nil {
		return nil, err
	}
	t := training.Trainer{Blobs: memory, Decoders: learner.Decoders(), Logger: slog.New(slog.DiscardHandler)}
	files := map[string]registry.DataFile{}
	for name := range r.file.Data {
		files[name] = source
	}
	res, err := t.Run(ctx, training.Request{Recipe: r.model.Recipe, Files: files, Now: begins, Cause: "first", By: "replay"}, nil, nil)
	if err != nil {
		return nil, err
	}
	vs, err := r.client.Versions(ctx, r.model.Name)
	if err != nil {
		return nil, err
	}
	if first := vs[len(vs)-1]; first.Bundle != res.Bundle {
		return nil, fault.New(fault.Refused, "version 1 came out different when it was made again: %s and %s", first.Bundle, res.Bundle)
	}
	b, err := model.Open(ctx, memory, learner.Decoders(), res.Bundle)
	if err != nil {
		return nil, err
	}
	got, err := b.Predict(ctx, r.rows)
	return got.Values, err
}

// versions tells what became of each version.
func (r *run) versions(ctx context.Context) error {
	vs, err := r.client.Versions(ctx, r.model.Name)
	if err != nil {
		return err
	}
	rs, err := r.client.Releases(ctx, r.model.Name)
	if err != nil {
		return err
	}
	for _, v := range slices.Backward(vs) {
		var became []string
		for _, rel := range rs {
			if rel.Candidate == v.Version {
				became = append(became, string(rel.Phase))
			}
		}
		if len(became) == 0 {
			became = []string{"none"}
		}
		r.say("v%d made %s (%s), gate %s, release %s", v.Version, v.CreatedAt.Format(time.DateOnly), v.Cause, v.Verdict, strings.Join(became, ", "))
	}
	return nil
}
