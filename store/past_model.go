// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"flyball/fault"
	"flyball/model/registry"
)

// notKept stands where something is said that is overwritten.
const notKept = "(what was said of it then is not kept)"

// earlierModels are the models by name (empty: all), each with its file as it was at the
// moment of which ctx asks; one that was only registered then has none. Of what is said
// of a model in the registry no past is kept.
func (db *DB) earlierModels(ctx context.Context, name string) ([]registry.Model, error) {
	const what = "the models cannot be read"
	ctx, at := then(ctx)
	there, err := all(ctx, db, what, scanModel, `SELECT `+modelColumns+` FROM models WHERE ($1 = '' OR name = $1) AND created_at <= $2 ORDER BY name`, name, at)
	if err != nil {
		return nil, err
	}
	type file struct {
		registry.Model
		at    time.Time
		first bool // nothing of this model is kept from before
	}
	files := map[string]file{}
	for f, err := range rows(ctx, db, func(s scanner) (f file, err error) {
		err = s.Scan(body{&f.Model}, moment{&f.at})
		return f, err
	}, `SELECT body, at FROM past WHERE kind = $1 AND ($2 = '' OR model = $2) ORDER BY model, seq`, pastModel, name) {
		if err != nil {
			return nil, problem(err, what)
		}
		if _, later := files[f.Name]; !later {
			f.first = true
		}
		if f.first || f.at.UnixMicro() <= at {
			files[f.Name] = f
		}
	}
	for i := range there {
		m := &there[i]
		f := files[m.Name]
		switch {
		case f.Generation > 1 && f.at.UnixMicro() > at:
			return nil, fault.New(fault.Refused, "the model file that %s had then is not kept: those since %s are, when it was applied last before this server was upgraded", m.Name, f.at.Format(time.RFC3339)).
				Do("ask for a moment after that")
		case f.Generation == 0 || f.at.UnixMicro() > at:
			f = file{Model: registry.Model{Name: m.Name}}
		case f.AppliedAt.IsZero(): // from before the past was kept
			f.AppliedAt = f.at
		}
		f.About, f.CreatedAt, f.UpdatedAt = "", m.CreatedAt, m.CreatedAt
		if f.Generation > 0 {
			f.UpdatedAt = f.AppliedAt
		}
		*m = f.Model
	}
	return there, nil
}

// earlierVersions are the versions of a model (one, or all: 0) that were there at the
// moment of which ctx asks, with the aliases and the verdict of then, the newest first.
// What a client said of one since, in a text, tags or a stage, is left out: of that no
// past is kept.
func (db *DB) earlierVersions(ctx context.Context, model string, version int) ([]registry.Version, error) {
	const what = "the versions cannot be read"
	ctx, at := then(ctx)
	came := map[int]string{}
	if err := db.each(ctx, func(s scanner) error {
		var id, state string
		if err := s.Scan(&id, &state); err != nil {
			return err
		}
		n, err := strconv.Atoi(id)
		came[n] = state
		return err
	}, `SELECT id, body FROM past WHERE kind = $1 AND model = $2 AND at <= $3 ORDER BY seq`, pastVersion, model, at); err != nil {
		return nil, problem(err, what)
	}
	aliases, err := db.aliasesThen(ctx, model, at)
	if err != nil {
		return nil, err
	}
	vs, err := all(ctx, db, what, scanVersion, selectVersion+` WHERE model = $1 AND ($2 = 0 OR version = $2) ORDER BY version DESC`, model, version)
	vs = only(vs, func(v registry.Version) bool { _, there := came[v.Version]; return there })
	for i := range vs {
		v := &vs[i]
		if came[v.Version] != judged {
			v.Bundle, v.Judged, v.Snapshot, v.Record, v.SeenUntil, v.Verdict, v.Report, v.Key = "", "", "", "", time.Time{}, "", nil, ""
		}
		if v.UpdatedAt.UnixMicro() > at {
			v.About, v.Stage, v.UpdatedAt = notKept, "", v.CreatedAt
		}
		v.Tags, v.Aliases = nil, aliases[v.Version]
	}
	return vs, err
}

// aliasesThen are the aliases of a model at a moment, by version. The baseline of a model
// under Flyball's care is counted apart, and left out.
func (db *DB) aliasesThen(ctx context.Context, model string, at int64) (map[int][]string, error) {
	pointed, err := db.earlierAliases(ctx, model, at)
	if err != nil {
		return nil, err
	}
	var cared int
	if err := db.row(ctx, `SELECT COUNT(*) FROM models WHERE name = $1 AND file <> ''`, model).Scan(&cared); err != nil {
		return nil, problem(err, "the aliases cannot be read")
	}
	out := map[int][]string{}
	for _, alias := range slices.Sorted(maps.Keys(pointed)) {
		if alias != registry.Baseline || cared == 0 {
			out[pointed[alias]] = append(out[pointed[alias]], alias)
		}
	}
	return out, nil
}

// earlierAliases are the aliases of a model that pointed at a version at a moment, with its
// number.
func (db *DB) earlierAliases(ctx context.Context, model string, at int64) (map[string]int, error) {
	out := map[string]int{}
	err := db.each(ctx, func(s scanner) error {
		var alias string
		var version int
		err := s.Scan(&alias, &version)
		if out[alias] = version; version == 0 {
			delete(out, alias)
		}
		return err
	}, `SELECT alias, to_version FROM alias_history WHERE model = $1 AND at <= $2 ORDER BY seq`, model, at)
	return out, problem(err, "the aliases cannot be read")
}
