// SPDX-License-Identifier: Apache-2.0

// Package postgres reads the rows of a query from a PostgreSQL database, in a stream and
// in a transaction that can only read. It refuses types that are no number, text or time,
// and says which cast makes them one. Who may be asked is package remote's to say; user
// and password come from the environment (PGUSER, PGPASSWORD, PGPASSFILE, PGSERVICE).
package postgres

import (
	"context"
	"errors"
	"io"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"flyball/data/frame"
	"flyball/data/source"
	"flyball/fault"
)

// Where the rows of one chunk end.
const (
	chunkRows  = 16 << 10
	chunkBytes = 8 << 20
)

// Query is a part of a source: the rows of the statement, from the database at the
// address, which is a URL or a connection string as libpq reads them. name is for
// messages. zone is of times that have none; empty is UTC.
func Query(name, address, statement, zone string) source.Part {
	q := &query{name: name, address: address, statement: statement, zone: zone}
	return source.Part{
		Name: name,
		Inspect: func(ctx context.Context, kinds map[string]frame.Kind) ([]frame.Seen, error) {
			rs, err := q.open(ctx, kinds)
			if err != nil {
				return nil, err
			}
			defer rs.close()
			out := make([]frame.Seen, len(rs.fields))
			for i, f := range rs.fields {
				out[i] = frame.Seen{Field: f, Filled: true} // the type says it, whatever the rows
			}
			return out, nil
		},
		Open: func(ctx context.Context, kinds map[string]frame.Kind) (frame.Reader, error) {
			return q.open(ctx, kinds)
		},
	}
}

type query struct{ name, address, statement, zone string }

// rows are the rows of a query that was asked. It closes its connection after the last row
// or an error, and when its context ends.
type rows struct {
	query  *query
	conn   *pgx.Conn
	stop   func() bool // of the watch on the context
	in     pgx.Rows
	fields []frame.Field
	types  []uint32
	zone   *time.Location
	row    int // that was read, from 1
	gave   bool
	failed error
}

// open asks the database. The values come as text, which PostgreSQL writes so that a
// number reads back as the same.
func (q *query) open(ctx context.Context, kinds map[string]frame.Kind) (out *rows, err error) {
	cfg, err := pgx.ParseConfig(q.address)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "%s is not the address of a database", q.name)
	}
	r := &rows{query: q, zone: time.UTC}
	if q.zone != "" {
		if r.zone, err = time.LoadLocation(q.zone); err != nil {
			return nil, fault.New(fault.Invalid, "%q is not a time zone", q.zone).Do("write a name such as Europe/Berlin")
		}
	}
	// The names of startup parameters, with which every value has one form.
	maps.Copy(cfg.RuntimeParams, map[string]string{
		"datestyle": "ISO, YMD", "timezone": "UTC", "extra_float_digits": "1", "application_name": "flyball",
		"default_transaction_read_only": "on", "client_encoding": "UTF8",
	})
	if r.conn, err = pgx.ConnectConfig(ctx, cfg); err != nil {
		return nil, q.problem(err, 0)
	}
	r.stop = context.AfterFunc(ctx, func() { _ = r.conn.PgConn().Conn().Close() })
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	tx, err := r.conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly, IsoLevel: pgx.RepeatableRead})
	if err != nil {
		return nil, q.problem(err, 0)
	}
	// A statement that is prepared is one, so that nothing can end the transaction.
	if r.in, err = tx.Query(ctx, q.statement, pgx.QueryResultFormats{pgx.TextFormatCode}); err != nil {
		return nil, q.problem(err, 0)
	}
	if len(r.in.FieldDescriptions()) == 0 {
		if r.in.Close(); r.in.Err() != nil {
			return nil, q.problem(r.in.Err(), 0)
		}
		return nil, fault.New(fault.Invalid, "%s: the query gives no rows with columns", q.name).Do("write a SELECT under data.query")
	}
	if err := r.columns(kinds); err != nil {
		return nil, err
	}
	return r, nil
}

// columns says how each column is read.
func (r *rows) columns(kinds map[string]frame.Kind) error {
	seen := map[string]bool{}
	for _, d := range r.in.FieldDescriptions() {
		if d.Name == "?column?" || seen[d.Name] {
			return fault.New(fault.Invalid, "%s: two columns of the query have one name, or one has none: %s", r.query.name, d.Name).Do("name it with AS")
		}
		seen[d.Name] = true
		kind, err := r.kind(d)
		if err != nil {
			return err
		}
		if want, ok := kinds[d.Name]; ok {
			kind = want
		}
		r.fields, r.types = append(r.fields, frame.Field{Name: d.Name, Kind: kind}), append(r.types, d.DataTypeOID)
	}
	return nil
}

// kind is what a type is read as.
func (r *rows) kind(d pgconn.FieldDescription) (frame.Kind, error) {
	switch d.DataTypeOID {
	case pgtype.BoolOID, pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.Float4OID, pgtype.Float8OID, pgtype.NumericOID, pgtype.OIDOID:
		return frame.Number, nil
	case pgtype.DateOID, pgtype.TimestampOID, pgtype.TimestamptzOID:
		return frame.Time, nil
	case pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID, pgtype.NameOID, pgtype.QCharOID, pgtype.UUIDOID, pgtype.JSONOID, pgtype.JSONBOID, pgtype.UnknownOID:
		return frame.Text, nil
	}
	if t, ok := r.conn.TypeMap().TypeForOID(d.DataTypeOID); ok {
		return 0, fault.New(fault.Invalid, "%s: the column %q is of type %s, which is no number, text or time", r.query.name, d.Name, t.Name).
			Do("cast it in the query, such as %s::text or extract(epoch from %s)", d.Name, d.Name)
	}
	return frame.Text, nil // an enum, or another of the database's own
}

// Next gives the next rows.
func (r *rows) Next() (*frame.Frame, error) {
	if r.failed != nil {
		return nil, r.failed
	}
	cols := make([]frame.Column, len(r.fields))
	for i, f := range r.fields {
		cols[i].Field = f
	}
	n, size := 0, 0
	for n < chunkRows && size < chunkBytes && r.in.Next() {
		r.row++
		n++
		for i, raw := range r.in.RawValues() {
			size += 16 + len(raw)
			if err := r.put(&cols[i], r.types[i], raw); err != nil {
				return nil, r.end(err)
			}
		}
	}
	if n > 0 {
		r.gave = true
		return frame.WithRows(n, cols...), nil
	}
	if err := r.in.Err(); err != nil {
		return nil, r.end(r.query.problem(err, r.row))
	}
	if !r.gave {
		r.gave = true
		_ = r.end(io.EOF)
		return frame.Empty(r.fields), nil
	}
	return nil, r.end(io.EOF)
}

// end keeps why there are no more rows, and closes.
func (r *rows) end(err error) error {
	r.failed = err
	r.close()
	return err
}

func (r *rows) close() {
	r.stop()
	// Rows that were not read are not waited for.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if r.in == nil || r.failed == nil || !errors.Is(r.failed, io.EOF) {
		_ = r.conn.PgConn().Conn().Close()
	}
	_ = r.conn.Close(ctx)
}
