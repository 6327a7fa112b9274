// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"flyball/asof"
	"flyball/event"
	"flyball/experiment/gate"
	"flyball/fault"
	"flyball/loop"
	"flyball/model/registry"
	"flyball/monitoring"
	"flyball/serving/release"
)

// Statuses is how all models stand, in the order of their names.
func (s *Service) Statuses(ctx context.Context) ([]Status, error) {
	models, err := s.Models(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Status, 0, len(models))
	for i := range models {
		st, err := s.status(ctx, &models[i])
		if err != nil {
			return nil, err
		}
		out = append(out, st)
	}
	return out, nil
}

// Status is how one model stands.
func (s *Service) Status(ctx context.Context, name string) (Status, error) {
	m, err := s.Model(ctx, name)
	if err != nil {
		return Status{}, err
	}
	return s.status(ctx, &m)
}

// facts are what the cells of a status are made of.
type facts struct {
	model    *loop.Model
	state    loop.State
	release  *release.State
	versions []registry.Version
	findings []monitoring.Finding
	now      time.Time
	route    *release.Route
	stand    loop.Stand
}

func (s *Service) status(ctx context.Context, m *loop.Model) (Status, error) {
	f := facts{model: m, now: s.now(ctx)}
	var err error
	if f.state, _, err = s.opts.Loop.State(ctx, m.Name); err != nil {
		return Status{}, err
	}
	rel, any, err := s.opts.Store.Release(ctx, m.Name)
	if err != nil {
		return Status{}, err
	}
	if f.versions, err = s.opts.Store.Versions(ctx, m.Name); err != nil && !fault.Is(err, fault.NotFound) {
		return Status{}, err
	}
	if f.findings, err = s.opts.Store.Findings(ctx, m.Name, true); err != nil {
		return Status{}, err
	}
	out := Status{
		Model: m.Name, About: m.About, Aliases: map[string]int{}, Phase: string(f.state.Phase), Held: f.state.Hold,
		Owner: m.Duties.Monitor.Owner, Backup: m.Duties.Monitor.Backup, Findings: monitoring.Advised(f.findings),
	}
	if any {
		f.release = &rel
		out.Release = &rel
		for alias, v := range rel.Aliases() {
			if v != 0 {
				out.Aliases[alias] = v
			}
		}
		out.Live = out.Aliases["live"]
	}
	switch i, err := s.brokenBy(ctx, m.Name, f.now); {
	case err != nil:
		return Status{}, err
	case i.ID != "":
		out.Glass = &i
	}
	if f.route = s.route(ctx, m.Name, f.release); f.route != nil {
		out.Route = f.route
	}
	if out.Stand, err = s.opts.Loop.Stand(ctx, m, f.now); err != nil {
		return Status{}, err
	}
	f.stand = out.Stand
	out.Cells = f.cells()
	return out, nil
}

// route is how the model's traffic is split; nil: nothing answers. Of a moment it is what
// the release of then asks for.
func (s *Service) route(ctx context.Context, model string, rel *release.State) *release.Route {
	if _, past := asof.At(ctx); past {
		if rel == nil {
			return nil
		}
		r := rel.Route()
		return &r
	}
	e, ok := s.opts.Serving.Entry(model)
	if !ok {
		return nil
	}
	return &e.Route
}

// cells are the stages of the loop, in the order of the page.
func (f *facts) cells() []Cell {
	return []Cell{f.data(), f.training(), f.gate(), f.releaseCell(), f.serving(), f.watch(), f.retraining()}
}

func (f *facts) data() Cell {
	c := Cell{Stage: "data", Mark: event.OK, Word: "fresh", Detail: fmt.Sprintf("%d files", len(f.model.Files))}
	for _, x := range f.findings {
		if x.Kind == monitoring.Quality && x.Severity != "note" {
			return Cell{Stage: "data", Mark: event.Warn, Word: "look at it", Detail: x.Text}
		}
	}
	if len(f.model.Files) == 1 {
		c.Detail = "1 file"
	}
	return c
}

func (f *facts) training() Cell {
	c := Cell{Stage: "training", Mark: event.None, Word: "none yet"}
	if len(f.versions) > 0 {
		v := f.versions[0]
		c = Cell{Stage: "training", Mark: event.OK, Word: "done", Detail: fmt.Sprintf("v%d, %s, by %s", v.Version, v.CreatedAt.Format("2 Jan 2006"), v.Cause)}
		if v.Source != "" {
			c.Word, c.Detail = "elsewhere", fmt.Sprintf("v%d, registered %s", v.Version, v.CreatedAt.Format("2 Jan 2006"))
		}
	}
	switch {
	case f.state.Phase == loop.Training:
		c.Mark, c.Word, c.Detail = event.Move, "training", "since "+f.state.Since.Format("2 Jan 15:04")
	case f.state.Failures > 0:
		c.Mark, c.Word = event.Stop, "failed"
	}
	return c
}

func (f *facts) gate() Cell {
	if len(f.versions) == 0 {
		return Cell{Stage: "gate", Mark: event.None, Word: "not judged"}
	}
	v := f.versions[0]
	var verdict gate.Verdict
	detail := ""
	if json.Unmarshal(v.Report, &verdict) == nil {
		detail = verdict.Summary
	}
	if v.Verdict == "" {
		return Cell{Stage: "gate", Mark: event.Wait, Word: fmt.Sprintf("v%d not judged", v.Version), Detail: "flyball gate " + v.Ref.String()}
	}
	if v.Verdict == "pass" {
		return Cell{Stage: "gate", Mark: event.OK, Word: fmt.Sprintf("passed v%d", v.Version), Detail: detail}
	}
	return Cell{Stage: "gate", Mark: event.Off, Word: fmt.Sprintf("kept out v%d", v.Version), Detail: detail}
}

func (f *facts) releaseCell() Cell {
	if w := f.state.Waits; w != nil && (f.release == nil || f.release.Done()) {
		return Cell{Stage: "release", Mark: event.Wait, Word: fmt.Sprintf("v%d needs leave", w.Version), Detail: fmt.Sprintf("since %s; flyball approvals %s", w.Since.Format("2 Jan 15:04"), f.model.Name)}
	}
	if f.release == nil {
		return Cell{Stage: "release", Mark: event.None, Word: "none yet"}
	}
	r := f.release
	c := Cell{Stage: "release", Mark: event.Move, Word: fmt.Sprintf("v%d in %s", r.Candidate, r.Phase), Detail: "since " + r.EnteredAt.Format("2 Jan 15:04")}
	switch {
	case r.Phase == release.Succeeded:
		c.Mark, c.Word = event.OK, fmt.Sprintf("v%d at 100 %%", r.Candidate)
	case r.Phase == release.Canary:
		c.Word = fmt.Sprintf("v%d at %s", r.Candidate, r.Plan.Canary[r.Step].Share)
	case !r.Forward():
		c.Mark, c.Word, c.Detail = event.Stop, fmt.Sprintf("v%d taken back", r.Candidate), r.Reason
	case r.Paused != "":
		c.Mark, c.Word, c.Detail = event.Wait, "paused", r.Paused
	}
	return c
}

func (f *facts) serving() Cell {
	c := Cell{Stage: "serving", Mark: event.None, Word: "nothing live"}
	if f.route == nil {
		return c
	}
	switch r := f.route; {
	case r.Floor:
		return Cell{Stage: "serving", Mark: event.Stop, Word: "baseline answers", Detail: f.release.Reason}
	case r.Live != 0 || r.Share > 0:
		v := r.Live
		if r.Share >= 1 {
			v = r.Candidate
		}
		return Cell{Stage: "serving", Mark: event.OK, Word: "answering", Detail: fmt.Sprintf("v%d, generation %d", v, r.Generation)}
	}
	return c
}

func (f *facts) watch() Cell {
	for _, kind := range []string{monitoring.Score, monitoring.Drift} {
		for _, x := range f.findings {
			if x.Kind == kind && x.Severity != "note" {
				return Cell{Stage: "watch", Mark: event.Warn, Word: kind, Detail: x.Text}
			}
		}
	}
	if f.release == nil || f.release.Aliases()["live"] == 0 {
		return Cell{Stage: "watch", Mark: event.None, Word: "nothing live"}
	}
	switch f.stand.Word {
	case loop.Suspect:
		return Cell{Stage: "watch", Mark: event.OK, Word: "suspects", Detail: f.stand.Why}
	case loop.CoolDown:
		return Cell{Stage: "watch", Mark: event.OK, Word: "cools down", Detail: "until " + f.stand.Until.Format("2 Jan 2006")}
	}
	return Cell{Stage: "watch", Mark: event.OK, Word: "steady"}
}

func (f *facts) retraining() Cell {
	if f.state.Hold != "" {
		return Cell{Stage: "retraining", Mark: event.Wait, Word: "held", Detail: f.state.Hold}
	}
	for _, x := range f.findings {
		if x.Kind == monitoring.Retraining {
			return Cell{Stage: "retraining", Mark: event.Warn, Word: "needs you", Detail: x.Text}
		}
	}
	if w := f.state.Waits; w != nil {
		return Cell{Stage: "retraining", Mark: event.Wait, Word: "waits", Detail: fmt.Sprintf("until v%d has leave or is refused", w.Version)}
	}
	if f.state.Phase == loop.Releasing {
		return Cell{Stage: "retraining", Mark: event.Wait, Word: "waits", Detail: fmt.Sprintf("until v%d is through", f.state.Candidate)}
	}
	if due := f.state.NextDue(f.model.Policy); !due.IsZero() {
		return Cell{Stage: "retraining", Mark: event.OK, Word: "every " + f.model.Policy.Every.String(), Detail: "next " + due.Format("2 Jan 2006")}
	}
	return Cell{Stage: "retraining", Mark: event.Off, Word: "by hand"}
}
