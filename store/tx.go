// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"time"

	"flyball/fault"
)

// tx is one transaction that writes. It is a connection and not package sql's Tx, which
// starts a goroutine for each: a fifth of what it takes to log one metric.
type tx struct {
	*sql.Conn
	dialect dialect
	now     func() time.Time
	told    bool // events were written
	keys    *keys
	insertions
	learned map[string]int64 // new in keys, once this is committed
}

// atomic runs do in one transaction that writes. what says what could not be done.
// Errors of do undo everything; a transaction that the engine undid because of
// another one is run again.
func (db *DB) atomic(ctx context.Context, what string, do func(t *tx) error) error {
	return db.atomicUnfenced(ctx, what, func(t *tx) error {
		if err := t.behind(ctx, db.fence); err != nil {
			return err
		}
		return do(t)
	})
}

// atomicUnfenced is atomic for whoever leads or not.
func (db *DB) atomicUnfenced(ctx context.Context, what string, do func(t *tx) error) error {
	for attempt := 0; ; attempt++ {
		told, err := db.try(ctx, do)
		if again(err) && attempt < 5 {
			continue
		}
		if told && err == nil {
			db.tell()
		}
		return problem(err, what)
	}
}

func (db *DB) try(ctx context.Context, do func(t *tx) error) (told bool, err error) {
	if err := refusesPast(ctx); err != nil {
		return false, err
	}
	c, err := db.begin(ctx)
	if err != nil {
		return false, err
	}
	committed := false
	defer func() { // also when do panics
		if committed {
			_ = c.Close() // gives it back
		} else {
			abandon(c)
		}
	}()
	t := &tx{Conn: c, dialect: db.dialect, now: db.now, keys: &db.keys, insertions: db.insertions}
	if err := do(t); err != nil {
		return false, err
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if _, err := c.ExecContext(context.WithoutCancel(ctx), "COMMIT"); err != nil { // who hangs up now must not leave in doubt whether it happened
		return false, err
	}
	committed = true
	db.keys.learn(t.learned)
	return t.told, nil
}

// begin begins a transaction; on a new connection where the server has left one.
func (db *DB) begin(ctx context.Context) (*sql.Conn, error) {
	for attempt := 0; ; attempt++ {
		c, err := db.write.Conn(ctx)
		if err != nil {
			return nil, err
		}
		if _, err = c.ExecContext(ctx, db.dialect.begin); err == nil {
			return c, nil
		}
		abandon(c)
		if !errors.Is(err, driver.ErrBadConn) || attempt == 2 {
			return nil, err
		}
	}
}

// abandon undoes the transaction of a connection and gives it back; or throws it away
// when that fails.
func abandon(c *sql.Conn) {
	if _, err := c.ExecContext(context.Background(), "ROLLBACK"); err != nil {
		_ = c.Raw(func(any) error { return driver.ErrBadConn }) // which is how package sql is told
	}
	_ = c.Close()
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(ctx context.Context, statement string, args ...any) (int64, error) {
	res, err := t.ExecContext(ctx, t.dialect.sql(statement), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (t *tx) row(ctx context.Context, statement string, args ...any) *sql.Row {
	return t.QueryRowContext(ctx, t.dialect.sql(statement), args...)
}

// each reads the rows of a query.
func (t *tx) each(ctx context.Context, scan func(scanner) error, statement string, args ...any) error {
	rs, err := t.QueryContext(ctx, t.dialect.sql(statement), args...)
	return scanAll(rs, err, scan)
}

// next raises a counter by n and returns its new value. The counter's row stays with
// this transaction until it commits, so numbers become visible in their order.
func (t *tx) next(ctx context.Context, name string, n int) (int64, error) {
	var seq int64
	err := t.row(ctx, `INSERT INTO heads (name, seq) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET seq = heads.seq + excluded.seq RETURNING seq`, name, n).Scan(&seq)
	return seq, err
}

func (db *DB) row(ctx context.Context, statement string, args ...any) row {
	if err := refusesPast(ctx); err != nil {
		return row{err: err}
	}
	return row{Row: db.read.QueryRowContext(ctx, db.dialect.sql(statement), args...)}
}

// short is the context for reading a few rows, which ends by itself sooner than SQLite's
// driver can be told to end it; see conn.heard.
func (db *DB) short(ctx context.Context) context.Context {
	if db.read == db.write { // a server may not answer at all
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// scanner is a row to scan: *sql.Row or *sql.Rows.
type scanner interface{ Scan(dest ...any) error }

// rows gives the rows of a query one by one, each read by scan; an error is the last.
func rows[T any](ctx context.Context, db *DB, scan func(scanner) (T, error), statement string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		if err := refusesPast(ctx); err != nil {
			yield(none, err)
			return
		}
		rs, err := db.read.QueryContext(ctx, db.dialect.sql(statement), args...)
		if err != nil {
			yield(none, err)
			return
		}
		defer rs.Close()
		for rs.Next() {
			v, err := scan(rs)
			if !yield(v, err) || err != nil {
				return
			}
		}
		if err := rs.Err(); err != nil {
			yield(none, err)
		}
	}
}

// each reads the rows of a query.
func (db *DB) each(ctx context.Context, scan func(scanner) error, statement string, args ...any) error {
	if err := refusesPast(ctx); err != nil {
		return err
	}
	rs, err := db.read.QueryContext(ctx, db.dialect.sql(statement), args...)
	return scanAll(rs, err, scan)
}

func scanAll(rs *sql.Rows, err error, scan func(scanner) error) error {
	if err != nil {
		return err
	}
	defer rs.Close()
	for rs.Next() {
		if err := scan(rs); err != nil {
			return err
		}
	}
	return rs.Err()
}

// all are all rows of a query.
func all[T any](ctx context.Context, db *DB, what string, scan func(scanner) (T, error), statement string, args ...any) ([]T, error) {
	var out []T
	for v, err := range rows(ctx, db, scan, statement, args...) {
		if err != nil {
			return nil, problem(err, what)
		}
		out = append(out, v)
	}
	return out, nil
}

// found turns a row that is not there into the NotFound fault.
func found(err error, what, format string, args ...any) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fault.New(fault.NotFound, format, args...)
	}
	return problem(err, what)
}

// micros is a time as it is kept; NULL when it is zero.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// moment scans a time that was kept by micros.
type moment struct{ to *time.Time }

func (m moment) Scan(v any) error {
	var n sql.NullInt64
	if err := n.Scan(v); err != nil {
		return err
	}
	*m.to = time.Time{}
	if n.Valid {
		*m.to = time.UnixMicro(n.Int64).UTC()
	}
	return nil
}

// text is JSON as it is kept.
func text(raw json.RawMessage) string { return clean(string(raw)) }

// clean is a text that every engine keeps: UTF-8 without zero bytes. What a program
// says when it breaks is not always so, and must be kept all the same.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// document scans JSON that was kept as text; nothing is nil.
type document struct{ to *json.RawMessage }

func (d document) Scan(v any) error {
	var s string
	switch v := v.(type) {
	case string:
		s = v
	case []byte:
		s = string(v)
	}
	*d.to = nil
	if s != "" {
		*d.to = json.RawMessage(s)
	}
	return nil
}

// body scans JSON that was kept as text into a value.
type body struct{ to any }

func (b body) Scan(v any) error {
	var raw json.RawMessage
	if err := (document{&raw}).Scan(v); err != nil {
		return err
	}
	return json.Unmarshal(raw, b.to)
}

// clamp is a number of rows to read that nobody can make too large.
func clamp(limit int) int { return min(max(limit, 1), 10_000) }
