// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"flyball/backup"
	"flyball/fault"
)

// Dump is the database at one moment: all that it reads is of one snapshot, whatever is
// written meanwhile. It is not for many at once. Close it soon: until then the engine
// keeps what is overwritten.
type Dump struct {
	conn    *sql.Conn
	dialect dialect
	origin  backup.Origin
	tables  []backup.Table
}

// Dump begins to read the database as it is now.
func (db *DB) Dump(ctx context.Context) (*Dump, error) {
	const what = "the records cannot be read"
	c, err := db.read.Conn(ctx)
	if err != nil {
		return nil, problem(err, what)
	}
	d := &Dump{conn: c, dialect: db.dialect, origin: backup.Origin{Engine: db.dialect.folder, MadeAt: db.now().UTC()}}
	if _, err = c.ExecContext(ctx, db.dialect.freeze); err == nil {
		err = d.begin(ctx)
	}
	if err != nil {
		return nil, errors.Join(problem(err, what), d.Close())
	}
	return d, nil
}

// OpenAsIs opens a database without bringing it to this version's schema, for a Dump of
// it. Nothing is made where there is no database: that is a NotFound fault.
func OpenAsIs(ctx context.Context, dsn string) (*DB, error) {
	if !isPostgres(dsn) {
		if _, err := os.Stat(strings.TrimPrefix(dsn, "sqlite:")); errors.Is(err, fs.ErrNotExist) {
			return nil, fault.New(fault.NotFound, "there is no database %s", dsn)
		}
	}
	db, err := connect(dsn)
	if err != nil {
		return nil, err
	}
	have, newest, err := db.schemas(ctx)
	if err == nil && have > newest {
		err = newer(have, newest)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// schemas are the schema of the database, and the newest that this Flyball knows.
func (db *DB) schemas(ctx context.Context) (have, newest int64, err error) {
	if err := db.read.QueryRowContext(ctx, schemaOf).Scan(&have); err != nil {
		return 0, 0, fault.Wrap(problem(err, "the database cannot be read"), fault.NotFound, "there is no database of Flyball")
	}
	p, err := db.provider()
	if err != nil {
		return 0, 0, err
	}
	sources := p.ListSources()
	return have, sources[len(sources)-1].Version, nil
}

// schemaOf asks for the newest migration that a database has.
const schemaOf = `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`

func (d *Dump) begin(ctx context.Context) error {
	if err := d.conn.QueryRowContext(ctx, schemaOf).Scan(&d.origin.Schema); err != nil { // from here on the moment stands
		return err
	}
	if err := d.conn.QueryRowContext(ctx, `SELECT seq, hash FROM heads WHERE name = 'audit'`).Scan(&d.origin.Audit.Seq, &d.origin.Audit.Hash); err != nil {
		return err
	}
	var err error
	d.tables, err = tablesOf(ctx, d.conn, d.dialect)
	d.tables = slices.DeleteFunc(d.tables, func(t backup.Table) bool { return slices.Contains(passing, t.Name) })
	return err
}

// passing are the tables of what processes agree on while they run, and of what lies in
// their bucket: it holds for no other place and no later time, so it is in no dump.
var passing = []string{"checkpoints", "desired", "fences", "leases", "replicas", "shared"}

// tablesOf are the tables of a database in the order of their names, each with its columns.
func tablesOf(ctx context.Context, c *sql.Conn, d dialect) ([]backup.Table, error) {
	var out []backup.Table
	keys := map[int]string{}
	rs, err := c.QueryContext(ctx, d.tables)
	err = scanAll(rs, err, func(s scanner) error {
		var table, column, kind string
		var key int
		var serial bool
		if err := s.Scan(&table, &column, &kind, &key, flag{&serial}); err != nil {
			return err
		}
		if len(out) == 0 || out[len(out)-1].Name != table {
			out = append(out, backup.Table{Name: table})
			clear(keys)
		}
		t := &out[len(out)-1]
		known, ok := kinds[strings.ToLower(kind)]
		if !ok {
			return fault.New(fault.Internal, "column %s of table %s is of type %s", column, table, kind)
		}
		t.Columns = append(t.Columns, backup.Column{Name: column, Kind: known})
		if serial {
			t.Serial = column
		}
		if key > 0 {
			keys[key] = column
			t.Key = t.Key[:0]
			for i := 1; keys[i] != ""; i++ {
				t.Key = append(t.Key, keys[i])
			}
		}
		return nil
	})
	for i := range out {
		if t := &out[i]; err == nil && t.Serial != "" {
			err = lastOf(ctx, c, d, t)
		}
	}
	return out, err
}

// lastOf finds the number that the database gave last in a table; what was put in with a
// number counts, too.
func lastOf(ctx context.Context, c *sql.Conn, d dialect, t *backup.Table) error {
	if err := c.QueryRowContext(ctx, d.last, t.Name, t.Serial).Scan(&t.Last); err != nil && !errors.Is(err, sql.ErrNoRows) { // none was given yet
		return err
	}
	var greatest int64
	err := c.QueryRowContext(ctx, `SELECT coalesce(max(`+quote(t.Serial)+`), 0) FROM `+quote(t.Name)).Scan(&greatest)
	t.Last = max(t.Last, greatest)
	return err
}

// kinds are the kinds of a backup by the types of both engines.
var kinds = map[string]string{
	"integer": backup.Int, "bigint": backup.Int, "real": backup.Real, "double precision": backup.Real,
	"text": backup.Text, "blob": backup.Bytes, "bytea": backup.Bytes,
}

// Origin says of what database and moment this is.
func (d *Dump) Origin() backup.Origin { return d.origin }

// Tables are the tables in the order of their names, but for those of what passes.
func (d *Dump) Tables() []backup.Table { return d.tables }

// Rows gives the rows of a table in the order of its key. A row is used again for the
// next one.
func (d *Dump) Rows(ctx context.Context, t *backup.Table, give func(row []any) error) error {
	row, to := make([]any, len(t.Columns)), make([]any, len(t.Columns))
	for i := range row {
		to[i] = &row[i]
	}
	statement := `SELECT ` + columnList(t) + ` FROM ` + quote(t.Name)
	if len(t.Key) > 0 {
		statement += ` ORDER BY ` + list(t.Key)
	}
	rs, err := d.conn.QueryContext(ctx, statement)
	return problem(scanAll(rs, err, func(s scanner) error {
		if err := s.Scan(to...); err != nil {
			return err
		}
		return give(row)
	}), "the records cannot be read")
}

// Count is how many rows a table has.
func (d *Dump) Count(ctx context.Context, t *backup.Table) (n int64, err error) {
	err = d.conn.QueryRowContext(ctx, `SELECT count(*) FROM `+quote(t.Name)).Scan(&n)
	return n, problem(err, "the records cannot be read")
}

// Documents gives the texts of records in which a digest may stand; of jobs those that
// have not ended.
func (d *Dump) Documents(ctx context.Context, give func(text string) error) error {
	return d.texts(ctx, give, documentsOf(func(table, column string) bool {
		return slices.ContainsFunc(d.tables, func(t backup.Table) bool {
			return t.Name == table && slices.ContainsFunc(t.Columns, func(c backup.Column) bool { return c.Name == column })
		})
	}), time.Now().UnixMicro())
}

// Files gives the digest of every file of runs, logged models and versions.
func (d *Dump) Files(ctx context.Context, give func(digest string) error) error {
	return d.texts(ctx, give, `SELECT digest FROM artifacts WHERE folder = 0 ORDER BY dir, name`)
}

func (d *Dump) texts(ctx context.Context, give func(string) error, statement string, args ...any) error {
	rs, err := d.conn.QueryContext(ctx, statement, args...)
	return problem(scanAll(rs, err, func(s scanner) error {
		var text string
		if err := s.Scan(&text); err != nil {
			return err
		}
		return give(text)
	}), "the records cannot be read")
}

// Close lets the moment go. Closing twice is closing once.
func (d *Dump) Close() error {
	if d.conn != nil {
		abandon(d.conn)
	}
	d.conn = nil
	return nil
}

func quote(name string) string { return `"` + name + `"` }

func list(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = quote(n)
	}
	return strings.Join(out, ", ")
}

func columnList(t *backup.Table) string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return list(names)
}
