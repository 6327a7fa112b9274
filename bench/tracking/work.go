// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// object is what JSON calls so.
type object = map[string]any

// result is what an operation cost.
type result struct {
	n      int64         // requests
	cpu    time.Duration // of the server and its database
	own    time.Duration // of the server alone
	wall   time.Duration
	failed int64
}

// rate is requests a second of a core.
func (r result) rate() float64 { return float64(r.n) / r.cpu.Seconds() }

// ownRate is the same without what the database used.
func (r result) ownRate() float64 { return float64(r.n) / r.own.Seconds() }

// latency is how long one request took, asked by so many clients at once.
func (r result) latency(clients int) time.Duration {
	return r.wall * time.Duration(clients) / time.Duration(max(1, r.n))
}

// operation is one kind of request. ask does the i-th of a client.
type operation struct {
	name    string
	clients int // 0: all
	ask     func(ctx context.Context, t *target, client, i int) error
}

// bench is what the operations need to know of what was made for them.
type bench struct {
	experiment string
	runs       []string // one a client
	searched   string   // the experiment that is searched
	long       string   // the run with the long history
	points     int
}

func (b *bench) operations() []operation {
	return []operation{
		{name: "create a run", ask: func(ctx context.Context, t *target, client, i int) error {
			return t.post(ctx, "runs/create", object{"experiment_id": b.experiment, "start_time": now(), "tags": []object{{"key": "mlflow.user", "value": "bench"}}}, nil)
		}},
		{name: "log a metric", ask: func(ctx context.Context, t *target, client, i int) error {
			return t.post(ctx, "runs/log-metric", object{"run_id": b.runs[client], "key": "loss", "value": 1 / float64(i+1), "timestamp": now(), "step": i}, nil)
		}},
		{name: "log a batch of 10 metrics", ask: func(ctx context.Context, t *target, client, i int) error { return b.batch(ctx, t, client, i, 10) }},
		{name: "log a batch of 1,000 metrics", ask: func(ctx context.Context, t *target, client, i int) error { return b.batch(ctx, t, client, i, 1000) }},
		{name: "get a run", ask: func(ctx context.Context, t *target, client, i int) error {
			return t.get(ctx, "runs/get", url.Values{"run_id": {b.runs[client]}}, nil)
		}},
		{name: "search, filtered and ordered by a metric", ask: b.search},
		{name: "search, one client", clients: 1, ask: b.search},
		{name: "read the whole long history", clients: 1, ask: b.history},
		{name: "the long history for a chart", clients: 1, ask: func(ctx context.Context, t *target, client, i int) error {
			return t.get(ctx, "metrics/get-history-bulk-interval", url.Values{"run_ids": {b.long}, "metric_key": {"loss"}, "max_results": {"1000"}}, nil)
		}},
	}
}

// batch logs n metrics of one step: ten under names of their own, a thousand as a
// hundred steps of ten.
func (b *bench) batch(ctx context.Context, t *target, client, i, n int) error {
	points := make([]object, n)
	for k := range points {
		points[k] = object{"key": fmt.Sprintf("batch%d.%d", n, k%10), "value": float64(i*n+k) / 7, "timestamp": now(), "step": i*n/10 + k/10}
	}
	return t.post(ctx, "runs/log-batch", object{"run_id": b.runs[client], "metrics": points}, nil)
}

// search asks for the best of a tenth of the runs, each time another.
func (b *bench) search(ctx context.Context, t *target, client, i int) error {
	var out struct {
		Runs []json.RawMessage `json:"runs"`
	}
	n := client*7 + i
	err := t.post(ctx, "runs/search", object{
		"experiment_ids": []string{b.searched}, "max_results": 100, "order_by": []string{"metrics.m5 DESC"},
		"filter": fmt.Sprintf("metrics.m3 > 0.%d AND params.p2 = 'v%d'", 500+n%97, n%10),
	}, &out)
	if err == nil && len(out.Runs) == 0 {
		err = fmt.Errorf("the search found nothing")
	}
	return err
}

// history reads all points in pages of 25,000, as MLflow's client does.
func (b *bench) history(ctx context.Context, t *target, _, _ int) error {
	token, got := "", 0
	for {
		q := url.Values{"run_id": {b.long}, "metric_key": {"loss"}, "max_results": {"25000"}}
		if token != "" {
			q.Set("page_token", token)
		}
		var page struct {
			Metrics []struct{} `json:"metrics"`
			Next    string     `json:"next_page_token"`
		}
		if err := t.get(ctx, "metrics/get-history", q, &page); err != nil {
			return err
		}
		got += len(page.Metrics)
		if token = page.Next; token == "" {
			break
		}
	}
	if got != b.points {
		return fmt.Errorf("the history has %d points, not %d", got, b.points)
	}
	return nil
}

// measure makes what is needed and repeats each operation.
func measure(ctx context.Context, s settings, t *target) (map[string]result, error) {
	b, err := prepare(ctx, s, t)
	if err != nil {
		return nil, err
	}
	out := map[string]result{}
	for _, op := range b.operations() {
		if !strings.Contains(op.name, s.only) {
			continue
		}
		clients := s.clients
		if op.clients > 0 {
			clients = op.clients
		}
		r, err := repeat(ctx, t, op, clients, s.each)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", op.name, err)
		}
		out[op.name] = r
		progress("%s on %s: %s: %d requests in %.1f s, %.2f core-seconds, %d failed", t.name, t.engine, op.name, r.n, r.wall.Seconds(), r.cpu.Seconds(), r.failed)
	}
	return out, nil
}

// repeat has clients ask for the time; each asks at least once. A request that fails
// counts as failed; if none succeeds, its error is returned.
func repeat(ctx context.Context, t *target, op operation, clients int, each time.Duration) (result, error) {
	var n, failed atomic.Int64
	var last atomic.Pointer[error]
	var all sync.WaitGroup
	before, own, began := t.processor(), t.own(), time.Now()
	for c := range clients {
		all.Go(func() {
			for i := 0; (i == 0 || time.Since(began) < each) && ctx.Err() == nil; i++ {
				if err := op.ask(ctx, t, c, i); err != nil {
					failed.Add(1)
					last.Store(&err)
					continue
				}
				n.Add(1)
			}
		})
	}
	all.Wait()
	r := result{n: n.Load(), cpu: t.processor() - before, own: t.own() - own, wall: time.Since(began), failed: failed.Load()}
	if r.n == 0 {
		return r, *last.Load()
	}
	r.cpu, r.own = max(r.cpu, tick), max(r.own, tick)
	return r, ctx.Err()
}

func now() int64 { return time.Now().UnixMilli() }

func (t *target) post(ctx context.Context, path string, in, out any) error {
	raw, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url+"/api/2.0/mlflow/"+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	return t.do(req, out)
}

func (t *target) get(ctx context.Context, path string, q url.Values, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url+"/api/2.0/mlflow/"+path+"?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	return t.do(req, out)
}

// do sends the request and reads the answer, into out where it is not nil.
func (t *target) do(req *http.Request, out any) error {
	res, err := t.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(res.Body, 1000)) // only to say why
		return fmt.Errorf("%s: %s %s", req.URL.Path, res.Status, said)
	}
	if out == nil {
		_, err := io.Copy(io.Discard, res.Body)
		return err
	}
	return json.NewDecoder(res.Body).Decode(out)
}
