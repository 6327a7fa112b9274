// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"flyball/client"
	"flyball/serving/prediction"
	"flyball/serving/release"
)

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
// sent after the end of its trial was committed. A process that nobody reaches goes on with
// the live version of the last route that it heard of; no fault lasts longer than half a
// minute, so no route answers later than a minute and a half after the next.
func (c *callers) allowed(t *testing.T, routes map[int64]routeAt) {
	t.Helper()
	ends := map[string]time.Time{} // of releases that were taken back
	for _, s := range routes {
		if s.Phase == release.Aborted || s.Phase == release.RolledBack {
			ends[s.ID] = s.at
		}
	}
	wrong, trial, oldest := 0, 0, time.Duration(0)
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
		if next, ok := routes[a.generation+1]; ok {
			old := a.sent.Sub(next.at)
			if oldest = max(oldest, old); old > 90*time.Second {
				say(a, "the next route was committed %v before", old)
			}
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
	t.Logf("%d rows answered by versions on trial; no route answered later than %v after the next", trial, oldest.Round(time.Millisecond))
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
	var seen map[string]int
	var truths map[string]string
	var by map[int64]int64
	q := prediction.Query{Model: bike, From: c.hours[0].at.Add(-24 * time.Hour), To: c.hours[len(c.hours)-1].at.Add(24 * time.Hour)}
	f.until("not all that was acknowledged is in the log", 5*time.Minute, func(ctx context.Context) error {
		seen, truths, by = map[string]int{}, map[string]string{}, map[int64]int64{}
		if err := admin.ExportPredictions(ctx, q, func(j prediction.Joined) error {
			seen[string(j.ID)]++
			by[j.Generation]++
			if j.Label != nil {
				truths[j.Key] = j.Label.Value
			}
			return nil
		}); err != nil {
			return err
		}
		return c.missing(seen, truths)
	})
	asked, twice := 0, 0
	for _, a := range c.replies {
		for _, p := range a.rows {
			if asked++; seen[p.ID] != 1 {
				if twice++; twice <= 5 {
					t.Errorf("%s answered %s at %s, which is in the log %d times", a.by, p.ID, a.received.Format(time.StampMicro), seen[p.ID])
				}
			}
		}
	}
	if twice > 0 {
		t.Errorf("%d of %d acknowledged answers are in the log more than once", twice, asked)
	}
	counted, lost := countedRows(t, db), int64(0)
	for g, n := range counted { // a process that is killed takes with it what it counted since it told of it last
		if lost += by[g] - n; n > by[g] {
			t.Errorf("under route %d %d rows were counted, and %d are in the log", g, n, by[g])
		}
	}
	t.Logf("%d rows in the log, %d acknowledged, %d not counted", len(seen), asked, lost)
}

// missing is an error that says how much of what was acknowledged is not kept; a label of a
// key that nobody asked for is told by none.
func (c *callers) missing(seen map[string]int, truths map[string]string) error {
	answers, labels := 0, 0
	for _, a := range c.replies {
		for _, p := range a.rows {
			if seen[p.ID] == 0 {
				answers++
			}
		}
	}
	for key, value := range c.labelled {
		if got, ok := truths[key]; ok && got != value {
			labels++
		}
	}
	if answers+labels > 0 {
		return fmt.Errorf("%d answers and %d labels are not kept", answers, labels)
	}
	return nil
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

// watchWriters has the database note which process writes, and under which fence, and each
// end of a job.
func watchWriters(t *testing.T, db *pgx.Conn) {
	t.Helper()
	text := `CREATE TABLE writers (fence BIGINT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (fence, name));
		CREATE FUNCTION note_writer() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			INSERT INTO writers SELECT fence, current_setting('application_name') FROM fences ON CONFLICT DO NOTHING; RETURN NULL; END $$;`
	for _, name := range watched {
		text += "CREATE TRIGGER note AFTER INSERT OR UPDATE ON " + name + " FOR EACH STATEMENT EXECUTE FUNCTION note_writer();"
	}
	text += `CREATE TABLE endings (id TEXT NOT NULL, state TEXT NOT NULL);
		CREATE FUNCTION note_end() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO endings VALUES (NEW.id, NEW.state); RETURN NULL; END $$;
		CREATE TRIGGER ends AFTER UPDATE ON jobs FOR EACH ROW
			WHEN (NEW.state IN ('done', 'failed', 'canceled')) EXECUTE FUNCTION note_end();`
	if _, err := db.Exec(t.Context(), text); err != nil {
		t.Fatal(err)
	}
}

// onceEach checks that each job ended once and stayed so, and that each training that
// ended well left its version, and no other left any. That no training leaves two is an
// index of the table.
func onceEach(t *testing.T, db *pgx.Conn) {
	t.Helper()
	for what, query := range map[string]string{
		"jobs that ended, more than once":             `SELECT COUNT(*) FROM (SELECT id FROM endings GROUP BY id HAVING COUNT(*) > 1) x`,
		"jobs that ended and go on":                   `SELECT COUNT(*) FROM jobs JOIN endings USING (id) WHERE jobs.state <> endings.state`,
		"trainings that are done and left no version": `SELECT COUNT(*) FROM jobs WHERE kind = 'train' AND state = 'done' AND NOT EXISTS (SELECT FROM versions WHERE versions.job_key = jobs.job_key)`,
		"versions of trainings that did not end well": `SELECT COUNT(*) FROM versions JOIN jobs USING (job_key) WHERE jobs.state IN ('failed', 'canceled')`,
	} {
		if n := scalar(t, db, query); n != 0 {
			t.Errorf("%d %s", n, what)
		}
	}
	ended := scalar(t, db, `SELECT COUNT(*) FROM endings`)
	t.Logf("%d jobs ended, %d versions", ended, scalar(t, db, `SELECT COUNT(*) FROM versions`))
	if ended == 0 && long() {
		t.Error("no job ended")
	}
}

func scalar(t *testing.T, db *pgx.Conn, query string) (n int) {
	t.Helper()
	if err := db.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// oneLeader checks that under each fence one process wrote.
func oneLeader(t *testing.T, db *pgx.Conn) {
	t.Helper()
	double := scalar(t, db, `SELECT COUNT(*) FROM (SELECT fence FROM writers GROUP BY fence HAVING COUNT(*) > 1) x`)
	fences := scalar(t, db, `SELECT COUNT(DISTINCT fence) FROM writers`)
	t.Logf("%d leads", fences)
	if double > 0 {
		t.Errorf("under %d of %d fences more than one process wrote", double, fences)
	}
}
