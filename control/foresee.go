// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"time"

	"flyball/experiment/gate"
	"flyball/experiment/online"
	"flyball/fault"
	"flyball/governance/approval"
	"flyball/ident"
	"flyball/loop"
	"flyball/model/registry"
	"flyball/serving/prediction"
	"flyball/serving/release"
)

// Foreseen is what a release of a version would be, before it starts.
type Foreseen struct {
	Model   string   `json:"model"`
	Version int      `json:"version"`
	Refused string   `json:"refused,omitempty" doc:"why it cannot be released now"`
	Text    []string `json:"text" doc:"what the plan can find out about it, and how fast"`
}

// newestTraffic is how many rows the present rate is told from.
const newestTraffic = 1000

// Foresee says whether a version may be released, and what the plan of its model can find
// out about it. It changes nothing.
func (s *Service) Foresee(ctx context.Context, name string, version int) (Foreseen, error) {
	m, err := s.Model(ctx, name)
	if err != nil {
		return Foreseen{}, err
	}
	v, err := s.opts.Store.Version(ctx, ident.Ref{Model: name, Version: version})
	if err != nil {
		return Foreseen{}, err
	}
	rel, any, err := s.opts.Store.Release(ctx, name)
	if err != nil {
		return Foreseen{}, err
	}
	out := Foreseen{Model: name, Version: version}
	if err := releasable(v, rel, any); err != nil {
		out.Refused = err.Error()
	}
	a := online.Ahead{Plan: m.Plan, First: !any || rel.Aliases()[registry.Live] == 0, Split: m.Recipe.Task.LabelDependsOnDecision}
	if any && !rel.Done() && rel.Candidate == version {
		a.First = rel.Live == 0
	}
	lossAhead(&a, &m, v)
	if err := s.trafficAhead(ctx, &a, name); err != nil {
		return Foreseen{}, err
	}
	out.Text = online.Foresee(a)
	all, err := s.opts.Store.Approvals(ctx, name, false)
	if needs := approval.Needed(m.Risk, all).Needs(); len(needs) > 0 {
		out.Text = append(out.Text, "before it begins, "+approval.People(needs)+" must agree who neither proposed nor made it")
	}
	return out, err
}

// lossAhead fills in how the paired losses of the version and the live one spread at the
// gate.
func lossAhead(a *online.Ahead, m *loop.Model, v registry.Version) {
	rule, ok := m.Recipe.PairedRule()
	var verdict gate.Verdict
	if !ok || json.Unmarshal(v.Report, &verdict) != nil {
		return
	}
	a.Metric = rule.Name
	if rule.Margin != nil {
		a.Margin = *rule.Margin
	}
	for _, d := range verdict.Differences {
		if d.Metric == rule.Name && d.Against == prediction.Live && d.Slice == "" {
			a.SD = d.SE * math.Sqrt(float64(d.Rows))
		}
	}
}

// trafficAhead fills in how many rows a day are asked for, and when half of the newest
// have their truth.
func (s *Service) trafficAhead(ctx context.Context, a *online.Ahead, name string) error {
	var at []time.Time
	var delays []time.Duration
	err := s.opts.Log.Scan(ctx, prediction.Query{Model: name, Last: newestTraffic}, func(j prediction.Joined) error {
		at = append(at, j.At)
		delays = append(delays, j.Due.Sub(j.Time))
		return nil
	})
	if err != nil || len(at) < 2 {
		return err
	}
	slices.Sort(delays)
	a.Delay = max(0, delays[len(delays)/2])
	// From the first of them until now: who has stopped asking asks less.
	if over := s.now(ctx).Sub(slices.MinFunc(at, time.Time.Compare)); over > 0 {
		a.PerDay = float64(len(at)) / over.Hours() * 24
	}
	return nil
}

// releasable is why a version cannot be released; nil where it can.
func releasable(v registry.Version, rel release.State, any bool) error {
	ref := v.Ref
	switch {
	case any && rel.Aliases()[registry.Live] == v.Version:
		return fault.New(fault.Conflict, "%s is live already", ref)
	case v.Verdict == "":
		return fault.New(fault.Refused, "%s was not judged yet", ref).Do("ask for it with flyball gate %s", ref)
	case v.Verdict != "pass":
		return fault.New(fault.Refused, "the gate keeps %s out (%s)", ref, v.Verdict).Do("see flyball gate %s", ref)
	}
	return nil
}
