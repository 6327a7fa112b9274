// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"flyball/data/pipeline"
	"flyball/event"
	"flyball/experiment/online"
	"flyball/fault"
	"flyball/ident"
	"flyball/model"
	"flyball/model/unusual"
	"flyball/monitoring"
	"flyball/serving/prediction"
	"flyball/serving/release"
)

// watch has monitoring look at what the live version answered since it last looked,
// and keeps what it found. It costs nothing until a block of time is over.
func (l *Loop) watch(ctx context.Context, m *Model, rel release.State, now time.Time) error {
	version := rel.Aliases()["live"]
	if version == 0 {
		return nil
	}
	kept, err := l.watched(ctx, m.Name)
	if err != nil {
		return err
	}
	if kept.Version != version {
		return l.beginWatch(ctx, m, watched{Version: version, State: monitoring.Start(m.Recipe.Watch, now)}, now)
	}
	st := kept.State
	if l.opts.Settled != nil && !now.Before(st.Next) {
		settled, err := l.opts.Settled(ctx, now)
		if err != nil {
			return err
		}
		if settled.Before(now) {
			now = settled
		}
	}
	if now.Before(st.Next) {
		return nil
	}
	profile, err := l.profile(ctx, m, version)
	if err != nil {
		return err
	}
	var rows []prediction.Joined
	err = l.opts.Log.Scan(ctx, prediction.Query{Model: m.Name, From: st.From, AsOf: now, Audit: len(m.Recipe.Task.Audit) > 0}, func(j prediction.Joined) error {
		if j.ScoresOf(version) != nil {
			rows = append(rows, j)
		}
		return nil
	})
	if err != nil {
		return err
	}
	// Ids are drawn: rows of one moment in the order of their keys tell the same story
	// in every replay.
	slices.SortStableFunc(rows, func(a, b prediction.Joined) int {
		return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.Key, b.Key))
	})
	made, usual, err := l.rows(ctx, m, version)
	if err != nil {
		return err
	}
	out := monitoring.Step(monitoring.Input{
		Policy: m.Recipe.Watch, Task: m.Recipe.Task, Profile: profile, Pipeline: made, Usual: usual, Model: m.Name, Version: version, State: st,
		Rows: rows, Now: now, MinRowsPerWindow: minRows(m),
		Limits: monitoring.GroupLimits{Ratio: m.Recipe.GroupRatio(), TPR: m.Recipe.GroupGap("tpr_gap"), FPR: m.Recipe.GroupGap("fpr_gap")},
	})
	var evs []event.Event
	for _, f := range out.Findings {
		evs = append(evs, findingEvent(f))
	}
	for _, n := range out.Notes {
		evs = append(evs, event.Event{At: now, Model: m.Name, By: "flyball", Mark: event.None, Kind: "note", Text: n.Text, Command: "flyball drift " + m.Name, Data: n.Data})
	}
	if err := l.saveWatch(ctx, m.Name, watched{Version: version, State: out.State}, out.Findings, out.Windows, evs...); err != nil {
		return err
	}
	return l.floor(ctx, m, rel, now)
}

// watched is the model's watch as it was kept; zero at first.
func (l *Loop) watched(ctx context.Context, name string) (w watched, err error) {
	raw, err := l.opts.Store.MonitorState(ctx, name)
	if err != nil || raw == nil {
		return w, err
	}
	return w, fault.Wrap(json.Unmarshal(raw, &w), fault.Internal, "the watch of %s cannot be read", name)
}

func (l *Loop) saveWatch(ctx context.Context, name string, w watched, findings []monitoring.Finding, windows []monitoring.Window, evs ...event.Event) error {
	w.Suspects = w.State.Suspects()
	raw, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("encode the watch of %s: %w", name, err)
	}
	return l.opts.Store.SaveMonitoring(ctx, name, raw, findings, windows, evs...)
}

// beginWatch starts the watch of a version and closes what was open of the one
// before: it answers no more, and the new one has a reference of its own. What is not about
// the version that answers stays open.
func (l *Loop) beginWatch(ctx context.Context, m *Model, w watched, now time.Time) error {
	open, err := l.opts.Store.Findings(ctx, m.Name, true)
	if err != nil {
		return err
	}
	var over []monitoring.Finding
	for _, f := range open {
		if f.Version != w.Version && !monitoring.Lasts(f.Kind) {
			f.Closed = now
			over = append(over, f)
		}
	}
	return l.saveWatch(ctx, m.Name, w, over, nil)
}

func findingEvent(f monitoring.Finding) event.Event {
	e := event.Event{At: f.Opened, Model: f.Model, By: "flyball", Mark: event.Warn, Kind: f.Kind, Text: f.Text, Command: monitoring.Advise(f, nil).Command, Data: f.Data}
	if !f.Closed.IsZero() {
		e.At, e.Mark, e.Text = f.Closed, event.OK, f.Subject+": as before again"
	}
	return e
}

// minRows is what the checks of the model file ask of each window of the watch.
func minRows(m *Model) int {
	for _, c := range m.Recipe.Data.Checks {
		if c.Rows != nil && c.Rows.Per == m.Recipe.Watch.Every {
			return c.Rows.AtLeast
		}
	}
	return 0
}

// profile is what monitoring compares the version with; nil when its bundle has
// none.
func (l *Loop) profile(ctx context.Context, m *Model, version int) (*monitoring.Profile, error) {
	h := l.looked(m.Name)
	if p := h.profiles[version]; p != nil {
		return p, nil
	}
	b, err := l.load(ctx, ident.Ref{Model: m.Name, Version: version})
	if err != nil {
		return nil, err
	}
	if _, ok := b.Manifest.Files[model.ProfileFile]; !ok {
		return nil, nil
	}
	raw, err := b.File(ctx, l.opts.Blobs, model.ProfileFile)
	if err != nil {
		return nil, err
	}
	p, err := monitoring.DecodeProfile(raw)
	if err != nil {
		return nil, err
	}
	clear(h.profiles)
	h.profiles[version] = p
	return p, nil
}

// rows are what made the version's features, nil where it takes columns as they are, and
// what its rows usually are, nil where that is not known.
func (l *Loop) rows(ctx context.Context, m *Model, version int) (*pipeline.Fitted, *unusual.Reference, error) {
	b, err := l.load(ctx, ident.Ref{Model: m.Name, Version: version})
	if err != nil {
		return nil, nil, err
	}
	return b.Pipeline(), b.Usual(), nil
}

// floor lets the baseline answer while the live version is clearly worse than it on
// due rows, and the live version again when it no longer is. A release under way is
// left alone, and so are labels that only the live version's decisions let be seen.
func (l *Loop) floor(ctx context.Context, m *Model, rel release.State, now time.Time) error {
	rule, ok := m.Recipe.PairedRule()
	if !ok || !rel.Done() || rel.Baseline == 0 || m.Recipe.Task.LabelDependsOnDecision {
		return nil
	}
	live := rel.Route().Live
	var classes []string
	if b := l.keeper.Bundle(m.Name, live); b != nil {
		classes = b.Manifest.Classes
	}
	t := &tally{task: m.Recipe.Task, classes: classes, rule: rule}
	err := l.opts.Log.Scan(ctx, prediction.Query{Model: m.Name, From: rel.StartedAt, DueBy: now, AsOf: now}, func(j prediction.Joined) error {
		base, scores := j.BaselineScores(), j.ScoresOf(live)
		if j.Label == nil || base == nil || scores == nil {
			return nil
		}
		truth, ok := truthOf(m.Recipe.Task, classes, j.Label.Value)
		if !ok {
			return nil
		}
		t.pair(&j, truth, base, scores)
		return nil
	})
	if err != nil {
		return err
	}
	v := online.Compare(t.pairs, online.Policy{Metric: rule.Name, Blocks: true})
	next, changed := rel, false
	switch v.Verdict {
	case release.Harm:
		next, changed = rel.WithFloor(true, "the live version is worse than the baseline: "+v.Text)
	case release.Pass:
		next, changed = rel.WithFloor(false, "the live version is as good as the baseline again")
	}
	if !changed {
		return nil
	}
	ev := event.Event{At: now, Model: m.Name, By: "flyball", Mark: event.Stop, Kind: "floor", Text: fmt.Sprintf("v%d: %s", live, next.Reason), Command: "flyball score " + m.Name}
	if err := l.opts.Store.SaveRelease(ctx, rel.Generation, next, next.Aliases(), nil, ev); err != nil {
		return err
	}
	return l.publish(ctx, m, next.Route())
}
