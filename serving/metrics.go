// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/serving/prediction"
)

// metrics are what a scraper sees of serving.
type metrics struct {
	rows     *prometheus.CounterVec
	bad      *prometheus.CounterVec
	failures *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	turned   *prometheus.CounterVec
	skipped  prometheus.Counter
	route    *prometheus.GaugeVec
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
			Name: "flyball_serving_row_seconds", Help: "Time to answer a row: that of its request, by its rows.",
			Buckets: prometheus.ExponentialBuckets(1e-6, 4, 12),
		}, []string{"model"}),
		turned: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flyball_serving_turned_away_requests_total", Help: "Requests that were not let in: the queue was full, or their turn would have come too late.",
		}, []string{"model"}),
		skipped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "flyball_serving_skipped_besides_total", Help: "Requests whose other versions did not score beside the answer, because too many were doing so.",
		}),
	}
	m.route = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "flyball_serving_route_generation", Help: "Generation of the route by which the model is answered.",
	}, []string{"model"})
	if reg != nil {
		reg.MustRegister(m.route, m.rows, m.bad, m.failures, m.latency, m.turned, m.skipped)
	}
	return m
}

// counted counts the rows of an answer by a route, and the failures beside it.
func (m *metrics) counted(p *published, rs []prediction.Record) {
	for i := range rs {
		r := &rs[i]
		if c := p.answers[r.Arm]; c != nil {
			c.Inc()
		}
		for _, o := range r.Others {
			if o.Error != "" {
				m.failures.WithLabelValues(r.Model, strconv.Itoa(o.Version), o.Role).Inc()
			}
		}
	}
}

// shelfMetrics are what a scraper sees of a shelf.
type shelfMetrics struct {
	loads   *prometheus.CounterVec
	seconds prometheus.Histogram
	gone    prometheus.Counter
}

func newShelfMetrics(reg prometheus.Registerer, s *shelf) *shelfMetrics {
	m := &shelfMetrics{
		loads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flyball_serving_shelf_loads_total", Help: "Versions loaded beside the routes, by whether it succeeded.",
		}, []string{"outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "flyball_serving_shelf_load_seconds", Help: "Time to load a version beside the routes, the wait for room included.",
			Buckets: prometheus.ExponentialBuckets(1e-3, 4, 10),
		}),
		gone: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "flyball_serving_shelf_evictions_total", Help: "Versions let go to make room for others.",
		}),
	}
	if reg == nil {
		return m
	}
	gauge := func(name, help string, of func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			s.mu.Lock()
			defer s.mu.Unlock()
			return of()
		})
	}
	reg.MustRegister(m.loads, m.seconds, m.gone,
		gauge("flyball_serving_shelf_bytes", "Estimated memory of the versions loaded beside the routes, those being loaded included.", func() float64 { return float64(s.used) }),
		gauge("flyball_serving_shelf_budget_bytes", "Memory that versions loaded beside the routes may take.", func() float64 { return float64(s.opts.Budget) }),
		gauge("flyball_serving_shelf_versions", "Versions loaded beside the routes.", func() float64 { return float64(s.recent.Len()) }))
	return m
}

func (m *shelfMetrics) loaded(took time.Duration, err error) {
	outcome := "ok"
	if err != nil {
		outcome = "failed"
	}
	m.loads.WithLabelValues(outcome).Inc()
	m.seconds.Observe(took.Seconds())
}

func (m *shelfMetrics) evicted() { m.gone.Inc() }
