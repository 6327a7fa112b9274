// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"flyball/fault"
	"flyball/serving/prediction"
)

// stagedRows counts what is on disk, apart from what waits.
func stagedCount(t *testing.T, l *Log) int {
	t.Helper()
	var n sql.NullInt64
	if err := l.read.QueryRow(`SELECT sum(rows) FROM chunk`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return int(n.Int64)
}

func TestRowsThatNobodyWaitsForAreOnDiskWithinASecond(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := start(t, dir, Options{})
		if err := l.Append(t.Context(), false, false, record(1, 0)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := stagedCount(t, l.Log); n != 0 {
			t.Errorf("%d rows are on disk at once, want 0: commits are grouped", n)
		}
		time.Sleep(500 * time.Millisecond) // of the bubble's clock
		synctest.Wait()
		if n := stagedCount(t, l.Log); n != 1 {
			t.Errorf("%d rows are on disk after half a second, want 1", n)
		}
		l.stop()
	})
}

func TestRunSealsEveryHour(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := start(t, dir, Options{})
		r := record(1, 0)
		r.Time = time.Now() // 2000-01-01 00:00:00 in a bubble
		l.append(r)
		for _, step := range []struct{ hours, want int }{{1, 0}, {1, 1}} {
			time.Sleep(time.Duration(step.hours)*time.Hour + time.Second)
			synctest.Wait()
			if got := len(sealedFiles(t, dir)); got != step.want {
				t.Errorf("at %v there are %d files, want %d", time.Now().UTC(), got, step.want)
			}
		}
		l.stop()
	})
}

// hold takes SQLite's write lock, as a forgotten shell does, until it is let go.
func hold(t *testing.T, l *Log) (letGo func()) {
	t.Helper()
	tx, err := openOther(t, l).Begin()
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
}

func openOther(t *testing.T, l *Log) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", dsn(l.dir+"/staged.db", l.opts, "immediate"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestAFullQueueDropsAndCounts(t *testing.T) {
	l := start(t, t.TempDir(), Options{QueueRows: 3, busy: time.Minute, FlushEvery: time.Hour})
	letGo := hold(t, l.Log)
	for i := 1; i <= 5; i++ {
		if err := l.Append(context.Background(), false, false, record(i, 0)); fault.Is(err, fault.Unavailable) != (i > 3) {
			t.Errorf("append %d: %v", i, err)
		}
	}
	if n := l.Dropped(); n != 2 {
		t.Errorf("%d rows were dropped, want 2", n)
	}
	letGo()
	if got := keysOf(scanAll(t, l.Log, prediction.Query{Model: "m"})); fmt.Sprint(got) != "[b-1 b-2 b-3]" {
		t.Errorf("kept %q, want the first three", got)
	}
}

func TestWhatIsLargerThanTheQueueGoesThroughAlone(t *testing.T) {
	l := start(t, t.TempDir(), Options{QueueRows: 2, QueueBytes: 10})
	l.append(record(1, 0), record(2, 0), record(3, 0))
	if got := scanAll(t, l.Log, prediction.Query{Model: "m"}); len(got) != 3 {
		t.Errorf("%d rows, want 3", len(got))
	}
}

func TestAFullQueueWaitsForRoomWhenAsked(t *testing.T) {
	for _, c := range []struct {
		name          string
		durable, wait bool
	}{{"when_full: wait", false, true}, {"durable rows always wait", true, false}} {
		t.Run(c.name, func(t *testing.T) {
			l := start(t, t.TempDir(), Options{QueueRows: 1, busy: time.Minute})
			letGo := hold(t, l.Log)
			if err := l.Append(context.Background(), false, false, record(1, 0)); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if err := l.Append(ctx, c.durable, c.wait, record(9, 0)); !fault.Is(err, fault.Unavailable) {
				t.Errorf("a caller that gives up: %v, want an unavailable fault", err)
			}
			done := make(chan error)
			go func() { done <- l.Append(context.Background(), c.durable, c.wait, record(2, 0)) }()
			letGo()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if got := keysOf(scanAll(t, l.Log, prediction.Query{Model: "m"})); fmt.Sprint(got) != "[b-1 b-2]" {
				t.Errorf("kept %q, want both", got)
			}
		})
	}
}

func TestALockedFileIsToldAndRowsThatNobodyWaitsForAreWrittenLater(t *testing.T) {
	var said strings.Builder
	l := start(t, t.TempDir(), Options{
		busy: time.Millisecond, FlushEvery: time.Hour, Logger: slog.New(slog.NewTextHandler(&said, nil)),
	})
	letGo := hold(t, l.Log)
	if err := l.Append(context.Background(), false, false, record(1, 0)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		err := l.Append(context.Background(), true, false, record(2, 0))
		if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "another program holds a lock on staged.db") {
			t.Errorf("append: %v", err)
		}
	}
	letGo()
	l.append(record(3, 0))
	if got := keysOf(scanAll(t, l.Log, prediction.Query{Model: "m"})); fmt.Sprint(got) != "[b-1 b-3]" {
		t.Errorf("kept %q, want b-1, which nobody waited for, and b-3", got)
	}
	l.stop()
	if n := strings.Count(said.String(), "does not take rows"); n != 1 {
		t.Errorf("the failure was logged %d times, want once", n)
	}
	if !strings.Contains(said.String(), "takes rows again") {
		t.Error("the recovery was not logged")
	}
}

func TestAFullDiskIsTold(t *testing.T) {
	l := start(t, t.TempDir(), Options{maxPages: 40})
	big := record(1, 0)
	big.Row = []byte(`"` + strings.Repeat("x", 1<<20) + `"`)
	err := l.Append(context.Background(), true, false, big)
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("append: %v", err)
	}
	l.append(record(2, 0))
	l.label(keyed("b-1", "1", 0))
	if got := keysOf(scanAll(t, l.Log, prediction.Query{Model: "m"})); fmt.Sprint(got) != "[b-2]" {
		t.Errorf("kept %q, want b-2 alone: nothing half written", got)
	}
}

func TestRowsThatCannotBeWrittenAtTheEndAreToldAndCounted(t *testing.T) {
	l, err := Open(t.TempDir(), Options{maxPages: 40})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	<-l.Ready()
	big := record(1, 0)
	big.Row = []byte(`"` + strings.Repeat("x", 1<<20) + `"`)
	if err := l.Append(ctx, false, false, big); err != nil {
		t.Fatal(err)
	}
	cancel()
	err = <-done
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "1 predictions that nobody waited for are lost") || l.Dropped() != 1 {
		t.Errorf("run: %v, %d dropped", err, l.Dropped())
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
