// SPDX-License-Identifier: Apache-2.0

// Package mlflowimport reads what another MLflow server holds, from its database
// (SQLite or PostgreSQL) or through its API, as records of package archive. It only
// reads: it never writes to the other server, migrates nothing and keeps nothing.
package mlflowimport

import (
	"context"
	"strings"

	"flyball/experiment/archive"
	"flyball/fault"
)

// Options say where files lie that the source names by an address of another machine.
type Options struct {
	// Artifacts is the folder that holds what the server calls mlflow-artifacts:/ (its
	// --artifacts-destination); empty: such files are not brought in from a database.
	Artifacts string
}

// Open opens the source that where names: sqlite:///path, postgresql://… or the
// address of a tracking server (http://…). Anything else is an Invalid fault.
func Open(ctx context.Context, where string, o Options) (archive.Source, error) {
	switch scheme, rest, _ := strings.Cut(where, "://"); scheme {
	case "sqlite":
		return openSQLite(ctx, strings.TrimPrefix(rest, "/"), o)
	case "postgres", "postgresql", "postgresql+psycopg2":
		return openPostgres(ctx, "postgres://"+rest, o)
	case "http", "https":
		return openServer(where)
	}
	return nil, fault.New(fault.Invalid, "%q is no MLflow server and no database of one", where).
		Do("name http://host:5000, sqlite:///mlflow.db (four slashes for an absolute path) or postgresql://user@host/database")
}

// ours reports whether files at a location are brought in, so that the run's place
// here is the usual one. A bucket stays where it is: clients write to it themselves.
func ours(location string) bool {
	scheme, _, found := strings.Cut(location, ":")
	return !found || scheme == "file" || scheme == "mlflow-artifacts" || len(scheme) == 1 // a drive letter
}
