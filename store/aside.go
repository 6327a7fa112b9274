// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"

	"flyball/backup"
	"flyball/fault"
)

// SetAside moves all tables of a PostgreSQL database into another schema of it, which is
// made, so that the database is empty and nothing is lost. Nobody may use it meanwhile.
func SetAside(ctx context.Context, dsn, schema string) error {
	return moving(ctx, dsn, func(c *sql.Conn, d dialect) error {
		tables, err := tablesOf(ctx, c, d)
		if err == nil {
			_, err = c.ExecContext(ctx, `CREATE SCHEMA `+quote(schema))
		}
		return moveTables(ctx, c, tables, "", schema, err)
	})
}

// PutBack undoes SetAside.
func PutBack(ctx context.Context, dsn, schema string) error {
	return moving(ctx, dsn, func(c *sql.Conn, d dialect) error {
		var here string
		err := c.QueryRowContext(ctx, `SELECT current_schema()`).Scan(&here)
		var tables []backup.Table
		if err == nil {
			err = tablesIn(ctx, c, schema, &tables)
		}
		if err = moveTables(ctx, c, tables, quote(schema)+".", here, err); err == nil {
			_, err = c.ExecContext(ctx, `DROP SCHEMA `+quote(schema))
		}
		return err
	})
}

// tablesIn names the tables of another schema.
func tablesIn(ctx context.Context, c *sql.Conn, schema string, to *[]backup.Table) error {
	rs, err := c.QueryContext(ctx, `SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = CAST(quote_ident($1) AS REGNAMESPACE) AND relname <> 'goose_db_version'`, schema)
	return scanAll(rs, err, func(s scanner) error {
		var t backup.Table
		err := s.Scan(&t.Name)
		*to = append(*to, t)
		return err
	})
}

func moveTables(ctx context.Context, c *sql.Conn, tables []backup.Table, from, to string, err error) error {
	for _, t := range append(tables, backup.Table{Name: "goose_db_version"}) {
		if err == nil {
			_, err = c.ExecContext(ctx, `ALTER TABLE `+from+quote(t.Name)+` SET SCHEMA `+quote(to))
		}
	}
	return err
}

// moving runs do in one transaction of a PostgreSQL database.
func moving(ctx context.Context, dsn string, do func(c *sql.Conn, d dialect) error) error {
	if !isPostgres(dsn) {
		return fault.New(fault.Invalid, "%s is no PostgreSQL database", dsn)
	}
	db, err := connect(dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c, err := db.begin(ctx)
	if err == nil {
		if err = do(c, db.dialect); err == nil {
			_, err = c.ExecContext(ctx, "COMMIT")
		}
		if err != nil {
			abandon(c)
		} else {
			err = c.Close()
		}
	}
	return problem(err, "the tables cannot be moved")
}
