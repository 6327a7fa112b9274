// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"flyball/serving/prediction"
)

func TestWhichDaysAreTooMany(t *testing.T) {
	day := func(model string, day, bytes int64, staged bool) kept {
		return kept{part: part{model, day}, bytes: bytes, staged: staged}
	}
	all := []kept{day("a", 10, 5, false), day("b", 10, 5, false), day("a", 11, 5, true), day("a", 12, 5, false), day("a", 13, 5, false)}
	now := time.Unix(14*86400, 0)
	for _, c := range []struct {
		name  string
		keep  time.Duration
		bytes int64
		want  []string
	}{
		{"no bound", 0, 0, nil},
		{"all are young enough", 4 * 24 * time.Hour, 0, nil},
		{"the day that ended just so long ago goes", 3 * 24 * time.Hour, 0, []string{"a10", "b10"}},
		{"staged days go for their age", 2 * 24 * time.Hour, 0, []string{"a10", "b10", "a11"}},
		{"they fit", 0, 25, nil},
		{"the oldest goes", 0, 24, []string{"a10"}},
		{"staged days stay whatever the size", 0, 10, []string{"a10", "b10", "a12"}},
		{"both bounds", 3 * 24 * time.Hour, 10, []string{"a10", "b10", "a12"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, k := range tooMany(all, now, c.keep, c.bytes) {
				got = append(got, fmt.Sprint(k.model, k.day))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestTrimmedDaysAreGoneAndTheRestIsThere(t *testing.T) {
	l := start(t, t.TempDir(), Options{})
	rows := []prediction.Record{record(1, -72), record(2, -48), record(3, -24), record(4, 0)}
	l.append(rows...)
	l.label(keyed("b-1", "1", -70), keyed("b-4", "1", 1))
	l.seal()
	got, err := l.Trim(t.Context(), noon, 37*time.Hour, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got.Days != 1 || got.Rows != 1 || got.Bytes == 0 {
		t.Errorf("got %+v", got)
	}
	want := []string{"b-2", "b-3", "b-4=1"}
	if keys := keysOf(scanAll(t, l.Log, prediction.Query{Model: "m"})); !slices.Equal(keys, want) {
		t.Errorf("got %v, want %v", keys, want)
	}
	if keys := keysOf(scanAll(t, l.Log, prediction.Query{Model: "m", Key: "b-1"})); len(keys) != 0 {
		t.Errorf("got %v", keys)
	}
	if again, err := l.Trim(t.Context(), noon, 37*time.Hour, 0); err != nil || again != (Trimmed{}) {
		t.Errorf("trimming twice is not once: %+v, %v", again, err)
	}
	if got, err = l.Trim(t.Context(), noon, 0, 1); err != nil || got.Days != 3 {
		t.Errorf("got %+v, %v", got, err)
	}
	if left, _ := filepath.Glob(filepath.Join(l.dir, "model=m", "*")); len(left) != 0 {
		t.Errorf("folders are left: %v", left)
	}
}

func TestAFileThatIsTrimmedDuringAScanIsPassedOver(t *testing.T) {
	l := start(t, t.TempDir(), Options{})
	l.append(record(1, -48), record(2, -24), record(3, 0))
	l.seal()
	var got []string
	err := l.Scan(t.Context(), prediction.Query{Model: "m"}, func(j prediction.Joined) error {
		got = append(got, j.Key)
		_, err := l.Trim(context.Background(), noon, 0, 1)
		return err
	})
	if err != nil || !slices.Equal(got, []string{"b-1"}) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestAFileThatIsLostIsStillAFault(t *testing.T) {
	l := start(t, t.TempDir(), Options{})
	l.append(record(1, 0))
	l.seal()
	for _, f := range sealedFiles(t, l.dir) {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Scan(t.Context(), prediction.Query{Model: "m"}, func(prediction.Joined) error { return nil }); err == nil {
		t.Error("nothing is said of it")
	}
}
