// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"fmt"
	"time"

	"flyball/event"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/governance/alert"
	"flyball/governance/audit"
	"flyball/governance/maturity"
	"flyball/ident"
	"flyball/loop"
	"flyball/monitoring"
	"flyball/serving/release"
)

// MaturityStore is what is read of the records to say how far the work has come, and
// where words on work elsewhere are kept. Package store implements it.
type MaturityStore interface {
	ReleaseHistory(ctx context.Context, model string) ([]release.State, error)
	Windows(ctx context.Context, model string, from, to time.Time) ([]monitoring.Window, error)
	Alerts(ctx context.Context, model string, openOnly bool) ([]alert.Alert, error)
	Users(ctx context.Context) ([]access.User, error)
	Acts(ctx context.Context, model string, since time.Time) ([]audit.Record, error)
	Hours(ctx context.Context, model string, since time.Time) ([]release.Hour, error)
	Delivered(ctx context.Context, model string, since time.Time) ([]maturity.Delivery, error)
	Attestations(ctx context.Context, after time.Time) ([]maturity.Attestation, error)
	Reports(ctx context.Context, model string, since time.Time) ([]maturity.Report, error)
	Drills(ctx context.Context, model string, since time.Time) ([]maturity.Drill, error)
	AddDrill(ctx context.Context, d maturity.Drill, rec audit.Record, ev event.Event) error
	AddAttestation(ctx context.Context, a maturity.Attestation, rec audit.Record, ev event.Event) error
	AddReport(ctx context.Context, r maturity.Report, rec audit.Record, ev event.Event) error
}

// Maturity is how far the work on a model has come.
func (s *Service) Maturity(ctx context.Context, model string) (maturity.Standing, error) {
	m, err := s.Model(ctx, model)
	if err != nil {
		return maturity.Standing{}, err
	}
	f, err := s.evidence(ctx, &m)
	return maturity.Judge(f), err
}

// Maturities is how far the work on each of the models has come that may says yes to, in
// the order of their names.
func (s *Service) Maturities(ctx context.Context, may func(model string) bool) (maturity.Organisation, error) {
	var all []maturity.Standing
	err := s.eachEvidence(ctx, may, func(f *maturity.Facts) { all = append(all, maturity.Judge(f)) })
	return maturity.Together(s.now(ctx), all), err
}

// Delivery is the delivery figures of a model over the last window.
func (s *Service) Delivery(ctx context.Context, model string, window time.Duration) (maturity.Figures, error) {
	if err := checkWindow(window); err != nil {
		return maturity.Figures{}, err
	}
	m, err := s.Model(ctx, model)
	if err != nil {
		return maturity.Figures{}, err
	}
	f, err := s.evidence(ctx, &m)
	return maturity.Deliver(f, window), err
}

// Deliveries are those figures of each model that may says yes to.
func (s *Service) Deliveries(ctx context.Context, window time.Duration, may func(model string) bool) ([]maturity.Figures, error) {
	if err := checkWindow(window); err != nil {
		return nil, err
	}
	out := []maturity.Figures{}
	err := s.eachEvidence(ctx, may, func(f *maturity.Facts) { out = append(out, maturity.Deliver(f, window)) })
	return out, err
}

func checkWindow(window time.Duration) error {
	if window < 7*24*time.Hour || window > 10*365*24*time.Hour {
		return fault.New(fault.Invalid, "delivery is counted over a week at least, and ten years at most").Do("say 90d")
	}
	return nil
}

func (s *Service) eachEvidence(ctx context.Context, may func(model string) bool, visit func(*maturity.Facts)) error {
	models, err := s.Models(ctx)
	if err != nil {
		return err
	}
	for i := range models {
		if !may(models[i].Name) {
			continue
		}
		f, err := s.evidence(ctx, &models[i])
		if err != nil {
			return err
		}
		visit(f)
	}
	return nil
}

// Attest keeps the word of whoever asks that a check holds; a zero Until is as late as
// may be. Only a person with an account can give it: a Refused fault else.
func (s *Service) Attest(ctx context.Context, a maturity.Attestation) (maturity.Attestation, error) {
	who := access.From(ctx)
	if who.Via == access.Local || who.Name == "" || program(who) {
		return a, fault.New(fault.Refused, "only a person with a name attests, and you ask as %s", access.Actor(ctx)).
			Do("sign in: flyball login NAME; the first user is made by flyball users add")
	}
	a.At, a.By, a.ID = s.now(ctx), who.Name, "attestation "+string(ident.NewRunID())[:12]
	if a.Until.IsZero() {
		a.Until = a.At.Add(maturity.Long)
	}
	if err := a.Validate(); err != nil {
		return a, err
	}
	if err := s.known(ctx, a.Model, 0); err != nil {
		return a, err
	}
	object := a.Model
	if object == "" {
		object = "all models"
	}
	text := fmt.Sprintf("%s attests %s until %s: %s", a.By, a.Check, a.Until.UTC().Format("2 Jan 2006"), a.Why)
	rec := audit.Record{At: a.At, Actor: a.By, Action: "attest " + a.Check, Object: object, Why: a.Why}
	ev := event.Event{At: a.At, Model: a.Model, By: a.By, Mark: event.OK, Kind: "attest", Text: text, Command: "flyball maturity " + a.Model}
	return a, s.opts.Store.AddAttestation(ctx, a, rec, ev)
}

// Report keeps what whoever asks says that ran elsewhere.
func (s *Service) Report(ctx context.Context, r maturity.Report) (maturity.Report, error) {
	r.At, r.By, r.Program = s.now(ctx), access.Actor(ctx), program(access.From(ctx))
	r.ID = "report " + string(ident.NewRunID())[:12]
	if err := r.Validate(); err != nil {
		return r, err
	}
	if err := s.known(ctx, r.Model, r.Version); err != nil {
		return r, err
	}
	object := r.Model
	switch {
	case r.Version > 0:
		object = ident.Ref{Model: r.Model, Version: r.Version}.String()
	case object == "":
		object = "all models"
	}
	mark := map[string]event.Mark{maturity.Pass: event.OK, maturity.Fail: event.Stop}[r.Status]
	text := fmt.Sprintf("%s tests of the %s: %s", r.Suite, map[string]string{maturity.App: "application"}[r.Target], r.Status)
	if r.Target != maturity.App {
		text = fmt.Sprintf("%s tests of %s: %s", r.Suite, r.Target, r.Status)
	}
	rec := audit.Record{At: r.At, Actor: r.By, Action: "report " + r.Status, Object: object, Why: r.Suite + " of " + r.Target}
	ev := event.Event{At: r.At, Model: r.Model, By: r.By, Mark: mark, Kind: "report", Text: text, Command: "flyball maturity " + r.Model}
	return r, s.opts.Store.AddReport(ctx, r, rec, ev)
}

// program reports whether whoever asks is a program.
func program(who access.Identity) bool { return access.User{Grants: who.Grants()}.Machine() }

// known is nil where the model, and the version that is not 0, are there; an empty model
// is all models.
func (s *Service) known(ctx context.Context, model string, version int) error {
	if model == "" {
		return nil
	}
	if version == 0 {
		return s.Known(ctx, model)
	}
	_, err := s.opts.Store.Version(ctx, ident.Ref{Model: model, Version: version})
	return err
}

// evidence are the facts of a model, as its records hold them now.
func (s *Service) evidence(ctx context.Context, m *loop.Model) (*maturity.Facts, error) {
	g := gathering{Service: s, model: m, facts: &maturity.Facts{Model: m.Name, Now: s.now(ctx), Duties: m.Duties}}
	for _, c := range m.Recipe.Data.Checks {
		if c.Fresh != nil {
			g.facts.Fresh = c.Fresh.Within.D()
		}
	}
	for _, part := range []func(context.Context) error{g.releases, g.versions, g.trainings, g.people, g.watch, g.served, g.trace} {
		if err := part(ctx); err != nil {
			return g.facts, err
		}
	}
	return g.facts, nil
}
