// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"gocloud.dev/blob"

	"flyball/fault"
	"flyball/training/executor"
)

// objects is how many objects are kept.
func (s story) objects() (n int) {
	s.Helper()
	for it := s.Bucket.List(nil); ; n++ {
		if _, err := it.Next(context.Background()); errors.Is(err, io.EOF) {
			return n
		} else if err != nil {
			s.Fatal(err)
		}
	}
}

func TestWhatIsKeptOfAttemptsThatNobodyWaitsForIsSwept(t *testing.T) {
	s := tell(t)
	e := s.Open(t)
	ended := s.submit(e, `echo x > "$OUT/x"`)
	if got := s.wait(e, ended); got.State != executor.Succeeded {
		t.Fatalf("got %+v", got)
	}
	s.with(func(m *machine) { m.hold = true })
	queued := s.submit(e, slow)
	half := "attempts/machine-abcdefghijklmnopqrstuvwxyz/in/x" // its server was killed before it was an attempt
	others := "attempts/machine-of-another/job.json"
	for _, key := range []string{half, others} {
		if err := s.Bucket.WriteAll(t.Context(), key, []byte("{}"), nil); err != nil {
			t.Fatal(err)
		}
	}
	all := s.objects()
	e = s.Open(t) // after a restart nobody has asked about any
	if n, err := e.Sweep(t.Context(), time.Now().Add(-time.Minute)); n != 0 || err != nil || s.objects() != all {
		t.Errorf("of the last minute: swept %d, %v", n, err)
	}
	if n, err := e.Sweep(t.Context(), time.Now().Add(time.Minute)); n != 3 || err != nil {
		t.Errorf("swept %d, %v; want 3", n, err)
	}
	if n := s.objects(); n != 1 {
		t.Errorf("%d objects are left, want the one of another", n)
	}
	for _, h := range []executor.Handle{ended, queued} {
		if _, err := e.Poll(t.Context(), h); !fault.Is(err, fault.NotFound) {
			t.Errorf("got %v, want that it is not known", err)
		}
	}
	s.with(func(m *machine) {
		if len(m.jobs) > 0 {
			t.Errorf("the engine still has %d jobs", len(m.jobs))
		}
	})
}

// TestASweepLeavesTheAttemptThatCameFirst has two servers submit one job at once, and one of
// them killed before it removed its own attempt.
func TestASweepLeavesTheAttemptThatCameFirst(t *testing.T) {
	s := tell(t)
	e := s.Open(t)
	h := s.submit(e, slow)
	s.until("the program to begin", s.began)
	order, err := s.Bucket.ReadAll(t.Context(), "attempts/"+string(h)+"/job.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Bucket.WriteAll(t.Context(), "attempts/machine-abcdefghijklmnopqrstuvwxyz/job.json", order, &blob.WriterOptions{}); err != nil {
		t.Fatal(err)
	}
	since := time.Now()
	s.until("a sign of life", func() bool {
		a, err := s.Bucket.Attributes(t.Context(), "attempts/"+string(h)+"/beat.json")
		return err == nil && a.ModTime.After(since)
	})
	if n, err := e.Sweep(t.Context(), since); n != 1 || err != nil {
		t.Errorf("swept %d, %v; want the other", n, err)
	}
	s.letGo()
	if again := s.submit(e, slow); again != h {
		t.Errorf("the job is another by now: %s and %s", h, again)
	}
	if got := s.wait(e, h); got.State != executor.Succeeded {
		t.Errorf("got %+v", got)
	}
}
