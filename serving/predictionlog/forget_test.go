// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flyball/governance/audit"
	"flyball/ident"
	"flyball/serving/prediction"
)

// about is a record about somebody.
func about(n int, hours float64, who string) prediction.Record {
	r := record(n, hours)
	r.Key = who
	r.Row = json.RawMessage(fmt.Sprintf(`{"x":%d,"name":%q}`, n, who))
	r.Audit = map[string]string{"gender": "of-" + who}
	return r
}

// logged fills a log with rows about secretive-sue and others: sealed on one day, sealed
// alone on another, and staged.
func logged(t *testing.T, l *atWork) {
	t.Helper()
	l.append(about(1, 0, "bob"), about(2, 0.5, "secretive-sue"), about(3, 3, "bob"), about(4, 30, "secretive-sue"), about(5, 54, "bob"))
	reason := func(n int, hours float64) prediction.Reasoned {
		r := record(n, hours)
		return prediction.Reasoned{Model: "m", ID: r.ID, Time: r.Time, Reasons: json.RawMessage(`{"n":"reasons of secretive-sue"}`)}
	}
	if err := l.AppendReasons(t.Context(), reason(2, 0.5)); err != nil {
		t.Fatal(err)
	}
	l.label(keyed("bob", "1", 1), keyed("secretive-sue", "2", 1), prediction.Label{Model: "m", ID: record(4, 0).ID, Value: "7", At: noon, Received: noon})
	l.seal()
	l.append(about(6, 1, "secretive-sue"), about(7, 1, "bob"), about(8, 100, "secretive-sue"))
	if err := l.AppendReasons(t.Context(), reason(6, 1), reason(4, 30)); err != nil {
		t.Fatal(err)
	}
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// traces are the files that hold anything about secretive-sue, sealed ones unpacked.
func traces(t *testing.T, l *Log) []string {
	t.Helper()
	const text = "secretive-sue"
	var out []string
	for _, path := range sealedFiles(t, l.dir) {
		rs, err := readSealed(path, "m", noSum, nil, 0, true)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(fmt.Sprintf("%+v %s", rs, rowsOf(rs)), text) {
			out = append(out, path)
		}
	}
	for _, name := range []string{"staged.db", "staged.db-wal"} {
		raw, err := os.ReadFile(filepath.Join(l.dir, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if bytes.Contains(raw, []byte(text)) {
			out = append(out, name)
		}
	}
	return out
}

func TestAKeyThatIsForgottenIsNowhere(t *testing.T) {
	c := &chain{}
	l := start(t, t.TempDir(), Options{Tell: c.tell})
	logged(t, l)
	if got := traces(t, l.Log); len(got) == 0 {
		t.Fatal("the test tells nothing")
	}
	before := len(c.records)
	got, err := l.Forget(t.Context(), "", "secretive-sue", "ana", "she asked")
	if err != nil || got.Rows != 4 || got.Labels != 2 || got.Files != 2 || !got.Since["m"].Equal(record(2, 0.5).At) {
		t.Fatalf("got %+v, %v", got, err)
	}
	if left := traces(t, l.Log); left != nil {
		t.Errorf("it is left in %v", left)
	}
	if keys := keysOf(scanAll(t, l.Log, prediction.Query{Model: "m", Audit: true, Reasons: true})); !slices.Equal(keys, []string{"bob=1", "bob=1", "bob=1", "bob=1"}) {
		t.Errorf("got %q", keys)
	}
	for _, q := range []prediction.Query{{Model: "m", Key: "secretive-sue"}, {Model: "m", ID: record(4, 0).ID}} {
		if rs := scanAll(t, l.Log, q); len(rs) != 0 {
			t.Errorf("got %v", rs)
		}
	}
	var tells []string
	for _, r := range c.records[before:] {
		var f audit.File
		if err := json.Unmarshal(r.Data, &f); err != nil {
			t.Fatal(err)
		}
		tells = append(tells, fmt.Sprint(r.Action, " ", r.Actor, " ", r.Why, " ", f.Rows, " ", len(f.SHA256), " ", len(f.Was)))
	}
	slices.Sort(tells)
	if want := []string{"forget ana she asked 0 0 64", "forget ana she asked 2 64 64"}; !slices.Equal(tells, want) {
		t.Errorf("got %q, want %q", tells, want)
	}
	if v := c.verify(t, l); v.Wrong != nil || v.Waiting != 0 || v.Files != 2 {
		t.Errorf("got %+v", v)
	}
	if again, err := l.Forget(t.Context(), "m", "secretive-sue", "ana", "again"); err != nil || again.Rows+again.Labels+again.Files != 0 {
		t.Errorf("forgetting twice is not once: %+v, %v", again, err)
	}
	l.seal()
	if v := c.verify(t, l); v.Wrong != nil || v.Files != 3 {
		t.Errorf("got %+v", v)
	}
	if left := traces(t, l.Log); left != nil {
		t.Errorf("it is left in %v", left)
	}
}

func TestWhatACrashLeavesOfForgettingIsFinished(t *testing.T) {
	for _, c := range []struct {
		name string
		undo func(t *testing.T, path string, old, anew []byte) // the disk as a crash leaves it, after the commit
	}{
		{"nothing was put in place", func(t *testing.T, path string, old, anew []byte) {
			write(t, filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp"), string(anew))
			write(t, path, string(old))
		}},
		{"all was put in place", func(*testing.T, string, []byte, []byte) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch, dir := &chain{}, t.TempDir()
			l := start(t, dir, Options{Tell: ch.tell})
			logged(t, l)
			files := sealedFiles(t, dir)
			olds := map[string][]byte{}
			for _, f := range files {
				olds[f] = must(os.ReadFile(f))(t)
			}
			ch.refuses = true // so the news stays
			if _, err := l.Forget(t.Context(), "m", "secretive-sue", "ana", "she asked"); err != nil {
				t.Fatal(err)
			}
			l.stop()
			if anew := must(os.ReadFile(files[0]))(t); bytes.Equal(anew, olds[files[0]]) {
				t.Fatal("the test tells nothing")
			} else {
				c.undo(t, files[0], olds[files[0]], anew)
			}
			if c.name == "nothing was put in place" { // the other had rows of this key alone
				if err := os.MkdirAll(filepath.Dir(files[1]), 0o700); err != nil {
					t.Fatal(err)
				}
				write(t, files[1], string(olds[files[1]]))
			}
			ch.refuses = false
			l = start(t, dir, Options{Tell: ch.tell})
			if keys := keysOf(scanAll(t, l.Log, prediction.Query{Model: "m"})); !slices.Equal(keys, []string{"bob=1", "bob=1", "bob=1", "bob=1"}) {
				t.Errorf("got %q", keys)
			}
			l.seal()
			if v := ch.verify(t, l); v.Wrong != nil || v.Waiting != 0 {
				t.Errorf("got %+v of %q", v, ch.told())
			}
			if left := traces(t, l.Log); left != nil {
				t.Errorf("it is left in %v", left)
			}
		})
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestAScanThatMeetsAFileWrittenAnewReadsThat(t *testing.T) {
	l := start(t, t.TempDir(), Options{Tell: (&chain{}).tell})
	l.append(about(1, 0, "bob"), about(2, 24, "sue"), about(3, 24, "bob"), about(4, 48, "bob"))
	l.seal()
	var got []string
	if err := l.Scan(t.Context(), prediction.Query{Model: "m"}, func(j prediction.Joined) error {
		if got = append(got, j.Key); len(got) == 1 {
			_, err := l.Forget(context.Background(), "m", "sue", "ana", "")
			return err
		}
		return nil
	}); err != nil || !slices.Equal(got, []string{"bob", "bob", "bob"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

func FuzzWithout(f *testing.F) {
	r := of(record(1, 0), "f")
	f.Add(appendAudit([]byte{auditVersion}, &r))
	f.Add([]byte{whyVersion, 1, 'a', 2, '{', '}'})
	f.Fuzz(func(t *testing.T, body []byte) {
		ids := map[ident.PredictionID]bool{r.ID: true, "a": true}
		for _, do := range []func([]byte, map[ident.PredictionID]bool) ([]byte, bool, error){whyWithout, auditWithout} {
			out, changed, err := do(body, ids)
			if err != nil {
				continue
			}
			if again, twice, err := do(out, ids); err != nil || twice || !bytes.Equal(again, out) || changed != (len(out) < len(body)) {
				t.Errorf("%x: got %x, %v, then %x, %v", body, out, changed, again, err)
			}
		}
	})
}

// rowsOf are the rows and reasons of records as text.
func rowsOf(rs []prediction.Record) string {
	var b strings.Builder
	for i := range rs {
		fmt.Fprintf(&b, "%s %s ", rs[i].Row, rs[i].Reasons)
	}
	return b.String()
}
