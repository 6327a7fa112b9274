// SPDX-License-Identifier: Apache-2.0

package worker

import "github.com/prometheus/client_golang/prometheus"

// metrics are what a scraper sees of the processes.
type metrics struct {
	requests *prometheus.CounterVec
	rows     *prometheus.CounterVec
	starts   *prometheus.CounterVec
	failures *prometheus.CounterVec
	running  *prometheus.GaugeVec
	seconds  *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flyball_worker_requests_total", Help: "Requests sent to Python processes, each of the rows of one or more callers.",
		}, []string{"model"}),
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flyball_worker_rows_total", Help: "Rows sent to Python processes.",
		}, []string{"model"}),
		starts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flyball_worker_starts_total", Help: "Python processes that were started and loaded their model.",
		}, []string{"model"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flyball_worker_failures_total", Help: "Python processes that failed: start, died, late, memory or garbage.",
		}, []string{"model", "reason"}),
		running: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "flyball_worker_processes", Help: "Python processes that are ready.",
		}, []string{"model"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "flyball_worker_request_seconds", Help: "Time that a Python process took for a request.",
			Buckets: prometheus.ExponentialBuckets(50e-6, 4, 10),
		}, []string{"model"}),
	}
	if reg != nil {
		reg.MustRegister(m.requests, m.rows, m.starts, m.failures, m.running, m.seconds)
	}
	return m
}
