// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"database/sql"
	"errors"

	"flyball/fault"
)

// Take adds shipments of other logs to this one, all of them or none, and gives what they
// were; Rows are those that were added. One that was taken before, or is of this log, adds
// nothing. The shipments of an origin are taken in their order, from the first that is
// given on: one that comes before its time is a Conflict fault that says which is missing,
// and one that no log wrote an Invalid one. Many at once are faster: the index of names is written in fewer pieces. It may be
// called from Open to Close, while others append, scan and seal; those who append wait.
func (l *Log) Take(ctx context.Context, bodies ...[]byte) ([]Shipment, error) {
	own, err := l.readShipping(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Shipment, len(bodies))
	entries := make([][]entry, len(bodies))
	for i, body := range bodies {
		out[i].Body = body
		if out[i].Mark, entries[i], err = decodeShipment(body); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the shipments were not taken")
	}
	g := newGathered()
	err = l.atomic(func(ctx context.Context, tx *sql.Tx) error {
		for i := range out {
			if out[i].Origin == own.origin {
				continue
			}
			before := g.rows()
			if err := g.take(ctx, tx, out[i].Mark, entries[i]); err != nil {
				return err
			}
			out[i].Rows = g.rows() - before
		}
		_, err := l.keep(ctx, tx, &g.batch)
		return err
	})
	if err != nil {
		return nil, broken(err, "written")
	}
	l.metrics.taken.Add(float64(g.rows()))
	return out, nil
}

// take gathers a shipment and enters it into the ledger. Entries that are known already
// are left out: a copy of a log knows more of its origin than the shipments that it took.
func (g *gathered) take(ctx context.Context, tx *sql.Tx, m Mark, entries []entry) error {
	var seq, last int64
	err := tx.QueryRowContext(ctx, `SELECT seq, entry FROM taken WHERE origin = ?`, m.Origin).Scan(&seq, &last)
	switch {
	case errors.Is(err, sql.ErrNoRows): // it begins here
	case err != nil:
		return err
	case m.Seq <= seq:
		return nil
	case m.Seq > seq+1:
		return fault.New(fault.Conflict, "shipment %d of origin %s cannot be taken: %d is missing", m.Seq, m.Origin, seq+1).
			Do("restore the object from the bucket's versions")
	}
	for _, e := range entries {
		if e.seq <= last {
			continue
		}
		if err := g.add(e.body); err != nil {
			return err
		}
		last = e.seq
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO taken (origin, seq, entry, upto) VALUES (?, ?, ?, ?)
		ON CONFLICT (origin) DO UPDATE SET seq = excluded.seq, entry = excluded.entry, upto = excluded.upto`,
		m.Origin, m.Seq, last, m.UpTo.UnixMicro())
	return err
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
