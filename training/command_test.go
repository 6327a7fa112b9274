// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"flyball/fault"
	"flyball/training/executor"
)

// comesBack is an engine that fails so for so long, and then takes a job.
type comesBack struct {
	executor.Executor // nil: nothing else is asked
	fails             fault.Kind
	until             time.Time
}

func (c comesBack) Submit(context.Context, executor.Job) (executor.Handle, error) {
	if time.Now().Before(c.until) {
		return "", fault.New(c.fails, "not now")
	}
	return "slurm-1", nil
}

func TestAnEngineThatDoesNotAnswerIsAskedAgainForHalfAnHour(t *testing.T) {
	for name, c := range map[string]struct {
		fails      fault.Kind
		away, took time.Duration
		taken      bool
	}{
		"it is there":              {took: 0, taken: true},
		"its head starts anew":     {fault.Unavailable, 4 * time.Minute, 4 * time.Minute, true},
		"it stays away":            {fault.Unavailable, 20 * time.Hour, 30*time.Minute + time.Second, false},
		"it says no, and means it": {fault.Invalid, 4 * time.Minute, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				w := &work{progress: func(string) {}}
				h, err := w.submit(t.Context(), comesBack{fails: c.fails, until: began.Add(c.away)}, executor.Job{})
				if took := time.Since(began); took != c.took || (err == nil) != c.taken || (h != "") != c.taken {
					t.Errorf("got %q, %v after %v", h, err, took)
				}
			})
		})
	}
}
