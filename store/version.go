// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"strconv"

	"flyball/event"
	"flyball/ident"
	"flyball/model/registry"
)

const (
	versionColumns = beforeReport + `report` + afterReport
	beforeReport   = `model, version, bundle, judged, snapshot, record, seen_until, verdict, `
	afterReport    = `, cause, created_at, created_by, job_key, source, location, run_id, model_id, run_link, about, stage, updated_at`
)

// selectVersion reads versions, each with its tags and the aliases at it. The alias
// baseline of a model under Flyball's care points at a version that is counted apart.
// selectBrief leaves out the gate's report, which may be long.
const (
	selectVersion = `SELECT ` + versionColumns + pinned
	selectBrief   = `SELECT ` + beforeReport + `''` + afterReport + pinned
	pinned        = `,
	(SELECT {list}({pair}(t.name, t.value)) FROM version_tags t WHERE t.model = v.model AND t.version = v.version),
	(SELECT {list}(a.alias) FROM aliases a WHERE a.model = v.model AND a.version = v.version
		AND (a.alias <> '` + registry.Baseline + `' OR EXISTS (SELECT 1 FROM models m WHERE m.name = a.model AND m.file = '')))
	FROM versions v`
)

func scanVersion(s scanner) (registry.Version, error) {
	var v registry.Version
	err := s.Scan(&v.Model, &v.Version, &v.Bundle, &v.Judged, &v.Snapshot, &v.Record, moment{&v.SeenUntil}, &v.Verdict,
		document{&v.Report}, &v.Cause, moment{&v.CreatedAt}, &v.CreatedBy, &v.Key,
		&v.Source, &v.Location, &v.RunID, &v.ModelID, &v.RunLink, &v.About, &v.Stage, moment{&v.UpdatedAt},
		tagsOf{&v.Tags}, namesOf{&v.Aliases})
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
			kept, err = scanVersion(t.row(ctx, selectVersion+` WHERE model = $1 AND job_key = $2`, v.Model, v.Key))
			if err == nil {
				return errThere // undoes the number
			}
			if !errors.Is(err, sql.ErrNoRows) {
				return err
			}
		}
		if err := t.touch(ctx, v.Model, v.CreatedAt); err != nil {
			return err
		}
		if kept, err = t.addVersion(ctx, v, n); err != nil {
			return err
		}
		return t.feed(ctx, evs)
	})
	if err != nil && !errors.Is(err, errThere) {
		return registry.Version{}, err
	}
	return kept, nil
}

// addVersion keeps v with its tags under a number, and returns it as it is kept.
func (t *tx) addVersion(ctx context.Context, v registry.Version, n int64) (registry.Version, error) {
	changed := v.UpdatedAt
	if changed.IsZero() {
		changed = v.CreatedAt
	}
	_, err := t.exec(ctx, `INSERT INTO versions (`+versionColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)`,
		v.Model, n, string(v.Bundle), string(v.Judged), string(v.Snapshot), string(v.Record), micros(v.SeenUntil), v.Verdict,
		text(v.Report), v.Cause, v.CreatedAt.UnixMicro(), v.CreatedBy, v.Key,
		clean(v.Source), clean(v.Location), string(v.RunID), string(v.ModelID), clean(v.RunLink), clean(v.About),
		string(cmp.Or(v.Stage, registry.None)), changed.UnixMicro())
	if err != nil {
		return registry.Version{}, err
	}
	came := ""
	if v.Bundle != "" {
		came = judged
	}
	if err := t.remember(ctx, pastVersion, v.Model, strconv.FormatInt(n, 10), came); err != nil {
		return registry.Version{}, err
	}
	for _, tag := range v.Tags {
		if err := t.setVersionTag(ctx, v.Model, n, tag); err != nil {
			return registry.Version{}, err
		}
	}
	return scanVersion(t.row(ctx, selectVersion+` WHERE model = $1 AND version = $2`, v.Model, n))
}

// Version is one version with its tags and aliases; a NotFound fault when there is none.
func (db *DB) Version(ctx context.Context, ref ident.Ref) (registry.Version, error) {
	if _, at := then(ctx); at != present {
		vs, err := db.earlierVersions(ctx, ref.Model, ref.Version)
		if err == nil && len(vs) == 0 {
			err = sql.ErrNoRows
		}
		if err != nil {
			return registry.Version{}, found(err, "the version cannot be read", "there is no version %s", ref)
		}
		return vs[0], nil
	}
	v, err := scanVersion(db.row(ctx, selectVersion+` WHERE model = $1 AND version = $2`, ref.Model, ref.Version))
	return v, found(err, "the version cannot be read", "there is no version %s", ref)
}

// Versions are a model's versions, the newest first.
func (db *DB) Versions(ctx context.Context, model string) ([]registry.Version, error) {
	if _, at := then(ctx); at != present {
		return db.earlierVersions(ctx, model, 0)
	}
	return all(ctx, db, "the versions cannot be read", scanVersion, selectVersion+` WHERE model = $1 ORDER BY version DESC`, model)
}
