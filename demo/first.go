// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"flyball/blob"
	"flyball/control"
	"flyball/experiment/gate"
	"flyball/fault"
	"flyball/model/registry"
	"flyball/training"
	"flyball/training/learner"
)

// first applies the model file and takes version 1 live.
func (r *run) first(ctx context.Context) error {
	now := r.hours[0].moment()
	r.say("Bikes hired per hour. Trained on 2011; then 2012 is replayed as HTTP traffic, hour by hour.")
	raw, err := os.ReadFile(filepath.Join(r.dir, name, "bikes_2011.csv.gz"))
	if err != nil {
		return fmt.Errorf("read the source: %w", err)
	}
	if r.original.data, err = r.upload(ctx, "bikes_2011.csv.gz", raw); err != nil {
		return err
	}
	if err := r.apply(ctx, r.original); err != nil {
		return err
	}
	if err := r.client.Advance(ctx, now); err != nil {
		return err
	}
	jobs, err := r.client.Jobs(ctx, name)
	if err != nil {
		return err
	}
	if len(jobs) == 0 {
		return fault.New(fault.Internal, "no training began")
	}
	var res training.Result
	if err := json.Unmarshal(jobs[0].Result, &res); err != nil {
		return fault.New(fault.Refused, "version 1 was not trained: %s", jobs[0].Error)
	}
	r.tell(now, "✓", fmt.Sprintf("data checked: %d hours, %d mature, %d warnings", len(r.past), res.Mature, len(res.Problems)), "flyball events "+name)
	if err := r.contenders(ctx, now, raw, res); err != nil {
		return err
	}
	if err := r.events(ctx); err != nil {
		return err
	}
	st, err := r.client.Status(ctx, name)
	if err != nil {
		return err
	}
	if st.Live != 1 {
		return fault.New(fault.Refused, "version 1 is not live: %s", res.Verdict.Summary)
	}
	return nil
}

// contenders tells what version 1 was measured against: the mean of the hour, a
// linear model on the same rows, and the trees that became version 1.
func (r *run) contenders(ctx context.Context, now time.Time, raw []byte, res training.Result) error {
	m, _, err := control.Read(control.Application{Name: "model.yaml", File: r.original.file, Data: r.original.data})
	if err != nil {
		return err
	}
	recipe := m.Recipe
	recipe.Train = training.Settings{With: "builtin/linear"}
	recipe.Gate.Reproduce = ""
	memory := blob.Memory()
	data, err := training.SourceBytes(ctx, memory, raw)
	if err != nil {
		return err
	}
	t := training.Trainer{Blobs: memory, Decoders: learner.Decoders(), Logger: slog.New(slog.DiscardHandler)}
	files := map[string]registry.DataFile{"bikes_2011.csv.gz": data}
	linear, err := t.Run(ctx, training.Request{Recipe: recipe, Files: files, Now: now, Cause: "hand", By: "demo"}, nil, nil)
	if err != nil {
		return err
	}
	hourMean, trees, lin := value(res.Verdict, "mae", "baseline"), value(res.Verdict, "mae", "candidate"), value(linear.Verdict, "mae", "candidate")
	r.tell(now, "✓", fmt.Sprintf("off by: hour mean %.1f, linear %.1f, trees %.1f (%d hours)", hourMean, lin, trees, res.Test), "flyball gate "+name+"@1")
	r.claimed(res.Verdict.Pass && trees < hourMean, "version 1 beat the mean of the hour: %.1f against %.1f bikes", trees, hourMean)
	return nil
}

// value is what the gate measured of a role over all test rows.
func value(v gate.Verdict, metric, role string) float64 {
	for _, e := range v.Estimates {
		if e.Metric == metric && e.Role == role && e.Slice == "" {
			return e.Value
		}
	}
	for _, d := range v.Differences {
		if d.Metric == metric && d.Slice == "" {
			if role == "candidate" {
				return d.Candidate
			}
			if d.Against == role {
				return d.Other
			}
		}
	}
	return 0
}
