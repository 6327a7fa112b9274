// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"iter"
	"net/http"

	"flyball/experiment"
	"flyball/governance/access"
	"flyball/ident"
)

// metricRoutes adds the calls about the history of metrics.
func (f *face) metricRoutes() {
	f.route(access.Read, http.MethodGet, "metrics/get-history", f.getHistory)
	f.route(access.Read, http.MethodGet, "metrics/get-history-bulk", f.getHistoryBulk)
	f.route(access.Read, http.MethodGet, "metrics/get-history-bulk-interval", f.getHistoryBulkInterval)
}

type history struct {
	Metrics []metricEntity `json:"metrics,omitempty"`
	Next    string         `json:"next_page_token,omitempty"`
}

func (f *face) getHistory(ctx context.Context, in *args) (any, error) {
	id, key, page := in.runID(), in.need("metric_key"), in.page(experiment.MaxHistory)
	if err := in.err(); err != nil {
		return nil, err
	}
	if in.filled("max_results") == nil && page.Token == "" {
		return newWholeHistory(f.Tracker.Points(ctx, id, key))
	}
	points, next, err := f.Tracker.History(ctx, id, key, page)
	return history{metricsOf(points), next}, err
}

func (f *face) getHistoryBulk(ctx context.Context, in *args) (any, error) {
	c := in.curves("run_id", experiment.MaxHistory)
	if err := in.err(); err != nil {
		return nil, err
	}
	points, err := f.Tracker.HistoryBulk(ctx, c)
	return struct {
		Metrics []metricEntity `json:"metrics"` // web pages want it even when there are none
	}{metricsOf(points)}, err
}

func (f *face) getHistoryBulkInterval(ctx context.Context, in *args) (any, error) {
	c := in.curves("run_ids", experiment.MaxSample)
	switch first, last := in.has("start_step"), in.has("end_step"); {
	case first && last:
		c.Steps = &[2]int64{in.int64("start_step", 0), in.int64("end_step", 0)}
	case first || last:
		in.fail(failure(http.StatusBadRequest, "INVALID_PARAMETER_VALUE", "If either start step or end step are specified, both must be specified."))
	}
	if err := in.err(); err != nil {
		return nil, err
	}
	points, err := f.Tracker.Sample(ctx, c)
	return history{Metrics: metricsOf(points)}, err
}

func (in *args) curves(runs string, limit int64) experiment.Curves {
	var ids []ident.RunID
	for _, id := range in.texts(runs) {
		ids = append(ids, ident.RunID(id))
	}
	return experiment.Curves{Runs: ids, Key: in.text("metric_key"), Limit: in.page(limit).Limit}
}

// wholeHistory is all points of a metric, which are written as they are read: nobody
// knows how many there are.
type wholeHistory struct {
	next func() (experiment.Metric, error, bool)
	stop func()

	first experiment.Metric
	some  bool
}

// newWholeHistory reads the first point, so that what fails at once is still an error
// and not half an answer.
func newWholeHistory(points iter.Seq2[experiment.Metric, error]) (*wholeHistory, error) {
	h := &wholeHistory{}
	h.next, h.stop = iter.Pull2(points)
	var err error
	if h.first, err, h.some = h.next(); err != nil {
		h.stop()
		return nil, err
	}
	return h, nil
}

// writeTo writes the answer.
func (h *wholeHistory) writeTo(w io.Writer) error {
	defer h.stop()
	if !h.some {
		_, err := io.WriteString(w, "{}")
		return err
	}
	b := bufio.NewWriterSize(w, 32<<10)
	_, _ = b.WriteString(`{"metrics":[`) // a write that fails makes Flush fail
	for m := h.first; ; {
		point, err := json.Marshal(metricOf(m))
		if err != nil {
			return err
		}
		_, _ = b.Write(point)
		var more bool
		if m, err, more = h.next(); err != nil {
			return err
		}
		if !more {
			break
		}
		_ = b.WriteByte(',')
	}
	_, _ = b.WriteString("]}")
	return b.Flush()
}
