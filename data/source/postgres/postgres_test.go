// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"flyball/data/frame"
	"flyball/data/source"
	"flyball/data/source/postgres"
	"flyball/store/pgtest"
)

var server pgtest.Server

func TestMain(m *testing.M) {
	code := m.Run()
	if err := server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func read(t *testing.T, address, query string) (*frame.Frame, error) {
	t.Helper()
	set := &source.Set{Parts: []source.Part{postgres.Query("postgres://h/d", address, query, "")}}
	columns, err := set.Columns(t.Context(), nil)
	if err != nil {
		return nil, err
	}
	r, err := set.Read(t.Context(), columns, nil)
	if err != nil {
		return nil, err
	}
	return frame.ReadAll(r)
}

func TestAQueryGivesItsRows(t *testing.T) {
	address := server.DSN(t)
	f, err := read(t, address, `SELECT i AS n, i > 1 AS big, i::numeric / 2 AS half, 't' || i AS word, timestamptz '2026-01-02 03:04:05+01' AS at, CASE WHEN i = 2 THEN 'x' END AS some, date '2026-01-02' AS day FROM generate_series(1, 40000) i ORDER BY i`)
	if err != nil {
		t.Fatal(err)
	}
	if f.Rows() != 40000 {
		t.Errorf("got %d rows", f.Rows())
	}
	got := ""
	for _, c := range f.Columns() {
		got += c.Name + " " + c.Kind.String() + " " + c.Format(1) + ", "
	}
	const want = "n number 2, big number 1, half number 1, word text t2, at time 2026-01-02T02:04:05Z, some text x, day time 2026-01-02T00:00:00Z, "
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAQueryThatCannotBeDataIsRefused(t *testing.T) {
	address := server.DSN(t)
	for query, want := range map[string]string{
		"CREATE TABLE x (a int)":                          "the query",
		"SELECT 1 AS a; DROP TABLE b":                     "cannot insert multiple commands",
		"SELECT 9007199254740993 AS id":                   `row 1, column "id": "9007199254740993" is larger`,
		"SELECT ARRAY[1] AS a":                            `the column "a" is of type`,
		"SELECT nothing FROM nowhere":                     "does not exist",
		"SELECT 'infinity'::timestamp AS t":               `row 1, column "t": "infinity" is no time`,
		"SELECT 1/(2-i) AS q FROM generate_series(1,3) i": "division by zero",
	} {
		if _, err := read(t, address, query); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", query, err, want)
		}
	}
}
