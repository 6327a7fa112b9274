// SPDX-License-Identifier: Apache-2.0

package maturity

import (
	"fmt"
	"slices"

	"flyball/data/dataset"
	"flyball/serving/release"
)

func (f *Facts) codeVersioned() answer {
	vs := f.made(Window)
	if len(vs) == 0 {
		return unknown("no version was made in 90 days")
	}
	return of(vs, func(v *Version) bool { return v.Commit != nil && v.Commit.ID != "" && len(v.Commit.Changed) == 0 }).
		atLeast(0.9, "from a clean commit")
}

func (f *Facts) buildAuto() answer {
	for _, a := range slices.Backward(f.Acts) {
		if a.Action == "apply" && f.program(a.Actor) && f.since(a.At, Window) {
			return met([]string{actID(a)}, "applied by %s %s", a.Actor, f.days(a.At))
		}
	}
	built := f.reported(Window, func(r Report) bool { return r.Program && r.Status == Pass && r.Suite == "build" })
	if len(built) > 0 {
		return met(reportIDs(built), "a build reported by %s %s", built[0].By, f.days(built[0].At))
	}
	return unknown("no program applied the model file, and none reported a build")
}

func (f *Facts) appTests() answer {
	rs := f.reported(Window, func(r Report) bool { return r.Program && r.Target == App && r.Suite == "unit" })
	switch {
	case len(rs) == 0:
		return unknown("no report from the application")
	case rs[0].Status != Pass:
		return notMet(reportIDs(rs[:1]), "they failed %s", f.days(rs[0].At))
	}
	return met(reportIDs(rs[:1]), "passed %s", f.days(rs[0].At))
}

func (f *Facts) modelTest() answer {
	rs := f.released()
	if len(rs) == 0 {
		return f.nothingNew()
	}
	var bad []string
	for _, r := range rs {
		if r.Entered(release.Preload).IsZero() {
			bad = append(bad, r.ID)
		}
	}
	if len(bad) > 0 {
		return notMet(bad, "%d of %d releases did not replay their golden rows", len(bad), len(rs))
	}
	return met(rolloutIDs(rs), "all of %d did", len(rs))
}

// nothingNew is the answer about releases of 90 days where there were none: while a
// version from before answers, they ask for nothing.
func (f *Facts) nothingNew() answer {
	if f.live() != nil {
		return notApplicable("no version began to answer in 90 days")
	}
	return unknown("no version ever answered")
}

func (f *Facts) dataAuto() answer {
	var auto, hand []string
	for _, s := range f.Snapshots {
		if !f.since(s.At, Window) {
			continue
		}
		if triggered(s.Cause) {
			auto = append(auto, short(s))
		} else if s.Cause == "hand" {
			hand = append(hand, short(s))
		}
	}
	switch {
	case len(auto)+len(hand) == 0:
		return unknown("no trigger made a snapshot in 90 days")
	case len(hand) > 0:
		return notMet(hand, "%d made by a trigger, %d by hand", len(auto), len(hand))
	case len(auto) < 2:
		return notMet(auto, "%d made by a trigger", len(auto))
	}
	return met(auto, "%d made by a trigger", len(auto))
}

func short(s dataset.Made) string {
	return fmt.Sprintf("snapshot %.12s", s.ID)
}

func (f *Facts) scoringVersioned() answer {
	v := f.live()
	switch {
	case v == nil:
		return unknown("no version is live")
	case v.Recorded == "":
		return notMet([]string{v.Ref.String()}, "%s has no record of its pipeline", v.Ref)
	case v.Recorded != v.Served:
		return notMet([]string{v.Ref.String()}, "the bundle of %s holds another pipeline than its record", v.Ref)
	}
	return met([]string{v.Ref.String()}, "pipeline %.12s in the bundle of %s", v.Served, v.Ref)
}

func (f *Facts) appRelease() answer {
	rs := f.reported(Long, func(r Report) bool { return r.Target == App && r.Suite == "deploy" })
	if len(rs) < 3 {
		return unknown("%d of 3 deployments of the application reported in 180 days", len(rs))
	}
	for _, r := range rs[:3] {
		if !r.Program {
			return notMet([]string{r.ID}, "one was made by %s, who is no program", r.By)
		}
	}
	return met(reportIDs(rs[:3]), "by %s, the last %s", rs[0].By, f.days(rs[0].At))
}
