// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"flyball/data/dataset"
	"flyball/event"
	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/experiment/online"
	"flyball/governance/audit"
	"flyball/serving/prediction"
	"flyball/serving/release"
)

// release takes a release that is under way one step on, if there is one to take.
func (l *Loop) release(ctx context.Context, m *Model, s release.State, now time.Time) (bool, error) {
	if s.Done() {
		return false, nil
	}
	h := l.looked(m.Name)
	began := time.Now()
	if !l.opts.Replay && h.rested == s.Generation && began.Before(h.rest) {
		return false, nil
	}
	f, err := l.facts(ctx, m, s, now)
	if err != nil {
		return false, err
	}
	// Gathering reads every record of the release: it gets a twentieth of the time.
	h.rested, h.rest = s.Generation, time.Now().Add(20*time.Since(began))
	next, changed := release.Next(s, f, now)
	if !changed {
		return false, nil
	}
	return true, l.SaveRelease(ctx, m, s, next, "flyball", now)
}

// SaveRelease keeps a change of a release with its aliases, its record and its line
// in the feed, and serves by it.
func (l *Loop) SaveRelease(ctx context.Context, m *Model, from, to release.State, by string, now time.Time) error {
	rec := audit.Record{At: now, Actor: by, Action: "release " + string(to.Phase), Object: fmt.Sprintf("%s@%d", m.Name, to.Candidate), Why: to.Reason, Data: marked(to.Mark)}
	if err := l.opts.Store.SaveRelease(ctx, from.Generation, to, to.Aliases(), &rec, releaseEvent(m, to, by, now)); err != nil {
		return err
	}
	return l.publish(ctx, m, to.Route())
}

// marked is what the record of an act on a release keeps of its mark.
func marked(mark string) json.RawMessage {
	if mark == "" {
		return nil
	}
	raw, _ := json.Marshal(map[string]string{"mark": mark}) // text can be encoded
	return raw
}

func releaseEvent(m *Model, s release.State, by string, now time.Time) event.Event {
	e := event.Event{At: now, Model: m.Name, By: by, Mark: event.Move, Kind: "release", Command: "flyball releases " + m.Name}
	switch s.Phase {
	case release.Preload:
		e.Text = fmt.Sprintf("v%d is loaded beside", s.Candidate)
	case release.ShadowPhase:
		e.Text = fmt.Sprintf("v%d scores in the shadow of v%d", s.Candidate, s.Live)
	case release.Canary:
		e.Text = fmt.Sprintf("v%d answers %s: %s", s.Candidate, s.Plan.Canary[s.Step].Share, s.Reason)
	case release.Full:
		e.Text = fmt.Sprintf("v%d answers all: %s", s.Candidate, s.Reason)
	case release.BakePhase:
		e.Text = fmt.Sprintf("v%d bakes, v%d stays warm", s.Candidate, s.Live)
		if s.Live == 0 {
			e.Text = fmt.Sprintf("v%d bakes", s.Candidate)
		}
	case release.Succeeded:
		e.Mark, e.Text = event.OK, fmt.Sprintf("v%d is live: %s", s.Candidate, s.Reason)
	case release.Aborting, release.RollingBack:
		e.Mark, e.Text = event.Stop, fmt.Sprintf("v%d is taken back: %s", s.Candidate, s.Reason)
	case release.Aborted, release.RolledBack:
		e.Mark, e.Text = event.Stop, fmt.Sprintf("v%d is out, v%d answers", s.Candidate, s.Live)
	default:
		e.Mark, e.Text = event.Wait, s.Reason
	}
	if s.Paused != "" {
		e.Mark, e.Text = event.Wait, "release paused: "+s.Paused
	}
	return e
}

// comparing reports whether both versions score.
func comparing(s release.State) bool {
	return s.Live != 0 && (s.Phase == release.ShadowPhase || s.Phase == release.Canary || s.Phase == release.Full || s.Phase == release.BakePhase)
}

// facts gathers what release.Next decides by, from the records of the answers.
func (l *Loop) facts(ctx context.Context, m *Model, s release.State, now time.Time) (release.Facts, error) {
	serving, err := l.replicas(ctx, m, s)
	f := release.Facts{Replicas: serving, Duties: m.Duties.Check()}
	if !comparing(s) || err != nil {
		return f, err
	}
	t := &tally{state: s, task: m.Recipe.Task, now: now, split: split{task: &m.Recipe.Task, state: &s}}
	t.rule, t.judged = m.Recipe.PairedRule()
	t.costMargin = costMargin(m.Recipe.Gate.Metrics)
	if b := l.keeper.Bundle(m.Name, s.Candidate); b != nil {
		t.classes = b.Manifest.Classes
	}
	// A row's event time may lie before the moment it is answered at; a week is more
	// than callers take.
	from := s.StartedAt.Add(-7 * 24 * time.Hour)
	if err := l.opts.Log.Scan(ctx, prediction.Query{Model: m.Name, From: from, AsOf: now}, t.add); err != nil {
		return f, err
	}
	t.into(&f)
	return f, nil
}

// tally adds up the records of a release.
type tally struct {
	state   release.State
	task    dataset.Task
	rule    gate.Rule
	judged  bool
	classes []string
	now     time.Time

	requests, errors    int
	decided, more, less int // decisions; those that only the candidate, and only the live version, says "then" of
	took                []float64
	split               split
	costMargin          float64
	pairs               []online.Pair
	byKey               map[string]int // place in pairs
}

func (t *tally) add(j prediction.Joined) error {
	if j.At.Before(t.state.StartedAt) {
		return nil
	}
	due := !j.Due.After(t.now)
	t.split.add(&j, due)
	live, cand := j.ScoresOf(t.state.Live), j.ScoresOf(t.state.Candidate)
	failed, asked := false, j.Arm == prediction.Candidate
	for _, o := range j.Others {
		if o.Role == prediction.Candidate && o.Version == t.state.Candidate {
			asked, failed = true, o.Error != ""
			t.took = append(t.took, o.Latency.Seconds())
		}
	}
	if !asked {
		return nil
	}
	t.requests++
	if failed {
		t.errors++
	}
	if live == nil || cand == nil {
		return nil
	}
	if d := t.task.Decide; d != nil && len(live) == 1 {
		t.decided++
		switch a, b := live[0] > d.Above, cand[0] > d.Above; {
		case b && !a:
			t.more++
		case a && !b:
			t.less++
		}
	}
	if j.Label == nil || !due || !t.judged || t.task.LabelDependsOnDecision {
		return nil
	}
	truth, ok := truthOf(t.task, t.classes, j.Label.Value)
	if !ok {
		return nil
	}
	t.pair(&j, truth, live, cand)
	return nil
}

// pair keeps the losses of two scores of a row by the rule, where it has them. A caller
// that did not get its answer asks again with the same key: the truth is one, and so is the
// pair; the newest answer stands.
func (t *tally) pair(j *prediction.Joined, truth float64, live, candidate []float64) {
	row := evaluation.Sample{Kind: t.task.Kind, Classes: t.classes, Decide: t.task.Decide, Costs: t.task.Cost}
	a, okA := row.Loss(t.rule.Name, truth, live)
	b, okB := row.Loss(t.rule.Name, truth, candidate)
	if !okA || !okB {
		return
	}
	key, p := j.Key, online.Pair{Live: a, Candidate: b, Block: t.block(*j)}
	if i, again := t.byKey[key]; again {
		t.pairs[i] = p
		return
	}
	if key != "" {
		if t.byKey == nil {
			t.byKey = map[string]int{}
		}
		t.byKey[key] = len(t.pairs)
	}
	t.pairs = append(t.pairs, p)
}

// block is the draw that a record belongs to: its stretch of time, or its day where
// blocks are by columns.
func (t *tally) block(j prediction.Joined) uint64 {
	each := max(t.task.Block.Each, t.task.Block.Run).D() // stretches that depend on each other are one draw
	if each == 0 {
		each = 24 * time.Hour
	}
	return uint64(j.Time.Unix() / int64(each.Seconds()))
}

func truthOf(task dataset.Task, classes []string, value string) (float64, bool) {
	if task.Kind == dataset.Multiclass {
		at := slices.Index(classes, value)
		return float64(at), at >= 0
	}
	x, err := strconv.ParseFloat(value, 64)
	return x, err == nil
}

func (t *tally) into(f *release.Facts) {
	f.Requests, f.Errors = t.requests, t.errors
	if b := t.state.Plan.BackIf.Errors; b != nil {
		f.ErrorsHigh = online.ErrorsAbove(t.errors, t.requests, float64(b.Above))
	}
	f.LatencyP99 = t.slow()
	f.Shift = online.SharesApart(t.more, t.less, t.decided)
	if t.judged && !t.task.LabelDependsOnDecision {
		v := t.compare()
		f.Online, f.OnlineText = v.Verdict, v.Text
	}
	t.split.into(f, t.costMargin)
}

// slow is the time that 99 % of the candidate's rows take at most, where that is above
// what the plan allows, beyond doubt at every look; 0 else.
func (t *tally) slow() float64 {
	limit, n := t.state.Plan.BackIf.LatencyP99, len(t.took)
	if limit == nil || n < 100 {
		return 0
	}
	slices.Sort(t.took)
	within, _ := slices.BinarySearch(t.took, math.Nextafter(float64(limit.Above), math.Inf(1)))
	if p99 := t.took[n*99/100]; p99 > float64(limit.Above) && online.ErrorsAbove(n-within, n, 0.01) {
		return p99
	}
	return 0
}

// compare judges the pairs by the gate's loss.
func (t *tally) compare() online.Verdict {
	margin := 0.0
	if t.rule.Margin != nil {
		margin = *t.rule.Margin
	}
	blocks := t.task.Block.Each > 0 || len(t.task.Block.Columns) > 0
	return online.Compare(t.pairs, online.Policy{Metric: t.rule.Name, Margin: margin, Blocks: blocks})
}
