// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"context"
	"testing"

	"flyball/experiment"
	"flyball/ident"
	"flyball/search"
	"flyball/store"
	"flyball/store/storetest"
)

// largeDB is open on the database of storetest.ManyRuns.
func largeDB(b *testing.B) *store.DB {
	b.Helper()
	db, err := store.Open(context.Background(), storetest.ManyRuns(b))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	return db
}

// searches are the shapes of queries that are measured; a page has 100 runs unless it
// says otherwise.
var searches = []struct {
	name, filter string
	order        []string
	limit        int
	ids          []ident.ExperimentID
	page         int // which page
	view         experiment.View
}{
	{name: "the newest runs"},
	{name: "the newest 1000 runs", limit: 1000},
	{name: "the oldest runs", order: []string{"start_time ASC"}},
	{name: "a metric that half of the runs satisfy", filter: "metrics.m0 > 0.5"},
	{name: "a metric that 100 runs satisfy", filter: "metrics.m0 > 0.999"},
	{name: "a metric that no run satisfies", filter: "metrics.m0 > 2"},
	{name: "the greatest of a metric", order: []string{"metrics.m0 DESC"}},
	{name: "page 50 of a metric", order: []string{"metrics.m5"}, page: 50},
	{name: "the greatest of a metric among a fifth", filter: "params.p0 = 'model1'", order: []string{"metrics.m6 DESC"}},
	{name: "a metric with 50 values", order: []string{"metrics.m2 DESC"}},
	{name: "a metric that few runs have", order: []string{"metrics.m3 DESC"}},
	{name: "a param with 5 values", order: []string{"params.p0"}},
	{name: "a param of its own", order: []string{"params.p1 DESC"}},
	{name: "one value of a param", filter: "params.p1 = '0.500005000'"},
	{name: "a param like this", filter: "params.p1 LIKE '0.12%'", order: []string{"metrics.m0"}},
	{name: "a param that none is like", filter: "params.p5 LIKE '%nothing%'"},
	{name: "a param that is not this", filter: "params.p0 != 'model1'", order: []string{"metrics.m7"}},
	{name: "three tests that 1 in 100 passes", filter: "params.p0 = 'model1' AND metrics.m6 > 0.6 AND tags.team = 'team3'", order: []string{"metrics.m8 DESC"}},
	{name: "a metric, then the time", order: []string{"metrics.m0 DESC", "start_time DESC"}},
	{name: "two tests that exclude each other", filter: "metrics.m0 > 0.5 AND metrics.m1 > 0.51"},
	{name: "two tests of a tenth that exclude each other", filter: "metrics.m0 > 0.9 AND metrics.m1 > 0.9"},
	{name: "the runs that failed", filter: "status = 'FAILED'"},
	{name: "the runs that run", filter: "status = 'RUNNING'"},
	{name: "a name", filter: "run_name = 'run-77'"},
	{name: "the runs without a metric that few have", filter: "params.p2 IS NULL"},
	{name: "the runs of a week ago", filter: "start_time > 1700050000000 AND start_time < 1700050500000", order: []string{"metrics.m0"}},
	{name: "the deleted runs", view: experiment.DeletedOnly, order: []string{"metrics.m0"}},
	{name: "three experiments", ids: []ident.ExperimentID{1, 2, 3}},
	{name: "a metric of three experiments", ids: []ident.ExperimentID{1, 2, 3}, order: []string{"metrics.m0 DESC"}},
	{name: "the last to end", order: []string{"end_time DESC"}},
	{name: "by name", order: []string{"run_name"}},
}

func BenchmarkSearchRuns(b *testing.B) {
	db := largeDB(b)
	for _, s := range searches {
		b.Run(s.name, func(b *testing.B) {
			f, err := search.Runs(s.filter)
			if err != nil {
				b.Fatal(err)
			}
			o, err := search.RunsOrder(s.order)
			if err != nil {
				b.Fatal(err)
			}
			q := experiment.Query{Experiments: s.ids, Filter: f, Order: o, View: s.view, Page: experiment.Page{Limit: max(s.limit, 100)}}
			if s.ids == nil {
				q.Experiments = []ident.ExperimentID{1}
			}
			for range s.page {
				if _, q.Token, err = db.SearchRuns(context.Background(), q); err != nil {
					b.Fatal(err)
				}
			}
			found := 0
			cost(b, func(int) error {
				runs, _, err := db.SearchRuns(context.Background(), q)
				found = len(runs)
				return err
			})
			b.ReportMetric(float64(found), "runs")
		})
	}
}
