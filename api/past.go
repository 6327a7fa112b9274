// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"flyball/asof"
	"flyball/fault"
)

// The names by which a request asks of a moment: that of the API, and that of the pages.
const (
	AsOf     = "as_of"
	PageAsOf = "as-of"
)

// Moments says what time it is where a moment is asked for, and when the first thing was
// kept (zero: nothing is). It is called before routes serve.
func (rs *Routes) Moments(now func() time.Time, first func(ctx context.Context) (time.Time, error)) {
	rs.now, rs.first = now, first
}

// moment is the request's context, with the moment of which it asks. A route that does
// not tell the past refuses one: to leave it unheard would be a lie. Only a request that
// reads may ask of one.
func (f Face) moment(r *http.Request) (context.Context, error) {
	ctx := r.Context()
	if r.URL.RawQuery == "" { // as every prediction comes
		return ctx, nil
	}
	q := r.URL.Query()
	text := cmp.Or(q.Get(AsOf), q.Get(PageAsOf))
	switch {
	case text == "" && !q.Has(AsOf) && !q.Has(PageAsOf):
		return ctx, nil
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return ctx, fault.New(fault.Invalid, "the past cannot be changed").Do("ask without as-of to change how things are now")
	case !f.past:
		return ctx, asof.NotKept("what this answers is known only as it is now")
	}
	t, err := asof.Parse(text, f.routes.now())
	if err != nil || f.routes.first == nil {
		return asof.With(ctx, t), err
	}
	first, err := f.routes.first(ctx)
	switch {
	case err != nil:
		return ctx, err
	case first.IsZero():
		return ctx, fault.New(fault.Invalid, "nothing is kept yet, so nothing can be told of %s", t.Format(time.RFC3339))
	case t.Before(first):
		return ctx, fault.New(fault.Invalid, "nothing is kept of %s: the first record is of %s", t.Format(time.RFC3339), first.Format(time.RFC3339)).Do("ask for a moment after that")
	}
	return asof.With(ctx, t), nil
}
