// SPDX-License-Identifier: Apache-2.0

package maturity

import (
	"cmp"
	"slices"
	"time"

	"flyball/governance/approval"
	"flyball/governance/incident"
	"flyball/monitoring"
	"flyball/serving/release"
	"flyball/unit"
)

// Stage is a part of the way of a change, with how long it took.
type Stage struct {
	Name   string        `json:"name"`
	Count  int           `json:"count"`  // releases that went through it
	Median unit.Duration `json:"median"` // 0 where Count is
	P90    unit.Duration `json:"p90"`    // of nine in ten releases at most
}

// Figures are the delivery figures of a model over a window: DORA's, with what they mean
// for models. All are of releases, and of those that began to answer where traffic is
// meant.
type Figures struct {
	Model string    `json:"model"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`

	Lead   Stage   `json:"lead"`   // from the cause to the release's end, of those that succeeded
	Stages []Stage `json:"stages"` // its parts, in their order

	Deployments int     `json:"deployments"`   // that came to answer everybody
	Retrained   int     `json:"retrained"`     // of them, by a trigger: the same model on newer data
	Changed     int     `json:"changed"`       // and the others
	PerWeek     float64 `json:"per_week"`      // deployments
	DaysPerWeek int     `json:"days_per_week"` // the median of a week's days with a deployment

	Answered      int      `json:"answered"`       // releases that answered anybody
	Failed        int      `json:"failed"`         // of them, taken back, or an incident is held against them
	FailureRate   *float64 `json:"failure_rate"`   // Failed of Answered; nil: none answered
	CaughtRelease int      `json:"caught_release"` // taken back before they answered anybody: no failure
	CaughtGate    int      `json:"caught_gate"`    // versions that the gate kept out: no failure

	Restore   Stage `json:"restore"`   // from the first finding against the candidate, or the retreat where there is none, to the end of the retreat
	Detection Stage `json:"detection"` // of it, until the retreat began
	Action    Stage `json:"action"`    // and from there

	Rework      *float64 `json:"rework"`      // share of the releases begun that a finding or an incident caused; nil: none was begun
	Reliability *float64 `json:"reliability"` // share of the hours with a live version without an open finding of its quality, without the baseline in its place, and in which 99.9 % of the requests were answered; nil: no version was live

	Evidence []string `json:"evidence,omitempty"` // the releases that this is of, at most 20, the newest first
}

// Deliver computes the figures of the last window. It needs Versions, Rollouts, Trainings,
// Findings, Incidents, Approvals and Hours.
func Deliver(f *Facts, window time.Duration) Figures {
	out := Figures{Model: f.Model, From: f.Now.Add(-window), To: f.Now}
	f.lead(&out, window)
	f.frequency(&out, window)
	f.failures(&out, window)
	out.Reliability = f.reliability(out.From)
	return out
}

// caused is when what a version was trained for happened: the finding, or the request.
func (f *Facts) caused(v *Version) time.Time {
	at := v.CreatedAt
	for _, t := range f.Trainings {
		if t.Key == v.Key && t.At.Before(at) {
			at = t.At
		}
	}
	id := f.signalOf(v)
	for _, x := range f.Findings {
		if id != "" && x.ID == id && x.Opened.Before(at) {
			at = x.Opened
		}
	}
	return at
}

func (f *Facts) lead(out *Figures, window time.Duration) {
	names := []string{"cause to registered", "registered to gate", "gate to leave", "leave to traffic", "traffic to all", "all to done"}
	took := make([][]time.Duration, len(names))
	var whole []time.Duration
	for i := range f.Rollouts {
		r := &f.Rollouts[i]
		done, v := r.Entered(release.Succeeded), f.version(r.Candidate)
		if v == nil || !f.since(done, window) {
			continue
		}
		at := []time.Time{f.caused(v), v.RegisteredAt(), v.JudgedAt, f.left(r, v), r.Traffic(), r.Entered(release.Full), done}
		whole = append(whole, done.Sub(at[0]))
		for k := range names {
			if !at[k].IsZero() && !at[k+1].IsZero() && !at[k+1].Before(at[k]) {
				took[k] = append(took[k], at[k+1].Sub(at[k]))
			}
		}
	}
	out.Lead = stage("lead", whole)
	for k, name := range names {
		out.Stages = append(out.Stages, stage(name, took[k]))
	}
}

// left is when the release had its leave, or went without; where nobody was asked, when
// the gate had judged; zero: not known.
func (f *Facts) left(r *Rollout, v *Version) time.Time {
	at := v.JudgedAt
	for _, a := range f.Approvals {
		switch {
		case a.Version != r.Candidate || a.AskedAt.After(r.StartedAt):
		case a.Ended == nil || a.Ended.At.After(r.StartedAt) || a.Ended.State != approval.Approved && a.Ended.State != approval.Overridden:
			at = time.Time{}
		default:
			return a.Ended.At
		}
	}
	return at
}

func (f *Facts) frequency(out *Figures, window time.Duration) {
	weeks := max(1, int(window/(7*24*time.Hour)))
	days := make([]map[int]bool, weeks)
	for i := range f.Rollouts {
		r := &f.Rollouts[i]
		full := r.Entered(release.Full)
		if !f.since(full, window) {
			continue
		}
		out.Deployments++
		if triggered(r.Cause) {
			out.Retrained++
		} else {
			out.Changed++
		}
		day := int(f.Now.Sub(full).Hours() / 24)
		if week := day / 7; week < weeks { // what is left of a window that is no number of weeks
			if days[week] == nil {
				days[week] = map[int]bool{}
			}
			days[week][day] = true
		}
	}
	out.PerWeek = float64(out.Deployments) / (window.Hours() / (7 * 24))
	counts := make([]int, weeks)
	for i, d := range days {
		counts[i] = len(d)
	}
	slices.Sort(counts)
	out.DaysPerWeek = counts[(weeks-1)/2]
}

func (f *Facts) failures(out *Figures, window time.Duration) {
	var restore, detect, act []time.Duration
	begun, caused := 0, 0
	harmed, mended := f.harmed(), f.mended()
	for i := range f.Rollouts {
		r := &f.Rollouts[i]
		if f.since(r.StartedAt, window) {
			begun++
			if signalled(r.Cause) || mended[r.ref()] {
				caused++
			}
		}
		traffic, back := r.Traffic(), r.Retreated()
		if traffic.IsZero() {
			if f.since(back, window) {
				out.CaughtRelease++
			}
			continue
		}
		if !f.since(traffic, window) {
			continue
		}
		out.Answered++
		if len(out.Evidence) < mostEvidence {
			out.Evidence = append(out.Evidence, r.ID)
		}
		if back.IsZero() {
			if harmed[r.ID] {
				out.Failed++
			}
			continue
		}
		out.Failed++
		if r.EndedAt.IsZero() {
			continue // still on its way back
		}
		first := back
		for _, x := range f.Findings {
			if x.Version == r.Candidate && x.Severity != "note" && !x.Opened.Before(traffic) && x.Opened.Before(first) {
				first = x.Opened
			}
		}
		restore, detect, act = append(restore, r.EndedAt.Sub(first)), append(detect, back.Sub(first)), append(act, r.EndedAt.Sub(back))
	}
	for _, v := range f.made(window) {
		if v.Verdict != "" && v.Verdict != "pass" {
			out.CaughtGate++
		}
	}
	out.FailureRate, out.Rework = ratio(out.Failed, out.Answered), ratio(caused, begun)
	out.Restore, out.Detection, out.Action = stage("restore", restore), stage("detection", detect), stage("action", act)
}

// blamed is how soon after a release an incident is held against it.
const blamed = 7 * 24 * time.Hour

// harmed are the releases, by ID, against which an incident is held: the newest that had
// begun to answer when it opened, less than blamed before, of its version where it names
// one. That somebody broke the glass speaks against no release.
func (f *Facts) harmed() map[string]bool {
	out := map[string]bool{}
	for _, i := range f.Incidents {
		at := slices.IndexFunc(f.Rollouts, func(r Rollout) bool {
			traffic := r.Traffic()
			return !traffic.IsZero() && !traffic.After(i.Opened) && (i.Version == 0 || i.Version == r.Candidate)
		})
		if at >= 0 && i.Kind != incident.Glass && i.Opened.Sub(f.Rollouts[at].Traffic()) < blamed {
			out[f.Rollouts[at].ID] = true
		}
	}
	return out
}

// mended are the changes that were made because of incidents, as these name them.
func (f *Facts) mended() map[string]bool {
	out := map[string]bool{}
	for _, i := range f.Incidents {
		if i.Change != "" {
			out[i.Change] = true
		}
	}
	return out
}

func ratio(n, of int) *float64 {
	if of == 0 {
		return nil
	}
	x := float64(n) / float64(of)
	return &x
}

// reliability is the share of the time from from on in which a version was live and
// nothing spoke against it.
func (f *Facts) reliability(from time.Time) *float64 {
	var states []release.State
	for _, r := range f.Rollouts {
		states = append(states, r.States...)
	}
	slices.SortFunc(states, func(a, b release.State) int { return cmp.Compare(a.Generation, b.Generation) })
	begin := time.Time{}
	for _, s := range states {
		if s.Aliases()["live"] != 0 {
			begin = s.EnteredAt
			break
		}
	}
	if begin.IsZero() {
		return nil
	}
	begin = later(begin, from)
	var bad []Span
	for _, x := range f.Findings {
		if x.Kind == monitoring.Score && x.Severity != "note" {
			end := x.Closed
			if end.IsZero() {
				end = f.Now
			}
			bad = append(bad, Span{Start: x.Opened, End: end})
		}
	}
	for _, h := range f.Hours {
		if float64(h.Failed) > 0.001*float64(h.Asked()) {
			bad = append(bad, Span{Start: h.Start, End: h.Start.Add(time.Hour)})
		}
	}
	for i, s := range states {
		if !s.Floor {
			continue
		}
		end := f.Now
		if i+1 < len(states) {
			end = states[i+1].EnteredAt
		}
		bad = append(bad, Span{Start: s.EnteredAt, End: end})
	}
	whole := f.Now.Sub(begin)
	if whole <= 0 {
		return nil
	}
	share := 1 - float64(union(bad, begin, f.Now))/float64(whole)
	return &share
}

// union is the time of spans between two moments, what overlaps counted once.
func union(spans []Span, from, to time.Time) time.Duration {
	slices.SortFunc(spans, func(a, b Span) int { return a.Start.Compare(b.Start) })
	var total time.Duration
	for _, s := range spans {
		if a, b := later(s.Start, from), earlier(s.End, to); b.After(a) {
			total += b.Sub(a)
			from = b
		}
	}
	return total
}

// stage is the stage of durations, which are sorted.
func stage(name string, took []time.Duration) Stage {
	s := Stage{Name: name, Count: len(took)}
	if len(took) > 0 {
		s.Median, s.P90 = unit.Duration(quantile(took, 0.5).Round(time.Second)), unit.Duration(quantile(took, 0.9).Round(time.Second))
	}
	return s
}

// quantile is the smallest of some durations, which are sorted, that a share of them is
// at most: the nearest rank. Of two the median is the first.
func quantile(ds []time.Duration, share float64) time.Duration {
	slices.Sort(ds)
	rank := int(share*float64(len(ds))+0.999999) - 1
	return ds[min(max(rank, 0), len(ds)-1)]
}
