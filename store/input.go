// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"encoding/json"

	"flyball/experiment"
	"flyball/ident"
)

// contextTag is the tag of an input that says what the data was for.
const contextTag = "mlflow.data.context"

// LogInputs keeps what a run read; see experiment.Runs. What is kept already stays as
// it is.
func (db *DB) LogInputs(ctx context.Context, id ident.RunID, in []experiment.Input, models []ident.ModelID) error {
	return db.atomic(ctx, "the inputs were not written", func(t *tx) error {
		r, err := t.activeRun(ctx, id)
		if err != nil {
			return err
		}
		return t.addInputs(ctx, target{r.seq, int64(r.Experiment), id}, in, models)
	})
}

// holdDatasets keeps datasets from being removed during this transaction, and lets
// others add them; when alone, nobody else does either.
func (t *tx) holdDatasets(ctx context.Context, alone bool) error {
	statement := t.dialect.hold
	if alone {
		statement = t.dialect.alone
	}
	if statement == "" {
		return nil
	}
	_, err := t.exec(ctx, statement, "datasets")
	return err
}

func (t *tx) addInputs(ctx context.Context, to target, in []experiment.Input, models []ident.ModelID) error {
	if len(in) > 0 {
		if err := t.holdDatasets(ctx, false); err != nil {
			return err
		}
	}
	for _, i := range in {
		dataset, err := t.dataset(ctx, to.experiment, i.Dataset)
		if err != nil {
			return err
		}
		pairs, context := make([][2]string, 0, len(i.Tags)), ""
		for _, tag := range i.Tags {
			pairs = append(pairs, [2]string{clean(tag.Key), clean(tag.Value)})
			if tag.Key == contextTag {
				context = clean(tag.Value)
			}
		}
		tags, err := json.Marshal(pairs)
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, `INSERT INTO inputs (run, dataset, context, tags, seq)
			VALUES ($1, $2, $3, $4, (SELECT COALESCE(MAX(seq), 0) + 1 FROM inputs WHERE run = $1)) ON CONFLICT DO NOTHING`,
			to.seq, dataset, context, string(tags))
		if err != nil {
			return err
		}
	}
	for _, m := range models {
		if err := t.linkModel(ctx, to, 0, experiment.Output{ModelID: m}); err != nil {
			return err
		}
	}
	return nil
}

// dataset is the number of a dataset; the first description of it stays.
func (t *tx) dataset(ctx context.Context, in int64, d experiment.Dataset) (id int64, err error) {
	find := func() error {
		return t.row(ctx, `SELECT id FROM datasets WHERE experiment = $1 AND name = $2 AND digest = $3`, in, clean(d.Name), clean(d.Digest)).Scan(&id)
	}
	if err := find(); !none(err) {
		return id, err
	}
	_, err = t.exec(ctx, `INSERT INTO datasets (experiment, name, digest, source_type, source, schema_json, profile)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
		in, clean(d.Name), clean(d.Digest), clean(d.SourceType), clean(d.Source), clean(d.Schema), clean(d.Profile))
	if err != nil {
		return 0, err
	}
	return id, find()
}

// LogOutputs keeps which logged models a run made; see experiment.Runs.
func (db *DB) LogOutputs(ctx context.Context, id ident.RunID, out []experiment.Output) error {
	return db.atomic(ctx, "the outputs were not written", func(t *tx) error {
		r, err := t.activeRun(ctx, id)
		if err != nil {
			return err
		}
		return t.addOutputs(ctx, target{r.seq, int64(r.Experiment), id}, out)
	})
}

func (t *tx) addOutputs(ctx context.Context, to target, out []experiment.Output) error {
	for _, o := range out {
		if err := t.linkModel(ctx, to, 1, o); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) linkModel(ctx context.Context, to target, output int, o experiment.Output) error {
	_, err := t.exec(ctx, `INSERT INTO run_models (run, output, model, step) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		to.seq, output, clean(string(o.ModelID)), o.Step)
	return err
}

// SearchDatasets are the datasets that runs of experiments used, each with what for;
// at most limit (and 10,000).
func (db *DB) SearchDatasets(ctx context.Context, ids []ident.ExperimentID, limit int) ([]experiment.DatasetSummary, error) {
	numbers := make([]int64, 0, len(ids))
	for _, id := range ids {
		numbers = append(numbers, int64(id))
	}
	return all(ctx, db, "the datasets cannot be read", func(s scanner) (d experiment.DatasetSummary, err error) {
		err = s.Scan(&d.Experiment, &d.Name, &d.Digest, &d.Context)
		return d, err
	}, `WITH RECURSIVE uses (dataset, context) AS ( -- goes from one context to the next, however many inputs have it
			SELECT d.id, (SELECT MIN(i.context) FROM inputs i WHERE i.dataset = d.id) FROM datasets d WHERE d.experiment {among}
			UNION ALL
			SELECT u.dataset, (SELECT MIN(i.context) FROM inputs i WHERE i.dataset = u.dataset AND i.context > u.context) FROM uses u WHERE u.context IS NOT NULL)
		SELECT d.experiment, d.name, d.digest, u.context FROM uses u JOIN datasets d ON d.id = u.dataset
		WHERE u.context IS NOT NULL ORDER BY d.experiment, d.name, d.digest, u.context LIMIT $2`, set(numbers), clamp(limit))
}

// MetricKeys are names of metrics; see experiment.Runs.
func (db *DB) MetricKeys(ctx context.Context, id ident.ExperimentID, prefix string, limit int) ([]string, error) {
	return db.keyNames(ctx, "latest_metrics", id, prefix, limit)
}

// ParamKeys are names of params; see experiment.Runs.
func (db *DB) ParamKeys(ctx context.Context, id ident.ExperimentID, prefix string, limit int) ([]string, error) {
	return db.keyNames(ctx, "params", id, prefix, limit)
}

func (db *DB) keyNames(ctx context.Context, table string, id ident.ExperimentID, prefix string, limit int) ([]string, error) {
	const last = "\U0010FFFF" // no text that begins with prefix is greater than prefix and this
	return all(ctx, db, "the names cannot be read", func(s scanner) (name string, err error) {
		err = s.Scan(&name)
		return name, err
	}, `SELECT k.name FROM keys k WHERE k.name >= $2 AND k.name <= $3
		AND EXISTS (SELECT 1 FROM `+table+` v WHERE v.experiment = $1 AND v.key = k.id) ORDER BY k.name LIMIT $4`,
		id, clean(prefix), clean(prefix)+last, clamp(limit))
}
