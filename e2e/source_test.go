// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"flyball/store/pgtest"
)

// plain is a source file as lines of text, the head first.
func plain(t *testing.T, hours []hour) []string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(csvFile(hours)))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(raw)), "\n")
}

// TestTheColumnsOfASourceArePinnedWhenItIsFirstApplied changes a source under a model.
func TestTheColumnsOfASourceArePinnedWhenItIsFirstApplied(t *testing.T) {
	past, coming := history(t)
	lines := plain(t, past[len(past)-150*24:])
	dir := t.TempDir()
	model := filepath.Join(dir, "model.yaml")
	write := func(name string, lines []string) {
		t.Helper()
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	edited := func(change func(i int, line string) string) []string {
		out := make([]string, len(lines))
		for i, line := range lines {
			out[i] = change(i, line)
		}
		return out
	}
	file := func(source string) string {
		return modelFile(t, append(byHand, [2]string{"bikes_2011.csv.gz", source})...)
	}
	write("model.yaml", []string{file("bikes.csv")})
	write("bikes.csv", lines)
	s := start(t, t.TempDir())
	check := func(all ...command) {
		t.Helper()
		for _, c := range all {
			c.check(t, s.url)
		}
	}
	check(command{args: "apply " + model, says: "bike-demand applied"})

	write("bikes.csv", edited(func(i int, line string) string {
		if i == 500 {
			return strings.Replace(line, ",", ",warm", 1) // the hour
		}
		return line
	}))
	got := run(t, s.url, "", "apply", model)
	for _, want := range []string{"bikes.csv", "501", `"hr"`, "warm"} {
		if got.code != 1 || !strings.Contains(got.stderr, want) {
			t.Errorf("a value of another kind: exit %d, want 1 with %s:\n%s", got.code, want, got.stderr)
		}
	}
	write("bikes.csv", edited(func(_ int, line string) string { return line[:strings.LastIndexByte(line, ',')] }))
	check(command{args: "apply " + model, code: 1, says: `does not have the column "cnt" any more`})
	write("bikes.csv", edited(func(i int, line string) string {
		if i == 0 {
			return line + ",extra"
		}
		return line + ",1"
	}))
	if got = run(t, s.url, "", "apply", model); got.code != 0 || !strings.Contains(got.stderr, "has a new column extra, of kind number from now on") {
		t.Errorf("a new column: exit %d: %s%s", got.code, got.out, got.stderr)
	}
	write("bikes.csv", lines)
	check(
		command{args: "apply " + model, code: 1, says: `does not have the column "extra" any more`},
		command{args: "apply " + model + " --repin", says: "bike-demand applied"},
	)

	// Many files are one source, and the names of their folders are columns.
	half := len(lines) / 2
	write("parts/half=1/a.csv", lines[:half])
	write("parts/half=2/a.csv", append(lines[:1:1], lines[half:]...))
	write("model.yaml", []string{file("parts")})
	check(command{args: "apply " + model, says: "bike-demand applied"})
	if err := s.Advance(t.Context(), coming[0].at); err != nil {
		t.Fatal(err)
	}
	check(
		command{args: "versions", says: "bike-demand@1"},
		command{args: "data show bike-demand", says: "half"},
		command{args: "predict bike-demand", stdin: string(coming[1].row(nil)), says: coming[1].key()},
	)

	// What lies elsewhere is read only where whoever started the server allowed it.
	write("model.yaml", []string{file("s3://lake/bikes.csv")})
	if got = run(t, s.url, "", "apply", model); got.code != 3 || !strings.Contains(got.stderr, "let whoever starts it allow that: flyball serve --source s3://lake") {
		t.Errorf("a bucket: exit %d: %s", got.code, got.stderr)
	}
}

// TestAModelTrainsOnAQueryAndAgainOnTheRowsThatCame has PostgreSQL for its source.
func TestAModelTrainsOnAQueryAndAgainOnTheRowsThatCame(t *testing.T) {
	var pg pgtest.Server
	dsn := pg.DSN(t)
	t.Cleanup(func() { _ = pg.Stop() }) // it is thrown away
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	past, coming := history(t)
	lines := plain(t, past[len(past)-150*24:])
	head := strings.Split(lines[0], ",")
	insert := func(lines []string) {
		t.Helper()
		var rows [][]any
		for _, line := range lines {
			cells := strings.Split(line, ",")
			row := make([]any, len(cells))
			for i, c := range cells {
				if row[i] = any(c); i > 0 {
					row[i] = nil
					if x, err := strconv.ParseFloat(c, 64); err == nil {
						row[i] = x
					}
				}
			}
			rows = append(rows, row)
		}
		if _, err := conn.CopyFrom(t.Context(), pgx.Identifier{"bikes"}, head, pgx.CopyFromRows(rows)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.Exec(t.Context(), "CREATE TABLE bikes ("+head[0]+" text, "+strings.Join(head[1:], " float8, ")+" float8)"); err != nil {
		t.Fatal(err)
	}
	insert(lines[1:3000])

	config := conn.Config()
	t.Setenv("PGHOST", config.Host)
	t.Setenv("PGUSER", config.User)
	model := filepath.Join(t.TempDir(), "model.yaml")
	table := config.RuntimeParams["search_path"] + ".bikes"
	file := modelFile(t, append(byHand, [2]string{"source: bikes_2011.csv.gz ", "source: postgres:///" + config.Database + "\n  query: SELECT * FROM " + table + " ORDER BY ts "})...)
	if err := os.WriteFile(model, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, t.TempDir(), "--source", "postgres:///"+config.Database)
	rows := func(want string, at time.Time) {
		t.Helper()
		if err := s.Advance(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		command{args: "data list " + bike, says: want}.check(t, s.url)
	}
	command{args: "apply " + model, says: "bike-demand applied"}.check(t, s.url)
	rows("2999", coming[0].at)
	insert(lines[3000:])
	command{args: "retrain " + bike + " --why rows,came", says: "begins"}.check(t, s.url)
	rows(fmt.Sprint(len(lines)-1), coming[1].at)
	command{args: "versions", says: "bike-demand@2"}.check(t, s.url)
	command{args: "reproduce bike-demand@1", says: "R3"}.check(t, s.url)

	for _, statement := range []string{"ALTER TABLE bikes ALTER hr TYPE text", "UPDATE bikes SET hr = 'late' WHERE ts = (SELECT min(ts) FROM bikes)"} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	got := run(t, s.url, "", "apply", model, "--repin")
	if got.code != 1 || !strings.Contains(got.stderr, `"hr"`) || !strings.Contains(got.stderr, "late") {
		t.Errorf("a value of another kind: exit %d: %s%s", got.code, got.out, got.stderr)
	}
}
