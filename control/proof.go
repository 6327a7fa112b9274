// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/governance/audit"
	"flyball/governance/card"
	"flyball/governance/dossier"
	"flyball/ident"
	"flyball/model"
	"flyball/model/registry"
	"flyball/serving"
	"flyball/serving/prediction"
	"flyball/spec"
	"flyball/training"
)

// mostRecord bounds the record.json that is read.
const mostRecord = 16 << 20

// Card is the model card of a version as things stand. What the version does for groups
// is in it where whoever asks may see that.
func (s *Service) Card(ctx context.Context, name string, version int) (card.Card, error) {
	v, err := s.Version(ctx, ident.Ref{Model: name, Version: version})
	if err != nil {
		return card.Card{}, err
	}
	return s.card(ctx, v, name)
}

// card is the card of a version, by the model file of the model that cares for it: a
// baseline's version is counted apart.
func (s *Service) card(ctx context.Context, v registry.Version, cared string) (card.Card, error) {
	f := card.Facts{Version: v, Now: s.now(ctx)}
	m, err := s.opts.Store.Model(ctx, cared)
	if err != nil {
		return card.Card{}, err
	}
	f.About = m.About
	if m.Cared() {
		file, err := spec.Parse(m.Name, []byte(m.File))
		if err != nil {
			return card.Card{}, err
		}
		f.Human, f.About = humanOf(*file.Model), file.Model.About
		f.SaidBy, f.SaidAt = m.AppliedBy, m.AppliedAt
		f.Task, f.Trainer = file.Model.Predict, file.Model.WithDefaults().Train.With
	}
	if v.Record != "" {
		if f.Record, err = blob.ReadAll(ctx, s.opts.Blobs, v.Record, mostRecord); err != nil {
			return card.Card{}, err
		}
		if made, _, err := training.Recorded(f.Record); err == nil { // what was judged here has another type
			f.Task, f.Trainer = made.Recipe.Task, made.Recipe.Train.With
		}
	}
	made, err := s.opts.Store.Snapshots(ctx, cared)
	if err != nil {
		return card.Card{}, err
	}
	if i := slices.IndexFunc(made, func(m dataset.Made) bool { return m.ID == v.Snapshot }); i >= 0 {
		f.Snapshot = made[i]
	}
	if v.Model == cared { // a baseline is released by nobody
		if f.Asked, err = s.opts.Store.Approvals(ctx, cared, false); err != nil {
			return card.Card{}, err
		}
		if f.Releases, err = s.opts.Store.ReleaseHistory(ctx, cared); err != nil {
			return card.Card{}, err
		}
		if f.Findings, err = s.opts.Store.Findings(ctx, cared, false); err != nil {
			return card.Card{}, err
		}
	}
	if f.Remade, err = s.opts.Store.Reproductions(ctx, v.Model, v.Version); err != nil {
		return card.Card{}, err
	}
	return card.Of(f)
}

// humanOf are the six fields of a card, as a model file has them.
func humanOf(m spec.Model) card.Human { return m.Card.Human(m.About, m.Risk, m.Duties) }

// uncarded warns of what a card misses that is needed before production.
func uncarded(m spec.Model) []string {
	missing := humanOf(m).Missing()
	if len(missing) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("card: what only people know is not all said, and is needed before production: %s", strings.Join(missing, ", "))}
}

// VersionDossier is all that is held about a version.
func (s *Service) VersionDossier(ctx context.Context, name string, version int) (dossier.Dossier, error) {
	ref := ident.Ref{Model: name, Version: version}
	d := dossier.Dossier{Subject: ref.String(), Model: name, Made: s.now(ctx), By: access.Actor(ctx)}
	if err := s.filed(ctx, &d, ref); err != nil {
		return dossier.Dossier{}, err
	}
	var err error
	d.Records, err = s.recordsOf(ctx, name)
	return d, err
}

// filed puts a version into the dossier.
func (s *Service) filed(ctx context.Context, d *dossier.Dossier, ref ident.Ref) error {
	v, err := s.Version(ctx, ref)
	if err != nil {
		return err
	}
	c, err := s.card(ctx, v, d.Model)
	if err != nil {
		return err
	}
	d.Card = &c
	d.Verdict, err = dossier.Judged(v)
	return err
}

// recordsOf are the audit records of a model, where whoever asks may read them.
func (s *Service) recordsOf(ctx context.Context, name string) (dossier.Records, error) {
	if !access.From(ctx).May(access.Audit, "") {
		return dossier.Gather(nil), nil
	}
	all, err := s.auditOf(ctx, name)
	return dossier.Gather(all), err
}

// auditOf are all audit records of a model and its versions, in order; never nil.
func (s *Service) auditOf(ctx context.Context, name string) ([]audit.Record, error) {
	of := []audit.Record{}
	for q := (audit.Query{Object: name}); ; {
		const page = 1000
		some, err := s.opts.Store.FindAudit(ctx, q, page)
		if err != nil {
			return nil, err
		}
		if of = append(of, some...); len(some) < page {
			return of, nil
		}
		q.After = some[page-1].Seq
	}
}

// PredictionDossier is all that is held about a prediction: that of an id, or the newest
// of a key. Its row is scored again by the version that answered, opened from its bundle.
// A prediction that the log does not hold is a NotFound fault.
func (s *Service) PredictionDossier(ctx context.Context, name, id string) (dossier.Dossier, error) {
	j, err := s.find(ctx, name, id)
	if err != nil {
		return dossier.Dossier{}, err
	}
	d := dossier.Dossier{Subject: string(j.ID), Model: name, Made: s.now(ctx), By: access.Actor(ctx)}
	p := &dossier.Prediction{Record: j.Record, Bits: dossier.Bits(j.Scores), Truth: j.Label}
	d.Prediction = p
	history, err := s.opts.Store.ReleaseHistory(ctx, name)
	if err != nil {
		return dossier.Dossier{}, err
	}
	p.Route = dossier.RouteAt(history, j.Generation)
	if p.Why, err = j.Why(); err != nil {
		return dossier.Dossier{}, err
	}
	if p.Kept = p.Why != nil; p.Kept {
		serving.Values(p.Why, j.Row)
	}
	if j.Arm == prediction.Fallback {
		p.Unexplained = "no version answered, but the fallback of the model file"
		p.Replay.Why = p.Unexplained
	} else {
		if err := s.filed(ctx, &d, refOf(&j.Record)); err != nil {
			return dossier.Dossier{}, err
		}
		if err := s.again(ctx, p, refOf(&j.Record), d.Card.Bundle); err != nil {
			p.Replay.Why = sentenceOf(err)
		}
	}
	if p.Why == nil && p.Unexplained == "" {
		p.Unexplained = "none were kept, and none can be worked out"
	}
	d.Records, err = s.recordsOf(ctx, name)
	return d, err
}

// again opens the bundle and has it score the row; reasons that were not kept are worked
// out with it.
func (s *Service) again(ctx context.Context, p *dossier.Prediction, ref ident.Ref, bundle blob.Digest) error {
	b, err := model.Open(ctx, s.opts.Blobs, s.opts.Decoders, bundle)
	if err != nil {
		return err
	}
	defer b.Close() //nolint:errcheck // what it answered stands
	p.Replay.Bundle, p.Classes, p.Decide = bundle, b.Manifest.Classes, b.Manifest.Decide
	rows, scores, err := answerAgain(ctx, b, ref, p.Row)
	if err != nil {
		return err
	}
	r := &p.Replay
	r.Scores = scores
	r.Bits, r.Why = dossier.Bits(r.Scores), dossier.Differ(p.Scores, r.Scores)
	r.Equal = r.Why == ""
	if p.Why == nil {
		s.reason(ctx, p, b, rows, r.Scores)
	}
	return nil
}

// reason works out why the version gives the row its score.
func (s *Service) reason(ctx context.Context, p *dossier.Prediction, b *model.Bundle, rows *frame.Frame, scores []float64) {
	e, err := b.Explain(ctx, rows)
	if err != nil {
		p.Unexplained = sentenceOf(err)
		return
	}
	if p.Why = serving.Reasons(b, &e, 0, scores, len(e.Columns)); p.Why == nil {
		p.Unexplained = "the contributions are not finite"
		return
	}
	p.Why.Version = p.Version
	serving.Values(p.Why, p.Row)
}

// sentenceOf is an error on one line, without a period.
func sentenceOf(err error) string {
	text := err.Error()
	if f, ok := errors.AsType[*fault.Error](err); ok {
		text = f.What
	}
	return strings.TrimSuffix(strings.Join(strings.Fields(text), " "), ".")
}
