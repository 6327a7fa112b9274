// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"flyball/api/wire"
	"flyball/governance/audit"
	"flyball/model/registry"
	"flyball/serving/prediction"
	"flyball/serving/release"
	"flyball/store"
)

// shortLoop makes the example's loop so quick that a month of history sees many
// trainings and releases. What depends on the machine's speed is taken out of the
// plan: two runs must tell the same story.
var shortLoop = [][2]string{
	{"trees: 200, depth: 6, learning_rate: 0.1", "trees: 30, depth: 4, learning_rate: 0.2"},
	{"shadow: {for: 5d, at_least: 100}", "shadow: {for: 12h, at_least: 5}"},
	{"canary: [{share: 25%, for: 1d}, {share: 100%}]", "canary: [{share: 25%, for: 6h}, {share: 100%}]"},
	{"bake: {for: 7d}", "bake: {for: 12h}"},
	{"back_if: {errors: {above: 1%}, latency_p99: {above: 50ms}, loss: worse}", "back_if: {errors: {above: 1%}, loss: worse}"},
	{"when: [schedule, score]", "when: [schedule]"},
	{"every: 28d", "every: 3d"},
	{"wait: 28d", "wait: 1d"},
	{"budget: 3 per month", "budget: 100 per month"},
	{"hold_after: rollback", "hold_after: never\n  release: passed"},
}

// moment is when the server is killed: so far into the hour's usual time.
type moment struct {
	hour int
	part float64
}

// replay drives one server through the hours, and sends everything again that a kill
// came between.
type replay struct {
	victim
	hours []hour

	now   time.Time       // where the clock was moved last
	usual []time.Duration // of each hour, in a replay without kills
	plan  []moment        // still to come, in order; armed is plan's first

	acked    map[string]wire.Prediction // by id
	labelled map[string]string          // by key
}

// victim is a server that is killed now and then, and started again in its place.
type victim struct {
	t  *testing.T
	at home

	server *server
	armed  *time.Timer // of the next kill; nil when none is to come
	struck atomic.Bool // the server was killed
	kills  int
}

func (v *victim) launch() {
	v.t.Helper()
	s, err := launch(v.at.dir)
	if err != nil {
		v.t.Fatalf("after %d kills: %v", v.kills, err)
	}
	v.server = s
}

// arm kills the server after a while, wherever it then is.
func (v *victim) arm(after time.Duration) {
	process := v.server.cmd.Process
	v.armed = time.AfterFunc(after, func() {
		v.struck.Store(true)
		_ = process.Kill()
	})
}

// rise starts the server again once the kill that is armed has come.
func (v *victim) rise() {
	v.t.Helper()
	<-v.server.ended
	v.launch()
	v.armed = nil
	v.struck.Store(false)
	v.kills++
}

// run is the whole replay in its place; it leaves no server.
func (r *replay) run(file string, data []byte) {
	r.t.Helper()
	r.acked, r.labelled = map[string]wire.Prediction{}, map[string]string{}
	r.launch()
	defer func() { r.server.stop() }()
	if err := apply(r.t.Context(), r.server.Client, file, data); err != nil {
		r.t.Fatal(err)
	}
	for i, h := range r.hours {
		began := time.Now()
		if len(r.plan) > 0 && r.armed == nil && i >= r.plan[0].hour {
			r.next(time.Duration(r.plan[0].part * float64(r.usual[i])))
		}
		r.hour(i, h)
		if r.plan == nil {
			r.usual = append(r.usual, time.Since(began))
		}
	}
	for len(r.plan) > 0 || r.armed != nil { // those that the end came before
		if r.armed == nil {
			r.next(0)
		}
		r.recover()
	}
	r.last()
}

func (r *replay) hour(i int, h hour) {
	if i > 0 {
		r.tell(r.hours[i-1])
	}
	r.move(h.at, i%4 == 0)
	r.send("predict", func(ctx context.Context) error {
		got, err := r.server.Predict(ctx, bike, []json.RawMessage{h.row(nil)})
		if err == nil {
			r.acked[got.Predictions[0].ID] = got.Predictions[0]
		}
		return err
	})
}

func (r *replay) tell(h hour) {
	r.send("label", func(ctx context.Context) error {
		_, err := r.server.Label(ctx, bike, []wire.Label{h.label()})
		if err == nil {
			r.labelled[h.key()] = strconv.FormatFloat(h.count, 'g', -1, 64)
		}
		return err
	})
}

func (r *replay) move(to time.Time, turn bool) {
	r.send("move the clock", func(ctx context.Context) error {
		if turn {
			return r.server.Advance(ctx, to)
		}
		return r.server.SetClock(ctx, to)
	})
	r.now = to
}

// last tells the last truth and lets the loop see it.
func (r *replay) last() {
	h := r.hours[len(r.hours)-1]
	r.tell(h)
	r.move(h.at.Add(2*time.Hour), true)
}

// next arms the plan's next kill.
func (r *replay) next(after time.Duration) {
	r.plan = r.plan[1:]
	r.arm(after)
}

// send sends until it is acknowledged. Only a kill may come between.
func (r *replay) send(what string, do func(context.Context) error) {
	r.t.Helper()
	for {
		err := do(r.t.Context())
		if err == nil {
			return
		}
		if !r.struck.Load() {
			r.t.Fatalf("%s at %s: %v\n%s", what, r.now, err, r.server.said())
		}
		r.recover()
	}
}

// recover starts the server again after a kill, with the clock where it was.
func (r *replay) recover() {
	r.t.Helper()
	r.rise()
	at, err := r.server.Clock(r.t.Context())
	if err == nil && at.Now.Before(r.now) {
		err = r.server.SetClock(r.t.Context(), r.now)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// kept is what a place holds at the end.
type kept struct {
	versions []registry.Version
	releases []release.State // all states
	audit    []audit.Record
	records  []prediction.Joined
	live     int
}

// read reads everything back, the predictions through a server.
func (r *replay) read() (k kept) {
	t := r.t
	t.Helper()
	ctx := t.Context()
	s := start(t, r.at.dir)
	for from := r.hours[0].at; !from.After(r.now); from = from.Add(30 * 24 * time.Hour) {
		rs, err := s.PredictionsBetween(ctx, bike, from, from.Add(30*24*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		k.records = append(k.records, rs...)
	}
	if _, err := s.VerifyAudit(ctx); err != nil {
		t.Errorf("the audit chain does not hold: %v", err)
	}
	st, err := s.Status(ctx, bike)
	if err != nil {
		t.Fatal(err)
	}
	k.live = st.Live
	if k.versions, err = s.Versions(ctx, bike); err != nil {
		t.Fatal(err)
	}
	for after := int64(0); ; after = k.audit[len(k.audit)-1].Seq {
		rs, err := s.Audit(ctx, after, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(rs) == 0 {
			break
		}
		k.audit = append(k.audit, rs...)
	}
	s.stop()
	db, err := store.Open(ctx, r.at.database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if k.releases, err = db.ReleaseHistory(ctx, bike); err != nil {
		t.Fatal(err)
	}
	return k
}

func TestNothingAcknowledgedIsLostAndNothingHappensTwiceWhenTheServerIsKilled(t *testing.T) {
	everywhere(t, stormy)
}

// stormy kills the servers of a replay, and asks that it ends as one without kills.
func stormy(t *testing.T, open func() home) {
	past, coming := history(t)
	past = past[len(past)-150*24:]
	hours := coming[:sized(24*24, 90*24)]
	file, data := modelFile(t, shortLoop...), csvFile(past)

	calm := &replay{victim: victim{t: t, at: open()}, hours: hours}
	calm.run(file, data)
	want := calm.read()
	if n := len(want.versions); n < 4 {
		t.Fatalf("%d versions without kills; the test asks for at least 4", n)
	}

	seed := drawn(t)
	kills := sized(10, 200)
	r := &replay{victim: victim{t: t, at: open()}, hours: hours, usual: calm.usual, plan: moments(seed, kills, calm.usual)}
	r.run(file, data)
	got := r.read()
	if r.kills != kills {
		t.Errorf("the server was killed %d times, want %d", r.kills, kills)
	}
	r.holds(got)
	compare(t, got, want)
}

// drawn is what a test draws from: FLYBALL_SEED, or the time.
func drawn(t *testing.T) uint64 {
	t.Helper()
	seed, err := strconv.ParseUint(os.Getenv("FLYBALL_SEED"), 10, 64)
	if err != nil {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("all is drawn from FLYBALL_SEED=%d", seed)
	return seed
}

// moments are n moments of a replay in their order: half of them any hour alike, half
// any time alike, which finds trainings. No hour has more than two, for a job that
// dies three times is not tried again.
func moments(seed uint64, n int, usual []time.Duration) []moment {
	r := rand.New(rand.NewPCG(seed, 1))
	var total time.Duration
	for _, d := range usual {
		total += d
	}
	in := map[int]int{}
	var out []moment
	for len(out) < n {
		at := r.IntN(len(usual))
		if len(out)%2 == 0 {
			left := time.Duration(r.Int64N(int64(total)))
			for at = 0; left >= usual[at]; at++ {
				left -= usual[at]
			}
		}
		if in[at]++; in[at] <= 2 {
			out = append(out, moment{at, r.Float64()})
		}
	}
	slices.SortFunc(out, func(a, b moment) int { return cmp.Compare(a.hour, b.hour) })
	return out
}

// holds checks that all that was acknowledged is kept, and nothing twice.
func (r *replay) holds(k kept) {
	t := r.t
	t.Helper()
	ids, keys, truths := map[string]prediction.Joined{}, map[string]int{}, map[string]string{}
	for _, j := range k.records {
		ids[string(j.ID)] = j
		keys[j.Key]++
		if j.Label != nil {
			truths[j.Key] = j.Label.Value
		}
	}
	for id, p := range r.acked {
		if j, ok := ids[id]; !ok || j.Key != p.Key || len(j.Scores) != 1 || p.Value == nil || j.Scores[0] != *p.Value {
			t.Errorf("prediction %s of %s was acknowledged and is not kept so", id, p.Key)
		}
	}
	for key, value := range r.labelled {
		if truths[key] != value {
			t.Errorf("the label %s of %s was acknowledged; kept is %q", value, key, truths[key])
		}
	}
	if len(keys) != len(r.hours) {
		t.Errorf("%d keys in the log, %d were asked for", len(keys), len(r.hours))
	}
	if extra := len(k.records) - len(r.acked); extra < 0 || extra > r.kills {
		t.Errorf("%d records that nobody got an answer for, after %d kills", extra, r.kills)
	}
	made := map[string]int{}
	for i, v := range k.versions {
		if before, twice := made[v.Key]; twice {
			t.Errorf("job %s made versions %d and %d", v.Key, before, v.Version)
		}
		made[v.Key] = v.Version
		if want := len(k.versions) - i; v.Version != want {
			t.Errorf("version %d stands where %d should", v.Version, want)
		}
	}
	for i, s := range k.releases {
		if s.Generation != int64(i+1) {
			t.Fatalf("generation %d stands where %d should", s.Generation, i+1)
		}
	}
}

// compare checks that two replays tell the same story.
func compare(t *testing.T, got, want kept) {
	t.Helper()
	if got.live != want.live {
		t.Errorf("version %d is live, want %d", got.live, want.live)
	}
	lines := func(k kept) (out []string) {
		for _, v := range k.versions {
			out = append(out, fmt.Sprintf("v%d %s %s bundle %s judged %s snapshot %s", v.Version, v.Cause, v.Verdict, v.Bundle, v.Judged, v.Snapshot))
		}
		for _, s := range k.releases {
			out = append(out, fmt.Sprintf("%d %s %s v%d over v%d: %s", s.Generation, s.EnteredAt.Format(time.RFC3339), s.Phase, s.Candidate, s.Live, s.Reason))
		}
		for _, r := range k.audit {
			if r.Action != "seal" { // with a bucket a server does so when it starts
				out = append(out, fmt.Sprintf("%s %s %s %s %s", r.At.Format(time.RFC3339), r.Actor, r.Action, r.Object, r.Why))
			}
		}
		return out
	}
	if d := gocmp.Diff(lines(want), lines(got)); d != "" {
		t.Errorf("with kills (+) it came otherwise than without (-):\n%s", d)
	}
}
