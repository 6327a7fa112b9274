// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"context"
	"fmt"
	"time"

	"flyball/ident"
	"flyball/model"
	"flyball/model/registry"
	"flyball/monitoring"
	"flyball/serving"
	"flyball/serving/release"
)

// hold is what this process holds of the model.
func (l *Loop) hold(name string) *loaded {
	h := l.loaded[name]
	if h == nil {
		h = &loaded{versions: map[int]*model.Bundle{}, baseline: map[int]*model.Bundle{}, failed: map[int]string{}, profiles: map[int]*monitoring.Profile{}}
		l.loaded[name] = h
	}
	return h
}

// lateTimes is how many times the latency that a model file allows to 99 % of a
// candidate's answers one of them may take, before the live version answers for it. It
// is more than one, so that the limit itself can still be measured.
const lateTimes = 10

// publish has the model served by the route: what it names is loaded and its golden
// rows are replayed first, beside what serves; what it names no more is let go.
func (l *Loop) publish(ctx context.Context, m *Model, r release.Route) error {
	h := l.hold(m.Name)
	before, ok := l.opts.Serving.Entry(m.Name)
	if ok && before.Route.Generation == r.Generation && h.applied == m.Generation {
		return nil
	}
	entry := serving.Entry{Task: m.Recipe.Task, Route: r, Versions: map[int]*model.Bundle{}, Durable: m.Durable, Wait: m.Wait, Explain: m.Explain}
	if l := m.Plan.BackIf.LatencyP99; l != nil {
		entry.Late = time.Duration(lateTimes * float64(l.Above) * float64(time.Second))
	}
	for _, v := range []int{r.Live, r.Candidate, r.Previous} {
		if v == 0 {
			continue
		}
		b, err := l.load(ctx, ident.Ref{Model: m.Name, Version: v}, h.versions)
		if err != nil {
			h.failed[v] = err.Error()
			if v == r.Candidate && r.Share == 0 {
				entry.Route.Both = false // release.Next takes it back
				continue
			}
			if v == r.Previous {
				entry.Route.Previous = 0
				continue
			}
			return fmt.Errorf("load %s@%d: %w", m.Name, v, err)
		}
		entry.Versions[v] = b
	}
	if r.Baseline != 0 {
		b, err := l.load(ctx, ident.Ref{Model: registry.BaselineOf(m.Name), Version: r.Baseline}, h.baseline)
		if err != nil {
			return fmt.Errorf("load the baseline of %s: %w", m.Name, err)
		}
		entry.Baseline = b
	}
	if err := l.opts.Serving.Publish(m.Name, entry); err != nil {
		return err
	}
	forget(h.versions, entry.Versions, before.Versions)
	forget(h.baseline, map[int]*model.Bundle{r.Baseline: entry.Baseline}, map[int]*model.Bundle{before.Route.Baseline: before.Baseline})
	h.applied = m.Generation
	return nil
}

// forget drops the bundles that are not served now. Serving closes those that it served
// before, after their last request; the others never came so far.
func forget(have, now, before map[int]*model.Bundle) {
	for v, b := range have {
		if now[v] == b {
			continue
		}
		delete(have, v)
		if before[v] != b {
			_ = b.Close() // nobody waits for it
		}
	}
}

// load opens a version's bundle and verifies it, once.
func (l *Loop) load(ctx context.Context, ref ident.Ref, have map[int]*model.Bundle) (*model.Bundle, error) {
	if b := have[ref.Version]; b != nil {
		return b, nil
	}
	v, err := l.opts.Store.Version(ctx, ref)
	if err != nil {
		return nil, err
	}
	b, err := model.Ready(ctx, l.opts.Blobs, l.opts.Decoders, v.Bundle)
	if err != nil {
		return nil, err
	}
	have[ref.Version] = b
	return b, nil
}

// replica is what this process serves of the model, as release.Next asks.
func (l *Loop) replica(m *Model, s release.State) release.Replica {
	out := release.Replica{Name: "local"}
	e, ok := l.opts.Serving.Entry(m.Name)
	if !ok {
		return out
	}
	out.Generation = e.Route.Generation
	h := l.hold(m.Name)
	if e.Versions[s.Candidate] != nil {
		out.Candidate = s.Candidate
	} else {
		out.Failed = h.failed[s.Candidate]
	}
	return out
}
