// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"flyball/experiment"
	"flyball/ident"
)

// runColumns are what scanRun reads of runs, which a statement calls r.
const runColumns = `r.seq, r.run_id, r.experiment, r.name, r.user_id, r.status, r.started, COALESCE(r.ended, 0), r.location, r.deleted`

// runRow is a run without what is logged to it, and its number in this database.
type runRow struct {
	seq int64
	experiment.Run
}

func scanRun(s scanner) (r runRow, err error) {
	err = s.Scan(&r.seq, &r.ID, &r.Experiment, &r.Name, &r.User, &r.Status, &r.Start, &r.End, &r.Location, flag{&r.Deleted})
	return r, err
}

// fillRuns gives runs, whose numbers are seqs, their metrics, params, tags, inputs and
// models, in as many queries for one run as for a thousand.
func (db *DB) fillRuns(ctx context.Context, runs []experiment.Run, seqs []int64) error {
	if len(runs) == 0 {
		return nil
	}
	f := filler{db: db, runs: make(map[int64]*experiment.Run, len(runs)), which: "{among}", seqs: set(seqs), names: map[int64]string{}}
	if len(seqs) == 1 { // which is faster than a list of one
		f.which, f.seqs = "= $1", seqs[0]
	}
	for i, seq := range seqs {
		f.runs[seq] = &runs[i]
	}
	for _, fill := range []func(context.Context) error{f.metrics, f.params, f.tags, f.inputs, f.models} {
		if err := fill(ctx); err != nil {
			return problem(err, "the runs cannot be read")
		}
	}
	return nil
}

// filler is runs while they are filled.
type filler struct {
	db    *DB
	runs  map[int64]*experiment.Run // by number
	which string                    // is the condition that a number is one of theirs
	seqs  any                       // its argument
	names map[int64]string          // of the keys seen
}

func (f filler) metrics(ctx context.Context) error {
	type row struct {
		run, key int64
		m        experiment.Metric
	}
	var found []row
	err := f.db.each(ctx, func(s scanner) error {
		var r row
		var nan bool
		err := s.Scan(&r.run, &r.key, &r.m.Timestamp, &r.m.Step, flag{&nan}, &r.m.Value)
		r.m.Value = number(nan, r.m.Value)
		f.names[r.key] = ""
		found = append(found, r)
		return err
	}, `SELECT run, key, at, step, nan, value FROM latest_metrics WHERE run `+f.which, f.seqs)
	if err != nil {
		return err
	}
	if err := f.db.names(ctx, f.names); err != nil {
		return err
	}
	for _, r := range found {
		r.m.Key = f.names[r.key]
		f.runs[r.run].Metrics = append(f.runs[r.run].Metrics, r.m)
	}
	for _, r := range f.runs {
		slices.SortFunc(r.Metrics, func(a, b experiment.Metric) int { return cmp.Compare(a.Key, b.Key) })
	}
	return nil
}

func (f filler) params(ctx context.Context) error {
	err := f.labels(ctx, func(run int64, key, value string) {
		f.runs[run].Params = append(f.runs[run].Params, experiment.Param{Key: key, Value: value})
	}, `SELECT run, key, value FROM params WHERE run `+f.which)
	for _, r := range f.runs {
		slices.SortFunc(r.Params, func(a, b experiment.Param) int { return cmp.Compare(a.Key, b.Key) })
	}
	return err
}

func (f filler) tags(ctx context.Context) error {
	err := f.labels(ctx, func(run int64, key, value string) {
		f.runs[run].Tags = append(f.runs[run].Tags, experiment.Tag{Key: key, Value: value})
	}, `SELECT run, key, value FROM tags WHERE run `+f.which)
	for _, r := range f.runs {
		slices.SortFunc(r.Tags, func(a, b experiment.Tag) int { return cmp.Compare(a.Key, b.Key) })
	}
	return err
}

// labels hands over params or tags with their names.
func (f filler) labels(ctx context.Context, add func(run int64, key, value string), statement string) error {
	type row struct {
		run, key int64
		value    string
	}
	var found []row
	err := f.db.each(ctx, func(s scanner) error {
		var r row
		err := s.Scan(&r.run, &r.key, &r.value)
		f.names[r.key] = ""
		found = append(found, r)
		return err
	}, statement, f.seqs)
	if err != nil {
		return err
	}
	if err := f.db.names(ctx, f.names); err != nil {
		return err
	}
	for _, r := range found {
		add(r.run, f.names[r.key], r.value)
	}
	return nil
}

// inputs reads each dataset once, however many runs have it: its schema may be large.
func (f filler) inputs(ctx context.Context) error {
	type row struct {
		run, dataset int64
		tags         []experiment.Tag
	}
	var found []row
	datasets := map[int64]experiment.Dataset{}
	err := f.db.each(ctx, func(s scanner) error {
		var r row
		err := s.Scan(&r.run, &r.dataset, labels{&r.tags})
		datasets[r.dataset] = experiment.Dataset{}
		found = append(found, r)
		return err
	}, `SELECT run, dataset, tags FROM inputs WHERE run `+f.which+` ORDER BY run, seq, dataset`, f.seqs)
	if err != nil || len(found) == 0 {
		return err
	}
	ids := make([]int64, 0, len(datasets))
	for id := range datasets {
		ids = append(ids, id)
	}
	err = f.db.each(ctx, func(s scanner) error {
		var id int64
		var d experiment.Dataset
		err := s.Scan(&id, &d.Name, &d.Digest, &d.SourceType, &d.Source, &d.Schema, &d.Profile)
		datasets[id] = d
		return err
	}, `SELECT id, name, digest, source_type, source, schema_json, profile FROM datasets WHERE id {among}`, set(ids))
	for _, r := range found {
		f.runs[r.run].Inputs = append(f.runs[r.run].Inputs, experiment.Input{Dataset: datasets[r.dataset], Tags: r.tags})
	}
	return err
}

func (f filler) models(ctx context.Context) error {
	return f.db.each(ctx, func(s scanner) error {
		var run int64
		var made bool
		var o experiment.Output
		if err := s.Scan(&run, flag{&made}, &o.ModelID, &o.Step); err != nil {
			return err
		}
		if r := f.runs[run]; made {
			r.Outputs = append(r.Outputs, o)
		} else {
			r.Models = append(r.Models, o.ModelID)
		}
		return nil
	}, `SELECT run, output, model, step FROM run_models WHERE run `+f.which+` ORDER BY run, output, step, model`, f.seqs)
}

// loggedColumns are what scanLogged reads of logged_models, which a statement calls m.
const loggedColumns = `m.seq, m.model_id, m.experiment, m.name, m.type, m.source_run, m.status, m.status_message, m.location, m.created, m.updated, m.deleted`

// loggedRow is a logged model without what is logged to it, and its number in this
// database.
type loggedRow struct {
	seq int64
	experiment.LoggedModel
}

func scanLogged(s scanner) (m loggedRow, err error) {
	err = s.Scan(&m.seq, &m.ID, &m.Experiment, &m.Name, &m.Type, &m.SourceRun, &m.Status, &m.StatusMessage, &m.Location, &m.Created, &m.Updated, flag{&m.Deleted})
	return m, err
}

// fillLogged gives logged models, whose numbers are seqs, their params, tags and
// metrics, in as many queries for one as for a thousand.
func (db *DB) fillLogged(ctx context.Context, models []experiment.LoggedModel, seqs []int64) error {
	if len(models) == 0 {
		return nil
	}
	bySeq, byID := make(map[int64]*experiment.LoggedModel, len(models)), make(map[ident.ModelID]*experiment.LoggedModel, len(models))
	ids := make([]string, len(models))
	for i := range models {
		bySeq[seqs[i]], byID[models[i].ID], ids[i] = &models[i], &models[i], string(models[i].ID)
	}
	err := db.each(ctx, func(s scanner) error {
		var seq int64
		var p experiment.Param
		err := s.Scan(&seq, &p.Key, &p.Value)
		if err == nil {
			bySeq[seq].Params = append(bySeq[seq].Params, p)
		}
		return err
	}, `SELECT model, name, value FROM logged_model_params WHERE model {among} ORDER BY model, name`, set(seqs))
	if err != nil {
		return problem(err, "the logged models cannot be read")
	}
	err = db.each(ctx, func(s scanner) error {
		var seq int64
		var t experiment.Tag
		err := s.Scan(&seq, &t.Key, &t.Value)
		if err == nil {
			bySeq[seq].Tags = append(bySeq[seq].Tags, t)
		}
		return err
	}, `SELECT model, name, value FROM logged_model_tags WHERE model {among} ORDER BY model, name`, set(seqs))
	if err != nil {
		return problem(err, "the logged models cannot be read")
	}
	err = db.each(ctx, func(s scanner) error {
		var m experiment.Metric
		var nan bool
		err := s.Scan(&m.ModelID, &m.Key, &m.Timestamp, &m.Step, &m.RunID, flag{&nan}, &m.Value, &m.DatasetName, &m.DatasetDigest)
		if err == nil {
			m.Value = number(nan, m.Value)
			byID[m.ModelID].Metrics = append(byID[m.ModelID].Metrics, m)
		}
		return err
	}, `SELECT model, name, at, step, run, nan, value, dataset_name, dataset_digest FROM (
			SELECT p.*, k.name, ROW_NUMBER() OVER (PARTITION BY p.model, p.key, p.run, p.dataset_name, p.dataset_digest
				ORDER BY p.step DESC, p.at DESC, p.value DESC, p.nan) AS place
			FROM logged_model_metrics p JOIN keys k ON k.id = p.key WHERE p.model IN (SELECT value FROM {texts})) AS points
		WHERE place = 1 ORDER BY model, name, run, dataset_name, dataset_digest`, set(ids))
	return problem(err, "the logged models cannot be read")
}

// experimentColumns are what scanExperiment reads of experiments, which a statement
// calls e.
const experimentColumns = `e.id, e.name, e.location, e.deleted, e.created, e.updated`

func scanExperiment(s scanner) (e experiment.Experiment, err error) {
	err = s.Scan(&e.ID, &e.Name, &e.Location, flag{&e.Deleted}, &e.Created, &e.Updated)
	return e, err
}

// fillExperiments gives experiments their tags.
func (db *DB) fillExperiments(ctx context.Context, es []experiment.Experiment) error {
	if len(es) == 0 {
		return nil
	}
	at, ids := make(map[int64]int, len(es)), make([]int64, len(es))
	for i, e := range es {
		at[int64(e.ID)], ids[i] = i, int64(e.ID)
	}
	err := db.each(ctx, func(s scanner) error {
		var id int64
		var t experiment.Tag
		err := s.Scan(&id, &t.Key, &t.Value)
		if err == nil {
			es[at[id]].Tags = append(es[at[id]].Tags, t)
		}
		return err
	}, `SELECT experiment, name, value FROM experiment_tags WHERE experiment {among} ORDER BY experiment, name`, set(ids))
	return problem(err, "the experiments cannot be read")
}

// set is a list of numbers or texts as the words {among} and {texts} take it.
func set[T int64 | string](list []T) string {
	raw, _ := json.Marshal(list) // numbers and texts always can
	return string(raw)
}

// flag scans a number other than 0 as true.
type flag struct{ to *bool }

func (f flag) Scan(v any) error {
	n, _ := v.(int64) // both engines give whole numbers as these
	*f.to = n != 0
	return nil
}

// labels scans tags that were kept as JSON.
type labels struct{ to *[]experiment.Tag }

func (l labels) Scan(v any) error {
	var pairs [][2]string
	if err := (body{&pairs}).Scan(v); err != nil {
		return err
	}
	*l.to = nil
	for _, p := range pairs {
		*l.to = append(*l.to, experiment.Tag{Key: p[0], Value: p[1]})
	}
	return nil
}
