// SPDX-License-Identifier: Apache-2.0

// Package store keeps everything that is decided, in SQLite or in PostgreSQL, with
// one SQL text for both. Each method is one business fact and one transaction: what
// changes, its audit record and its events are written together or not at all. It
// decides nothing (the features do), holds no bytes of models or data (package blob)
// and no predictions (package predictionlog).
package store

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"modernc.org/sqlite"

	"flyball/fault"
)

//go:embed migrations
var migrations embed.FS

// DB is an open database. All methods may be called at once. An error of the engine
// is a fault: Unavailable when it is locked, full or away, so that later may work.
type DB struct {
	read, write *sql.DB // SQLite has one writer and many readers; elsewhere they are the same
	dialect     dialect
	insertions  insertions
	keys        keys
	loggers     loggers
	pace        pace
	now         func() time.Time
	fence       int64 // of the lead that every change needs; 0: it needs none

	mu      sync.Mutex
	changed chan struct{} // closed when events were written
}

// Open opens the database that dsn names and brings it to this version's schema: a
// path is an SQLite file, which is made when it is not there; postgres://… or
// host=… dbname=… is PostgreSQL. A database of a newer Flyball is a Refused fault and
// is left as it is.
func Open(ctx context.Context, dsn string) (*DB, error) {
	db, err := connect(dsn)
	if err != nil {
		return nil, err
	}
	if err := db.migrate(ctx); err != nil {
		_ = db.Close() // the first error is the one to tell
		return nil, err
	}
	return db, nil
}

// Await opens a database as Open does, and waits up to patience while its server is not
// there: programs of one system start in any order. tell hears once why it waits. A server
// that turns Flyball away is not waited for, and neither is a file.
func Await(ctx context.Context, dsn string, patience time.Duration, tell func(error)) (*DB, error) {
	giveUp := time.Now().Add(patience)
	for first := true; ; first = false {
		db, err := Open(ctx, dsn)
		if err == nil || !away(err) || time.Now().After(giveUp) {
			return db, err
		}
		if first {
			tell(err)
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(time.Second):
		}
	}
}

func connect(dsn string) (*DB, error) {
	if dsn == "" {
		return nil, fault.New(fault.Invalid, "the database has no name").Do("name a file, or postgres://…")
	}
	if isPostgres(dsn) {
		return openPostgres(dsn)
	}
	return openSQLite(strings.TrimPrefix(dsn, "sqlite:"))
}

func isPostgres(dsn string) bool {
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		return true
	}
	key, _, found := strings.Cut(strings.TrimSpace(dsn), "=")
	switch strings.TrimSpace(key) {
	case "host", "hostaddr", "port", "user", "password", "dbname", "service":
		return found
	}
	return false
}

// openSQLite opens one connection that writes and a pool that reads. With one writer
// a transaction waits for its turn in memory instead of asking the file again and
// again; readers do not wait at all (WAL).
func openSQLite(path string) (*DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "%q cannot name a database file", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the folder of the database cannot be made")
	}
	open := func(more string, whole bool) *sql.DB {
		u := url.URL{Scheme: "file", Path: filepath.ToSlash(path)}
		u.RawQuery = "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)" + more
		return sql.OpenDB(preparing{driver: &sqlite.Driver{}, dsn: u.String(), whole: whole})
	}
	// As every distribution builds SQLite: a commit waits for data and size, not for the time of the change.
	_, _ = sqlite.Fdatasync(true) // where there is no such call it stays with fsync
	write := open("&_txlock=immediate&_pragma=cache_size(-16000)&_pragma=wal_autocheckpoint(4000)", true)
	write.SetMaxOpenConns(1)
	read := open("&_pragma=query_only(1)", false) // a search that nobody waits for must end
	read.SetMaxOpenConns(8)
	read.SetMaxIdleConns(8)
	return newDB(read, write, sqliteDialect()), nil
}

func openPostgres(dsn string) (*DB, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "the address of the PostgreSQL database cannot be read")
	}
	config.ConnectTimeout = cmp.Or(config.ConnectTimeout, 10*time.Second)
	for name, value := range gone {
		if _, said := config.RuntimeParams[name]; !said {
			config.RuntimeParams[name] = value
		}
	}
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(16)
	pool.SetMaxIdleConns(8)
	pool.SetConnMaxLifetime(time.Hour)
	return newDB(pool, pool, postgresDialect()), nil
}

// gone has the server notice within some 15 seconds that this process is gone, paused or
// cut off, so that what it had locked is free again; by itself it would take hours.
var gone = map[string]string{
	"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "3", "tcp_keepalives_count": "3", "tcp_user_timeout": "15000",
	"idle_in_transaction_session_timeout": "10000",
}

func newDB(read, write *sql.DB, d dialect) *DB {
	return &DB{read: read, write: write, dialect: d, insertions: newInsertions(d), now: time.Now, changed: make(chan struct{})}
}

// provider is goose over this engine's migrations, without its globals.
func (db *DB) provider() (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations/"+db.dialect.folder)
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger())}
	if db.dialect.goose == goose.DialectPostgres { // two servers may start at once
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60)) // look each second, for a minute
		if err != nil {
			return nil, err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	return goose.NewProvider(db.dialect.goose, db.write, files, options...)
}

// migrate brings the schema up. Two programs may open a new SQLite file at once, and
// goose has no lock for that: whoever loses the race looks again.
func (db *DB) migrate(ctx context.Context) error {
	for attempt := 0; ; attempt++ {
		err := db.up(ctx)
		if !lostStart(err) || attempt == 20 {
			return problem(err, "the database cannot be brought to this version's schema")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (db *DB) up(ctx context.Context) error {
	p, err := db.provider()
	if err != nil {
		return err
	}
	have, newest, err := p.GetVersions(ctx)
	if err != nil || have == newest {
		return err
	}
	if have > newest {
		return newer(have, newest)
	}
	_, err = p.Up(ctx)
	return err
}

// Close lets the database go. Nothing may be called after it.
func (db *DB) Close() error {
	if db.read == db.write {
		return db.write.Close()
	}
	return errors.Join(db.read.Close(), db.write.Close())
}

// Changed is closed as soon as this process has written events after the call; take
// it, read the events, then wait. Events that another server wrote into the same
// PostgreSQL do not close it: who follows such events also looks from time to time.
func (db *DB) Changed() <-chan struct{} {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.changed
}

func (db *DB) tell() {
	db.mu.Lock()
	defer db.mu.Unlock()
	close(db.changed)
	db.changed = make(chan struct{})
}

// Health is what a check found.
type Health struct {
	Engine string // sqlite or postgres
	Server string // the engine's version
	Schema int64  // of the database
	Newest int64  // schema that this Flyball knows
}

// Check asks the engine whether the database is whole. A file that is damaged is an
// Unavailable fault that says where.
func (db *DB) Check(ctx context.Context) (Health, error) {
	h := Health{Engine: db.dialect.folder}
	if err := db.read.QueryRowContext(ctx, db.dialect.version).Scan(&h.Server); err != nil {
		return h, problem(err, "the database does not answer")
	}
	p, err := db.provider()
	if err != nil {
		return h, problem(err, "the database's schema cannot be read")
	}
	if h.Schema, h.Newest, err = p.GetVersions(ctx); err != nil {
		return h, problem(err, "the database's schema cannot be read")
	}
	if db.dialect.check == "" {
		return h, nil
	}
	var said string
	if err := db.read.QueryRowContext(ctx, db.dialect.check).Scan(&said); err != nil {
		return h, problem(err, "the database cannot be checked")
	}
	if said != "ok" {
		return h, fault.New(fault.Unavailable, "the database file is damaged: %s", said).Do("restore a backup")
	}
	return h, nil
}
