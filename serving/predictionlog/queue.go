// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"sync"
	"time"

	"flyball/fault"
	"flyball/serving/prediction"
)

// item is what one caller hands to the writer.
type item struct {
	records []staged
	labels  []prediction.Label
	reasons []reasoned
	bytes   int
	done    chan outcome // of size 1; nil: nobody waits for the commit
}

// rows is how many places in the queue it takes.
func (it *item) rows() int { return len(it.records) + len(it.labels) + len(it.reasons) }

// outcome is what became of an item that somebody waits for.
type outcome struct {
	unmatched int
	err       error
}

// staged is a record as the writer needs it.
type staged struct {
	model         string
	time, due, at int64 // microseconds
	id, key       int64 // hashes of the names
	keyed         bool  // it has a key
	body          []byte
	audit         []byte // its groups; nil: none
}

// Append keeps records. When durable it returns after they are on disk, waiting for
// room in the queue where there is none. Otherwise it returns at once; without room
// it waits when wait is set, or else drops all of rs, counts them and says so in an
// Unavailable fault. A record that
// cannot be kept is an Invalid fault, and then none of rs is. An error of a durable
// append means that nothing was acknowledged: the rows may still be found when ctx
// ended before the commit did.
func (l *Log) Append(ctx context.Context, durable, wait bool, rs ...prediction.Record) error {
	if len(rs) == 0 {
		return nil
	}
	it, err := encode(rs)
	if err != nil {
		return err
	}
	if durable {
		it.done = make(chan outcome, 1)
	}
	if err := l.enter(ctx, it, durable || wait); err != nil || !durable {
		return err
	}
	_, err = l.await(ctx, it)
	return err
}

// AppendLabels returns after the labels are on disk, and tells how many of them name
// a prediction that is not known; a log that moves all it has knows none, and tells 0. The same label (name, value and At) sent again is
// one. A label that names none or two predictions, or has no value, is an Invalid
// fault, and then none of ls is kept.
func (l *Log) AppendLabels(ctx context.Context, ls ...prediction.Label) (unmatched int, err error) {
	if len(ls) == 0 {
		return 0, nil
	}
	it := &item{labels: make([]prediction.Label, len(ls)), done: make(chan outcome, 1)}
	for i, x := range ls {
		if err := checkLabel(&x); err != nil {
			return 0, err
		}
		it.labels[i] = x
		it.bytes += 64 + len(x.Key) + len(x.ID) + len(x.Value)
	}
	if err := l.enter(ctx, it, true); err != nil {
		return 0, err
	}
	return l.await(ctx, it)
}

// Flush returns when all that was appended before is on disk.
func (l *Log) Flush(ctx context.Context) error {
	l.mu.Lock()
	idle := l.rows == 0
	l.mu.Unlock()
	if idle {
		return nil
	}
	it := &item{done: make(chan outcome, 1)}
	if err := l.enter(ctx, it, true); err != nil {
		return err
	}
	_, err := l.await(ctx, it)
	return err
}

func encode(rs []prediction.Record) (*item, error) {
	it := &item{records: make([]staged, len(rs))}
	size := 0
	for i := range rs {
		if err := check(&rs[i]); err != nil {
			return nil, err
		}
		size += 192 + len(rs[i].Row) + len(rs[i].Key) + 64*len(rs[i].Others)
	}
	buf := make([]byte, 0, size)
	for i := range rs {
		r := rs[i]
		r.Row = clean(r.Row)
		from := len(buf)
		buf = appendRecord(buf, &r)
		it.records[i] = staged{
			model: r.Model, time: r.Time.UnixMicro(), due: r.Due.UnixMicro(), at: r.At.UnixMicro(),
			id: hashOf(idName(r.ID)), keyed: r.Key != "", body: buf[from:len(buf):len(buf)],
		}
		if r.Key != "" {
			it.records[i].key = hashOf(keyName(r.Key))
		}
		if len(r.Audit) > 0 {
			it.records[i].audit = appendAudit(nil, &r)
			it.bytes += len(it.records[i].audit)
		}
	}
	it.bytes += len(buf)
	return it, nil
}

// enter puts it in the queue. Without room it waits, or drops it.
func (l *Log) enter(ctx context.Context, it *item, wait bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if l.state != running {
			return fault.New(fault.Unavailable, "the prediction log is not running").Do("try again when the server has started")
		}
		if l.fits(it) {
			break
		}
		if !wait {
			l.drop(len(it.records))
			l.metrics.unreasoned.Add(float64(len(it.reasons)))
			return noRoom
		}
		room := l.room
		l.mu.Unlock()
		select {
		case <-ctx.Done():
			l.mu.Lock()
			return fault.Wrap(context.Cause(ctx), fault.Unavailable, "the prediction log has no room, and the caller did not wait longer")
		case <-room:
			l.mu.Lock()
		}
	}
	l.queue = append(l.queue, it)
	l.rows += it.rows()
	l.bytes += it.bytes
	if it.done != nil || l.rows >= l.opts.QueueRows/2 || l.bytes >= l.opts.QueueBytes/2 {
		l.poke()
	}
	return nil
}

// noRoom is the fault of what was dropped. It is made once: many may be dropped.
var noRoom = fault.New(fault.Unavailable, "the prediction log has no room").Do("ask for when_full: wait, or find out why its disk is slow")

// drop counts n rows that are not kept.
func (l *Log) drop(n int) {
	l.dropped.Add(int64(n))
	l.metrics.dropped.Add(float64(n))
}

// Dropped is how many predictions were not kept since Open: the queue was full, or
// what was left at the end could not be written.
func (l *Log) Dropped() int64 { return l.dropped.Load() }

// fits reports whether there is room for it. What is larger than the whole queue
// fits into an empty one.
func (l *Log) fits(it *item) bool {
	n := it.rows()
	return l.rows == 0 || n == 0 || l.rows+n <= l.opts.QueueRows && l.bytes+it.bytes <= l.opts.QueueBytes
}

// poke asks for a commit now.
func (l *Log) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *Log) await(ctx context.Context, it *item) (int, error) {
	select {
	case o := <-it.done:
		return o.unmatched, o.err
	case <-ctx.Done():
		return 0, fault.Wrap(context.Cause(ctx), fault.Unavailable, "the caller did not wait until the prediction log had committed")
	}
}

// Ready is closed when Run has begun, and Append keeps what it is given.
func (l *Log) Ready() <-chan struct{} { return l.ready }

// Run writes what is appended, and seals every SealEvery, until ctx is done; then it
// writes what is left and returns nil. It runs once. The error, of what could not be
// written at the end, says how many rows are lost.
func (l *Log) Run(ctx context.Context) error {
	l.mu.Lock()
	if l.state != idle {
		l.mu.Unlock()
		return fault.New(fault.Conflict, "the prediction log runs once")
	}
	l.state = running
	close(l.ready)
	l.mu.Unlock()

	var sealer sync.WaitGroup
	if l.opts.Shipping != Move { // or there is nothing to seal
		sealer.Go(func() { l.sealAll(ctx) })
	}
	defer sealer.Wait()

	tick := time.NewTicker(l.opts.FlushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return l.finish()
		case <-l.wake:
		case <-tick.C:
		}
		l.commitQueue()
	}
}

// sealAll seals what is old enough, again and again.
func (l *Log) sealAll(ctx context.Context) {
	l.sealing.Lock()
	l.tell(ctx) // what a crash has left untold
	l.sealing.Unlock()
	tick := time.NewTicker(l.opts.SealEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if _, err := l.Seal(ctx, now, l.opts.SealAfter); err != nil && ctx.Err() == nil {
				l.opts.Logger.Error("predictions are not sealed; they stay staged", "err", err)
			}
			l.trim(ctx)
		}
	}
}

// finish takes no more, and writes what is left.
func (l *Log) finish() error {
	l.mu.Lock()
	l.state = ended
	close(l.room)
	l.room = make(chan struct{})
	l.mu.Unlock()
	err := l.commitQueue()
	l.mu.Lock()
	lost := 0
	for _, it := range l.queue {
		lost += len(it.records)
	}
	l.queue = nil
	l.mu.Unlock()
	if lost == 0 {
		return nil
	}
	l.drop(lost)
	return fault.Wrap(err, fault.Unavailable, "%d predictions that nobody waited for are lost", lost)
}

// commitQueue writes all that waits in one commit and tells those who wait for it.
// When the commit fails they get the error and their rows are gone; the rows that
// nobody waits for stay at the front of the queue for the next commit.
func (l *Log) commitQueue() error {
	l.mu.Lock()
	items := l.queue
	l.queue = nil
	now := l.opts.Now()
	l.mu.Unlock()
	if len(items) == 0 {
		return nil
	}
	unmatched, err := l.commit(items, now)
	if err != nil {
		l.metrics.failed.Inc()
	}
	if failing := err != nil; failing != l.failing {
		l.failing = failing
		if failing {
			l.opts.Logger.Error("the prediction log does not take rows", "err", err)
		} else {
			l.opts.Logger.Info("the prediction log takes rows again")
		}
	}
	var again []*item
	rows, size := 0, 0
	for i, it := range items {
		if err != nil && it.done == nil {
			again = append(again, it)
			continue
		}
		rows += it.rows()
		size += it.bytes
		if it.done != nil {
			o := outcome{err: err}
			if err == nil {
				o.unmatched = unmatched[i]
			}
			it.done <- o
		}
	}
	l.mu.Lock()
	l.queue = append(again, l.queue...)
	l.rows -= rows
	l.bytes -= size
	close(l.room)
	l.room = make(chan struct{})
	l.mu.Unlock()
	return err
}
