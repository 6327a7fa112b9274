// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"flyball/experiment"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/ident"
	"flyball/model/registry"
)

// RegisterVersion keeps a version that a client registers, under the number after the
// highest that its model ever had, and returns it with that number. The model must be
// there. The logged model that it is, if it is here, lists it in its tags.
func (db *DB) RegisterVersion(ctx context.Context, v registry.Version) (registry.Version, error) {
	kept := registry.Version{}
	err := db.atomic(ctx, "the version was not registered", func(t *tx) error {
		n, err := t.next(ctx, "version/"+v.Model, 1) // also has the model's other registrations wait
		if err != nil {
			return err
		}
		if _, err := t.model(ctx, v.Model); err != nil {
			return err // undoes the number
		}
		if err := t.touch(ctx, v.Model, v.CreatedAt); err != nil {
			return err
		}
		if kept, err = t.addVersion(ctx, v, n); err != nil {
			return err
		}
		return t.listVersion(ctx, kept)
	})
	if err != nil {
		return registry.Version{}, err
	}
	return kept, nil
}

// listVersion has the logged model that a version is list it.
func (t *tx) listVersion(ctx context.Context, v registry.Version) error {
	if v.ModelID == "" {
		return nil
	}
	var seq int64
	var value string
	// This also keeps the model's other registrations waiting.
	err := t.row(ctx, `UPDATE logged_models SET updated = updated WHERE model_id = $1 AND deleted = 0 RETURNING seq`, string(v.ModelID)).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	err = t.row(ctx, `SELECT value FROM logged_model_tags WHERE model = $1 AND name = $2`, seq, registry.VersionsTag).Scan(&value)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return t.tagLogged(ctx, seq, []experiment.Tag{{Key: registry.VersionsTag, Value: registry.AddToVersionsTag(value, v.Ref)}})
}

// NewestVersion is the version of a model with the highest number.
func (db *DB) NewestVersion(ctx context.Context, model string) (registry.Version, error) {
	v, err := scanVersion(db.row(ctx, selectVersion+` WHERE model = $1 ORDER BY version DESC LIMIT 1`, model))
	return v, found(err, "the version cannot be read", "%s has no version", model)
}

// change changes rows of one version, and is registry.NoVersion when there is none.
func (t *tx) change(ctx context.Context, ref ident.Ref, statement string, args ...any) error {
	n, err := t.exec(ctx, statement, append([]any{ref.Model, ref.Version}, args...)...)
	if err == nil && n == 0 {
		return registry.NoVersion(ref)
	}
	return err
}

// DescribeVersion sets what is said of a version.
func (db *DB) DescribeVersion(ctx context.Context, ref ident.Ref, about string, at time.Time) error {
	return db.atomic(ctx, "the version was not changed", func(t *tx) error {
		return t.change(ctx, ref, `UPDATE versions SET about = $3, updated_at = $4 WHERE model = $1 AND version = $2`, clean(about), at.UnixMicro())
	})
}

// SetStage sets the stage of a version; archive also archives the other versions of
// that stage, at the same moment.
func (db *DB) SetStage(ctx context.Context, ref ident.Ref, s registry.Stage, archive bool, at time.Time) error {
	return db.atomic(ctx, "the stage was not changed", func(t *tx) error {
		if err := t.touch(ctx, ref.Model, at); err != nil {
			return err
		}
		err := t.change(ctx, ref, `UPDATE versions SET stage = $3, updated_at = $4 WHERE model = $1 AND version = $2`, string(s), at.UnixMicro())
		if err != nil || !archive {
			return err
		}
		_, err = t.exec(ctx, `UPDATE versions SET stage = $3, updated_at = $5 WHERE model = $1 AND version <> $2 AND stage = $4`,
			ref.Model, ref.Version, string(registry.Archived), string(s), at.UnixMicro())
		return err
	})
}

// DeleteVersion deletes a version with its tags, and has the aliases at it point at
// none. It is a Refused fault when the loop needs the version.
func (db *DB) DeleteVersion(ctx context.Context, ref ident.Ref, by string, at time.Time) error {
	return db.atomic(ctx, "the version was not deleted", func(t *tx) error {
		m, err := t.model(ctx, ref.Model)
		if fault.Is(err, fault.NotFound) {
			return registry.NoVersion(ref) // baselines are no versions of a model, and stay
		}
		if err != nil {
			return err
		}
		v, err := scanVersion(t.row(ctx, selectVersion+` WHERE model = $1 AND version = $2`, ref.Model, ref.Version))
		if errors.Is(err, sql.ErrNoRows) {
			return registry.NoVersion(ref)
		}
		if err != nil {
			return err
		}
		if err := m.MayDeleteVersion(ref, v.Aliases); err != nil {
			return err
		}
		for _, a := range v.Aliases {
			if err := t.moveByHand(ctx, registry.Move{Model: ref.Model, Alias: a, At: at, By: by}); err != nil {
				return err
			}
		}
		if err := t.change(ctx, ref, `DELETE FROM versions WHERE model = $1 AND version = $2`); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `DELETE FROM version_tags WHERE model = $1 AND version = $2`, ref.Model, ref.Version); err != nil {
			return err
		}
		if err := t.touch(ctx, ref.Model, at); err != nil {
			return err
		}
		_, err = t.chain(ctx, audit.Record{At: at, Actor: by, Action: "delete", Object: ref.String()})
		return err
	})
}

// SetVersionTag sets a tag of a version.
func (db *DB) SetVersionTag(ctx context.Context, ref ident.Ref, tag registry.Tag) error {
	return db.atomic(ctx, "the tag was not set", func(t *tx) error {
		if err := t.there(ctx, ref); err != nil {
			return err
		}
		return t.setVersionTag(ctx, ref.Model, int64(ref.Version), tag)
	})
}

// there keeps a version from being deleted until this transaction ends.
func (t *tx) there(ctx context.Context, ref ident.Ref) error {
	return t.change(ctx, ref, `UPDATE versions SET updated_at = updated_at WHERE model = $1 AND version = $2`)
}

func (t *tx) setVersionTag(ctx context.Context, model string, version int64, tag registry.Tag) error {
	_, err := t.exec(ctx, `INSERT INTO version_tags (model, version, name, value) VALUES ($1, $2, $3, $4)
		ON CONFLICT (model, version, name) DO UPDATE SET value = excluded.value`, model, version, clean(tag.Key), clean(tag.Value))
	return err
}

// DeleteVersionTag removes a tag of a version; one that is not there is no error.
func (db *DB) DeleteVersionTag(ctx context.Context, ref ident.Ref, key string) error {
	return db.atomic(ctx, "the tag was not removed", func(t *tx) error {
		if err := t.there(ctx, ref); err != nil {
			return err
		}
		_, err := t.exec(ctx, `DELETE FROM version_tags WHERE model = $1 AND version = $2 AND name = $3`, ref.Model, ref.Version, clean(key))
		return err
	})
}
