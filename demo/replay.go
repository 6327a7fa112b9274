// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"flyball/api/wire"
	"flyball/event"
	"flyball/fault"
	"flyball/serving/prediction"
	"flyball/serving/release"
)

// brokenVersion is the one thing that is planted.
type brokenVersion struct {
	begun    bool
	over     bool
	version  int
	passed   bool // the gate let it through
	stopped  bool
	rows     int // that it scored in the shadow
	answered int // that it answered
	reason   string
}

// turnEvery is how many hours of the replay go by between two turns of the loop.
const turnEvery = 4

// replay sends the year, an hour at a time: the row of the hour when it begins, its
// truth when it is over.
func (r *run) replay(ctx context.Context) error {
	plant := r.hours[len(r.hours)-1].moment().Add(-15 * 24 * time.Hour)
	quietFrom := plant.Add(-14 * 24 * time.Hour) // a release takes 13 days: the loop is free then
	for i, h := range r.hours {
		if err := ctx.Err(); err != nil {
			return err
		}
		if r.Progress && i%24 == 0 {
			fmt.Fprintf(r.Out, "\r\x1b[K%s\r", h.local.Format("02 Jan 2006"))
		}
		if i > 0 {
			if err := r.truth(ctx, r.hours[i-1]); err != nil {
				return err
			}
		}
		move := r.client.SetClock
		if i%turnEvery == 0 {
			move = r.client.Advance
		}
		if err := move(ctx, h.moment()); err != nil {
			return err
		}
		if i%turnEvery == 0 {
			if err := r.events(ctx); err != nil {
				return err
			}
			if err := r.hold(ctx, !h.moment().Before(quietFrom)); err != nil {
				return err
			}
			if err := r.plant(ctx, h, i, !h.moment().Before(plant)); err != nil {
				return err
			}
		}
		if err := r.ask(ctx, h); err != nil {
			return err
		}
	}
	last := r.hours[len(r.hours)-1]
	if err := r.truth(ctx, last); err != nil {
		return err
	}
	if err := r.client.Advance(ctx, last.moment().Add(2*time.Hour)); err != nil {
		return err
	}
	return r.events(ctx)
}

func (r *run) ask(ctx context.Context, h hour) error {
	row, err := h.row()
	if err != nil {
		return err
	}
	r.sent++
	got, err := r.client.Predict(ctx, name, []json.RawMessage{row})
	if err != nil {
		r.say("a request failed: %v", err)
		return nil
	}
	if len(got.Predictions) == 1 && got.Predictions[0].Value != nil {
		r.answered++
	}
	return nil
}

func (r *run) truth(ctx context.Context, h hour) error {
	_, err := r.client.Label(ctx, name, []wire.Label{{
		Key: h.key(), Value: json.RawMessage(strconv.FormatFloat(h.count, 'g', -1, 64)), At: h.moment().Add(time.Hour).Format(time.RFC3339),
	}})
	return err
}

// quiet are the kinds of event that the transcript leaves to the commands.
var quiet = map[string]bool{"apply": true, "training": true, "trained": true, "retrain": true}

// events tells what happened since the last time.
func (r *run) events(ctx context.Context) error {
	for {
		evs, err := r.client.Events(ctx, r.last, name)
		if err != nil || len(evs) == 0 {
			return err
		}
		for _, e := range evs {
			r.last = e.Seq
			if quiet[e.Kind] && e.Mark != event.Stop || minor(e) {
				continue
			}
			r.tell(e.At, marks[e.Mark], e.Text, e.Command)
		}
	}
}

// minor reports whether an event says little by itself: a step of a release between
// two others, or what monitoring cannot judge yet, which it says of every version.
func minor(e event.Event) bool {
	if e.Kind == "note" && (strings.HasPrefix(e.Text, "cannot judge") || strings.Contains(e.Text, "cannot be seen")) {
		return true
	}
	return e.Kind == "release" && (strings.HasSuffix(e.Text, "is loaded beside") || strings.Contains(e.Text, "bakes"))
}

// brokenFile is the model file of a colleague who takes the hour from the timestamp
// and trains on an export of the history.
func (r *run) brokenFile(upTo int) (string, []byte, error) {
	f := r.original.file
	for _, change := range [][2]string{
		{"source: bikes_2011.csv.gz", "source: bikes_export.csv.gz"},
		{"also: predictions", "also: none       "},
		{"test: {window: 14d, at_least: 200}", "test: {window: 60d, at_least: 200}"}, // all that the live version has not seen
		{"    hr: number\n", "    ts: time\n"},
		{"steps: []", "steps: [{op: datetime, in: ts, parts: [hour]}]"},
	} {
		if !strings.Contains(f, change[0]) {
			return "", nil, fault.New(fault.Internal, "the model file has no %q to change", change[0])
		}
		f = strings.Replace(f, change[0], change[1], 1)
	}
	raw, err := file(append(append([]hour(nil), r.past...), r.hours[:upTo]...))
	return f, raw, err
}

// hold stops the loop from training by itself while a colleague prepares a change.
func (r *run) hold(ctx context.Context, due bool) error {
	if !due || r.held {
		return nil
	}
	r.held = true
	_, err := r.client.Change(ctx, name, "hold", "a colleague prepares a change")
	return err
}

// plant applies the broken version when its time has come and the loop is free,
// follows it, and puts the original file back when it is over.
func (r *run) plant(ctx context.Context, h hour, i int, due bool) error {
	b := &r.broken
	if !due || b.over {
		return nil
	}
	st, err := r.client.Status(ctx, name)
	if err != nil {
		return err
	}
	if !b.begun {
		if st.Phase != "steady" {
			return nil
		}
		return r.beginBroken(ctx, h, i)
	}
	if st.Phase != "steady" {
		return nil
	}
	b.over = true
	if err := r.endBroken(ctx); err != nil {
		return err
	}
	if _, err := r.client.Change(ctx, name, "resume", "the change is off"); err != nil {
		return err
	}
	return r.apply(ctx, r.original)
}

func (r *run) beginBroken(ctx context.Context, h hour, i int) error {
	f, raw, err := r.brokenFile(i - 1)
	if err != nil {
		return err
	}
	r.tell(h.moment(), "⚡", "a colleague takes the hour from ts: an export in local time, requests in −05:00", "flyball diff model.yaml")
	data, err := r.upload(ctx, "bikes_export.csv.gz", raw)
	if err != nil {
		return err
	}
	if err := r.apply(ctx, application{f, data}); err != nil {
		return err
	}
	r.broken.begun = true
	if _, err := r.client.Change(ctx, name, "retrain", "the hour from the timestamp"); err != nil {
		return err
	}
	if err := r.client.Advance(ctx, h.moment()); err != nil {
		return err
	}
	vs, err := r.client.Versions(ctx, name)
	if err != nil || len(vs) == 0 {
		return err
	}
	r.broken.version, r.broken.passed = vs[0].Version, vs[0].Verdict == "pass"
	return nil
}

// endBroken finds what became of it.
func (r *run) endBroken(ctx context.Context) error {
	rs, err := r.client.Releases(ctx, name)
	if err != nil {
		return err
	}
	b := &r.broken
	for _, rel := range rs {
		if rel.Candidate == b.version {
			b.stopped = rel.Phase == release.Aborted
			b.reason = rel.Reason
		}
	}
	ps, err := r.client.Predictions(ctx, prediction.Query{Model: name, Last: 1000})
	if err != nil {
		return err
	}
	for _, p := range ps {
		if p.ScoresOf(b.version) != nil {
			b.rows++
		}
		if p.Version == b.version && p.Arm != "baseline" && p.Arm != "fallback" {
			b.answered++
		}
	}
	return nil
}
