// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/governance/audit"
)

// chain is an audit chain in memory, as package store keeps it.
type chain struct {
	mu      sync.Mutex
	refuses bool
	records []audit.Record
	sealed  map[string]string
}

func (c *chain) tell(_ context.Context, n audit.News) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuses {
		return errors.New("the database is away")
	}
	news, anew, err := n.Known(c.sealed[n.Path])
	if err != nil || !anew {
		return err
	}
	r, err := news.Record()
	if err != nil {
		return err
	}
	if c.sealed == nil {
		c.sealed = map[string]string{}
	}
	c.sealed[n.Path] = n.SHA256
	c.records = append(c.records, r)
	return nil
}

func (c *chain) files(context.Context) (audit.Files, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := audit.Files{}
	for _, r := range c.records {
		if err := out.Follow(r, ""); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c *chain) verify(t *testing.T, l *atWork) audit.Checked {
	t.Helper()
	got, err := l.CheckFiles(t.Context(), c.files, func(int, int, int64) {})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// told are the records, as words.
func (c *chain) told() []string {
	var out []string
	for _, r := range c.records {
		out = append(out, r.Action+" "+r.Object)
	}
	return out
}

func TestASealedFileIsEnteredIntoTheChainWithItsSum(t *testing.T) {
	c := &chain{}
	l := start(t, t.TempDir(), Options{Tell: c.tell, Now: func() time.Time { return noon }})
	l.append(record(1, 0), record(2, 1), record(3, 30))
	l.seal()
	if got, want := c.told(), []string{"seal m", "seal m"}; !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	files, _ := c.files(t.Context())
	f := files["model=m/date=2025-03-04/01950000-0000-7000-8000-000000000001.parquet"]
	if f.Rows != 2 || f.Bytes == 0 || len(f.SHA256) != 64 || f.Date != "2025-03-04" {
		t.Errorf("got %+v of %v", f, files)
	}
	if got := c.verify(t, l); got.Files != 2 || got.Wrong != nil || got.Waiting != 0 {
		t.Errorf("got %+v", got)
	}
	if _, err := l.Trim(t.Context(), noon.AddDate(0, 0, 2), 24*time.Hour, 0); err != nil {
		t.Fatal(err)
	}
	if got, want := c.told(), []string{"seal m", "seal m", "trim m"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := c.verify(t, l); got.Files != 1 || got.Wrong != nil {
		t.Errorf("got %+v", got)
	}
}

func TestWhatTheChainDidNotTakeIsToldLater(t *testing.T) {
	for _, c := range []struct {
		name  string
		again func(l *atWork, dir string, c *chain) *atWork
	}{
		{"at the next seal", func(l *atWork, _ string, c *chain) *atWork { c.refuses = false; l.seal(); return l }},
		{"at the next start", func(l *atWork, dir string, c *chain) *atWork {
			l.stop()
			c.refuses = false
			l = start(t, dir, Options{Tell: c.tell})
			l.seal()
			return l
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch, dir := &chain{refuses: true}, t.TempDir()
			l := start(t, dir, Options{Tell: ch.tell})
			l.append(record(1, 0), record(2, 30))
			l.seal()
			if got := ch.verify(t, l); got.Waiting != 2 || got.Wrong != nil {
				t.Errorf("got %+v", got)
			}
			l = c.again(l, dir, ch)
			if got := ch.verify(t, l); got.Files != 2 || got.Waiting != 0 || got.Wrong != nil {
				t.Errorf("got %+v", got)
			}
			// What was told and not remembered is told again, and taken once.
			execute(t, dir, `INSERT INTO news (what, at, model, day, name, rows, bytes, sha256, was, who, why)
				SELECT 'seal', 1, p.model, p.day, f.name, f.rows, f.bytes, '', '', '', '' FROM file f JOIN part p ON p.id = f.part`)
			l.seal()
			if got, want := ch.told(), []string{"seal m", "seal m"}; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestFilesThatWereSealedBeforeThereWasAChainAreEntered(t *testing.T) {
	dir := t.TempDir()
	l := start(t, dir, Options{})
	l.append(record(1, 0), record(2, 30))
	l.seal()
	l.stop()
	execute(t, dir, `DROP TABLE news; DROP TABLE outbox; DROP TABLE shipping; DROP TABLE taken`)
	execute(t, dir, `PRAGMA user_version = 4`)
	c := &chain{}
	l = start(t, dir, Options{Tell: c.tell})
	l.seal()
	if got := c.verify(t, l); got.Files != 2 || got.Wrong != nil {
		t.Errorf("got %+v, %q", got, c.told())
	}
}

func TestAFileThatWasTrimmedWhenTheServerDiedDoesNotComeBack(t *testing.T) {
	c, dir := &chain{}, t.TempDir()
	l := start(t, dir, Options{Tell: c.tell})
	l.append(record(1, 0))
	l.seal()
	path := sealedFiles(t, dir)[0]
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c.refuses = true
	if _, err := l.Trim(t.Context(), noon, 0, 1); err != nil {
		t.Fatal(err)
	}
	l.stop()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, raw, 0o600)); err != nil {
		t.Fatal(err)
	}
	c.refuses = false
	l = start(t, dir, Options{Tell: c.tell})
	l.seal()
	if got := c.verify(t, l); len(sealedFiles(t, dir)) != 0 || got.Wrong != nil || got.Waiting != 0 {
		t.Errorf("got %+v and %v", got, sealedFiles(t, dir))
	}
}

func TestALostIndexDoesNotWhitewashAChangedFile(t *testing.T) {
	c, dir := &chain{}, t.TempDir()
	l := start(t, dir, Options{Tell: c.tell})
	l.append(record(1, 0))
	l.seal()
	l.append(record(2, 0))
	l.seal()
	l.stop()
	files := sealedFiles(t, dir)
	raw, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"staged.db", "staged.db-wal", "staged.db-shm"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(files[1], raw, 0o600); err != nil {
		t.Fatal(err)
	}
	l = start(t, dir, Options{Tell: c.tell})
	l.seal()
	got := c.verify(t, l)
	if len(got.Wrong) != 1 || !strings.Contains(got.Wrong[0], filepath.Base(files[1])) || got.Files != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestEveryChangeOfASealedFileIsFound(t *testing.T) {
	c, dir := &chain{}, t.TempDir()
	l := start(t, dir, Options{Tell: c.tell})
	for i := range 12 {
		l.append(record(2*i, float64(24*i)), record(2*i+1, float64(24*i)))
	}
	l.seal()
	files := sealedFiles(t, dir)
	times := 100
	if long() {
		times = 2000
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range times {
		path := files[rng.IntN(len(files))]
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		what := spoilFile(t, rng, path, raw)
		got := c.verify(t, l)
		if len(got.Wrong) == 0 || !strings.Contains(strings.Join(got.Wrong, "\n"), filepath.Base(path)) {
			t.Fatalf("edit %d, %s of %s, is not found: %+v", i, what, path, got)
		}
		_ = os.RemoveAll(path)
		_ = os.Remove(path + ".parquet")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.verify(t, l); got.Wrong != nil || got.Files != len(files) {
		t.Errorf("what was put back does not hold: %+v", got)
	}
}

// spoilFile does one of the things that must be found, and says which.
func spoilFile(t *testing.T, rng *rand.Rand, path string, raw []byte) string {
	t.Helper()
	write := func(b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	switch rng.IntN(6) {
	case 0:
		b := slices.Clone(raw)
		b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		write(b)
		return "a flipped bit"
	case 1:
		write(raw[:rng.IntN(len(raw))])
		return "truncation"
	case 2:
		write(append(slices.Clone(raw), 0))
		return "a byte more"
	case 3:
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		return "removal"
	case 4:
		if err := os.WriteFile(path+".parquet", raw, 0o600); err != nil {
			t.Fatal(err)
		}
		return "a copy beside it"
	default:
		if err := errors.Join(os.Remove(path), os.Symlink("/dev/null", path)); err != nil {
			t.Fatal(fmt.Errorf("link: %w", err))
		}
		return "a link in its place"
	}
}

func TestFilesHoldWhileOthersSealAndTrim(t *testing.T) {
	c := &chain{}
	l := start(t, t.TempDir(), Options{Tell: c.tell})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 30 {
			if err := l.Append(context.Background(), true, true, record(i, float64(24*i))); err != nil {
				t.Error(err)
			}
			if _, err := l.Seal(context.Background(), noon.AddDate(1, 0, 0), 0); err != nil {
				t.Error(err)
			}
			if _, err := l.Trim(context.Background(), noon.AddDate(0, 0, i), 5*24*time.Hour, 0); err != nil {
				t.Error(err)
			}
		}
	}()
	for {
		if got := c.verify(t, l); got.Wrong != nil {
			t.Fatalf("got %+v", got)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}
