// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"context"
	"fmt"
	"time"

	"flyball/blob"
	"flyball/ident"
	"flyball/model"
	"flyball/model/registry"
	"flyball/serving/release"
	"flyball/serving/replica"
)

// lateTimes is how many times the latency that a model file allows to 99 % of a
// candidate's answers one of them may take, before the live version answers for it. It
// is more than one, so that the limit itself can still be measured.
const lateTimes = 10

// publish has the model served by the route, here; other processes learn of it by
// Desired.
func (l *Loop) publish(ctx context.Context, m *Model, r release.Route) error {
	if l.keeper.Serves(m.Name, r.Generation, m.Generation) {
		return nil
	}
	wanted, err := l.wanted(ctx, m, r)
	if err != nil {
		return err
	}
	return l.keeper.Publish(ctx, wanted)
}

// wanted is the model as it is to be served by a route.
func (l *Loop) wanted(ctx context.Context, m *Model, r release.Route) (replica.Model, error) {
	out := replica.Model{
		Name: m.Name, File: m.Generation, Task: m.Recipe.Task, Route: r, Bundles: map[int]blob.Digest{},
		Durable: m.Durable, Wait: m.Wait, Explain: m.Explain,
	}
	if late := m.Plan.BackIf.LatencyP99; late != nil {
		out.Late = time.Duration(lateTimes * float64(late.Above) * float64(time.Second))
	}
	for _, v := range []int{r.Live, r.Candidate, r.Previous} {
		if v == 0 {
			continue
		}
		d, err := l.bundle(ctx, ident.Ref{Model: m.Name, Version: v})
		if err != nil {
			return out, err
		}
		out.Bundles[v] = d
	}
	var err error
	if r.Baseline != 0 {
		out.Baseline, err = l.bundle(ctx, ident.Ref{Model: registry.BaselineOf(m.Name), Version: r.Baseline})
	}
	return out, err
}

// bundle is where a version's bytes lie.
func (l *Loop) bundle(ctx context.Context, ref ident.Ref) (blob.Digest, error) {
	v, err := l.opts.Store.Version(ctx, ref)
	if err != nil {
		return "", fmt.Errorf("load %s: %w", ref, err)
	}
	return v.Bundle, nil
}

// load opens a version's bundle and verifies it, once.
func (l *Loop) load(ctx context.Context, ref ident.Ref) (*model.Bundle, error) {
	if b := l.keeper.Bundle(ref.Model, ref.Version); b != nil {
		return b, nil
	}
	d, err := l.bundle(ctx, ref)
	if err != nil {
		return nil, err
	}
	return l.keeper.Load(ctx, ref.Model, ref.Version, d)
}

// Desired is every model as it is to be served now, for processes that only serve.
func (l *Loop) Desired(ctx context.Context) ([]replica.Model, error) {
	models, err := l.opts.Models(ctx)
	if err != nil {
		return nil, err
	}
	var out []replica.Model
	for i := range models {
		rel, any, err := l.opts.Store.Release(ctx, models[i].Name)
		if err != nil {
			return nil, err
		}
		if !any {
			continue
		}
		m, err := l.wanted(ctx, &models[i], rel.Route())
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// replicas are the processes that serve the model, this one first.
func (l *Loop) replicas(ctx context.Context, m *Model, s release.State) ([]release.Replica, error) {
	out := []release.Replica{l.keeper.Held(m.Name, s.Candidate).Of("local")}
	if l.opts.Replicas == nil {
		return out, nil
	}
	all, err := l.opts.Replicas(ctx)
	for _, r := range all {
		if r.Leased {
			out = append(out, r.Of(m.Name))
		}
	}
	return out, err
}
