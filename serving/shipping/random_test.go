// SPDX-License-Identifier: Apache-2.0

package shipping

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"flyball/serving/predictionlog"
)

// errKilled ends a process in the middle of what it does with the bucket.
var errKilled = errors.New("killed")

// line is the way from one machine to the bucket.
type line struct {
	mu    sync.Mutex // held by fails: several objects are removed at once
	cut   bool       // nothing goes through
	after int        // so many operations go through, then the process is killed; below 0: never
	r     *rand.Rand
}

func (l *line) fails(string, string) (before, after error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.cut:
		return errors.New("no way to the bucket"), nil
	case l.after > 0:
		l.after--
		return nil, nil
	case l.after < 0:
		return nil, nil
	}
	l.cut = true // a dead process does no more
	if l.r.IntN(2) == 0 {
		return errKilled, nil
	}
	return nil, errKilled
}

// site is a machine with its folder and its way to the bucket.
type site struct {
	*machine
	dir  string
	line *line
	b    Bucket
	p    Pointer // nil: it only answers
}

// world is some machines that answer, and two of which one leads.
type world struct {
	t       *testing.T
	r       *rand.Rand
	bucket  *blob.Bucket
	pointer *pointer
	answer  []*site
	control []*site
	n       int
	said    []string          // what was done, for who has to find a fault
	rows    map[string]int    // ids that were acknowledged
	labels  map[string]string // of keys
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, r: rand.New(rand.NewPCG(seed, 1)), bucket: memblob.OpenBucket(nil), pointer: &pointer{},
		rows: map[string]int{}, labels: map[string]string{},
	}
	for range 2 {
		w.answer = append(w.answer, w.site(nil))
	}
	for i := range 2 {
		w.control = append(w.control, w.site(by{w.pointer, i}))
	}
	for _, s := range w.answer {
		s.open(t)
	}
	w.leader().open(t)
	return w
}

func (w *world) site(p Pointer) *site {
	l := &line{after: -1, r: w.r}
	return &site{dir: filepath.Join(w.t.TempDir(), "predictions"), line: l, b: faulty{w.bucket, l.fails}, p: p}
}

func (w *world) leader() *site { return w.control[w.pointer.leader] }

// open starts the process of a machine, over its whole way to the bucket.
func (s *site) open(t *testing.T) {
	t.Helper()
	s.line.cut, s.line.after = false, -1
	if s.p == nil {
		s.machine = start(t, s.dir, s.b, nil)
		return
	}
	for i := range 3 { // killed twice while it restores
		if s.line.cut, s.line.after = false, -1; i < 2 {
			s.line.after = s.line.r.IntN(12)
		}
		if _, err := Restore(context.Background(), RestoreOptions{Dir: s.dir, Bucket: s.b, Pointer: s.p}); err == nil {
			break
		} else if i == 2 {
			t.Fatal(err)
		}
	}
	s.line.cut, s.line.after = false, -1
	s.machine = start(t, s.dir, s.b, s.p)
}

// do does something that talks to the bucket, and may be killed in the middle of it.
func (w *world) do(s *site, name string, what func() error) {
	w.t.Helper()
	if w.r.IntN(2) == 0 && !s.line.cut {
		s.line.after = w.r.IntN(8)
	}
	err := what()
	w.said = append(w.said, fmt.Sprint(name, " ", filepath.Base(filepath.Dir(s.dir)), ": ", err))
	if s.line.after == 0 && s.line.cut { // it was killed
		s.stop()
		s.open(w.t)
	}
	s.line.after = -1
}

func (w *world) step() {
	ctx := context.Background()
	all := append([]*site{w.leader()}, w.answer...)
	s := all[w.r.IntN(len(all))]
	switch k := w.r.IntN(16); k {
	case 0, 1, 2, 3:
		r := record(w.n, w.r.Float64()*30)
		w.n++
		s.append(r)
		w.rows[string(r.ID)]++
	case 4, 5:
		if w.n > 0 {
			n, value := w.r.IntN(w.n+2), fmt.Sprint(len(w.said))
			x := labelOf(n, value)
			x.Received = noon.Add(time.Duration(len(w.said)) * time.Second)
			s.label(x)
			w.labels[x.Key] = value
		}
	case 6, 7, 8:
		w.do(s, "ship", func() error { return s.shipper.Drain(ctx) })
	case 9, 10:
		s = w.leader()
		w.do(s, "take", func() error { _, err := s.taker.Turn(ctx); return err })
	case 11, 12:
		s = w.leader()
		s.keeper.opts.Now = func() time.Time { return noon.Add(time.Duration(w.r.IntN(40)) * time.Hour) }
		w.do(s, "checkpoint", func() error { _, err := s.keeper.Checkpoint(ctx); return err })
	case 13:
		s.line.cut = !s.line.cut
	case 14:
		w.handOver()
	case 15:
		w.lose(s)
	}
	w.said = append(w.said, "")
}

// handOver has the other control lead. The one that led does something more before it
// knows.
func (w *world) handOver() {
	old := w.leader()
	w.pointer.leader = 1 - w.pointer.leader
	w.leader().open(w.t)
	ctx := context.Background()
	for range w.r.IntN(3) {
		switch w.r.IntN(3) {
		case 0:
			_, _ = old.keeper.Checkpoint(ctx)
		case 1:
			_, _ = old.taker.Turn(ctx)
		case 2:
			_ = old.shipper.Drain(ctx)
		}
	}
	old.stop()
	w.said = append(w.said, "hand over")
}

// lose takes a machine away when all it has acknowledged was shipped.
func (w *world) lose(s *site) {
	if s.line.cut || s.shipper.Drain(context.Background()) != nil {
		return
	}
	s.stop()
	if err := os.RemoveAll(s.dir); err != nil {
		w.t.Fatal(err)
	}
	s.open(w.t)
	w.said = append(w.said, "lost")
}

// settle brings all to the leader and holds it against what was acknowledged.
func (w *world) settle() {
	for _, s := range w.answer {
		s.line.cut = false
		s.ship()
	}
	led := w.leader()
	led.line.cut = false
	led.ship()
	if err := ShipRest(context.Background(), w.control[1-w.pointer.leader].dir, w.bucket, nil); err != nil {
		w.t.Fatal(err)
	}
	led.take()
	w.compare(led.Log)
	led.keeper.opts.Now = func() time.Time { return noon.AddDate(1, 0, 0) }
	led.checkpoint()
	want := slices.Sorted(maps.Keys(w.rows))
	if got := idsSealed(w.t, led.dir); !slices.Equal(got, want) {
		w.t.Errorf("%d rows are sealed, %d were acknowledged", len(got), len(want))
	}
	fresh, _ := restore(w.t, w.t.TempDir(), w.bucket, led.p)
	w.compare(fresh.Log)
	if got := idsSealed(w.t, fresh.dir); !slices.Equal(got, want) {
		w.t.Errorf("%d rows are restored, %d were acknowledged", len(got), len(want))
	}
	if w.t.Failed() {
		w.t.Logf("%q", w.said)
	}
}

func (w *world) compare(l *predictionlog.Log) {
	w.t.Helper()
	got := map[string]int{}
	for _, j := range scan(w.t, l) {
		got[string(j.ID)]++
		value := ""
		if j.Label != nil {
			value = j.Label.Value
		}
		if value != w.labels[j.Key] || j.Audit["gender"] != "f" {
			w.t.Errorf("%s has the label %q, want %q, and the groups %v", j.Key, value, w.labels[j.Key], j.Audit)
		}
	}
	if !maps.Equal(got, w.rows) {
		w.t.Errorf("%d rows, %d were acknowledged", len(got), len(w.rows))
	}
}

// TestWhatWasAcknowledgedIsInTheLogExactlyOnce has machines killed between any two steps,
// cut off, paused and lost.
func TestWhatWasAcknowledgedIsInTheLogExactlyOnce(t *testing.T) {
	worlds := 20
	if os.Getenv("FLYBALL_LONG") == "1" {
		worlds = 400
	}
	for seed := range uint64(worlds) {
		t.Run(fmt.Sprint("world ", seed), func(t *testing.T) {
			t.Parallel() // they wait for the disk
			w := newWorld(t, seed)
			for range 60 {
				w.step()
			}
			w.settle()
		})
	}
}
