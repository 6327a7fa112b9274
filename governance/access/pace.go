// SPDX-License-Identifier: Apache-2.0

package access

import (
	"net/netip"
	"sync"
	"time"

	"flyball/fault"
)

// pace is how often each caller may do something: burst at once, and one more each time
// that every has passed. It keeps one time for each caller, as the generic cell rate
// algorithm has it (ITU-T I.371): when the last of what it took would be due at an even
// pace. The zero pace lets everything through. It may be used by many goroutines at once.
type pace struct {
	burst int
	every time.Duration

	mu  sync.Mutex
	due map[string]time.Time
}

// mostOfCallers bounds what a pace remembers. When more than that are in a hurry at once it
// forgets them all: it holds back a few who ask too often, not a crowd.
const mostOfCallers = 10_000

// take counts one more of a caller's, and returns 0; or how long to wait for it, and counts
// nothing.
func (p *pace) take(caller string, now time.Time) time.Duration {
	if p.every <= 0 {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	due, known := p.due[caller]
	if due.Before(now) {
		due = now
	}
	if wait := due.Sub(now) - time.Duration(p.burst-1)*p.every; wait > 0 {
		return wait
	}
	if !known && len(p.due) >= mostOfCallers {
		for k, t := range p.due {
			if !t.After(now) {
				delete(p.due, k)
			}
		}
		if len(p.due) >= mostOfCallers {
			clear(p.due)
		}
	}
	if p.due == nil {
		p.due = map[string]time.Time{}
	}
	p.due[caller] = due.Add(p.every)
	return 0
}

// often is the fault of who did something too often.
func often(what string, wait time.Duration) error {
	return fault.New(fault.Exhausted, "%s", what).Do("try again in %s", max(wait, time.Second).Round(time.Second)).In(wait)
}

// Unknown is err, of looking up a secret that was sent from an address. Where it says that
// the secret is not known, and too many from there were not, it is an Exhausted fault
// instead. A secret that is known is never held back, so nobody locks others out.
func (d *Directory) Unknown(from string, err error) error {
	if !fault.Is(err, fault.Unauthenticated) {
		return err
	}
	if wait := d.wrong.take(neighbours(from), d.Now()); wait > 0 {
		return often("too many wrong tokens, sessions or links from this address", wait)
	}
	return err
}

// Arrive counts a sign-in from an address that asks somebody else, as the company's login;
// an Exhausted fault says that there were too many.
func (d *Directory) Arrive(from string) error {
	if wait := d.arrivals.take(neighbours(from), d.Now()); wait > 0 {
		return often("too many sign-ins from this address", wait)
	}
	return nil
}

// Pace counts a change that somebody makes; an Exhausted fault says that it is too many. Each
// token of a user is counted apart. The local user, who is alone, is not counted.
func (d *Directory) Pace(who Identity) error {
	if who.local {
		return nil
	}
	if wait := d.changes.take(who.Name+" "+who.Token, d.Now()); wait > 0 {
		return often(who.Name+" makes more changes than one caller may in a minute", wait)
	}
	return nil
}

// neighbours is an address as it is counted: of IPv6 the network of 64 bits, for one
// machine has all of it.
func neighbours(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Unmap().Is4() {
		return address
	}
	if net, err := ip.WithZone("").Prefix(64); err == nil {
		return net.String()
	}
	return address
}
