// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"flyball/api/wire"
)

// RunsAsked is a search of runs. Its zero value is the newest runs of all experiments.
type RunsAsked struct {
	Experiment string   // name, id, or that of a model
	Filter     string   // in MLflow's language
	OrderBy    []string // MLflow's clauses
	Columns    string   // as in metrics.auc,params.depth
	Metric     string   // of the distances
	Against    string   // baseline, live, constant, a reference, or none
	MaxResults int      // 0: 100
	PageToken  string
}

func (a RunsAsked) query() string {
	q := url.Values{}
	for key, v := range map[string]string{
		"experiment": a.Experiment, "filter": a.Filter, "columns": a.Columns, "metric": a.Metric, "against": a.Against, "page_token": a.PageToken,
	} {
		if v != "" {
			q.Set(key, v)
		}
	}
	q["order_by"] = a.OrderBy
	if a.MaxResults > 0 {
		q.Set("max_results", fmt.Sprint(a.MaxResults))
	}
	return q.Encode()
}

// Runs is a page of runs.
func (c *Client) Runs(ctx context.Context, a RunsAsked) (out wire.Runs, err error) {
	return out, c.do(ctx, http.MethodGet, "/v1/runs?"+a.query(), nil, &out)
}

// ParallelRuns is runs as lines over the settings that vary and a metric.
func (c *Client) ParallelRuns(ctx context.Context, a RunsAsked) (out wire.Parallel, err error) {
	return out, c.do(ctx, http.MethodGet, "/v1/runs/parallel?"+a.query(), nil, &out)
}

// Run is one run with everything, by its id, the beginning of one, or a version.
func (c *Client) Run(ctx context.Context, ref string) (out wire.Run, err error) {
	return out, c.do(ctx, http.MethodGet, "/v1/runs/"+url.PathEscape(ref), nil, &out)
}

// RunMetric is at most n points of a run's metric.
func (c *Client) RunMetric(ctx context.Context, ref, key string, n int) (out []wire.Point, err error) {
	return out, c.do(ctx, http.MethodGet, fmt.Sprintf("/v1/runs/%s/metrics/%s?points=%d", url.PathEscape(ref), url.PathEscape(key), n), nil, &out)
}

// Compare says whether runs or versions are better than another. The first reference
// is what the others are compared with, unless against says another; model is that of
// @live, and metric the one that decides; all three may be empty.
func (c *Client) Compare(ctx context.Context, refs []string, against, model, metric string) (out wire.Comparison, err error) {
	q := url.Values{"ref": refs}
	for key, v := range map[string]string{"against": against, "model": model, "metric": metric} {
		if v != "" {
			q.Set(key, v)
		}
	}
	return out, c.do(ctx, http.MethodGet, "/v1/compare?"+q.Encode(), nil, &out)
}
