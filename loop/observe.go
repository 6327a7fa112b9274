// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"flyball/event"
	"flyball/experiment/gate"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/job"
	"flyball/monitoring"
	"flyball/serving/prediction"
	"flyball/serving/release"
	"flyball/training"
)

// observe gathers what Next decides by.
func (l *Loop) observe(ctx context.Context, m *Model, s State, rel release.State, any bool, now time.Time) (Observation, error) {
	o, err := l.observeJob(ctx, m, s, rel, any)
	if err == nil {
		err = l.observeLeave(ctx, m, s, &o, now)
	}
	return o, err
}

// observeJob is what there is to observe but leave.
func (l *Loop) observeJob(ctx context.Context, m *Model, s State, rel release.State, any bool) (Observation, error) {
	o := Observation{Applied: m.Generation, Delay: m.Recipe.Task.Truth.Within.D()}
	if any {
		o.Release = &rel
		o.Live = rel.Aliases()["live"]
	}
	findings, err := l.opts.Store.Findings(ctx, m.Name, true)
	if err != nil {
		return o, err
	}
	for _, f := range findings {
		switch {
		case f.Kind == monitoring.Drift && f.Trigger:
			o.Drift = f.Text
		case f.Kind == monitoring.Score && f.Trigger:
			o.Score = f.Text
		case f.Kind == monitoring.Quality && f.Severity == "page":
			o.BadData = f.Text
		case f.Kind == monitoring.Retraining:
			o.Called = &f
		}
	}
	if s.Job == "" {
		return o, nil
	}
	j, err := l.opts.Store.Job(ctx, s.Job)
	if err != nil {
		return o, err
	}
	o.Job = &j
	if j.State != job.Done {
		return o, nil
	}
	var res training.Result
	if err := json.Unmarshal(j.Result, &res); err != nil {
		return o, fault.Wrap(err, fault.Internal, "the result of job %s cannot be read", j.ID)
	}
	o.Outcome = &Outcome{Version: res.Version, Baseline: res.Baseline, Pass: res.Verdict.Pass, Summary: res.Verdict.Summary, Against: against(res.Verdict), Gain: gain(m, res.Verdict)}
	return o, nil
}

// gain is how much better than the live version the candidate was by the gate's loss.
func gain(m *Model, v gate.Verdict) *Gain {
	rule, ok := m.Recipe.LossRule()
	if !ok {
		return nil
	}
	for _, d := range v.Differences {
		if d.Metric == rule.Name && d.Against == prediction.Live && d.Slice == "" {
			g := &Gain{Metric: rule.Name, Value: d.Value, Same: d.Value == 0 && d.Low == 0 && d.High == 0}
			if rule.Margin != nil {
				g.Worth = *rule.Margin
			}
			return g
		}
	}
	return nil
}

// train adds the job of a training. Its key is the model's and the state's
// generation: asked again before the state was kept, it is the same job.
func (l *Loop) train(ctx context.Context, m *Model, a Action, live int, generation int64, now time.Time) (job.Job, error) {
	r := training.Request{
		Recipe: m.Recipe, Files: m.Files, Code: m.Code, Commit: m.Commit, Columns: m.Columns, Now: now, Live: live, Cause: a.Train, By: a.By,
		Key: fmt.Sprintf("%s/%d", m.Name, generation+1),
	}
	input, err := json.Marshal(r)
	if err != nil {
		return job.Job{}, fmt.Errorf("encode the training: %w", err)
	}
	j, err := l.opts.Store.AddJob(ctx, job.Job{Kind: training.JobKind, Key: r.Key, Model: m.Name, Input: input, AddedAt: now})
	if err == nil && l.opts.Poke != nil {
		l.opts.Poke()
	}
	return j, err
}

// startRelease begins the release of a candidate that passed, and then keeps the
// loop's state. When it began already, in a turn that broke off, it only does the
// second. A person may ask for a version again whose release is over.
func (l *Loop) startRelease(ctx context.Context, m *Model, rel release.State, any bool, a Action, next State, generation int64, now time.Time) error {
	c, live, from := *a.Release, 0, int64(0)
	if any {
		live, from = rel.Aliases()["live"], rel.Generation
	}
	by, why := cmp.Or(a.By, "flyball"), cmp.Or(a.Why, c.Summary)
	if !any || rel.Candidate != c.Version || a.By != "" && rel.Done() {
		s := release.Start(m.Name, live, c.Version, c.Baseline, m.Plan, from, next.Cause, by, now)
		s.Floor, s.Mark = rel.Floor, a.Mark
		rec := audit.Record{At: now, Actor: by, Action: "release", Object: fmt.Sprintf("%s@%d", m.Name, c.Version), Why: why, Data: marked(a.Mark)}
		ev := event.Event{
			At: now, Model: m.Name, By: by, Mark: event.OK, Kind: "gate",
			Text: fmt.Sprintf("v%d %s", c.Version, c.Summary), Command: fmt.Sprintf("flyball gate %s@%d", m.Name, c.Version),
		}
		if err := l.opts.Store.SaveRelease(ctx, from, s, s.Aliases(), &rec, ev); err != nil {
			return err
		}
	}
	return l.save(ctx, m.Name, generation, next, nil)
}
