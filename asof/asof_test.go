// SPDX-License-Identifier: Apache-2.0

package asof_test

import (
	"testing"
	"time"

	"flyball/asof"
	"flyball/fault"
)

var now = time.Date(2026, 3, 16, 14, 6, 0, 0, time.UTC)

func TestAMomentIsATimeOrTheEndOfADay(t *testing.T) {
	for text, want := range map[string]string{
		"2026-03-16T14:06:00Z":           "2026-03-16T14:06:00Z",
		"2026-03-16T14:06:00+02:00":      "2026-03-16T12:06:00Z",
		" 2026-03-07T09:00 ":             "2026-03-07T09:00:00Z",
		"2026-03-07 09:00:30":            "2026-03-07T09:00:30Z",
		"2026-03-07":                     "2026-03-07T23:59:59.999999Z",
		"2026-03-07T09:00:00.123456789Z": "2026-03-07T09:00:00.123456Z",
	} {
		got, err := asof.Parse(text, now)
		if err != nil || got.Format(time.RFC3339Nano) != want {
			t.Errorf("%q: got %v, %v; want %s", text, got, err, want)
		}
	}
}

func TestWhatIsNoMomentOfThePastIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                     `"" is no moment; write a time such as 2026-03-16T14:06:00Z, or a date such as 2026-03-16 for the end of that day in UTC`,
		"yesterday":            `"yesterday" is no moment; write a time such as 2026-03-16T14:06:00Z, or a date such as 2026-03-16 for the end of that day in UTC`,
		"2026-03-16T14:06:01Z": "2026-03-16T14:06:01Z is not over: it is 2026-03-16T14:06:00Z; name a moment of the past, or leave it out for how things stand now",
		"2026-03-16":           "2026-03-16 is not over: it is 2026-03-16T14:06:00Z; name a moment of the past, or leave it out for how things stand now",
	} {
		if _, err := asof.Parse(text, now); err == nil || err.Error() != want || !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func TestWhoeverHasDealtWithAMomentLeavesItBehind(t *testing.T) {
	ctx := t.Context()
	if _, past := asof.At(ctx); past || asof.Now(ctx, now) != now {
		t.Error("nobody asked for a moment")
	}
	then := now.Add(-time.Hour)
	ctx = asof.With(ctx, then)
	if at, past := asof.At(ctx); !past || at != then || asof.Now(ctx, now) != then {
		t.Errorf("got %v, %t", at, past)
	}
	if _, past := asof.At(asof.Present(ctx)); past {
		t.Error("the moment is still there")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("2026-03-16T14:06:00Z")
	f.Add("2026-03-16")
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := asof.Parse(text, now); err == nil && got.After(now) {
			t.Errorf("%q is %v, in the future", text, got)
		}
	})
}
