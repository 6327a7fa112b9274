// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"context"
	"reflect"
	"slices"

	"flyball/experiment"
	"flyball/fault"
	"flyball/ident"
)

var _ experiment.Imports = (*DB)(nil)

// ImportRuns brings in runs; see experiment.Imports.
func (db *DB) ImportRuns(ctx context.Context, runs []experiment.ImportedRun) (added int, err error) {
	here, err := db.runsHere(ctx, runs)
	if err != nil {
		return 0, err
	}
	err = db.atomic(ctx, "the runs were not brought in", func(t *tx) error {
		experiments := map[ident.ExperimentID]experiment.Experiment{}
		var fresh []newRun
		for _, r := range runs {
			if have, ok := here[r.ID]; ok {
				if err := t.addPoints(ctx, r, have); err != nil {
					return err
				}
				continue
			}
			e, ok := experiments[r.Experiment]
			if !ok {
				var err error
				if e, err = t.experiment(ctx, r.Experiment, "{share}"); err != nil {
					return err
				}
				experiments[r.Experiment] = e
			}
			fresh = append(fresh, newRun{r, lifeOf(r.Run, e)})
		}
		added = len(fresh)
		return t.addRuns(ctx, fresh)
	})
	if err != nil {
		return 0, err
	}
	return added, nil
}

// lifeOf is how a run is deleted, as in table runs: together with its experiment when
// both are.
func lifeOf(r experiment.Run, e experiment.Experiment) int {
	switch {
	case r.Deleted && e.Deleted:
		return 2
	case r.Deleted:
		return 1
	}
	return 0
}

// runsHere are those of the runs that are here already, as they are here.
func (db *DB) runsHere(ctx context.Context, runs []experiment.ImportedRun) (map[ident.RunID]experiment.Run, error) {
	ids := make([]string, len(runs))
	for i, r := range runs {
		ids[i] = string(r.ID)
	}
	found, err := all(ctx, db, "the runs cannot be read", scanRun, `SELECT `+runColumns+` FROM runs r WHERE r.run_id IN (SELECT value FROM {texts})`, set(ids))
	if err != nil {
		return nil, err
	}
	list, seqs := make([]experiment.Run, len(found)), make([]int64, len(found))
	for i, r := range found {
		list[i], seqs[i] = r.Run, r.seq
	}
	if err := db.fillRuns(ctx, list, seqs); err != nil {
		return nil, err
	}
	here := make(map[ident.RunID]experiment.Run, len(list))
	for _, r := range list {
		here[r.ID] = r
	}
	return here, nil
}

// addPoints adds the points of a run that is here already, when it is the same run.
func (t *tx) addPoints(ctx context.Context, r experiment.ImportedRun, have experiment.Run) error {
	if what := difference(r.Run, have); what != "" {
		return fault.New(fault.Conflict, "Run with id=%s already exists with %s.", r.ID, what)
	}
	return t.importPoints(ctx, r.ID, append(slices.Clone(r.History), r.Metrics...))
}

// difference names what two runs do not have in common, metrics aside; empty when they
// are the same.
func difference(a, b experiment.Run) string {
	a, b = plain(a), plain(b)
	from, to := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range from.NumField() {
		if !reflect.DeepEqual(from.Field(i).Interface(), to.Field(i).Interface()) {
			return "another " + from.Type().Field(i).Name
		}
	}
	return ""
}

// plain is a run as it is read back, without its metrics.
func plain(r experiment.Run) experiment.Run {
	r.Metrics = nil
	r.Name, r.User = clean(r.Name), clean(r.User)
	params, tags := map[string]string{}, map[string]string{}
	for _, p := range r.Params {
		params[clean(p.Key)] = clean(p.Value)
	}
	for _, t := range r.Tags {
		tags[clean(t.Key)] = clean(t.Value)
	}
	r.Params, r.Tags = nil, nil
	for k, v := range params {
		r.Params = append(r.Params, experiment.Param{Key: k, Value: v})
	}
	for k, v := range tags {
		r.Tags = append(r.Tags, experiment.Tag{Key: k, Value: v})
	}
	slices.SortFunc(r.Params, func(a, b experiment.Param) int { return cmp.Compare(a.Key, b.Key) })
	slices.SortFunc(r.Tags, func(a, b experiment.Tag) int { return cmp.Compare(a.Key, b.Key) })
	// Datasets are an experiment's: the first description of one stays, so only the
	// names of a run's inputs are its own.
	inputs := make([]experiment.Input, 0, len(r.Inputs))
	for _, in := range r.Inputs {
		inputs = append(inputs, experiment.Input{Dataset: experiment.Dataset{Name: clean(in.Dataset.Name), Digest: clean(in.Dataset.Digest)}})
	}
	slices.SortFunc(inputs, func(a, b experiment.Input) int {
		return cmp.Or(cmp.Compare(a.Dataset.Name, b.Dataset.Name), cmp.Compare(a.Dataset.Digest, b.Dataset.Digest))
	})
	r.Inputs = slices.CompactFunc(inputs, func(a, b experiment.Input) bool { return a.Dataset == b.Dataset })
	r.Models = slices.Compact(slices.Sorted(slices.Values(r.Models)))
	r.Outputs = slices.Clone(r.Outputs)
	slices.SortFunc(r.Outputs, func(a, b experiment.Output) int {
		return cmp.Or(cmp.Compare(a.Step, b.Step), cmp.Compare(a.ModelID, b.ModelID))
	})
	r.Outputs = slices.Compact(r.Outputs)
	return r
}

// ImportPoints brings in points of a run; see experiment.Imports.
func (db *DB) ImportPoints(ctx context.Context, id ident.RunID, points []experiment.Metric) error {
	return db.atomic(ctx, "the points were not brought in", func(t *tx) error { return t.importPoints(ctx, id, points) })
}

func (t *tx) importPoints(ctx context.Context, id ident.RunID, points []experiment.Metric) error {
	ids := map[string]target{string(id): {}}
	if _, err := t.targets(ctx, ids); err != nil {
		return err
	}
	to := ids[string(id)]
	if to.seq == 0 {
		return noRun(id)
	}
	s := newSheet()
	s.name(experiment.Batch{Metrics: points})
	if err := t.number(ctx, s.ids); err != nil {
		return err
	}
	for _, m := range points {
		s.metric(to, m)
	}
	return t.write(ctx, s)
}

// ImportLoggedModels brings in logged models; see experiment.Imports.
func (db *DB) ImportLoggedModels(ctx context.Context, models []experiment.LoggedModel) (added int, err error) {
	err = db.atomic(ctx, "the logged models were not brought in", func(t *tx) error {
		added = 0
		s := newSheet()
		for _, m := range models {
			s.name(experiment.Batch{Metrics: m.Metrics})
		}
		if err := t.number(ctx, s.ids); err != nil {
			return err
		}
		for _, m := range models {
			if _, err := t.experiment(ctx, m.Experiment, "{share}"); err != nil {
				return err
			}
			var there int64
			err := t.row(ctx, `SELECT seq FROM logged_models WHERE model_id = $1`, m.ID).Scan(&there)
			if none(err) {
				err = t.addLogged(ctx, m)
				added++
			}
			if err != nil {
				return err
			}
			for _, p := range m.Metrics {
				p.ModelID = m.ID
				s.link(s.ids[clean(p.Key)], p)
			}
		}
		return t.write(ctx, s)
	})
	if err != nil {
		return 0, err
	}
	return added, nil
}
