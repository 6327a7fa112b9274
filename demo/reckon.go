// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"encoding/json"
	"math"
	"strconv"
	"time"

	"flyball/api/wire"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/fault"
	"flyball/job"
	"flyball/model"
	"flyball/serving/prediction"
	"flyball/training/learner"
)

// reckon compares what was served with never retraining, and checks the rest.
func (r *run) reckon(ctx context.Context) error {
	now := r.hours[len(r.hours)-1].moment().Add(2 * time.Hour)
	d, err := r.againstNever(ctx)
	if err != nil {
		return err
	}
	r.tell(now, "✓", "served "+one(d.Candidate)+" bikes off, never retrained "+one(d.Other)+": better by "+one(d.Value)+" ("+one(d.Low)+"…"+one(d.High)+")", "flyball score "+name)
	r.tell(now, "✓", strconv.Itoa(r.sent)+" requests sent, "+strconv.Itoa(r.answered)+" answered", "flyball predictions "+name)
	least := 13.0
	if r.Fast {
		least = -1.5 // 12 weeks are too short to gain much, and must not lose more than the margin
	}
	r.claimed(d.Value >= least, "served better than never retraining by at least %.1f: %.1f (%.1f…%.1f)", least, d.Value, d.Low, d.High)
	if err := r.judged(ctx); err != nil {
		return err
	}
	b := r.broken
	r.claimed(b.passed, "the gate could not see what was broken in v%d", b.version)
	r.claimed(b.stopped && b.answered == 0, "v%d was stopped after %d rows in the shadow, and answered none: %s", b.version, b.rows, b.reason)
	r.claimed(r.sent == r.answered, "no request failed: %d of %d answered", r.answered, r.sent)
	return r.proof(ctx, now)
}

func one(x float64) string { return strconv.FormatFloat(x, 'f', 1, 64) }

// judged counts what the gate said of the retrainings.
func (r *run) judged(ctx context.Context) error {
	vs, err := r.client.Versions(ctx, name)
	if err != nil {
		return err
	}
	clear, kept, told := 0, 0, 0
	for _, v := range vs {
		if v.Version == 1 || v.Version == r.broken.version {
			continue
		}
		var verdict gate.Verdict
		if err := json.Unmarshal(v.Report, &verdict); err != nil {
			return err
		}
		if !verdict.Pass {
			kept++
			if verdict.Summary != "" && len(verdict.Reasons) > 0 {
				told++
			}
		}
		for _, d := range verdict.Differences {
			if d.Metric == "mae" && d.Against == prediction.Live && d.Slice == "" && d.Low > 0 && verdict.Pass {
				clear++
			}
		}
	}
	if !r.Fast {
		r.claimed(clear > 0, "%d of %d retrainings were better with their whole interval", clear, len(vs)-2)
	}
	r.claimed(told == kept, "%d of %d retrainings were refused, %d of them with the reason", kept, len(vs)-2, told)
	return nil
}

// proof verifies the audit chain and makes version 1 again.
func (r *run) proof(ctx context.Context, now time.Time) error {
	chain, err := r.client.VerifyAudit(ctx)
	if err == nil {
		r.tell(now, "✓", "the audit chain holds: "+strconv.FormatInt(chain.Records, 10)+" records", "flyball audit --verify")
	}
	r.claimed(err == nil, "the audit chain was verified: %d records", chain.Records)
	again, err := r.again(ctx)
	if err != nil {
		return err
	}
	if again.Grade == "R3" {
		r.tell(now, "✓", "version 1 made again from its record: bytes equal", "flyball reproduce "+name+"@1")
	}
	r.claimed(again.Grade == "R3", "version 1 was made again bit for bit (%s)", again.Grade)
	return nil
}

// again is version 1, made again.
func (r *run) again(ctx context.Context) (out wire.Reproduced, err error) {
	got, err := r.client.Reproduce(ctx, name, 1)
	if err != nil {
		return out, err
	}
	j, err := r.client.Await(ctx, got.Job, nil)
	if err == nil && j.State != job.Done {
		err = fault.New(fault.Unavailable, "version 1 was not made again: it %s: %s", j.State, j.Error)
	}
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(j.Result, &out)
}

// againstNever compares, hour by hour, what was served with what version 1 would
// have said; hours of one day are one draw.
func (r *run) againstNever(ctx context.Context) (evaluation.Difference, error) {
	never, err := r.never(ctx)
	if err != nil {
		return evaluation.Difference{}, err
	}
	s := evaluation.Sample{Kind: dataset.Regression, Scores: map[string][]float64{}}
	for i := 0; i < len(r.hours); i += 500 {
		part := r.hours[i:min(i+500, len(r.hours))]
		served, err := r.served(ctx, part)
		if err != nil {
			return evaluation.Difference{}, err
		}
		for k, h := range part {
			if math.IsNaN(served[k]) {
				continue
			}
			s.Truth = append(s.Truth, h.count)
			s.Block = append(s.Block, uint64(h.local.YearDay()))
			s.Scores["served"] = append(s.Scores["served"], served[k])
			s.Scores["never"] = append(s.Scores["never"], never[i+k])
		}
	}
	return evaluation.Compare("mae", s, "served", "never", 1)
}

// never is version 1's answer to every hour.
func (r *run) never(ctx context.Context) ([]float64, error) {
	vs, err := r.client.Versions(ctx, name)
	if err != nil {
		return nil, err
	}
	first := vs[len(vs)-1]
	b, err := model.Open(ctx, r.blobs, learner.Decoders(), first.Bundle)
	if err != nil {
		return nil, err
	}
	rows := make([]json.RawMessage, len(r.hours))
	for i, h := range r.hours {
		if rows[i], err = h.row(); err != nil {
			return nil, err
		}
	}
	f, err := frame.DecodeRows(rows, frame.DecodeOptions{Required: b.Inputs()})
	if err != nil {
		return nil, err
	}
	got, err := b.Predict(ctx, f)
	return got.Values, err
}

// served is what the server answered to the hours, from its log; NaN where it
// answered nothing.
func (r *run) served(ctx context.Context, hours []hour) ([]float64, error) {
	at := make(map[string]int, len(hours))
	out := make([]float64, len(hours))
	for i, h := range hours {
		at[h.key()] = i
		out[i] = math.NaN()
	}
	ps, err := r.client.PredictionsBetween(ctx, name, hours[0].moment(), hours[len(hours)-1].moment().Add(time.Hour))
	if err != nil {
		return nil, err
	}
	for _, p := range ps {
		if i, ok := at[p.Key]; ok && len(p.Scores) == 1 {
			out[i] = p.Scores[0]
		}
	}
	return out, nil
}
