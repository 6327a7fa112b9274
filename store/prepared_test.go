// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"modernc.org/sqlite"
)

// keeping opens a file with one connection, and hands over what that keeps.
func keeping(t *testing.T) (*sql.DB, func() map[string]*statement) {
	t.Helper()
	db := sql.OpenDB(preparing{driver: &sqlite.Driver{}, dsn: filepath.Join(t.TempDir(), "x.db")})
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	db.SetMaxOpenConns(1)
	return db, func() (kept map[string]*statement) {
		c, err := db.Conn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.Raw(func(inner any) error { kept = inner.(*conn).kept; return nil }); err != nil {
			t.Fatal(err)
		}
		return kept
	}
}

func TestAStatementIsPreparedOnce(t *testing.T) {
	db, kept := keeping(t)
	if _, err := db.Exec("CREATE TABLE t (x INTEGER)"); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if _, err := db.Exec("INSERT INTO t VALUES ($1)", i); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := db.QueryRow("SELECT COUNT(*) FROM t").Scan(&n); err != nil || n != i+1 {
			t.Errorf("got %d rows, %v; want %d", n, err, i+1)
		}
	}
	if n := len(kept()); n != 3 {
		t.Errorf("%d statements are kept, want 3", n)
	}
	for query, s := range kept() {
		if s.busy {
			t.Errorf("%s is busy", query)
		}
	}
}

func TestAStatementMayBeRunWhileItsOwnRowsAreRead(t *testing.T) {
	db, _ := keeping(t)
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const query = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 3) SELECT x FROM n"
	var got []int
	outer, err := c.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer outer.Close()
	for outer.Next() {
		var a, b int
		if err := outer.Scan(&a); err != nil {
			t.Fatal(err)
		}
		inner, err := c.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		for inner.Next() {
			if err := inner.Scan(&b); err != nil {
				t.Fatal(err)
			}
			got = append(got, 10*a+b)
		}
		if err := inner.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if fmt.Sprint(got) != "[11 12 13 21 22 23 31 32 33]" {
		t.Errorf("got %v", got)
	}
}

func TestOnlySoManyStatementsAreKept(t *testing.T) {
	db, kept := keeping(t)
	for i := range 3 * mostStatements {
		for _, query := range []string{fmt.Sprintf("SELECT %d", i), "SELECT 'often'"} {
			var got string
			if err := db.QueryRow(query).Scan(&got); err != nil || got != fmt.Sprint(i) && got != "often" {
				t.Fatalf("%s: got %s, %v", query, got, err)
			}
		}
	}
	if n := len(kept()); n != mostStatements {
		t.Errorf("%d statements are kept, want %d", n, mostStatements)
	}
	if kept()["SELECT 'often'"] == nil || kept()["SELECT 0"] != nil {
		t.Error("want the one that is used often, and not the one that was used once long ago")
	}
}

func TestWhatCannotBePreparedSaysWhyWhenItIsRun(t *testing.T) {
	db, kept := keeping(t)
	for _, query := range []string{"SELECT FROM", "SELECT x FROM nowhere"} {
		if _, err := db.Exec(query); err == nil {
			t.Errorf("%s: got no error", query)
		}
		if err := db.QueryRow(query).Scan(new(int)); err == nil {
			t.Errorf("%s: got no error", query)
		}
	}
	if n := len(kept()); n != 0 {
		t.Errorf("%d statements are kept, want none", n)
	}
}

func TestAKeptStatementSeesATableThatHasChanged(t *testing.T) {
	db, _ := keeping(t)
	for i, change := range []string{"CREATE TABLE t AS SELECT 1 AS a", "ALTER TABLE t ADD COLUMN b INTEGER DEFAULT 7", "DROP TABLE t"} {
		if _, err := db.Exec(change); err != nil {
			t.Fatal(err)
		}
		rows, err := db.Query("SELECT * FROM t")
		if i == 2 {
			if err == nil {
				t.Error("the table is there after it was dropped")
				_ = rows.Close()
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil || len(columns) != i+1 {
			t.Errorf("got columns %v, %v; want %d", columns, err, i+1)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
