// SPDX-License-Identifier: Apache-2.0

package mlflowimport

import (
	"context"
	"math"
	"time"

	"flyball/experiment"
	"flyball/experiment/archive"
	"flyball/ident"
	"flyball/model/registry"
)

func notANumber() float64 { return math.NaN() }

// loggedModels reads an experiment's logged models by their ids.
func (d *database) loggedModels(ctx context.Context, e experiment.Experiment, give func(...archive.Record) error) error {
	if !d.has["logged_models"] {
		return nil
	}
	var page []experiment.LoggedModel
	at := map[string]int{}
	for rs, err := range query(ctx, d.sql, `SELECT model_id, name, COALESCE(model_type, ''), COALESCE(source_run_id, ''), status,
		COALESCE(status_message, ''), artifact_location, creation_timestamp_ms, last_updated_timestamp_ms, COALESCE(lifecycle_stage, '')
		FROM logged_models WHERE experiment_id = $1 ORDER BY model_id`, int64(e.ID)) {
		if err != nil {
			return err
		}
		m := experiment.LoggedModel{Experiment: e.ID}
		var stage string
		err := rs.Scan(&m.ID, &m.Name, &m.Type, &m.SourceRun, &m.Status, &m.StatusMessage, &m.Location, &m.Created, &m.Updated, &stage)
		if err != nil {
			return err
		}
		m.Deleted = stage == "deleted"
		if ours(m.Location) {
			m.Location = archive.ModelLocation(e.ID, m.ID)
		}
		at[string(m.ID)] = len(page)
		page = append(page, m)
	}
	if err := d.fillModels(ctx, e.ID, page, at); err != nil {
		return err
	}
	for _, m := range page {
		if err := give(archive.FromLoggedModel(e.Name, m)); err != nil {
			return err
		}
	}
	return nil
}

func (d *database) fillModels(ctx context.Context, id ident.ExperimentID, page []experiment.LoggedModel, at map[string]int) error {
	args := []any{int64(id)}
	err := d.pairs(ctx, `SELECT model_id, param_key, param_value FROM logged_model_params WHERE experiment_id = $1`, args, func(model, key, value string) {
		page[at[model]].Params = append(page[at[model]].Params, experiment.Param{Key: key, Value: value})
	})
	if err != nil {
		return err
	}
	err = d.pairs(ctx, `SELECT model_id, tag_key, tag_value FROM logged_model_tags WHERE experiment_id = $1`, args, func(model, key, value string) {
		page[at[model]].Tags = append(page[at[model]].Tags, experiment.Tag{Key: key, Value: value})
	})
	if err != nil {
		return err
	}
	for rs, err := range query(ctx, d.sql, `SELECT model_id, metric_name, metric_value, metric_timestamp_ms, metric_step, run_id,
		COALESCE(dataset_name, ''), COALESCE(dataset_digest, '') FROM logged_model_metrics WHERE experiment_id = $1`, args...) {
		if err != nil {
			return err
		}
		var model string
		var value *float64 // NULL is a NaN
		m := experiment.Metric{Value: notANumber()}
		if err := rs.Scan(&model, &m.Key, &value, &m.Timestamp, &m.Step, &m.RunID, &m.DatasetName, &m.DatasetDigest); err != nil {
			return err
		}
		if value != nil {
			m.Value = *value
		}
		m.ModelID = ident.ModelID(model)
		page[at[model]].Metrics = append(page[at[model]].Metrics, m)
	}
	return nil
}

// registry reads models, versions and aliases.
func (d *database) registry(ctx context.Context, give func(...archive.Record) error) error {
	if !d.has["registered_models"] {
		return nil
	}
	var models []registry.Model
	for rs, err := range query(ctx, d.sql, `SELECT name, COALESCE(creation_time, 0), COALESCE(last_updated_time, 0), COALESCE(description, '')
		FROM registered_models ORDER BY name`) {
		if err != nil {
			return err
		}
		var m registry.Model
		var created, updated int64
		if err := rs.Scan(&m.Name, &created, &updated, &m.About); err != nil {
			return err
		}
		m.CreatedAt, m.UpdatedAt = time.UnixMilli(created).UTC(), time.UnixMilli(updated).UTC()
		models = append(models, m)
	}
	for _, m := range models {
		if err := d.model(ctx, m, give); err != nil {
			return err
		}
	}
	return nil
}

func (d *database) model(ctx context.Context, m registry.Model, give func(...archive.Record) error) error {
	var err error
	m.Tags, err = registryTags(ctx, d, `SELECT key, COALESCE(value, '') FROM registered_model_tags WHERE name = $1 ORDER BY key`, m.Name)
	if err != nil {
		return err
	}
	if err := give(archive.Record{Model: &m}); err != nil {
		return err
	}
	versions, err := d.versions(ctx, m.Name)
	if err != nil {
		return err
	}
	for _, v := range versions {
		v.Tags, err = registryTags(ctx, d, `SELECT key, COALESCE(value, '') FROM model_version_tags WHERE name = $1 AND version = $2 ORDER BY key`, m.Name, v.Ref.Version)
		if err != nil {
			return err
		}
		if err := give(archive.Record{Version: &archive.Version{Version: v}}); err != nil {
			return err
		}
	}
	if !d.has["registered_model_aliases"] {
		return nil
	}
	var aliases []archive.Record
	for rs, err := range query(ctx, d.sql, `SELECT alias, version FROM registered_model_aliases WHERE name = $1 ORDER BY alias`, m.Name) {
		if err != nil {
			return err
		}
		a := &archive.Alias{Model: m.Name}
		if err := rs.Scan(&a.Name, &a.Version); err != nil {
			return err
		}
		aliases = append(aliases, archive.Record{Alias: a})
	}
	return give(aliases...)
}

func registryTags(ctx context.Context, d *database, q string, args ...any) ([]registry.Tag, error) {
	ts, err := tags[struct{ Key, Value string }](ctx, d.sql, q, args...)
	var out []registry.Tag
	for _, t := range ts {
		out = append(out, registry.Tag{Key: t.Key, Value: t.Value})
	}
	return out, err
}

func (d *database) versions(ctx context.Context, model string) ([]registry.Version, error) {
	location := "''"
	if d.has["logged_models"] {
		location = "COALESCE(storage_location, '')"
	}
	var out []registry.Version
	for rs, err := range query(ctx, d.sql, `SELECT version, COALESCE(creation_time, 0), COALESCE(last_updated_time, 0), COALESCE(description, ''),
		COALESCE(user_id, ''), COALESCE(current_stage, 'None'), COALESCE(source, ''), COALESCE(run_id, ''), COALESCE(run_link, ''), `+location+`
		FROM model_versions WHERE name = $1 AND current_stage <> 'Deleted_Internal' ORDER BY version`, model) {
		if err != nil {
			return nil, err
		}
		v := registry.Version{Ref: ident.Ref{Model: model}}
		var created, updated int64
		if err := rs.Scan(&v.Ref.Version, &created, &updated, &v.About, &v.CreatedBy, &v.Stage, &v.Source, &v.RunID, &v.RunLink, &v.Location); err != nil {
			return nil, err
		}
		v.CreatedAt, v.UpdatedAt = time.UnixMilli(created).UTC(), time.UnixMilli(updated).UTC()
		out = append(out, v)
	}
	return out, nil
}
