// SPDX-License-Identifier: Apache-2.0

package app

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/backup"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/ident"
	"flyball/serving/prediction"
)

// filled is a server with a history: files, sealed and staged predictions, labels, and a
// chain that tells of them.
func filled(t *testing.T, cfg Config) *App {
	t.Helper()
	a := start(t, cfg)
	ctx := t.Context()
	for i := range 5 {
		if _, err := a.artifacts.Put(ctx, fmt.Sprintf("0/files/%d.bin", i), bytes.NewReader(bytes.Repeat([]byte{byte(i)}, 1000*i))); err != nil {
			t.Fatal(err)
		}
		if _, err := a.store.AddAudit(ctx, audit.Record{At: time.Now(), Actor: "ana", Action: "try", Object: fmt.Sprint("m", i)}); err != nil {
			t.Fatal(err)
		}
	}
	predict(t, a, 0, 200)
	if _, err := a.log.Seal(ctx, time.Now(), time.Hour); err != nil {
		t.Fatal(err)
	}
	predict(t, a, 200, 50)
	return a
}

// predict keeps n predictions and their labels, one each ten minutes until now.
func predict(t *testing.T, a *App, from, n int) {
	t.Helper()
	var rs []prediction.Record
	var labels []prediction.Label
	for i := range n {
		at := time.Now().Add(-time.Duration(n-i) * 10 * time.Minute)
		rs = append(rs, prediction.Record{
			ID: ident.PredictionID(fmt.Sprintf("p%06d", from+i)), Model: "m", Version: 1, Key: fmt.Sprint("k", i), Time: at, Due: at.Add(time.Hour), At: at, Row: []byte(`{"x":1}`),
		})
		labels = append(labels, prediction.Label{Model: "m", ID: rs[i].ID, Value: "1", At: at, Received: at})
	}
	if err := a.log.Append(context.Background(), true, true, rs...); err != nil {
		t.Error(err)
	}
	if _, err := a.log.AppendLabels(context.Background(), labels...); err != nil {
		t.Error(err)
	}
}

// save writes a backup of a server to a file.
func save(t *testing.T, a *App) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "b.tar")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Backup(t.Context(), f, nil); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// good rehearses a backup, and fails the test where something does not hold.
func good(t *testing.T, file, database string) Rehearsal {
	t.Helper()
	scratch := t.TempDir()
	r, err := Rehearse(t.Context(), file, scratch, database, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Findings {
		if !f.OK {
			t.Errorf("%s: %s", f.What, f.Detail)
		}
	}
	if left, err := os.ReadDir(scratch); err != nil || len(left) > 0 {
		t.Errorf("the rehearsal left %v, %v", left, err)
	}
	return r
}

// parts are the digests of the parts of a backup, but for what says of when it is.
func parts(t *testing.T, file string) []string {
	t.Helper()
	m, wrong, err := backup.Verify(t.Context(), file, nil)
	if err != nil || len(wrong) > 0 {
		t.Fatal(wrong, err)
	}
	var out []string
	for _, p := range m.Parts {
		if p.Name != backup.Predictions+"staged.db" { // pages may lie elsewhere
			out = append(out, p.Name+" "+p.SHA256)
		}
	}
	return append(out, fmt.Sprint(m.Blobs, m.Sealed, m.Audit))
}

func TestABackupIsRestoredIntoEitherEngine(t *testing.T) {
	first := config(t)
	a := filled(t, first)
	file := save(t, a)
	if m, _, err := backup.Verify(t.Context(), file, nil); err != nil || m.Sealed.Number < 2 || m.Blobs.Number != 5 || m.Audit.Seq < 7 {
		t.Fatalf("got %+v, %v: nothing is tried", m, err)
	}
	good(t, file, "")
	good(t, file, postgres.DSN(t))
	want := parts(t, file)
	for _, dsn := range []string{postgres.DSN(t), ""} { // SQLite to PostgreSQL, and from there back
		to := Place{Data: filepath.Join(t.TempDir(), "data"), Database: dsn}
		if _, err := Restore(t.Context(), file, to, true, nil); err != nil {
			t.Fatal(err)
		}
		file = filepath.Join(t.TempDir(), "again.tar")
		out, err := os.Create(file)
		if err == nil {
			_, err = BackupOf(t.Context(), to, "test", out, nil)
		}
		if err := errors.Join(err, out.Close()); err != nil {
			t.Fatal(err)
		}
		if got := parts(t, file); !slices.Equal(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		good(t, file, "")
		cfg := config(t)
		cfg.Data, cfg.Database = to.Data, to.Database
		b, err := New(t.Context(), cfg) // and a server opens it
		if err != nil {
			t.Fatal(err)
		}
		rows := 0
		if err := b.log.Scan(t.Context(), prediction.Query{Model: "m"}, func(j prediction.Joined) error {
			if rows++; j.Label == nil {
				t.Errorf("prediction %s has lost its label", j.ID)
			}
			return nil
		}); err != nil || rows != 250 {
			t.Errorf("got %d predictions, %v; want 250", rows, err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestABackupUnderWritesIsOfOneMoment(t *testing.T) {
	a := filled(t, config(t))
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for w, write := range []func(i int){
		func(i int) { predict(t, a, 1000+i*20, 20) },
		func(int) { _, _ = a.log.Seal(context.Background(), time.Now(), 10*time.Minute) },
		func(i int) {
			_, _ = a.artifacts.Put(context.Background(), fmt.Sprintf("0/more/%d.bin", i), strings.NewReader(fmt.Sprint("bytes ", i)))
		},
		func(int) { _, _ = a.log.Trim(context.Background(), time.Now(), 0, 1) },
		func(i int) {
			_, _ = a.store.AddAudit(context.Background(), audit.Record{At: time.Now(), Actor: "bo", Action: "try", Object: fmt.Sprint(i)})
		},
	} {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				write(i + w)
			}
		})
	}
	for range 4 {
		good(t, save(t, a), "")
	}
	stop()
	writers.Wait()
}

// eachFlipped gives a backup once for each part, with one bit of that part changed.
func eachFlipped(t *testing.T, raw []byte, give func(part string, raw []byte)) {
	t.Helper()
	in := bytes.NewReader(raw)
	r := tar.NewReader(in)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Size == 0 {
			continue
		}
		at := int64(len(raw)) - int64(in.Len()) + h.Size/2
		raw[at] ^= 1
		give(h.Name, raw)
		raw[at] ^= 1
	}
}

func TestADamagedPartOfABackupIsNamed(t *testing.T) {
	raw, err := os.ReadFile(save(t, filled(t, config(t))))
	if err != nil {
		t.Fatal(err)
	}
	file, to, n := filepath.Join(t.TempDir(), "flipped.tar"), filepath.Join(t.TempDir(), "data"), 0
	eachFlipped(t, raw, func(part string, raw []byte) {
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		n++
		_, wrong, err := backup.Verify(t.Context(), file, nil)
		if said := strings.Join(wrong, "; ") + fmt.Sprint(err); !strings.Contains(said, strings.TrimSuffix(part, ".json")) {
			t.Errorf("%s: got %s", part, said)
		}
		if _, err := Restore(t.Context(), file, Place{Data: to}, true, nil); err == nil {
			t.Errorf("%s: it was restored all the same", part)
		}
		if _, err := os.Stat(to); !os.IsNotExist(err) {
			t.Errorf("%s: the restore left something: %v", part, err)
		}
	})
	if n < 15 {
		t.Errorf("only %d parts were flipped", n)
	}
	for _, cut := range []int{0, 100, 1000, len(raw) / 2, len(raw) - 3000} {
		if err := os.WriteFile(file, raw[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, wrong, err := backup.Verify(t.Context(), file, nil); err == nil && len(wrong) == 0 {
			t.Errorf("cut off at %d, and nobody noticed", cut)
		}
	}
}

func TestARestoreThatIsStoppedLeavesNothing(t *testing.T) {
	file := save(t, filled(t, config(t)))
	for _, dsn := range []string{"", postgres.DSN(t)} {
		to := Place{Data: filepath.Join(t.TempDir(), "data"), Database: dsn}
		ctx, stop := context.WithCancel(t.Context())
		_, err := Restore(ctx, file, to, true, func(s backup.Step) {
			if s.What == "parts" && s.Done == 8 { // in the middle
				stop()
			}
		})
		if stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if _, err := os.Stat(to.Data); !os.IsNotExist(err) {
			t.Errorf("it left something: %v", err)
		}
		if _, err := Restore(t.Context(), file, to, true, nil); err != nil {
			t.Errorf("then it does not work: %v", err)
		}
		if _, err := Restore(t.Context(), file, to, true, nil); !fault.Is(err, fault.Conflict) {
			t.Errorf("into what is not empty: got %v", err)
		}
	}
}

func TestARestoreThatCannotBringThePredictionsIntoTheBucketLeavesNothing(t *testing.T) {
	file := save(t, filled(t, config(t)))
	for _, dsn := range []string{"", postgres.DSN(t)} {
		b := t.TempDir()
		to := Place{Data: filepath.Join(t.TempDir(), "data"), Database: dsn, Bucket: "file://" + filepath.ToSlash(b)}
		inTheWay := filepath.Join(b, "predictions")
		if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Restore(t.Context(), file, to, true, nil); !fault.Is(err, fault.Unavailable) {
			t.Fatalf("got %v", err)
		}
		if _, err := os.Stat(to.Data); !os.IsNotExist(err) {
			t.Errorf("it left something: %v", err)
		}
		if err := os.Remove(inTheWay); err != nil {
			t.Fatal(err)
		}
		if _, err := Restore(t.Context(), file, to, true, nil); err != nil {
			t.Errorf("then it does not work: %v", err)
		}
		made, err := filepath.Glob(filepath.Join(b, "predictions", "checkpoints", "*", "manifest.json"))
		if err != nil || len(made) != 1 {
			t.Errorf("the bucket has the checkpoints %v, %v; want one", made, err)
		}
	}
}

func TestAFileThatWasMissingIsToldAndEndsNothing(t *testing.T) {
	cfg := config(t)
	a := filled(t, cfg)
	e, err := a.artifacts.Stat(t.Context(), "0/files/3.bin")
	if err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(cfg.Data, "blobs", "sha256", string(e.Digest[:2]), string(e.Digest))
	for _, c := range []struct {
		name string
		do   func() error
		want string
	}{
		{"damaged", func() error { return os.WriteFile(at, bytes.Repeat([]byte{9}, 3000), 0o600) }, "damaged"},
		{"missing", func() error { return os.Remove(at) }, "missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.do(); err != nil {
				t.Fatal(err)
			}
			file := save(t, a)
			r, err := Rehearse(t.Context(), file, t.TempDir(), "", nil)
			if err != nil || r.Good() {
				t.Errorf("got %+v, %v", r.Findings, err)
			}
			var found string
			for _, f := range r.Findings {
				if !f.OK {
					found += f.Detail
				}
			}
			if !strings.Contains(found, c.want) || !strings.Contains(found, string(e.Digest)) {
				t.Errorf("got %q", found)
			}
			if _, err := Restore(t.Context(), file, Place{Data: filepath.Join(t.TempDir(), "data")}, true, nil); err != nil {
				t.Errorf("the rest is not restored: %v", err)
			}
		})
	}
}
