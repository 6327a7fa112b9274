// SPDX-License-Identifier: Apache-2.0

// Package asof carries the moment of which somebody asks how things stood, from the face
// that is asked down to what is kept. Whoever reads what is kept reads it as it was then,
// or refuses: an answer of today in its place would be a lie. The package keeps nothing
// and knows no protocol.
package asof

import (
	"context"
	"strings"
	"time"

	"flyball/fault"
)

type key struct{}

// With is ctx for a reading of how things stood at t.
func With(ctx context.Context, t time.Time) context.Context { return context.WithValue(ctx, key{}, t) }

// At is the moment that is asked for; false: it is asked how things stand now.
func At(ctx context.Context) (time.Time, bool) {
	t, past := ctx.Value(key{}).(time.Time)
	return t, past && !t.IsZero()
}

// Now is the moment that is asked for, and now when none is.
func Now(ctx context.Context, now time.Time) time.Time {
	if t, past := At(ctx); past {
		return t
	}
	return now
}

// Present is ctx without the moment, for whoever has dealt with it.
func Present(ctx context.Context) context.Context {
	if _, past := At(ctx); past {
		return With(ctx, time.Time{})
	}
	return ctx
}

// layouts are the ways to write a moment, besides RFC 3339. They are in UTC.
var layouts = []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04"}

// Parse reads a moment: RFC 3339, the same without a zone or seconds (UTC, as the pages
// show times), or a date, which is the end of that day in UTC. It is to the microsecond,
// as times are kept. One that is not over by now is an Invalid fault: nothing is known of it.
func Parse(text string, now time.Time) (time.Time, error) {
	t, err := parse(strings.TrimSpace(text))
	if err != nil {
		return time.Time{}, err
	}
	if t.After(now) {
		return time.Time{}, fault.New(fault.Invalid, "%s is not over: it is %s", text, now.UTC().Format(time.RFC3339)).
			Do("name a moment of the past, or leave it out for how things stand now")
	}
	return t.UTC().Truncate(time.Microsecond), nil
}

func parse(text string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t.AddDate(0, 0, 1).Add(-time.Microsecond), nil
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fault.New(fault.Invalid, "%.60q is no moment", text).
		Do("write a time such as 2026-03-16T14:06:00Z, or a date such as 2026-03-16 for the end of that day in UTC")
}

// NotKept is the fault of a reading that cannot tell the past: what is a sentence, such
// as "who had which role is not kept".
func NotKept(what string) error {
	return fault.New(fault.Invalid, "%s, so it cannot be told as of a moment", what).Do("ask without as-of for how it is now")
}
