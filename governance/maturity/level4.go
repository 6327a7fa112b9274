// SPDX-License-Identifier: Apache-2.0

package maturity

import (
	"cmp"
	"slices"
	"time"

	"flyball/governance/alert"
	"flyball/monitoring"
	"flyball/serving/release"
)

func (f *Facts) fromProduction() answer {
	for _, v := range f.made(Long) {
		if id := f.signalOf(v); id != "" {
			return met([]string{id, v.Ref.String()}, "%s by %s, %s", v.Ref, v.Cause, f.days(v.CreatedAt))
		}
	}
	return notMet(nil, "no finding of production brought forth a version in 180 days")
}

// signalOf is the finding that a version was trained because of; empty: none.
func (f *Facts) signalOf(v *Version) string {
	if !signalled(v.Cause) {
		return ""
	}
	kind := map[string]string{"drift": monitoring.Drift, "score": monitoring.Score}[v.Cause]
	i := slices.IndexFunc(f.Findings, func(x monitoring.Finding) bool {
		return x.Trigger && x.Kind == kind && !x.Opened.After(v.CreatedAt) && (x.Closed.IsZero() || !x.Closed.Before(v.CreatedAt.Add(-Window)))
	})
	if i < 0 {
		return ""
	}
	return f.Findings[i].ID
}

// Month is how far back the checks of operations look.
const Month = 30 * 24 * time.Hour

func (f *Facts) series() answer {
	if f.live() == nil {
		return unknown("no version is live")
	}
	inputs := f.watched(func(s Span) bool { return s.Inputs })
	scores := f.watched(func(s Span) bool { return s.Scores })
	if inputs < 0.95 || scores < 0.95 {
		return notMet(nil, "inputs were watched %.0f %% of 30 days, predictions %.0f %%", 100*inputs, 100*scores)
	}
	if counted := f.counted(); counted < 0.95 {
		return notMet(nil, "requests were counted in %.0f %% of the hours of 30 days", 100*counted)
	}
	return met(nil, "inputs were watched %.0f %% of 30 days, predictions %.0f %%", 100*inputs, 100*scores)
}

// month are the hours of 30 days.
func (f *Facts) month() []release.Hour {
	i := slices.IndexFunc(f.Hours, func(h release.Hour) bool { return f.since(h.Start, Month) })
	if i < 0 {
		return nil
	}
	return f.Hours[i:]
}

// counted is the share of the hours of 30 days in which requests were counted: those in
// which a server was there that served the model, whether anybody asked or not.
func (f *Facts) counted() float64 {
	n, last := 0, time.Time{}
	for _, h := range f.month() {
		if h.Start.After(last) {
			n, last = n+1, h.Start
		}
	}
	return float64(n) / Month.Hours()
}

// watched is the share of 30 days in spans that pick picks.
func (f *Facts) watched(pick func(Span) bool) float64 {
	var some []Span
	for _, s := range f.Drift {
		if pick(s) {
			some = append(some, s)
		}
	}
	return float64(union(some, f.Now.Add(-Month), f.Now)) / float64(Month)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func (f *Facts) freshness() answer {
	if f.Fresh == 0 {
		return notMet(nil, "the model file sets no limit")
	}
	for _, t := range f.Trainings {
		switch {
		case !t.Ended || t.At.After(f.Now):
			continue
		case f.since(t.At, 24*time.Hour):
			return met([]string{"job " + t.ID}, "checked against %s, %s", span(f.Fresh), f.days(t.At))
		}
		return notMet([]string{"job " + t.ID}, "checked last %s, by the last training", f.days(t.At))
	}
	return unknown("it was never checked: no training has ended")
}

func (f *Facts) byPolicy() answer {
	for i := range f.Rollouts {
		r := &f.Rollouts[i]
		v := f.version(r.Candidate)
		if v != nil && triggered(v.Cause) && f.since(r.Entered(release.Succeeded), Long) && f.service(r.States[0].By) && len(f.forced(r)) == 0 && v.Required {
			return met([]string{r.ID}, "v%d by %s", r.Candidate, v.Cause)
		}
	}
	return notMet(nil, "no version of a trigger became live by its plan alone in 180 days")
}

func (f *Facts) gated() answer {
	var good, bad []string
	for _, t := range f.Trainings {
		if !t.Ended || !triggered(t.Cause) || !f.since(t.At, Window) {
			continue
		}
		i := slices.IndexFunc(f.Versions, func(v Version) bool { return v.Key == t.Key })
		if i >= 0 && f.Versions[i].Verdict != "" && f.Versions[i].Required {
			good = append(good, "job "+t.ID)
		} else {
			bad = append(bad, "job "+t.ID)
		}
	}
	switch {
	case len(good)+len(bad) == 0:
		return notMet(nil, "no trigger began a training in 90 days")
	case len(bad) > 0:
		return notMet(bad, "%d of %d ended without one", len(bad), len(good)+len(bad))
	}
	return met(good, "all of %d", len(good))
}

func (f *Facts) available() answer {
	moving := f.moving()
	var asked, failed, during int64
	var bad []string
	for _, h := range f.month() {
		asked, failed = asked+h.Asked(), failed+h.Failed
		if h.Failed > 0 {
			bad = append(bad, "hour "+h.Start.UTC().Format("2006-01-02T15Z"))
		}
		if moving[h.Generation] {
			during += h.Failed
		}
	}
	if asked == 0 || f.counted() < 0.95 {
		return unknown("requests were counted in %.0f %% of the hours of 30 days, %d in all", 100*f.counted(), asked)
	}
	up := 1 - float64(failed)/float64(asked)
	if up < 0.999 || during > 0 {
		return notMet(bad, "%.3f %% of %d requests were answered, %d failed during releases", 100*up, asked, during)
	}
	return met(nil, "%.3f %% of %d requests were answered", 100*up, asked)
}

// moving are the generations of the route while a release was under way.
func (f *Facts) moving() map[int64]bool {
	out := map[int64]bool{}
	for _, r := range f.Rollouts {
		for _, s := range r.States {
			out[s.Generation] = !s.Done()
		}
	}
	return out
}

func (f *Facts) learnt() answer {
	var good, bad, old []string
	for _, x := range f.Incidents {
		id := "incident " + x.ID
		switch {
		case x.Opened.After(f.Now):
		case x.Resolved.IsZero() || x.Resolved.After(f.Now):
			if !f.since(x.Opened, Month) {
				old = append(old, id)
			}
		case !f.since(x.Resolved, Window):
		case x.Owner != "" && x.Cause != "" && x.Change != "":
			good = append(good, id)
		default:
			bad = append(bad, id)
		}
	}
	switch {
	case len(old) > 0:
		return notMet(old, "%d open for more than 30 days", len(old))
	case len(f.Rollouts) == 0:
		return unknown("no version ever answered")
	case len(good)+len(bad) == 0:
		return notApplicable("no incident was closed in 90 days")
	case len(bad) > 0:
		return notMet(bad, "%d of %d without owner, cause or change", len(bad), len(good)+len(bad))
	}
	return met(good, "all of %d", len(good))
}

func (f *Facts) covered() answer {
	if err := f.Duties.Check(); err != nil {
		return notMet(nil, "%s", err)
	}
	var good, bad []string
	for _, a := range f.Alerts {
		if a.Severity == alert.Note || !f.since(a.Opened, Window) {
			continue
		}
		limit := a.Opened.Add(cmp.Or(a.Within.D(), alert.Within))
		switch {
		case a.Acked != nil && !a.Acked.At.After(limit):
			good = append(good, "alert "+a.ID)
		case !a.Closed.IsZero() && a.Closed.Before(limit), f.Now.Before(limit): // over, or not due yet
		default:
			bad = append(bad, "alert "+a.ID)
		}
	}
	n := len(good) + len(bad)
	switch {
	case n == 0:
		return met(nil, "each has an owner and a backup, and no alert of 90 days waited for anybody")
	case float64(len(good)) < 0.9*float64(n):
		return notMet(bad, "%d of %d alerts were acknowledged in time", len(good), n)
	}
	return met(good, "%d of %d alerts were acknowledged in time", len(good), n)
}
