// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"flyball/experiment"
	"flyball/fault"
	"flyball/ident"
	"flyball/store"
)

func TestTwoServersLogToTheSameRuns(t *testing.T) {
	dsn := server.DSN(t)
	servers := []*store.DB{open(t, dsn), open(t, dsn)}
	ctx := context.Background()
	for _, id := range []string{"a", "b"} {
		if err := servers[0].CreateRun(ctx, runOf(id)); err != nil {
			t.Fatal(err)
		}
	}
	const clients, batches = 8, 15
	var all sync.WaitGroup
	for c := range 2 * clients {
		all.Go(func() {
			db := servers[c%2]
			for n := range batches {
				b := experiment.Batch{Run: runOf([]string{"a", "b"}[n%2]).ID}
				for i := range 20 { // each in its own order, new names among them
					key := fmt.Sprintf("m%d", (i*7+c+n*3)%40)
					b.Metrics = append(b.Metrics, experiment.Metric{Key: key, Step: int64(1000*c + n), Value: float64(i)})
					b.Params = append(b.Params, experiment.Param{Key: key, Value: "same"})
					b.Tags = append(b.Tags, experiment.Tag{Key: key, Value: fmt.Sprint(c)})
				}
				if err := db.Log(ctx, b, false); err != nil {
					t.Error(err)
				}
				conflict := experiment.Batch{Run: b.Run, Params: []experiment.Param{{Key: "whose", Value: fmt.Sprint(c % 2)}}}
				if err := db.Log(ctx, conflict, true); err != nil && !fault.Is(err, fault.Invalid) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	points := 0
	for _, id := range []string{"a", "b"} {
		one, err := servers[0].Run(ctx, runOf(id).ID)
		if err != nil {
			t.Fatal(err)
		}
		two, err := servers[1].Run(ctx, runOf(id).ID)
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(one) != fmt.Sprint(two) || len(one.Metrics) != 40 || len(one.Params) != 41 || len(one.Tags) != 40 {
			t.Errorf("run %s: got %d metrics, %d params, %d tags; want 40, 41, 40, the same on both servers", id, len(one.Metrics), len(one.Params), len(one.Tags))
		}
		for _, m := range one.Metrics {
			for p, err := range servers[1].Points(ctx, one.ID, m.Key) {
				if err != nil {
					t.Fatal(err)
				}
				if points++; p.Step > m.Step {
					t.Errorf("the latest point of %s is at step %d, and there is one at %d", m.Key, m.Step, p.Step)
				}
			}
		}
	}
	if want := 2 * clients * batches * 20; points != want {
		t.Errorf("got %d points, want %d", points, want)
	}
}

func runOf(id string) experiment.Run {
	return experiment.Run{ID: ident.RunID("run-" + id), Status: experiment.Running}
}
