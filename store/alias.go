// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"flyball/asof"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/ident"
	"flyball/model/registry"
)

// Alias is the version at which an alias points; the baseline's of a model under
// Flyball's care are counted under registry.BaselineOf. When it points nowhere: a zero Ref and a NotFound fault.
func (db *DB) Alias(ctx context.Context, model, alias string) (ident.Ref, error) {
	ref := ident.Ref{Model: model}
	registered := false
	if ctx, at := then(ctx); at != present {
		m, err := db.earlierModels(asof.With(ctx, time.UnixMicro(at)), model)
		if err != nil {
			return ident.Ref{}, err
		}
		pointed, err := db.earlierAliases(ctx, model, at)
		if err == nil && pointed[alias] == 0 {
			err = sql.ErrNoRows
		}
		if err != nil {
			return ident.Ref{}, found(err, "the alias cannot be read", "%s has no version that is %s", model, alias)
		}
		ref.Version = pointed[alias]
		if alias == registry.Baseline && (len(m) == 0 || m[0].Cared()) {
			ref.Model = registry.BaselineOf(model)
		}
		return ref, nil
	}
	err := db.row(ctx, `SELECT version, EXISTS (SELECT 1 FROM models WHERE name = model AND file = '') FROM aliases
		WHERE model = $1 AND alias = $2`, model, alias).Scan(&ref.Version, &registered)
	if err != nil {
		return ident.Ref{}, found(err, "the alias cannot be read", "%s has no version that is %s", model, alias)
	}
	if alias == registry.Baseline && !registered {
		ref.Model = registry.BaselineOf(model)
	}
	return ref, nil
}

// Aliases are all aliases of a model that point at a version, with its number.
func (db *DB) Aliases(ctx context.Context, model string) (map[string]int, error) {
	ctx, at := then(ctx)
	if at != present {
		return db.earlierAliases(ctx, model, at)
	}
	type alias struct {
		name    string
		version int
	}
	as, err := all(ctx, db, "the aliases cannot be read", func(s scanner) (a alias, err error) {
		err = s.Scan(&a.name, &a.version)
		return a, err
	}, `SELECT alias, version FROM aliases WHERE model = $1`, model)
	out := make(map[string]int, len(as))
	for _, a := range as {
		out[a.name] = a.version
	}
	return out, err
}

// VersionByAlias is the version at which an alias points, with its tags and aliases; a
// NotFound fault when it points nowhere. The baseline of a model under Flyball's care
// is no version of that model.
func (db *DB) VersionByAlias(ctx context.Context, model, alias string) (registry.Version, error) {
	v, err := scanVersion(db.row(ctx, selectVersion+` WHERE model = $1 AND version =
		(SELECT o.version FROM aliases o WHERE o.model = $1 AND o.alias = $2
		AND (o.alias <> '`+registry.Baseline+`' OR EXISTS (SELECT 1 FROM models n WHERE n.name = $1 AND n.file = '')))`, model, alias))
	return v, found(err, "the alias cannot be read", "%s has no version that is %s", model, alias)
}

// MoveAlias has an alias point at a version (0: at none), as a client asks, with its
// history and an audit record. It is a Denied fault when only a release may do that,
// and a NotFound fault when model or version are not there. An alias that stays where
// it is writes nothing.
func (db *DB) MoveAlias(ctx context.Context, model, alias string, to int, by string, at time.Time) error {
	return db.atomic(ctx, "the alias was not moved", func(t *tx) error {
		m, err := t.model(ctx, model)
		if err != nil {
			return err
		}
		if err := m.MayMove(alias, to); err != nil {
			return err
		}
		if to != 0 {
			var n int
			err := t.row(ctx, `SELECT version FROM versions WHERE model = $1 AND version = $2`, model, to).Scan(&n)
			if errors.Is(err, sql.ErrNoRows) {
				return registry.NoVersion(ident.Ref{Model: model, Version: to})
			}
			if err != nil {
				return err
			}
		}
		return t.moveByHand(ctx, registry.Move{Model: model, Alias: alias, At: at, By: by, To: to})
	})
}

// moveByHand moves an alias that no release moves, with its audit record.
func (t *tx) moveByHand(ctx context.Context, m registry.Move) error {
	m, err := t.moveAlias(ctx, m)
	if err != nil || m.From == m.To {
		return err
	}
	data, err := json.Marshal(map[string]any{"alias": m.Alias, "from": m.From, "to": m.To})
	if err != nil {
		return fmt.Errorf("encode the move of an alias: %w", err)
	}
	_, err = t.chain(ctx, audit.Record{At: m.At, Actor: m.By, Action: "alias", Object: m.Model, Data: data})
	return err
}

// moveAlias has an alias point where m says and keeps the move in the history; it
// returns m with From. Nothing is written when the alias points there already.
func (t *tx) moveAlias(ctx context.Context, m registry.Move) (registry.Move, error) {
	if m.To < 0 {
		return m, fault.New(fault.Invalid, "%d is not the number of a version", m.To)
	}
	err := t.row(ctx, `SELECT version FROM aliases WHERE model = $1 AND alias = $2 {lock}`, m.Model, m.Alias).Scan(&m.From)
	if err != nil && !errors.Is(err, sql.ErrNoRows) || m.From == m.To {
		return m, ignore(err, sql.ErrNoRows)
	}
	if m.To == 0 {
		_, err = t.exec(ctx, `DELETE FROM aliases WHERE model = $1 AND alias = $2`, m.Model, m.Alias)
	} else {
		_, err = t.exec(ctx, `INSERT INTO aliases (model, alias, version) VALUES ($1, $2, $3)
			ON CONFLICT (model, alias) DO UPDATE SET version = excluded.version`, m.Model, m.Alias, m.To)
	}
	if err != nil {
		return m, err
	}
	_, err = t.exec(ctx, `INSERT INTO alias_history (model, alias, at, actor, from_version, to_version) VALUES ($1, $2, $3, $4, $5, $6)`,
		m.Model, m.Alias, m.At.UnixMicro(), clean(m.By), m.From, m.To)
	return m, err
}

// ignore is err, unless it is the one that does not matter.
func ignore(err, harmless error) error {
	if errors.Is(err, harmless) {
		return nil
	}
	return err
}

// AliasHistory are the moves of a model's aliases, the newest first, at most 1,000.
func (db *DB) AliasHistory(ctx context.Context, model string) ([]registry.Move, error) {
	ctx, at := then(ctx)
	return all(ctx, db, "the history of the aliases cannot be read", func(s scanner) (m registry.Move, err error) {
		err = s.Scan(&m.Model, &m.Alias, moment{&m.At}, &m.By, &m.From, &m.To)
		return m, err
	}, `SELECT model, alias, at, actor, from_version, to_version FROM alias_history WHERE model = $1 AND at <= $2 ORDER BY seq DESC LIMIT 1000`, model, at)
}
