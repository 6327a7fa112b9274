// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"flyball/experiment"
	"flyball/fault"
	"flyball/ident"
)

// waiting is a batch of so many bytes.
func waiting(size int) *logging { return &logging{size: size, turn: make(chan bool, 1)} }

func TestTheFirstLeadsAndHandsTheLeadOn(t *testing.T) {
	var g loggers
	a, b, c := waiting(1), waiting(1), waiting(1)
	for i, l := range []*logging{a, b} {
		if leads, err := g.join(l); leads != (i == 0) || err != nil {
			t.Fatalf("%d: got %v, %v", i, leads, err)
		}
	}
	group := g.take()
	if len(group) != 2 || group[0] != a || group[1] != b {
		t.Fatalf("got %d in the group, want both in order", len(group))
	}
	if leads, err := g.join(c); leads || err != nil {
		t.Fatalf("got %v, %v: two lead", leads, err)
	}
	g.done(a, group)
	if <-b.turn || !<-c.turn {
		t.Error("want b done and c to lead")
	}
	if g.leave(c) {
		t.Error("who leads cannot leave")
	}
	g.done(c, g.take())
	if d := waiting(1); g.size != 0 || len(g.waiting) != 0 {
		t.Errorf("%d of size %d wait, want none", len(g.waiting), g.size)
	} else if leads, err := g.join(d); !leads || err != nil {
		t.Errorf("got %v, %v: nobody leads", leads, err)
	}
}

func TestWhoGivesUpLeavesAndTheOthersStay(t *testing.T) {
	var g loggers
	lead, a, b := waiting(1), waiting(2), waiting(3)
	for _, l := range []*logging{lead, a, b} {
		if _, err := g.join(l); err != nil {
			t.Fatal(err)
		}
	}
	if g.leave(lead) || !g.leave(a) || g.leave(a) {
		t.Error("want a to leave once, and the leader not")
	}
	if group := g.take(); len(group) != 2 || group[1] != b || g.size != 0 {
		t.Errorf("got %d in the group and %d left", len(group), g.size)
	}
	if g.leave(b) {
		t.Error("what is being written cannot leave")
	}
}

func TestATransactionTakesABoundedGroup(t *testing.T) {
	for _, c := range []struct {
		name string
		wait []int
		want []int // sizes of groups
	}{
		{"one that is too large by itself goes alone", []int{mostGroupSize + 1, 1, 1}, []int{1, 2}},
		{"what fits goes together", []int{mostGroupSize - 1, 1, 1}, []int{2, 1}},
		{"many small ones go by number", make([]int, mostGroup+1), []int{mostGroup, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var g loggers
			for _, n := range c.wait {
				if _, err := g.join(waiting(n)); err != nil {
					t.Fatal(err)
				}
			}
			var got []int
			for len(g.waiting) > 0 {
				got = append(got, len(g.take()))
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestMoreThanMemoryShouldHoldIsTurnedAway(t *testing.T) {
	for _, c := range []struct {
		name     string
		size     int
		accepted int
	}{
		{"by number", 0, mostWaiting},
		{"by size", 1 << 20, 33},
	} {
		t.Run(c.name, func(t *testing.T) {
			var g loggers
			n := 0
			for ; n < 10*mostWaiting; n++ {
				if _, err := g.join(waiting(c.size)); err != nil {
					if !fault.Is(err, fault.Exhausted) {
						t.Errorf("got %v, want exhausted", err)
					}
					break
				}
			}
			if n != c.accepted {
				t.Errorf("%d may wait, want %d", n, c.accepted)
			}
		})
	}
}

func TestTheSizeOfABatchIsAboutWhatItTakes(t *testing.T) {
	got := size(experiment.Batch{
		Metrics: []experiment.Metric{{Key: "four", DatasetName: "wine"}},
		Params:  []experiment.Param{{Key: "k", Value: "abc"}},
		Tags:    []experiment.Tag{{Key: "k", Value: "abc"}, {}},
	})
	if want := 4*128 + 8 + 4 + 4; got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}

func TestABatchThatBreaksTheTransactionTakesNoOtherAlong(t *testing.T) {
	db, ctx := openFile(t), context.Background()
	if err := db.CreateRun(ctx, experiment.Run{ID: "r"}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.write.Exec(`CREATE TRIGGER unlucky BEFORE INSERT ON metrics WHEN new.step = 13 BEGIN SELECT RAISE(ABORT, 'unlucky'); END`); err != nil {
		t.Fatal(err)
	}
	var group []*logging
	for i := range 20 {
		group = append(group, newLogging(experiment.Batch{
			Run: "r", Metrics: []experiment.Metric{{Key: "m", Step: int64(i)}}, Params: []experiment.Param{{Key: fmt.Sprint(i)}},
		}, false))
	}
	db.logGroup(ctx, group)
	for i, l := range group {
		if (l.err == nil) == (i == 13) {
			t.Errorf("batch %d: got %v", i, l.err)
		}
	}
	r, err := db.Run(ctx, "r")
	points, _, _ := db.History(ctx, "r", "m", experiment.Page{Limit: 100})
	if err != nil || len(r.Params) != 19 || len(points) != 19 {
		t.Errorf("got %d params and %d points, %v; want 19 of each", len(r.Params), len(points), err)
	}
}

func TestALeaderThatPanicsLeavesNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var db DB // without a database: writing panics
		told := make(chan error, 2)
		for range 2 {
			go func() {
				defer func() {
					if recover() != nil {
						told <- errors.New("panicked")
					}
				}()
				told <- db.Log(context.Background(), experiment.Batch{Run: ident.RunID("r")}, true)
			}()
		}
		for range 2 {
			if err := <-told; err == nil {
				t.Error("got no error")
			}
		}
		if db.loggers.writing || len(db.loggers.waiting) != 0 {
			t.Error("somebody still leads")
		}
	})
}
