// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"

	"flyball/experiment"
	"flyball/fault"
	"flyball/ident"
	"flyball/model/registry"
)

// RunIDs are the ids of runs after one, in their order, at most limit (and 10,000);
// deleted ones too.
func (db *DB) RunIDs(ctx context.Context, after ident.RunID, limit int) ([]ident.RunID, error) {
	return all(ctx, db, "the runs cannot be read", func(s scanner) (id ident.RunID, err error) {
		err = s.Scan(&id)
		return id, err
	}, `SELECT run_id FROM runs WHERE run_id > $1 ORDER BY run_id LIMIT $2`, after, clamp(limit))
}

// LoggedModelIDs are the ids of logged models in the same way.
func (db *DB) LoggedModelIDs(ctx context.Context, after ident.ModelID, limit int) ([]ident.ModelID, error) {
	return all(ctx, db, "the logged models cannot be read", func(s scanner) (id ident.ModelID, err error) {
		err = s.Scan(&id)
		return id, err
	}, `SELECT model_id FROM logged_models WHERE model_id > $1 ORDER BY model_id LIMIT $2`, after, clamp(limit))
}

// RunsWithHistory are those of the runs that are here, with every point of their
// metrics, in no order.
func (db *DB) RunsWithHistory(ctx context.Context, ids []ident.RunID) ([]experiment.ImportedRun, error) {
	const what = "the runs cannot be read"
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = string(id)
	}
	found, err := all(ctx, db, what, scanRun, `SELECT `+runColumns+` FROM runs r WHERE r.run_id IN (SELECT value FROM {texts})`, set(texts))
	if err != nil {
		return nil, err
	}
	list, seqs, at := make([]experiment.Run, len(found)), make([]int64, len(found)), make(map[int64]int, len(found))
	for i, r := range found {
		list[i], seqs[i], at[r.seq] = r.Run, r.seq, i
	}
	if err := db.fillRuns(ctx, list, seqs); err != nil {
		return nil, err
	}
	out := make([]experiment.ImportedRun, len(list))
	for i, r := range list {
		out[i].Run = r
	}
	type ofRun struct {
		run int64
		experiment.Metric
	}
	scan := func(s scanner) (m ofRun, err error) {
		var nan bool
		err = s.Scan(&m.run, &m.Key, &m.Timestamp, &m.Step, flag{&nan}, &m.Value)
		m.Value = number(nan, m.Value)
		return m, err
	}
	for m, err := range rows(ctx, db, scan, `SELECT m.run, k.name, m.at, m.step, m.nan, m.value FROM metrics m JOIN keys k ON k.id = m.key
		WHERE m.run {among}`, set(seqs)) {
		if err != nil {
			return nil, problem(err, what)
		}
		out[at[m.run]].History = append(out[at[m.run]].History, m.Metric)
	}
	return out, nil
}

// ImportVersion adds a version under its own number, with its tags; see
// archive.Store.
func (db *DB) ImportVersion(ctx context.Context, v registry.Version) error {
	return db.atomic(ctx, "the version was not brought in", func(t *tx) error {
		if _, err := t.next(ctx, "version/"+v.Model, 0); err != nil { // has the model's other registrations wait
			return err
		}
		if _, err := t.model(ctx, v.Model); err != nil {
			return err
		}
		err := t.there(ctx, v.Ref)
		if err == nil {
			return fault.New(fault.Conflict, "there is a version %s already", v.Ref)
		}
		if !fault.Is(err, fault.NotFound) {
			return err
		}
		if _, err := t.addVersion(ctx, v, int64(v.Ref.Version)); err != nil {
			return err
		}
		return t.atLeast(ctx, "version/"+v.Model, int64(v.Ref.Version))
	})
}
