// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"hash/fnv"
	"slices"
	"time"
)

// policy is when a process that failed is started again.
type policy struct {
	first, most time.Duration // the wait after the first failure, doubled with each, up to most
	failures    int           // so many within window open the circuit
	window      time.Duration
	cool        time.Duration // how long an open circuit refuses
}

func defaults() policy {
	return policy{first: 100 * time.Millisecond, most: 30 * time.Second, failures: 5, window: time.Minute, cool: 30 * time.Second}
}

// health is what is known of a model's processes. It is a value: the methods give the
// next one. The zero value is a model that has not failed.
type health struct {
	failed []time.Time // within the window, the oldest first
	streak int         // failures since the last answer
	again  time.Time   // not to be started before
	open   bool        // the circuit: nothing is asked of it until again
}

// verdict is what may be done now.
type verdict int

const (
	start  verdict = iota // start a process; after an open circuit it is the trial
	wait                  // not before again; callers wait
	refuse                // not before again; callers are told so at once
)

// ask says whether a process may be started.
func (h health) ask(now time.Time) verdict {
	switch {
	case !now.Before(h.again):
		return start
	case h.open:
		return refuse
	}
	return wait
}

// failure is the health after a process failed: it did not start, died, was late or
// spoke nonsense. seed tells models apart, so that they do not all start again at once.
func (h health) failure(now time.Time, p policy, seed string) health {
	next := health{streak: h.streak + 1}
	next.failed = slices.DeleteFunc(append(slices.Clone(h.failed), now), func(t time.Time) bool { return now.Sub(t) > p.window })
	if h.open || len(next.failed) >= p.failures { // the trial failed, or too many did
		next.open = true
		next.again = now.Add(p.cool)
		return next
	}
	next.again = now.Add(p.delay(next.streak, seed))
	return next
}

// answered is the health after an answer. One answer closes the circuit; failures are
// forgotten with time alone, so that a model which dies of every second request is
// stopped too.
func (h health) answered() health {
	if h.open {
		return health{}
	}
	return health{failed: h.failed}
}

// delay is the wait after the streak's last failure: twice as long each time, and up to
// a quarter more or less by the seed.
func (p policy) delay(streak int, seed string) time.Duration {
	d := p.first
	for range min(streak-1, 30) {
		if d = 2 * d; d >= p.most {
			d = p.most
			break
		}
	}
	h := fnv.New64a()
	_, _ = h.Write(append([]byte(seed), byte(streak)))
	part := float64(h.Sum64()>>11) / (1 << 53)
	return time.Duration(float64(d) * (0.75 + 0.5*part))
}
