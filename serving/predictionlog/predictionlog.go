// SPDX-License-Identifier: Apache-2.0

// Package predictionlog keeps predictions and their labels on disk. Rows are staged
// in an SQLite file of its own by one writer that groups commits, and sealed by the
// event hour into Parquet files that any tool reads (docs/formats/predictions.md).
// Labels stay in SQLite: they are corrected long after the predictions they belong
// to are sealed, and a file that is never rewritten cannot hold them. So do the groups
// that rows belong to: they are kept apart from the rows, and may go before them. It does
// not judge what it keeps; packages monitoring and training do.
package predictionlog

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/fault"
	"flyball/governance/audit"
	"flyball/serving/prediction"
)

var _ prediction.Log = (*Log)(nil)

// Options are what a Log is opened with. The zero value is a good default.
type Options struct {
	Logger  *slog.Logger          // nil: slog.Default()
	Metrics prometheus.Registerer // nil: none

	QueueRows  int           // rows that wait for a commit; 0: 65,536
	QueueBytes int           // bytes that wait for a commit; 0: 64 MiB
	FlushEvery time.Duration // longest wait of a row that is not durable; 0: 500 ms
	SealEvery  time.Duration // between two seals by Run, in real time; 0: 1 h
	SealAfter  time.Duration // how long after the end of its event hour a row is sealed by Run; 0: 1 h

	KeepFor   time.Duration    // whole days that ended longer ago are removed after a seal; 0: none
	KeepAudit time.Duration    // the groups of rows of whole days that ended longer ago are removed after a seal; 0: with their predictions
	KeepBytes int64            // the oldest days are removed while the sealed files have more; 0: no bound
	Now       func() time.Time // of KeepFor, KeepAudit, of what is told and of Shipped; nil: time.Now

	Shipping Shipping      // what becomes of what is staged; zero: it is kept here
	Late     time.Duration // how long after its answer a record may be appended; 0: 1 min

	// Tell enters what happened to a sealed file into the audit chain, once: what it knows
	// already changes nothing. A Conflict fault says that the chain knows other bytes. nil:
	// it waits for a Log that tells.
	Tell func(ctx context.Context, n audit.News) error

	busy     time.Duration // how long to wait for another program's lock on the file; 0: 5 s
	maxPages int           // bound of the staging file, in pages; 0: none. For tests of a full disk.
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	for _, d := range []struct {
		have *time.Duration
		want time.Duration
	}{
		{&o.FlushEvery, 500 * time.Millisecond}, {&o.SealEvery, time.Hour}, {&o.SealAfter, time.Hour}, {&o.Late, time.Minute}, {&o.busy, 5 * time.Second},
	} {
		if *d.have <= 0 {
			*d.have = d.want
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.QueueRows <= 0 {
		o.QueueRows = 1 << 16
	}
	if o.QueueBytes <= 0 {
		o.QueueBytes = 64 << 20
	}
	return o
}

// The states of a Log. It goes through them once, in this order.
const (
	idle    = iota // opened; Run was not called yet
	running        // Run is at work
	ended          // Run has returned or is writing what is left
)

// Log is a prediction.Log in a folder. Open it, keep Run running, and Close it when
// Run has returned. Scan, Seal and Unmatched work from Open to Close; Append and
// AppendLabels only while Run is at work, and are Unavailable faults else. All
// methods may be called at once.
//
// Times are kept to the microsecond, in UTC. A record that was appended twice under
// one id is one record; the same key predicted twice is two, and a label of that key
// joins both.
type Log struct {
	opts    Options
	dir     string
	lock    *os.File
	write   *sql.DB // one connection
	read    *sql.DB
	metrics *metrics

	mu    sync.Mutex
	state int
	queue []*item
	rows  int           // in queue and in the commit under way
	bytes int           // the same, as encoded
	room  chan struct{} // closed and replaced when rows have left
	wake  chan struct{} // asks the writer for a commit now
	ready chan struct{} // closed when Run begins

	forgot chan struct{} // of size 1: something was forgotten

	sealing  sync.Mutex   // held by Seal
	shipping sync.Mutex   // held by Ship
	dropped  atomic.Int64 // rows
	failing  bool         // the last commit failed; the writer's own

	writing sync.Mutex       // held by a transaction that may use what follows
	parts   map[part]int64   // ids of parts
	waiting map[string]int64 // names that wait for their prediction, by model
}

// Open opens the log in dir, making it where there is none, and puts right what a
// crash has left. It starts nothing. A folder that another process has open is a
// Conflict fault; one that a newer version has written an Invalid one.
func Open(dir string, opts Options) (*Log, error) {
	opts = opts.withDefaults()
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the folder %s of the prediction log cannot be made", dir)
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	l := &Log{
		opts: opts, dir: dir, lock: lock,
		room: make(chan struct{}), wake: make(chan struct{}, 1), ready: make(chan struct{}), forgot: make(chan struct{}, 1),
		parts: map[part]int64{}, waiting: map[string]int64{},
	}
	if err := l.open(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.metrics = newMetrics(opts.Metrics, l)
	return l, nil
}

func (l *Log) open() error {
	ctx := context.Background()
	path := filepath.Join(l.dir, "staged.db")
	var err error
	if l.write, err = openWrite(ctx, path, l.opts); err != nil {
		return err
	}
	if l.read, err = openRead(path, l.opts); err != nil {
		return err
	}
	if err := l.openShipping(ctx); err != nil {
		return err
	}
	if err := l.loadWaiting(ctx); err != nil {
		return err
	}
	return l.repair(ctx)
}

// Close gives the folder back. It must not be called while Run, Scan or Seal is at
// work. Closing twice is closing once.
func (l *Log) Close() error {
	l.mu.Lock()
	l.state = ended
	l.mu.Unlock()
	var errs []error
	for _, db := range []*sql.DB{l.read, l.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if err := errors.Join(errs...); err != nil {
		_ = l.lock.Close()
		return fault.Wrap(err, fault.Unavailable, "the prediction log cannot be closed")
	}
	if err := l.lock.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fault.Wrap(err, fault.Unavailable, "the lock of the prediction log cannot be given back")
	}
	return nil
}
