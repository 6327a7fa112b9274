// SPDX-License-Identifier: Apache-2.0

package maturity

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/governance/alert"
	"flyball/governance/approval"
	"flyball/governance/audit"
	"flyball/governance/duty"
	"flyball/governance/incident"
	"flyball/ident"
	"flyball/model/registry"
	"flyball/monitoring"
	"flyball/serving/release"
)

// Facts are what the records hold of one model at one moment. The zero value holds
// nothing.
type Facts struct {
	Model  string
	Now    time.Time
	Duties duty.Duties
	Fresh  time.Duration // how old the newest row of its source may be; 0: the model file sets no limit

	Versions  []Version // the newest first
	Rollouts  []Rollout // the newest first
	Snapshots []dataset.Made
	Trainings []Training // the newest first
	Findings  []monitoring.Finding
	Alerts    []alert.Alert
	Acts      []audit.Record // of the model and its versions, in order
	Programs  []string       // users that are programs
	Traced    []Trace        // of predictions of the month
	Drawn     string         // the seed by which those were drawn
	Hours     []release.Hour // in which requests were counted, in order
	Drift     []Span         // closed windows of drift, in order

	Reports      []Report // of the model, or of all, the newest first
	Attestations []Attestation

	Deliveries []Delivery // what a subscriber took

	Incidents []incident.Incident // the newest first
	Drills    []Drill             // of the way back, the newest first
	Approvals []approval.Request  // the newest first
}

// Version is a version with what its record and its run tell.
type Version struct {
	registry.Version
	Commit      *registry.Commit // of what it was made from; nil: not known
	Environment string           // what it was made in, where that can be had again; empty: not known
	Recorded    blob.Digest      // of the fitted pipeline, as its record says
	Served      blob.Digest      // of the fitted pipeline in its bundle
	Params      int              // that its run has
	Metrics     int              //
	Inputs      int              // datasets
	Required    bool             // its gate asked for something
	JudgedAt    time.Time        // when the job that judged it ended; zero: not known
	Tests       int              // of the model itself, that the gate ran
	Failed      int              // of them

	Reproductions []registry.Reproduction // the newest first; only of the live version
}

// Here reports whether it was trained by this server or another Flyball, and not
// registered by a client.
func (v *Version) Here() bool { return v.Record != "" && v.Source == "" }

// RegisteredAt is when it came into the registry: one that was trained here came with its
// verdict, at the end of its training.
func (v *Version) RegisteredAt() time.Time {
	if v.Here() && !v.JudgedAt.IsZero() {
		return v.JudgedAt
	}
	return v.CreatedAt
}

// Training is a job that trains.
type Training struct {
	ID    string
	Key   string // the same as its version's
	Cause string
	At    time.Time
	Ended bool
}

// Trace is a prediction that was followed to where its version came from.
type Trace struct {
	ID     string
	Broken string // the first link that is missing; empty: none is
}

// Span is a stretch of time in which predictions were watched.
type Span struct {
	Start, End time.Time
	Inputs     bool // the inputs were compared with training
	Scores     bool // and the predictions were
}

// Delivery is an event that a subscriber took.
type Delivery struct {
	ID   string
	Kind string // of the event
	At   time.Time
}

// Rollout is one release with all states that it ever had, in order.
type Rollout struct {
	release.State
	States []release.State
}

// Rollouts sorts the history of a model's releases by release, the newest first.
func Rollouts(history []release.State) []Rollout {
	var out []Rollout
	at := map[string]int{}
	for _, s := range history {
		i, ok := at[s.ID]
		if !ok {
			i = len(out)
			at[s.ID] = i
			out = append(out, Rollout{})
		}
		out[i].State = s
		out[i].States = append(out[i].States, s)
	}
	slices.SortStableFunc(out, func(a, b Rollout) int { return cmp.Compare(b.Generation, a.Generation) })
	return out
}

// Entered is when the release first came into one of the phases; zero: never.
func (r *Rollout) Entered(phases ...release.Phase) time.Time {
	for _, s := range r.States {
		if slices.Contains(phases, s.Phase) {
			return s.EnteredAt
		}
	}
	return time.Time{}
}

// Traffic is when the candidate first answered anybody; zero: never.
func (r *Rollout) Traffic() time.Time { return r.Entered(release.Canary, release.Full) }

// Retreated is when the candidate was taken back; zero: never.
func (r *Rollout) Retreated() time.Time { return r.Entered(release.Aborting, release.RollingBack) }

// ref is the candidate.
func (r *Rollout) ref() string { return ident.Ref{Model: r.Model, Version: r.Candidate}.String() }

// triggered reports whether a cause is a trigger: no person asked, and it is not the
// first version.
func triggered(cause string) bool {
	return slices.Contains([]string{"schedule", "drift", "score"}, cause)
}

// signalled reports whether a cause is a signal of production.
func signalled(cause string) bool { return cause == "drift" || cause == "score" }

// since reports whether t lies in the last d.
func (f *Facts) since(t time.Time, d time.Duration) bool {
	return !t.IsZero() && !t.Before(f.Now.Add(-d)) && !t.After(f.Now)
}

// live is the version that serves; nil: none does.
func (f *Facts) live() *Version {
	if len(f.Rollouts) == 0 {
		return nil
	}
	return f.version(f.Rollouts[0].Aliases()[registry.Live])
}

func (f *Facts) version(n int) *Version {
	for i := range f.Versions {
		if n != 0 && f.Versions[i].Version.Version == n {
			return &f.Versions[i]
		}
	}
	return nil
}

// made are the versions of the last d, the newest first.
func (f *Facts) made(d time.Duration) []*Version {
	var out []*Version
	for i := range f.Versions {
		if f.since(f.Versions[i].CreatedAt, d) {
			out = append(out, &f.Versions[i])
		}
	}
	return out
}

// byTrigger are the versions that triggers brought forth in the last d.
func (f *Facts) byTrigger(d time.Duration) []*Version {
	return slices.DeleteFunc(f.made(d), func(v *Version) bool { return !triggered(v.Cause) })
}

// released are the rollouts whose candidate answered somebody first in the Window.
func (f *Facts) released() []*Rollout {
	var out []*Rollout
	for i := range f.Rollouts {
		if f.since(f.Rollouts[i].Traffic(), Window) {
			out = append(out, &f.Rollouts[i])
		}
	}
	return out
}

// newest are the newest n rollouts whose candidate answered somebody.
func (f *Facts) newest(n int) []*Rollout {
	var out []*Rollout
	for i := range f.Rollouts {
		if len(out) < n && !f.Rollouts[i].Traffic().IsZero() {
			out = append(out, &f.Rollouts[i])
		}
	}
	return out
}

// person reports whether an actor is a person with a name: not the server, not a program,
// not whoever uses the machine while there are no users.
func (f *Facts) person(actor string) bool {
	return actor != "" && actor != "flyball" && actor != "local" && !f.program(actor)
}

func (f *Facts) program(actor string) bool { return slices.Contains(f.Programs, actor) }

// service reports whether an actor is a program or the server itself.
func (f *Facts) service(actor string) bool { return actor == "flyball" || f.program(actor) }

// forced are the acts by which somebody moved the rollout on by hand.
func (f *Facts) forced(r *Rollout) []audit.Record {
	var out []audit.Record
	for _, a := range f.Acts {
		phase, is := strings.CutPrefix(a.Action, "release ")
		forward := slices.Contains([]release.Phase{release.ShadowPhase, release.Canary, release.Full, release.BakePhase, release.Succeeded}, release.Phase(phase))
		during := !a.At.Before(r.StartedAt) && (r.EndedAt.IsZero() || !a.At.After(r.EndedAt))
		if is && forward && a.Object == r.ref() && during && !f.service(a.Actor) {
			out = append(out, a)
		}
	}
	return out
}

// reported are the reports of the last d that pick picks.
func (f *Facts) reported(d time.Duration, pick func(Report) bool) []Report {
	var out []Report
	for _, r := range f.Reports {
		if f.since(r.At, d) && pick(r) {
			out = append(out, r)
		}
	}
	return out
}

func reportIDs(rs []Report) []string {
	out := make([]string, len(rs))
	for i, r := range rs {
		out[i] = r.ID
	}
	return out
}

func versionRefs(vs []*Version) []string {
	out := make([]string, len(vs))
	for i, v := range vs {
		out[i] = v.Ref.String()
	}
	return out
}

func rolloutIDs(rs []*Rollout) []string {
	out := make([]string, len(rs))
	for i, r := range rs {
		out[i] = r.ID
	}
	return out
}

func actID(a audit.Record) string { return fmt.Sprintf("audit %d", a.Seq) }

// portion is what came of asking something of each of some versions: those of which it
// holds, and those of which it does not.
type portion struct{ good, bad []string }

func of(vs []*Version, holds func(*Version) bool) portion {
	var p portion
	for _, v := range vs {
		if holds(v) {
			p.good = append(p.good, v.Ref.String())
		} else {
			p.bad = append(p.bad, v.Ref.String())
		}
	}
	return p
}

// atLeast is met when the good are such a share of all, with its figures; what names what
// each good one has.
func (p portion) atLeast(share float64, what string) answer {
	n, all := len(p.good), len(p.good)+len(p.bad)
	if float64(n) >= share*float64(all) {
		return met(p.good, "%d of %d versions %s", n, all, what)
	}
	return notMet(p.bad, "%d of %d versions %s", n, all, what)
}

// days tells how long ago t is.
func (f *Facts) days(t time.Time) string {
	d := int(f.Now.Sub(t).Hours() / 24)
	if d == 0 {
		return "today"
	}
	if d == 1 {
		return "yesterday"
	}
	return fmt.Sprintf("%d days ago", d)
}

// span tells a duration roughly.
func span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%.1f days", d.Hours()/24)
	case d >= time.Hour:
		return fmt.Sprintf("%.1f hours", d.Hours())
	case d >= time.Minute:
		return fmt.Sprintf("%.0f minutes", d.Minutes())
	}
	return fmt.Sprintf("%.0f seconds", d.Seconds())
}
