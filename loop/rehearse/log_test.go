// SPDX-License-Identifier: Apache-2.0

package rehearse

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/event"
	"flyball/fault"
	"flyball/ident"
	"flyball/job"
	"flyball/serving/prediction"
	"flyball/serving/predictionlog"
	"flyball/serving/release"
)

var begin = time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC)

// record is an answer to a row that was asked so many minutes after begin.
func record(minutes int, version int) prediction.Record {
	at := begin.Add(time.Duration(minutes) * time.Minute)
	return prediction.Record{
		ID: ident.NewPredictionID(at), Model: "m", Version: version, Arm: prediction.Live, At: at, Time: at, Due: at.Add(48 * time.Hour),
		Key: fmt.Sprint("k", minutes%7), Row: json.RawMessage("{}"), Scores: []float64{float64(minutes)}, Decision: []string{"yes", "no"}[minutes%2],
	}
}

func TestTheLogInMemoryAnswersAsTheOneOnDisk(t *testing.T) {
	t.Parallel()
	disk, err := predictionlog.Open(t.TempDir(), predictionlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- disk.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := disk.Close(); err != nil {
			t.Error(err)
		}
	}()
	<-disk.Ready()
	memory := newLog()
	random := rand.New(rand.NewPCG(1, 2))
	var rs []prediction.Record
	var ls []prediction.Label
	for i := range 400 {
		r := record(i*13, 1+i/200)
		rs = append(rs, r)
		if i%3 > 0 {
			known := r.Time.Add(time.Duration(random.IntN(72)) * time.Hour)
			ls = append(ls, prediction.Label{Model: "m", ID: r.ID, Value: fmt.Sprint(i), At: known, Received: known})
		}
	}
	for _, l := range []prediction.Log{disk, memory} {
		if err := l.Append(ctx, true, true, rs...); err != nil {
			t.Fatal(err)
		}
		if n, err := l.AppendLabels(ctx, ls...); n != 0 || err != nil {
			t.Fatal(n, err)
		}
	}
	hour := func(n int) time.Time { return begin.Add(time.Duration(n) * time.Hour) }
	for _, q := range []prediction.Query{
		{},
		{From: hour(10)},
		{From: hour(10), To: hour(20)},
		{DueBy: hour(60)},
		{AsOf: hour(30)},
		{Since: hour(50)},
		{Key: "k3"},
		{ID: rs[5].ID},
		{Last: 9},
		{Version: 2},
		{Decision: "no", From: hour(3)},
		{Truth: "known", AsOf: hour(60)},
		{Truth: "waiting"},
		{Truth: "waiting", Last: 4},
	} {
		q.Model = "m"
		var got [2][]string
		for i, l := range []prediction.Log{disk, memory} {
			err := l.Scan(ctx, q, func(j prediction.Joined) error {
				truth := "?"
				if j.Label != nil {
					truth = j.Label.Value
				}
				got[i] = append(got[i], fmt.Sprint(j.Time.Unix(), " ", j.ID, " ", truth))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(got[0], got[1]) {
			t.Errorf("%+v: on disk %d rows, in memory %d, or others", q, len(got[0]), len(got[1]))
		}
	}
}

func TestRowsOfABatchAreAnsweredAtTheirTime(t *testing.T) {
	t.Parallel()
	l := newLog()
	r := record(90, 1)
	r.At = begin // of the batch
	if err := l.Append(t.Context(), false, true, r); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, asOf := range []time.Time{begin.Add(time.Hour), begin.Add(2 * time.Hour)} {
		if err := l.Scan(t.Context(), prediction.Query{Model: "m", AsOf: asOf}, func(prediction.Joined) error { seen++; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if seen != 1 {
		t.Errorf("it was seen %d times: not before it was asked, and then once", seen)
	}
}

func TestRowsThatComeLateAreSortedIn(t *testing.T) {
	t.Parallel()
	l := newLog()
	for _, minutes := range []int{30, 10, 20} {
		if err := l.Append(t.Context(), false, true, record(minutes, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.IsSortedFunc(l.rows, func(a, b prediction.Joined) int { return a.Time.Compare(b.Time) }) {
		t.Error("they are not in order")
	}
	for id, at := range l.places {
		if l.rows[at].ID != id {
			t.Error("a row is not where it is looked for")
		}
	}
}

func TestWhatSomebodyElseChangedIsNotOverwritten(t *testing.T) {
	t.Parallel()
	m, ctx := newMemory(), t.Context()
	first := release.State{ID: "m/1/1", Generation: 1}
	if err := m.SaveRelease(ctx, 1, first, nil, nil); !fault.Is(err, fault.Conflict) {
		t.Errorf("there is no release yet: %v", err)
	}
	if err := m.SaveRelease(ctx, 0, first, nil, nil, event.Event{Text: "one"}); err != nil {
		t.Fatal(err)
	}
	next := release.State{ID: "m/1/1", Generation: 2}
	if err := m.SaveRelease(ctx, 0, next, nil, nil); !fault.Is(err, fault.Conflict) {
		t.Errorf("it was changed meanwhile: %v", err)
	}
	if err := m.SaveRelease(ctx, 1, next, nil, nil, event.Event{Text: "two"}); err != nil {
		t.Fatal(err)
	}
	if got, _, _ := m.Release(ctx, "m"); got.Generation != 2 || len(m.releases) != 1 || len(m.events) != 2 {
		t.Errorf("got %+v, %d releases, %d events", got, len(m.releases), len(m.events))
	}
	if err := m.SaveLoop(ctx, "m", 3, nil, nil); !fault.Is(err, fault.Conflict) {
		t.Errorf("the loop's state was changed meanwhile: %v", err)
	}
}

func TestAJobIsDoneOnceForItsKey(t *testing.T) {
	t.Parallel()
	m, ctx := newMemory(), t.Context()
	for range 2 {
		if j, err := m.AddJob(ctx, job.Job{Kind: "train", Key: "m/1"}); err != nil || j.ID != "job-1" {
			t.Fatal(j, err)
		}
	}
	j, ok, err := m.ClaimJob(ctx, nil, "", 0, 0)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if _, ok, _ := m.ClaimJob(ctx, nil, "", 0, 0); ok {
		t.Error("it was claimed twice")
	}
	if err := m.EndJob(ctx, j.ID, j.Fence+1, job.Done, nil, "", begin); !fault.Is(err, fault.Conflict) {
		t.Errorf("another attempt has it: %v", err)
	}
	if err := m.EndJob(ctx, j.ID, j.Fence, job.Done, json.RawMessage("1"), "", begin); err != nil {
		t.Fatal(err)
	}
	if got, err := m.Job(ctx, j.ID); err != nil || got.State != job.Done || string(got.Result) != "1" {
		t.Error(got, err)
	}
}

func sortedKeys(m map[string]float64) string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.SortFunc(out, cmp.Compare)
	return strings.Join(out, ", ")
}
