// SPDX-License-Identifier: Apache-2.0

package control

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"flyball/fault"
	"flyball/ident"
	"flyball/model"
	"flyball/monitoring"
	"flyball/serving/prediction"
)

// standingRows is how many of the newest rows a standing is told of, and of the newest
// ones whose truth is due.
const standingRows = 10_000

// Standing is how a version of a model stands by its newest rows; version 0 is the live
// one. A model that has none is a NotFound fault.
func (s *Service) Standing(ctx context.Context, name string, version int) (monitoring.Standing, error) {
	m, err := s.Model(ctx, name)
	if err != nil {
		return monitoring.Standing{}, err
	}
	if version, err = s.versionOf(ctx, name, version); err != nil {
		return monitoring.Standing{}, err
	}
	in := monitoring.StandingInput{Policy: m.Recipe.Watch, Task: m.Recipe.Task, Model: name, Version: version, Now: s.now(ctx)}
	if in.Profile, err = s.profile(ctx, name, version); err != nil {
		return monitoring.Standing{}, err
	}
	q := prediction.Query{Model: name, AsOf: in.Now, Last: standingRows, Reasons: true}
	if in.Newest, err = s.scoredBy(ctx, version, q); err != nil {
		return monitoring.Standing{}, err
	}
	q.DueBy, q.Reasons = in.Now, false
	if in.Due, err = s.scoredBy(ctx, version, q); err != nil {
		return monitoring.Standing{}, err
	}
	return monitoring.Stand(in), nil
}

// versionOf is the version, or the live one where it is 0: a NotFound fault where none is.
func (s *Service) versionOf(ctx context.Context, name string, version int) (int, error) {
	if version != 0 {
		return version, nil
	}
	rel, any, err := s.opts.Store.Release(ctx, name)
	if err != nil {
		return 0, err
	}
	if any {
		version = rel.Aliases()["live"]
	}
	if version == 0 {
		return 0, fault.New(fault.NotFound, "no version of %s is live", name).Do("promote one, or name one: see flyball versions %s", name)
	}
	return version, nil
}

// profile is what the version is compared with; nil when its bundle has none.
func (s *Service) profile(ctx context.Context, name string, version int) (*monitoring.Profile, error) {
	loan, err := s.opts.Serving.Lend(ctx, ident.Name{Model: name, Version: version})
	if err != nil {
		return nil, fmt.Errorf("%s@%d cannot be asked: %w", name, version, err)
	}
	defer loan.Back()
	if _, ok := loan.Bundle.Manifest.Files[model.ProfileFile]; !ok {
		return nil, nil
	}
	raw, err := loan.Bundle.File(ctx, s.opts.Blobs, model.ProfileFile)
	if err != nil {
		return nil, err
	}
	return monitoring.DecodeProfile(raw)
}

// scoredBy is the rows of the log that the version scored, answering or beside.
func (s *Service) scoredBy(ctx context.Context, version int, q prediction.Query) ([]prediction.Joined, error) {
	var out []prediction.Joined
	err := s.opts.Log.Scan(ctx, q, func(j prediction.Joined) error {
		if j.ScoresOf(version) != nil {
			out = append(out, j)
		}
		return nil
	})
	slices.SortStableFunc(out, func(a, b prediction.Joined) int {
		return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.Key, b.Key))
	})
	return out, err
}
