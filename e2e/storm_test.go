// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"flyball/client"
	"flyball/serving/prediction"
	"flyball/serving/release"
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

// draw is one fault: what happens, to whom, and for how long. One process that serves is
// never killed or stopped, so that somebody can answer.
func (s *storm) draw() func() {
	f := s.f
	for {
		nodes := f.all()
		n := nodes[s.r.IntN(len(nodes))]
		long := time.Duration(300+s.r.IntN(3000)) * time.Millisecond
		way := slices.Sorted(maps.Keys(ways))[s.r.IntN(len(ways))]
		kind := []string{"killed", "stopped", "cut from the database", "cut from the bucket", "cut from the others", "slow bucket"}[s.r.IntN(6)]
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
	db, err := pgx.Connect(t.Context(), f.dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	watchWriters(t, db)

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
	time.Sleep(sized2(3*time.Second, 20*time.Second))
	cancel()
	all.Wait()

	t.Logf("faults: %v; %d requests, %d labels", s.n, len(c.replies), len(c.labelled))
	for _, why := range c.failed[:min(len(c.failed), 5)] {
		t.Errorf("of %d requests that failed: %s", len(c.failed), why)
	}
	f.settle()
	routes := readRoutes(t, db)
	t.Logf("%d generations of routes", len(routes))
	c.allowed(t, routes)
	c.kept(t, db)
	oneLeader(t, db)
	if _, err := f.controls[0].As("ana", f.admin).VerifyAudit(t.Context()); err != nil {
		t.Errorf("the audit chain does not hold: %v", err)
	}
}

func sized2(short, full time.Duration) time.Duration {
	if long() {
		return full
	}
	return short
}

// settle waits until all that replicas answered is with whoever leads.
func (f *fleet) settle() {
	f.t.Helper()
	admin := f.controls[0]
	c := admin.Client
	if f.admin != "" {
		c = admin.As("ana", f.admin)
	}
	began := time.Now().Add(2 * time.Second)
	f.until("not all is handed on", 2*time.Minute, func(ctx context.Context) error {
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
		if leased != len(f.serves) || time.Now().Before(began) {
			return fmt.Errorf("%d of %d replicas have a lease", leased, len(f.serves))
		}
		return nil
	})
	time.Sleep(4 * time.Second)
}

// routeAt is a release's state and when it was committed.
type routeAt struct {
	release.State
	at time.Time
}

// readRoutes are all states of releases, by generation, and checks that they are a chain.
func readRoutes(t *testing.T, db *pgx.Conn) map[int64]routeAt {
	t.Helper()
	rows, err := db.Query(t.Context(), `SELECT generation, body, pg_xact_commit_timestamp(xmin) FROM release_history WHERE model = $1 ORDER BY generation`, bike)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[int64]routeAt{}
	for rows.Next() {
		var r routeAt
		var g int64
		var body string
		if err := rows.Scan(&g, &body, &r.at); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(body), &r.State); err != nil {
			t.Fatal(err)
		}
		if g != int64(len(out)+1) || r.Generation != g {
			t.Errorf("generation %d stands where %d should", g, len(out)+1)
		}
		out[g] = r
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// allowed checks that each answer is one that the route allows which it names, that this
// had been committed when the answer came, and that no version on trial answered what was
// sent after the end of its trial was committed. How old a route may be by which a live
// version answers has no bound: a process that nobody reaches goes on with the last.
func (c *callers) allowed(t *testing.T, routes map[int64]routeAt) {
	t.Helper()
	ends := map[string]time.Time{} // of releases that were taken back
	for _, s := range routes {
		if s.Phase == release.Aborted || s.Phase == release.RolledBack {
			ends[s.ID] = s.at
		}
	}
	wrong, trial := 0, 0
	say := func(a reply, format string, args ...any) {
		if wrong++; wrong <= 10 {
			t.Errorf("%s, sent %s, received %s, route %d: %s", a.by, a.sent.Format(time.StampMicro), a.received.Format(time.StampMicro), a.generation, fmt.Sprintf(format, args...))
		}
	}
	for _, a := range c.replies {
		s, ok := routes[a.generation]
		if !ok {
			say(a, "there is no such route")
			continue
		}
		if a.received.Before(s.at) {
			say(a, "the route was committed later, at %s", s.at.Format(time.StampMicro))
		}
		r := s.Route()
		for _, p := range a.rows {
			switch {
			case p.Arm == prediction.Live && p.Version == r.Live:
			case p.Arm == prediction.Candidate && p.Version == r.Candidate && r.Share > 0:
				if trial++; !ends[s.ID].IsZero() && a.sent.After(ends[s.ID]) {
					say(a, "version %d answers on trial, which ended at %s", p.Version, ends[s.ID].Format(time.StampMicro))
				}
			default:
				say(a, "version %d answers as %s; live is %d, on trial %d with a share of %v", p.Version, p.Arm, r.Live, r.Candidate, r.Share)
			}
		}
	}
	t.Logf("%d rows answered by versions on trial", trial)
	if wrong > 0 {
		t.Errorf("%d of %d answers are wrong", wrong, len(c.replies))
	}
}

// kept checks that every acknowledged answer and label is in the leader's log, once, and
// that what was counted is what is kept.
func (c *callers) kept(t *testing.T, db *pgx.Conn) {
	t.Helper()
	f := c.f
	admin := client.New("http://"+f.controls[0].at, "", &http.Client{}).As("ana", f.admin) // a long export takes its time
	seen, truths, by := map[string]int{}, map[string]string{}, map[int64]int64{}
	q := prediction.Query{Model: bike, From: c.hours[0].at.Add(-24 * time.Hour), To: c.hours[len(c.hours)-1].at.Add(24 * time.Hour)}
	if err := admin.ExportPredictions(t.Context(), q, func(j prediction.Joined) error {
		seen[string(j.ID)]++
		by[j.Generation]++
		if j.Label != nil {
			truths[j.Key] = j.Label.Value
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	asked, missing := 0, 0
	for _, a := range c.replies {
		for _, p := range a.rows {
			if asked++; seen[p.ID] != 1 {
				if missing++; missing <= 5 {
					t.Errorf("%s answered %s at %s, which is in the log %d times", a.by, p.ID, a.received.Format(time.StampMicro), seen[p.ID])
				}
			}
		}
	}
	if missing > 0 {
		t.Errorf("%d of %d acknowledged answers are not in the log once", missing, asked)
	}
	wrong := 0
	for key, value := range c.labelled {
		if got, ok := truths[key]; ok && got != value { // one without a prediction is told by none
			wrong++
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d acknowledged labels are not kept", wrong, len(c.labelled))
	}
	counted, lost := countedRows(t, db), int64(0)
	for g, n := range counted { // a process that is killed takes with it what it counted since it told of it last
		if lost += by[g] - n; n > by[g] {
			t.Errorf("under route %d %d rows were counted, and %d are in the log", g, n, by[g])
		}
	}
	t.Logf("%d rows in the log, %d acknowledged, %d not counted", len(seen), asked, lost)
}

// countedRows are how many rows all processes say that they logged, by route.
func countedRows(t *testing.T, db *pgx.Conn) map[int64]int64 {
	t.Helper()
	rows, err := db.Query(t.Context(), `SELECT generation, CAST(SUM(rows) AS BIGINT) FROM hours WHERE model = $1 GROUP BY generation`, bike)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[int64]int64{}
	for rows.Next() {
		var g, n int64
		if err := rows.Scan(&g, &n); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			out[g] = n
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// watched are tables that only whoever leads writes.
var watched = []string{"release_history", "events", "audit", "jobs", "replicas", "desired"}

// watchWriters has the database note which process writes, and under which fence.
func watchWriters(t *testing.T, db *pgx.Conn) {
	t.Helper()
	text := `CREATE TABLE writers (fence BIGINT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (fence, name));
		CREATE FUNCTION note_writer() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			INSERT INTO writers SELECT fence, current_setting('application_name') FROM fences ON CONFLICT DO NOTHING; RETURN NULL; END $$;`
	for _, name := range watched {
		text += "CREATE TRIGGER note AFTER INSERT OR UPDATE ON " + name + " FOR EACH STATEMENT EXECUTE FUNCTION note_writer();"
	}
	if _, err := db.Exec(t.Context(), text); err != nil {
		t.Fatal(err)
	}
}

// oneLeader checks that under each fence one process wrote.
func oneLeader(t *testing.T, db *pgx.Conn) {
	t.Helper()
	var fences, double int
	if err := db.QueryRow(t.Context(), `SELECT COUNT(*), COUNT(*) FILTER (WHERE n > 1) FROM (SELECT fence, COUNT(*) AS n FROM writers GROUP BY fence) x`).Scan(&fences, &double); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d leads", fences)
	if double > 0 {
		t.Errorf("under %d of %d fences more than one process wrote", double, fences)
	}
}
