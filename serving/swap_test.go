// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/fault"
	"flyball/model"
	"flyball/serving/release"
	"flyball/unit"
)

// late is a scorer that waits until it is told to answer, or until its caller gives up.
type late struct {
	*counted
	answer chan struct{}
}

func (l late) Score(ctx context.Context, rows *frame.Frame) (model.Scores, error) {
	select {
	case <-l.answer:
		return l.counted.Score(ctx, rows)
	case <-ctx.Done():
		return model.Scores{}, fault.Wrap(context.Cause(ctx), fault.Unavailable, "its process does not answer")
	}
}

func bundleOf(t *testing.T, s model.Scorer) *model.Bundle {
	t.Helper()
	b, err := held(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestALateCandidateIsAnsweredForByTheLiveVersion(t *testing.T) {
	for _, c := range []struct {
		name string
		late time.Duration
		want time.Duration
	}{
		{"after half of the time there is", 0, 2 * time.Second},
		{"after what its model file allows", 500 * time.Millisecond, 500 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var open atomic.Int64
				cand := bundleOf(t, late{&counted{number: 2, open: &open}, make(chan struct{})})
				e := Entry{Route: release.Route{Live: 1, Candidate: 2, Share: 1, Both: true}, Late: c.late, Versions: map[int]*model.Bundle{1: always(t, 1, "x"), 2: cand}}
				s, log := server(t, e)
				ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
				defer cancel()
				began := time.Now()
				a, err := s.Predict(ctx, Request{Model: "m", Rows: []json.RawMessage{[]byte(`{"ts":"2012-01-01","x":1}`)}})
				if err != nil || a.Records[0].Arm != "live" || a.Records[0].Scores[0] != 1 {
					t.Fatalf("got %+v, %v", a, err)
				}
				if took := time.Since(began); took != c.want {
					t.Errorf("it took %s, want %s", took, c.want)
				}
				if o := log.kept[0].Others; len(o) != 1 || o[0].Role != "candidate" || o[0].Error == "" {
					t.Errorf("beside: %+v", o)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestAnAnswerDoesNotWaitForAProcessThatScoresBeside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var open atomic.Int64
		open.Add(1)
		slow := late{&counted{number: 2, open: &open}, make(chan struct{})}
		e := Entry{Route: release.Route{Live: 1, Candidate: 2, Both: true}, Versions: map[int]*model.Bundle{1: always(t, 1, "x"), 2: bundleOf(t, slow)}}
		s, log := server(t, e)
		row := []byte(`{"ts":"2012-01-01","x":1}`)
		a, err := s.Predict(t.Context(), Request{Model: "m", Rows: []json.RawMessage{row}})
		if err != nil || a.Records[0].Arm != "live" {
			t.Fatalf("got %+v, %v", a, err)
		}
		clear(row) // the caller's again
		e.Route = release.Route{Live: 1, Generation: 1}
		e.Versions = map[int]*model.Bundle{1: e.Versions[1]}
		if err := s.Publish("m", e); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(log.kept) != 0 || open.Load() != 1 {
			t.Errorf("meanwhile %d records are kept, %d bundles open", len(log.kept), open.Load())
		}
		close(slow.answer)
		synctest.Wait()
		if len(log.kept) != 1 || len(log.kept[0].Others) != 1 || log.kept[0].Others[0].Scores[0] != 2 {
			t.Errorf("kept %+v", log.kept)
		}
		if err := s.Close(); err != nil || open.Load() != 0 {
			t.Errorf("at the end %d are open, %v", open.Load(), err)
		}
	})
}

// TestNoRequestSeesAClosedBundle has callers ask while every version is replaced by
// another and closed.
func TestNoRequestSeesAClosedBundle(t *testing.T) {
	var open atomic.Int64
	task := dataset.Task{Column: "y", Kind: dataset.Regression, Truth: dataset.Truth{Within: unit.Duration(time.Hour)}}
	publish := func(s *Server, v int) {
		open.Add(1)
		e := Entry{Task: task, Route: release.Route{Live: v, Generation: int64(v)}, Versions: map[int]*model.Bundle{v: bundleOf(t, &counted{number: float64(v), open: &open})}}
		if err := s.Publish("m", e); err != nil {
			t.Fatal(err)
		}
	}
	s := New(Options{Log: &memoryLog{}, Now: time.Now})
	publish(s, 1)
	stop := make(chan struct{})
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				a, err := s.Predict(t.Context(), Request{Model: "m", Rows: []json.RawMessage{[]byte(`{"x":1}`)}})
				if err != nil || a.Records[0].Arm != "live" || a.Records[0].Scores[0] != float64(a.Version) {
					t.Errorf("got %+v, %v", a, err)
					return
				}
			}
		})
	}
	for v := range 2000 {
		publish(s, v+2)
	}
	close(stop)
	callers.Wait()
	if err := s.Close(); err != nil || open.Load() != 0 {
		t.Errorf("at the end %d are open, %v", open.Load(), err)
	}
}

func TestWhoIsNotLetIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var open atomic.Int64
		slow := late{&counted{number: 1, open: &open}, make(chan struct{})}
		s := New(Options{Log: &memoryLog{}, Now: time.Now, Limits: Limits{InFlight: 2, Queue: 3}})
		e := Entry{Task: dataset.Task{Kind: dataset.Regression}, Route: release.Route{Live: 1}, Versions: map[int]*model.Bundle{1: bundleOf(t, slow)}}
		if err := s.Publish("m", e); err != nil {
			t.Fatal(err)
		}
		ask := func(within time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			_, err := s.Predict(ctx, Request{Model: "m", Rows: []json.RawMessage{[]byte(`{"x":1}`)}})
			return err
		}
		s.meter("m").usual.Store(int64(time.Second)) // as requests took lately
		var callers sync.WaitGroup
		for range 4 {
			callers.Go(func() {
				if err := ask(time.Minute); err != nil {
					t.Errorf("one of two that are in or two that wait: %v", err)
				}
			})
		}
		synctest.Wait()
		if err := ask(time.Second); !fault.Is(err, fault.Unavailable) || fault.RetryAfter(err) != 2 {
			t.Errorf("whom its turn would reach too late: got %v, again in %d s", err, fault.RetryAfter(err))
		}
		callers.Go(func() {
			if err := ask(2 * time.Second); !fault.Is(err, fault.Unavailable) {
				t.Errorf("who waits in vain: got %v", err)
			}
		})
		synctest.Wait()
		if err := ask(time.Minute); !fault.Is(err, fault.Exhausted) || fault.RetryAfter(err) == 0 {
			t.Errorf("with a full queue: got %v", err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := s.meter("m").waiting.Load(); got != 2 {
			t.Errorf("%d wait, want 2", got)
		}
		close(slow.answer)
		callers.Wait()
		if m := s.meter("m"); m.inside.Load() != 0 || m.waiting.Load() != 0 {
			t.Errorf("at the end %d are in, %d wait", m.inside.Load(), m.waiting.Load())
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
