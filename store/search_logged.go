// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"flyball/experiment"
	"flyball/search"
)

// loggedHit is a logged model that was found, with its values of the keys.
type loggedHit struct {
	loggedRow
	at []spot
}

// SearchLoggedModels finds logged models; see experiment.LoggedModels. A comparison of
// a metric holds when one of its points satisfies it, whatever its step, run or
// dataset; an order by a metric takes the latest.
func (db *DB) SearchLoggedModels(ctx context.Context, q experiment.Query) ([]experiment.LoggedModel, string, error) {
	const what = "the logged models cannot be read"
	if len(q.Experiments) == 0 {
		return nil, "", nil
	}
	if err := bounds(q.Filter, q.Order); err != nil {
		return nil, "", err
	}
	ids := make([]int64, len(q.Experiments))
	for i, id := range q.Experiments {
		ids[i] = int64(id)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	names := map[string]int64{}
	for _, c := range q.Filter {
		if c.Entity == search.Metric {
			names[clean(c.Key)] = 0
		}
	}
	for _, o := range q.Order {
		if o.Entity == search.Metric {
			names[clean(o.Key)] = 0
		}
	}
	if err := db.numbers(ctx, names); err != nil {
		return nil, "", problem(err, what)
	}
	l := listing[loggedHit]{
		asking: asking{dialect: db.dialect}, at: func(h loggedHit) []spot { return h.at },
		asked: digest("logged", ids, q.Filter, q.View, orderText(q.Order), datasetText(q.Datasets)), token: q.Token, limit: q.Limit,
	}
	l.where = append(l.where, l.among("m.experiment", ids)+lives("m", q.View))
	measured := false
	for _, c := range q.Filter {
		l.where = append(l.where, l.logged(c, names, q.Datasets))
		measured = measured || c.Entity == search.Metric
	}
	if len(q.Datasets) > 0 && !measured {
		l.where = append(l.where, "(SELECT 1 FROM logged_model_metrics p WHERE p.model = m.model_id"+l.onDatasets(q.Datasets)+" LIMIT 1) = 1")
	}
	columns := []string{loggedColumns}
	for _, o := range append(slices.Clip(q.Order), search.Order{Key: "creation_timestamp", Desc: true}, search.Order{Key: "model_id"}) {
		k := l.loggedKey(o, names)
		columns = append(columns, k.columns())
		l.keys = append(l.keys, k)
	}
	l.query = "SELECT " + strings.Join(columns, ", ") + " FROM logged_models m"
	l.scan = func(row scanner) (h loggedHit, err error) {
		h.at = make([]spot, len(l.keys))
		h.loggedRow, err = scanLogged(reading{row, into(h.at, l.keys)})
		return h, err
	}
	hits, next, err := l.page(ctx, db, what)
	if err != nil {
		return nil, "", err
	}
	out, seqs := make([]experiment.LoggedModel, len(hits)), make([]int64, len(hits))
	for i, h := range hits {
		out[i], seqs[i] = h.LoggedModel, h.seq
	}
	return out, next, db.fillLogged(ctx, out, seqs)
}

// orderText and datasetText are what a digest tells apart.
func orderText(order []search.Order) (s string) {
	for _, o := range order {
		s += o.String() + "\x00" + o.DatasetName + "\x00" + o.DatasetDigest + "\x00"
	}
	return s
}

func datasetText(datasets []experiment.Dataset) (s string) {
	for _, d := range datasets {
		s += d.Name + "\x00" + d.Digest + "\x00"
	}
	return s
}

// onDatasets limits points p to those on one of the datasets.
func (a *asking) onDatasets(datasets []experiment.Dataset) string {
	if len(datasets) == 0 {
		return ""
	}
	those := make([]string, len(datasets))
	for i, d := range datasets {
		those[i] = "p.dataset_name = " + a.arg(clean(d.Name))
		if d.Digest != "" {
			those[i] += " AND p.dataset_digest = " + a.arg(clean(d.Digest))
		}
	}
	return " AND (" + strings.Join(those, " OR ") + ")"
}

func (a *asking) logged(c search.Comparison, names map[string]int64, datasets []experiment.Dataset) string {
	switch c.Entity {
	case search.Metric:
		compare := a.number("p.value", c)
		if c.Op == search.NotEqual {
			compare = "(p.nan = 1 OR " + compare + ")"
		} else {
			compare += " AND p.nan = 0"
		}
		return "(SELECT 1 FROM logged_model_metrics p WHERE p.model = m.model_id AND p.key = " + a.arg(names[clean(c.Key)]) +
			" AND " + compare + a.onDatasets(datasets) + " LIMIT 1) = 1"
	case search.Param:
		return a.labelled("logged_model_params", "l.model = m.seq", c)
	case search.Tag:
		return a.labelled("logged_model_tags", "l.model = m.seq", c)
	}
	switch c.Key {
	case "experiment_id":
		if c.Op != search.Like && c.Op != search.ILike {
			return a.ids("m.experiment", c)
		}
		return a.text("CAST(m.experiment AS TEXT)", c)
	case "status":
		return inWords("m.status", c, modelStatuses)
	case "creation_timestamp":
		return a.whole("m.created", c)
	case "last_updated_timestamp":
		return a.whole("m.updated", c)
	}
	return a.text(loggedColumn(c.Key), c)
}

// modelStatuses are the words for the states of a logged model, by number.
func modelStatuses() []string { return []string{"", "PENDING", "READY", "UPLOAD_FAILED"} }

// loggedColumn is an attribute that is a text; an empty type or run is none.
func loggedColumn(attribute string) string {
	switch attribute {
	case "name":
		return "m.name"
	case "model_type":
		return "NULLIF(m.type, '')"
	case "source_run_id":
		return "NULLIF(m.source_run, '')"
	}
	return "m.model_id"
}

func (a *asking) loggedKey(o search.Order, names map[string]int64) sortKey {
	if o.Entity == search.Metric {
		where := " FROM logged_model_metrics p WHERE p.model = m.model_id AND p.key = " + a.arg(names[clean(o.Key)])
		if o.DatasetName != "" {
			where += a.onDatasets([]experiment.Dataset{{Name: o.DatasetName, Digest: o.DatasetDigest}})
		}
		where += " ORDER BY p.at DESC, p.step DESC, p.run, p.nan, p.value DESC LIMIT 1)"
		return sortKey{class: "COALESCE((SELECT p.nan" + where + ", 2)", value: "(SELECT p.value" + where, desc: o.Desc, kind: numberKind}
	}
	k := sortKey{desc: o.Desc, kind: wholeKind}
	switch o.Key {
	case "experiment_id":
		k.value = "m.experiment"
	case "status":
		k.value = "m.status"
	case "creation_timestamp":
		k.value = "m.created"
	case "last_updated_timestamp":
		k.value = "m.updated"
	default:
		k.value, k.kind = loggedColumn(o.Key), textKind
		if o.Key == "model_type" || o.Key == "source_run_id" {
			k.class = "CASE WHEN " + k.value + " IS NULL THEN 2 ELSE 0 END"
		}
	}
	return k
}

func parseID(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }
