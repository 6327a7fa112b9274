// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"flyball/asof"
	"flyball/fault"
	"flyball/governance/alert"
	"flyball/governance/approval"
	"flyball/governance/duty"
	"flyball/job"
	"flyball/loop"
	"flyball/monitoring"
	"flyball/serving/release"
	"flyball/training"
	"flyball/unit"
)

// Owner is one duty of a model, and who carries it.
type Owner struct {
	Model  string        `json:"model"`
	Live   int           `json:"live,omitempty" doc:"the version that serves; absent: none"`
	Duty   string        `json:"duty" doc:"feed, monitor, retrain or fix"`
	Owner  string        `json:"owner"`
	Backup string        `json:"backup"`
	Within unit.Duration `json:"within" doc:"time to acknowledge before the next is told"`
	Rota   []string      `json:"rota,omitempty" doc:"whose turns they are, in their order from now on"`
	Until  *time.Time    `json:"until,omitempty" doc:"when the turn ends"`
	Away   []string      `json:"away,omitempty" doc:"who of them is away now"`
	Holes  []string      `json:"holes,omitempty" doc:"why nobody may come when the duty calls"`
}

// Owners are the four duties of each model (of all when model is empty), in the order of
// the models' names.
func (s *Service) Owners(ctx context.Context, model string) ([]Owner, error) {
	var models []loop.Model
	var err error
	if model == "" {
		models, err = s.Models(ctx)
	} else {
		models = make([]loop.Model, 1)
		models[0], err = s.Model(ctx, model)
	}
	if err != nil {
		return nil, err
	}
	away, err := s.opts.Store.Absences(ctx)
	if err != nil {
		return nil, err
	}
	now := s.now(ctx)
	var out []Owner
	for i := range models {
		m := &models[i]
		live, err := s.live(ctx, m.Name)
		if err != nil {
			return nil, err
		}
		named, err := s.named(ctx, m.Name)
		if err != nil {
			return nil, err
		}
		for _, name := range duty.Names() {
			d := m.Duties.Of(name)
			o := Owner{Model: m.Name, Live: live, Duty: name, Owner: d.Owner, Backup: d.Backup, Within: d.Within}
			if o.Within == 0 {
				o.Within = unit.Duration(alert.Within)
			}
			if d.Rota != nil {
				people, until := d.Rota.At(now)
				o.Rota, o.Until = people, &until
			}
			for _, a := range away {
				if of := named.Of(name); (slices.Contains(o.Rota, a.Person) || a.Person == of.Backup || a.Person == of.Owner) && duty.Away(a.Person, now, away) {
					o.Away = append(o.Away, a.Person)
				}
			}
			switch {
			case d.Owner == "":
				o.Holes = append(o.Holes, "no owner")
			case d.Backup == d.Owner:
				o.Holes = append(o.Holes, "the owner is the backup")
			}
			if d.Backup == "" {
				o.Holes = append(o.Holes, "no backup")
			}
			out = append(out, o)
		}
	}
	return out, nil
}

// live is the version of a model that serves; 0: none.
func (s *Service) live(ctx context.Context, model string) (int, error) {
	rel, any, err := s.opts.Store.Release(ctx, model)
	if err != nil || !any {
		return 0, err
	}
	return rel.Aliases()["live"], nil
}

// handover refuses duties with a hole for a model that has a live version.
func (s *Service) handover(ctx context.Context, m *loop.Model) error {
	hole := m.Duties.Check()
	if hole == nil {
		return nil
	}
	live, err := s.live(ctx, m.Name)
	if err != nil || live == 0 {
		return err
	}
	return fault.Wrap(hole, fault.Refused, "v%d of %s is live, so none of its duties may be left to nobody", live, m.Name)
}

// Look is what is wrong with each model now, for package alert.
func (s *Service) Look(ctx context.Context) ([]alert.Model, error) {
	models, err := s.Models(ctx)
	if err != nil {
		return nil, err
	}
	open, err := s.opts.Store.Findings(ctx, "", true)
	if err != nil {
		return nil, err
	}
	found := map[string][]monitoring.Finding{}
	for _, f := range open {
		found[f.Model] = append(found[f.Model], f)
	}
	var out []alert.Model
	for i := range models {
		m := &models[i]
		one := alert.Model{Name: m.Name, Duties: m.Duties, Causes: causes(found[m.Name])}
		delete(found, m.Name)
		if err := s.looks(ctx, m, &one); err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	for name, fs := range found { // versions of clients are made again, too
		out = append(out, alert.Model{Name: name, Causes: causes(fs)})
	}
	return out, nil
}

func causes(fs []monitoring.Finding) []alert.Cause {
	var out []alert.Cause
	for _, f := range monitoring.Advised(fs) {
		out = append(out, alert.Finding(f))
	}
	return out
}

// looks adds what the loop and the release of a model tell, which are no findings.
func (s *Service) looks(ctx context.Context, m *loop.Model, to *alert.Model) error {
	st, _, err := s.opts.Loop.State(ctx, m.Name)
	if err != nil {
		return err
	}
	rel, any, err := s.opts.Store.Release(ctx, m.Name)
	if err != nil {
		return err
	}
	if st.Failures > 0 {
		c, err := s.failing(ctx, m.Name, st)
		if err != nil {
			return err
		}
		to.Causes = append(to.Causes, c)
	}
	if i, err := s.brokenBy(ctx, m.Name, s.now(ctx)); err != nil {
		return err
	} else if i.ID != "" {
		to.Causes = append(to.Causes, alert.Cause{
			Key: glassKey + i.ID, Model: m.Name, Kind: alert.Release, Subject: i.By, Severity: "page", Duty: alert.Fix, Opened: i.Opened, Text: i.Text,
			Advice: &monitoring.Advice{
				Diagnosis: "Until then they need nobody's leave to release. It ends by itself, and harm takes a version back all the same.",
				Command:   "flyball incidents " + m.Name,
			},
		})
	}
	if any {
		to.Causes = append(to.Causes, releaseCauses(rel, s.now(ctx))...)
		to.Causes = append(to.Causes, s.silent(ctx, m.Name, rel)...)
	}
	if st.Waits == nil {
		return nil
	}
	c, err := s.asks(ctx, m, st.Waits.Request)
	if c != nil {
		to.Causes = append(to.Causes, *c)
	}
	return err
}

// settle is how long a release may take to be served after it moved.
const settle = time.Minute

// silent is the cause that a version is live and does not answer: nil where it does.
// Of a moment it is not kept; the alert of it is.
func (s *Service) silent(ctx context.Context, model string, rel release.State) []alert.Cause {
	live, now := rel.Aliases()["live"], s.opts.Now()
	if _, past := asof.At(ctx); past || live == 0 || now.Sub(rel.EnteredAt) < settle {
		return nil
	}
	e, routed := s.opts.Serving.Entry(model)
	why := e.Stop
	switch {
	case !routed:
		why = "there is no route to it"
	case e.Versions[live] == nil:
		why = "it is not loaded"
	case why == "":
		return nil
	}
	return []alert.Cause{{
		Key: "silent/" + model, Again: true, Model: model, Version: live, Kind: alert.Serving, Subject: fmt.Sprintf("v%d", live), Severity: "page", Duty: alert.Fix,
		Opened: now, Text: fmt.Sprintf("v%d is live and does not answer: %s", live, why),
		Advice: &monitoring.Advice{
			Diagnosis: "Whoever asks for a prediction gets none, or that of another version.",
			Causes:    []string{"its files cannot be read, or there is too little memory", "a program that it needs does not start"}, Command: "flyball doctor",
		},
	}}
}

// asks is the cause that a release waits for leave, with those who may give it: two with the
// role that is needed, and then who answers for the model. Where nobody has the role, the
// duty retrain is told. It is nil where the request does not wait any more.
func (s *Service) asks(ctx context.Context, m *loop.Model, id string) (*alert.Cause, error) {
	r, err := s.opts.Store.Approval(ctx, m.Name, id)
	if err != nil {
		return nil, err
	}
	_, d, err := s.opts.Loop.Leave(ctx, m, r, s.now(ctx))
	if err != nil || d.State != approval.Waiting {
		return nil, err
	}
	called := m.Duties.Retrain
	if able := r.Candidates(s.opts.People(d.Needs[0], m.Name)); len(able) > 0 {
		called.Owner, called.Backup = able[0], ""
		if len(able) > 1 {
			called.Backup = able[1]
		}
	}
	data, err := json.Marshal(map[string]string{"request": r.ID, "digest": string(r.Digest)})
	if err != nil {
		return nil, fmt.Errorf("encode the alert: %w", err)
	}
	by := r.By
	if r.Why != "" {
		by += " (" + r.Why + ")"
	}
	return &alert.Cause{
		Key: "leave/" + m.Name + "/" + r.ID, Model: m.Name, Version: r.Version, Kind: alert.Leave, Subject: fmt.Sprintf("v%d", r.Version), Severity: "warn", Duty: alert.Approve,
		Opened: r.AskedAt, Text: fmt.Sprintf("v%d waits for leave, proposed by %s: %s; %s", r.Version, by, r.Summary, d.Why), Data: data, Asked: &called,
		Advice: &monitoring.Advice{
			Diagnosis: fmt.Sprintf("Leave is for the digest %.12s alone, and is asked for until %s.", r.Digest, r.Expires.UTC().Format("2 Jan 15:04 UTC")),
			Command:   "flyball gate " + r.Ref().String(),
		},
	}, nil
}

// failing is the cause that trainings of a model fail.
func (s *Service) failing(ctx context.Context, model string, st loop.State) (alert.Cause, error) {
	jobs, err := s.opts.Store.Jobs(ctx, model, 20)
	why := ""
	for _, j := range jobs {
		if j.Kind == training.JobKind && j.State == job.Failed {
			why = ": " + j.Error
			break
		}
	}
	return alert.Cause{
		Key: "training/" + model, Again: true, Model: model, Kind: alert.Training, Subject: "by " + st.Cause, Severity: "warn", Duty: "retrain", Opened: st.Since,
		Text: "a training failed" + why,
		Advice: &monitoring.Advice{
			Diagnosis: "No version was made; the live one goes on, and grows older.",
			Causes:    []string{"the data are not there, or break a rule of the model file", "the program that trains broke"}, Command: "flyball events " + model,
		},
	}, err
}

// releaseCauses are what a model's newest release tells. What may come again in the same
// phase is opened when it is seen.
func releaseCauses(r release.State, now time.Time) []alert.Cause {
	subject := fmt.Sprintf("v%d", r.Candidate)
	c := alert.Cause{Model: r.Model, Version: r.Candidate, Kind: alert.Release, Subject: subject, Opened: r.EnteredAt}
	shown := monitoring.Advice{Command: "flyball releases " + r.Model}
	var out []alert.Cause
	switch {
	case !r.Forward() && r.Phase != release.Succeeded:
		c.Key, c.Once, c.Duty, c.Severity = takenBack+r.ID, true, alert.Fix, "warn"
		c.Text = fmt.Sprintf("the release of v%d was taken back: %s", r.Candidate, r.Reason)
		if r.Phase == release.RolledBack || r.Phase == release.RollingBack {
			c.Severity = "page" // it had all traffic
		}
		shown.Diagnosis = "The version before it answers again; the candidate does not come back by itself."
		shown.Causes = []string{"the candidate does harm that its gate did not see", "the server has too little memory or time for it"}
		c.Advice = &shown
		out = append(out, c)
	case r.Paused != "" && r.Waits:
		c.Key, c.Again, c.Opened, c.Duty, c.Severity = "waits/"+r.ID, true, now, "retrain", "warn"
		c.Text = fmt.Sprintf("the release of v%d waits: %s", r.Candidate, r.Paused)
		shown.Diagnosis = "It goes on by itself when the cause is gone."
		c.Advice = &shown
		out = append(out, c)
	}
	if r.Floor {
		out = append(out, alert.Cause{
			Key: "floor/" + r.ID, Again: true, Model: r.Model, Version: r.Aliases()["live"], Kind: alert.Serving, Subject: "baseline", Severity: "page", Duty: alert.Fix,
			Opened: now, Text: "the baseline answers in the place of the live version: " + r.Reason,
			Advice: &monitoring.Advice{
				Diagnosis: "The live version is clearly worse than the baseline on rows whose truth is known.",
				Causes:    []string{"the same rows have other truths now", "a column upstream means something else"}, Command: "flyball score " + r.Model,
			},
		})
	}
	return out
}
