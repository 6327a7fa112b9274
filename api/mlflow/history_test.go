// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"flyball/experiment"
	"flyball/ident"
)

func points(runOf string, steps ...int) string {
	var b strings.Builder
	for i, s := range steps {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"key":"k","value":%d,"timestamp":%d,"step":%d`, s*s, 1000+s, s)
		if runOf != "" {
			fmt.Fprintf(&b, `,"run_id":"%s"`, runOf)
		}
		b.WriteByte('}')
	}
	return b.String()
}

func steps(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func TestHistoriesOfMetrics(t *testing.T) {
	c := newClient(t)
	for range 2 {
		c.ask("POST runs/create", `{}`)
	}
	c.ask("POST runs/log-batch", `{"run_id":"$1","metrics":[`+points("", steps(30)...)+`]}`)
	c.ask("POST runs/log-batch", `{"run_id":"$2","metrics":[`+points("", 5, 4)+`]}`)
	const bulk, interval = "GET /ajax-api/2.0/mlflow/metrics/get-history-bulk?", "GET metrics/get-history-bulk-interval?"
	all := `{"metrics":[` + points("", steps(30)...) + `]}`
	c.talk([]exchange{
		{"all", "GET metrics/get-history?run_id=$1&metric_key=k", "", 200, all},
		{"all, by the run's old name", "GET metrics/get-history?run_uuid=$1&metric_key=k", "", 200, all},
		{"as many as clients ask for", "GET metrics/get-history?run_id=$1&metric_key=k&max_results=25000", "", 200, all},
		{"a page that is exactly full is the last", "GET metrics/get-history?run_id=$1&metric_key=k&max_results=30", "", 200, all},
		{"an unknown run", "GET metrics/get-history?run_id=00&metric_key=k", "", 200, `{}`},
		{"an unknown key", "GET metrics/get-history?run_id=$1&metric_key=zz&max_results=5", "", 200, `{}`},
		{"no key", "GET metrics/get-history?run_id=$1", "", 400, need("metric_key")},
		{"no run", "GET metrics/get-history?metric_key=k", "", 400, need("run_id")},
		{"a page of nothing", "GET metrics/get-history?run_id=$1&metric_key=k&max_results=0", "", 400, "Invalid value 0 for parameter 'max_results' supplied. It must be a positive integer."},
		{"a page of less", "GET metrics/get-history?run_id=$1&metric_key=k&max_results=-1", "", 400, "Invalid value -1 for parameter 'max_results' supplied. It must be a positive integer."},
		{"a page of some", "GET metrics/get-history?run_id=$1&metric_key=k&max_results=some", "", 400, wrong(`"some"`, "max_results", "str")},
		{"a token that is none", "GET metrics/get-history?run_id=$1&metric_key=k&max_results=1&page_token=%3F", "", 400, "Invalid page token, could not base64-decode"},

		{"seven of thirty", interval + "run_ids=$1&metric_key=k&max_results=7", "", 200, `{"metrics":[` + points("$1", 0, 5, 10, 14, 18, 22, 29) + `]}`},
		{"one of thirty is the last", interval + "run_ids=$1&metric_key=k&max_results=1", "", 200, `{"metrics":[` + points("$1", 29) + `]}`},
		{"of steps", interval + "run_ids=$1&metric_key=k&start_step=3&end_step=5", "", 200, `{"metrics":[` + points("$1", 3, 4, 5) + `]}`},
		{"of two runs", interval + "run_ids=$2&run_ids=$1&metric_key=k&max_results=2", "", 200, `{"metrics":[` + points("$2", 4, 5) + `,` + points("$1", 0, 29) + `]}`},
		{"of an unknown run", interval + "run_ids=00&metric_key=k", "", 200, `{}`},
		{"only a first step", interval + "run_ids=$1&metric_key=k&start_step=3", "", 400, "If either start step or end step are specified, both must be specified."},
		{"only a last step", interval + "run_ids=$1&metric_key=k&end_step=3", "", 400, "If either start step or end step are specified, both must be specified."},
		{"steps backwards", interval + "run_ids=$1&metric_key=k&start_step=5&end_step=3", "", 400, "end_step must be greater than start_step. Found start_step=5 and end_step=3."},
		{"samples of nothing", interval + "run_ids=$1&metric_key=k&max_results=0", "", 400, "max_results must be between 1 and 2500."},
		{"too many samples", interval + "run_ids=$1&metric_key=k&max_results=2501", "", 400, "max_results must be between 1 and 2500."},
		{"samples of no run", interval + "metric_key=k", "", 400, need("run_ids")},
		{"samples of too many runs", interval + "metric_key=k&" + strings.Repeat("run_ids=1&", 101), "", 400, "GetMetricHistoryBulkInterval request must specify at most 100 run_ids. Received 101 run_ids."},
		{"samples of no key", interval + "run_ids=$1", "", 400, need("metric_key")},

		{"in bulk", bulk + "run_id=$2&metric_key=k", "", 200, `{"metrics":[` + points("$2", 4, 5) + `]}`},
		{"in bulk, up to a number", bulk + "run_id=$1&metric_key=k&max_results=3", "", 200, `{"metrics":[` + points("$1", 0, 1, 2) + `]}`},
		{"in bulk, an unknown run", bulk + "run_id=00&metric_key=k", "", 200, `{"metrics":[]}`},
		{"in bulk, of no run", bulk + "metric_key=k", "", 400, "GetMetricHistoryBulk request must specify at least one run_id."},
		{"in bulk, of no key", bulk + "run_id=$1", "", 400, "GetMetricHistoryBulk request must specify a metric_key."},
		{"in bulk, nothing", bulk + "run_id=$1&metric_key=k&max_results=0", "", 400, "Invalid value 0 for parameter 'max_results' supplied. It must be a positive integer"},
	})
	w := c.ask("GET metrics/get-history?run_id=$2&metric_key=k&max_results=1", "")
	next, _ := readJSON(t, w.Body.String()).(map[string]any)["next_page_token"].(string)
	c.talk([]exchange{
		{"the next page", "GET metrics/get-history?run_id=$2&metric_key=k&max_results=1&page_token=" + next, "", 200, `{"metrics":[` + points("", 5) + `]}`},
		{"the rest", "GET metrics/get-history?run_id=$2&metric_key=k&page_token=" + next, "", 200, `{"metrics":[` + points("", 5) + `]}`},
	})
}

func TestWhatAPointIs(t *testing.T) {
	c := newClient(t)
	c.ask("POST runs/create", `{"run_name":"r"}`)
	point := func(rest string) string { return `{"run_id":"$1","key":"k",` + rest + `}` }
	latest := func(metric string) string {
		return `{"run":` + aRun("$1", "r", `"user_id":"","status":"RUNNING","start_time":0,`, `{"metrics":[`+metric+`],"tags":[{"key":"mlflow.runName","value":"r"}]}`, `,"outputs":{}`) + `}`
	}
	c.talk([]exchange{
		{"a point", "POST runs/log-metric", point(`"value":1,"timestamp":5`), 200, `{}`},
		{"the same again", "POST runs/log-metric", point(`"value":1,"timestamp":5,"step":0`), 200, `{}`},
		{"not a number, twice", "POST runs/log-batch", `{"run_id":"$1","metrics":[{"key":"k","value":"NaN","timestamp":5},{"key":"k","value":"NaN","timestamp":5}]}`, 200, `{}`},
		{"a step below zero", "POST runs/log-metric", point(`"value":9,"timestamp":9,"step":-3`), 200, `{}`},
		{
			"each is kept once, in order, NaN after numbers", "GET metrics/get-history?run_id=$1&metric_key=k", "", 200,
			`{"metrics":[{"key":"k","value":1,"timestamp":5,"step":0},{"key":"k","value":"NaN","timestamp":5,"step":0},{"key":"k","value":9,"timestamp":9,"step":-3}]}`,
		},
		{"a later step", "POST runs/log-metric", point(`"value":0.5,"timestamp":1,"step":7`), 200, `{}`},
		{"the latest is the one of the greatest step", "GET runs/get?run_id=$1", "", 200, latest(`{"key":"k","value":0.5,"timestamp":1,"step":7}`)},
		{"then of the latest time", "POST runs/log-metric", point(`"value":0.25,"timestamp":2,"step":7`), 200, `{}`},
		{"as is seen", "GET runs/get?run_id=$1", "", 200, latest(`{"key":"k","value":0.25,"timestamp":2,"step":7}`)},
		{"then of the greatest value", "POST runs/log-metric", point(`"value":0.3,"timestamp":2,"step":7`), 200, `{}`},
		{"as is seen too", "GET runs/get?run_id=$1", "", 200, latest(`{"key":"k","value":0.3,"timestamp":2,"step":7}`)},
		{"infinite", "POST runs/log-metric", point(`"value":"-Infinity","timestamp":3,"step":8`), 200, `{}`},
		{"is the smallest number for good", "GET runs/get?run_id=$1", "", 200, latest(`{"key":"k","value":-1.7976931348623157e+308,"timestamp":3,"step":8}`)},
		{"no value", "POST runs/log-metric", point(`"timestamp":3`), 400, need("value")},
		{"no time", "POST runs/log-metric", point(`"value":3`), 400, need("timestamp")},
		{"no key", "POST runs/log-metric", `{"run_id":"$1","value":3,"timestamp":3}`, 400, need("key")},
		{"no run", "POST runs/log-metric", `{"key":"k","value":3,"timestamp":3}`, 400, need("run_id")},
		{"an unknown run", "POST runs/log-metric", `{"run_id":"00","key":"k","value":3,"timestamp":3}`, 404, "Run with id=00 not found"},
	})
}

// broken are runs whose points cannot all be read.
type broken struct {
	experiment.Runs
	after int // points, before it fails
}

func (b broken) Points(context.Context, ident.RunID, string) iter.Seq2[experiment.Metric, error] {
	return func(yield func(experiment.Metric, error) bool) {
		for i := range b.after {
			if !yield(experiment.Metric{Key: "k", Step: int64(i)}, nil) {
				return
			}
		}
		yield(experiment.Metric{}, errors.New("the disk is gone"))
	}
}

func TestAHistoryThatBreaksOffIsNoWholeAnswer(t *testing.T) {
	for _, after := range []int{0, 1, 5000} {
		c := newClient(t, func(o *Options) { o.Tracker.Runs = broken{o.Tracker.Runs, after} })
		server := httptest.NewServer(c.mux)
		res, err := http.Get(server.URL + "/api/2.0/mlflow/metrics/get-history?run_id=1&metric_key=k")
		if err == nil {
			var whole any
			err = json.NewDecoder(res.Body).Decode(&whole)
			_ = res.Body.Close()
		}
		if after == 0 && (err != nil || res.StatusCode != http.StatusInternalServerError) {
			t.Errorf("what fails at once: %v, %v; want the error", res, err)
		}
		if after > 0 && err == nil {
			t.Errorf("after %d points the answer looks whole", after)
		}
		server.Close()
	}
	http.DefaultClient.CloseIdleConnections()
}
