// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"flyball/experiment"
	"flyball/model/registry"
	"flyball/search"
)

// listing is a search of one table, which is small or has an index for what it is
// usually asked for.
type listing[T any] struct {
	asking
	query string // SELECT … FROM …, with columns of keys where at needs them
	where []string
	keys  []sortKey // the last of them tells any two rows apart
	scan  func(scanner) (T, error)
	at    func(T) []spot
	asked string // digest of the query
	token string
	limit int
}

// page is one page of a listing, and the token of the next.
func (l *listing[T]) page(ctx context.Context, db *DB, what string) ([]T, string, error) {
	place, err := parseToken(l.token, l.asked, l.keys)
	if err != nil {
		return nil, "", err
	}
	if place != nil {
		l.where = append(l.where, l.after(l.keys, place))
	}
	limit := min(max(l.limit, 1), mostRows)
	text := l.query
	if len(l.where) > 0 {
		text += " WHERE " + strings.Join(l.where, " AND ")
	}
	order := make([]string, len(l.keys))
	for i, k := range l.keys {
		order[i] = k.order()
	}
	text += " ORDER BY " + strings.Join(order, ", ") + " LIMIT " + l.arg(limit+1)
	out, err := all(ctx, db, what, l.scan, text, l.args...)
	if err != nil || len(out) <= limit {
		return out, "", err
	}
	out = out[:limit]
	return out, token{l.asked, l.at(out[limit-1])}.String(), nil
}

// mostRows is how many rows a page has at most, whatever is asked for.
const mostRows = 200_000

// labelled compares a tag or param of a row, which pick finds by its name.
func (a *asking) labelled(table, pick string, c search.Comparison) string {
	one := "(SELECT l.value FROM " + table + " l WHERE " + pick + " AND l.name = " + a.arg(clean(c.Key)) + ")"
	switch {
	case c.Op == search.IsNull || c.Op == search.IsNotNull:
		return one + " " + c.Op.String()
	case c.Key == registry.PromptTag && c.Op == search.NotEqual:
		return a.text("COALESCE("+one+", '')", c)
	}
	return a.text(one, c)
}

// SearchExperiments finds experiments; see experiment.Experiments.
func (db *DB) SearchExperiments(ctx context.Context, q experiment.Query) ([]experiment.Experiment, string, error) {
	const what = "the experiments cannot be read"
	if err := bounds(q.Filter, q.Order); err != nil {
		return nil, "", err
	}
	l := listing[experiment.Experiment]{
		asking: asking{dialect: db.dialect}, query: "SELECT " + experimentColumns + " FROM experiments e", scan: scanExperiment,
		asked: digest("experiments", q.Filter, q.Order, q.View), token: q.Token, limit: q.Limit,
	}
	l.where = append(l.where, "e.id >= 0"+lives("e", q.View))
	for _, c := range q.Filter {
		l.where = append(l.where, l.experiment(c))
	}
	order := q.Order
	if len(order) == 0 {
		order = []search.Order{{Key: "creation_time", Desc: true}, {Key: "experiment_id"}}
	}
	for _, o := range append(slices.Clip(order), search.Order{Key: "experiment_id", Desc: true}) {
		k := sortKey{value: experimentColumn(o.Key), desc: o.Desc, kind: wholeKind}
		if o.Key == "name" {
			k.kind = textKind
		}
		l.keys = append(l.keys, k)
	}
	l.at = func(e experiment.Experiment) []spot {
		place := make([]spot, len(l.keys))
		for i, k := range l.keys {
			place[i] = map[string]spot{
				"e.name": {Text: e.Name}, "e.id": {Whole: int64(e.ID)}, "e.created": {Whole: e.Created}, "e.updated": {Whole: e.Updated},
			}[k.value]
		}
		return place
	}
	out, next, err := l.page(ctx, db, what)
	if err != nil {
		return nil, "", err
	}
	return out, next, db.fillExperiments(ctx, out)
}

func experimentColumn(attribute string) string {
	switch attribute {
	case "name":
		return "e.name"
	case "creation_time":
		return "e.created"
	case "last_update_time":
		return "e.updated"
	}
	return "e.id"
}

func (a *asking) experiment(c search.Comparison) string {
	switch {
	case c.Entity != search.Attribute:
		return a.labelled("experiment_tags", "l.experiment = e.id", c)
	case c.Key == "experiment_id":
		return a.ids("e.id", c)
	case c.Key == "name":
		return a.text("e.name", c)
	}
	return a.whole(experimentColumn(c.Key), c)
}

// ids compares a column of numbers with texts that are numbers; one that is none is
// unlike all.
func (a *asking) ids(column string, c search.Comparison) string {
	list := c.List
	if c.Op == search.Equal || c.Op == search.NotEqual {
		list = []string{c.Text}
	}
	var numbers []int64
	for _, s := range list {
		if n, err := parseID(s); err == nil {
			numbers = append(numbers, n)
		}
	}
	switch {
	case c.Op == search.Equal || c.Op == search.In:
		if numbers == nil {
			return "1 = 0"
		}
		return a.among(column, numbers)
	case numbers == nil:
		return "1 = 1"
	}
	return "NOT (" + a.among(column, numbers) + ")"
}

// SearchModels finds registered models; see registry.Models.
func (db *DB) SearchModels(ctx context.Context, q registry.Query) ([]registry.Listing, string, error) {
	const what = "the models cannot be read"
	if err := bounds(q.Filter, q.Order); err != nil {
		return nil, "", err
	}
	type row struct {
		name             string
		updated, created int64
	}
	l := listing[row]{
		asking: asking{dialect: db.dialect}, query: "SELECT m.name, m.updated_at, m.created_at FROM models m",
		scan: func(s scanner) (r row, err error) {
			err = s.Scan(&r.name, &r.updated, &r.created)
			return r, err
		},
		asked: digest("models", q.Filter, q.Order), token: q.Token, limit: q.Limit,
	}
	for _, c := range q.Filter {
		if c.Entity == search.Attribute {
			l.where = append(l.where, l.text("m.name", c))
		} else {
			l.where = append(l.where, l.labelled("model_tags", "l.model = m.name", c))
		}
	}
	for _, o := range append(slices.Clip(q.Order), search.Order{Key: "name"}) {
		k := sortKey{value: "m.name", desc: o.Desc, kind: textKind}
		switch o.Key {
		case "last_updated_timestamp":
			k.value, k.kind = "m.updated_at", wholeKind
		case "creation_timestamp":
			k.value, k.kind = "m.created_at", wholeKind
		}
		l.keys = append(l.keys, k)
	}
	l.at = func(r row) []spot {
		place := make([]spot, len(l.keys))
		for i, k := range l.keys {
			place[i] = map[string]spot{"m.name": {Text: r.name}, "m.updated_at": {Whole: r.updated}, "m.created_at": {Whole: r.created}}[k.value]
		}
		return place
	}
	rows, next, err := l.page(ctx, db, what)
	if err != nil || len(rows) == 0 {
		return nil, "", err
	}
	at, names := make(map[string]int, len(rows)), make([]string, len(rows))
	for i, r := range rows {
		at[r.name], names[i] = i, r.name
	}
	models, err := db.listings(ctx, "m.name IN (SELECT value FROM {texts})", set(names))
	slices.SortFunc(models, func(a, b registry.Listing) int { return cmp.Compare(at[a.Name], at[b.Name]) })
	return models, next, err
}

// SearchVersions finds versions of models; see registry.Versions. Those of baselines are
// no versions of a model.
func (db *DB) SearchVersions(ctx context.Context, q registry.Query) ([]registry.Version, string, error) {
	const what = "the versions cannot be read"
	if err := bounds(q.Filter, q.Order); err != nil {
		return nil, "", err
	}
	l := listing[registry.Version]{
		asking: asking{dialect: db.dialect}, query: selectVersion, scan: scanVersion,
		asked: digest("versions", q.Filter, q.Order), token: q.Token, limit: q.Limit,
	}
	if q.Brief {
		l.query = selectBrief
	}
	l.where = append(l.where, "EXISTS (SELECT 1 FROM models m WHERE m.name = v.model)")
	for _, c := range q.Filter {
		l.where = append(l.where, l.version(c))
	}
	order := q.Order
	if len(order) == 0 {
		order = []search.Order{{Key: "last_updated_timestamp", Desc: true}}
	}
	for _, o := range append(slices.Clip(order), search.Order{Key: "name"}, search.Order{Key: "version_number", Desc: true}) {
		k := sortKey{value: versionColumn(o.Key), desc: o.Desc, kind: wholeKind}
		if o.Key == "name" {
			k.kind = textKind
		}
		l.keys = append(l.keys, k)
	}
	l.at = func(v registry.Version) []spot {
		place := make([]spot, len(l.keys))
		for i, k := range l.keys {
			place[i] = map[string]spot{
				"v.model": {Text: v.Model}, "v.version": {Whole: int64(v.Version)},
				"v.updated_at": {Whole: v.UpdatedAt.UnixMicro()}, "v.created_at": {Whole: v.CreatedAt.UnixMicro()},
			}[k.value]
		}
		return place
	}
	return l.page(ctx, db, what)
}

func versionColumn(attribute string) string {
	switch attribute {
	case "name":
		return "v.model"
	case "last_updated_timestamp":
		return "v.updated_at"
	case "creation_timestamp":
		return "v.created_at"
	case "run_id":
		return "v.run_id"
	case "source_path":
		return "v.source"
	}
	return "v.version"
}

func (a *asking) version(c search.Comparison) string {
	switch {
	case c.Entity != search.Attribute:
		return a.labelled("version_tags", "l.model = v.model AND l.version = v.version", c)
	case c.IsNum:
		return a.whole(versionColumn(c.Key), c)
	}
	return a.text(versionColumn(c.Key), c)
}
