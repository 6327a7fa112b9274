// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"fmt"
	"maps"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestWhatAScraperSees(t *testing.T) {
	reg := prometheus.NewRegistry()
	c := newClient(t, func(o *Options) { o.Metrics = reg })
	for range 2 {
		c.ask("POST runs/create", `{}`)
	}
	c.ask("GET /ajax-api/2.0/mlflow/runs/get?run_id=$1", "")
	c.ask("GET runs/get?run_id=00", "")
	c.ask("POST /api/3.0/mlflow/traces", `{}`)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := fmt.Sprintf("%s{%s}", f.GetName(), m.GetLabel()[0].GetValue())
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	want := map[string]float64{
		"flyball_mlflow_errors_total{ENDPOINT_NOT_FOUND}":         1,
		"flyball_mlflow_errors_total{RESOURCE_DOES_NOT_EXIST}":    1,
		"flyball_mlflow_requests_at_work{file}":                   0,
		"flyball_mlflow_requests_at_work{json}":                   0,
		"flyball_mlflow_request_seconds{/2.0/mlflow/runs/create}": 2,
		"flyball_mlflow_request_seconds{/2.0/mlflow/runs/get}":    2,
	}
	if !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}
