// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/governance/audit"
	"flyball/ident"
	"flyball/model/registry"
)

// CreateModel keeps a model that a client registers. A name that is taken is a
// Conflict fault.
func (db *DB) CreateModel(ctx context.Context, m registry.Model) error {
	return db.atomic(ctx, "the model was not registered", func(t *tx) error {
		if added, err := t.addModel(ctx, m); err != nil {
			return err
		} else if !added {
			return registry.Taken(m.Name)
		}
		for _, tag := range m.Tags {
			if err := t.setModelTag(ctx, m.Name, tag); err != nil {
				return err
			}
		}
		return nil
	})
}

// addModel registers a model that has no file, unless the name is taken.
func (t *tx) addModel(ctx context.Context, m registry.Model) (added bool, err error) {
	n, err := t.exec(ctx, `INSERT INTO models (name, generation, file, pipeline, data, applied_at, applied_by, about, created_at, updated_at)
		VALUES ($1, 0, '', '', 'null', 0, '', $2, $3, $4) ON CONFLICT (name) DO NOTHING`,
		m.Name, clean(m.About), m.CreatedAt.UnixMicro(), m.UpdatedAt.UnixMicro())
	return n > 0, err
}

// model is a model that stays as it is until this transaction ends.
func (t *tx) model(ctx context.Context, name string) (registry.Model, error) {
	m, err := scanModel(t.row(ctx, `SELECT `+modelColumns+` FROM models WHERE name = $1 {lock}`, name))
	if errors.Is(err, sql.ErrNoRows) {
		return m, registry.NoModel(name)
	}
	return m, err
}

// touch says that a model changed; one that is not registered has no such time.
func (t *tx) touch(ctx context.Context, name string, at time.Time) error {
	_, err := t.exec(ctx, `UPDATE models SET updated_at = $2 WHERE name = $1`, name, at.UnixMicro())
	return err
}

// RenameModel gives a model another name, also where its versions, aliases and their
// history name it.
func (db *DB) RenameModel(ctx context.Context, name, to, by string, at time.Time) error {
	return db.atomic(ctx, "the model was not renamed", func(t *tx) error {
		// The counter first, as whoever registers a version does.
		if _, err := t.exec(ctx, `UPDATE heads SET seq = seq WHERE name = $1`, "version/"+name); err != nil {
			return err
		}
		m, err := t.model(ctx, name)
		if err != nil {
			return err
		}
		if err := m.MayRename(); err != nil {
			return err
		}
		if name == to {
			return registry.Taken(to)
		}
		n, err := t.exec(ctx, `INSERT INTO models (`+modelColumns+`) SELECT $2, generation, file, pipeline, data, applied_at, applied_by, about, created_at, $3, columns, code, from_commit
			FROM models WHERE name = $1 ON CONFLICT (name) DO NOTHING`, name, to, at.UnixMicro())
		if err != nil {
			return err
		}
		if n == 0 {
			return registry.Taken(to)
		}
		for _, statement := range []string{
			`DELETE FROM models WHERE name = $1 AND $2 <> $1`,
			`UPDATE model_tags SET model = $2 WHERE model = $1`,
			`UPDATE versions SET model = $2 WHERE model = $1`,
			`UPDATE version_tags SET model = $2 WHERE model = $1`,
			`DELETE FROM snapshots WHERE model = $2 AND id IN (SELECT s.id FROM snapshots s WHERE s.model = $1)`,
			`UPDATE snapshots SET model = $2 WHERE model = $1`,
			`UPDATE aliases SET model = $2 WHERE model = $1`,
			`UPDATE alias_history SET model = $2 WHERE model = $1`,
			`UPDATE past SET model = $2 WHERE model = $1`,
		} {
			if _, err := t.exec(ctx, statement, name, to); err != nil {
				return err
			}
		}
		if _, err := t.exec(ctx, `UPDATE versions SET updated_at = $2 WHERE model = $1`, to, at.UnixMicro()); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `UPDATE heads SET name = $2 WHERE name = $1`, "version/"+name, "version/"+to); err != nil {
			return err
		}
		_, err = t.chain(ctx, audit.Record{At: at, Actor: by, Action: "rename", Object: name, Why: "to " + to})
		return err
	})
}

// DescribeModel sets what is said of a model.
func (db *DB) DescribeModel(ctx context.Context, name, about string, at time.Time) error {
	return db.atomic(ctx, "the model was not changed", func(t *tx) error {
		n, err := t.exec(ctx, `UPDATE models SET about = $2, updated_at = $3 WHERE name = $1`, name, clean(about), at.UnixMicro())
		if err == nil && n == 0 {
			return registry.NoModel(name)
		}
		return err
	})
}

// DeleteModel deletes a model with its versions, aliases and tags. A model of the same
// name that is registered later counts its versions from 1. The history of the aliases
// stays.
func (db *DB) DeleteModel(ctx context.Context, name, by string, at time.Time) error {
	return db.atomic(ctx, "the model was not deleted", func(t *tx) error {
		// The counter first, as whoever registers a version does.
		if _, err := t.exec(ctx, `DELETE FROM heads WHERE name = $1`, "version/"+name); err != nil {
			return err
		}
		m, err := t.model(ctx, name)
		if err != nil {
			return err
		}
		if err := m.MayDelete(); err != nil {
			return err
		}
		_, err = t.exec(ctx, `INSERT INTO alias_history (model, alias, at, actor, from_version, to_version)
			SELECT model, alias, CAST($2 AS BIGINT), CAST($3 AS TEXT), version, 0 FROM aliases WHERE model = $1`, name, at.UnixMicro(), clean(by))
		if err != nil {
			return err
		}
		for _, statement := range []string{
			`DELETE FROM aliases WHERE model = $1`,
			`DELETE FROM version_tags WHERE model = $1`,
			`DELETE FROM versions WHERE model = $1`,
			`DELETE FROM snapshots WHERE model = $1`,
			`DELETE FROM model_tags WHERE model = $1`,
			`DELETE FROM models WHERE name = $1`,
			`DELETE FROM past WHERE model = $1`,
		} {
			if _, err := t.exec(ctx, statement, name); err != nil {
				return err
			}
		}
		_, err = t.chain(ctx, audit.Record{At: at, Actor: by, Action: "delete", Object: name})
		return err
	})
}

// SetModelTag sets a tag of a model.
func (db *DB) SetModelTag(ctx context.Context, name string, tag registry.Tag) error {
	return db.atomic(ctx, "the tag was not set", func(t *tx) error {
		if _, err := t.model(ctx, name); err != nil {
			return err
		}
		return t.setModelTag(ctx, name, tag)
	})
}

func (t *tx) setModelTag(ctx context.Context, name string, tag registry.Tag) error {
	_, err := t.exec(ctx, `INSERT INTO model_tags (model, name, value) VALUES ($1, $2, $3)
		ON CONFLICT (model, name) DO UPDATE SET value = excluded.value`, name, clean(tag.Key), clean(tag.Value))
	return err
}

// DeleteModelTag removes a tag of a model; one that is not there is no error.
func (db *DB) DeleteModelTag(ctx context.Context, name, key string) error {
	return db.atomic(ctx, "the tag was not removed", func(t *tx) error {
		if _, err := t.model(ctx, name); err != nil {
			return err
		}
		_, err := t.exec(ctx, `DELETE FROM model_tags WHERE model = $1 AND name = $2`, name, clean(key))
		return err
	})
}

// selectListing reads models, each once for each stage that has a version, with the
// newest version of that stage. A model without versions comes once, with version 0.
const selectListing = `SELECT m.name, m.generation, m.file, m.applied_at, m.applied_by, m.about, m.created_at, m.updated_at,
	(SELECT {list}({pair}(t.name, t.value)) FROM model_tags t WHERE t.model = m.name),
	(SELECT {list}({pair}(a.alias, CAST(a.version AS TEXT))) FROM aliases a WHERE a.model = m.name
		AND (a.alias <> '` + registry.Baseline + `' OR m.file = '')),
	COALESCE(v.version, 0), COALESCE(v.bundle, ''), v.created_at, COALESCE(v.created_by, ''), COALESCE(v.source, ''), COALESCE(v.location, ''),
	COALESCE(v.run_id, ''), COALESCE(v.model_id, ''), COALESCE(v.run_link, ''), COALESCE(v.about, ''), COALESCE(v.stage, ''), v.updated_at,
	(SELECT {list}({pair}(t.name, t.value)) FROM version_tags t WHERE t.model = v.model AND t.version = v.version)
	FROM models m LEFT JOIN versions v ON v.model = m.name AND v.version IN (
		(SELECT MAX(n.version) FROM versions n WHERE n.model = m.name AND n.stage = 'None'),
		(SELECT MAX(n.version) FROM versions n WHERE n.model = m.name AND n.stage = 'Staging'),
		(SELECT MAX(n.version) FROM versions n WHERE n.model = m.name AND n.stage = 'Production'),
		(SELECT MAX(n.version) FROM versions n WHERE n.model = m.name AND n.stage = 'Archived'))`

func scanListing(s scanner) (registry.Listing, error) {
	var l registry.Listing
	var v registry.Version
	err := s.Scan(&l.Name, &l.Generation, &l.File, moment{&l.AppliedAt}, &l.AppliedBy, &l.About, moment{&l.CreatedAt}, moment{&l.UpdatedAt},
		tagsOf{&l.Tags}, aliasesOf{&l.Aliases},
		&v.Version, &v.Bundle, moment{&v.CreatedAt}, &v.CreatedBy, &v.Source, &v.Location,
		&v.RunID, &v.ModelID, &v.RunLink, &v.About, &v.Stage, moment{&v.UpdatedAt}, tagsOf{&v.Tags})
	if l.Generation == 0 {
		l.AppliedAt = time.Time{}
	}
	if v.Version != 0 {
		v.Model = l.Name
		l.Latest = []registry.Version{v}
	}
	return l, err
}

// listings are models by their names, in the order of the names and each version in
// the order of its number; where says which, over m.
func (db *DB) listings(ctx context.Context, where string, args ...any) ([]registry.Listing, error) {
	var out []registry.Listing
	for l, err := range rows(ctx, db, scanListing, selectListing+` WHERE `+where+` ORDER BY m.name, v.version`, args...) {
		if err != nil {
			return nil, problem(err, "the models cannot be read")
		}
		if last := len(out) - 1; last >= 0 && out[last].Name == l.Name {
			out[last].Latest = append(out[last].Latest, l.Latest...)
			continue
		}
		out = append(out, l)
	}
	return out, nil
}

// Listing is a model with its tags, its aliases and the newest version of each stage.
func (db *DB) Listing(ctx context.Context, name string) (registry.Listing, error) {
	found, err := db.listings(ctx, `m.name = $1`, name)
	switch {
	case err != nil:
		return registry.Listing{}, err
	case len(found) == 0:
		return registry.Listing{}, registry.NoModel(name)
	}
	return found[0], nil
}

// pairs scans what {list}({pair}(a, b)) gives.
func pairs(v any, each func(a, b string) error) error {
	var raw json.RawMessage
	if err := (document{&raw}).Scan(v); err != nil || raw == nil {
		return err
	}
	var list [][2]string
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	for _, p := range list {
		if err := each(p[0], p[1]); err != nil {
			return err
		}
	}
	return nil
}

// tagsOf scans tags, by key.
type tagsOf struct{ to *[]registry.Tag }

func (t tagsOf) Scan(v any) error {
	*t.to = nil
	err := pairs(v, func(key, value string) error {
		*t.to = append(*t.to, registry.Tag{Key: key, Value: value})
		return nil
	})
	slices.SortFunc(*t.to, func(a, b registry.Tag) int { return strings.Compare(a.Key, b.Key) })
	return err
}

// aliasesOf scans the aliases of a model, by name.
type aliasesOf struct{ to *[]registry.Alias }

func (a aliasesOf) Scan(v any) error {
	*a.to = nil
	err := pairs(v, func(name, version string) error {
		n, err := strconv.Atoi(version)
		*a.to = append(*a.to, registry.Alias{Name: name, Version: n})
		return err
	})
	slices.SortFunc(*a.to, func(x, y registry.Alias) int { return strings.Compare(x.Name, y.Name) })
	return err
}

// namesOf scans a JSON list of texts, in order.
type namesOf struct{ to *[]string }

func (n namesOf) Scan(v any) error {
	*n.to = nil
	var raw json.RawMessage
	if err := (document{&raw}).Scan(v); err != nil || raw == nil {
		return err
	}
	if err := json.Unmarshal(raw, n.to); err != nil {
		return err
	}
	if len(*n.to) == 0 {
		*n.to = nil
	}
	slices.Sort(*n.to)
	return nil
}

// RunRoot is where the artifacts of a run lie, also of a deleted one.
func (db *DB) RunRoot(ctx context.Context, id ident.RunID) (r registry.Resource, there bool, err error) {
	return db.resource(ctx, `SELECT location, '' FROM runs WHERE run_id = $1`, string(id))
}

// ModelRoot is where the artifacts of a logged model lie.
func (db *DB) ModelRoot(ctx context.Context, id ident.ModelID) (r registry.Resource, there bool, err error) {
	return db.resource(ctx, `SELECT location, source_run FROM logged_models WHERE model_id = $1 AND deleted = 0`, string(id))
}

// LoggedByRun is the newest logged model of a name that a run made; empty when there is
// none.
func (db *DB) LoggedByRun(ctx context.Context, run ident.RunID, name string) (ident.ModelID, error) {
	var id ident.ModelID
	err := db.row(ctx, `SELECT model_id FROM logged_models WHERE experiment = (SELECT experiment FROM runs WHERE run_id = $1)
		AND name = $2 AND source_run = $1 AND deleted = 0 ORDER BY created DESC, seq DESC LIMIT 1`, string(run), clean(name)).Scan(&id)
	return id, problem(ignore(err, sql.ErrNoRows), "the logged models cannot be read")
}

func (db *DB) resource(ctx context.Context, statement, id string) (r registry.Resource, there bool, err error) {
	if id == "" {
		return r, false, nil
	}
	err = db.row(ctx, statement, id).Scan(&r.Location, &r.SourceRun)
	if errors.Is(err, sql.ErrNoRows) {
		return r, false, nil
	}
	return r, err == nil, problem(err, "the run or logged model cannot be read")
}
