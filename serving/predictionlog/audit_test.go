// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/fault"
	"flyball/internal/fuzzcheck"
	"flyball/serving/prediction"
)

// of is the record in a group.
func of(r prediction.Record, group string) prediction.Record {
	r.Audit = map[string]string{"gender": group}
	return r
}

func gendersOf(js []prediction.Joined) []string {
	out := make([]string, len(js))
	for i, j := range js {
		out[i] = j.Audit["gender"]
	}
	return out
}

func TestGroupsAreFoundWithTheirPredictionsStagedAndSealed(t *testing.T) {
	dir := t.TempDir()
	l := start(t, dir, Options{})
	l.append(of(record(1, 0), "f"), record(2, 0.5), of(record(3, 1), "m"))
	l.append(of(record(4, 0.2), "x"), of(record(5, 30), "f"))
	check := func(when, want string) {
		t.Helper()
		if got := fmt.Sprintf("%q", gendersOf(scanAll(t, l.Log, prediction.Query{Model: "m", Audit: true}))); got != want {
			t.Errorf("%s: got %s, want %s", when, got, want)
		}
	}
	check("staged", `["f" "x" "" "m" "f"]`)
	if got := gendersOf(scanAll(t, l.Log, prediction.Query{Model: "m"})); strings.Join(got, "") != "" {
		t.Errorf("groups that nobody asked for were given: %q", got)
	}
	l.seal()
	check("sealed", `["f" "x" "" "m" "f"]`)
	l.append(of(record(6, 0.3), "m"))
	check("late", `["f" "x" "m" "" "m" "f"]`)
	l.seal()
	l.stop()
	l = start(t, dir, Options{})
	check("opened again", `["f" "x" "m" "" "m" "f"]`)
	var n int
	if err := l.read.QueryRowContext(context.Background(), `SELECT count(*) FROM audit WHERE hour = 12`).Scan(&n); err != nil || n != 1 {
		t.Errorf("a sealed hour has %d rows of groups, want 1 (%v)", n, err)
	}
}

func TestGroupsAreInNoSealedFileAndInNoRecordAsJSON(t *testing.T) {
	dir := t.TempDir()
	l := start(t, dir, Options{})
	l.append(of(record(1, 0), "a-telling-group"))
	l.seal()
	for _, path := range sealedFiles(t, dir) {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(raw, []byte("telling")) || bytes.Contains(raw, []byte("gender")) {
			t.Errorf("%s holds the group", filepath.Base(path))
		}
	}
	text, err := json.Marshal(scanAll(t, l.Log, prediction.Query{Model: "m", Audit: true}))
	if err != nil || bytes.Contains(text, []byte("telling")) {
		t.Errorf("got %s, %v", text, err)
	}
}

func TestGroupsGoBeforeTheirPredictionsAndWithThem(t *testing.T) {
	l := start(t, t.TempDir(), Options{})
	l.append(of(record(1, 0), "f"), of(record(2, 48), "m"), of(record(3, 96), "f"))
	l.seal()
	ctx := context.Background()
	if err := l.TrimAudit(ctx, noon.AddDate(0, 0, 4), 3*24*time.Hour+12*time.Hour); err != nil {
		t.Fatal(err)
	}
	got := scanAll(t, l.Log, prediction.Query{Model: "m", Audit: true})
	if fmt.Sprintf("%q", gendersOf(got)) != `["" "m" "f"]` {
		t.Errorf("after half of them are old: %q", gendersOf(got))
	}
	if _, err := l.Trim(ctx, noon.AddDate(0, 0, 10), 24*time.Hour, 0); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := l.read.QueryRowContext(ctx, `SELECT count(*) FROM audit`).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows of groups outlived their predictions (%v)", n, err)
	}
}

func TestAGroupThatIsNoShortTextIsRefused(t *testing.T) {
	l := start(t, t.TempDir(), Options{})
	for _, group := range []string{strings.Repeat("x", 257), "\xff"} {
		if err := l.Append(context.Background(), true, true, of(record(1, 0), group)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%.10q: got %v", group, err)
		}
	}
}

func TestALogOfTheThirdFormatTakesGroups(t *testing.T) {
	dir := t.TempDir()
	l := start(t, dir, Options{})
	l.append(record(1, 0))
	l.stop()
	execute(t, dir, `DROP TABLE audit`)
	execute(t, dir, `DROP TABLE news; DROP TABLE outbox; DROP TABLE shipping; DROP TABLE taken`)
	execute(t, dir, `PRAGMA user_version = 3`)
	l = start(t, dir, Options{})
	l.append(of(record(2, 0), "f"))
	if got := gendersOf(scanAll(t, l.Log, prediction.Query{Model: "m", Audit: true})); !slices.Equal(got, []string{"", "f"}) {
		t.Errorf("got %q", got)
	}
}

func FuzzDecodeAudit(f *testing.F) {
	a, b := of(record(1, 0), "f"), of(record(2, 0), "m")
	good := appendAudit(appendAudit([]byte{auditVersion}, &a), &b)
	f.Add(good)
	f.Add(append(good, good[1:]...))
	f.Add([]byte{auditVersion})
	f.Add([]byte{9})
	f.Fuzz(func(t *testing.T, body []byte) {
		fuzzcheck.Within(t, len(body), 1<<16, func() { _ = decodeAudit("m", body, newGroups()) })
		out := newGroups()
		if err := decodeAudit("m", body, out); err != nil && !fault.Is(err, fault.Invalid) {
			t.Fatalf("got %v", err)
		}
		for id, m := range out.of {
			r := prediction.Record{ID: id, Audit: m}
			if len(appendAudit(nil, &r)) > len(body) {
				t.Errorf("%d groups of %d bytes", len(m), len(body))
			}
		}
	})
}
