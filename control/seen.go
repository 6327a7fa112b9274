// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/json"

	"flyball/experiment/gate/report"
	"flyball/governance/access"
	"flyball/ident"
	"flyball/job"
	"flyball/model/registry"
)

// seen is a version as whoever asks may see it: what it does for groups takes a permission
// of its own. Every report of the gate leaves towards a face through here, so no face reads
// versions or jobs of the store by itself.
func seen(ctx context.Context, v registry.Version) (registry.Version, error) {
	if access.From(ctx).May(access.Fairness, v.Model) {
		return v, nil
	}
	return report.Withhold(v)
}

// Version is one version, as whoever asks may see it; a NotFound fault when there is none.
func (s *Service) Version(ctx context.Context, ref ident.Ref) (registry.Version, error) {
	v, err := s.opts.Store.Version(ctx, ref)
	if err != nil {
		return v, err
	}
	return seen(ctx, v)
}

// Versions are a model's versions, the newest first, as whoever asks may see them.
func (s *Service) Versions(ctx context.Context, model string) ([]registry.Version, error) {
	vs, err := s.opts.Store.Versions(ctx, model)
	if err != nil {
		return nil, err
	}
	for i, v := range vs {
		if vs[i], err = seen(ctx, v); err != nil {
			return nil, err
		}
	}
	return vs, nil
}

// Job is one piece of background work, as whoever asks may see it; a NotFound fault when
// there is none.
func (s *Service) Job(ctx context.Context, id string) (job.Job, error) {
	j, err := s.opts.Store.Job(ctx, id)
	if err != nil {
		return j, err
	}
	return judgedJob(ctx, j)
}

// Jobs are the newest jobs of a model, as whoever asks may see them.
func (s *Service) Jobs(ctx context.Context, model string, limit int) ([]job.Job, error) {
	js, err := s.opts.Store.Jobs(ctx, model, limit)
	if err != nil {
		return nil, err
	}
	for i, j := range js {
		if js[i], err = judgedJob(ctx, j); err != nil {
			return nil, err
		}
	}
	return js, nil
}

// judgedJob is a job, where its result has a verdict with that as whoever asks may see it.
func judgedJob(ctx context.Context, j job.Job) (job.Job, error) {
	var parts map[string]json.RawMessage
	if len(j.Result) == 0 || json.Unmarshal(j.Result, &parts) != nil || parts["verdict"] == nil {
		return j, nil
	}
	v := registry.Version{Ref: ident.Ref{Model: j.Model}, Report: parts["verdict"]}
	_ = json.Unmarshal(parts["version"], &v.Version) // 0 where the result names none
	less, err := seen(ctx, v)
	if err != nil {
		return j, err
	}
	parts["verdict"] = less.Report
	j.Result, err = json.Marshal(parts)
	return j, err
}
