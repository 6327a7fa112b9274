// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"testing"
	"time"
)

func TestAFailedProcessStartsAgainLaterAndLater(t *testing.T) {
	p := policy{first: time.Second, most: 10 * time.Second, failures: 100, window: time.Hour, cool: time.Minute}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var h health
	if h.ask(now) != start {
		t.Error("one that never failed may not start")
	}
	for _, want := range []time.Duration{1, 2, 4, 8, 10, 10} {
		h = h.failure(now, p, "a model")
		low, high := want*time.Second*3/4, want*time.Second*5/4
		if d := h.again.Sub(now); d < low || d > high {
			t.Errorf("after %d failures it waits %s, want %s to %s", h.streak, d, low, high)
		}
		if h.ask(h.again.Add(-1)) != wait || h.ask(h.again) != start {
			t.Error("it does not start when its wait is over")
		}
		now = h.again
	}
	other := h.failure(now, p, "another model")
	if h.failure(now, p, "a model").again.Equal(other.again) {
		t.Error("two models start again at the same moment")
	}
	if h = h.answered().failure(now, p, "a model"); h.streak != 1 {
		t.Error("an answer does not end the streak")
	}
}

func TestTheCircuitOpensAndAnAnswerClosesIt(t *testing.T) {
	p := policy{first: time.Millisecond, most: time.Second, failures: 3, window: time.Minute, cool: 30 * time.Second}
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name   string
		events []any // durations since the beginning: failures; true: an answer
		at     time.Duration
		want   verdict
	}{
		{"two failures only delay", []any{1 * time.Second, 2 * time.Second}, 2 * time.Second, wait},
		{"three within a minute open it", []any{1 * time.Second, 2 * time.Second, 3 * time.Second}, 32 * time.Second, refuse},
		{"after the rest there is a trial", []any{1 * time.Second, 2 * time.Second, 3 * time.Second}, 33 * time.Second, start},
		{"three in more than a minute do not open it", []any{1 * time.Second, 2 * time.Second, 63 * time.Second}, 65 * time.Second, start},
		{"answers between failures do not hide them", []any{1 * time.Second, true, 2 * time.Second, true, 3 * time.Second}, 4 * time.Second, refuse},
		{"a failed trial opens it at once", []any{1 * time.Second, 2 * time.Second, 3 * time.Second, 300 * time.Second}, 301 * time.Second, refuse},
		{"an answer after the trial closes it", []any{1 * time.Second, 2 * time.Second, 3 * time.Second, true, 40 * time.Second}, 42 * time.Second, start},
	} {
		var h health
		for _, e := range c.events {
			if d, ok := e.(time.Duration); ok {
				h = h.failure(begin.Add(d), p, "a model")
			} else {
				h = h.answered()
			}
		}
		if got := h.ask(begin.Add(c.at)); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestALogKeepsTheLastAndCountsWhatItDrops(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	o, err := newOutput(t.TempDir(), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if n, err := o.Write(make([]byte, 1<<20)); n != 1<<20 || err != nil {
			t.Fatal(n, err)
		}
	}
	if o.size != logRoom {
		t.Errorf("it keeps %d bytes at once, want %d", o.size, logRoom)
	}
	now = now.Add(time.Second)
	if _, err := o.Write([]byte("first\nsecond\n")); err != nil {
		t.Fatal(err)
	}
	if got := o.last(1); got != "second" {
		t.Errorf("the last line is %q", got)
	}
	for range 20 {
		now = now.Add(time.Second)
		if _, err := o.Write(make([]byte, logRate)); err != nil {
			t.Fatal(err)
		}
	}
	if o.size > logFile {
		t.Errorf("the file has %d bytes", o.size)
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
	if n, err := o.Write([]byte("late")); n != 4 || err != nil {
		t.Errorf("a late word is refused: %d, %v", n, err)
	}
}
