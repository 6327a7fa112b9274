// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what a scraper sees of the face.
type metrics struct {
	latency *prometheus.HistogramVec
	refused *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer, work, stream *limiter) *metrics {
	m := &metrics{
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "flyball_mlflow_request_seconds", Help: "Time to answer a request of an MLflow client, by call; of a file, until its last byte.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
		}, []string{"call"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flyball_mlflow_errors_total", Help: "Requests of MLflow clients that were answered with an error, by MLflow's code.",
		}, []string{"code"}),
	}
	if reg != nil {
		reg.MustRegister(m.latency, m.refused, atWork("json", work), atWork("file", stream))
	}
	return m
}

func atWork(kind string, l *limiter) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "flyball_mlflow_requests_at_work", Help: "Requests of MLflow clients that are being answered.",
		ConstLabels: prometheus.Labels{"kind": kind},
	}, func() float64 { return float64(len(l.places)) })
}

// took notes how long a call took. The twins of a call are one call.
func (m *metrics) took(path string, from time.Time) {
	for _, root := range roots {
		path = strings.TrimPrefix(path, root)
	}
	m.latency.WithLabelValues(path).Observe(time.Since(from).Seconds())
}
