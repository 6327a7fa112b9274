// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flyball/fault"
	"flyball/governance/audit"
	"flyball/store"
	"flyball/store/pgtest"
	"flyball/store/storetest"
)

var server pgtest.Server

func TestMain(m *testing.M) {
	code := m.Run()
	if err := server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		code = 1
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func open(t *testing.T, dsn string) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// raw is the database behind the store's back.
func raw(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestSQLite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) (*store.DB, *sql.DB) {
		path := filepath.Join(t.TempDir(), "flyball.db")
		db := open(t, path)
		return db, raw(t, "sqlite", path)
	})
}

func TestPostgreSQL(t *testing.T) {
	storetest.Run(t, func(t *testing.T) (*store.DB, *sql.DB) {
		dsn := server.DSN(t)
		db := open(t, dsn)
		return db, raw(t, "pgx", dsn)
	})
}

func TestADatabaseOfANewerFlyballIsLeftAsItIs(t *testing.T) {
	for _, engine := range []string{"sqlite", "pgx"} {
		t.Run(engine, func(t *testing.T) {
			dsn := filepath.Join(t.TempDir(), "flyball.db")
			if engine == "pgx" {
				dsn = server.DSN(t)
			}
			open(t, dsn)
			if _, err := raw(t, engine, dsn).Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)"); err != nil {
				t.Fatal(err)
			}
			_, err := store.Open(context.Background(), dsn)
			if !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), "the database has schema 9999") {
				t.Errorf("got %v, want that it is newer", err)
			}
		})
	}
}

func TestProgramsMayOpenANewDatabaseAtOnce(t *testing.T) {
	for _, engine := range []string{"sqlite", "pgx"} {
		t.Run(engine, func(t *testing.T) {
			dsn := filepath.Join(t.TempDir(), "flyball.db")
			if engine == "pgx" {
				dsn = server.DSN(t)
			}
			var programs sync.WaitGroup
			for range 3 {
				programs.Go(func() {
					db, err := store.Open(context.Background(), dsn)
					if err != nil {
						t.Error(err)
						return
					}
					if _, err := db.AddAudit(context.Background(), audit.Record{Actor: "ana", Action: "start"}); err != nil {
						t.Error(err)
					}
					if err := db.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			programs.Wait()
			if n, err := open(t, dsn).VerifyAudit(context.Background()); n != 3 || err != nil {
				t.Errorf("got %d records, %v; want 3", n, err)
			}
		})
	}
}

func TestWhatCannotBeOpenedSaysWhy(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("this is no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, dsn string
		kind      fault.Kind
		want      string
	}{
		{"a file of something else", garbage, fault.Unavailable, "the database file is damaged or no database"},
		{"a folder", dir, fault.Unavailable, "the database file cannot be opened for writing"},
		{"no name", "", fault.Invalid, "the database has no name"},
		{"a server that is not there", "host=" + dir + " user=nobody dbname=none", fault.Unavailable, "the database cannot be reached"},
		{"an address that is none", "postgres://[", fault.Invalid, "the address of the PostgreSQL database cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := store.Open(context.Background(), c.dsn)
			if !fault.Is(err, c.kind) || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %s: %s", err, c.kind, c.want)
			}
		})
	}
}

func TestADatabaseThatIsNotThereYetIsWaitedFor(t *testing.T) {
	if os.Getenv("FLYBALL_TEST_POSTGRES") != "" {
		t.Skip("another's server is not ended")
	}
	later := pgtest.Server{Safe: true}
	t.Cleanup(func() { _ = later.Stop() })
	dsn := later.DSN(t)
	later.Crash()
	var told []error
	db, err := store.Await(t.Context(), dsn, time.Minute, func(err error) {
		if told = append(told, err); later.Recover() != nil {
			t.Error("the server does not start again")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if len(told) != 1 || !fault.Is(told[0], fault.Unavailable) {
		t.Errorf("told of %v", told)
	}
}

func TestADatabaseThatTurnsFlyballAwayIsNotWaitedFor(t *testing.T) {
	dsn := strings.Replace(server.DSN(t), "user=flyball", "user=nobody-there", 1)
	_, err := store.Await(t.Context(), dsn, time.Hour, func(err error) { t.Errorf("it waits: %v", err) })
	if !fault.Is(err, fault.Unavailable) || !strings.HasPrefix(err.Error(), "the database does not let Flyball in") {
		t.Errorf("got %v", err)
	}
}

func TestASQLiteFileMayHaveAnyName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "100% käse?#&;mode=ro.db")
	if h, err := open(t, path).Check(context.Background()); err != nil || h.Engine != "sqlite" || h.Schema != h.Newest {
		t.Errorf("got %+v, %v", h, err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestADatabaseLockedByAnotherProgramSaysSo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "flyball.db")
	open(t, path)
	other, mine := raw(t, "sqlite", path), raw(t, "sqlite", path+"?_pragma=busy_timeout(1)")
	other.SetMaxOpenConns(1)
	if _, err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	_, err := mine.Exec("UPDATE heads SET seq = seq")
	if got := store.Problem(err); !fault.Is(got, fault.Unavailable) || !strings.HasPrefix(got.Error(), "the database is locked by another program") {
		t.Errorf("got %v, want that it is locked", got)
	}
}

func TestAServerThatGoesAwaySaysSo(t *testing.T) {
	dsn := server.DSN(t)
	db := open(t, dsn+" application_name=flyball_gone")
	if _, err := raw(t, "pgx", dsn).Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'flyball_gone'"); err != nil {
		t.Fatal(err)
	}
	for range 20 { // a pool notices one connection at a time
		if _, err := db.AddAudit(context.Background(), audit.Record{Actor: "ana", Action: "try"}); err != nil && !fault.Is(err, fault.Unavailable) {
			t.Errorf("got %v, want unavailable or an answer", err)
		}
		if _, err := db.Models(context.Background()); err != nil && !fault.Is(err, fault.Unavailable) {
			t.Errorf("got %v, want unavailable or an answer", err)
		}
	}
	if _, err := db.Models(context.Background()); err != nil {
		t.Errorf("the store did not come back: %v", err)
	}
}
