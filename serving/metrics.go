// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/serving/prediction"
)

// metrics are what a scraper sees of serving.
type metrics struct {
	rows     *prometheus.CounterVec
	bad      *prometheus.CounterVec
	failures *prometheus.CounterVec
	latency  *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flyball_serving_rows_total", Help: "Rows answered, by model, version and arm.",
		}, []string{"model", "version", "arm"}),
		bad: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flyball_serving_refused_requests_total", Help: "Requests refused for their input.",
		}, []string{"model"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flyball_serving_version_failures_total", Help: "Rows that a version could not score.",
		}, []string{"model", "version", "role"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "flyball_serving_row_seconds", Help: "Time to answer a row, without the log.",
			Buckets: prometheus.ExponentialBuckets(1e-6, 4, 12),
		}, []string{"model"}),
	}
	if reg != nil {
		reg.MustRegister(m.rows, m.bad, m.failures, m.latency)
	}
	return m
}

func (m *metrics) refused(model string) { m.bad.WithLabelValues(model).Inc() }

func (m *metrics) answered(rs []prediction.Record) {
	for i := range rs {
		r := &rs[i]
		m.rows.WithLabelValues(r.Model, strconv.Itoa(r.Version), r.Arm).Inc()
		m.latency.WithLabelValues(r.Model).Observe(r.Latency.Seconds())
		for _, o := range r.Others {
			if o.Error != "" {
				m.failures.WithLabelValues(r.Model, strconv.Itoa(o.Version), o.Role).Inc()
			}
		}
	}
}
