// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/prometheus/client_golang/prometheus"

	"flyball/fault"
	"flyball/ident"
	"flyball/internal/fuzzcheck"
	"flyball/serving/prediction"
)

// because are reasons of a record; text tells them apart.
func because(r prediction.Record, text string) prediction.Reasoned {
	return prediction.Reasoned{Model: r.Model, ID: r.ID, Time: r.Time, Reasons: json.RawMessage(fmt.Sprintf(`{"method":%q}`, text))}
}

func reasonsOf(js []prediction.Joined) []string {
	out := make([]string, len(js))
	for i, j := range js {
		if out[i] = string(j.Reasons); out[i] != "" {
			w, err := j.Why()
			if err != nil {
				return []string{err.Error()}
			}
			out[i] = w.Method
		}
	}
	return out
}

func TestReasonsAreFoundWithTheirPredictionsStagedSealedAndLate(t *testing.T) {
	dir := t.TempDir()
	l := start(t, dir, Options{})
	ctx := context.Background()
	a, b, c, d := record(1, 0), record(2, 0), record(3, 1), record(4, 30)
	l.append(a, b, c, d)
	tell := func(rs ...prediction.Reasoned) {
		t.Helper()
		if err := l.AppendReasons(ctx, rs...); err != nil {
			t.Fatal(err)
		}
	}
	check := func(when, want string) {
		t.Helper()
		if got := fmt.Sprint(reasonsOf(scanAll(t, l.Log, prediction.Query{Model: "m", Reasons: true}))); got != want {
			t.Errorf("%s: got %s, want %s", when, got, want)
		}
	}
	check("before any", "[   ]")
	tell(because(a, "A"), because(d, "D"))
	tell(because(c, "C"))
	check("staged", "[A  C D]")
	if got := fmt.Sprint(reasonsOf(scanAll(t, l.Log, prediction.Query{Model: "m"}))); got != "[   ]" {
		t.Errorf("not asked for: got %s", got)
	}
	if n := l.seal(); n != 4 {
		t.Fatalf("%d rows were sealed", n)
	}
	check("sealed", "[A  C D]")
	tell(because(b, "B"))
	check("told after the seal", "[A B C D]")
	if got := fmt.Sprint(reasonsOf(scanAll(t, l.Log, prediction.Query{Model: "m", Last: 2, Reasons: true}))); got != "[C D]" {
		t.Errorf("the last two: got %s", got)
	}
	l.stop()
	l = start(t, dir, Options{})
	check("after a restart", "[A B C D]")
}

func TestReasonsThatCannotBeKeptAreRefused(t *testing.T) {
	l := start(t, t.TempDir(), Options{})
	ok := because(record(1, 0), "A")
	for _, c := range []struct {
		name   string
		change func(r *prediction.Reasoned)
	}{
		{"no id", func(r *prediction.Reasoned) { r.ID = "" }},
		{"a name that is no model's", func(r *prediction.Reasoned) { r.Model = "../m" }},
		{"what is no JSON", func(r *prediction.Reasoned) { r.Reasons = json.RawMessage(`{`) }},
	} {
		r := ok
		c.change(&r)
		if err := l.AppendReasons(context.Background(), ok, r); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

func TestReasonsWithoutRoomAreDroppedAndCounted(t *testing.T) {
	reg := prometheus.NewRegistry()
	l, err := Open(t.TempDir(), Options{QueueRows: 2, Metrics: reg})
	if err != nil {
		t.Fatal(err)
	}
	l.state = running // nobody writes
	r := record(1, 0)
	for range 5 {
		if err := l.AppendReasons(context.Background(), because(r, "A")); err != nil {
			t.Fatal(err)
		}
	}
	all, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if got := m.Metric[0].GetCounter().GetValue(); m.GetName() == "flyball_predictionlog_dropped_reasons_total" && got != 3 {
			t.Errorf("got %v dropped, want 3", got)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestALogOfTheFirstFormatIsReadAndGoesOn makes what an earlier version wrote: no table
// of reasons, and a sealed file without their column.
func TestALogOfTheFirstFormatIsReadAndGoesOn(t *testing.T) {
	dir := t.TempDir()
	l := start(t, dir, Options{})
	l.append(record(1, 0))
	l.seal()
	l.append(record(2, 5))
	l.stop()
	execute(t, dir, `DROP TABLE why`)
	execute(t, dir, `DROP TABLE audit`)
	execute(t, dir, `DROP TABLE news; DROP TABLE outbox; DROP TABLE shipping; DROP TABLE taken`)
	execute(t, dir, `PRAGMA user_version = 1`)
	path := sealedFiles(t, dir)[0]
	old, err := toRow(ptr(record(1, 0)))
	if err != nil {
		t.Fatal(err)
	}
	if err := parquet.WriteFile(path, []row{old}); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sumOf(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	execute(t, dir, fmt.Sprintf(`UPDATE file SET crc = %d`, s))

	l = start(t, dir, Options{})
	if err := l.AppendReasons(context.Background(), because(record(2, 5), "B")); err != nil {
		t.Fatal(err)
	}
	got := scanAll(t, l.Log, prediction.Query{Model: "m", Reasons: true})
	if fmt.Sprint(keysOf(got), reasonsOf(got)) != "[b-1 b-2] [ B]" {
		t.Errorf("got %v with the reasons %q", keysOf(got), reasonsOf(got))
	}
	if _, err := os.Stat(filepath.Join(dir, "staged.db")); err != nil {
		t.Error(err)
	}
}

func FuzzDecodeWhy(f *testing.F) {
	good := appendText([]byte{whyVersion}, string(record(1, 0).ID))
	good = appendText(good, `{"method":"trees"}`)
	f.Add(good)
	f.Add(append(good, good[1:]...))
	f.Add([]byte{whyVersion})
	f.Add([]byte{9})
	f.Fuzz(func(t *testing.T, body []byte) {
		out := map[ident.PredictionID]json.RawMessage{}
		size := 0
		fuzzcheck.Within(t, len(body), 1<<16, func() { _ = decodeWhy("m", body, map[ident.PredictionID]json.RawMessage{}) })
		if err := decodeWhy("m", body, out); err != nil && !fault.Is(err, fault.Invalid) {
			t.Fatalf("got %v", err)
		}
		for id, r := range out {
			size += len(id) + len(r)
		}
		if size > len(body) {
			t.Errorf("%d bytes of %d", size, len(body))
		}
	})
}

func ptr[T any](v T) *T { return &v }
