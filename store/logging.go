// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"slices"
	"sync"

	"flyball/experiment"
	"flyball/fault"
)

// logging is a batch that waits to be written.
type logging struct {
	batch   experiment.Batch
	single  bool
	size    int   // of the batch in memory, in bytes
	refused error // why it alone is left out of the transaction
	err     error // why it was not written
	leads   bool  // it was told to write, or is about to be
	turn    chan bool
}

// loggers are those who log at once. The first writes what waits in one transaction;
// when it is done it hands that on to one who came meanwhile. So the more come, the
// more share a transaction, nobody waits for a timer, and there is no goroutine to
// stop. The zero value is ready.
type loggers struct {
	mu      sync.Mutex
	waiting []*logging
	size    int  // of what waits, in bytes
	writing bool // somebody writes
}

// What may wait and what one transaction takes, in batches and in bytes.
const (
	mostWaiting     = 2048
	mostWaitingSize = 32 << 20
	mostGroup       = 64
	mostGroupSize   = 1 << 20
)

func newLogging(b experiment.Batch, single bool) *logging {
	return &logging{batch: b, single: single, size: size(b), turn: make(chan bool, 1)}
}

// size is about how many bytes a batch takes in memory.
func size(b experiment.Batch) int {
	n := 128 * (len(b.Metrics) + len(b.Params) + len(b.Tags))
	for _, m := range b.Metrics {
		n += len(m.Key) + len(m.DatasetName)
	}
	for _, p := range b.Params {
		n += len(p.Key) + len(p.Value)
	}
	for _, t := range b.Tags {
		n += len(t.Key) + len(t.Value)
	}
	return n
}

// Log keeps a batch; see experiment.Runs. When more waits than memory should hold it
// is an Exhausted fault, and nothing was written.
func (db *DB) Log(ctx context.Context, b experiment.Batch, single bool) error {
	l := newLogging(b, single)
	leads, err := db.loggers.join(l)
	if err != nil {
		return err
	}
	if !leads {
		select {
		case leads = <-l.turn:
		case <-ctx.Done():
			if db.loggers.leave(l) {
				return ctx.Err()
			}
			leads = <-l.turn // it is being written: say how that ends
		}
	}
	if leads {
		group := db.loggers.take()
		defer db.loggers.done(l, group) // also when writing panics, or the others would wait forever
		db.logGroup(context.WithoutCancel(ctx), group)
	}
	return l.err
}

// logGroup writes a group in one transaction; when that fails for something in it,
// each by itself. It puts into each why it was not written.
func (db *DB) logGroup(ctx context.Context, group []*logging) {
	err := db.atomic(ctx, "the batch was not written", func(t *tx) error { return t.log(ctx, group) })
	switch {
	case err == nil:
		for _, l := range group {
			l.err = l.refused
		}
	case len(group) == 1 || fault.Is(err, fault.Unavailable):
		for _, l := range group {
			l.err = err
		}
	default:
		for i := range group {
			db.logGroup(ctx, group[i:i+1])
		}
	}
}

// join has l wait, or lead when nobody writes.
func (g *loggers) join(l *logging) (leads bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) >= mostWaiting || g.size > mostWaitingSize {
		return false, fault.New(fault.Exhausted, "more is logged at once than the database can write").Do("try again in a moment")
	}
	g.waiting = append(g.waiting, l)
	g.size += l.size
	l.leads = !g.writing
	g.writing = true
	return l.leads, nil
}

// leave takes l out again, unless it is being written or has the lead.
func (g *loggers) leave(l *logging) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, l)
	if i < 0 || l.leads {
		return false
	}
	g.waiting = slices.Delete(g.waiting, i, i+1)
	g.size -= l.size
	return true
}

// take is what the next transaction writes; the leader is the first of it.
func (g *loggers) take() []*logging {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, bytes := 0, 0
	for n < len(g.waiting) && n < mostGroup {
		bytes += g.waiting[n].size
		if n > 0 && bytes > mostGroupSize {
			break
		}
		n++
	}
	group := slices.Clone(g.waiting[:n])
	g.waiting = slices.Delete(g.waiting, 0, n)
	for _, l := range group {
		l.err = errNotWritten
		g.size -= l.size
	}
	return group
}

var errNotWritten = fault.New(fault.Internal, "the batch was not written")

// done hands the lead on and tells the group.
func (g *loggers) done(leader *logging, group []*logging) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) > 0 {
		g.waiting[0].leads = true
		g.waiting[0].turn <- true
	} else {
		g.writing = false
	}
	for _, l := range group {
		if l != leader {
			l.turn <- false
		}
	}
}
