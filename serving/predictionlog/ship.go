// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"flyball/fault"
	"flyball/ident"
)

// Shipping says what becomes of what is staged.
type Shipping int

// What is shipped is what one log hands over to others: see Ship and Take.
const (
	Keep Shipping = iota // it is kept here, and nothing is shipped
	Move                 // it is shipped, and nothing is kept here: Scan gives nothing
	Copy                 // it is kept here, and shipped too
)

// shipSchema is what version 6 added: what waits to be shipped, one row a commit; who this
// log is to those that take from it; and what it took of others.
const shipSchema = `
CREATE TABLE outbox (
	seq  INTEGER PRIMARY KEY AUTOINCREMENT,
	rows INTEGER NOT NULL,
	upto INTEGER NOT NULL,
	body BLOB NOT NULL
) STRICT;
CREATE TABLE shipping (
	one    INTEGER PRIMARY KEY CHECK (one = 1),
	origin TEXT NOT NULL,
	moves  INTEGER NOT NULL,
	seq    INTEGER NOT NULL,
	upto   INTEGER NOT NULL,
	last   INTEGER NOT NULL,
	base   TEXT NOT NULL
) STRICT;
CREATE TABLE taken (
	origin TEXT PRIMARY KEY,
	seq    INTEGER NOT NULL,
	entry  INTEGER NOT NULL,
	upto   INTEGER NOT NULL
) STRICT;
`

// A shipment is bounded, but for one commit that is larger by itself.
const (
	shipBytes = 8 << 20
	shipRows  = 100_000
)

// Mark is how far an origin has come: each prediction that it answered at or before UpTo
// is in its shipment Seq or an earlier one. Seq is 0 before the first.
type Mark struct {
	Origin string    `json:"origin"`
	Seq    int64     `json:"seq"`
	UpTo   time.Time `json:"up_to"`
}

// Shipment is what is shipped at once. Body is all of it, as Take reads it.
type Shipment struct {
	Mark
	Rows int // predictions
	Body []byte
}

// shipping is the row of that name.
type shipping struct {
	origin string // empty: nothing was ever shipped
	moves  bool
	seq    int64  // of the last shipment that was handed over
	upTo   int64  // its, in microseconds
	last   int64  // entry of the shipment that is being handed over; 0: none is
	base   string // see SetBase
}

func (l *Log) readShipping(ctx context.Context) (shipping, error) {
	var s shipping
	err := l.read.QueryRowContext(ctx, `SELECT origin, moves, seq, upto, last, base FROM shipping`).Scan(&s.origin, &s.moves, &s.seq, &s.upTo, &s.last, &s.base)
	if errors.Is(err, sql.ErrNoRows) {
		return s, nil
	}
	return s, broken(err, "read")
}

// openShipping has the folder be what the options ask. Of a folder that moved all it had
// before, what was not moved yet is kept.
func (l *Log) openShipping(ctx context.Context) error {
	s, err := l.readShipping(ctx)
	if err != nil || l.opts.Shipping == Keep && s.origin == "" {
		return err
	}
	moves := l.opts.Shipping == Move
	if moves && !s.moves {
		if err := l.holdsNothing(ctx); err != nil {
			return err
		}
	}
	return broken(l.atomic(func(ctx context.Context, tx *sql.Tx) error {
		if s.origin == "" {
			_, err := tx.ExecContext(ctx, `INSERT INTO shipping (one, origin, moves, seq, upto, last, base) VALUES (1, ?, ?, 0, 0, 0, '')`, newOrigin(), moves)
			return err
		}
		if s.moves && !moves {
			if err := l.keepOutbox(ctx, tx); err != nil {
				return err
			}
		}
		if l.opts.Shipping == Keep {
			// Who ships again is another, and so is the bucket from which is taken.
			_, err := tx.ExecContext(ctx, `DELETE FROM outbox; DELETE FROM shipping; DELETE FROM taken`)
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE shipping SET moves = ?`, moves)
		return err
	}), "opened")
}

func newOrigin() string { return string(ident.NewRunID()) }

// holdsNothing refuses a folder whose predictions would be left behind.
func (l *Log) holdsNothing(ctx context.Context) error {
	var holds bool
	if err := l.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM chunk) OR EXISTS (SELECT 1 FROM file) OR EXISTS (SELECT 1 FROM label)`).Scan(&holds); err != nil {
		return broken(err, "read")
	}
	if holds {
		return fault.New(fault.Conflict, "the prediction log in %s holds predictions or labels, and is to move all it has elsewhere", l.dir).
			Do("give a process that only serves a data directory of its own")
	}
	return nil
}

// keepOutbox keeps here what was to be moved.
func (l *Log) keepOutbox(ctx context.Context, tx *sql.Tx) error {
	entries, err := entriesOf(ctx, tx, maxEntry)
	if err != nil {
		return err
	}
	g := newGathered()
	for _, e := range entries {
		if err := g.add(e.body); err != nil {
			return err
		}
	}
	_, err = l.keep(ctx, tx, &g.batch)
	return err
}

// putOutbox has a batch wait to be shipped. What was appended before now is in it or in
// an earlier one.
func (l *Log) putOutbox(ctx context.Context, tx *sql.Tx, b *batch, now time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO outbox (rows, upto, body) VALUES (?, ?, ?)`, b.rows(), now.Add(-l.opts.Late).UnixMicro(), appendBatch(b))
	return err
}

// Ship hands the oldest of what waits to be shipped to put, and reports whether there was
// any: call it until there is none. What was put is not handed over again; after an error
// or a crash it may be, with the same bytes under the same Origin and Seq. put keeps them,
// and returns nil when they are as safe as a prediction is to be. A Conflict fault of put
// says that others used the name for other bytes, as a copy of the folder does: then the
// log goes on under a new Origin. It may be called from Open to Close, while others append;
// two calls follow each other.
func (l *Log) Ship(ctx context.Context, put func(ctx context.Context, s Shipment) error) (bool, error) {
	l.shipping.Lock()
	defer l.shipping.Unlock()
	s, err := l.nextShipment(ctx)
	if err != nil || s.Seq == 0 {
		return false, err
	}
	err = put(ctx, s)
	switch {
	case fault.Is(err, fault.Conflict):
		l.opts.Logger.Warn("another log ships under this one's name: it gets a new one", "origin", s.Origin, "err", err)
		_, err = l.write.ExecContext(ctx, `UPDATE shipping SET origin = ?, seq = 0, last = 0`, newOrigin())
		return true, broken(err, "written")
	case err != nil:
		return false, err
	}
	l.metrics.shipped.Add(float64(s.Rows))
	return true, broken(l.atomic(func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM outbox WHERE seq <= (SELECT last FROM shipping)`); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE shipping SET seq = ?, upto = ?, last = 0`, s.Seq, s.UpTo.UnixMicro())
		return err
	}), "written")
}

// nextShipment is what is to be handed over, or has no Seq. What is in it is decided once:
// it is on the disk before the shipment is given out.
func (l *Log) nextShipment(ctx context.Context) (Shipment, error) {
	st, err := l.readShipping(ctx)
	if err != nil || st.origin == "" {
		return Shipment{}, err
	}
	if st.last == 0 {
		if st.last, err = l.lastEntry(ctx); err != nil || st.last == 0 {
			return Shipment{}, err
		}
		if _, err := l.write.ExecContext(ctx, `UPDATE shipping SET last = ?`, st.last); err != nil {
			return Shipment{}, broken(err, "written")
		}
	}
	entries, err := entriesOf(ctx, l.read, st.last)
	if err != nil {
		return Shipment{}, broken(err, "read")
	}
	s := Shipment{Mark: Mark{Origin: st.origin, Seq: st.seq + 1}}
	upTo := st.upTo
	for _, e := range entries {
		s.Rows += e.rows
		upTo = max(upTo, e.upTo)
	}
	s.UpTo = moment(upTo)
	s.Body = appendShipment(nil, s.Mark, entries)
	return s, nil
}

// lastEntry is the last of the oldest entries that are a shipment's worth; 0: there is none.
func (l *Log) lastEntry(ctx context.Context) (int64, error) {
	rows, err := l.read.QueryContext(ctx, `SELECT seq, rows, length(body) FROM outbox ORDER BY seq`)
	if err != nil {
		return 0, broken(err, "read")
	}
	defer func() { _ = rows.Close() }()
	var last, n, bytes int64
	for rows.Next() {
		var seq, r, size int64
		if err := rows.Scan(&seq, &r, &size); err != nil {
			return 0, broken(err, "read")
		}
		if n, bytes = n+r, bytes+size; last > 0 && (n > shipRows || bytes > shipBytes) {
			break
		}
		last = seq
	}
	return last, broken(rows.Err(), "read")
}

// Shipped is how far this log has come in shipping what it has: where nothing waits, UpTo
// goes on with the clock. A log that keeps all has no Origin.
func (l *Log) Shipped(ctx context.Context) (Mark, error) {
	now := l.opts.Now().Add(-l.opts.Late)
	l.mu.Lock()
	idle := l.rows == 0
	l.mu.Unlock()
	var m Mark
	var upTo int64
	var waits bool
	err := l.read.QueryRowContext(ctx, `SELECT origin, seq, upto, EXISTS (SELECT 1 FROM outbox) FROM shipping`).Scan(&m.Origin, &m.Seq, &upTo, &waits)
	if errors.Is(err, sql.ErrNoRows) {
		return m, nil
	}
	if idle && !waits {
		upTo = max(upTo, now.UnixMicro())
	}
	m.UpTo = moment(upTo)
	return m, broken(err, "read")
}

// SetBase remembers the checkpoints of which the folder is known to be what came after:
// the one that it was made from or that was made of it last, and one that is being made.
// Look tells them, and Install sets one.
func (l *Log) SetBase(ctx context.Context, names ...string) error {
	_, err := l.write.ExecContext(ctx, `UPDATE shipping SET base = ?`, strings.Join(names, " "))
	return broken(err, "written")
}
