// SPDX-License-Identifier: Apache-2.0

package predictionlog

import "github.com/prometheus/client_golang/prometheus"

// metrics are what a scraper sees of the log.
type metrics struct {
	staged     prometheus.Counter
	labels     prometheus.Counter
	sealed     prometheus.Counter
	shipped    prometheus.Counter
	taken      prometheus.Counter
	dropped    prometheus.Counter
	unreasoned prometheus.Counter
	trimmed    prometheus.Counter
	failed     prometheus.Counter
	commit     prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer, l *Log) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &metrics{
		staged:     counter("flyball_predictionlog_staged_rows_total", "Predictions committed to the staging file."),
		labels:     counter("flyball_predictionlog_labels_total", "Labels committed, repeats included."),
		sealed:     counter("flyball_predictionlog_sealed_rows_total", "Predictions sealed into Parquet."),
		shipped:    counter("flyball_predictionlog_shipped_rows_total", "Predictions shipped to other logs."),
		taken:      counter("flyball_predictionlog_taken_rows_total", "Predictions taken from other logs."),
		dropped:    counter("flyball_predictionlog_dropped_rows_total", "Predictions that were not kept: the queue was full, or the last commit failed."),
		unreasoned: counter("flyball_predictionlog_dropped_reasons_total", "Reasons that were not kept: the queue was full."),
		trimmed:    counter("flyball_predictionlog_trimmed_rows_total", "Predictions removed for their age, or because the log had passed its bound."),
		failed:     counter("flyball_predictionlog_failed_commits_total", "Commits that failed."),
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "flyball_predictionlog_commit_seconds", Help: "Time of a grouped commit.",
			Buckets: prometheus.ExponentialBuckets(1e-4, 4, 9),
		}),
	}
	if reg != nil {
		queued := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "flyball_predictionlog_queued_rows", Help: "Predictions that wait for a commit.",
		}, func() float64 {
			l.mu.Lock()
			defer l.mu.Unlock()
			return float64(l.rows)
		})
		reg.MustRegister(m.staged, m.labels, m.sealed, m.shipped, m.taken, m.dropped, m.unreasoned, m.trimmed, m.failed, m.commit, queued)
	}
	return m
}
