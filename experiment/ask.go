// SPDX-License-Identifier: Apache-2.0

package experiment

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"flyball/fault"
	"flyball/ident"
	"flyball/search"
)

// Ask is a search as a client words it.
type Ask struct {
	Experiments []ident.ExperimentID // of runs; none: nothing is found
	Filter      string
	Order       []string // order_by clauses
	View        View     // 0: ActiveOnly
	Page
}

// The longest pages.
const (
	MaxSearch  = 50_000
	MaxHistory = 25_000  // points of several runs in one answer
	MaxSample  = 2500    // points of each run
	maxRuns    = 100     // whose points are asked for at once
	maxShown   = 20      // experiments whose datasets are asked for at once
	maxSeen    = 1000    // datasets in one answer
	maxFilter  = 1 << 20 // bytes
)

func notPositive(n int) error {
	return fault.New(fault.Invalid, "Invalid value %d for parameter 'max_results' supplied. It must be a positive integer", n)
}

func checkFilter(filter string) error {
	if len(filter) > maxFilter {
		return fault.New(fault.Invalid, "The filter has %d bytes, and %d are the most", len(filter), maxFilter)
	}
	return nil
}

// SearchExperiments finds experiments; next is empty on the last page.
func (t *Tracker) SearchExperiments(ctx context.Context, a Ask) (found []Experiment, next string, err error) {
	if a.Limit <= 0 {
		return nil, "", notPositive(a.Limit)
	}
	if a.Limit > MaxSearch {
		return nil, "", fault.New(fault.Invalid, "Invalid value %d for parameter 'max_results' supplied. It must be at most %d", a.Limit, MaxSearch)
	}
	if err := checkFilter(a.Filter); err != nil {
		return nil, "", err
	}
	q := Query{View: a.View, Page: a.Page}
	if q.Filter, err = search.Experiments(a.Filter); err != nil {
		return nil, "", err
	}
	if q.Order, err = search.ExperimentsOrder(a.Order); err != nil {
		return nil, "", err
	}
	return t.Experiments.SearchExperiments(ctx, q)
}

// SearchRuns finds runs with everything; next is empty on the last page.
func (t *Tracker) SearchRuns(ctx context.Context, a Ask) (found []Run, next string, err error) {
	if a.Limit <= 0 {
		return nil, "", notPositive(a.Limit)
	}
	if a.Limit > MaxSearch {
		return nil, "", fault.New(fault.Invalid, "Invalid value %d for parameter 'max_results' supplied:  Hint: Value was of type 'int'. See the API docs for more information about request parameters.", a.Limit)
	}
	if err := checkFilter(a.Filter); err != nil {
		return nil, "", err
	}
	q := Query{Experiments: a.Experiments, View: a.View, Page: a.Page}
	if q.Filter, err = search.Runs(a.Filter); err != nil {
		return nil, "", err
	}
	if q.Order, err = search.RunsOrder(a.Order); err != nil {
		return nil, "", err
	}
	if len(a.Experiments) == 0 {
		return nil, "", nil
	}
	return t.Runs.SearchRuns(ctx, q)
}

// History is a page of a metric's points.
func (t *Tracker) History(ctx context.Context, id ident.RunID, key string, p Page) (points []Metric, next string, err error) {
	if p.Limit <= 0 {
		return nil, "", fault.New(fault.Invalid, "Invalid value %d for parameter 'max_results' supplied. It must be a positive integer.", p.Limit)
	}
	p.Limit = min(p.Limit, MaxSearch)
	return t.Runs.History(ctx, id, key, p)
}

// Points yields all points of a metric.
func (t *Tracker) Points(ctx context.Context, id ident.RunID, key string) iter.Seq2[Metric, error] {
	return t.Runs.Points(ctx, id, key)
}

// Curves are the points of one metric of several runs.
type Curves struct {
	Runs  []ident.RunID
	Key   string
	Steps *[2]int64 // first and last that are wanted; nil: all
	Limit int       // points: of each run in Sample, of all together in HistoryBulk
}

// Sample is what a chart shows: of each run at most Limit points, spread evenly over
// its points by step, always with the last.
func (t *Tracker) Sample(ctx context.Context, c Curves) ([]Metric, error) {
	switch {
	case len(c.Runs) == 0:
		return nil, missing("run_ids")
	case len(c.Runs) > maxRuns:
		return nil, fault.New(fault.Invalid, "GetMetricHistoryBulkInterval request must specify at most %d run_ids. Received %d run_ids.", maxRuns, len(c.Runs))
	case c.Key == "":
		return nil, missing("metric_key")
	}
	if c.Limit < 1 || c.Limit > MaxSample {
		return nil, fault.New(fault.Invalid, "max_results must be between 1 and %d.", MaxSample)
	}
	if c.Steps != nil && c.Steps[0] > c.Steps[1] {
		return nil, fault.New(fault.Invalid, "end_step must be greater than start_step. Found start_step=%d and end_step=%d.", c.Steps[0], c.Steps[1])
	}
	return t.curves(c.Runs, func(id ident.RunID, _ int) ([]Metric, error) {
		return t.Runs.Sample(ctx, id, c.Key, c.Steps, c.Limit)
	})
}

// HistoryBulk is the first points of each run by time, run after run by their ids, up
// to Limit together.
func (t *Tracker) HistoryBulk(ctx context.Context, c Curves) ([]Metric, error) {
	switch {
	case len(c.Runs) == 0:
		return nil, fault.New(fault.Invalid, "GetMetricHistoryBulk request must specify at least one run_id.")
	case len(c.Runs) > maxRuns:
		return nil, fault.New(fault.Invalid, "GetMetricHistoryBulk request cannot specify more than %d run_ids. Received %d run_ids.", maxRuns, len(c.Runs))
	case c.Key == "":
		return nil, fault.New(fault.Invalid, "GetMetricHistoryBulk request must specify a metric_key.")
	case c.Limit <= 0:
		return nil, notPositive(c.Limit)
	}
	return t.curves(slices.Sorted(slices.Values(c.Runs)), func(id ident.RunID, have int) ([]Metric, error) {
		left := min(c.Limit, MaxHistory) - have
		if left <= 0 {
			return nil, nil
		}
		points, _, err := t.Runs.History(ctx, id, c.Key, Page{Limit: left})
		return points, err
	})
}

// curves puts the points of runs one after the other, each with its run.
func (t *Tracker) curves(ids []ident.RunID, of func(id ident.RunID, have int) ([]Metric, error)) ([]Metric, error) {
	var out []Metric
	for _, id := range ids {
		points, err := of(id, len(out))
		if err != nil {
			return nil, fmt.Errorf("the metric of run %s: %w", id, err)
		}
		for i := range points {
			points[i].RunID = id
		}
		out = append(out, points...)
	}
	return out, nil
}

// SearchDatasets are the datasets that runs of experiments read.
func (t *Tracker) SearchDatasets(ctx context.Context, ids []ident.ExperimentID) ([]DatasetSummary, error) {
	if len(ids) == 0 {
		return nil, fault.New(fault.Invalid, "SearchDatasets request must specify at least one experiment_id.")
	}
	if len(ids) > maxShown {
		return nil, fault.New(fault.Invalid, "SearchDatasets request cannot specify more than %d experiment_ids. Received %d experiment_ids.", maxShown, len(ids))
	}
	return t.Runs.SearchDatasets(ctx, ids, maxSeen)
}
