// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"flyball/fault"
)

// problem is an error of the engine as a fault. what says in one sentence what could
// not be done, for errors that say nothing better. A fault passes as it is.
func problem(err error, what string) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return sqliteProblem(e, err, what)
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return postgresProblem(e, err, what)
	}
	if away(err) {
		return fault.Wrap(err, fault.Unavailable, "the database cannot be reached")
	}
	return fault.Wrap(err, fault.Internal, "%s", what)
}

// away reports whether an error says that a server is not there, not yet or no more, so
// that the same may work later though nobody does anything about it.
func away(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return strings.HasPrefix(e.Code, "08") || strings.HasPrefix(e.Code, "53") || strings.HasPrefix(e.Code, "57P") || e.Code == "25006"
	}
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	_, network := errors.AsType[net.Error](err)
	return connecting || network || errors.Is(err, driver.ErrBadConn) || pgconn.SafeToRetry(err)
}

func sqliteProblem(e *sqlite.Error, err error, what string) error {
	switch e.Code() & 0xff { // the rest is detail
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fault.Wrap(err, fault.Unavailable, "the database is locked by another program")
	case sqlite3.SQLITE_FULL:
		return fault.Wrap(err, fault.Unavailable, "the disk of the database is full")
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return fault.Wrap(err, fault.Unavailable, "the database file cannot be opened for writing")
	case sqlite3.SQLITE_IOERR:
		return fault.Wrap(err, fault.Unavailable, "the disk of the database does not work")
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fault.Wrap(err, fault.Unavailable, "the database file is damaged or no database")
	}
	return fault.Wrap(err, fault.Internal, "%s", what)
}

func postgresProblem(e *pgconn.PgError, err error, what string) error {
	switch {
	case e.Code == "53100":
		return fault.Wrap(err, fault.Unavailable, "the disk of the database is full")
	case e.Code == "55P03", again(err):
		return fault.Wrap(err, fault.Unavailable, "the database is busy")
	case strings.HasPrefix(e.Code, "22"): // a zero byte, or text that is not UTF-8
		return fault.Wrap(err, fault.Invalid, "the database cannot keep such a value")
	case strings.HasPrefix(e.Code, "28"), e.Code == "3D000", e.Code == "42501":
		return fault.Wrap(err, fault.Unavailable, "the database does not let Flyball in")
	case away(err):
		return fault.Wrap(err, fault.Unavailable, "the database cannot be reached")
	}
	return fault.Wrap(err, fault.Internal, "%s", what)
}

// again reports whether the engine undid a transaction only because of another one,
// so that the same again may well work.
func again(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == "40001" || e.Code == "40P01")
}

// lostStart reports whether an error of a migration may be another program's that
// migrates the same SQLite file: it keeps the file, or has made the tables already.
func lostStart(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	code := e.Code() & 0xff
	return code == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_LOCKED || code == sqlite3.SQLITE_ERROR
}
