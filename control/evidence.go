// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"

	"flyball/fault"
	"flyball/governance/evidence"
	"flyball/ident"
	"flyball/model/registry"
	"flyball/serving/prediction"
)

// Evidence sorts what is held of a model into the headings of a profile
// (evidence.Profiles): of its live version, else of the newest.
func (s *Service) Evidence(ctx context.Context, name, profile string) (evidence.Export, error) {
	if _, err := evidence.Of(profile, evidence.Facts{}); err != nil {
		return evidence.Export{}, err
	}
	m, err := s.opts.Store.Model(ctx, name)
	if err != nil {
		return evidence.Export{}, err
	}
	f := evidence.Facts{Model: name, Monitored: m.Cared(), Now: s.now(ctx)}
	if m.Cared() {
		lm, err := s.Model(ctx, name)
		if err != nil {
			return evidence.Export{}, err
		}
		f.Duties = lm.Duties
	}
	if err := s.speaking(ctx, &f); err != nil {
		return evidence.Export{}, err
	}
	made, err := s.opts.Store.Snapshots(ctx, name)
	if err != nil {
		return evidence.Export{}, err
	}
	found, err := s.opts.Store.Findings(ctx, name, false)
	if err != nil {
		return evidence.Export{}, err
	}
	records, err := s.auditOf(ctx, name)
	if err != nil {
		return evidence.Export{}, err
	}
	f.Snapshots, f.Findings, f.Records = len(made), len(found), len(records)
	if err := s.predicted(ctx, &f); err != nil {
		return evidence.Export{}, err
	}
	return evidence.Of(profile, f)
}

// speaking finds the version that an export speaks of.
func (s *Service) speaking(ctx context.Context, f *evidence.Facts) error {
	ref, err := s.opts.Store.Alias(ctx, f.Model, registry.Live)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if err != nil || ref.Version == 0 {
		all, err := s.opts.Store.Versions(ctx, f.Model)
		if err != nil || len(all) == 0 {
			return err
		}
		ref = all[0].Ref
	}
	v, err := s.opts.Store.Version(ctx, ident.Ref{Model: f.Model, Version: ref.Version})
	if err != nil {
		return err
	}
	c, err := s.card(ctx, v, f.Model)
	f.Card, f.Groups = &c, c.Withheld || len(c.Groups) > 0
	return err
}

// predicted finds the newest prediction, and the newest with a truth.
func (s *Service) predicted(ctx context.Context, f *evidence.Facts) error {
	err := s.opts.Log.Scan(ctx, prediction.Query{Model: f.Model, Last: 1, Reasons: true}, func(j prediction.Joined) error {
		f.Predicted, f.Reasoned = j.At, len(j.Reasons) > 0
		return nil
	})
	if err != nil {
		return err
	}
	return s.opts.Log.Scan(ctx, prediction.Query{Model: f.Model, Last: 1, Truth: "known"}, func(j prediction.Joined) error {
		f.Labelled = j.At
		return nil
	})
}
