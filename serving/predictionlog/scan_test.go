// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"flyball/fault"
	"flyball/ident"
	"flyball/serving/prediction"
)

// keysOf are the keys of the rows in their order, each with its label.
func keysOf(js []prediction.Joined) []string {
	out := make([]string, len(js))
	for i, j := range js {
		out[i] = j.Key
		if j.Label != nil {
			out[i] += "=" + j.Label.Value
		}
	}
	return out
}

func hours(h float64) time.Time { return noon.Add(time.Duration(h * float64(time.Hour))) }

// states are the ways in which the same rows may lie on disk.
var states = []struct {
	name string
	seal []time.Time // seals after the first half of the rows, then after all
}{
	{"all staged", nil},
	{"the first half sealed", []time.Time{hours(1000)}},
	{"all sealed, in two files a day", []time.Time{hours(1000), hours(1000)}},
	{"the days before sealed", []time.Time{hours(-30), hours(13)}},
}

func TestAQuerySelects(t *testing.T) {
	rows := []prediction.Record{
		record(1, 0), record(2, 30), record(3, -40), record(4, 1), record(5, 0.5), record(6, 1), record(7, 72), record(8, 1.5),
	}
	rows[3].Due = hours(2)       // b-4, at 1 h
	rows[4].At = hours(50)       // b-5, at 0.5 h, answered late
	rows[7].Key = "b-1"          // predicted again, at 1.5 h
	rows[7].ID = record(0, 0).ID // made first, asked later
	rows[1].Version, rows[1].Arm, rows[1].Decision = 9, prediction.Candidate, "sell"
	rows[2].Flags = []string{"unseen:agent", "fallback"}
	labels := []prediction.Label{
		keyed("b-1", "1", 10), keyed("b-2", "0", 40), keyed("b-2", "7", 60), {Model: "m", ID: rows[3].ID, Value: "5", At: noon, Received: hours(3)},
	}
	cases := []struct {
		name string
		q    prediction.Query
		want []string
	}{
		{"all, in order of event time, then id", prediction.Query{}, []string{"b-3", "b-1=1", "b-5", "b-4=5", "b-6", "b-1=1", "b-2=7", "b-7"}},
		{"from a time on, which is included", prediction.Query{From: hours(1)}, []string{"b-4=5", "b-6", "b-1=1", "b-2=7", "b-7"}},
		{"from a nanosecond later", prediction.Query{From: hours(1).Add(1)}, []string{"b-1=1", "b-2=7", "b-7"}},
		{"before a time, which is not", prediction.Query{To: hours(1)}, []string{"b-3", "b-1=1", "b-5"}},
		{"before a nanosecond later", prediction.Query{To: hours(1).Add(1)}, []string{"b-3", "b-1=1", "b-5", "b-4=5", "b-6"}},
		{"between days", prediction.Query{From: hours(-12), To: hours(12)}, []string{"b-1=1", "b-5", "b-4=5", "b-6", "b-1=1"}},
		{"an empty time", prediction.Query{From: hours(2), To: hours(2)}, []string{}},
		{"due by a time, which is included", prediction.Query{DueBy: hours(2)}, []string{"b-3", "b-4=5"}},
		{"due by a moment before", prediction.Query{DueBy: hours(2).Add(-time.Microsecond)}, []string{"b-3"}},
		{"as of a time: answered by then, with the labels received by then", prediction.Query{AsOf: hours(40)}, []string{"b-3", "b-1=1", "b-4=5", "b-6", "b-1=1", "b-2=0"}},
		{"as of the first label", prediction.Query{AsOf: hours(3)}, []string{"b-3", "b-1", "b-4=5", "b-6", "b-1"}},
		{"a key that was predicted twice", prediction.Query{Key: "b-1"}, []string{"b-1=1", "b-1=1"}},
		{"a key and a time", prediction.Query{Key: "b-1", From: hours(1)}, []string{"b-1=1"}},
		{"answered since", prediction.Query{Since: hours(50)}, []string{"b-5", "b-7"}},
		{"what a version answered", prediction.Query{Version: 9}, []string{"b-2=7"}},
		{"what a role answered", prediction.Query{Arm: prediction.Candidate}, []string{"b-2=7"}},
		{"with a decision", prediction.Query{Decision: "sell", Last: 2}, []string{"b-2=7"}},
		{"with a flag", prediction.Query{Flag: "fallback"}, []string{"b-3"}},
		{"with a kind of flag", prediction.Query{Flag: "unseen"}, []string{"b-3"}},
		{"with no such flag", prediction.Query{Flag: "uns"}, nil},
		{"whose truth is known", prediction.Query{Truth: "known"}, []string{"b-1=1", "b-4=5", "b-1=1", "b-2=7"}},
		{"the last two whose truth is known", prediction.Query{Truth: "known", Last: 2}, []string{"b-1=1", "b-2=7"}},
		{"the last whose truth is waited for", prediction.Query{Truth: "waiting", Last: 1}, []string{"b-7"}},
		{"the last of a key", prediction.Query{Key: "b-1", Last: 1}, []string{"b-1=1"}},
		{"an unknown key", prediction.Query{Key: "b-9"}, []string{}},
		{"an id", prediction.Query{ID: record(6, 0).ID}, []string{"b-6"}},
		{"an id and a key that is not its own", prediction.Query{ID: record(6, 0).ID, Key: "b-1"}, []string{}},
		{"an unknown id", prediction.Query{ID: record(99, 0).ID}, []string{}},
		{"the last three, oldest first", prediction.Query{Last: 3}, []string{"b-1=1", "b-2=7", "b-7"}},
		{"the last five cut between two rows of one time", prediction.Query{Last: 4}, []string{"b-6", "b-1=1", "b-2=7", "b-7"}},
		{"more than there are", prediction.Query{Last: 100}, []string{"b-3", "b-1=1", "b-5", "b-4=5", "b-6", "b-1=1", "b-2=7", "b-7"}},
		{"the last before a time", prediction.Query{Last: 2, To: hours(1.5)}, []string{"b-4=5", "b-6"}},
		{"the last that are due", prediction.Query{Last: 1, DueBy: hours(24)}, []string{"b-4=5"}},
		{"another model", prediction.Query{Model: "other"}, []string{}},
	}
	for _, s := range states {
		t.Run(s.name, func(t *testing.T) {
			l := start(t, t.TempDir(), Options{})
			half := len(rows) / 2
			l.append(rows[:half]...)
			sealAt(t, l, s.seal, 0)
			l.append(rows[half:]...)
			sealAt(t, l, s.seal, 1)
			l.label(labels...)
			for _, c := range cases {
				if c.q.Model == "" {
					c.q.Model = "m"
				}
				if got := keysOf(scanAll(t, l.Log, c.q)); !slices.Equal(got, c.want) {
					t.Errorf("%s: got %q, want %q", c.name, got, c.want)
				}
			}
		})
	}
}

func sealAt(t *testing.T, l *atWork, when []time.Time, i int) {
	t.Helper()
	if i >= len(when) {
		return
	}
	if _, err := l.Seal(context.Background(), when[i], 0); err != nil {
		t.Fatal(err)
	}
}

func TestAQueryThatCannotBeAnsweredIsRefused(t *testing.T) {
	l := start(t, t.TempDir(), Options{})
	for _, q := range []prediction.Query{{}, {Model: "../m"}, {Model: "m", Last: -1}} {
		err := l.Scan(context.Background(), q, func(prediction.Joined) error { return nil })
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v, want an invalid fault", q, err)
		}
	}
}

// TestManyRowsAreFoundByAnyQuery compares a log of some thousand rows, over days,
// sealed now and then, with a plain list of them.
func TestManyRowsAreFoundByAnyQuery(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	l := start(t, t.TempDir(), Options{})
	var all []prediction.Record
	for i := range 5000 {
		r := record(i, rng.Float64()*100)
		r.Time = r.Time.Truncate(time.Microsecond)
		r.Key = fmt.Sprint("k", rng.IntN(2000))
		r.Due = r.Time.Add(time.Duration(rng.IntN(90)) * time.Hour)
		r.At = hours(float64(i) / 50).Truncate(time.Microsecond)
		all = append(all, r)
	}
	for i := 0; i < len(all); i += 500 {
		l.append(all[i : i+500]...)
		if _, err := l.Seal(context.Background(), hours(float64(i)/50), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	slices.SortFunc(all, inOrder)
	for n := range 60 {
		q := prediction.Query{Model: "m"}
		oneIn := func(share int) bool { return rng.IntN(share) == 0 }
		if oneIn(2) {
			q.From = hours(rng.Float64() * 100)
		}
		if oneIn(2) {
			q.To = hours(rng.Float64() * 100)
		}
		if oneIn(2) {
			q.DueBy = hours(rng.Float64() * 150)
		}
		if oneIn(3) {
			q.AsOf = hours(rng.Float64() * 100)
		}
		switch rng.IntN(4) {
		case 0:
			q.Key = all[rng.IntN(len(all))].Key
		case 1:
			q.ID = all[rng.IntN(len(all))].ID
		}
		if oneIn(2) {
			q.Last = 1 + rng.IntN(700)
		}
		var want []ident.PredictionID
		for _, r := range all {
			if (q.From.IsZero() || !r.Time.Before(q.From)) && (q.To.IsZero() || r.Time.Before(q.To)) &&
				(q.DueBy.IsZero() || !r.Due.After(q.DueBy)) && (q.AsOf.IsZero() || !r.At.After(q.AsOf)) &&
				(q.Key == "" || q.Key == r.Key) && (q.ID == "" || q.ID == r.ID) {
				want = append(want, r.ID)
			}
		}
		if q.Last > 0 && len(want) > q.Last {
			want = want[len(want)-q.Last:]
		}
		var got []ident.PredictionID
		for _, j := range scanAll(t, l.Log, q) {
			got = append(got, j.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("query %d, %+v: %d rows, want %d", n, q, len(got), len(want))
		}
	}
}

func TestAScanEndsWithItsContext(t *testing.T) {
	l := start(t, t.TempDir(), Options{})
	l.append(record(1, 0))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := l.Scan(ctx, prediction.Query{Model: "m"}, func(prediction.Joined) error { return nil })
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("scan: %v, want an unavailable fault", err)
	}
}

func TestRowsOfOneTimeAreCutByIDWhereverTheyLie(t *testing.T) {
	l := start(t, t.TempDir(), Options{})
	// In three places: the greatest id in the one that is looked at last.
	l.append(record(3, 0))
	l.seal()
	l.append(record(2, 0))
	l.seal()
	l.append(record(1, 0))
	for last, want := range map[int]string{1: "[b-3]", 2: "[b-2 b-3]", 3: "[b-1 b-2 b-3]"} {
		if got := keysOf(scanAll(t, l.Log, prediction.Query{Model: "m", Last: last})); fmt.Sprint(got) != want {
			t.Errorf("the last %d are %q, want %s", last, got, want)
		}
	}
}

func TestAFileOfManyRowsIsReadWhereItIsAsked(t *testing.T) {
	l := start(t, t.TempDir(), Options{})
	rs := make([]prediction.Record, 10_000)
	for i := range rs {
		rs[i] = record(i, float64(i)/10_000)
		rs[i].Due = hours(float64(i % 1000))
	}
	l.append(rs...)
	l.seal()
	for _, i := range []int{0, 1023, 1024, 1025, 5000, 9999} {
		want := fmt.Sprintf("[b-%d]", i)
		for _, q := range []prediction.Query{
			{Model: "m", Key: rs[i].Key}, {Model: "m", ID: rs[i].ID}, {Model: "m", From: rs[i].Time.Truncate(time.Microsecond), Last: 10_000 - i},
		} {
			got := scanAll(t, l.Log, q)
			if len(got) == 0 || got[0].Key != rs[i].Key || string(got[0].Row) != string(rs[i].Row) || q.Last == 0 && len(got) != 1 {
				t.Errorf("%+v: %q, want %s", q, keysOf(got), want)
			}
		}
	}
	var want []string
	for i := 0; i < len(rs); i += 1000 {
		want = append(want, rs[i].Key)
	}
	if got := keysOf(scanAll(t, l.Log, prediction.Query{Model: "m", DueBy: hours(0)})); !slices.Equal(got, want) {
		t.Errorf("due by noon are %q, want %q", got, want)
	}
	kept := scanAll(t, l.Log, prediction.Query{Model: "m"})
	for i, j := range kept { // what a visitor keeps must not change under it
		if j.ID != rs[i].ID || j.Key != rs[i].Key || string(j.Row) != string(rs[i].Row) || j.Scores[0] != 0.25 {
			t.Fatalf("row %d is %+v", i, j.Record)
		}
	}
}
