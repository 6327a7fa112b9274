// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/fault"
	"flyball/ident"
	"flyball/model"
)

// counted is a scorer that answers its number, and knows when it is closed.
type counted struct {
	number float64
	bytes  int64
	open   *atomic.Int64
	closed atomic.Bool
}

func (c *counted) Inputs() []frame.Field { return []frame.Field{{Name: "x", Kind: frame.Number}} }

func (c *counted) Outputs() int { return 1 }

func (c *counted) Size() int64 { return c.bytes }

func (c *counted) Close() error {
	if !c.closed.Swap(true) {
		c.open.Add(-1)
	}
	return nil
}

func (c *counted) Score(_ context.Context, rows *frame.Frame) (model.Scores, error) {
	if c.closed.Load() {
		return model.Scores{}, errors.New("it is closed")
	}
	out := model.Scores{Outputs: 1, Values: make([]float64, rows.Rows())}
	for i := range out.Values {
		out.Values[i] = c.number
	}
	return out, nil
}

// library is a Source of many models of one version each.
type library struct {
	models int
	bytes  int64
	fail   atomic.Bool
	opened atomic.Int64
	open   atomic.Int64
	at     sync.Map      // what is being opened
	slow   chan struct{} // nil: at once
}

func (l *library) Find(_ context.Context, n ident.Name) (ident.Ref, error) {
	var i int
	if _, err := fmt.Sscanf(n.Model, "m%d", &i); err != nil || i >= l.models || n.Version > 1 {
		return ident.Ref{}, fault.New(fault.NotFound, "no model %q is served", n.Model)
	}
	return ident.Ref{Model: n.Model, Version: 1}, nil
}

func (l *library) Weigh(context.Context, ident.Ref) int64 { return l.bytes }

func (l *library) Open(ctx context.Context, ref ident.Ref) (*model.Bundle, error) {
	if _, twice := l.at.LoadOrStore(ref, true); twice {
		return nil, fault.New(fault.Internal, "%s is loaded twice at once", ref)
	}
	defer l.at.Delete(ref)
	l.opened.Add(1)
	if l.slow != nil {
		<-l.slow
	}
	if l.fail.Load() {
		return nil, fault.New(fault.Invalid, "it cannot be read")
	}
	var i int
	if _, err := fmt.Sscanf(ref.Model, "m%d", &i); err != nil {
		return nil, err
	}
	l.open.Add(1)
	return held(ctx, &counted{number: float64(i), bytes: l.bytes, open: &l.open})
}

func (l *library) Items(context.Context) ([]ident.Ref, error) {
	out := make([]ident.Ref, l.models)
	for i := range out {
		out[i] = ident.Ref{Model: fmt.Sprint("m", i), Version: 1}
	}
	return out, nil
}

// held is a bundle of a scorer.
func held(ctx context.Context, s model.Scorer) (*model.Bundle, error) {
	read := func(context.Context, model.Manifest, model.Files) (model.Scorer, error) { return s, nil }
	d := model.Decoders{Scorers: map[string]func(context.Context, model.Manifest, model.Files) (model.Scorer, error){"own": read}}
	return model.Hold(ctx, d, model.Manifest{Estimator: "own", Kind: dataset.Regression}, noFiles{})
}

type noFiles struct{}

func (noFiles) Names() []string { return nil }

func (noFiles) Read(string) ([]byte, error) { return nil, fault.New(fault.NotFound, "there are none") }

func number(t *testing.T, s *Server, name string) (float64, error) {
	t.Helper()
	a, err := s.Predict(t.Context(), Request{Model: name, Rows: []json.RawMessage{[]byte(`{"x":1}`)}})
	if err != nil {
		return 0, err
	}
	return a.Records[0].Scores[0], nil
}

func TestThreeHundredModelsAreAnsweredByRoomForFifty(t *testing.T) {
	l := &library{models: 300, bytes: 1 << 20}
	shelf := NewShelf(ShelfOptions{Source: l, Budget: 50 << 20})
	s := New(Options{Log: &memoryLog{}, Now: time.Now, Shelf: shelf})
	var callers sync.WaitGroup
	var most atomic.Int64
	for c := range 8 {
		random := rand.New(rand.NewPCG(1, uint64(c)))
		callers.Go(func() {
			for range 1000 {
				i := random.IntN(l.models)
				if got, err := number(t, s, fmt.Sprint("m", i)); err != nil || got != float64(i) {
					t.Errorf("m%d: got %v, %v", i, got, err)
					return
				}
				most.Store(max(most.Load(), l.open.Load()))
			}
		})
	}
	callers.Wait()
	if most.Load() > 50 {
		t.Errorf("%d were loaded at once; there is room for 50", most.Load())
	}
	all, err := s.Index(t.Context())
	ready := 0
	for _, h := range all {
		if h.State == Ready {
			ready++
		}
	}
	if err != nil || len(all) != 300 || ready == 0 || ready > 50 {
		t.Errorf("the index has %d, %d of them ready, %v", len(all), ready, err)
	}
	if err := s.Close(); err != nil || l.open.Load() != 0 {
		t.Errorf("at the end %d are open, %v", l.open.Load(), err)
	}
}

func TestAVersionIsLoadedOnceForAllWhoAskAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &library{models: 1, bytes: 1 << 20, slow: make(chan struct{})}
		s := New(Options{Log: &memoryLog{}, Now: time.Now, Shelf: NewShelf(ShelfOptions{Source: l})})
		var callers sync.WaitGroup
		for range 20 {
			callers.Go(func() {
				if got, err := number(t, s, "m0"); err != nil || got != 0 {
					t.Errorf("got %v, %v", got, err)
				}
			})
		}
		synctest.Wait()
		if h, err := s.State(t.Context(), ident.Name{Model: "m0"}); err != nil || h.State != Loading {
			t.Errorf("meanwhile it is %+v, %v", h, err)
		}
		close(l.slow)
		callers.Wait()
		if l.opened.Load() != 1 {
			t.Errorf("it was loaded %d times", l.opened.Load())
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestAVersionThatCannotBeLoadedIsNotTriedAgainAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &library{models: 1, bytes: 1 << 20}
		l.fail.Store(true)
		s := New(Options{Log: &memoryLog{}, Now: time.Now, Shelf: NewShelf(ShelfOptions{Source: l})})
		for range 5 {
			if _, err := number(t, s, "m0"); !fault.Is(err, fault.Invalid) {
				t.Errorf("got %v", err)
			}
		}
		if l.opened.Load() != 1 {
			t.Errorf("it was tried %d times", l.opened.Load())
		}
		l.fail.Store(false)
		time.Sleep(time.Second)
		if _, err := number(t, s, "m0"); err != nil {
			t.Errorf("a second later: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestWhatIsInUseIsNotLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &library{models: 3, bytes: 1 << 20}
		shelf := NewShelf(ShelfOptions{Source: l, Budget: 2 << 20})
		s := New(Options{Log: &memoryLog{}, Now: time.Now, Shelf: shelf})
		a, err := s.Lend(t.Context(), ident.Name{Model: "m0"})
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.Lend(t.Context(), ident.Name{Model: "m1"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := number(t, s, "m2"); !fault.Is(err, fault.Exhausted) {
			t.Errorf("with all in use: got %v", err)
		}
		if err := s.Unload(t.Context(), ident.Name{Model: "m0"}); err != nil {
			t.Error(err)
		}
		if h, err := s.State(t.Context(), ident.Name{Model: "m0"}); err != nil || h.State != Unloading {
			t.Errorf("unloaded in use it is %+v, %v", h, err)
		}
		if got, err := a.Bundle.Predict(t.Context(), frame.New(frame.NumberColumn("x", []float64{1}))); err != nil || got.Values[0] != 0 {
			t.Errorf("and it says %v, %v", got, err)
		}
		a.Back()
		a.Back() // twice is once
		if _, err := number(t, s, "m0"); !fault.Is(err, fault.Unavailable) {
			t.Errorf("unloaded: got %v", err)
		}
		time.Sleep(time.Minute)
		if got, err := number(t, s, "m2"); err != nil || got != 2 {
			t.Errorf("with room again: got %v, %v", got, err)
		}
		if err := s.Load(t.Context(), ident.Name{Model: "m0"}); err != nil {
			t.Errorf("loaded again: %v", err)
		}
		b.Back()
		if err := s.Close(); err != nil || l.open.Load() != 0 {
			t.Errorf("at the end %d are open, %v", l.open.Load(), err)
		}
	})
}
