// SPDX-License-Identifier: Apache-2.0

package audit_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/fault"
	"flyball/governance/audit"
)

func TestAnAnchorIsALineThatReadsBack(t *testing.T) {
	a := audit.Anchor{At: time.Date(2026, 3, 1, 12, 0, 5, 0, time.UTC), End: audit.End{Seq: 7, Hash: first}}
	if got, want := a.String(), "2026-03-01T12:00:05Z 7 "+first; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	got, err := audit.ReadAnchors(strings.NewReader("# kept by bo\n\n" + a.String() + "\n2026-03-02 8 " + strings.ToUpper(second) + "\n"))
	if err != nil || len(got) != 2 || got[0] != a || got[1].Seq != 8 || got[1].Hash != second {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"x", "2026-03-01 7", "2026-03-01 -7 " + first, "2026-03-01 7 beef", "1.3.2026 7 " + first, "2026-03-01 7 " + first + " x"} {
		if _, err := audit.ReadAnchors(strings.NewReader("\n" + bad)); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}

func TestAnAnchorIsAppendedOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "anchors.txt")
	day := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	add := func(at time.Time, seq int64, hash string) {
		t.Helper()
		if err := audit.AppendAnchor(path, audit.Anchor{At: at, End: audit.End{Seq: seq, Hash: hash}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, any, err := audit.LastAnchor(path); any || err != nil {
		t.Errorf("got %v, %v", any, err)
	}
	add(day, 1, first)
	add(day.Add(time.Hour), 1, first) // the same day and end
	add(day.Add(2*time.Hour), 2, second)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("2026-03-02T00:0"); err != nil { // a crash
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if last, any, err := audit.LastAnchor(path); !any || err != nil || last.Seq != 2 {
		t.Errorf("got %v, %v, %v", last, any, err)
	}
	add(day.AddDate(0, 0, 1), 2, second)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := "2026-03-01T12:00:00Z 1 " + first + "\n2026-03-01T14:00:00Z 2 " + second + "\n2026-03-02T12:00:00Z 2 " + second + "\n"
	if string(raw) != want {
		t.Errorf("got\n%swant\n%s", raw, want)
	}
}

func FuzzReadAnchors(f *testing.F) {
	f.Add("2026-03-01T12:00:05Z 7 " + first)
	f.Add("# x\n2026-03-01 7 " + second)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := audit.ReadAnchors(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, a := range got {
			if again, err := audit.ParseAnchor(a.String()); err != nil || again.End != a.End {
				t.Errorf("%v: got %v, %v", a, again, err)
			}
		}
	})
}
