// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"database/sql"
	"encoding/binary"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"flyball/fault"
	"flyball/ident"
	"flyball/serving/prediction"
)

// auditSchema is what version 4 added: the groups that rows belong to. They stand in a
// table of their own, are never written to a sealed file, and may go before their
// predictions do.
const auditSchema = `
CREATE TABLE audit (
	seq  INTEGER PRIMARY KEY AUTOINCREMENT,
	part INTEGER NOT NULL REFERENCES part (id),
	hour INTEGER NOT NULL,
	body BLOB NOT NULL
) STRICT;
CREATE INDEX audit_part ON audit (part, hour);
`

const (
	auditVersion = 1   // the first byte of a body of groups
	maxAudit     = 256 // bytes of a column's name, or of a group's
)

// checkAudit says whether the groups of a record can be kept.
func checkAudit(r *prediction.Record) error {
	for column, group := range r.Audit {
		if column == "" || len(column) > maxAudit || len(group) > maxAudit || !utf8.ValidString(column) || !utf8.ValidString(group) {
			return fault.New(fault.Invalid, "the audit of prediction %s is not UTF-8 text of at most %d bytes", r.ID, maxAudit)
		}
	}
	return nil
}

// appendAudit appends the groups of a record: its id, how many, and of each the column and
// the group, in the order of the columns.
func appendAudit(b []byte, r *prediction.Record) []byte {
	b = appendText(b, string(r.ID))
	b = binary.AppendUvarint(b, uint64(len(r.Audit)))
	for _, column := range slices.Sorted(maps.Keys(r.Audit)) {
		b = appendText(b, column)
		b = appendText(b, r.Audit[column])
	}
	return b
}

// groups are the audits of predictions, by their ids. Rows of the same groups share a map.
type groups struct {
	of   map[ident.PredictionID]map[string]string
	made map[string]map[string]string // by how they are written
}

func newGroups() groups {
	return groups{map[ident.PredictionID]map[string]string{}, map[string]map[string]string{}}
}

// decodeAudit reads the groups of one body into out; of two under one id the later stands.
// What appendAudit did not write is an Invalid fault; nothing larger than the body is
// allocated for it, and nothing holds it.
func decodeAudit(model string, body []byte, out groups) error {
	if len(body) == 0 || body[0] != auditVersion {
		return fault.New(fault.Invalid, "the audit of %s is of an unknown format", model)
	}
	d := decoder{rest: body[1:]}
	for len(d.rest) > 0 && !d.bad {
		id, from := ident.PredictionID(d.text()), d.rest
		n := d.length(2)
		for range 2 * n {
			d.skip()
		}
		if d.bad {
			break
		}
		out.of[id] = out.share(from[:len(from)-len(d.rest)], n)
	}
	if d.bad {
		return fault.New(fault.Invalid, "the audit of %s is damaged", model).Do("restore staged.db from a backup")
	}
	return nil
}

// share is the n groups that are written so.
func (g groups) share(written []byte, n int) map[string]string {
	if m, ok := g.made[string(written)]; ok || n == 0 {
		return m
	}
	d, m := decoder{rest: written}, make(map[string]string, min(n, 16))
	for range d.length(2) {
		column := d.text()
		m[column] = d.text()
	}
	g.made[string(written)] = m
	return m
}

func (l *Log) putAudit(ctx context.Context, tx *sql.Tx, part int64, hour int, body []byte) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO audit (part, hour, body) VALUES (?, ?, ?)`, part, hour, body)
	return err
}

// gather makes one body of what many commits put under each hour of a job.
func (l *Log) gather(ctx context.Context, tx *sql.Tx, j sealJob) error {
	for hour := j.from; hour <= j.to; hour++ {
		whole, n, err := auditOf(ctx, tx, j.id, hour)
		if err != nil || n < 2 {
			if err != nil {
				return err
			}
			continue
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM audit WHERE part = ? AND hour = ?`, j.id, hour); err != nil {
			return err
		}
		if err := l.putAudit(ctx, tx, j.id, hour, whole); err != nil {
			return err
		}
	}
	return nil
}

// auditOf is what is kept for an hour of a part as one body, and of how many it was made.
func auditOf(ctx context.Context, db queryer, part int64, hour int) (whole []byte, n int, err error) {
	rows, err := db.QueryContext(ctx, `SELECT body FROM audit WHERE part = ? AND hour = ? ORDER BY seq`, part, hour)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = rows.Close() }()
	whole = []byte{auditVersion}
	for rows.Next() {
		var body sql.RawBytes
		if err := rows.Scan(&body); err != nil {
			return nil, 0, err
		}
		if len(body) == 0 || body[0] != auditVersion {
			return nil, 0, nil // a later format, or damage: whoever reads it will say so
		}
		whole = append(whole, body[1:]...)
		n++
	}
	return whole, n, rows.Err()
}

// audited is the groups of an hour.
type audited struct {
	found groups
	part
	hour int
}

// audit gives the record its groups where they are asked for. Records come in order of
// their hours.
func (s *scan) audit(ctx context.Context, r *prediction.Record) error {
	if !s.q.Audit {
		return nil
	}
	p, hour := partOf(s.q.Model, r.Time.UnixMicro())
	if s.groups.found.of == nil || p != s.groups.part || hour != s.groups.hour {
		found, err := readAudit(ctx, s.tx, p, hour)
		if err != nil {
			return err
		}
		s.groups = audited{found: found, part: p, hour: hour}
	}
	r.Audit = s.groups.found.of[r.ID]
	return nil
}

func readAudit(ctx context.Context, db queryer, p part, hour int) (groups, error) {
	rows, err := db.QueryContext(ctx, `SELECT body FROM audit WHERE part = (SELECT id FROM part WHERE model = ? AND day = ?) AND hour = ? ORDER BY seq`,
		p.model, p.day, hour)
	if err != nil {
		return groups{}, broken(err, "read")
	}
	defer func() { _ = rows.Close() }()
	out := newGroups()
	for rows.Next() {
		var body sql.RawBytes
		if err := rows.Scan(&body); err != nil {
			return groups{}, broken(err, "read")
		}
		if err := decodeAudit(p.model, body, out); err != nil {
			return groups{}, err
		}
	}
	return out, broken(rows.Err(), "read")
}

// TrimAudit removes for good the groups of rows of whole days that ended keep before now.
// Their predictions stay.
func (l *Log) TrimAudit(ctx context.Context, now time.Time, keep time.Duration) error {
	l.sealing.Lock()
	defer l.sealing.Unlock()
	for {
		res, err := l.write.ExecContext(ctx, `DELETE FROM audit WHERE seq IN (SELECT a.seq FROM audit a JOIN part p ON p.id = a.part
			WHERE (p.day + 1) * ? <= ? LIMIT 1000)`, dayMicros, now.Add(-keep).UnixMicro())
		if err != nil {
			return broken(err, "trimmed")
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return broken(err, "trimmed")
		}
	}
}
