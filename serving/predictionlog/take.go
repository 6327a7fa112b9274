// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"database/sql"
	"errors"
	"io"

	"flyball/fault"
)

// Take adds a shipment of another log to this one, all of it or nothing, and gives what it
// was; Rows are those that were added. One that was taken before, or is of this log, adds
// nothing. The shipments of an origin are taken in their order: one that comes before its
// time is a Conflict fault that says which is missing, and one that no log wrote an Invalid
// one. It may be called from Open to Close, while others append, scan and seal.
func (l *Log) Take(ctx context.Context, r io.Reader) (Shipment, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxShipment+1))
	if err != nil {
		return Shipment{}, fault.Wrap(err, fault.Unavailable, "the shipment cannot be read")
	}
	if len(body) > maxShipment {
		return Shipment{}, fault.New(fault.TooLarge, "the shipment has more than %d MB", maxShipment>>20)
	}
	m, entries, err := decodeShipment(body)
	if err != nil {
		return Shipment{}, err
	}
	s := Shipment{Mark: m}
	own, err := l.readShipping(ctx)
	if err != nil || m.Origin == own.origin {
		return s, err
	}
	if err := ctx.Err(); err != nil {
		return s, fault.Wrap(err, fault.Unavailable, "the shipment was not taken")
	}
	err = l.atomic(func(ctx context.Context, tx *sql.Tx) (err error) {
		s.Rows, err = l.take(ctx, tx, m, entries)
		return err
	})
	if err != nil {
		s.Rows = 0
		return s, broken(err, "written")
	}
	l.metrics.taken.Add(float64(s.Rows))
	return s, nil
}

// take is Take in a transaction. Entries that are known already are left out: a copy of a
// log knows more of its origin than the shipments that it took.
func (l *Log) take(ctx context.Context, tx *sql.Tx, m Mark, entries []entry) (int, error) {
	var seq, last int64
	err := tx.QueryRowContext(ctx, `SELECT seq, entry FROM taken WHERE origin = ?`, m.Origin).Scan(&seq, &last)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, err
	}
	switch {
	case m.Seq <= seq:
		return 0, nil
	case m.Seq > seq+1:
		return 0, fault.New(fault.Conflict, "shipment %d of origin %s cannot be taken: %d is missing", m.Seq, m.Origin, seq+1).
			Do("restore the object from the bucket's versions")
	}
	g := newGathered()
	for _, e := range entries {
		if e.seq <= last {
			continue
		}
		if err := g.add(e.body); err != nil {
			return 0, err
		}
		last = e.seq
	}
	if _, err := l.keep(ctx, tx, &g.batch); err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO taken (origin, seq, entry, upto) VALUES (?, ?, ?, ?)
		ON CONFLICT (origin) DO UPDATE SET seq = excluded.seq, entry = excluded.entry, upto = excluded.upto`,
		m.Origin, m.Seq, last, m.UpTo.UnixMicro()); err != nil {
		return 0, err
	}
	return g.rows(), nil
}

// Taken is what was taken of each origin, by its name: the newest shipment. What this log
// shipped itself is not among it.
func (l *Log) Taken(ctx context.Context) (map[string]Mark, error) {
	marks, err := takenOf(ctx, l.read)
	if err != nil {
		return nil, broken(err, "read")
	}
	out := make(map[string]Mark, len(marks))
	for _, m := range marks {
		out[m.Origin] = m
	}
	return out, nil
}

func takenOf(ctx context.Context, db queryer) ([]Mark, error) {
	rows, err := db.QueryContext(ctx, `SELECT origin, seq, upto FROM taken ORDER BY origin`)
	if err != nil {
		return nil, err
	}
	return marksOf(rows)
}

func marksOf(rows *sql.Rows) ([]Mark, error) {
	defer func() { _ = rows.Close() }()
	var out []Mark
	for rows.Next() {
		var m Mark
		var upTo int64
		if err := rows.Scan(&m.Origin, &m.Seq, &upTo); err != nil {
			return nil, err
		}
		m.UpTo = moment(upTo)
		out = append(out, m)
	}
	return out, rows.Err()
}
