// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"

	"flyball/fault"
	"flyball/serving/prediction"
)

func full() prediction.Record {
	r := record(7, 0.5)
	r.At = r.At.Add(2 * time.Second)
	r.Key = "b-17 é\x00\"'"
	r.Row = []byte(`{"lead_time":41,"hotel":"City \u00e9"}`)
	r.Scores = []float64{0.1, math.NaN(), math.Inf(-1)}
	r.Decision = "hold"
	r.Flags = []string{"unseen:agent", "missing:adr"}
	r.Vector = []byte{0, 0, 0xc0, 0x7f, 1, 2, 3, 4}
	r.Others = []prediction.Other{
		{Role: prediction.Candidate, Version: 4, Scores: []float64{math.NaN(), 0.30000000000000004, math.Inf(1)}, Decision: "sell", Latency: 1234567},
		{Role: prediction.Baseline, Version: 1, Error: `no "adr"`},
	}
	return r
}

func TestARecordComesBackAsItWasStagedOrSealed(t *testing.T) {
	bare := record(8, 0.75)
	bare.Key, bare.Row, bare.Scores, bare.Arm = "", nil, nil, prediction.Fallback
	bare.Version, bare.Latency = 0, 0
	want := []prediction.Joined{{Record: full()}, {Record: bare}}
	l := start(t, t.TempDir(), Options{})
	l.append(full(), bare)
	for _, state := range []string{"staged", "sealed"} {
		if diff := cmp.Diff(want, scanAll(t, l.Log, prediction.Query{Model: "m"}), cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", state, diff)
		}
		l.seal()
	}
}

func TestTimesAreKeptToTheMicrosecondInUTC(t *testing.T) {
	r := record(1, 0)
	r.Time = time.Date(2025, 3, 4, 23, 30, 0, 123456789, time.FixedZone("", -5*3600))
	l := start(t, t.TempDir(), Options{})
	l.append(r)
	want := time.Date(2025, 3, 5, 4, 30, 0, 123456000, time.UTC)
	for _, state := range []string{"staged", "sealed"} {
		if got := scanAll(t, l.Log, prediction.Query{Model: "m"}); len(got) != 1 || got[0].Time != want {
			t.Errorf("%s: %v, want one at %v", state, got, want)
		}
		l.seal()
	}
	if _, err := os.Stat(filepath.Join(l.dir, "model=m", "date=2025-03-05", string(r.ID)+".parquet")); err != nil {
		t.Errorf("the date is that of the event in UTC: %v", err)
	}
}

func TestOneFileAModelAndDate(t *testing.T) {
	l := start(t, t.TempDir(), Options{})
	other := record(9, 1)
	other.Model = "other"
	l.append(record(1, 0), record(2, 5), record(3, 13), other)
	if n := l.seal(); n != 4 {
		t.Errorf("sealed %d rows, want 4", n)
	}
	var got []string
	files, err := filepath.Glob(filepath.Join(l.dir, "*", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		rel, _ := filepath.Rel(l.dir, f)
		got = append(got, rel)
	}
	want := []string{
		"model=m/date=2025-03-04/" + string(record(1, 0).ID) + ".parquet",
		"model=m/date=2025-03-05/" + string(record(3, 0).ID) + ".parquet",
		"model=other/date=2025-03-04/" + string(other.ID) + ".parquet",
	}
	if !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
	if n := l.seal(); n != 0 {
		t.Errorf("sealed %d rows again", n)
	}
}

func TestOnlyHoursThatEndedLongAgoAreSealed(t *testing.T) {
	l := start(t, t.TempDir(), Options{})
	l.append(record(1, 0.5), record(2, 0.99), record(3, 1), record(4, -0.01))
	for _, step := range []struct {
		hours float64
		want  int
	}{{0.99, 0}, {1, 1}, {1.99, 0}, {2, 2}, {2.99, 0}, {3, 1}} {
		n, err := l.Seal(context.Background(), noon.Add(time.Duration(step.hours*float64(time.Hour))), time.Hour)
		if err != nil || n != step.want {
			t.Errorf("at %v h after noon %d rows were sealed (%v), want %d", step.hours, n, err, step.want)
		}
		if got := scanAll(t, l.Log, prediction.Query{Model: "m"}); len(got) != 4 {
			t.Errorf("at %v h after noon %d rows are found, want 4", step.hours, len(got))
		}
	}
}

func TestTheSameRecordAppendedAgainIsOne(t *testing.T) {
	l := start(t, t.TempDir(), Options{})
	l.append(record(1, 0), record(1, 0))
	l.append(record(1, 0))
	l.seal()
	l.append(record(1, 0), record(2, 0))
	l.seal()
	l.append(record(1, 0))
	for _, q := range []prediction.Query{{Model: "m"}, {Model: "m", Last: 5}} {
		if got := scanAll(t, l.Log, q); len(got) != 2 {
			t.Errorf("%+v: %d rows, want 2", q, len(got))
		}
	}
}

func TestWhatCannotBeFoundAgainIsRefusedWhole(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*prediction.Record)
	}{
		{"a model that is a path", func(r *prediction.Record) { r.Model = "../m" }},
		{"an id that is a path", func(r *prediction.Record) { r.ID = "a/b" }},
		{"no id", func(r *prediction.Record) { r.ID = "" }},
		{"no event time", func(r *prediction.Record) { r.Time = time.Time{} }},
		{"no due time", func(r *prediction.Record) { r.Due = time.Time{} }},
		{"an answer in the year 10000", func(r *prediction.Record) { r.At = r.At.AddDate(8000, 0, 0) }},
		{"a key that is not text", func(r *prediction.Record) { r.Key = "\xff" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := start(t, t.TempDir(), Options{})
			bad := record(2, 0)
			c.spoil(&bad)
			if err := l.Append(context.Background(), true, true, record(1, 0), bad); !fault.Is(err, fault.Invalid) {
				t.Errorf("append: %v, want an invalid fault", err)
			}
			if got := scanAll(t, l.Log, prediction.Query{Model: "m"}); len(got) != 0 {
				t.Errorf("%d rows were kept", len(got))
			}
		})
	}
}

func TestOutsideOfRunNothingIsTaken(t *testing.T) {
	dir := t.TempDir()
	l, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	refused := func(when string) {
		t.Helper()
		_, labels := l.AppendLabels(ctx, keyed("b-1", "1", 0))
		for _, err := range []error{l.Append(ctx, true, true, record(1, 0)), l.Append(ctx, false, false, record(1, 0)), labels} {
			if !fault.Is(err, fault.Unavailable) {
				t.Errorf("%s run: %v, want an unavailable fault", when, err)
			}
		}
	}
	refused("before")
	done, cancel := context.WithCancel(ctx)
	cancel()
	if err := l.Run(done); err != nil {
		t.Errorf("run: %v", err)
	}
	refused("after")
	if err := l.Run(ctx); !fault.Is(err, fault.Conflict) {
		t.Errorf("run again: %v, want a conflict", err)
	}
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Errorf("close twice: %v", err)
	}
}

func TestRunWritesWhatIsLeftWhenItEnds(t *testing.T) {
	dir := t.TempDir()
	l := start(t, dir, Options{FlushEvery: time.Hour})
	if err := l.Append(context.Background(), false, false, record(1, 0), record(2, 1)); err != nil {
		t.Fatal(err)
	}
	l.stop()
	l = start(t, dir, Options{})
	if got := scanAll(t, l.Log, prediction.Query{Model: "m"}); len(got) != 2 {
		t.Errorf("%d rows after a stop, want 2", len(got))
	}
}

func TestAScanSeesWhatWasAppendedBefore(t *testing.T) {
	l := start(t, t.TempDir(), Options{FlushEvery: time.Hour})
	if err := l.Append(context.Background(), false, false, record(1, 0)); err != nil {
		t.Fatal(err)
	}
	if got := scanAll(t, l.Log, prediction.Query{Model: "m"}); len(got) != 1 {
		t.Errorf("%d rows, want 1", len(got))
	}
}

func TestAVisitorMayUseTheLog(t *testing.T) {
	l := start(t, t.TempDir(), Options{})
	l.append(record(1, 0), record(2, 1))
	inner := 0
	err := l.Scan(context.Background(), prediction.Query{Model: "m"}, func(prediction.Joined) error {
		l.label(keyed("b-1", "1", 1))
		l.append(record(3, 2))
		l.seal()
		inner += len(scanAll(t, l.Log, prediction.Query{Model: "m"}))
		return nil
	})
	if err != nil || inner != 6 {
		t.Errorf("scan: %v, the inner scans saw %d rows, want 6", err, inner)
	}
}

func TestAScanStopsAtTheVisitorsError(t *testing.T) {
	l := start(t, t.TempDir(), Options{})
	l.append(record(1, 0), record(2, 1))
	stop := errors.New("enough")
	n := 0
	err := l.Scan(context.Background(), prediction.Query{Model: "m"}, func(prediction.Joined) error { n++; return stop })
	if !errors.Is(err, stop) || n != 1 {
		t.Errorf("scan gave %v after %d rows", err, n)
	}
}

func TestASecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	l := start(t, dir, Options{})
	_, err := Open(dir, Options{})
	if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "is open in another process") {
		t.Errorf("open: %v", err)
	}
	l.stop()
	start(t, dir, Options{})
}

func TestMetricsCountWhatWasKept(t *testing.T) {
	reg := prometheus.NewRegistry()
	l := start(t, t.TempDir(), Options{Metrics: reg})
	l.append(record(1, 0), record(2, 0))
	l.label(keyed("b-1", "1", 1))
	l.seal()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		m := f.GetMetric()[0]
		got[strings.TrimPrefix(f.GetName(), "flyball_predictionlog_")] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
	}
	delete(got, "commit_seconds")
	want := map[string]float64{
		"trimmed_rows_total": 0, "staged_rows_total": 2, "labels_total": 1, "sealed_rows_total": 2, "shipped_rows_total": 0, "taken_rows_total": 0,
		"dropped_reasons_total": 0, "dropped_rows_total": 0, "failed_commits_total": 0, "queued_rows": 0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}
