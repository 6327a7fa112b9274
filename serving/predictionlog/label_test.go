// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"flyball/fault"
	"flyball/serving/prediction"
)

// truth is the label of the only row of the query.
func truth(t *testing.T, l *atWork, q prediction.Query) *prediction.Label {
	t.Helper()
	q.Model = "m"
	got := scanAll(t, l.Log, q)
	if len(got) != 1 {
		t.Fatalf("%d rows, want 1", len(got))
	}
	return got[0].Label
}

func byID(r prediction.Record, value string, h float64) prediction.Label {
	return prediction.Label{Model: "m", ID: r.ID, Value: value, At: noon, Received: hours(h)}
}

func TestTheLabelReceivedLastWins(t *testing.T) {
	r := record(1, 0)
	for _, c := range []struct {
		name   string
		labels []prediction.Label
		asOf   time.Time
		want   string
	}{
		{"one by key", []prediction.Label{keyed("b-1", "1", 2)}, time.Time{}, "1"},
		{"one by id", []prediction.Label{byID(r, "1", 2)}, time.Time{}, "1"},
		{"a correction", []prediction.Label{keyed("b-1", "1", 2), keyed("b-1", "0", 3)}, time.Time{}, "0"},
		{"the label before its correction is kept", []prediction.Label{keyed("b-1", "1", 2), keyed("b-1", "0", 3)}, hours(2.5), "1"},
		{"a correction by id of a label by key", []prediction.Label{keyed("b-1", "1", 2), byID(r, "0", 3)}, time.Time{}, "0"},
		{"a correction by key of a label by id", []prediction.Label{byID(r, "0", 2), keyed("b-1", "1", 3)}, time.Time{}, "1"},
		{"two of one moment: the later sent", []prediction.Label{keyed("b-1", "1", 2), keyed("b-1", "0", 2)}, time.Time{}, "0"},
		{"two of one moment, the greater later", []prediction.Label{keyed("b-1", "0", 2), keyed("b-1", "1", 2)}, time.Time{}, "1"},
		{"stored out of order", []prediction.Label{keyed("b-1", "0", 3), keyed("b-1", "1", 2)}, time.Time{}, "0"},
		{"an old label sent again does not undo its correction", []prediction.Label{keyed("b-1", "1", 2), keyed("b-1", "0", 3), keyed("b-1", "1", 4)}, time.Time{}, "0"},
		{"none by then", []prediction.Label{keyed("b-1", "1", 2)}, hours(1), ""},
		{"of another prediction", []prediction.Label{keyed("b-2", "1", 2), byID(record(2, 0), "1", 2)}, time.Time{}, ""},
		{"a key that looks like an id", []prediction.Label{keyed(string(r.ID), "1", 2)}, time.Time{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := start(t, t.TempDir(), Options{})
			l.append(r)
			for _, x := range c.labels {
				l.label(x)
			}
			for _, state := range []string{"staged", "sealed"} {
				got := ""
				if x := truth(t, l, prediction.Query{AsOf: c.asOf}); x != nil {
					got = x.Value
				}
				if got != c.want {
					t.Errorf("%s: label %q, want %q", state, got, c.want)
				}
				l.seal()
			}
		})
	}
}

func TestALabelComesBackAsItWasSent(t *testing.T) {
	l := start(t, t.TempDir(), Options{})
	r := full()
	l.append(r)
	want := prediction.Label{Model: "m", Key: r.Key, Value: "0.1", At: hours(5), Received: hours(7)}
	l.label(want)
	if diff := cmp.Diff(&want, truth(t, l, prediction.Query{Key: r.Key})); diff != "" {
		t.Errorf("by key (-want +got):\n%s", diff)
	}
	want = prediction.Label{Model: "m", ID: r.ID, Value: "0.2", At: hours(5), Received: hours(8)}
	l.label(want)
	if diff := cmp.Diff(&want, truth(t, l, prediction.Query{ID: r.ID})); diff != "" {
		t.Errorf("by id (-want +got):\n%s", diff)
	}
}

func TestTheSameLabelSentTwiceIsOne(t *testing.T) {
	l := start(t, t.TempDir(), Options{})
	l.append(record(1, 0))
	l.label(keyed("b-1", "1", 2), keyed("b-1", "1", 2))
	l.label(keyed("b-1", "1", 9))
	var n int
	if err := l.read.QueryRow(`SELECT count(*) FROM label`).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d labels are kept (%v), want 1", n, err)
	}
	if got := truth(t, l, prediction.Query{}); got == nil || got.Received != hours(2) {
		t.Errorf("label %+v, want the one received first", got)
	}
}

func TestALabelOfAnUnknownPredictionWaitsForIt(t *testing.T) {
	dir := t.TempDir()
	l := start(t, dir, Options{})
	l.append(record(1, 0))
	unmatched := func(want int, oldest time.Time) {
		t.Helper()
		n, first, err := l.Unmatched(context.Background(), "m")
		if err != nil || n != want || !first.Equal(oldest) {
			t.Errorf("%d wait since %v (%v), want %d since %v", n, first, err, want, oldest)
		}
	}
	if n := l.label(keyed("b-1", "1", 1), keyed("b-2", "1", 2), byID(record(3, 0), "1", 3)); n != 2 {
		t.Errorf("%d of the labels are unmatched, want 2", n)
	}
	unmatched(2, hours(2))
	if n := l.label(keyed("b-2", "0", 4)); n != 1 {
		t.Errorf("%d of the labels are unmatched, want 1", n)
	}
	unmatched(2, hours(2))

	l.stop()
	l = start(t, dir, Options{})
	unmatched(2, hours(2))
	l.append(record(2, 0))
	unmatched(1, hours(3))
	if got := truth(t, l, prediction.Query{Key: "b-2"}); got == nil || got.Value != "0" {
		t.Errorf("label %+v, want the newest of those that waited", got)
	}
	l.append(record(3, 0))
	unmatched(0, time.Time{})
	if got := truth(t, l, prediction.Query{Key: "b-3"}); got == nil || got.Value != "1" {
		t.Errorf("label %+v, want the one that waited by id", got)
	}
	l.seal()
	if n := l.label(keyed("b-1", "0", 5), keyed("b-2", "1", 6)); n != 0 {
		t.Errorf("%d labels of sealed predictions are unmatched, want 0", n)
	}
}

func TestALabelJoinsItsModelOnly(t *testing.T) {
	l := start(t, t.TempDir(), Options{})
	l.append(record(1, 0))
	x := keyed("b-1", "1", 1)
	x.Model = "other"
	if n := l.label(x); n != 1 {
		t.Errorf("%d unmatched, want 1", n)
	}
	if got := truth(t, l, prediction.Query{}); got != nil {
		t.Errorf("label %+v of another model", got)
	}
	other := record(1, 0)
	other.Model = "other"
	l.append(other)
	if got := scanAll(t, l.Log, prediction.Query{Model: "other"}); len(got) != 1 || got[0].Label == nil {
		t.Errorf("%+v, want one row with its label", got)
	}
}

func TestALabelThatSaysNothingIsRefusedWhole(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*prediction.Label)
	}{
		{"no name", func(x *prediction.Label) { x.Key = "" }},
		{"two names", func(x *prediction.Label) { x.ID = record(1, 0).ID }},
		{"an id that is none", func(x *prediction.Label) { x.Key, x.ID = "", "a/b" }},
		{"no value", func(x *prediction.Label) { x.Value = "" }},
		{"no model", func(x *prediction.Label) { x.Model = "" }},
		{"no time", func(x *prediction.Label) { x.At, x.Received = time.Time{}, time.Time{} }},
		{"a key that is not text", func(x *prediction.Label) { x.Key = "\xff" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := start(t, t.TempDir(), Options{})
			l.append(record(1, 0))
			bad := keyed("b-1", "0", 2)
			c.spoil(&bad)
			if _, err := l.AppendLabels(context.Background(), keyed("b-1", "1", 1), bad); !fault.Is(err, fault.Invalid) {
				t.Errorf("labels: %v, want an invalid fault", err)
			}
			if got := truth(t, l, prediction.Query{}); got != nil {
				t.Errorf("label %+v was kept", got)
			}
		})
	}
}
