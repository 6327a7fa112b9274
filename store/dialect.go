// SPDX-License-Identifier: Apache-2.0

package store

import (
	"strings"

	"github.com/pressly/goose/v3"
)

// dialect is everything that the two engines spell differently outside migrations.
// Statements number their parameters $1, $2 … in both.
type dialect struct {
	goose   goose.Dialect
	folder  string // of its migrations; also the engine's name
	version string // asks for the engine's version
	begin   string // begins a transaction that writes
	check   string // asks whether the file is whole; empty: the server sees to it
	hold    string // holds the name $1 until the transaction ends, together with others; empty: one writer holds all
	alone   string // the same, with nobody else
	mark    byte   // of a parameter in a statement with very many: ? where a number costs time
	sizes   int    // of statements that insert 1, 2, 4 … rows
	sorts   bool   // sorts a million rows faster than it hands them out
	words   *strings.Replacer
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
		mark:    '?',
		sizes:   4, // a longer one needs a journal on disk, to be undone when its last row fails
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
		mark:    '$',
		sizes:   9, // each is a way to the server and back
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
