// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"cmp"
	"context"
	"time"

	"flyball/fault"
	"flyball/ident"
	"flyball/model"
)

// bring loads a place's version, once there is room, and tells those who wait.
func (s *shelf) bring(p *place) {
	began := time.Now()
	b, err := s.open(p)
	s.metrics.loaded(time.Since(began), err)
	s.mu.Lock()
	l := p.load
	p.load = nil
	var gone []*model.Bundle
	if l.err = err; err != nil {
		s.used -= p.bytes
		p.bytes, p.failed = 0, err
		wait := min(s.opts.Again<<min(p.fails, 16), time.Minute)
		p.fails++
		p.again = time.Now().Add(wait)
		s.tell()
	} else {
		s.used -= p.bytes
		p.bytes = max(cmp.Or(b.Size(), p.bytes), leastBytes)
		s.used += p.bytes
		p.bundle, p.was, p.failed, p.fails = b, p.bytes, nil, 0
		p.seen = s.recent.PushFront(p)
		gone = s.shrink(0, p)
		if s.closed || p.off {
			gone = append(gone, s.clear(p))
			l.err = fault.New(fault.Unavailable, "%s was unloaded", p.ref)
		}
	}
	close(l.done)
	s.mu.Unlock()
	closeAll(gone...)
}

// open reserves memory and reads the bundle.
func (s *shelf) open(p *place) (_ *model.Bundle, err error) {
	if err := s.reserve(p); err != nil {
		return nil, err
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-s.ctx.Done():
		return nil, fault.New(fault.Unavailable, "the server is stopping")
	}
	defer func() {
		if r := recover(); r != nil { // a reader's defect is this version's, not the server's
			err = fault.New(fault.Internal, "%s cannot be read: %v", p.ref, r)
		}
	}()
	return s.opts.Source.Open(s.ctx, p.ref)
}

// reserve takes the memory that the version is likely to need, and makes room for it.
func (s *shelf) reserve(p *place) error {
	s.mu.Lock()
	need := p.was
	s.mu.Unlock()
	if need == 0 {
		need = max(cmp.Or(s.opts.Source.Weigh(s.ctx, p.ref), guessBytes), leastBytes)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if need > s.opts.Budget {
		return fault.New(fault.Exhausted, "%s takes about %d MB, and all models together may take %d MB", p.ref, need>>20, s.opts.Budget>>20).
			Do("start the server with more: flyball serve --model-memory")
	}
	deadline := time.NewTimer(s.opts.Wait)
	defer deadline.Stop()
	for {
		gone := s.shrink(need, nil)
		if s.used+need <= s.opts.Budget {
			s.used += need
			p.bytes = need
			s.mu.Unlock()
			closeAll(gone...)
			s.mu.Lock()
			return nil
		}
		freed := s.freed
		s.mu.Unlock()
		closeAll(gone...)
		select {
		case <-freed:
			s.mu.Lock()
		case <-deadline.C:
			s.mu.Lock()
			return fault.New(fault.Exhausted, "there is no memory for %s: all that is loaded is in use", p.ref).
				Do("try again, or start the server with more: flyball serve --model-memory")
		case <-s.ctx.Done():
			s.mu.Lock()
			return fault.New(fault.Unavailable, "the server is stopping")
		}
	}
}

// shrink takes off what is idle, used longest ago first, until need more bytes fit; but
// never keep.
func (s *shelf) shrink(need int64, keep *place) []*model.Bundle {
	var gone []*model.Bundle
	for e := s.recent.Back(); e != nil && s.used+need > s.opts.Budget; {
		p, _ := e.Value.(*place)
		e = e.Prev()
		if p.uses == 0 && p != keep {
			gone = append(gone, s.clear(p))
			s.metrics.evicted()
		}
	}
	return gone
}

// Load has a version ready; see Shelf.
func (s *shelf) Load(ctx context.Context, name ident.Name) error {
	ref, err := s.means(ctx, name)
	if err != nil {
		return err
	}
	s.mu.Lock()
	p := s.place(ref)
	p.off, p.failed = false, nil // whoever asks wants to know how it is now
	s.mu.Unlock()
	_, _, back, err := s.Use(ctx, ident.Name{Model: ref.Model, Version: ref.Version})
	if err == nil {
		back()
	}
	return err
}

// Unload lets a version go; see Shelf.
func (s *shelf) Unload(ctx context.Context, name ident.Name) error {
	ref, err := s.means(ctx, name)
	if err != nil {
		return err
	}
	s.mu.Lock()
	p := s.place(ref)
	p.off = true
	var gone *model.Bundle
	if p.uses == 0 {
		gone = s.clear(p)
		s.tell()
	}
	s.mu.Unlock()
	closeAll(gone)
	return nil
}

// Find is how the version stands that a name means; see Shelf.
func (s *shelf) Find(ctx context.Context, name ident.Name) (Held, error) {
	ref, err := s.means(ctx, name)
	if err != nil {
		return Held{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stands(ref), nil
}

// Index is every version and how it stands; see Shelf.
func (s *shelf) Index(ctx context.Context) ([]Held, error) {
	refs, err := s.opts.Source.Items(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Held, len(refs))
	for i, ref := range refs {
		out[i] = s.stands(ref)
	}
	return out, nil
}

// stands is how a version stands. The reason of one that is not loaded and could be is
// that nobody asked for it.
func (s *shelf) stands(ref ident.Ref) Held {
	h := Held{Model: ref.Model, Version: ref.Version, State: Unavailable, Reason: Idle}
	p := s.places[ref]
	switch {
	case p == nil:
	case p.off && p.bundle != nil:
		h.State, h.Reason, h.Bytes = Unloading, "", p.bytes
	case p.off:
		h.Reason = "unloaded"
	case p.bundle != nil:
		h.State, h.Reason, h.Bytes = Ready, "", p.bytes
	case p.load != nil:
		h.State, h.Reason, h.Bytes = Loading, "", p.bytes
	case p.failed != nil:
		h.Reason = p.failed.Error()
	}
	return h
}

// Idle is the reason of a version that is not loaded because nobody asked for it.
const Idle = "not loaded; the first request loads it"

// Close ends the shelf; see Shelf.
func (s *shelf) Close() error {
	s.stop()
	s.mu.Lock()
	s.closed = true
	var gone []*model.Bundle
	for e := s.recent.Back(); e != nil; {
		p, _ := e.Value.(*place)
		e = e.Prev()
		if p.uses == 0 {
			gone = append(gone, s.clear(p))
		}
	}
	s.mu.Unlock()
	closeAll(gone...)
	s.running.Wait()
	return nil
}
