// SPDX-License-Identifier: Apache-2.0

package maturity

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"flyball/ident"
	"flyball/serving/release"
)

func (f *Facts) releaseAuto() answer {
	rs := f.newest(3)
	if len(rs) < 3 {
		return unknown("%d of 3 releases were made", len(rs))
	}
	var bad []string
	for _, r := range rs {
		for _, a := range f.forced(r) {
			bad = append(bad, actID(a))
		}
	}
	if len(bad) > 0 {
		return notMet(bad, "moved on by hand %d times", len(bad))
	}
	return met(rolloutIDs(rs), "all three by their plan")
}

func (f *Facts) releaseByCI() answer {
	var good, bad []string
	for _, r := range f.Rollouts {
		if !f.since(r.StartedAt, Window) {
			continue
		}
		if f.service(r.States[0].By) {
			good = append(good, r.ID)
		} else {
			bad = append(bad, r.ID)
		}
	}
	switch {
	case len(good)+len(bad) == 0:
		return f.nothingNew()
	case len(bad) > 0:
		return notMet(bad, "%d of %d were begun by a person", len(bad), len(good)+len(bad))
	}
	return met(good, "all of %d", len(good))
}

// uncompared is what a release says that had nothing to be compared with.
const uncompared = "nothing to compare it with"

func (f *Facts) compared() answer {
	var good, bad []string
	for _, r := range f.released() {
		if r.Live == 0 {
			continue // the first: there is nothing to compare it with
		}
		if r.weighed() {
			good = append(good, r.ID)
		} else {
			bad = append(bad, r.ID)
		}
	}
	switch {
	case len(f.released()) == 0:
		return f.nothingNew()
	case len(good)+len(bad) == 0:
		return notApplicable("a first release has no live version to be compared with")
	case len(bad) > 0:
		return notMet(bad, "%d of %d releases had no comparison", len(bad), len(good)+len(bad))
	}
	return met(good, "all of %d releases were compared", len(good))
}

// weighed reports whether the release left shadow or canary by itself with a sentence on
// what the comparison said.
func (r *Rollout) weighed() bool {
	for i, s := range r.States[1:] {
		was := r.States[i].Phase
		if (was == release.ShadowPhase || was == release.Canary) && s.Reason != "" && s.Reason != uncompared && s.EnteredAt.After(r.States[i].EnteredAt) {
			return true
		}
	}
	return false
}

func (f *Facts) traceable() answer {
	if len(f.Traced) == 0 {
		return unknown("no prediction was logged")
	}
	var good, bad []string
	why := ""
	for _, t := range f.Traced {
		if t.Broken == "" {
			good = append(good, t.ID)
		} else {
			bad, why = append(bad, t.ID), t.Broken
		}
	}
	if len(bad) > 0 {
		return notMet(f.drawn(bad), "%d of %d predictions lead nowhere: %s", len(bad), len(f.Traced), why)
	}
	return met(f.drawn(good), "all of %d predictions lead to their origin", len(good))
}

// drawn names the seed before the predictions that were drawn by it.
func (f *Facts) drawn(ids []string) []string { return append([]string{"seed " + f.Drawn}, ids...) }

// brought is the record of how a version came from another server; empty when it did not.
func (f *Facts) brought(ref ident.Ref) string {
	for _, a := range f.Acts {
		if a.Action == "import" && a.Object == ref.String() {
			return actID(a)
		}
	}
	return ""
}

func (f *Facts) environments() answer {
	v := f.live()
	if v == nil {
		return unknown("no version is live")
	}
	if id := f.brought(v.Ref); id != "" {
		return met([]string{id}, "%s came from another server with the same bytes", v.Ref)
	}
	return notMet([]string{v.Ref.String()}, "%s was trained where it serves", v.Ref)
}

func (f *Facts) testedReleases() answer {
	rs := f.released()
	if len(rs) == 0 {
		return f.nothingNew()
	}
	var bad []string
	for _, r := range rs {
		if !f.unitTested(r.Candidate) || !f.suitePassed("integration", r.Candidate) {
			bad = append(bad, r.ref())
		}
	}
	if len(bad) > 0 {
		return notMet(bad, "%d of %d versions lack a pass of unit or integration tests", len(bad), len(rs))
	}
	return met(rolloutIDs(rs), "both passed on all of %d", len(rs))
}

func (f *Facts) allTested() answer {
	var ids, none, failed []string
	for _, target := range []string{Pipeline, Scoring, App} {
		rs := f.reported(Window, func(r Report) bool {
			return r.Target == target && r.Program && r.Suite != "deploy" && r.Suite != "build"
		})
		switch {
		case len(rs) == 0:
			none = append(none, target)
		case rs[0].Status != Pass:
			failed = append(failed, rs[0].ID)
		default:
			ids = append(ids, rs[0].ID)
		}
	}
	switch {
	case len(failed) > 0:
		return notMet(failed, "%d of 3 failed last", len(failed))
	case len(none) > 0:
		return unknown("no report from %s", strings.Join(none, ", "))
	}
	return met(ids, "pipeline, scoring and application passed")
}

// restored is within which time a version must be taken back: the limit of the duty to
// fix, and else an hour.
func (f *Facts) restored() time.Duration { return cmp.Or(f.Duties.Fix.Within.D(), time.Hour) }

// wayBack is one time that the way back was gone, or tried by a drill.
type wayBack struct {
	id, text string
	took     time.Duration
	at       time.Time
	broken   bool
}

// waysBack are those times, the newest first.
func (f *Facts) waysBack() []wayBack {
	var out []wayBack
	for i := range f.Rollouts {
		r := &f.Rollouts[i]
		back, traffic := r.Retreated(), r.Traffic()
		if back.IsZero() || traffic.IsZero() || back.Before(traffic) || r.EndedAt.IsZero() {
			continue
		}
		out = append(out, wayBack{id: r.ID, text: fmt.Sprintf("v%d was taken back", r.Candidate), took: r.EndedAt.Sub(back), at: r.EndedAt})
	}
	for _, d := range f.Drills {
		w := wayBack{id: d.ID, text: fmt.Sprintf("a drill of the way back to v%d held", d.Back), took: time.Duration(d.Took * float64(time.Second)), at: d.At, broken: !d.Holds()}
		if w.broken {
			w.text = "the drill found that " + d.Text()
		}
		out = append(out, w)
	}
	slices.SortStableFunc(out, func(a, b wayBack) int { return b.at.Compare(a.at) })
	return out
}

// rollback goes by the newest time: what held once and does not now is no way back.
func (f *Facts) rollback() answer {
	ways := f.waysBack()
	if len(ways) == 0 {
		return notMet(nil, "nothing was ever taken back, and there was no drill")
	}
	w, ids := ways[0], []string{ways[0].id}
	switch {
	case w.broken:
		return notMet(ids, "%s, %s", w.text, f.days(w.at))
	case w.took > f.restored():
		return notMet(ids, "the last one took %s, %s", span(w.took), f.days(w.at))
	case !f.since(w.at, Long):
		return notMet(ids, "the last one was %s", f.days(w.at))
	}
	return met(ids, "%s in %s, %s", w.text, span(w.took), f.days(w.at))
}

func (f *Facts) promotedByDigest() answer {
	var ids []string
	for _, a := range f.Acts {
		if a.Action == "import" && f.since(a.At, Window) {
			ids = append(ids, actID(a))
		}
	}
	if len(ids) == 0 {
		return notMet(nil, "no version was brought in from another server in 90 days")
	}
	return met(ids, "%d brought in", len(ids))
}

func (f *Facts) operators() answer {
	rs := f.newest(5)
	if len(rs) == 0 {
		return unknown("no version ever answered")
	}
	var people, ids []string
	for _, r := range rs {
		author := ""
		if v := f.version(r.Candidate); v != nil {
			author = v.CreatedBy
		}
		for _, a := range f.Acts {
			about := a.Object == r.ref() && (a.Action == "release" || strings.HasPrefix(a.Action, "release ") || strings.HasPrefix(a.Action, "approve"))
			if about && a.Actor != author && f.person(a.Actor) && !slices.Contains(people, a.Actor) {
				people, ids = append(people, a.Actor), append(ids, actID(a))
			}
		}
	}
	if len(people) < 2 {
		return notMet(ids, "%d people besides the author, in %d releases", len(people), len(rs))
	}
	return met(ids, "%s", strings.Join(people, ", "))
}
