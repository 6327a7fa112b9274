// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/backup"
	"flyball/blob"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/serving/replica"
	"flyball/store"
)

// odd puts rows of odd values into every table of a database, and breaks no rule of it.
func odd(t *testing.T, db *store.DB, engine string, raw *sql.DB) {
	t.Helper()
	d, err := db.Dump(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tables := d.Tables()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	texts := []string{"", "plain", `"quoted" \ and 'single'`, "line\nend\ttab", "käse 中文 \U0001F600", "<b>&\u2028\u2029", "{\"a\":[1,null]}", strings.Repeat("long ", 5000)}
	reals := []float64{0, 1.5, -1e300, math.Inf(1), math.Inf(-1), math.SmallestNonzeroFloat64, math.MaxFloat64, 0.1, 1.0 / 3, 3}
	ints := []int64{0, -1, math.MaxInt64, math.MinInt64, 1 << 53}
	for _, table := range tables {
		var names, marks []string
		for i, c := range table.Columns {
			names, marks = append(names, `"`+c.Name+`"`), append(marks, fmt.Sprint("$", i+1))
		}
		statement := fmt.Sprintf(`INSERT INTO "%s" (%s) VALUES (%s)`, table.Name, strings.Join(names, ", "), strings.Join(marks, ", "))
		if engine == "pgx" {
			statement = strings.Replace(statement, "VALUES", "OVERRIDING SYSTEM VALUE VALUES", 1)
		}
		for n := range 12 {
			var row []any
			for _, c := range table.Columns {
				switch c.Kind {
				case backup.Int:
					v := ints[rng.IntN(len(ints))]
					if slices.Contains(table.Key, c.Name) {
						v = int64(n + 10)
					}
					row = append(row, v)
				case backup.Real:
					row = append(row, reals[rng.IntN(len(reals))])
				default:
					text := texts[rng.IntN(len(texts))]
					if len(text) < 1000 || slices.Contains(table.Key, c.Name) || table.Name == "artifacts" {
						text = text[:min(len(text), 6)] // what an index can hold
						row = append(row, strings.ToValidUTF8(text, "")+fmt.Sprint(n))
						continue
					}
					row = append(row, text)
				}
			}
			for i := range row { // NULL where there may be one
				if n == 7 && !slices.Contains(table.Key, table.Columns[i].Name) {
					was := row[i]
					row[i] = nil
					if _, err := raw.Exec(statement, row...); err == nil {
						break
					}
					row[i] = was
				}
			}
			if n != 7 {
				_, _ = raw.Exec(statement, row...) // some break a rule, such as one name once
			}
		}
	}
}

// written is a backup of the records alone.
func written(t *testing.T, db *store.DB) ([]byte, backup.Manifest) {
	t.Helper()
	d, err := db.Dump(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	var out bytes.Buffer
	origin := d.Origin()
	origin.Engine, origin.MadeAt = "", time.Unix(1e9, 0).UTC() // that two are equal
	m, err := backup.Write(t.Context(), &out, &backup.Source{
		Origin: origin, Tables: d.Tables(), Rows: d.Rows, Digests: func(func(blob.Digest, bool) bool) {},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), m
}

// loaded is a new database with the records of a backup.
func loaded(t *testing.T, raw []byte, m backup.Manifest, dsn string) {
	t.Helper()
	l, err := store.Load(t.Context(), dsn, m.Schema)
	if err != nil {
		t.Fatal(err)
	}
	err = backup.EachOf(t.Context(), bytes.NewReader(raw), func(name string, _ int64, r io.Reader) error {
		table := m.Table(name)
		if !strings.HasPrefix(name, backup.Records) {
			return nil
		}
		return backup.Rows(r, table, func(row []any) error { return l.Insert(t.Context(), table, row) })
	})
	if err == nil {
		err = l.Finish(t.Context(), m.Tables)
	}
	if err != nil {
		t.Fatal(err, l.Abort())
	}
}

func TestWhatOneEngineWroteTheOtherReadsRowByRow(t *testing.T) {
	file := func() string { return filepath.Join(t.TempDir(), "flyball.db") }
	for _, engine := range []string{"sqlite", "pgx"} {
		t.Run(engine, func(t *testing.T) {
			dsn := file()
			if engine == "pgx" {
				dsn = server.DSN(t)
			}
			db := open(t, dsn)
			behind := raw(t, engine, dsn)
			behind.SetMaxOpenConns(1)
			if engine == "sqlite" {
				if _, err := behind.Exec("PRAGMA synchronous = OFF"); err != nil {
					t.Fatal(err)
				}
			}
			odd(t, db, engine, behind)
			first, m := written(t, db)
			for _, table := range m.Tables {
				if table.Rows < 3 {
					t.Errorf("%s has %d rows: nothing is tried", table.Name, table.Rows)
				}
			}
			for _, next := range []string{file(), server.DSN(t), file()} {
				loaded(t, first, m, next)
				again, n := written(t, open(t, next))
				if !bytes.Equal(first, again) {
					for i := range m.Parts {
						if i < len(n.Parts) && m.Parts[i] != n.Parts[i] {
							t.Errorf("%s is another in %s", m.Parts[i].Name, next)
						}
					}
					for i, table := range m.Tables {
						if fmt.Sprint(table) != fmt.Sprint(n.Tables[i]) {
							t.Errorf("got %+v, want %+v", n.Tables[i], table)
						}
					}
				}
				first, m = again, n
			}
		})
	}
}

func TestADumpIsOfOneMomentWhateverIsWrittenMeanwhile(t *testing.T) {
	for _, engine := range []string{"sqlite", "pgx"} {
		t.Run(engine, func(t *testing.T) {
			dsn := filepath.Join(t.TempDir(), "flyball.db")
			if engine == "pgx" {
				dsn = server.DSN(t)
			}
			db := open(t, dsn)
			add := func(n int) {
				for range n {
					if _, err := db.AddAudit(context.Background(), audit.Record{Actor: "ana", Action: "try"}); err != nil {
						t.Fatal(err)
					}
				}
			}
			add(3)
			d, err := db.Dump(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			add(4)
			rows := 0
			table := d.Tables()[slices.IndexFunc(d.Tables(), func(x backup.Table) bool { return x.Name == "audit" })]
			if err := d.Rows(t.Context(), &table, func([]any) error { rows++; add(1); return nil }); err != nil {
				t.Fatal(err)
			}
			if end := d.Origin().Audit; rows != 3 || end.Seq != 3 {
				t.Errorf("got %d rows, and the chain ends at %d; want 3", rows, end.Seq)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestALoadedDatabaseNumbersOnFromWhereItWas(t *testing.T) {
	for _, engine := range []string{"sqlite", "pgx"} {
		t.Run(engine, func(t *testing.T) {
			dsn := func() string {
				if engine == "pgx" {
					return server.DSN(t)
				}
				return filepath.Join(t.TempDir(), "flyball.db")
			}
			at := dsn()
			db, behind := open(t, at), raw(t, engine, at)
			for _, s := range []string{
				`INSERT INTO experiments (name, location, created, updated) VALUES ('a', '', 0, 0), ('b', '', 0, 0), ('c', '', 0, 0)`,
				`DELETE FROM experiments WHERE name = 'c'`, // its number is never given again
			} {
				if _, err := behind.Exec(s); err != nil {
					t.Fatal(err)
				}
			}
			first, m := written(t, db)
			at = dsn()
			loaded(t, first, m, at)
			open(t, at)
			var id int64
			if err := raw(t, engine, at).QueryRow(`INSERT INTO experiments (name, location, created, updated) VALUES ('d', '', 0, 0) RETURNING id`).Scan(&id); err != nil || id != 4 {
				t.Errorf("got experiment %d, %v; want 4", id, err)
			}
		})
	}
}

func TestADatabaseThatIsNotEmptyIsNotLoadedInto(t *testing.T) {
	for _, engine := range []string{"sqlite", "pgx"} {
		t.Run(engine, func(t *testing.T) {
			dsn := filepath.Join(t.TempDir(), "flyball.db")
			if engine == "pgx" {
				dsn = server.DSN(t)
			}
			db := open(t, dsn)
			if _, err := store.Load(t.Context(), dsn, 15); !fault.Is(err, fault.Conflict) {
				t.Errorf("got %v, want a conflict", err)
			}
			if _, err := db.Models(t.Context()); err != nil {
				t.Errorf("it was touched: %v", err)
			}
		})
	}
}

func TestALoadedDatabaseComesAfterAllThatReplicasHaveSeen(t *testing.T) {
	at, to := filepath.Join(t.TempDir(), "flyball.db"), filepath.Join(t.TempDir(), "flyball.db")
	db := open(t, at)
	if _, err := db.SaveDesired(t.Context(), replica.Desired{}); err != nil {
		t.Fatal(err)
	}
	was, err := db.Desired(t.Context())
	if err != nil || was.Version == 0 {
		t.Fatalf("got %+v, %v", was, err)
	}
	first, m := written(t, db)
	loaded(t, first, m, to)
	is, err := open(t, to).SaveDesired(t.Context(), replica.Desired{})
	if err != nil || is.Version <= was.Version {
		t.Errorf("got version %d, %v; want more than %d", is.Version, err, was.Version)
	}
	var fence int64
	if err := raw(t, "sqlite", to).QueryRow("SELECT fence FROM fences").Scan(&fence); err != nil || fence < 1e9 {
		t.Errorf("got fence %d, %v", fence, err)
	}
}

func TestALoadThatIsGivenUpLeavesNothing(t *testing.T) {
	for _, engine := range []string{"sqlite", "pgx"} {
		t.Run(engine, func(t *testing.T) {
			dsn := filepath.Join(t.TempDir(), "flyball.db")
			if engine == "pgx" {
				dsn = server.DSN(t)
			}
			if _, err := store.Load(t.Context(), dsn, 9999); !fault.Is(err, fault.Refused) {
				t.Errorf("got %v, want that the schema is of a newer Flyball", err)
			}
			for range 2 {
				l, err := store.Load(t.Context(), dsn, 10)
				if err != nil {
					t.Fatal(err)
				}
				if err := l.Abort(); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := store.OpenAsIs(t.Context(), dsn); !fault.Is(err, fault.NotFound) {
				t.Errorf("got %v, want that there is no database", err)
			}
		})
	}
}

func TestADatabaseOfAnEarlierSchemaIsDumpedAsItIsAndBroughtUpWhereItIsLoaded(t *testing.T) {
	for _, engine := range []string{"sqlite", "pgx"} {
		t.Run(engine, func(t *testing.T) {
			dsn := func() string {
				if engine == "pgx" {
					return server.DSN(t)
				}
				return filepath.Join(t.TempDir(), "flyball.db")
			}
			for _, schema := range []int64{1, 10} {
				at, to := dsn(), dsn()
				l, err := store.Load(t.Context(), at, schema)
				if err == nil {
					err = l.Insert(t.Context(), &backup.Table{Name: "heads", Columns: []backup.Column{{Name: "name"}, {Name: "seq"}, {Name: "hash"}}},
						[]any{"audit", 0, audit.Start, "event", 0, "", "fence", 0, ""})
				}
				if err == nil {
					err = l.Finish(t.Context(), nil)
				}
				if err != nil {
					t.Fatal(err)
				}
				db, err := store.OpenAsIs(t.Context(), at)
				if err != nil {
					t.Fatal(err)
				}
				first, m := written(t, db)
				if err := db.Close(); err != nil {
					t.Error(err)
				}
				if m.Schema != schema {
					t.Errorf("got schema %d, want %d", m.Schema, schema)
				}
				loaded(t, first, m, to)
				if h, err := open(t, to).Check(t.Context()); err != nil || h.Schema != h.Newest {
					t.Errorf("got %+v, %v", h, err)
				}
			}
		})
	}
}
