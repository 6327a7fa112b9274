// SPDX-License-Identifier: Apache-2.0

package access

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"flyball/fault"
)

func TestWhoAsksTooOftenWaitsForTheNextAndNobodyElseDoes(t *testing.T) {
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	p := pace{burst: 3, every: time.Second}
	for i := range 3 {
		if wait := p.take("a", now); wait != 0 {
			t.Errorf("request %d waits %s", i, wait)
		}
	}
	if wait := p.take("a", now); wait != time.Second {
		t.Errorf("the fourth waits %s, want 1s", wait)
	}
	if wait := p.take("b", now); wait != 0 {
		t.Errorf("somebody else waits %s", wait)
	}
	if wait := p.take("a", now.Add(time.Second)); wait != 0 {
		t.Errorf("after a second it waits %s", wait)
	}
	for range 3 {
		if wait := p.take("a", now.Add(time.Hour)); wait != 0 {
			t.Errorf("after an hour it waits %s", wait)
		}
	}
	if wait := (&pace{}).take("a", now); wait != 0 {
		t.Errorf("without a pace it waits %s", wait)
	}
}

func TestAPaceRemembersNoMoreCallersThanItsBound(t *testing.T) {
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	p := pace{burst: 2, every: time.Second}
	for i := range 3 * mostOfCallers {
		p.take(fmt.Sprint(i), now)
		if len(p.due) > mostOfCallers {
			t.Fatalf("%d callers are remembered", len(p.due))
		}
	}
}

func TestWrongSecretsAreRefusedSoonerThanGoodOnes(t *testing.T) {
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	d := &Directory{Options: Options{Now: func() time.Time { return now }}, wrong: pace{burst: 2, every: time.Second}}
	for i, want := range []fault.Kind{fault.Unauthenticated, fault.Unauthenticated, fault.Exhausted} {
		if err := d.Unknown(fmt.Sprintf("2001:db8::%d", i), unknown("no")); !fault.Is(err, want) {
			t.Errorf("wrong secret %d: %v", i, err)
		}
	}
	if err := d.Unknown("2001:db8::9", nil); err != nil {
		t.Errorf("a good secret: %v", err)
	}
	err := errors.New("another")
	if got := d.Unknown("2001:db8::9", err); !errors.Is(got, err) {
		t.Errorf("got %v", got)
	}
	if err := d.Unknown("2001:db8:0:1::1", unknown("no")); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("another network: %v", err)
	}
}
