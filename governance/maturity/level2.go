// SPDX-License-Identifier: Apache-2.0

package maturity

import (
	"slices"
	"time"

	"flyball/governance/audit"
	"flyball/monitoring"
	"flyball/serving/release"
)

func (f *Facts) trainingAuto() answer {
	vs := f.byTrigger(Window)
	if len(vs) > 0 {
		return met(versionRefs(vs), "%s by %s, %s", vs[0].Ref, vs[0].Cause, f.days(vs[0].CreatedAt))
	}
	var tried []string
	for _, t := range f.Trainings {
		if triggered(t.Cause) && f.since(t.At, Window) {
			tried = append(tried, "job "+t.ID)
		}
	}
	if len(tried) > 0 {
		return notMet(tried, "triggers began %d trainings, and none brought forth a version", len(tried))
	}
	return notMet(nil, "no trigger began a training in 90 days")
}

func (f *Facts) environment() answer {
	vs := f.made(Window)
	if len(vs) == 0 {
		return unknown("no version was made in 90 days")
	}
	return of(vs, func(v *Version) bool { return v.Environment != "" }).atLeast(1, "with an environment that can be had again")
}

func (f *Facts) reproducible() answer {
	v := f.live()
	if v == nil {
		return unknown("no version is live")
	}
	if len(v.Reproductions) == 0 {
		return unknown("%s was never made again", v.Ref)
	}
	r := v.Reproductions[0]
	switch {
	case r.Grade == "R0":
		return notMet([]string{r.ID}, "%s came out different %s", v.Ref, f.days(r.At))
	case !f.since(r.At, Long):
		return notMet([]string{r.ID}, "%s was made again last %s", v.Ref, f.days(r.At))
	}
	return met([]string{r.ID}, "%s came out as %s %s", v.Ref, r.Grade, f.days(r.At))
}

func (f *Facts) tracked() answer {
	vs := f.made(Window)
	if len(vs) == 0 {
		return unknown("no version was made in 90 days")
	}
	return of(vs, func(v *Version) bool { return v.Params > 0 && v.Metrics > 0 && v.Inputs > 0 }).
		atLeast(0.95, "with params, metrics and datasets")
}

func (f *Facts) managed() answer {
	v := f.live()
	switch {
	case v == nil:
		return unknown("no version is live")
	case f.Duties.Monitor.Owner == "":
		return notMet([]string{v.Ref.String()}, "nobody has the duty to monitor it")
	}
	return met([]string{v.Ref.String()}, "%s serves, and is %s's", v.Ref, f.Duties.Monitor.Owner)
}

func (f *Facts) recurring() answer {
	vs := f.byTrigger(Long)
	if len(vs) < 2 {
		return notMet(versionRefs(vs), "%d by triggers in 180 days", len(vs))
	}
	return met(versionRefs(vs), "%d by triggers in 180 days", len(vs))
}

func (f *Facts) features() answer {
	v := f.live()
	if v == nil {
		return unknown("no version is live")
	}
	for _, x := range f.Findings {
		if x.Kind == monitoring.Skew && x.Closed.IsZero() && x.Version == v.Version.Version {
			return notMet([]string{x.ID}, "%s", x.Text)
		}
	}
	return f.scoringVersioned()
}

func (f *Facts) lifecycle() answer {
	var ids []string
	for _, d := range f.Deliveries {
		if f.since(d.At, Window) && ofVersion(d.Kind) {
			ids = append(ids, d.ID)
		}
	}
	if len(ids) == 0 {
		return notMet(nil, "no subscriber took anything of a version in 90 days")
	}
	return met(ids, "%d events taken", len(ids))
}

// ofVersion reports whether a kind of event tells that a version was made or judged.
func ofVersion(kind string) bool { return slices.Contains([]string{"trained", "gate", "import"}, kind) }

func (f *Facts) compute() answer {
	vs := f.made(Window)
	if len(vs) == 0 {
		return unknown("no version was made in 90 days")
	}
	return of(vs, (*Version).Here).atLeast(0.9, "trained by a server")
}

func (f *Facts) together() answer {
	feed, retrain := f.Duties.Feed.Owner, f.Duties.Retrain.Owner
	switch {
	case feed == "" || retrain == "":
		return notMet(nil, "the duties feed and retrain have no owners")
	case feed == retrain:
		return notMet(nil, "both duties are %s's", feed)
	}
	var ids []string
	for _, who := range []string{feed, retrain} {
		i := slices.IndexFunc(f.Acts, func(a audit.Record) bool {
			return a.Actor == who && (a.Action == "apply" || a.Action == "approve") && f.since(a.At, Window)
		})
		if i < 0 {
			return notMet(ids, "%s applied and approved nothing in 90 days", who)
		}
		ids = append(ids, actID(f.Acts[i]))
	}
	return met(ids, "%s and %s both applied or approved", feed, retrain)
}

func (f *Facts) friction() answer {
	rs := f.newest(5)
	if len(rs) == 0 {
		return unknown("no version ever answered")
	}
	took := make([]time.Duration, len(rs))
	for i, r := range rs {
		took[i] = r.Traffic().Sub(r.StartedAt)
	}
	if m := quantile(took, 0.5); m >= 24*time.Hour {
		return notMet(rolloutIDs(rs), "the median of %d is %s", len(rs), span(m))
	}
	return met(rolloutIDs(rs), "the median of %d is %s", len(rs), span(quantile(took, 0.5)))
}

func (f *Facts) scoringTests() answer {
	rs := f.released()
	if len(rs) == 0 {
		return f.nothingNew()
	}
	var bad []string
	for _, r := range rs {
		if r.Entered(release.Preload).IsZero() || !f.unitTested(r.Candidate) {
			bad = append(bad, r.ref())
		}
	}
	if len(bad) > 0 {
		return notMet(bad, "%d of %d versions had no tests of their own that passed", len(bad), len(rs))
	}
	return met(rolloutIDs(rs), "all of %d did", len(rs))
}

// unitTested reports whether the gate's tests of the version, or the newest report of a
// unit suite on it, passed.
func (f *Facts) unitTested(version int) bool {
	if v := f.version(version); v != nil && v.Tests > 0 && v.Failed == 0 {
		return true
	}
	return f.suitePassed("unit", version)
}

// suitePassed reports whether the newest report of a suite on the version is a pass.
func (f *Facts) suitePassed(suite string, version int) bool {
	i := slices.IndexFunc(f.Reports, func(r Report) bool {
		return r.Suite == suite && r.Model == f.Model && r.Version == version && version != 0 && !r.At.After(f.Now)
	})
	return i >= 0 && f.Reports[i].Status == Pass
}
