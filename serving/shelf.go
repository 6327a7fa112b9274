// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/fault"
	"flyball/ident"
	"flyball/model"
)

// Source is where a shelf gets its models from. All methods may be called at once.
type Source interface {
	// Find is the version that a name means. A name without version or alias is the
	// alias "champion" where there is one, else the newest version. What does not exist
	// is a NotFound fault.
	Find(ctx context.Context, name ident.Name) (ident.Ref, error)

	// Weigh is the memory, in bytes, that the version is likely to take, as from the size
	// of its files; 0: nobody can tell.
	Weigh(ctx context.Context, ref ident.Ref) int64

	// Open reads the version, checks it and warms it. Whoever opened it closes it.
	Open(ctx context.Context, ref ident.Ref) (*model.Bundle, error)

	// Items are all versions that could be opened.
	Items(ctx context.Context) ([]ident.Ref, error)
}

// ShelfOptions are what a shelf is made from.
type ShelfOptions struct {
	Source  Source
	Budget  int64                 // bytes of memory of all that is loaded; 0: 1 GiB
	Loads   int                   // at once; 0: 2
	Wait    time.Duration         // for room, before a load gives up; 0: 5 s
	Fresh   time.Duration         // so long a name goes on meaning the version it meant; 0: 1 s
	Again   time.Duration         // after a load that failed, doubled each time up to a minute; 0: 1 s
	Metrics prometheus.Registerer // nil: none
}

// The least memory that a version is reckoned with, and the guess where nobody knows.
const (
	leastBytes = 4 << 10
	guessBytes = 1 << 20
)

// shelf is the Shelf over a Source. It reserves memory before it loads, loads a version
// once at a time, and lets go of what was used longest ago, and of nothing in use.
type shelf struct {
	opts    ShelfOptions
	metrics *shelfMetrics
	slots   chan struct{} // one for each load under way
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	known  map[ident.Name]meaning
	places map[ident.Ref]*place
	recent *list.List    // of *place that are loaded, the latest used first
	used   int64         // bytes loaded or reserved
	freed  chan struct{} // closed when something became idle or went
	closed bool
}

// meaning is what a name meant when it was last looked up.
type meaning struct {
	ref ident.Ref
	at  time.Time
}

// place is a version's place on the shelf, loaded or not.
type place struct {
	ref    ident.Ref
	bundle *model.Bundle // nil: not loaded
	seen   *list.Element // in recent, where loaded
	uses   int
	bytes  int64 // loaded or reserved
	was    int64 // bytes when it was loaded last; 0: never
	load   *load // under way
	off    bool  // unloaded by hand
	failed error // the last load's
	fails  int
	again  time.Time // before which it is not tried
}

// load is one under way; err is set when done is closed.
type load struct {
	done chan struct{}
	err  error
}

// NewShelf makes a shelf on which nothing is loaded. Close ends it.
func NewShelf(opts ShelfOptions) Shelf {
	if opts.Budget == 0 {
		opts.Budget = 1 << 30
	}
	if opts.Loads == 0 {
		opts.Loads = 2
	}
	for d, otherwise := range map[*time.Duration]time.Duration{&opts.Wait: 5 * time.Second, &opts.Fresh: time.Second, &opts.Again: time.Second} {
		if *d == 0 {
			*d = otherwise
		}
	}
	s := &shelf{
		opts: opts, slots: make(chan struct{}, opts.Loads), known: map[ident.Name]meaning{},
		places: map[ident.Ref]*place{}, recent: list.New(), freed: make(chan struct{}),
	}
	s.ctx, s.stop = context.WithCancel(context.Background()) // loads outlive the request that asked first
	s.metrics = newShelfMetrics(opts.Metrics, s)
	return s
}

// Use lends a version; see Shelf.
func (s *shelf) Use(ctx context.Context, name ident.Name) (*model.Bundle, int, func(), error) {
	ref, err := s.means(ctx, name)
	if err != nil {
		return nil, 0, nil, err
	}
	for {
		b, back, wait, err := s.lend(ref)
		switch {
		case err != nil:
			return nil, 0, nil, err
		case b != nil:
			return b, ref.Version, back, nil
		}
		select {
		case <-ctx.Done():
			return nil, 0, nil, fault.Wrap(context.Cause(ctx), fault.Unavailable, "%s is still being loaded", ref)
		case <-wait.done:
			if wait.err != nil {
				return nil, 0, nil, wait.err
			}
		}
	}
}

// lend gives the version's bundle, or the load to wait for.
func (s *shelf) lend(ref ident.Ref) (*model.Bundle, func(), *load, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.place(ref)
	switch {
	case s.closed:
		return nil, nil, nil, fault.New(fault.Unavailable, "the server is stopping")
	case p.off:
		return nil, nil, nil, fault.New(fault.Unavailable, "%s was unloaded", ref).Do("load it")
	case p.bundle != nil:
		p.uses++
		s.recent.MoveToFront(p.seen)
		return p.bundle, sync.OnceFunc(func() { s.back(p) }), nil, nil
	case p.load == nil && p.failed != nil && time.Now().Before(p.again):
		return nil, nil, nil, p.failed
	}
	if p.load == nil {
		p.load = &load{done: make(chan struct{})}
		s.running.Go(func() { s.bring(p) })
	}
	return nil, nil, p.load, nil
}

func (s *shelf) place(ref ident.Ref) *place {
	p := s.places[ref]
	if p == nil {
		p = &place{ref: ref}
		s.places[ref] = p
	}
	return p
}

// back ends a use.
func (s *shelf) back(p *place) {
	s.mu.Lock()
	p.uses--
	var gone *model.Bundle
	if p.uses == 0 {
		if p.off || s.closed {
			gone = s.clear(p)
		}
		s.tell()
	}
	s.mu.Unlock()
	closeAll(gone)
}

// tell wakes who waits for room.
func (s *shelf) tell() {
	close(s.freed)
	s.freed = make(chan struct{})
}

// clear takes an idle bundle off the shelf; it is the caller's to close.
func (s *shelf) clear(p *place) *model.Bundle {
	b := p.bundle
	if b == nil {
		return nil
	}
	s.recent.Remove(p.seen)
	s.used -= p.bytes
	p.bundle, p.seen, p.bytes = nil, nil, 0
	return b
}

// closeAll closes bundles that nobody uses. There is nobody to tell of an error: what
// they held is gone one way or the other.
func closeAll(bs ...*model.Bundle) {
	for _, b := range bs {
		if b != nil {
			_ = b.Close()
		}
	}
}

// means is the version that the name means now, or meant a moment ago. When the source
// fails, it is what the name meant last.
func (s *shelf) means(ctx context.Context, name ident.Name) (ident.Ref, error) {
	now := time.Now()
	s.mu.Lock()
	m, ok := s.known[name]
	if ok && now.Sub(m.at) < s.opts.Fresh {
		s.mu.Unlock()
		return m.ref, nil
	}
	if ok {
		s.known[name] = meaning{m.ref, now} // the others need not ask too
	}
	s.mu.Unlock()
	ref, err := s.opts.Source.Find(ctx, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		if len(s.known) >= maxNames {
			clear(s.known)
		}
		s.known[name] = meaning{ref, now}
	case fault.Is(err, fault.NotFound):
		delete(s.known, name)
	case ok:
		return m.ref, nil
	}
	return ref, err
}

// maxNames bounds how many names are remembered.
const maxNames = 10_000
