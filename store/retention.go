// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/fault"
	"flyball/governance/retention"
	"flyball/ident"
	"flyball/model/registry"
)

// expired are the statements that list what was deleted before $1.
var expired = [...]struct {
	kind      retention.Kind
	statement string
}{
	{retention.Run, `SELECT run_id, location FROM runs WHERE deleted <> 0 AND deleted_at < $1 ORDER BY seq`},
	{retention.LoggedModel, `SELECT m.model_id, m.location FROM logged_models m JOIN experiments e ON e.id = m.experiment
		WHERE (m.deleted <> 0 AND m.updated < $1) OR (m.deleted = 0 AND e.deleted <> 0 AND e.updated < $1) ORDER BY m.seq`},
	{retention.Experiment, `SELECT CAST(id AS TEXT), location FROM experiments WHERE deleted <> 0 AND id <> 0 AND updated < $1 ORDER BY id`},
}

// Expired yields what was deleted before a moment, in ms since 1970: runs, logged
// models, experiments.
func (db *DB) Expired(ctx context.Context, before int64) iter.Seq2[retention.Expired, error] {
	return func(yield func(retention.Expired, error) bool) {
		for _, of := range expired {
			scan := func(s scanner) (retention.Expired, error) {
				e := retention.Expired{Kind: of.kind}
				err := s.Scan(&e.ID, &e.Location)
				return e, err
			}
			for e, err := range rows(ctx, db, scan, of.statement, before) {
				if !yield(e, problem(err, "what was deleted cannot be read")) || err != nil {
					return
				}
			}
		}
	}
}

// DropArtifacts removes the files below e.Root. When e is not deleted, holds something
// that is kept, or a version's files lie there, it is a Refused fault.
func (db *DB) DropArtifacts(ctx context.Context, e retention.Expired) error {
	if e.Root == "" {
		return fault.New(fault.Refused, "%s %s has no folder of its own", e.Kind, e.ID)
	}
	return db.atomic(ctx, "the artifacts were not removed", func(t *tx) error {
		if err := t.goes(ctx, e); err != nil {
			return err
		}
		var used bool
		err := t.row(ctx, `SELECT CASE WHEN EXISTS (SELECT 1 FROM versions WHERE location = $1 OR (location > $2 AND location < $3)) THEN 1 ELSE 0 END`,
			"mlflow-artifacts:/"+e.Root, "mlflow-artifacts:/"+e.Root+"/", "mlflow-artifacts:/"+e.Root+"0").Scan(flag{&used})
		if err != nil {
			return err
		}
		if used {
			return fault.New(fault.Refused, "files of a version lie in %s", e.Root)
		}
		return t.removeArtifacts(ctx, e.Root)
	})
}

// goes refuses what is not deleted or holds something that is kept. What is gone goes.
func (t *tx) goes(ctx context.Context, e retention.Expired) error {
	statement, id := "", any(e.ID)
	switch e.Kind {
	case retention.Run:
		statement = `SELECT CASE WHEN deleted <> 0 THEN 1 ELSE 0 END FROM runs WHERE run_id = $1 {lock}`
	case retention.LoggedModel:
		statement = `SELECT CASE WHEN m.deleted <> 0 OR e.deleted <> 0 THEN 1 ELSE 0 END
			FROM logged_models m JOIN experiments e ON e.id = m.experiment WHERE m.model_id = $1 {lock}`
	case retention.Experiment:
		n, err := strconv.ParseInt(e.ID, 10, 64)
		if err != nil {
			return fault.Wrap(err, fault.Invalid, "%q is not the id of an experiment", e.ID)
		}
		id = n
		statement = `SELECT CASE WHEN deleted <> 0 AND NOT EXISTS (SELECT 1 FROM runs WHERE experiment = $1)
			AND NOT EXISTS (SELECT 1 FROM logged_models WHERE experiment = $1) THEN 1 ELSE 0 END FROM experiments WHERE id = $1 {lock}`
	default:
		return fault.New(fault.Invalid, "%q cannot be purged", e.Kind)
	}
	var goes bool
	err := t.row(ctx, statement, id).Scan(flag{&goes})
	if none(err) {
		return nil
	}
	if err == nil && !goes {
		err = fault.New(fault.Refused, "%s %s is not deleted, or holds something that is kept", e.Kind, e.ID)
	}
	return err
}

// Purge removes a deleted run, logged model or experiment for good.
func (db *DB) Purge(ctx context.Context, e retention.Expired) error {
	switch e.Kind {
	case retention.Run:
		return db.PurgeRun(ctx, ident.RunID(e.ID))
	case retention.LoggedModel:
		return db.PurgeLoggedModel(ctx, ident.ModelID(e.ID))
	}
	n, err := strconv.ParseInt(e.ID, 10, 64)
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "%q is not the id of an experiment", e.ID)
	}
	return db.PurgeExperiment(ctx, ident.ExperimentID(n))
}

// KeptVersions yields every version; of its fields only Ref and Location are filled in.
func (db *DB) KeptVersions(ctx context.Context) iter.Seq2[registry.Version, error] {
	return func(yield func(registry.Version, error) bool) {
		scan := func(s scanner) (v registry.Version, err error) {
			err = s.Scan(&v.Model, &v.Version, &v.Location)
			return v, err
		}
		for v, err := range rows(ctx, db, scan, `SELECT model, version, location FROM versions`) {
			if !yield(v, problem(err, "the versions cannot be read")) || err != nil {
				return
			}
		}
	}
}

// documents are the columns of the records, besides those of artifacts, in whose texts a
// digest may stand. A job that ended has left what it made in a version; what it read and
// failed on need not be kept.
var documents = []struct {
	table   string
	columns []string
	where   string
}{
	{"versions", []string{"bundle", "judged", "snapshot", "record", "report"}, ""},
	{"models", []string{"data", "code", "file", "pipeline"}, ""},
	{"snapshots", []string{"id"}, ""},
	{"reproductions", []string{"report"}, ""},
	{"jobs", []string{"input", "result", "progress"}, " WHERE ended_at IS NULL OR ended_at >= $1"},
	{"loop_state", []string{"body"}, ""},
	{"monitor_state", []string{"body"}, ""},
	{"release_history", []string{"body"}, " JOIN releases USING (model, generation)"},
}

// documentsOf is the statement that reads them, as far as the database has them: one of an
// older Flyball lacks some.
func documentsOf(has func(table, column string) bool) string {
	var parts []string
	for _, d := range documents {
		columns := slices.DeleteFunc(slices.Clone(d.columns), func(c string) bool { return !has(d.table, c) })
		if len(columns) > 0 {
			parts = append(parts, "SELECT "+strings.Join(columns, " || ' ' || ")+" FROM "+d.table+d.where)
		}
	}
	return strings.Join(parts, " UNION ALL ")
}

// Documents yields the texts of records in which a digest may stand; of jobs those that
// have not ended, or ended since a moment.
func (db *DB) Documents(ctx context.Context, since time.Time) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		scan := func(s scanner) (text string, err error) {
			err = s.Scan(&text)
			return text, err
		}
		for text, err := range rows(ctx, db, scan, documentsOf(func(string, string) bool { return true }), since.UnixMicro()) {
			if !yield(text, problem(err, "the records cannot be read")) || err != nil {
				return
			}
		}
	}
}

// OldestWork is when the oldest job was added that has not ended; zero when all have.
func (db *DB) OldestWork(ctx context.Context) (at time.Time, err error) {
	err = db.row(ctx, `SELECT MIN(added_at) FROM jobs WHERE ended_at IS NULL`).Scan(moment{&at})
	return at, problem(err, "the jobs cannot be read")
}
