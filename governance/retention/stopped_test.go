// SPDX-License-Identifier: Apache-2.0

package retention_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"flyball/blob"
	"flyball/event"
	"flyball/experiment"
	"flyball/governance/audit"
	"flyball/governance/retention"
	"flyball/ident"
	"flyball/model/registry"
	"flyball/store"
)

var errKilled = errors.New("killed")

// mortal is a storage whose user is killed at the n-th thing that it changes, before
// or after that is done. before runs at each change.
type mortal struct {
	*store.DB
	blobs  *blob.Bucket
	left   int
	after  bool
	before func(what string)
}

func (m *mortal) change(what string, do func() error) error {
	if m.before != nil {
		m.before(what)
	}
	m.left--
	if m.left == 0 && !m.after {
		return errKilled
	}
	err := do()
	if m.left == 0 && err == nil {
		err = errKilled
	}
	return err
}

func (m *mortal) DropArtifacts(ctx context.Context, e retention.Expired) error {
	return m.change("drop "+e.ID, func() error { return m.DB.DropArtifacts(ctx, e) })
}

func (m *mortal) Purge(ctx context.Context, e retention.Expired) error {
	return m.change("purge "+e.ID, func() error { return m.DB.Purge(ctx, e) })
}

func (m *mortal) RemoveArtifacts(ctx context.Context, path string) error {
	return m.change("remove "+path, func() error { return m.DB.RemoveArtifacts(ctx, path) })
}

func (m *mortal) AddAudit(ctx context.Context, rec audit.Record, evs ...event.Event) (out audit.Record, err error) {
	err = m.change("record", func() (err error) {
		out, err = m.DB.AddAudit(ctx, rec, evs...)
		return err
	})
	return out, err
}

// mortalBlobs are the blobs of a mortal storage.
type mortalBlobs struct {
	*blob.Bucket
	of *mortal
}

func (m mortalBlobs) Delete(ctx context.Context, d blob.Digest, before time.Time) (ok bool, err error) {
	err = m.of.change("delete", func() (err error) {
		ok, err = m.Bucket.Delete(ctx, d, before)
		return err
	})
	return ok, err
}

func (m mortalBlobs) Sweep(ctx context.Context, before time.Time) (n int, size int64, err error) {
	err = m.of.change("sweep", func() (err error) {
		n, size, err = m.Bucket.Sweep(ctx, before)
		return err
	})
	return n, size, err
}

// story is a storage with a random past: what must stay, and what must go.
type story struct {
	*house
	stay map[string]string // path → text of files that must stay
	rows []string          // texts of versions, which must stay
	gone map[string]bool   // texts that must be gone in the end
}

func tell(t *testing.T, seed uint64) *story {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 7))
	s := &story{house: build(t), stay: map[string]string{}, gone: map[string]bool{}}
	ctx := t.Context()
	texts := make([]string, 12) // few, so that runs share bytes
	for i := range texts {
		texts[i] = fmt.Sprintf("text %d of seed %d", i, seed)
	}
	used := map[string]bool{}
	for e := range 3 {
		exp, err := s.db.CreateExperiment(ctx, experiment.Experiment{Name: fmt.Sprint("e", e)})
		s.check(err)
		old := e == 2
		for n := range 4 {
			id := fmt.Sprintf("r%d%d", e, n)
			s.run(exp.ID, id)
			fate := r.IntN(4)
			root := fmt.Sprintf("%d/%s/artifacts", exp.ID, id)
			if fate == 3 && !old { // deleted, but a version lies in it
				_, err := s.db.AddVersion(ctx, registry.Version{Ref: ident.Ref{Model: "m" + id}, Location: "mlflow-artifacts:/" + root + "/model", CreatedAt: now})
				s.check(err)
			}
			for f := range 1 + r.IntN(4) {
				path, text := fmt.Sprintf("%s/d%d/f%d", root, r.IntN(2), f), texts[r.IntN(len(texts))]
				s.put(path, text)
				if fate == 1 || old {
					s.gone[text] = true
				} else {
					s.stay[path], used[text] = text, true
				}
			}
			switch {
			case fate == 1 || fate == 3 && !old:
				s.deleteRun(id, now)
			case fate == 2:
				s.deleteRun(id, now.Add(44*24*time.Hour))
			}
		}
		if old {
			s.check(s.db.SetExperimentDeleted(ctx, exp.ID, true, now.UnixMilli()))
			for n := range 4 { // also those that were deleted by themselves later
				s.check(s.db.SetRunDeleted(ctx, ident.RunID(fmt.Sprintf("r%d%d", e, n)), false, now.UnixMilli()))
				s.deleteRun(fmt.Sprintf("r%d%d", e, n), now)
			}
		}
	}
	for v := range 2 {
		s.rows = append(s.rows, s.version(fmt.Sprint("made", v))...)
	}
	for i := range 5 {
		text := fmt.Sprintf("nobody's bytes %d", i)
		s.bytes(text)
		s.gone[text] = true
	}
	for text := range used {
		delete(s.gone, text)
	}
	s.age()
	s.house.now = now.Add(45 * 24 * time.Hour)
	return s
}

// whole checks that everything that must stay can be read.
func (s *story) whole(when string) {
	s.t.Helper()
	for path, text := range s.stay {
		_, r, err := s.tree.Open(s.t.Context(), path)
		if err != nil {
			s.t.Fatalf("%s: %s: %v", when, path, err)
		}
		b, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil || string(b) != text {
			s.t.Fatalf("%s: %s: got %q, %v; want %q", when, path, b, err, text)
		}
	}
	for _, text := range s.rows {
		if ok, err := s.blobs.Has(s.t.Context(), blob.Sum([]byte(text))); !ok || err != nil {
			s.t.Fatalf("%s: %q of a version is gone, %v", when, text, err)
		}
	}
}

// end checks that what was to go is gone.
func (s *story) end() {
	s.t.Helper()
	for text := range s.gone {
		if ok, err := s.blobs.Has(s.t.Context(), blob.Sum([]byte(text))); ok || err != nil {
			s.t.Errorf("%q is still there, %v", text, err)
		}
	}
	kept := map[string]bool{}
	for _, text := range s.stay {
		kept[text] = true
	}
	n := 0
	for _, err := range s.blobs.List(s.t.Context()) {
		s.check(err)
		n++
	}
	if n != len(kept)+len(s.rows) {
		s.t.Errorf("%d blobs are there, want %d", n, len(kept)+len(s.rows))
	}
}

func TestACollectionKilledAtAnyStepHarmsNothingAndGoesOn(t *testing.T) {
	for seed := range uint64(2) {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("seed %d, after %v", seed, after), func(t *testing.T) {
				s := tell(t, seed)
				s.whole("at first")
				for attempt := 1; ; attempt++ {
					m := &mortal{DB: s.db, blobs: s.blobs, left: 2 + attempt%5, after: after}
					_, err := s.collector(m, mortalBlobs{s.blobs, m}).Collect(t.Context(), "ana", month, false, nil)
					s.whole(fmt.Sprintf("killed for the %d. time", attempt))
					if err == nil {
						break
					}
					if !errors.Is(err, errKilled) || attempt > 200 {
						t.Fatalf("attempt %d: %v", attempt, err)
					}
				}
				s.end()
				s.collect(month, false)
				s.whole("in the end")
			})
		}
	}
}

func TestWhatIsRestoredOrPutWhileACollectionRunsStays(t *testing.T) {
	for seed := range uint64(3) {
		s := tell(t, seed)
		r := rand.New(rand.NewPCG(seed, 11))
		m := &mortal{DB: s.db, blobs: s.blobs, left: -1}
		n := 0
		m.before = func(what string) {
			if id, dropping := strings.CutPrefix(what, "drop r"); dropping && r.IntN(2) == 0 {
				s.restore(ident.RunID("r" + id))
			}
			if r.IntN(3) == 0 { // somebody puts bytes that are just being deleted
				n++
				path, text := fmt.Sprintf("0/new/artifacts/%d", n), fmt.Sprintf("nobody's bytes %d", r.IntN(5))
				s.put(path, text)
				s.stay[path] = text
				delete(s.gone, text)
			}
		}
		if _, err := s.collector(m, mortalBlobs{s.blobs, m}).Collect(t.Context(), "ana", month, false, nil); err != nil {
			t.Fatal(err)
		}
		s.whole("after it")
		s.age()
		s.collect(month, false)
		s.whole("after another")
		s.end()
	}
}

// restore restores a run just before its files would be removed: they must stay.
func (s *story) restore(id ident.RunID) {
	s.t.Helper()
	s.check(s.db.SetRunDeleted(s.t.Context(), id, false, s.house.now.UnixMilli()))
	run, err := s.db.Run(s.t.Context(), id)
	s.check(err)
	for e, err := range s.tree.Walk(s.t.Context(), strings.TrimPrefix(run.Location, "mlflow-artifacts:/")) {
		s.check(err)
		_, in, err := s.tree.Open(s.t.Context(), e.Path)
		s.check(err)
		b, err := io.ReadAll(in)
		s.check(errors.Join(err, in.Close()))
		s.stay[e.Path] = string(b)
		delete(s.gone, string(b))
	}
}
