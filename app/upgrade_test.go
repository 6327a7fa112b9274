// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // to write past Flyball

	"flyball/backup"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/store"
)

// older is a place that a Flyball of before has left: a server's history in an earlier
// schema, made by the migrations of then.
func older(t *testing.T, database func() string) Place {
	t.Helper()
	cfg := config(t)
	a, err := New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	for i := range 5 {
		if _, err := a.store.AddAudit(ctx, audit.Record{Actor: "ana", Action: "try", Object: strings.Repeat("m", i+1)}); err != nil {
			t.Fatal(err)
		}
	}
	<-a.log.Ready()
	predict(t, a, 0, 100)
	stop()
	if err := errors.Join(<-done, a.Close()); err != nil {
		t.Fatal(err)
	}
	p := Place{Data: cfg.Data, Database: database()}
	was := filepath.Join(cfg.Data, "flyball.db")
	now, err := store.OpenAsIs(t.Context(), was)
	if err != nil {
		t.Fatal(err)
	}
	d, err := now.Dump(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	to := p.Database
	if to == "" {
		to = was + ".older"
	}
	l, err := store.Load(t.Context(), to, before)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range d.Tables() {
		if slices.Contains([]string{"heads", "audit", "events", "jobs", "keys", "experiments"}, table.Name) { // as they were then
			if err := d.Rows(t.Context(), &table, func(row []any) error { return l.Insert(t.Context(), &table, row) }); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(l.Finish(t.Context(), nil), d.Close(), now.Close(), os.Remove(was)); err != nil {
		t.Fatal(err)
	}
	if p.Database == "" {
		if err := os.Rename(to, was); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// before is the schema of the older Flyball of the tests.
const before = 15

func written(t *testing.T, p Place) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "b.tar")
	out, err := os.Create(file)
	if err == nil {
		_, err = BackupOf(t.Context(), p, "before", out, nil)
	}
	if err := errors.Join(err, out.Close()); err != nil {
		t.Fatal(err)
	}
	return file
}

// writePast writes to the database behind Flyball's back.
func writePast(t *testing.T, p Place, statement string) {
	t.Helper()
	driver, dsn := "sqlite", filepath.Join(p.Data, "flyball.db")
	if p.Database != "" {
		driver, dsn = "pgx", p.Database
	}
	db, err := sql.Open(driver, dsn)
	if err == nil {
		_, err = db.ExecContext(t.Context(), statement)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestAnUpgradeHasAWayBack(t *testing.T) {
	for _, engine := range []struct {
		name string
		dsn  func() string
	}{{"sqlite", func() string { return "" }}, {"postgres", func() string { return postgres.DSN(t) }}} {
		t.Run(engine.name, func(t *testing.T) {
			p := older(t, engine.dsn)
			file := written(t, p)
			want := parts(t, file)
			if r := good(t, file, ""); r.From != before || r.To <= before {
				t.Errorf("the rehearsal goes from %d to %d", r.From, r.To)
			}
			if got := parts(t, written(t, p)); !slices.Equal(got, want) {
				t.Errorf("the rehearsal has changed something")
			}
			r, err := Upgrade(t.Context(), p, file, nil)
			if err != nil || !r.Good() || r.From != before || r.To <= before {
				t.Fatalf("got %+v, %v", r, err)
			}
			db, err := store.Open(t.Context(), p.dsn())
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if _, err := db.AddAudit(t.Context(), audit.Record{Actor: "bo", Action: "go on"}); err != nil {
					t.Fatal(err)
				}
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			lost, err := Back(t.Context(), p, file, nil)
			if err != nil || lost.Audit != 3 {
				t.Fatalf("got %+v, %v; want that 3 audit records are lost", lost, err)
			}
			if got := parts(t, written(t, p)); !slices.Equal(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
			if _, err := os.Stat(filepath.Join(lost.Aside, "predictions", "staged.db")); err != nil {
				t.Errorf("what was there is not set aside: %v", err)
			}
		})
	}
}

func TestAnUpgradeThatFailsPutsBackWhatWasThere(t *testing.T) {
	for _, engine := range []struct {
		name string
		dsn  func() string
	}{{"sqlite", func() string { return "" }}, {"postgres", func() string { return postgres.DSN(t) }}} {
		t.Run(engine.name, func(t *testing.T) {
			p := older(t, engine.dsn)
			file := written(t, p)
			want := parts(t, file)
			writePast(t, p, `CREATE TABLE replicas (name TEXT)`) // in the way of a migration
			_, err := Upgrade(t.Context(), p, file, nil)
			if !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), "all is as it was before") {
				t.Errorf("got %v", err)
			}
			if got := parts(t, written(t, p)); !slices.Equal(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
		})
	}
}

func TestAWayBackThatFailsChangesNothing(t *testing.T) {
	for _, engine := range []struct {
		name string
		dsn  func() string
	}{{"sqlite", func() string { return "" }}, {"postgres", func() string { return postgres.DSN(t) }}} {
		t.Run(engine.name, func(t *testing.T) {
			p := older(t, engine.dsn)
			file := written(t, p)
			want := parts(t, file)
			ctx, stop := context.WithCancel(t.Context())
			_, err := Back(ctx, p, file, func(s backup.Step) {
				if s.What == "parts" && s.Done == 4 {
					stop()
				}
			})
			if stop(); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			if got := parts(t, written(t, p)); !slices.Equal(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
			if entries, err := os.ReadDir(p.Data); err != nil || slices.ContainsFunc(entries, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), "before_") }) {
				t.Errorf("it left %v, %v", entries, err)
			}
		})
	}
}
