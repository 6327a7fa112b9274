// SPDX-License-Identifier: Apache-2.0

package replica

import (
	"context"
	"fmt"
	"sync"

	"flyball/blob"
	"flyball/model"
	"flyball/serving"
)

// Keeper has a server answer by what is desired of each model: what a route names is
// loaded, its golden rows are replayed and it is warm before it is published, beside what
// serves; what no route names any more is let go. All methods may be called at once.
type Keeper struct {
	Serving *serving.Server
	Open    func(ctx context.Context, d blob.Digest) (*model.Bundle, error) // verified and warm, as model.Ready gives it

	mu   sync.Mutex // held while something is loaded
	kept map[string]*kept
}

// kept is what this process holds of a model.
type kept struct {
	versions map[int]*model.Bundle
	baseline map[int]*model.Bundle
	failed   map[int]string // why a version could not be loaded
	file     int64          // generation of the model file that is published
}

func (k *Keeper) of(name string) *kept {
	h := k.kept[name]
	if h == nil {
		if k.kept == nil {
			k.kept = map[string]*kept{}
		}
		h = &kept{versions: map[int]*model.Bundle{}, baseline: map[int]*model.Bundle{}, failed: map[int]string{}}
		k.kept[name] = h
	}
	return h
}

// Serves reports whether the model is served by the route and the model file of those
// generations.
func (k *Keeper) Serves(name string, route, file int64) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	before, ok := k.Serving.Entry(name)
	return ok && before.Route.Generation == route && k.of(name).file == file
}

// Publish has the model served by m. A candidate without a share, and a version that is
// only kept warm, are left out when they cannot be loaded (Held tells why); what cannot be
// loaded else is an error, and all stays as it was.
func (k *Keeper) Publish(ctx context.Context, m Model) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	h := k.of(m.Name)
	before, ok := k.Serving.Entry(m.Name)
	r := m.Route
	if ok && before.Route.Generation == r.Generation && h.file == m.File {
		return nil
	}
	entry := serving.Entry{Task: m.Task, Route: r, Versions: map[int]*model.Bundle{}, Durable: m.Durable, Wait: m.Wait, Explain: m.Explain, Late: m.Late}
	for _, v := range []int{r.Live, r.Candidate, r.Previous} {
		if v == 0 {
			continue
		}
		b, err := k.load(ctx, m.Bundles[v], v, h.versions)
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
		b, err := k.load(ctx, m.Baseline, r.Baseline, h.baseline)
		if err != nil {
			return fmt.Errorf("load the baseline of %s: %w", m.Name, err)
		}
		entry.Baseline = b
	}
	if err := k.Serving.Publish(m.Name, entry); err != nil {
		return err
	}
	forget(h.versions, entry.Versions, before.Versions)
	forget(h.baseline, map[int]*model.Bundle{r.Baseline: entry.Baseline}, map[int]*model.Bundle{before.Route.Baseline: before.Baseline})
	h.file = m.File
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

// Load is a version's bundle, opened and verified once; it is let go with the next
// Publish that does not name it.
func (k *Keeper) Load(ctx context.Context, name string, version int, d blob.Digest) (*model.Bundle, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.load(ctx, d, version, k.of(name).versions)
}

func (k *Keeper) load(ctx context.Context, d blob.Digest, version int, have map[int]*model.Bundle) (*model.Bundle, error) {
	if b := have[version]; b != nil {
		return b, nil
	}
	b, err := k.Open(ctx, d)
	if err == nil {
		have[version] = b
	}
	return b, err
}

// Bundle is a version that is held; nil: it is not.
func (k *Keeper) Bundle(name string, version int) *model.Bundle {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.of(name).versions[version]
}

// Held is what is held of a model, of which candidate is the version under release.
func (k *Keeper) Held(name string, candidate int) Held {
	out := Held{Model: name}
	e, ok := k.Serving.Entry(name)
	if !ok {
		return out
	}
	out.Generation = e.Route.Generation
	if e.Versions[candidate] != nil {
		out.Candidate = candidate
		return out
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	out.Failed = k.of(name).failed[candidate]
	return out
}
