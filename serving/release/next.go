// SPDX-License-Identifier: Apache-2.0

package release

import (
	"fmt"
	"slices"
	"time"
)

// Verdict is what the online comparison of candidate and live version says so far.
type Verdict string

// The verdicts. The zero value is NoData.
const (
	NoData       Verdict = ""             // too few matured labels to say anything
	Pass         Verdict = "pass"         // not worse by the margin
	Inconclusive Verdict = "inconclusive" // it may be either
	Harm         Verdict = "harm"         // worse by more than the margin
	Invalid      Verdict = "invalid"      // the comparison itself is broken: it says nothing, and nothing goes forward
)

// Facts are what Next decides by, gathered at one moment. Counts are since the
// release began to score the candidate.
type Facts struct {
	Replicas []Replica // that hold a lease; none: nothing advances

	Requests   int     // rows that both versions were asked for
	Errors     int     // rows that the candidate could not score
	ErrorsHigh bool    // the error rate is above back_if.errors, beyond doubt
	LatencyP99 float64 // of the candidate, seconds for a row, where it is above back_if.latency_p99 beyond doubt; 0: else
	Shift      float64 // difference of the shares decided "then": it is at least so large, beyond doubt

	Online     Verdict // on labels, with the gate's margin
	OnlineText string  // its figures, or why it is invalid: one sentence
	Split      bool    // Online is about what came of the answers, which nobody has before the canary
	Duties     error   // why nobody may go live: a duty without owner
}

// Replica is a process that serves, as it last reported.
type Replica struct {
	Name       string
	Generation int64  // of the route it serves by
	Candidate  int    // loaded and verified; 0: none
	Failed     string // why the candidate cannot be loaded there
}

// Done reports whether the release is over.
func (s State) Done() bool {
	return s.Phase == Succeeded || s.Phase == Aborted || s.Phase == RolledBack
}

// Forward reports whether the release is on its way to Succeeded.
func (s State) Forward() bool {
	switch s.Phase {
	case Pending, Preload, ShadowPhase, Canary, Full, BakePhase:
		return true
	}
	return false
}

// Start is a release at its beginning. live is what serves now (0: nothing) and
// generation that of the model's newest release (0: none).
func Start(model string, live, candidate, baseline int, plan Plan, generation int64, cause, by string, now time.Time) State {
	return State{
		ID: fmt.Sprintf("%s/%d/%d", model, candidate, generation+1), Model: model, Live: live, Candidate: candidate, Baseline: baseline,
		Plan: plan, Phase: Pending, Generation: generation + 1, StartedAt: now, EnteredAt: now, Cause: cause, By: by,
		Reason: "asked for", Seed: fmt.Sprintf("%s/%d", model, candidate),
	}
}

// Next is the release one step on, or s and false when nothing changes. It is pure.
// Harm takes the candidate back from wherever it is, also while paused; forward it
// goes one step at a time, and only when everything that the step asks for holds.
func Next(s State, f Facts, now time.Time) (State, bool) {
	if s.Done() {
		return s, false
	}
	if s.Phase == Aborting || s.Phase == RollingBack {
		return s.retreated(f, now)
	}
	if why := s.harm(f); why != "" {
		return s.back(why, now), true
	}
	if s.Paused != "" && !s.Waits {
		return s, false
	}
	return s.forward(f, now)
}

// harm is why the candidate must go back; empty: nothing speaks for it.
func (s State) harm(f Facts) string {
	for _, r := range f.Replicas {
		if r.Failed != "" && r.Candidate != s.Candidate {
			return "it cannot be loaded: " + r.Failed
		}
	}
	b := s.Plan.BackIf
	switch {
	case b.Errors != nil && f.ErrorsHigh:
		return fmt.Sprintf("%d of %d requests failed", f.Errors, f.Requests)
	case b.LatencyP99 != nil && f.LatencyP99 > float64(b.LatencyP99.Above):
		return fmt.Sprintf("99 %% of rows take up to %.1f ms, at most %.1f ms may be", 1e3*f.LatencyP99, 1e3*float64(b.LatencyP99.Above))
	case b.DecisionsShift != nil && f.Requests >= s.enough() && f.Shift > float64(b.DecisionsShift.Above):
		return fmt.Sprintf("the share of decisions moved by %.1f %%", 100*f.Shift)
	case b.Loss != "" && f.Online == Harm:
		return f.OnlineText + ", more than the margin"
	}
	return ""
}

// enough is how many rows a shift of decisions is judged on.
func (s State) enough() int { return max(100, s.Plan.Shadow.AtLeast) }

// back takes the candidate back: from full traffic it rolls back, else it aborts.
func (s State) back(why string, now time.Time) State {
	phase := Aborting
	if s.Phase == Full || s.Phase == BakePhase {
		phase = RollingBack
	}
	return s.enter(phase, why, now)
}

// enter is s in another phase, a generation later.
func (s State) enter(p Phase, why string, now time.Time) State {
	s.Phase, s.Reason, s.EnteredAt = p, why, now
	s.Generation++
	s.Paused, s.Waits = "", false
	if share := s.Route().Share; len(s.Shares) == 0 && share > 0 || len(s.Shares) > 0 && s.Shares[len(s.Shares)-1].Share != share {
		s.Shares = append(slices.Clone(s.Shares), Share{s.Generation, share})
	}
	if s.Done() {
		s.EndedAt = now
	}
	if p == Succeeded {
		s.Floor = false // the candidate beat the baseline too
	}
	return s
}

// retreated ends a retreat once every replica serves by its route.
func (s State) retreated(f Facts, now time.Time) (State, bool) {
	for _, r := range f.Replicas {
		if r.Generation < s.Generation {
			return s, false
		}
	}
	if s.Phase == Aborting {
		return s.enter(Aborted, s.Reason, now), true
	}
	return s.enter(RolledBack, s.Reason, now), true
}

// acknowledged reports whether there are replicas and all serve by the route.
func (s State) acknowledged(f Facts) bool {
	for _, r := range f.Replicas {
		if r.Generation < s.Generation || r.Candidate != s.Candidate {
			return false
		}
	}
	return len(f.Replicas) > 0
}

// forward takes the next step, if it may be taken.
func (s State) forward(f Facts, now time.Time) (State, bool) {
	if s.Phase == Pending {
		if f.Duties != nil {
			return s.pause(f.Duties.Error(), true)
		}
		return s.enter(Preload, "the gate's verdict is pass", now), true
	}
	if f.Online == Invalid {
		if s.Waits {
			return s, false
		}
		return s.pause("the comparison is not valid: "+f.OnlineText, true)
	}
	if s.Waits {
		return s.Resume(now)
	}
	if !s.acknowledged(f) {
		return s, false
	}
	held := now.Sub(s.EnteredAt)
	switch s.Phase {
	case Preload:
		if s.Live != 0 && (s.Plan.Shadow.For > 0 || s.Plan.Shadow.AtLeast > 0) {
			return s.enter(ShadowPhase, "loaded, its golden rows reproduced", now), true
		}
		return s.ramp(0, "loaded, its golden rows reproduced", now), true
	case ShadowPhase:
		if held >= s.Plan.Shadow.For.D() && f.Requests >= s.Plan.Shadow.AtLeast && s.may(f) {
			return s.ramp(0, s.because(f), now), true
		}
	case Canary:
		if held >= s.Plan.Canary[s.Step].For.D() && s.may(f) {
			return s.ramp(s.Step+1, s.because(f), now), true
		}
	case Full:
		return s.enter(BakePhase, "all traffic answered by it", now), true
	case BakePhase:
		if s.Live == 0 || held >= s.Plan.Bake.For.D() && s.may(f) {
			return s.enter(Succeeded, s.because(f), now), true
		}
	}
	return s, false
}

// may reports whether the online comparison lets the release go on: at the end of a
// phase, anything but harm does, unless the plan asks for a pass.
func (s State) may(f Facts) bool {
	early := f.Split && s.Phase == ShadowPhase
	return s.Plan.Require != "pass" || s.Live == 0 || f.Online == Pass || early
}

func (s State) because(f Facts) string {
	switch {
	case f.OnlineText != "":
		return f.OnlineText
	case f.Requests > 0:
		return fmt.Sprintf("nothing against it in %d rows", f.Requests)
	}
	return "nothing to compare it with"
}

// ramp is the canary step i, or full where there is none or it means all. A first
// release has nobody to share with and is full at once.
func (s State) ramp(i int, why string, now time.Time) State {
	if s.Live == 0 || i >= len(s.Plan.Canary) || s.Plan.Canary[i].Share >= 1 {
		return s.enter(Full, why, now)
	}
	s.Step = i
	return s.enter(Canary, why, now)
}

// pause holds the release where it is; false when it is paused for that already.
func (s State) pause(why string, waits bool) (State, bool) {
	if s.Paused == why && s.Waits == waits {
		return s, false
	}
	s.Paused, s.Waits, s.Reason = why, waits, "waits: "+why
	s.Generation++
	return s, true
}

// Pause holds the release by hand; it goes on being watched for harm.
func (s State) Pause(why string, now time.Time) (State, bool) {
	if !s.Forward() {
		return s, false
	}
	return s.pause(why, false)
}

// Resume ends a pause.
func (s State) Resume(now time.Time) (State, bool) {
	if s.Paused == "" {
		return s, false
	}
	s.Paused, s.Waits, s.Reason = "", false, "resumed"
	s.Generation++
	return s, true
}

// Promote skips what is left of the waiting time of the phase, by hand. It does not
// override harm, which takes the candidate back whoever asked; false while paused,
// for no share rises then: resume first.
func (s State) Promote(why string, now time.Time) (State, bool) {
	if s.Paused != "" {
		return s, false
	}
	switch s.Phase {
	case ShadowPhase:
		return s.ramp(0, why, now), true
	case Canary:
		return s.ramp(s.Step+1, why, now), true
	case BakePhase:
		return s.enter(Succeeded, why, now), true
	}
	return s, false
}

// Rollback takes the candidate back by hand: under way at once, and after Succeeded
// by a release of its own that ends with the former version live again. It needs no
// approval and no measurement; false when there is nothing to go back to.
func (s State) Rollback(by, why string, now time.Time) (State, bool) {
	switch {
	case s.Forward() && (s.Live != 0 || s.Phase != Full && s.Phase != BakePhase):
		out := s.back(why, now)
		out.By = by
		return out, true
	case s.Phase == Succeeded && s.Live != 0:
		out := s.enter(RollingBack, why, now)
		out.EndedAt, out.By = time.Time{}, by
		return out, true
	}
	return s, false
}

// WithFloor says whether the baseline answers instead of the live version.
func (s State) WithFloor(on bool, why string) (State, bool) {
	if s.Floor == on || s.Baseline == 0 {
		return s, false
	}
	s.Floor, s.Reason = on, why
	s.Generation++
	return s, true
}
