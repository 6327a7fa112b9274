// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"flyball/experiment"
	"flyball/fault"
	"flyball/ident"
	"flyball/model/registry"
	"flyball/search"
	"flyball/store"
)

// asks is what a test asks for, and the names of what is to be found, in order.
type asks struct {
	filter, order, want string
}

// told asks in pages of every size, which must all tell the same.
func told(t *testing.T, a asks, ask func(limit int, token string) (names []string, next string, err error)) {
	t.Helper()
	for limit := 1; limit <= 6; limit++ {
		var all []string
		token := ""
		for {
			names, next, err := ask(limit, token)
			if err != nil {
				t.Errorf("%q order %q: %v", a.filter, a.order, err)
				return
			}
			all = append(all, names...)
			if next == "" {
				break
			}
			if len(names) != limit || len(all) > 100 {
				t.Errorf("%q order %q: pages of %d do not end", a.filter, a.order, limit)
				return
			}
			token = next
		}
		if got := strings.Join(all, " "); got != a.want {
			t.Errorf("%q order %q in pages of %d: got %q, want %q", a.filter, a.order, limit, got, a.want)
		}
	}
}

func namesOf[T any](all []T, name func(T) string) []string {
	out := make([]string, len(all))
	for i, v := range all {
		out[i] = name(v)
	}
	return out
}

// clauses are those of an order.
func clauses(order string) []string {
	if order == "" {
		return nil
	}
	return strings.Split(order, ", ")
}

// SearchExperiments asks for experiments in many ways.
func SearchExperiments(t *testing.T, open Open) {
	db, _ := open(t)
	for i, e := range []experiment.Experiment{
		{Name: "iris", Created: 10, Updated: 50, Tags: []experiment.Tag{{Key: "team", Value: "red"}, {Key: "note", Value: "it's"}}},
		{Name: "Iris", Created: 20, Updated: 40, Tags: []experiment.Tag{{Key: "team", Value: "Red"}}},
		{Name: "wine", Created: 20, Updated: 60, Tags: []experiment.Tag{{Key: "note", Value: ""}}},
		{Name: "w_ne", Created: 30, Updated: 30},
		{Name: "gone", Created: 5, Updated: 5, Tags: []experiment.Tag{{Key: "team", Value: "red"}}},
	} {
		e.ID = ident.ExperimentID(i + 1)
		must(db.CreateExperiment(t.Context(), e))(t)
	}
	check(t, db.SetExperimentDeleted(t.Context(), 5, true, 70))
	check(t, db.SetExperimentDeleted(t.Context(), 0, true, 70)) // Default, which is as old as the database
	for _, a := range []asks{
		{"", "", "w_ne Iris wine iris"},
		{"", "name", "Iris iris w_ne wine"},
		{"", "creation_time", "iris wine Iris w_ne"},
		{"", "last_update_time DESC", "wine iris Iris w_ne"},
		{"", "experiment_id ASC", "iris Iris wine w_ne"},
		{"", "creation_time DESC, name DESC", "w_ne wine Iris iris"},
		{"name = 'iris'", "", "iris"},
		{"name != 'iris'", "name", "Iris w_ne wine"},
		{"name LIKE 'I%'", "", "Iris"},
		{"name ILIKE 'I%'", "", "Iris iris"},
		{"name LIKE 'w_ne'", "", "w_ne wine"},
		{"experiment_id = '02'", "", "Iris"},
		{"experiment_id != '2'", "name", "iris w_ne wine"},
		{"experiment_id IN ('1', '4', '99')", "", "w_ne iris"},
		{"experiment_id NOT IN ('1', '4')", "", "Iris wine"},
		{"creation_time > 10 AND last_update_time <= 40", "", "w_ne Iris"},
		{"tags.team = 'red'", "", "iris"},
		{"tags.team != 'red'", "", "Iris"},
		{"tags.team ILIKE 'RED'", "", "Iris iris"},
		{"tags.team IS NULL", "", "w_ne wine"},
		{"tags.note IS NOT NULL AND tags.note != 'x'", "", "wine iris"},
		{"tags.note = 'it''s'", "", "iris"},
		{"tags.none = 'x'", "", ""},
	} {
		f, err := search.Experiments(a.filter)
		check(t, err)
		o, err := search.ExperimentsOrder(clauses(a.order))
		check(t, err)
		told(t, a, func(limit int, token string) ([]string, string, error) {
			found, next, err := db.SearchExperiments(t.Context(), experiment.Query{Filter: f, Order: o, Page: experiment.Page{Limit: limit, Token: token}})
			return namesOf(found, func(e experiment.Experiment) string { return e.Name }), next, err
		})
	}
	found, _, err := db.SearchExperiments(t.Context(), experiment.Query{View: experiment.DeletedOnly, Order: []search.Order{{Key: "experiment_id", Desc: true}}, Page: experiment.Page{Limit: 9}})
	check(t, err)
	equal(t, "the deleted ones", namesOf(found, func(e experiment.Experiment) string { return e.Name }), []string{"gone", "Default"})
	equal(t, "its tags", found[0].Tags, []experiment.Tag{{Key: "team", Value: "red"}})
}

// SearchLoggedModels asks for logged models in many ways.
func SearchLoggedModels(t *testing.T, open Open) {
	db, _ := open(t)
	e := must(db.CreateExperiment(t.Context(), experiment.Experiment{Name: "e"}))(t)
	point := func(key string, v float64, at, step int64, dataset string) experiment.Metric {
		m := experiment.Metric{Key: key, Value: v, Timestamp: at, Step: step}
		m.DatasetName, m.DatasetDigest, _ = strings.Cut(dataset, "@")
		return m
	}
	nan := math.NaN()
	for i, m := range []struct {
		experiment.LoggedModel
		metrics []experiment.Metric
	}{
		{experiment.LoggedModel{Name: "a", Type: "tree", Status: experiment.ModelReady, SourceRun: "r1", Created: 10, Updated: 90, Params: []experiment.Param{{Key: "lr", Value: "0.1"}}}, []experiment.Metric{point("acc", 0.5, 1, 1, "iris@1"), point("acc", 0.9, 2, 2, "wine@1")}},
		{experiment.LoggedModel{Name: "b", Status: experiment.ModelPending, Created: 20, Updated: 80, Params: []experiment.Param{{Key: "lr", Value: "0.2"}}, Tags: []experiment.Tag{{Key: "t", Value: "x"}}}, []experiment.Metric{point("acc", 0.7, 1, 1, "iris@2")}},
		{experiment.LoggedModel{Name: "c", Type: "net", Status: experiment.ModelUploadFailed, Created: 20, Updated: 70}, []experiment.Metric{point("acc", nan, 1, 1, "")}},
		{experiment.LoggedModel{Name: "d", Type: "Tree", Status: experiment.ModelReady, SourceRun: "r2", Created: 30, Updated: 60, Tags: []experiment.Tag{{Key: "t", Value: "y"}}}, nil},
		{experiment.LoggedModel{Name: "gone", Created: 40}, nil},
	} {
		m.ID, m.Experiment = ident.ModelID("m-"+strconv.Itoa(i)), e.ID
		check(t, db.CreateLoggedModel(t.Context(), m.LoggedModel))
		r := experiment.Run{ID: ident.RunID("r" + strconv.Itoa(i)), Experiment: e.ID, Start: 1, Status: experiment.Running}
		for _, p := range m.metrics {
			p.ModelID = m.ID
			r.Metrics = append(r.Metrics, p)
		}
		check(t, db.CreateRun(t.Context(), r))
	}
	check(t, db.DeleteLoggedModel(t.Context(), "m-4", 50))
	for _, a := range []asks{
		{"", "", "d b c a"},
		{"", "name DESC", "d c b a"},
		{"", "creation_timestamp", "a b c d"},
		{"", "last_updated_timestamp", "d c b a"},
		{"", "model_type", "d c a b"},
		{"", "model_type DESC", "a c d b"},
		{"", "status", "b d a c"},
		{"", "source_run_id DESC", "d a b c"},
		{"", "metrics.acc", "b a c d"},
		{"", "metrics.acc DESC", "a b c d"},
		{"", "metrics.none DESC", "d b c a"},
		{"name = 'a'", "", "a"},
		{"name IN ('a', 'd') AND status = 'READY'", "", "d a"},
		{"status != 'LOGGED_MODEL_READY'", "", "b c"},
		{"status LIKE '%D%'", "", "d b c a"},
		{"model_type = 'tree'", "", "a"},
		{"model_type != 'tree'", "", "d c"},
		{"model_type ILIKE 'T%'", "", "d a"},
		{"source_run_id NOT IN ('r1')", "", "d"},
		{"experiment_id = '" + e.ID.String() + "' AND creation_time >= 20", "", "d b c"},
		{"experiment_id LIKE 'x%'", "", ""},
		{"model_id != 'm-1' AND last_updated_timestamp < 90", "", "d c"},
		{"metrics.acc > 0.6", "", "b a"},
		{"metrics.acc < 0.6", "", "a"},
		{"metrics.acc != 0.9", "", "b c a"},
		{"params.lr = 0.1", "", "a"},
		{"params.lr != '0.1'", "", "b"},
		{"tags.t LIKE '_' AND tags.t != 'x'", "", "d"},
		{"tags.t IS NULL", "", "c a"},
	} {
		f, err := search.LoggedModels(a.filter)
		check(t, err)
		var by []search.OrderBy
		for _, c := range clauses(a.order) {
			field, desc := strings.CutSuffix(c, " DESC")
			by = append(by, search.OrderBy{Field: field, Desc: desc})
		}
		askLogged(t, db, a, experiment.Query{Experiments: []ident.ExperimentID{e.ID}, Filter: f, Order: must(search.LoggedModelsOrder(by))(t)})
	}
	iris := []experiment.Dataset{{Name: "iris"}}
	acc := must(search.LoggedModels("metrics.acc > 0.6"))(t)
	askLogged(t, db, asks{"> 0.6 on iris", "", "b"}, experiment.Query{Experiments: []ident.ExperimentID{e.ID}, Filter: acc, Datasets: iris})
	askLogged(t, db, asks{"any on iris", "", "b a"}, experiment.Query{Experiments: []ident.ExperimentID{e.ID}, Datasets: iris})
	askLogged(t, db, asks{"any on iris@1 or wine", "", "a"}, experiment.Query{Experiments: []ident.ExperimentID{e.ID}, Datasets: []experiment.Dataset{{Name: "iris", Digest: "1"}, {Name: "wine"}}})
	onIris := []search.Order{{Entity: search.Metric, Key: "acc", DatasetName: "iris"}}
	askLogged(t, db, asks{"", "acc on iris", "a b d c"}, experiment.Query{Experiments: []ident.ExperimentID{e.ID}, Order: onIris})
}

func askLogged(t *testing.T, db *store.DB, a asks, q experiment.Query) {
	t.Helper()
	told(t, a, func(limit int, token string) ([]string, string, error) {
		q.Page = experiment.Page{Limit: limit, Token: token}
		found, next, err := db.SearchLoggedModels(t.Context(), q)
		return namesOf(found, func(m experiment.LoggedModel) string { return m.Name }), next, err
	})
}

// SearchRegistry asks for registered models and versions in many ways.
func SearchRegistry(t *testing.T, open Open) {
	db, _ := open(t)
	at := func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
	for i, m := range []registry.Model{
		{Name: "churn", Tags: []registry.Tag{{Key: "team", Value: "red"}}},
		{Name: "Churn"},
		{Name: "fraud", Tags: []registry.Tag{{Key: "team", Value: "blue"}}},
		{Name: "hello", Tags: []registry.Tag{{Key: registry.PromptTag, Value: "true"}}},
	} {
		m.CreatedAt, m.UpdatedAt = at(i), at(i)
		check(t, db.CreateModel(t.Context(), m))
	}
	for i, v := range []registry.Version{
		{Ref: ident.Ref{Model: "churn"}, Source: "s3://b/1", RunID: "r1", Tags: []registry.Tag{{Key: "ok", Value: "yes"}}},
		{Ref: ident.Ref{Model: "churn"}, Source: "s3://b/2", RunID: "r2"},
		{Ref: ident.Ref{Model: "fraud"}, Source: "gs://b/3", RunID: "R1", Tags: []registry.Tag{{Key: "ok", Value: "no"}}},
		{Ref: ident.Ref{Model: "hello"}, Source: "dummy-source", Tags: []registry.Tag{{Key: registry.PromptTag, Value: "true"}}},
	} {
		v.CreatedAt, v.UpdatedAt = at(10+i), at(10+i)
		must(db.RegisterVersion(t.Context(), v))(t)
	}
	check(t, db.DescribeVersion(t.Context(), ident.Ref{Model: "churn", Version: 1}, "good", at(30)))
	prompts := "tag.`mlflow.prompt.is_prompt` "
	for _, a := range []asks{
		{"", "", "Churn churn fraud hello"},
		{"", "name DESC", "hello fraud churn Churn"},
		{"", "timestamp", "Churn churn fraud hello"},
		{"", "creation_timestamp DESC", "hello fraud Churn churn"},
		{"name = 'churn'", "", "churn"},
		{"name ILIKE 'C%' AND name != 'churn'", "", "Churn"},
		{"name IN ('fraud', 'churn', 'x')", "", "churn fraud"},
		{"tags.team = 'red'", "", "churn"},
		{"tags.team != 'red'", "", "fraud"},
		{prompts + "!= 'true'", "", "Churn churn fraud"},
		{prompts + "= 'true'", "", "hello"},
	} {
		f, err := search.Models(a.filter)
		check(t, err)
		o := must(search.ModelsOrder(clauses(a.order)))(t)
		told(t, a, func(limit int, token string) ([]string, string, error) {
			found, next, err := db.SearchModels(t.Context(), registry.Query{Filter: f, Order: o, Limit: limit, Token: token})
			return namesOf(found, func(l registry.Listing) string { return l.Name }), next, err
		})
	}
	for _, a := range []asks{
		{"", "", "churn@1 hello@1 fraud@1 churn@2"},
		{"", "name, version_number", "churn@1 churn@2 fraud@1 hello@1"},
		{"", "creation_timestamp", "churn@1 churn@2 fraud@1 hello@1"},
		{"", "version_number DESC", "churn@2 churn@1 fraud@1 hello@1"},
		{"name = 'churn'", "version_number DESC", "churn@2 churn@1"},
		{"name IN ('fraud', 'hello')", "", "hello@1 fraud@1"},
		{"run_id = 'r1'", "", "churn@1"},
		{"run_id IN ('R1', 'r2')", "", "fraud@1 churn@2"},
		{"run_id NOT IN ('R1', 'r2', '')", "", "churn@1"},
		{"source_path LIKE 's3:%'", "", "churn@1 churn@2"},
		{"version_number > '1'", "", "churn@2"},
		{"tags.ok != 'no'", "", "churn@1"},
		{prompts + "!= 'true'", "name", "churn@2 churn@1 fraud@1"},
		{prompts + "= 'true'", "", "hello@1"},
	} {
		f, err := search.Versions(a.filter)
		check(t, err)
		o := must(search.VersionsOrder(clauses(a.order)))(t)
		told(t, a, func(limit int, token string) ([]string, string, error) {
			found, next, err := db.SearchVersions(t.Context(), registry.Query{Filter: f, Order: o, Limit: limit, Token: token})
			return namesOf(found, func(v registry.Version) string { return v.Ref.String() }), next, err
		})
	}
}

// SearchPages goes through pages while runs are added and changed, and with tokens
// that are none.
func SearchPages(t *testing.T, open Open) {
	db, _ := open(t)
	add := func(id string, start int64, acc float64) {
		t.Helper()
		check(t, db.CreateRun(t.Context(), experiment.Run{ID: ident.RunID(id), Start: start, Status: experiment.Running, Metrics: []experiment.Metric{{Key: "acc", Value: acc}}}))
	}
	for i := range int64(6) {
		add("r"+strconv.FormatInt(i, 10), i, float64(i%3))
	}
	q := experiment.Query{Experiments: []ident.ExperimentID{0}, Page: experiment.Page{Limit: 3}}
	ask := func(q experiment.Query) (string, string) {
		t.Helper()
		runs, next, err := db.SearchRuns(t.Context(), q)
		check(t, err)
		return strings.Join(namesOf(runs, func(r experiment.Run) string { return string(r.ID) }), " "), next
	}
	first, next := ask(q)
	equal(t, "the first page", first, "r5 r4 r3")
	add("newer", 100, 9)
	q.Token = next
	second, last := ask(q)
	equal(t, "the page after it", second, "r2 r1 r0")
	equal(t, "what follows a page that is just full", last, "")

	order := must(search.RunsOrder([]string{"metrics.acc DESC"}))(t)
	q = experiment.Query{Experiments: q.Experiments, Order: order, Page: experiment.Page{Limit: 2}}
	first, next = ask(q)
	equal(t, "the first page by a metric", first, "newer r5")
	check(t, db.Log(t.Context(), experiment.Batch{Run: "r5", Metrics: []experiment.Metric{{Key: "acc", Value: 0, Step: 1}}}, true))
	q.Token = next
	second, next = ask(q)
	equal(t, "the second page", second, "r2 r4")
	q.Limit, q.Token = 100, next
	rest, _ := ask(q)
	equal(t, "the rest, where a run has moved to", rest, "r1 r5 r3 r0")

	for token, want := range map[string]string{
		"!":                  "Invalid page token, could not base64-decode",
		"eyJvZmZzZXQiOiAwfQ": "Invalid page token, parsed value={\"offset\": 0}",
		next + "x":           "Invalid page token, could not base64-decode",
	} {
		q.Token = token
		_, _, err := db.SearchRuns(t.Context(), q)
		if !fault.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("token %q: got %v, want %s", token, err, want)
		}
	}
	q.Token, q.Order = next, nil
	if _, _, err := db.SearchRuns(t.Context(), q); !fault.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), "Invalid page token, parsed value={") {
		t.Errorf("the token of another query: got %v", err)
	}
}

// SearchMuch asks for more than there may be.
func SearchMuch(t *testing.T, open Open) {
	db, _ := open(t)
	check(t, db.CreateRun(t.Context(), experiment.Run{ID: "r", Status: experiment.Running, Params: []experiment.Param{{Key: "p", Value: "v"}}}))
	many := search.Filter{}
	for range 200 {
		many = append(many, search.Comparison{Entity: search.Param, Key: "p", Op: search.NotEqual, Text: "\x00\xff"})
	}
	var orders []search.Order
	for i := range 20 {
		orders = append(orders, search.Order{Entity: search.Tag, Key: strconv.Itoa(i)})
	}
	long := strings.Repeat("%a_", 2000)
	q := experiment.Query{Experiments: []ident.ExperimentID{0}, Filter: append(many[:199:199], search.Comparison{Entity: search.Param, Key: "p", Op: search.Like, Text: long}), Order: orders, Page: experiment.Page{Limit: 1}}
	found, _, err := db.SearchRuns(t.Context(), q)
	check(t, err)
	equal(t, "runs whose param is like a long pattern", len(found), 0)
	for name, much := range map[string]experiment.Query{
		"comparisons": {Filter: append(slices.Clone(many), many[0])},
		"keys":        {Order: append(slices.Clone(orders), search.Order{Key: "start_time"})},
		"a pattern":   {Filter: search.Filter{{Entity: search.Param, Key: "p", Op: search.ILike, Text: long + long}}},
	} {
		much.Experiments, much.Limit = q.Experiments, 1
		if _, _, err := db.SearchRuns(t.Context(), much); !fault.Is(err, fault.Invalid) {
			t.Errorf("too much of %s: got %v", name, err)
		}
	}
}
