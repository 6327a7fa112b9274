// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"

	_ "modernc.org/sqlite" // the driver

	"flyball/fault"
)

// schemaVersion is the version of staged.db that this program reads and writes.
const schemaVersion = 6

// applicationID marks the file as ours: "FLYP".
const applicationID = 0x464c5950

// schema is staged.db, version 6; docs/formats/predictions.md explains it.
//
// place grows at one end: its key begins with the part, so appends touch the pages
// of today only, and a key is looked for once a day that the model has.
const schema = `
CREATE TABLE part (
	id    INTEGER PRIMARY KEY,
	model TEXT NOT NULL,
	day   INTEGER NOT NULL,
	UNIQUE (model, day)
) STRICT;
CREATE TABLE chunk (
	seq      INTEGER PRIMARY KEY AUTOINCREMENT,
	part     INTEGER NOT NULL REFERENCES part (id),
	hour     INTEGER NOT NULL,
	rows     INTEGER NOT NULL,
	min_time INTEGER NOT NULL,
	max_time INTEGER NOT NULL,
	min_due  INTEGER NOT NULL,
	max_due  INTEGER NOT NULL,
	min_at   INTEGER NOT NULL,
	max_at   INTEGER NOT NULL,
	body     BLOB NOT NULL
) STRICT;
CREATE INDEX chunk_part ON chunk (part, hour);
CREATE TABLE place (
	part INTEGER NOT NULL,
	hash INTEGER NOT NULL,
	hour INTEGER NOT NULL,
	PRIMARY KEY (part, hash, hour)
) STRICT, WITHOUT ROWID;
CREATE TABLE file (
	part     INTEGER NOT NULL REFERENCES part (id),
	name     TEXT NOT NULL,
	rows     INTEGER NOT NULL,
	bytes    INTEGER NOT NULL,
	crc      INTEGER NOT NULL,
	min_time INTEGER NOT NULL,
	max_time INTEGER NOT NULL,
	min_due  INTEGER NOT NULL,
	max_due  INTEGER NOT NULL,
	min_at   INTEGER NOT NULL,
	max_at   INTEGER NOT NULL,
	PRIMARY KEY (part, name)
) STRICT;
CREATE TABLE label (
	seq      INTEGER PRIMARY KEY AUTOINCREMENT,
	model    TEXT NOT NULL,
	name     BLOB NOT NULL,
	value    TEXT NOT NULL,
	at       INTEGER NOT NULL,
	received INTEGER NOT NULL,
	UNIQUE (model, name, value, at)
) STRICT;
CREATE TABLE waiting (
	model    TEXT NOT NULL,
	hash     INTEGER NOT NULL,
	received INTEGER NOT NULL,
	PRIMARY KEY (model, hash)
) STRICT, WITHOUT ROWID;
` + reasonSchema + auditSchema + newsSchema + shipSchema

// reasonSchema is what version 2 added: reasons, which come later than their records.
const reasonSchema = `
CREATE TABLE why (
	seq  INTEGER PRIMARY KEY AUTOINCREMENT,
	part INTEGER NOT NULL REFERENCES part (id),
	hour INTEGER NOT NULL,
	body BLOB NOT NULL
) STRICT;
CREATE INDEX why_part ON why (part, hour);
`

func dsn(path string, o Options, lock string, pragmas ...string) string {
	v := url.Values{"_txlock": {lock}}
	v.Add("_pragma", fmt.Sprintf("busy_timeout(%d)", o.busy.Milliseconds()))
	for _, p := range pragmas {
		v.Add("_pragma", p)
	}
	u := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: v.Encode()}
	return u.String()
}

// openWrite opens the one connection that writes, and makes the tables in a new file.
func openWrite(ctx context.Context, path string, o Options) (*sql.DB, error) {
	// FULL: a commit returns when the write-ahead log is on the disk, which is what
	// "acknowledged" promises; NORMAL would lose commits on a power failure.
	db, err := sql.Open("sqlite", dsn(path, o, "immediate",
		"journal_mode(wal)", "synchronous(full)", "wal_autocheckpoint(4000)", "journal_size_limit(67108864)", "cache_size(-8000)"))
	if err != nil {
		return nil, broken(err, "opened")
	}
	db.SetMaxOpenConns(1)
	if err := prepare(ctx, db, path); err != nil {
		_ = db.Close()
		return nil, err
	}
	if o.maxPages > 0 {
		if _, err := db.ExecContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", o.maxPages)); err != nil {
			_ = db.Close()
			return nil, broken(err, "bounded")
		}
	}
	return db, nil
}

func prepare(ctx context.Context, db *sql.DB, path string) error {
	var version, app, tables int
	row := db.QueryRowContext(ctx, `SELECT (SELECT user_version FROM pragma_user_version),
		(SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_schema)`)
	if err := row.Scan(&version, &app, &tables); err != nil {
		return broken(err, "opened")
	}
	switch {
	case tables > 0 && app != applicationID:
		return fault.New(fault.Invalid, "%s is an SQLite file, but not a prediction log", path).Do("choose another data directory")
	case version > schemaVersion:
		return fault.New(fault.Invalid, "%s was written by a newer version of Flyball (format %d; this one reads up to %d)", path, version, schemaVersion).
			Do("install that version, or restore a backup from before the upgrade")
	case version == schemaVersion:
		return nil
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return broken(err, "made")
	}
	defer func() { _ = tx.Rollback() }()
	ddl := schema
	switch version {
	case 1:
		ddl = reasonSchema + auditSchema + newsSchema + oldNews + shipSchema
	case 2, 3: // what version 3 added is in the bodies of chunks
		ddl = auditSchema + newsSchema + oldNews + shipSchema
	case 4:
		ddl = newsSchema + oldNews + shipSchema
	case 5:
		ddl = shipSchema
	}
	if _, err := tx.ExecContext(ctx, ddl+fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, schemaVersion)); err != nil {
		return broken(err, "made")
	}
	return broken(tx.Commit(), "made")
}

// openRead opens the connections that read. Each Scan has one of its own, so that a
// visitor may scan again.
func openRead(path string, o Options) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn(path, o, "deferred", "query_only(1)", "cache_size(-4000)"))
	if err != nil {
		return nil, broken(err, "opened")
	}
	db.SetMaxIdleConns(2)
	return db, nil
}
