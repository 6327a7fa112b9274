// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"

	"flyball/experiment"
	"flyball/fault"
	"flyball/ident"
)

var _ experiment.LoggedModels = (*DB)(nil)

// CreateLoggedModel keeps m with its params and tags; see experiment.LoggedModels. A
// model of the same id is a Conflict fault. A missing experiment is a NotFound fault,
// a deleted one an Invalid fault.
func (db *DB) CreateLoggedModel(ctx context.Context, m experiment.LoggedModel) error {
	return db.atomic(ctx, "the logged model was not made", func(t *tx) error {
		if err := t.alive(ctx, m.Experiment); err != nil {
			return err
		}
		return t.addLogged(ctx, m)
	})
}

func (t *tx) addLogged(ctx context.Context, m experiment.LoggedModel) error {
	var seq int64
	err := t.row(ctx, `INSERT INTO logged_models (model_id, experiment, name, type, source_run, status, status_message, location, created, updated, deleted)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (model_id) DO NOTHING RETURNING seq`,
		m.ID, m.Experiment, clean(m.Name), clean(m.Type), clean(string(m.SourceRun)), m.Status, clean(m.StatusMessage), m.Location,
		m.Created, m.Updated, bit(m.Deleted)).Scan(&seq)
	if none(err) {
		return fault.New(fault.Conflict, "Logged model with ID '%s' already exists.", m.ID)
	}
	if err != nil {
		return err
	}
	if err := t.addLoggedParams(ctx, seq, m.ID, m.Params); err != nil {
		return err
	}
	return t.tagLogged(ctx, seq, m.Tags)
}

func (t *tx) addLoggedParams(ctx context.Context, seq int64, id ident.ModelID, params []experiment.Param) error {
	for _, p := range params {
		n, err := t.exec(ctx, `INSERT INTO logged_model_params (model, name, value) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
			seq, clean(p.Key), clean(p.Value))
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.Invalid, "Changing param values is not allowed. Param with key='%s' was already logged for model with ID '%s'.", p.Key, id)
		}
	}
	return nil
}

func (t *tx) tagLogged(ctx context.Context, seq int64, tags []experiment.Tag) error {
	for _, tag := range tags {
		_, err := t.exec(ctx, `INSERT INTO logged_model_tags (model, name, value) VALUES ($1, $2, $3)
			ON CONFLICT (model, name) DO UPDATE SET value = excluded.value`, seq, clean(tag.Key), clean(tag.Value))
		if err != nil {
			return err
		}
	}
	return nil
}

// LoggedModel is a logged model with everything; see experiment.LoggedModels.
func (db *DB) LoggedModel(ctx context.Context, id ident.ModelID, deleted bool) (experiment.LoggedModel, error) {
	ctx = db.short(ctx)
	m, err := scanLogged(db.row(ctx, `SELECT `+loggedColumns+` FROM logged_models m WHERE m.model_id = $1 AND m.deleted <= $2`, id, bit(deleted)))
	if none(err) {
		return experiment.LoggedModel{}, noLogged(id)
	}
	if err != nil {
		return experiment.LoggedModel{}, problem(err, "the logged model cannot be read")
	}
	one := []experiment.LoggedModel{m.LoggedModel}
	err = db.fillLogged(ctx, one, []int64{m.seq})
	return one[0], err
}

func noLogged(id ident.ModelID) error {
	return fault.New(fault.NotFound, "Logged model with ID '%s' not found.", id)
}

// changeLogged runs do on a logged model that is not deleted, and notes when.
func (db *DB) changeLogged(ctx context.Context, id ident.ModelID, now int64, do func(t *tx, seq int64) error) error {
	return db.atomic(ctx, "the logged model was not changed", func(t *tx) error {
		var seq int64
		err := t.row(ctx, `UPDATE logged_models SET updated = CASE WHEN CAST($2 AS BIGINT) = 0 THEN updated ELSE CAST($2 AS BIGINT) END
			WHERE model_id = $1 AND deleted = 0 RETURNING seq`, id, now).Scan(&seq)
		if none(err) {
			return noLogged(id)
		}
		if err != nil {
			return err
		}
		return do(t, seq)
	})
}

// SetLoggedModelStatus says where a logged model stands, and returns it; see
// experiment.LoggedModels.
func (db *DB) SetLoggedModelStatus(ctx context.Context, id ident.ModelID, s experiment.ModelStatus, message string, now int64) (experiment.LoggedModel, error) {
	err := db.changeLogged(ctx, id, now, func(t *tx, seq int64) error {
		_, err := t.exec(ctx, `UPDATE logged_models SET status = $2, status_message = $3 WHERE seq = $1`, seq, s, clean(message))
		return err
	})
	if err != nil {
		return experiment.LoggedModel{}, err
	}
	return db.LoggedModel(ctx, id, true)
}

// DeleteLoggedModel deletes a logged model; see experiment.LoggedModels.
func (db *DB) DeleteLoggedModel(ctx context.Context, id ident.ModelID, now int64) error {
	return db.changeLogged(ctx, id, now, func(t *tx, seq int64) error {
		_, err := t.exec(ctx, `UPDATE logged_models SET deleted = 1 WHERE seq = $1`, seq)
		return err
	})
}

// SetLoggedModelTags writes tags; see experiment.LoggedModels.
func (db *DB) SetLoggedModelTags(ctx context.Context, id ident.ModelID, tags []experiment.Tag, now int64) error {
	return db.changeLogged(ctx, id, now, func(t *tx, seq int64) error { return t.tagLogged(ctx, seq, tags) })
}

// DeleteLoggedModelTag deletes a tag; see experiment.LoggedModels.
func (db *DB) DeleteLoggedModelTag(ctx context.Context, id ident.ModelID, key string, now int64) error {
	return db.changeLogged(ctx, id, now, func(t *tx, seq int64) error {
		n, err := t.exec(ctx, `DELETE FROM logged_model_tags WHERE model = $1 AND name = $2`, seq, clean(key))
		if err == nil && n == 0 {
			err = fault.New(fault.NotFound, "No tag with key '%s' found for model with ID '%s'.", key, id)
		}
		return err
	})
}

// AddLoggedModelParams adds params, none of which may be there; see
// experiment.LoggedModels.
func (db *DB) AddLoggedModelParams(ctx context.Context, id ident.ModelID, params []experiment.Param) error {
	return db.changeLogged(ctx, id, 0, func(t *tx, seq int64) error { return t.addLoggedParams(ctx, seq, id, params) })
}
