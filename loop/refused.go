// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"flyball/experiment/gate"
	"flyball/monitoring"
)

// Refused counts candidates that the gate kept out for one reason, one after the other.
// The second calls a person: what failed twice in the same way fails a third time.
type Refused struct {
	For     string `json:"for"`     // the rules that failed, as words
	Cause   string `json:"cause"`   // of those trainings
	Times   int    `json:"times"`   // in a row
	Version int    `json:"version"` // the newest of them
	Applied int64  `json:"applied"` // generation of the model file that they were made by
}

// refusals is how many candidates in a row call a person.
const refusals = 2

// calls reports whether a person is called.
func (r *Refused) calls() bool { return r != nil && r.Times >= refusals }

// refused is the count with one more. What people ask for by hand is theirs to judge,
// and a refusal without a reason is like no other.
func (s State) refused(o *Outcome) *Refused {
	if o == nil || o.Against == "" || s.Cause == ByHand || s.Cause == ByFirst {
		return s.Refused
	}
	r := Refused{For: o.Against, Cause: s.Cause, Times: 1, Version: o.Version, Applied: s.Applied}
	if was := s.Refused; was != nil && was.For == r.For && was.Cause == r.Cause && was.Applied == r.Applied {
		r.Times += was.Times
	}
	return &r
}

// stuck reports whether an alarm of the kind causes no more trainings: the last two came
// to the same. A schedule goes on, for it brings new rows each time.
func (s State) stuck(cause string) bool {
	return s.Refused.calls() && s.Refused.Cause == cause && cause != BySchedule
}

// against is what a verdict has against a candidate: the rules that failed, in order.
func against(v gate.Verdict) string {
	var out []string
	for _, r := range v.Reasons {
		if !r.Required || r.Decision != gate.Harm && r.Decision != gate.Inconclusive {
			continue
		}
		words := r.Metric
		if r.Against != "" {
			words += " against " + r.Against
		}
		if r.Slice != "" {
			words += " of " + r.Slice
		}
		out = append(out, words+": "+string(r.Decision))
	}
	slices.Sort(out)
	const most = 5
	if more := len(out) - most; more > 0 {
		out = append(out[:most], fmt.Sprintf("%d more", more))
	}
	return strings.Join(out, ", ")
}

// call opens the finding that calls a person, and closes it when nothing calls any more.
// called is the one that is open; nil: none.
func (l *Loop) call(ctx context.Context, m *Model, r *Refused, called *monitoring.Finding, now time.Time) error {
	switch {
	case r.calls() && called == nil:
		f := monitoring.Finding{
			ID:    fmt.Sprintf("%s/%d/%s/v%d/%s", m.Name, r.Version, monitoring.Retraining, r.Version, now.UTC().Format("20060102T150405Z")),
			Model: m.Name, Version: r.Version, Kind: monitoring.Retraining, Subject: fmt.Sprintf("v%d", r.Version),
			Severity: "warn", Duty: "retrain", Opened: now, Text: r.sentence(m.Name),
		}
		return l.opts.Store.SaveMonitoring(ctx, m.Name, nil, []monitoring.Finding{f}, nil, findingEvent(f))
	case !r.calls() && called != nil:
		f := *called
		f.Closed = now
		return l.opts.Store.SaveMonitoring(ctx, m.Name, nil, []monitoring.Finding{f}, nil, findingEvent(f))
	}
	return nil
}

func (r *Refused) sentence(model string) string {
	text := fmt.Sprintf("%d candidates in a row were kept out for the same reason (%s), trained by %s", r.Times, r.For, r.Cause)
	if r.Cause == BySchedule {
		return text + "; the schedule goes on"
	}
	return text + fmt.Sprintf("; none is trained by %s until the model file changes, or by flyball resume %s", r.Cause, model)
}
