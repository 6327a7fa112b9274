// SPDX-License-Identifier: Apache-2.0

package store

import (
	"strings"

	"github.com/pressly/goose/v3"
)

// dialect is everything that the two engines spell differently outside migrations.
// Statements number their parameters $1, $2 … in both.
type dialect struct {
	goose    goose.Dialect
	folder   string   // of its migrations; also the engine's name
	version  string   // asks for the engine's version
	begin    string   // begins a transaction that writes
	check    string   // asks whether the file is whole; empty: the server sees to it
	hold     string   // holds the name $1 until the transaction ends, together with others; empty: one writer holds all
	alone    string   // the same, with nobody else
	freeze   string   // begins a transaction that reads one moment
	tables   string   // asks for the columns of all tables of ours: table, column, type, place in the key, whether the database numbers it
	last     string   // asks for the number that the database gave last in table $1, column $2
	numbered string   // in an insertion: of rows that have their numbers already
	number   []string // has it go on from number $3
	mark     byte     // of a parameter in a statement with very many: ? where a number costs time
	sizes    int      // of statements that insert 1, 2, 4 … rows
	sorts    bool     // sorts a million rows faster than it hands them out
	words    *strings.Replacer
}

// sql is a statement in this dialect. {now} is the database's clock in microseconds;
// {lock} keeps the rows read for this transaction; {skip} does so too and leaves out
// rows that others keep; {share} only has others not change them. SQLite's one writer
// needs none of them. {among} is a condition: one of the numbers in $1 ({among2}: in
// $2), and {texts} is a table whose column value has the texts in $1; set makes such a
// list.
func (d dialect) sql(statement string) string { return d.words.Replace(statement) }

func sqliteDialect() dialect {
	return dialect{
		goose: goose.DialectSQLite3, folder: "sqlite",
		version: "SELECT sqlite_version()",
		begin:   "BEGIN IMMEDIATE",
		check:   "PRAGMA quick_check(1)",
		freeze:  "BEGIN",
		tables: `SELECT t.name, c.name, c.type, c.pk, c.pk = 1 AND t.sql LIKE '%AUTOINCREMENT%' FROM sqlite_schema t JOIN pragma_table_info(t.name) c
			WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\_%' ESCAPE '\' AND t.name <> 'goose_db_version' ORDER BY t.name, c.cid`,
		last: `SELECT seq FROM sqlite_sequence WHERE name = $1 AND $2 <> ''`,
		number: []string{
			`DELETE FROM sqlite_sequence WHERE name = $1 AND $2 <> '' AND $3 > 0`,
			`INSERT INTO sqlite_sequence (name, seq) SELECT $1, $3 WHERE $2 <> ''`,
		},
		mark:  '?',
		sizes: 4, // a longer one needs a journal on disk, to be undone when its last row fails
		words: strings.NewReplacer(
			"{now}", "CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)",
			"{lock}", "",
			"{skip}", "",
			"{share}", "",
			"{list}", "json_group_array",
			"{pair}", "json_array",
			"{among}", "IN (SELECT value FROM json_each($1))",
			"{among2}", "IN (SELECT value FROM json_each($2))",
			"{texts}", "json_each($1)",
		),
	}
}

func postgresDialect() dialect {
	return dialect{
		goose: goose.DialectPostgres, folder: "postgres", sorts: true,
		version: "SHOW server_version",
		begin:   "BEGIN",
		hold:    "SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 0))",
		alone:   "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
		freeze:  "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
		tables: `SELECT t.relname, a.attname, format_type(a.atttypid, NULL), coalesce(array_position(CAST(i.indkey AS SMALLINT[]), a.attnum) + 1, 0),
				CASE a.attidentity WHEN '' THEN 0 ELSE 1 END
			FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid LEFT JOIN pg_index i ON i.indrelid = t.oid AND i.indisprimary
			WHERE t.relkind = 'r' AND t.relnamespace = CAST(current_schema() AS REGNAMESPACE) AND a.attnum > 0 AND NOT a.attisdropped
				AND t.relname <> 'goose_db_version' ORDER BY CAST(t.relname AS TEXT) COLLATE "C", a.attnum`,
		last:     `SELECT coalesce(pg_sequence_last_value(CAST(pg_get_serial_sequence($1, $2) AS REGCLASS)), 0)`,
		number:   []string{`SELECT setval(CAST(pg_get_serial_sequence($1, $2) AS REGCLASS), $3)`},
		numbered: "OVERRIDING SYSTEM VALUE",
		mark:     '$',
		sizes:    9, // each is a way to the server and back
		words: strings.NewReplacer(
			"{now}", "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
			"{lock}", "FOR UPDATE",
			"{skip}", "FOR UPDATE SKIP LOCKED",
			"{share}", "FOR SHARE",
			"{list}", "json_agg",
			"{pair}", "json_build_array",
			"{among}", "= ANY (CAST(translate($1, '[]', '{}') AS BIGINT[]))",
			"{among2}", "= ANY (CAST(translate($2, '[]', '{}') AS BIGINT[]))",
			"{texts}", "json_array_elements_text(CAST($1 AS JSON)) AS texts (value)",
		),
	}
}
