// SPDX-License-Identifier: Apache-2.0

// Package mlflowimport reads what another MLflow server holds, from its database
// (SQLite or PostgreSQL) or through its API, as records of package archive. It only
// reads: it never writes to the other server, migrates nothing and keeps nothing.
package mlflowimport

import (
	"context"
	"errors"
	"iter"
	"strings"

	"flyball/experiment"
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

// errStop says that whoever reads has had enough.
var errStop = errors.New("stopped")

// reader reads the parts of a source, each in its order.
type reader interface {
	experiments(ctx context.Context) ([]experiment.Experiment, error)
	runs(ctx context.Context, e experiment.Experiment, give func(...archive.Record) error) error
	loggedModels(ctx context.Context, e experiment.Experiment, give func(...archive.Record) error) error
	registry(ctx context.Context, give func(...archive.Record) error) error
}

// records yields everything that r reads, in the order in which it can be brought in.
func records(ctx context.Context, r reader) iter.Seq2[archive.Record, error] {
	return func(yield func(archive.Record, error) bool) {
		give := func(rs ...archive.Record) error {
			for _, r := range rs {
				if !yield(r, nil) {
					return errStop
				}
			}
			return nil
		}
		if err := readAll(ctx, r, give); err != nil && !errors.Is(err, errStop) {
			yield(archive.Record{}, err)
		}
	}
}

func readAll(ctx context.Context, r reader, give func(...archive.Record) error) error {
	experiments, err := r.experiments(ctx)
	if err != nil {
		return err
	}
	for _, e := range experiments {
		if err := give(archive.FromExperiment(e)); err != nil {
			return err
		}
	}
	for _, part := range []func(context.Context, experiment.Experiment, func(...archive.Record) error) error{r.runs, r.loggedModels} {
		for _, e := range experiments {
			if err := part(ctx, e, give); err != nil {
				return err
			}
		}
	}
	return r.registry(ctx, give)
}
