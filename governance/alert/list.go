// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"slices"
	"strings"

	"flyball/asof"
	"flyball/fault"
	"flyball/governance/duty"
)

// Kept are alerts as they are kept. Package store implements it.
type Kept interface {
	// Alerts are a model's (of all models when it is empty), the newest first.
	Alerts(ctx context.Context, model string, openOnly bool) ([]Alert, error)
}

// List are a model's alerts (of all models when it is empty), the newest first; only
// those that are open when openOnly is set. What is open says what it says now, and a
// cause that no turn has seen yet is among them.
func (r *Router) List(ctx context.Context, kept Kept, model string, openOnly bool) ([]Alert, error) {
	models, err := r.opts.Look(ctx)
	if err != nil {
		return nil, err
	}
	out, err := kept.Alerts(ctx, model, openOnly)
	if err != nil {
		return nil, err
	}
	silenced, err := r.Silenced(ctx)
	if err != nil {
		return nil, err
	}
	at := map[string]int{}
	for i, a := range out {
		if a.Closed.IsZero() {
			at[a.Key] = i
		}
	}
	for _, m := range models {
		if model != "" && m.Name != model {
			continue
		}
		for _, c := range m.Causes {
			if i, is := at[c.Key]; is {
				out[i].Text, out[i].Data, out[i].Advice = c.Text, c.Data, c.Advice
				continue
			}
			a, isNew, err := r.unseen(ctx, c, m.Duties)
			if err != nil {
				return nil, err
			}
			if isNew {
				out = append(out, a)
			}
		}
	}
	for i := range out {
		out[i].Silenced = silenced[out[i].Model]
	}
	slices.SortStableFunc(out, func(a, b Alert) int {
		if c := b.Opened.Compare(a.Opened); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out, nil
}

// unseen is the alert that the next turn opens for a cause; false when there was one.
func (r *Router) unseen(ctx context.Context, c Cause, d duty.Duties) (Alert, bool, error) {
	a := Open(c)
	switch _, err := r.opts.Store.Alert(ctx, a.ID); {
	case err == nil:
		return a, false, nil // it is over, or was opened just now
	case !fault.Is(err, fault.NotFound):
		return a, false, err
	}
	nobody := func(string) []string { return nil }
	a, _ = Next(a, Facts{Holds: true, Duty: d.Of(c.Duty), Ways: nobody}, asof.Now(ctx, r.opts.Now()))
	return a, true, nil
}
