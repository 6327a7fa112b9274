// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"time"

	"flyball/data/dataset"
	"flyball/fault"
	"flyball/ident"
	"flyball/serving/prediction"
)

// Given is an answer that the live version gave elsewhere: in a batch job, or in a
// program that loaded it.
type Given struct {
	ID      ident.PredictionID // told twice under one id, it is one answer; empty: a new one
	Row     json.RawMessage    // as for Predict
	Version int
	Scores  []float64       // one, or one a class
	At      time.Time       // when it was given; zero: now
	Audit   json.RawMessage // as for Predict; nil: none
}

// Record keeps answers that were given elsewhere, so that they are monitored and get
// their truth as our own do. All of a call are kept or none. Only the live version's
// are taken: who answers for a candidate is drawn row by row, and rows that nobody drew
// would spoil the comparison.
func (s *Server) Record(ctx context.Context, name string, given []Given) ([]prediction.Record, error) {
	e := s.take(name)
	if e == nil {
		return nil, fault.New(fault.NotFound, "no model %q is served", name).Do("see flyball status")
	}
	defer e.drop()
	switch {
	case len(given) == 0:
		return nil, fault.New(fault.Invalid, "the request holds no predictions")
	case len(given) > s.opts.MaxRows:
		return nil, fault.New(fault.TooLarge, "%d predictions in one request; at most %d are taken", len(given), s.opts.MaxRows).
			Do("send them in several requests")
	}
	rows := make([]json.RawMessage, len(given))
	audit := make([]json.RawMessage, len(given))
	told := false
	for i, g := range given {
		if err := e.takes(i, g); err != nil {
			return nil, err
		}
		rows[i], audit[i] = g.Row, g.Audit
		told = told || len(g.Audit) > 0
	}
	in := input{raw: rows}
	if err := e.apart(&in); err != nil {
		return nil, err
	}
	records, err := s.begin(e, name, in)
	if err != nil {
		return nil, err
	}
	if told {
		if err := e.audit(records, audit); err != nil {
			return nil, err
		}
	}
	for i, g := range given {
		r := &records[i]
		r.Generation = 0 // no route had it answered: it was drawn for nobody
		r.Version, r.Arm, r.Scores = g.Version, prediction.Live, slices.Clone(g.Scores)
		r.Decision = e.Versions[g.Version].Decision(r.Scores)
		if g.ID != "" {
			r.ID = g.ID
		}
		if !g.At.IsZero() {
			r.At = g.At
			if e.Task.Time == "" {
				r.Time = g.At
			}
			if e.Task.Truth.DueAt == "" {
				r.Due = r.Time.Add(e.Task.Truth.Within.D())
			}
		}
	}
	live := e.Versions[e.Route.Live]
	if f, err := in.of(live); err == nil { // what the version could not have read is kept as it was told
		b := batch{entry: &e.Entry, in: in}
		b.unusual(records, &scored{bundle: live, rows: f})
		inOrder(records)
	}
	if err := s.opts.Log.Append(ctx, true, true, records...); err != nil {
		return nil, err
	}
	s.opts.Reasons.keep(ctx, e, records, nil)
	return records, nil
}

// takes checks what the caller says of the i-th answer.
func (e *Entry) takes(i int, g Given) error {
	live := e.Versions[e.Route.Live]
	if g.Version != e.Route.Live || live == nil {
		return fault.New(fault.Invalid, "prediction %d is of version %d, which is not live", i, g.Version).
			Do("send what the live version says, which is %d", e.Route.Live)
	}
	if _, ok := g.ID.Time(); g.ID != "" && !ok {
		return fault.New(fault.Invalid, "prediction %d: %q is not a UUIDv7", i, g.ID).Do("leave the id out, or make it as RFC 9562 says")
	}
	want := 1
	if live.Manifest.Kind == dataset.Multiclass {
		want = len(live.Manifest.Classes)
	}
	if len(g.Scores) != want {
		return fault.New(fault.Invalid, "prediction %d has %d scores, not %d", i, len(g.Scores), want)
	}
	for _, x := range g.Scores {
		if math.IsNaN(x) || math.IsInf(x, 0) || live.Manifest.Kind != dataset.Regression && (x < 0 || x > 1) {
			return fault.New(fault.Invalid, "prediction %d: %v is no score of this model", i, x)
		}
	}
	return nil
}
