// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// storm brings random faults over a fleet.
type storm struct {
	f *fleet
	r *rand.Rand

	mu   sync.Mutex
	busy map[string]bool // what a fault is at: a process, the bucket
	n    map[string]int  // faults by kind
}

// blow brings n faults, two at a time, and returns when all are over.
func (s *storm) blow(n int) {
	var all sync.WaitGroup
	room := make(chan struct{}, 2)
	for range n {
		room <- struct{}{}
		do := s.draw()
		all.Go(func() {
			defer func() { <-room }()
			do()
		})
		time.Sleep(time.Duration(s.r.IntN(500)) * time.Millisecond)
	}
	all.Wait()
}

// kinds are the faults there are.
var kinds = []string{
	"killed", "stopped", "cut from the database", "cut from the bucket", "cut from the others",
	"slow bucket", "slow disk", "slow disk of the database", "database killed",
}

// draw is one fault: what happens, to whom, and for how long. One process that serves is
// never killed or stopped, so that somebody can answer.
func (s *storm) draw() func() {
	f := s.f
	for {
		nodes := f.all()
		n := nodes[s.r.IntN(len(nodes))]
		long := time.Duration(300+s.r.IntN(3000)) * time.Millisecond
		way := slices.Sorted(maps.Keys(ways))[s.r.IntN(len(ways))]
		kind := kinds[s.r.IntN(len(kinds))]
		name := n.name
		var do func()
		switch kind {
		case "killed", "stopped":
			if n == f.serves[0] {
				continue
			}
			if kind == "killed" {
				do = func() { n.kill(); time.Sleep(long / 2); f.start(n) }
				break
			}
			long = time.Duration(1000+s.r.IntN(sized(9_000, 24_000))) * time.Millisecond
			do = func() { n.pause(); time.Sleep(long); n.resume() }
		case "cut from the database":
			if n.role != "control" {
				continue
			}
			do = s.cutting(n, way, 3*long, 5432, f.net.host)
		case "cut from the bucket":
			do = s.cutting(n, way, long, bucketPort, f.net.host)
		case "cut from the others":
			var others []string
			for _, o := range nodes {
				if o != n {
					others = append(others, o.at[:len(o.at)-len(":"+nodePort)])
				}
			}
			do = s.cutting(n, way, 4*long, 0, others...)
		case "slow bucket":
			name = "bucket"
			do = func() { f.bucket.delay.Store(int64(long / 4)); time.Sleep(2 * long); f.bucket.delay.Store(0) }
		case "slow disk":
			do = s.slowing(name, long)
		case "slow disk of the database":
			name = "database"
			do = s.slowing(name, long)
		case "database killed":
			name = "database"
			do = s.crash
		}
		if do == nil { // no disk can be made slow here
			continue
		}
		s.mu.Lock()
		free := !s.busy[name]
		if free {
			s.busy[name] = true
			s.n[kind]++
		}
		s.mu.Unlock()
		if free {
			return func() {
				do()
				s.mu.Lock()
				defer s.mu.Unlock()
				s.busy[name] = false
			}
		}
	}
}

func (s *storm) cutting(n *node, way string, long time.Duration, port int, from ...string) func() {
	return func() {
		s.f.net.cut(n.name, "cut", way, port, from...)
		time.Sleep(long)
		s.f.net.heal(n.name, "cut")
	}
}

// slowing has a process write five times a second.
func (s *storm) slowing(name string, long time.Duration) func() {
	d := s.f.disks
	if d == nil {
		return nil
	}
	return func() {
		if name == "database" { // its sessions come and go
			d.join(name, s.f.pg.Process())
		}
		d.limit(name, 5)
		time.Sleep(2 * long)
		d.limit(name, 0)
	}
}

// crash kills the database, which comes back with all that it acknowledged.
func (s *storm) crash() {
	s.f.pg.Crash()
	if err := s.f.pg.Recover(); err != nil {
		s.f.t.Error(err)
	}
}

func TestReleasesGoOnAndNothingIsLostOrWrongWhilePartsOfAFleetFail(t *testing.T) {
	f := newFleet(t, newLAN(t))
	f.add("control", "c1", "--clock-skew", "5m")
	f.add("control", "c2")
	f.add("serve", "r1")
	f.add("serve", "r2", "--clock-skew", "5m")
	f.add("serve", "r3", "--clock-skew", "-5m")
	past, coming := history(t)
	past = past[len(past)-120*24:]
	f.open(past, modelFile(t, byItself...))
	watchWriters(t, f.database())

	seed := drawn(t)
	c := &callers{f: f, hours: coming[:2000], labelled: map[string]string{}}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { c.run(ctx, seed, 4, 20*time.Millisecond) })
	operating, stop := context.WithCancel(ctx)
	all.Go(func() { operate(operating, t, f, seed, past) })
	s := &storm{f: f, r: rand.New(rand.NewPCG(seed, 200)), busy: map[string]bool{}, n: map[string]int{}}
	s.blow(sized(10, 200))
	stop()
	time.Sleep(time.Duration(sized(3, 20)) * time.Second) // of asking with all faults over
	cancel()
	all.Wait()

	t.Logf("faults: %v; %d requests, %d labels", s.n, len(c.replies), len(c.labelled))
	for _, why := range c.failed[:min(len(c.failed), 5)] {
		t.Errorf("of %d requests that failed: %s", len(c.failed), why)
	}
	f.running()
	f.settle()
	db := f.database()
	routes := readRoutes(t, db)
	t.Logf("%d generations of routes", len(routes))
	c.allowed(t, routes)
	c.kept(t, db)
	oneLeader(t, db)
	onceEach(t, db)
	if _, err := f.controls[0].As("ana", f.admin).VerifyAudit(t.Context()); err != nil {
		t.Errorf("the audit chain does not hold: %v", err)
	}
}

// database is a connection of the test's own.
func (f *fleet) database() *pgx.Conn {
	f.t.Helper()
	db, err := pgx.Connect(f.t.Context(), f.dsn)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = db.Close(context.Background()) })
	return db
}

// settle waits until somebody leads and counts on all replicas.
func (f *fleet) settle() {
	f.t.Helper()
	admin := f.controls[0]
	c := admin.Client
	if f.admin != "" {
		c = admin.As("ana", f.admin)
	}
	f.until("not all replicas are back", 2*time.Minute, func(ctx context.Context) error {
		rs, err := c.Replicas(ctx)
		if err != nil {
			return err
		}
		leased := 0
		for _, r := range rs {
			if r.Leased {
				leased++
			}
		}
		if leased != len(f.serves) {
			return fmt.Errorf("%d of %d replicas have a lease", leased, len(f.serves))
		}
		return nil
	})
}
