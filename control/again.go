// SPDX-License-Identifier: Apache-2.0

package control

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"flyball/event"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/ident"
	"flyball/job"
	"flyball/model/registry"
	"flyball/monitoring"
	"flyball/training"
)

// ReproduceKind is the kind of the job that makes a version again. It belongs to nobody's
// loop, so it has a worker of its own: the trainings of other models do not wait for it.
const ReproduceKind = "reproduce"

// again is the input of such a job.
type again struct {
	Version int    `json:"version"`
	By      string `json:"by"`
}

// Reproduce has a version made again from its record. The answer names the job; asked
// again while that is under way, it is the same. One that was trained elsewhere is a
// Refused fault.
func (s *Service) Reproduce(ctx context.Context, by, model string, version int) (Changed, error) {
	v, err := s.made(ctx, model, version)
	if err != nil {
		return Changed{}, err
	}
	input, err := json.Marshal(again{Version: version, By: by})
	if err != nil {
		return Changed{}, fmt.Errorf("encode the reproduction: %w", err)
	}
	key, err := s.nextKey(ctx, ReproduceKind, v.Ref)
	if err != nil {
		return Changed{}, err
	}
	j, err := s.opts.Store.AddJob(ctx, job.Job{Kind: ReproduceKind, Key: key, Model: model, Input: input, AddedAt: s.now(ctx)})
	if err != nil {
		return Changed{}, err
	}
	s.opts.Poke()
	return Changed{Text: "making " + v.Ref.String() + " again", Job: j.ID}, nil
}

// CancelReproduction ends what makes a version again, with its command. There being none
// is a NotFound fault.
func (s *Service) CancelReproduction(ctx context.Context, by, model string, version int, why string) (Changed, error) {
	ref := ident.Ref{Model: model, Version: version}
	jobs, err := s.opts.Store.Jobs(ctx, model, newestJobs)
	if err != nil {
		return Changed{}, err
	}
	for _, j := range jobs {
		var in again
		if j.Kind != ReproduceKind || j.State != job.Queued && j.State != job.Running || json.Unmarshal(j.Input, &in) != nil || in.Version != version {
			continue
		}
		text := fmt.Sprintf("v%d is not made again after all", version)
		if why != "" {
			text += ": " + why
		}
		now := s.now(ctx)
		rec := audit.Record{At: now, Actor: by, Action: "cancel", Object: ref.String(), Why: why}
		err := s.opts.Store.CancelJob(ctx, j.ID, now, &rec, event.Event{
			At: now, Model: model, By: by, Mark: event.Off, Kind: "cancel", Text: text, Command: "flyball reproduce " + ref.String(),
		})
		return Changed{Text: text, Job: j.ID}, err
	}
	return Changed{}, fault.New(fault.NotFound, "nobody makes %s again now", ref).Do("see what came of it with flyball reproduce %s --last", ref)
}

// Reproductions are the times that a version was made again, the newest first.
func (s *Service) Reproductions(ctx context.Context, model string, version int) ([]registry.Reproduction, error) {
	if _, err := s.opts.Store.Version(ctx, ident.Ref{Model: model, Version: version}); err != nil {
		return nil, err
	}
	return s.opts.Store.Reproductions(ctx, model, version)
}

// MakeAgain is the job.Handler of ReproduceKind; its result is a Reproduced. It may run
// again after a crash: a command that went on meanwhile is found, and what came of the
// job is kept once, under its id.
func (s *Service) MakeAgain(ctx context.Context, j job.Job, progress func(string)) (json.RawMessage, error) {
	var in again
	if err := json.Unmarshal(j.Input, &in); err != nil {
		return nil, fault.Wrap(err, fault.Internal, "job %s does not say what to make again", j.ID)
	}
	kept, err := s.Reproductions(ctx, j.Model, in.Version)
	if err != nil {
		return nil, err
	}
	for _, r := range kept {
		if r.ID == j.ID { // it came so far, and was cut off before the job's end was written
			return r.Report, nil
		}
	}
	v, err := s.made(ctx, j.Model, in.Version)
	if err != nil {
		return nil, err
	}
	t := &training.Trainer{
		Blobs: s.opts.Blobs, Decoders: s.opts.Decoders, Logger: s.opts.Logger, Executor: s.opts.Executor, Environment: s.opts.Environment,
	}
	got, err := t.ReproduceAs(ctx, v, j.ID, progress)
	if ctx.Err() == nil || s.canceled(ctx, j.ID) { // else somebody takes it up again, and finds the command
		t.Drop(context.WithoutCancel(ctx), got)
	}
	if err != nil {
		return nil, err
	}
	out := ReproducedOf(v.Ref, got)
	report, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode the report: %w", err)
	}
	return report, s.keepAgain(ctx, registry.Reproduction{Ref: v.Ref, ID: j.ID, At: s.now(ctx), By: in.By, Grade: got.Grade, Report: report}, out)
}

// canceled reports whether nobody wants a job any more.
func (s *Service) canceled(ctx context.Context, id string) bool {
	j, err := s.opts.Store.Job(context.WithoutCancel(ctx), id)
	return err == nil && j.State == job.Canceled
}

// keepAgain keeps what came of a reproduction: first the finding, so that one that is
// kept has told what it had to tell.
func (s *Service) keepAgain(ctx context.Context, r registry.Reproduction, out Reproduced) error {
	ev := event.Event{
		At: r.At, Model: r.Model, By: r.By, Mark: event.OK, Kind: "reproduced", Data: r.Report, Command: "flyball reproduce " + r.Ref.String() + " --last",
		Text: fmt.Sprintf("v%d made again: %s, expected %s", r.Version, out.Grade, out.Expected),
	}
	fallen := out.Grade < out.Expected
	if fallen {
		ev.Mark, ev.Command = event.Stop, "flyball alerts "+r.Model
	}
	if err := s.findAgain(ctx, r, out, fallen); err != nil {
		return err
	}
	return s.opts.Store.AddReproduction(ctx, r, ev)
}

// findAgain opens a finding for a version that came out less equal than expected, unless
// one is open, and closes it when it came out as expected. It is for the one who fixes
// the model: the data or what trains is no longer what it was.
func (s *Service) findAgain(ctx context.Context, r registry.Reproduction, out Reproduced, fallen bool) error {
	findings, err := s.opts.Store.Findings(ctx, r.Model, true)
	if err != nil {
		return err
	}
	for _, f := range findings {
		if f.Kind != monitoring.Reproduction || f.Version != r.Version {
			continue
		}
		if fallen {
			return nil
		}
		f.Closed = r.At
		return s.opts.Store.SaveMonitoring(ctx, r.Model, nil, []monitoring.Finding{f}, nil)
	}
	if !fallen {
		return nil
	}
	subject := fmt.Sprintf("v%d", r.Version)
	f := monitoring.Finding{
		ID:    fmt.Sprintf("%s/%d/%s/%s/%s", r.Model, r.Version, monitoring.Reproduction, subject, r.At.UTC().Format("20060102T150405Z")),
		Model: r.Model, Version: r.Version, Kind: monitoring.Reproduction, Subject: subject, Severity: "warn", Duty: "fix", Opened: r.At,
		Text: fmt.Sprintf("%s came out as %s when it was made again, and %s is expected: %s", r.Ref, out.Grade, out.Expected, out.why()), Data: r.Report,
	}
	return s.opts.Store.SaveMonitoring(ctx, r.Model, nil, []monitoring.Finding{f}, nil)
}

// Words are the grade with what it means, as in "R3, bytes equal".
func (r Reproduced) Words() string {
	switch r.Grade {
	case training.R3:
		return "R3, bytes equal"
	case training.R2:
		return "R2, golden predictions equal"
	case training.R1:
		if r.Apart != nil {
			return fmt.Sprintf("R1, golden predictions within %.1e", *r.Apart)
		}
		return "R1, golden predictions within the tolerance"
	}
	if r.Apart != nil {
		return fmt.Sprintf("R0, different: golden predictions lie up to %.3g apart", *r.Apart)
	}
	return "R0, different: it gives other scores, or takes other columns"
}

// why is the first of what went in that differs, or that all of it is the same: then the
// trainer itself gives another model.
func (r Reproduced) why() string {
	for _, part := range []string{"input", "machine"} {
		for _, c := range r.Table {
			if c.Part == part && !c.Equal {
				return fmt.Sprintf("%s was %s, is %s", c.What, short(c.Recorded), short(c.Again))
			}
		}
	}
	return "what went in is the same"
}

// short is a value of the table, a digest by its beginning.
func short(s string) string {
	if len(s) == 64 {
		return s[:12]
	}
	return cmp.Or(s, "unknown")
}
