// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"

	"flyball/event"
	"flyball/fault"
	"flyball/ident"
	"flyball/model/registry"
)

const versionColumns = `model, version, bundle, judged, snapshot, record, seen_until, verdict, report, cause, created_at, created_by, job_key`

func scanVersion(s scanner) (registry.Version, error) {
	var v registry.Version
	err := s.Scan(&v.Model, &v.Version, &v.Bundle, &v.Judged, &v.Snapshot, &v.Record, moment{&v.SeenUntil}, &v.Verdict,
		document{&v.Report}, &v.Cause, moment{&v.CreatedAt}, &v.CreatedBy, &v.Key)
	return v, err
}

// AddVersion registers v under the model's next number, with evs, and returns it with
// that number. A version of the model with the same Key, unless it is empty, is
// returned as it is, and nothing is written.
func (db *DB) AddVersion(ctx context.Context, v registry.Version, evs ...event.Event) (registry.Version, error) {
	kept := registry.Version{}
	errThere := errors.New("the version is there")
	err := db.atomic(ctx, "the version was not registered", func(t *tx) error {
		n, err := t.next(ctx, "version/"+v.Model, 1) // also has the model's other registrations wait
		if err != nil {
			return err
		}
		if v.Key != "" {
			kept, err = scanVersion(t.row(ctx, `SELECT `+versionColumns+` FROM versions WHERE model = $1 AND job_key = $2`, v.Model, v.Key))
			if err == nil {
				return errThere // undoes the number
			}
			if !errors.Is(err, sql.ErrNoRows) {
				return err
			}
		}
		kept, err = scanVersion(t.row(ctx, `INSERT INTO versions (`+versionColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING `+versionColumns,
			v.Model, n, string(v.Bundle), string(v.Judged), string(v.Snapshot), string(v.Record), micros(v.SeenUntil), v.Verdict,
			text(v.Report), v.Cause, v.CreatedAt.UnixMicro(), v.CreatedBy, v.Key))
		if err != nil {
			return err
		}
		return t.feed(ctx, evs)
	})
	if err != nil && !errors.Is(err, errThere) {
		return registry.Version{}, err
	}
	return kept, nil
}

// Version is one version; a NotFound fault when there is none.
func (db *DB) Version(ctx context.Context, ref ident.Ref) (registry.Version, error) {
	v, err := scanVersion(db.row(ctx, `SELECT `+versionColumns+` FROM versions WHERE model = $1 AND version = $2`, ref.Model, ref.Version))
	return v, found(err, "the version cannot be read", "there is no version %s", ref)
}

// Versions are a model's versions, the newest first.
func (db *DB) Versions(ctx context.Context, model string) ([]registry.Version, error) {
	return all(ctx, db, "the versions cannot be read", scanVersion,
		`SELECT `+versionColumns+` FROM versions WHERE model = $1 ORDER BY version DESC`, model)
}

// Alias is the version at which an alias points; the baseline's are counted under
// registry.BaselineOf. When it points nowhere: a zero Ref and a NotFound fault.
func (db *DB) Alias(ctx context.Context, model, alias string) (ident.Ref, error) {
	ref := ident.Ref{Model: model}
	err := db.row(ctx, `SELECT version FROM aliases WHERE model = $1 AND alias = $2`, model, alias).Scan(&ref.Version)
	if err != nil {
		return ident.Ref{}, found(err, "the alias cannot be read", "%s has no version that is %s", model, alias)
	}
	if alias == registry.Baseline {
		ref.Model = registry.BaselineOf(model)
	}
	return ref, nil
}

// Aliases are all aliases of a model that point at a version, with its number.
func (db *DB) Aliases(ctx context.Context, model string) (map[string]int, error) {
	type alias struct {
		name    string
		version int
	}
	as, err := all(ctx, db, "the aliases cannot be read", func(s scanner) (a alias, err error) {
		err = s.Scan(&a.name, &a.version)
		return a, err
	}, `SELECT alias, version FROM aliases WHERE model = $1`, model)
	out := make(map[string]int, len(as))
	for _, a := range as {
		out[a.name] = a.version
	}
	return out, err
}

// point has an alias point at a version, or nowhere when version is 0.
func (t *tx) point(ctx context.Context, model, alias string, version int) error {
	var err error
	switch {
	case version < 0:
		return fault.New(fault.Invalid, "%d is not the number of a version", version)
	case version == 0:
		_, err = t.exec(ctx, `DELETE FROM aliases WHERE model = $1 AND alias = $2`, model, alias)
	default:
		_, err = t.exec(ctx, `INSERT INTO aliases (model, alias, version) VALUES ($1, $2, $3)
			ON CONFLICT (model, alias) DO UPDATE SET version = excluded.version`, model, alias, version)
	}
	return err
}
