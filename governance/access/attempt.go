// SPDX-License-Identifier: Apache-2.0

package access

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

// failures counts wrong passwords. The first few cost nothing; then each doubles how
// long its sender waits. It counts by name and address together, so that nobody locks
// somebody else out, and by address alone, so that nobody tries all names.
type failures struct {
	mu   sync.Mutex
	seen map[[2]string]failure
}

type failure struct {
	n     int
	last  time.Time
	until time.Time
}

const (
	freeFailures    = 5  // of a name from an address
	freeOfAddress   = 25 // of an address
	longestFailure  = 5 * time.Minute
	forgetFailures  = 15 * time.Minute
	mostOfFailures  = 10_000 // addresses and names that are remembered
	longestOfChecks = 10 * time.Minute
	mostOfChecks    = 1_000
)

// wait is how long who sends the name from the address must still wait.
func (f *failures) wait(name, from string, now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return max(f.seen[[2]string{name, from}].until.Sub(now), f.seen[[2]string{"", from}].until.Sub(now), 0)
}

// failed notes a wrong password.
func (f *failures) failed(name, from string, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen == nil {
		f.seen = map[[2]string]failure{}
	}
	if len(f.seen) >= mostOfFailures {
		for k, v := range f.seen {
			if now.Sub(v.last) > forgetFailures {
				delete(f.seen, k)
			}
		}
		if len(f.seen) >= mostOfFailures {
			clear(f.seen)
		}
	}
	for k, free := range map[[2]string]int{{name, from}: freeFailures, {"", from}: freeOfAddress} {
		v := f.seen[k]
		if now.Sub(v.last) > forgetFailures {
			v.n = 0
		}
		v.n, v.last = v.n+1, now
		if over := v.n - free; over >= 0 {
			v.until = now.Add(min(longestFailure, time.Second<<min(over, 10)))
		}
		f.seen[k] = v
	}
}

// succeeded forgets the wrong passwords of a name from an address.
func (f *failures) succeeded(name, from string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.seen, [2]string{name, from})
}

// checked remembers which passwords were right, as digests under a key of this process.
type checked struct {
	key  []byte
	mu   *sync.Mutex
	good map[[32]byte]time.Time
}

func newChecked() checked {
	k := make([]byte, 32)
	_, _ = rand.Read(k) // never fails
	return checked{key: k, mu: &sync.Mutex{}, good: map[[32]byte]time.Time{}}
}

// of covers the kept hash too: a changed password is another entry.
func (c checked) of(u User, password string) (out [32]byte) {
	h := hmac.New(sha256.New, c.key)
	for _, s := range []string{u.Name, u.Password, password} {
		sum := sha256.Sum256([]byte(s))
		_, _ = h.Write(sum[:]) // a hash never fails
	}
	h.Sum(out[:0])
	return out
}

func (c checked) has(u User, password string, now time.Time) bool {
	k := c.of(u, password)
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.good[k]
	return ok && now.Sub(at) < longestOfChecks
}

func (c checked) add(u User, password string, now time.Time) {
	k := c.of(u, password)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.good) >= mostOfChecks {
		clear(c.good)
	}
	c.good[k] = now
}
