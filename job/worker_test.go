// SPDX-License-Identifier: Apache-2.0

package job_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"flyball/fault"
	"flyball/job"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// queue is a job.Store in memory whose clock is the test's. Package storetest checks
// the real ones; this one is for what the worker does.
type queue struct {
	mu    sync.Mutex
	jobs  []job.Job
	until map[string]time.Time
	fence int64
	down  bool // answers Unavailable
}

func newQueue(jobs ...job.Job) *queue {
	q := &queue{until: map[string]time.Time{}}
	for _, j := range jobs {
		j.State = job.Queued
		q.jobs = append(q.jobs, j)
	}
	return q
}

func (q *queue) lock() (func(), error) {
	q.mu.Lock()
	if q.down {
		q.mu.Unlock()
		return nil, fault.New(fault.Unavailable, "the database does not answer")
	}
	return q.mu.Unlock, nil
}

func (q *queue) AddJob(_ context.Context, j job.Job) (job.Job, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	j.State = job.Queued
	q.jobs = append(q.jobs, j)
	return j, nil
}

func (q *queue) ClaimJob(_ context.Context, kinds []string, _ string, lease time.Duration, _ int) (job.Job, bool, error) {
	unlock, err := q.lock()
	if err != nil {
		return job.Job{}, false, err
	}
	defer unlock()
	for i := range q.jobs {
		j := &q.jobs[i]
		if !slices.Contains(kinds, j.Kind) || j.State != job.Queued && (j.State != job.Running || time.Now().Before(q.until[j.ID])) {
			continue
		}
		q.fence++
		j.State, j.Fence = job.Running, q.fence
		j.Attempt++
		q.until[j.ID] = time.Now().Add(lease)
		return *j, true, nil
	}
	return job.Job{}, false, nil
}

// held is the job under the fence.
func (q *queue) held(id string, fence int64) (*job.Job, error) {
	for i := range q.jobs {
		if j := &q.jobs[i]; j.ID == id && j.Fence == fence && j.State == job.Running {
			return j, nil
		}
	}
	return nil, fault.New(fault.Conflict, "not yours")
}

func (q *queue) change(id string, fence int64, do func(j *job.Job)) error {
	unlock, err := q.lock()
	if err != nil {
		return err
	}
	defer unlock()
	j, err := q.held(id, fence)
	if err != nil {
		return err
	}
	do(j)
	return nil
}

func (q *queue) RenewJob(_ context.Context, id string, fence int64, lease time.Duration, progress string) error {
	return q.change(id, fence, func(j *job.Job) {
		q.until[id] = time.Now().Add(lease)
		j.Progress = progress
	})
}

func (q *queue) EndJob(_ context.Context, id string, fence int64, state job.State, result json.RawMessage, problem string, now time.Time) error {
	return q.change(id, fence, func(j *job.Job) { j.State, j.Result, j.Error, j.EndedAt = state, result, problem, now })
}

func (q *queue) ReturnJob(_ context.Context, id string, fence int64) error {
	return q.change(id, fence, func(j *job.Job) { j.State, j.Attempt = job.Queued, j.Attempt-1 })
}

func (q *queue) Job(_ context.Context, id string) (job.Job, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, j := range q.jobs {
		if j.ID == id {
			return j, nil
		}
	}
	return job.Job{}, fault.New(fault.NotFound, "no job")
}

func (q *queue) setDown(down bool) {
	q.mu.Lock()
	q.down = down
	q.mu.Unlock()
}

func (q *queue) cancel(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range q.jobs {
		if q.jobs[i].ID == id {
			q.jobs[i].State = job.Canceled
		}
	}
}

func worker(q *queue, handlers map[string]job.Handler) *job.Worker {
	return job.New(job.Options{
		Store: q, Handlers: handlers, Logger: slog.New(slog.DiscardHandler), Lease: 15 * time.Second,
		Now: func() time.Time { return time.Date(2016, 5, 1, 0, 0, 0, 0, time.UTC) },
	})
}

// untilDone is a handler that works until its context is done.
func untilDone(ctx context.Context, _ job.Job, _ func(string)) (json.RawMessage, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

func TestHowAJobComesOut(t *testing.T) {
	for _, c := range []struct {
		name    string
		handler job.Handler
		state   job.State
		result  string
		problem string
	}{
		{"work that is done keeps its result", func(context.Context, job.Job, func(string)) (json.RawMessage, error) {
			return json.RawMessage(`{"version":7}`), nil
		}, job.Done, `{"version":7}`, ""},
		{"work that fails keeps the reason", func(context.Context, job.Job, func(string)) (json.RawMessage, error) {
			return nil, errors.New("12 rows are not enough")
		}, job.Failed, "", "12 rows are not enough"},
		{"a panic fails the job with its message", func(context.Context, job.Job, func(string)) (json.RawMessage, error) {
			panic("index out of range")
		}, job.Failed, "", "the job broke down: index out of range"},
		{"a result that is not JSON fails the job", func(context.Context, job.Job, func(string)) (json.RawMessage, error) {
			return json.RawMessage(`{`), nil
		}, job.Failed, "", "the result of the job is not JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := newQueue(job.Job{ID: "a", Kind: "train"})
			ran, err := worker(q, map[string]job.Handler{"train": c.handler}).RunOne(t.Context())
			if err != nil || !ran {
				t.Fatalf("got %v, %v", ran, err)
			}
			j := q.jobs[0]
			if j.State != c.state || string(j.Result) != c.result || j.Error != c.problem || j.EndedAt.Year() != 2016 {
				t.Errorf("got %s %s %q %v, want %s %s %q", j.State, j.Result, j.Error, j.EndedAt, c.state, c.result, c.problem)
			}
		})
	}
}

func TestOnlyKindsWithAHandlerAreClaimed(t *testing.T) {
	q := newQueue(job.Job{ID: "a", Kind: "reproduce"})
	ran, err := worker(q, map[string]job.Handler{"train": untilDone}).RunOne(t.Context())
	if ran || err != nil || q.jobs[0].State != job.Queued {
		t.Errorf("got %v, %v, %s; want the job left in the queue", ran, err, q.jobs[0].State)
	}
}

func TestALongJobKeepsItsLeaseAndTellsItsProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(job.Job{ID: "a", Kind: "train"})
		w := worker(q, map[string]job.Handler{"train": func(_ context.Context, _ job.Job, progress func(string)) (json.RawMessage, error) {
			for _, s := range []string{"40 of 100 trees", "80 of 100 trees"} {
				progress(s)
				time.Sleep(time.Minute) // of the bubble's clock: four leases
				if j, _ := q.Job(t.Context(), "a"); j.Progress != s {
					t.Errorf("progress: got %q, want %q", j.Progress, s)
				}
				if _, ok, _ := q.ClaimJob(t.Context(), []string{"train"}, "other", time.Second, 3); ok {
					t.Error("another worker could claim the job")
				}
			}
			return nil, nil
		}})
		if _, err := w.RunOne(t.Context()); err != nil || q.jobs[0].State != job.Done || q.jobs[0].Attempt != 1 {
			t.Errorf("got %v, %+v", err, q.jobs[0])
		}
	})
}

func TestWorkStopsWhenTheJobIsNoLongerTheWorkers(t *testing.T) {
	for _, c := range []struct {
		name   string
		happen func(q *queue)
		after  time.Duration // at most
		state  job.State
	}{
		{"canceled", func(q *queue) { q.cancel("a") }, 6 * time.Second, job.Canceled},
		{"the store is away for a whole lease", func(q *queue) { q.setDown(true) }, 25 * time.Second, job.Running},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := newQueue(job.Job{ID: "a", Kind: "train"})
				var cause error
				w := worker(q, map[string]job.Handler{"train": func(ctx context.Context, _ job.Job, _ func(string)) (json.RawMessage, error) {
					c.happen(q)
					<-ctx.Done()
					cause = context.Cause(ctx)
					return nil, cause
				}})
				began := time.Now()
				if _, err := w.RunOne(t.Context()); err != nil {
					t.Error(err)
				}
				if !errors.Is(cause, job.ErrLost) || time.Since(began) > c.after {
					t.Errorf("got %v after %v, want %v", cause, time.Since(began), job.ErrLost)
				}
				if q.jobs[0].State != c.state {
					t.Errorf("state: got %s, want %s", q.jobs[0].State, c.state)
				}
			})
		})
	}
}

func TestAShortOutageOfTheStoreLosesNoWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(job.Job{ID: "a", Kind: "train"})
		w := worker(q, map[string]job.Handler{"train": func(context.Context, job.Job, func(string)) (json.RawMessage, error) {
			q.setDown(true)
			time.AfterFunc(12*time.Second, func() { q.setDown(false) })
			time.Sleep(11 * time.Second)
			return json.RawMessage(`1`), nil
		}})
		if _, err := w.RunOne(t.Context()); err != nil || q.jobs[0].State != job.Done {
			t.Errorf("got %v, %+v", err, q.jobs[0])
		}
	})
}

func TestAWorkerThatStopsGivesItsJobBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(job.Job{ID: "a", Kind: "train"})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- worker(q, map[string]job.Handler{"train": untilDone}).Run(ctx) }()
		synctest.Wait()
		if q.jobs[0].State != job.Running {
			t.Fatalf("got %s, want running", q.jobs[0].State)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if j := q.jobs[0]; j.State != job.Queued || j.Attempt != 0 || strings.Contains(j.Error, "cancel") {
			t.Errorf("got %+v, want it queued as if nothing had been", j)
		}
	})
}

func TestAPokeStartsAJobAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		done := make(chan time.Time, 1)
		w := worker(q, map[string]job.Handler{"train": func(context.Context, job.Job, func(string)) (json.RawMessage, error) {
			done <- time.Now()
			return nil, nil
		}})
		ended := make(chan error)
		go func() { ended <- w.Run(ctx) }()
		time.Sleep(300 * time.Millisecond) // between two looks
		began := time.Now()
		if _, err := q.AddJob(ctx, job.Job{ID: "a", Kind: "train"}); err != nil {
			t.Fatal(err)
		}
		w.Poke()
		if waited := (<-done).Sub(began); waited != 0 {
			t.Errorf("waited %v, want none", waited)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
