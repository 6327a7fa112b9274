// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql/driver"
	"errors"
)

// preparing opens SQLite connections that keep their statements prepared, as pgx does
// by itself: reading a statement takes SQLite longer than finding one row.
type preparing struct {
	driver driver.Driver
	dsn    string
	whole  bool // statements run to their end; who gives up is heard before the next one
}

// Driver is SQLite's own.
func (p preparing) Driver() driver.Driver { return p.driver }

// Connect opens a connection.
func (p preparing) Connect(context.Context) (driver.Conn, error) {
	c, err := p.driver.Open(p.dsn)
	if err != nil {
		return nil, err
	}
	inner, ok := c.(sqliteConn)
	if !ok {
		return nil, errors.Join(errors.New("the SQLite driver has changed its ways"), c.Close())
	}
	return &conn{sqliteConn: inner, whole: p.whole, kept: map[string]*statement{}}, nil
}

// sqliteConn is what a connection of the SQLite driver can do.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// conn is a connection that keeps the statements that it used last. Package sql lets
// one goroutine use it at a time.
type conn struct {
	sqliteConn
	whole bool
	kept  map[string]*statement // by text
	tick  int64
}

type statement struct {
	driver.Stmt
	busy bool  // its rows are being read
	used int64 // when, in ticks
}

const (
	mostStatements  = 100     // of one connection
	longestPrepared = 1 << 14 // bytes of a statement that is worth keeping
)

// statement is the prepared statement of a text; nil when it must be run without one.
func (c *conn) statement(ctx context.Context, query string) *statement {
	c.tick++
	if s := c.kept[query]; s != nil {
		if s.busy {
			return nil
		}
		s.used = c.tick
		return s
	}
	if len(query) > longestPrepared {
		return nil
	}
	inner, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil // running it says what is wrong
	}
	c.forget()
	s := &statement{Stmt: inner, used: c.tick}
	c.kept[query] = s
	return s
}

// forget makes room by closing the statement that was not used for longest.
func (c *conn) forget() {
	if len(c.kept) < mostStatements {
		return
	}
	var oldest string
	for query, s := range c.kept {
		if !s.busy && (oldest == "" || s.used < c.kept[oldest].used) {
			oldest = query
		}
	}
	if s := c.kept[oldest]; s != nil {
		_ = s.Close() // it was reset when it was last used; nothing is left to fail
		delete(c.kept, oldest)
	}
}

// heard is the context for a statement. For one that may be canceled the driver starts
// a goroutine, which takes half as long as reading a run.
func (c *conn) heard(ctx context.Context) (context.Context, error) {
	if !c.whole {
		return ctx, nil
	}
	return context.WithoutCancel(ctx), ctx.Err()
}

// ExecContext runs a statement.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	ctx, err := c.heard(ctx)
	if err != nil {
		return nil, err
	}
	if s := c.statement(ctx, query); s != nil {
		if inner, ok := s.Stmt.(driver.StmtExecContext); ok {
			return inner.ExecContext(ctx, args)
		}
	}
	return c.sqliteConn.ExecContext(ctx, query, args)
}

// QueryContext runs a statement that returns rows.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	ctx, err := c.heard(ctx)
	if err != nil {
		return nil, err
	}
	if s := c.statement(ctx, query); s != nil {
		if inner, ok := s.Stmt.(driver.StmtQueryContext); ok {
			rs, err := inner.QueryContext(ctx, args)
			if err != nil {
				return nil, err
			}
			s.busy = true
			return &keptRows{Rows: rs, of: s}, nil
		}
	}
	return c.sqliteConn.QueryContext(ctx, query, args)
}

// Close closes the statements and the connection.
func (c *conn) Close() error {
	var errs []error
	for _, s := range c.kept {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.sqliteConn.Close())...)
}

// keptRows are rows of a statement that is kept.
type keptRows struct {
	driver.Rows
	of *statement
}

// Close ends reading; the statement may be used again.
func (r *keptRows) Close() error {
	r.of.busy = false
	return r.Rows.Close()
}
