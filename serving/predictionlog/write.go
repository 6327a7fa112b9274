// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/serving/prediction"
)

// batch is what one transaction adds to the log.
type batch struct {
	chunks []*chunk
	whys   []*reasoned
	labels []prediction.Label
}

// batchOf is what the items hold, in their order.
func batchOf(items []*item) *batch {
	rows := 0
	for _, it := range items {
		rows += len(it.records)
	}
	b := &batch{chunks: chunksOf(items, rows), whys: whysOf(items)}
	for _, it := range items {
		b.labels = append(b.labels, it.labels...)
	}
	return b
}

// rows is how many predictions are in it.
func (b *batch) rows() int {
	n := 0
	for _, c := range b.chunks {
		n += c.rows
	}
	return n
}

func (b *batch) empty() bool { return len(b.chunks)+len(b.whys)+len(b.labels) == 0 }

// commit writes the items in one transaction; whatever was answered long enough before now
// is among what was committed. It gives for each item how many of its labels name an
// unknown prediction. Only the writer calls it.
func (l *Log) commit(items []*item, now time.Time) ([]int, error) {
	began := time.Now()
	b := batchOf(items)
	unmatched := make([]int, len(items))
	if b.empty() {
		return unmatched, nil
	}
	var known []bool
	err := l.atomic(func(ctx context.Context, tx *sql.Tx) (err error) {
		if l.opts.Shipping != Keep {
			if err := l.putOutbox(ctx, tx, b, now); err != nil {
				return err
			}
		}
		if l.opts.Shipping == Move {
			return nil
		}
		known, err = l.keep(ctx, tx, b)
		return err
	})
	if err != nil {
		return nil, broken(err, "written")
	}
	for i, it := range items {
		for range min(len(it.labels), len(known)) {
			if !known[0] {
				unmatched[i]++
			}
			known = known[1:]
		}
	}
	l.metrics.staged.Add(float64(b.rows()))
	l.metrics.labels.Add(float64(len(b.labels)))
	l.metrics.commit.Observe(time.Since(began).Seconds())
	return unmatched, nil
}

// atomic does one transaction of the log; none is begun before another has ended.
func (l *Log) atomic(do func(ctx context.Context, tx *sql.Tx) error) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	ctx := context.Background() // a commit under way is finished even at the end
	err := l.try(ctx, do)
	if err != nil {
		// What is remembered may be of the transaction that was undone.
		clear(l.parts)
		if again := l.loadWaiting(ctx); again != nil {
			l.opts.Logger.Error("the labels that wait cannot be counted", "err", again)
		}
	}
	return err
}

func (l *Log) try(ctx context.Context, do func(ctx context.Context, tx *sql.Tx) error) error {
	tx, err := l.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := do(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

// keep adds a batch to the log. It tells of each label whether its prediction is known.
func (l *Log) keep(ctx context.Context, tx *sql.Tx, b *batch) ([]bool, error) {
	for _, c := range b.chunks {
		if err := l.putChunk(ctx, tx, c); err != nil {
			return nil, err
		}
	}
	for _, w := range b.whys {
		if err := l.putWhy(ctx, tx, w); err != nil {
			return nil, err
		}
	}
	known := make([]bool, len(b.labels))
	for i := range b.labels {
		var err error
		if known[i], err = l.putLabel(ctx, tx, &b.labels[i]); err != nil {
			return nil, err
		}
	}
	return known, nil
}

// bounds are the least and the greatest times of some records, in microseconds.
type bounds struct {
	minTime, maxTime, minDue, maxDue, minAt, maxAt int64
}

// with gives the bounds with one more record; first says that b has none yet.
func (b bounds) with(first bool, time, due, at int64) bounds {
	if first {
		return bounds{time, time, due, due, at, at}
	}
	return bounds{
		min(b.minTime, time), max(b.maxTime, time), min(b.minDue, due), max(b.maxDue, due), min(b.minAt, at), max(b.maxAt, at),
	}
}

// chunk is what one commit adds to an hour of a part.
type chunk struct {
	part
	hour int
	bounds
	rows  int
	body  []byte
	audit []byte  // groups of the rows; nil: none
	names []int64 // hashes of the ids and keys
}

// chunksOf groups the items' records by part and hour, in their order.
func chunksOf(items []*item, rows int) []*chunk {
	if rows == 0 {
		return nil
	}
	type group struct {
		part
		hour int
	}
	found := map[group]*chunk{}
	var out []*chunk
	for _, it := range items {
		for i := range it.records {
			r := &it.records[i]
			p, hour := partOf(r.model, r.time)
			c := found[group{p, hour}]
			if c == nil {
				c = &chunk{part: p, hour: hour, body: []byte{bodyVersion}}
				found[group{p, hour}] = c
				out = append(out, c)
			}
			c.bounds = c.with(c.rows == 0, r.time, r.due, r.at)
			c.rows++
			c.body = append(c.body, r.body...)
			c.names = append(c.names, r.id)
			if r.keyed {
				c.names = append(c.names, r.key)
			}
			if r.audit != nil {
				if c.audit == nil {
					c.audit = []byte{auditVersion}
				}
				c.audit = append(c.audit, r.audit...)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b *chunk) int {
		return cmp.Or(cmp.Compare(a.model, b.model), cmp.Compare(a.day, b.day), cmp.Compare(a.hour, b.hour))
	})
	return out
}

func (l *Log) putChunk(ctx context.Context, tx *sql.Tx, c *chunk) error {
	id, err := l.partID(ctx, tx, c.part)
	if err != nil {
		return err
	}
	b := c.bounds
	if _, err := tx.ExecContext(ctx, `INSERT INTO chunk (part, hour, rows, min_time, max_time, min_due, max_due, min_at, max_at, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, id, c.hour, c.rows, b.minTime, b.maxTime, b.minDue, b.maxDue, b.minAt, b.maxAt, c.body); err != nil {
		return err
	}
	if c.audit != nil {
		if err := l.putAudit(ctx, tx, id, c.hour, c.audit); err != nil {
			return err
		}
	}
	return l.putPlaces(ctx, tx, c.model, id, c.hour, c.names)
}

// putPlaces remembers where the names lie, and that nobody waits for them any more.
func (l *Log) putPlaces(ctx context.Context, tx *sql.Tx, model string, part int64, hour int, names []int64) error {
	list := jsonList(names)
	// One statement for all: bound row by row the index would cost more than the rows.
	if _, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO place (part, hash, hour) SELECT ?, value, ? FROM json_each(?)`, part, hour, list); err != nil {
		return err
	}
	if l.waiting[model] == 0 {
		return nil
	}
	res, err := tx.ExecContext(ctx, `DELETE FROM waiting WHERE model = ? AND hash IN (SELECT value FROM json_each(?))`, model, list)
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	l.waiting[model] -= n
	return err
}

// jsonList sorts the numbers, for the sake of the index, and writes them as JSON.
func jsonList(v []int64) string {
	slices.Sort(v)
	b := make([]byte, 0, 2+21*len(v))
	b = append(b, '[')
	for i, x := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, x, 10)
	}
	return string(append(b, ']'))
}

// partID is the number of the part, made where it is new.
func (l *Log) partID(ctx context.Context, tx *sql.Tx, p part) (int64, error) {
	if id, ok := l.parts[p]; ok {
		return id, nil
	}
	p.model = strings.Clone(p.model)
	var id int64
	err := tx.QueryRowContext(ctx, `INSERT INTO part (model, day) VALUES (?, ?) ON CONFLICT (model, day) DO UPDATE SET day = excluded.day RETURNING id`,
		p.model, p.day).Scan(&id)
	if err != nil {
		return 0, err
	}
	if len(l.parts) >= 10_000 {
		clear(l.parts)
	}
	l.parts[p] = id
	return id, nil
}

// putLabel keeps a label and reports whether its prediction is known.
func (l *Log) putLabel(ctx context.Context, tx *sql.Tx, x *prediction.Label) (known bool, err error) {
	name := nameOf(x)
	if _, err := tx.ExecContext(ctx, `INSERT INTO label (model, name, value, at, received) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		x.Model, []byte(name), x.Value, x.At.UnixMicro(), x.Received.UnixMicro()); err != nil {
		return false, err
	}
	// CROSS JOIN fixes the order: the model's days, the newest first, and one look in
	// each until the first find.
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM part CROSS JOIN place ON place.part = part.id AND place.hash = ?
		WHERE part.model = ? ORDER BY part.day DESC LIMIT 1)`,
		hashOf(name), x.Model).Scan(&known); err != nil || known {
		return known, err
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO waiting (model, hash, received) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
		x.Model, hashOf(name), x.Received.UnixMicro())
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	l.waiting[strings.Clone(x.Model)] += n
	return false, err
}
