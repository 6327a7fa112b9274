// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"cmp"
	"context"
	"slices"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/fault"
	"flyball/ident"
	"flyball/model"
)

// Description is what a caller must know of a model to ask it.
type Description struct {
	Model    string
	Version  int   // that answers what is not on trial; the one asked for where there was one
	Versions []int // that can be asked for by number, rising

	// Inputs are the columns a row must have. Under a route the columns that tell which
	// row it is and when come last, as text, unless the model takes them too.
	Inputs []frame.Field

	Outputs int          // scores a row
	Kind    dataset.Kind // empty: nobody said what the scores mean
	Classes []string     // of a multiclass model
	Decide  *dataset.Decision
	Answer  *model.Answer // how MLflow's predict answers; nil: as Kind implies
	Own     bool          // the model has an answer of its own besides its scores (model.Answerer)

	Routed bool   // a route decides who answers, and the answers are logged
	State  string // READY, or why not as Held says
	Reason string
}

// Describe tells how to ask a model by the name given, as Predict would answer it. A
// version on the shelf is loaded for it.
func (s *Server) Describe(ctx context.Context, name ident.Name) (Description, error) {
	l, err := s.Lend(ctx, name)
	if err != nil {
		return Description{}, err
	}
	defer l.Back()
	d := Description{Model: name.Model, Version: l.Version, Routed: l.Routed, State: Ready, Versions: []int{l.Version}}
	d.of(l.Bundle)
	if l.Routed {
		for _, f := range l.entry.meta {
			if !slices.ContainsFunc(d.Inputs, func(in frame.Field) bool { return in.Name == f.Name }) {
				d.Inputs = append(d.Inputs, f)
			}
		}
		if l.entry.Stop != "" {
			d.State, d.Reason = Unavailable, l.entry.Stop
		}
	}
	all, err := s.Index(ctx)
	if err != nil {
		return Description{}, err
	}
	for _, h := range all {
		if h.Model == name.Model && !slices.Contains(d.Versions, h.Version) {
			d.Versions = append(d.Versions, h.Version)
		}
	}
	slices.Sort(d.Versions)
	return d, nil
}

func (d *Description) of(b *model.Bundle) {
	m := &b.Manifest
	d.Inputs, d.Outputs = slices.Clone(b.Inputs()), b.Outputs()
	d.Kind, d.Classes, d.Decide, d.Answer = m.Kind, m.Classes, m.Decide, m.Answer
	d.Own = m.Answer != nil && m.Answer.Form == model.Own
}

// Loan is a bundle that stays open until Back.
type Loan struct {
	Bundle  *model.Bundle
	Version int
	Routed  bool // it is what the model's route answers by
	Back    func()

	entry *published // where Routed
}

// Lend gives the bundle that Predict would ask for the name: of a route the one that
// answers what is not on trial. Back must be called after its last use. Nothing that is
// asked of it is logged.
func (s *Server) Lend(ctx context.Context, name ident.Name) (Loan, error) {
	req := Ask(name)
	n := req.name()
	if p := s.take(n.Model); p != nil {
		switch {
		case n.Alias == "" && (n.Version == 0 || p.standsFor(n.Version)):
			if b, v := p.standing(); b != nil {
				return Loan{Bundle: b, Version: v, Routed: true, Back: p.drop, entry: p}, nil
			}
			p.drop()
			return Loan{}, fault.New(fault.Unavailable, "no version of %s is live; its fallback answers", n.Model)
		case n.Alias == "" && p.Versions[n.Version] != nil:
			return Loan{Bundle: p.Versions[n.Version], Version: n.Version, Back: p.drop}, nil
		}
		p.drop()
	}
	if s.opts.Shelf == nil {
		return Loan{}, notServed(n)
	}
	b, v, back, err := s.opts.Shelf.Use(ctx, n)
	return Loan{Bundle: b, Version: v, Back: back}, err
}

// standing is the version that answers all that is not on trial.
func (e *Entry) standing() (*model.Bundle, int) {
	for v, b := range e.Versions {
		if e.standsFor(v) {
			return b, v
		}
	}
	return e.main(), cmp.Or(e.Route.Live, e.Route.Candidate)
}

// State is how the version stands that the name means. It loads nothing.
func (s *Server) State(ctx context.Context, name ident.Name) (Held, error) {
	req := Ask(name)
	n := req.name()
	for _, h := range s.named(n.Model) {
		if n.Alias == "" && (n.Version == h.Version || n.Version == 0 && h.answers) {
			return h.Held, nil
		}
	}
	if s.opts.Shelf == nil {
		return Held{}, notServed(n)
	}
	return s.opts.Shelf.Find(ctx, n)
}

// Load has the version ready that the name means; what a route names always is.
func (s *Server) Load(ctx context.Context, name ident.Name) error {
	if h, err := s.State(ctx, name); err == nil && h.State == Ready {
		return nil
	}
	if s.opts.Shelf == nil {
		return notServed(name)
	}
	req := Ask(name)
	return s.opts.Shelf.Load(ctx, req.name())
}

// Unload lets the version go that the name means. What a route names is not let go: a
// Refused fault.
func (s *Server) Unload(ctx context.Context, name ident.Name) error {
	req := Ask(name)
	n := req.name()
	for _, h := range s.named(n.Model) {
		if n.Alias == "" && (n.Version == h.Version || n.Version == 0 && h.answers) {
			return fault.New(fault.Refused, "%s@%d is named by the model's route", n.Model, h.Version).
				Do("roll it back or release another version: flyball status %s", n.Model)
		}
	}
	if s.opts.Shelf == nil {
		return notServed(n)
	}
	return s.opts.Shelf.Unload(ctx, n)
}

// Index is every version that could be asked for, by model and number.
func (s *Server) Index(ctx context.Context) ([]Held, error) {
	var out []Held
	for _, name := range s.Names() {
		for _, h := range s.named(name) {
			out = append(out, h.Held)
		}
	}
	if s.opts.Shelf != nil {
		more, err := s.opts.Shelf.Index(ctx)
		if err != nil {
			return nil, err
		}
		known := map[ident.Ref]bool{}
		for _, h := range out {
			known[ident.Ref{Model: h.Model, Version: h.Version}] = true
		}
		for _, h := range more {
			if !known[ident.Ref{Model: h.Model, Version: h.Version}] {
				out = append(out, h)
			}
		}
	}
	slices.SortFunc(out, func(a, b Held) int { return cmp.Or(cmp.Compare(a.Model, b.Model), a.Version-b.Version) })
	return out, nil
}

// namedVersion is a version that a route names.
type namedVersion struct {
	Held
	answers bool
}

// named are the versions that the model's route names.
func (s *Server) named(name string) []namedVersion {
	p := s.take(name)
	if p == nil {
		return nil
	}
	defer p.drop()
	var out []namedVersion
	for v, b := range p.Versions {
		h := namedVersion{Held{Model: name, Version: v, State: Ready, Bytes: b.Size()}, p.standsFor(v)}
		if p.Stop != "" {
			h.State, h.Reason = Unavailable, p.Stop
		}
		out = append(out, h)
	}
	return out
}
