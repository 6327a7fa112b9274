// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"flyball/backup"
	"flyball/fault"
)

// Loading is a database that is being filled with the rows of another, in one transaction.
// Finish it, or Abort it. It is not for many at once.
type Loading struct {
	db     *DB
	dsn    string
	tx     *tx
	tables map[string]insertion
}

// Load makes a database at a schema, empty, to be filled. One that is there already is a
// Conflict fault, and a schema that this Flyball does not know a Refused one.
func Load(ctx context.Context, dsn string, schema int64) (*Loading, error) {
	if !isPostgres(dsn) {
		if _, err := os.Stat(strings.TrimPrefix(dsn, "sqlite:")); !errors.Is(err, fs.ErrNotExist) {
			return nil, fault.New(fault.Conflict, "there is a file %s already", dsn).Do("choose another folder")
		}
	}
	db, err := connect(dsn)
	if err != nil {
		return nil, err
	}
	l := &Loading{db: db, dsn: dsn, tables: map[string]insertion{}}
	if err := l.free(ctx); err != nil { // before Abort may remove anything
		return nil, errors.Join(err, db.Close())
	}
	if err := l.begin(ctx, schema); err != nil {
		return nil, errors.Join(problem(err, "the database cannot be made"), l.Abort())
	}
	return l, nil
}

// free refuses a database that has tables.
func (l *Loading) free(ctx context.Context) error {
	c, err := l.db.write.Conn(ctx)
	if err != nil {
		return problem(err, "the database cannot be reached")
	}
	defer c.Close()
	have, err := tablesOf(ctx, c, l.db.dialect)
	if err == nil && len(have) > 0 {
		err = fault.New(fault.Conflict, "the database is not empty: it has a table %s", have[0].Name).Do("name a new database, or another schema of it (search_path=…)")
	}
	return problem(err, "the database cannot be read")
}

func (l *Loading) begin(ctx context.Context, schema int64) error {
	p, err := l.db.provider()
	if err != nil {
		return err
	}
	sources := p.ListSources()
	if newest := sources[len(sources)-1].Version; schema > newest {
		return newer(schema, newest)
	}
	if _, err := p.UpTo(ctx, schema); err != nil {
		return err
	}
	c, err := l.db.begin(ctx)
	if err != nil {
		return err
	}
	l.tx = &tx{Conn: c, dialect: l.db.dialect, now: l.db.now}
	tables, err := tablesOf(ctx, c, l.db.dialect)
	for _, t := range tables { // what the migrations put in
		if err == nil {
			_, err = c.ExecContext(ctx, `DELETE FROM `+quote(t.Name))
		}
		l.tables[t.Name] = insertion{}
	}
	if err == nil {
		err = l.supersede(ctx)
	}
	return err
}

// supersede has the leader and the desired state of this place follow on those of the one
// that was dumped, which replicas may have seen: both are counted up one by one, and here
// they begin with the seconds since 1970.
func (l *Loading) supersede(ctx context.Context) error {
	now := time.Now().Unix()
	for table, statement := range map[string]string{
		"fences":  `INSERT INTO fences (name, fence) VALUES ($1, $2)`,
		"desired": `INSERT INTO desired (name, version, body) VALUES ($1, $2, '{}')`,
	} {
		if _, has := l.tables[table]; !has { // of an earlier schema
			continue
		}
		if _, err := l.tx.exec(ctx, statement, lead, now); err != nil {
			return err
		}
	}
	return nil
}

// newer says that a schema is of a later Flyball.
func newer(have, newest int64) error {
	return fault.New(fault.Refused, "the database has schema %d, and this Flyball knows schemas up to %d", have, newest).
		Do("run the newer Flyball that wrote it, or restore a backup from before the upgrade")
}

// Insert adds rows of a table, whose values are one after another.
func (l *Loading) Insert(ctx context.Context, t *backup.Table, values []any) error {
	in, ok := l.tables[t.Name]
	if !ok {
		return fault.New(fault.Invalid, "schema has no table %s", t.Name)
	}
	if in.width == 0 {
		in = newInsertion(l.db.dialect, quote(t.Name)+" ("+columnList(t)+") "+l.db.dialect.numbered, "")
		l.tables[t.Name] = in
	}
	return problem(l.tx.insert(ctx, in, values), "rows of table "+t.Name+" cannot be written")
}

// Finish has each table number its rows on from where it was, counts them, and keeps all.
// Another number of rows than a table says is a Refused fault; then Abort.
func (l *Loading) Finish(ctx context.Context, tables []backup.Table) error {
	for i := range tables {
		t := &tables[i]
		var n int64
		if err := l.tx.row(ctx, `SELECT count(*) FROM `+quote(t.Name)).Scan(&n); err != nil {
			return problem(err, "the rows cannot be counted")
		}
		if n != t.Rows {
			return fault.New(fault.Refused, "table %s has %d rows and not %d", t.Name, n, t.Rows)
		}
		if t.Serial == "" || t.Last == 0 {
			continue
		}
		for _, statement := range l.db.dialect.number {
			if _, err := l.tx.exec(ctx, statement, t.Name, t.Serial, t.Last); err != nil {
				return problem(err, "the numbers of table "+t.Name+" cannot be set")
			}
		}
	}
	if _, err := l.tx.ExecContext(ctx, "COMMIT"); err != nil {
		return problem(err, "the records were not written")
	}
	err := errors.Join(l.tx.Close(), l.db.Close())
	l.tx, l.db = nil, nil
	return problem(err, "the database cannot be closed")
}

// Abort removes what Load made. After Finish it does nothing.
func (l *Loading) Abort() error {
	if l.db == nil {
		return nil
	}
	if l.tx != nil {
		abandon(l.tx.Conn)
	}
	err := l.drop(context.Background())
	err = errors.Join(err, l.db.Close())
	l.db = nil
	if !isPostgres(l.dsn) {
		for _, more := range []string{"", "-wal", "-shm"} {
			if e := os.Remove(strings.TrimPrefix(l.dsn, "sqlite:") + more); !errors.Is(e, fs.ErrNotExist) {
				err = errors.Join(err, e)
			}
		}
	}
	return err
}

// drop removes the tables of a database that had none.
func (l *Loading) drop(ctx context.Context) error {
	if l.db.dialect.folder == "sqlite" { // the file goes
		return nil
	}
	c, err := l.db.write.Conn(ctx)
	if err != nil {
		return problem(err, "what was made cannot be removed")
	}
	defer c.Close()
	return problem(dropAll(ctx, c, l.db.dialect), "what was made cannot be removed")
}

func dropAll(ctx context.Context, c *sql.Conn, d dialect) error {
	tables, err := tablesOf(ctx, c, d)
	for _, t := range append(tables, backup.Table{Name: "goose_db_version"}) {
		if err == nil {
			_, err = c.ExecContext(ctx, `DROP TABLE IF EXISTS `+quote(t.Name))
		}
	}
	return err
}

// Drop removes every table of Flyball from a database: a copy that was looked at.
func Drop(ctx context.Context, dsn string) error {
	db, err := connect(dsn)
	if err != nil {
		return err
	}
	l := &Loading{db: db, dsn: dsn}
	return l.Abort()
}
