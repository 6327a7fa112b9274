// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flyball/fault"
	"flyball/serving/prediction"
)

// TestACrashWhileSealingNeitherLosesNorDoublesRows stops a seal after each of its
// steps, opens the log again, and seals to the end.
func TestACrashWhileSealingNeitherLosesNorDoublesRows(t *testing.T) {
	late := record(0, -0.5) // earlier than the others, so that the next file has another name
	for _, c := range []struct {
		name  string
		crash func(t *testing.T, l *atWork)
	}{
		{"while the file is written", func(t *testing.T, l *atWork) {
			write(t, filepath.Join(l.dir, "model=m", "date=2025-03-04", ".x.parquet.tmp"), "PAR1 half")
		}},
		{"after the file is whole", func(t *testing.T, l *atWork) {
			if _, err := l.writeFile(part{"m", 20151}, []prediction.Record{record(1, 0), record(2, 1)}); err != nil {
				t.Fatal(err)
			}
		}},
		{"after the file is remembered", func(_ *testing.T, l *atWork) { l.seal() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			l := start(t, dir, Options{})
			l.append(record(1, 0), record(2, 1))
			c.crash(t, l)
			l.stop()
			l = start(t, dir, Options{})
			l.append(late)
			for _, when := range []string{"after the crash", "after the next seal"} {
				if got := keysOf(scanAll(t, l.Log, prediction.Query{Model: "m"})); fmt.Sprint(got) != "[b-0 b-1 b-2]" {
					t.Errorf("%s: %q", when, got)
				}
				l.seal()
			}
			if n := doubled(t, dir); n != 0 {
				t.Errorf("%d rows are in two files", n)
			}
			left, err := filepath.Glob(filepath.Join(dir, "*", "*", ".*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %q (%v)", left, err)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
}

func TestSealedFilesOutliveALostStagingFile(t *testing.T) {
	dir := t.TempDir()
	l := start(t, dir, Options{})
	l.append(record(1, 0), record(2, 1))
	l.seal()
	l.append(record(3, 2))
	l.seal()
	l.stop()
	if err := os.Remove(filepath.Join(dir, "staged.db")); err != nil {
		t.Fatal(err)
	}
	l = start(t, dir, Options{})
	for _, c := range []struct {
		q    prediction.Query
		want string
	}{
		{prediction.Query{Model: "m"}, "[b-1 b-2 b-3]"},
		{prediction.Query{Model: "m", Key: "b-3"}, "[b-3]"},
		{prediction.Query{Model: "m", ID: record(2, 0).ID}, "[b-2]"},
	} {
		if got := keysOf(scanAll(t, l.Log, c.q)); fmt.Sprint(got) != c.want {
			t.Errorf("%+v: %q, want %s", c.q, got, c.want)
		}
	}
	if n := l.label(keyed("b-1", "1", 1)); n != 0 {
		t.Errorf("%d labels are unmatched, want 0", n)
	}
}

func TestAnotherFileThatHasTheSameFirstIDIsNotOverwritten(t *testing.T) {
	l := start(t, t.TempDir(), Options{})
	l.append(record(1, 0), record(2, 1))
	l.seal()
	l.append(record(1, 0), record(3, 2))
	l.seal()
	if got := len(sealedFiles(t, l.dir)); got != 2 {
		t.Errorf("%d files, want 2", got)
	}
	if got := keysOf(scanAll(t, l.Log, prediction.Query{Model: "m"})); fmt.Sprint(got) != "[b-1 b-2 b-3]" {
		t.Errorf("got %q", got)
	}
}

func TestASealThatCannotBeRememberedLeavesNothing(t *testing.T) {
	l := start(t, t.TempDir(), Options{busy: 1})
	l.append(record(1, 0))
	letGo := hold(t, l.Log)
	_, err := l.Seal(context.Background(), noon.AddDate(1, 0, 0), 0)
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "cannot be sealed for m of 2025-03-04, another program holds a lock") {
		t.Errorf("seal: %v", err)
	}
	if got := sealedFiles(t, l.dir); len(got) != 0 {
		t.Errorf("files %q, want none", got)
	}
	letGo()
	if n := l.seal(); n != 1 {
		t.Errorf("sealed %d rows, want 1", n)
	}
}

func TestAFolderThatCannotBeUsedIsToldInOneSentence(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		kind  fault.Kind
		want  string
	}{
		{
			"of a newer version", func(t *testing.T, dir string) { execute(t, dir, `PRAGMA user_version = 7`) },
			fault.Invalid, "was written by a newer version of Flyball (format 7; this one reads up to 6)",
		},
		{
			"of another program", func(t *testing.T, dir string) { execute(t, dir, `PRAGMA application_id = 1`) },
			fault.Invalid, "is an SQLite file, but not a prediction log",
		},
		{
			"not SQLite", func(t *testing.T, dir string) {
				write(t, filepath.Join(dir, "staged.db"), strings.Repeat("no database ", 1000))
			},
			fault.Unavailable, "staged.db is damaged",
		},
		{"a file where the folder should be", func(t *testing.T, dir string) {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			write(t, dir, "")
		}, fault.Unavailable, "of the prediction log cannot be made"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "predictions")
			start(t, dir, Options{}).stop()
			c.spoil(t, dir)
			l, err := Open(dir, Options{})
			if err == nil {
				_ = l.Close()
			}
			if !fault.Is(err, c.kind) || !strings.Contains(fmt.Sprint(err), c.want) || strings.Contains(fmt.Sprint(err), "\n") {
				t.Errorf("open: %v, want %q in a fault of kind %s", err, c.want, c.kind)
			}
		})
	}
}

func execute(t *testing.T, dir, query string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "staged.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(query)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestADamagedOrMissingSealedFileIsTold(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(path string) error
	}{
		{"missing", os.Remove},
		{"cut off", func(path string) error { return os.Truncate(path, 100) }},
		{"changed in one bit", func(path string) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			b[len(b)/2] ^= 1
			return os.WriteFile(path, b, 0o640)
		}},
		{"overwritten", func(path string) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for i := 4; i < len(b)-8; i++ {
				b[i] ^= 0x5a
			}
			return os.WriteFile(path, b, 0o640)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := start(t, t.TempDir(), Options{})
			l.append(record(1, 0))
			l.seal()
			path := sealedFiles(t, l.dir)[0]
			if err := c.spoil(path); err != nil {
				t.Fatal(err)
			}
			err := l.Scan(context.Background(), prediction.Query{Model: "m"}, func(prediction.Joined) error { return nil })
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), path) {
				t.Errorf("scan: %v, want an invalid fault that names %s", err, path)
			}
		})
	}
}
