// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/ident"
	"flyball/model"
	"flyball/serving/prediction"
	"flyball/serving/release"
)

// Answer is what a caller gets for a request, row by row.
type Answer struct {
	Model      string
	Generation int64 // of the route that every row was answered under
	Records    []prediction.Record

	// Bundle is the version that answered the first row; nil: the fallback did.
	Bundle *model.Bundle
}

// Predict answers the rows, JSON objects as the caller sent them. Each row's arm is
// drawn by its key (its id where it has none), so that the same key stays with the
// same arm. A candidate that fails is answered for by the live version, that by the
// baseline, that by the fallback. Bad input is an Invalid fault that names the row
// and the column; then nothing is logged.
func (s *Server) Predict(ctx context.Context, req Request) (Answer, error) {
	name, rows := req.Model, req.Rows
	e := s.table.Load().entries[name]
	switch {
	case e == nil:
		return Answer{}, fault.New(fault.NotFound, "no model %q is served", name).Do("see flyball status")
	case e.Stop != "":
		return Answer{}, fault.New(fault.Unavailable, "%s does not answer: %s", name, e.Stop)
	case len(rows) == 0:
		return Answer{}, fault.New(fault.Invalid, "the request holds no rows")
	case len(rows) > s.opts.MaxRows:
		return Answer{}, fault.New(fault.TooLarge, "%d rows in one request; at most %d are answered", len(rows), s.opts.MaxRows).
			Do("send them in several requests")
	}
	began := time.Now()
	records, err := s.begin(e, name, rows)
	if err != nil {
		s.metrics.refused(name)
		return Answer{}, err
	}
	b := newBatch(ctx, e, rows)
	if err := b.validate(); err != nil {
		s.metrics.refused(name)
		return Answer{}, err
	}
	b.answer(records)
	each := time.Since(began) / time.Duration(len(rows))
	for i := range records {
		records[i].Latency = each
	}
	if err := s.log(ctx, e, records); err != nil {
		return Answer{}, err
	}
	s.metrics.answered(records)
	return Answer{Model: name, Generation: e.Route.Generation, Records: records, Bundle: e.bundle(&records[0])}, nil
}

// bundle is the version that answered a record; nil for the fallback.
func (e *Entry) bundle(r *prediction.Record) *model.Bundle {
	switch r.Arm {
	case prediction.Fallback:
		return nil
	case prediction.Baseline:
		return e.Baseline
	}
	return e.Versions[r.Version]
}

// begin makes the records with all that is known before scoring.
func (s *Server) begin(e *Entry, name string, rows []json.RawMessage) ([]prediction.Record, error) {
	meta, err := frame.DecodeRows(rows, frame.DecodeOptions{Required: e.meta, Loose: true})
	if err != nil {
		return nil, err
	}
	now := s.opts.Now()
	out := make([]prediction.Record, len(rows))
	for i := range rows {
		r := &out[i]
		*r = prediction.Record{ID: ident.NewPredictionID(now), Model: name, Generation: e.Route.Generation, At: now, Time: now, Row: compact(rows[i])}
		if e.Task.ID != "" {
			if r.Key = meta.Column(e.Task.ID).Format(i); r.Key == "" {
				return nil, fault.New(fault.Invalid, "row %d: column %q is empty", i, e.Task.ID).Do("send the caller's key of the row")
			}
		}
		if e.Task.Time != "" {
			if r.Time, err = moment(meta, e.Task.Time, i); err != nil {
				return nil, err
			}
		}
		r.Due = r.Time.Add(e.Task.Truth.Within.D())
		if e.Task.Truth.DueAt != "" {
			if r.Due, err = moment(meta, e.Task.Truth.DueAt, i); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func moment(meta *frame.Frame, column string, i int) (time.Time, error) {
	us, err := frame.ParseTime(meta.Column(column).Format(i))
	if err != nil {
		return time.Time{}, fault.Wrap(err, fault.Invalid, "row %d, column %q", i, column)
	}
	return time.UnixMicro(us).UTC(), nil
}

func compact(row json.RawMessage) json.RawMessage {
	if !bytes.ContainsAny(row, " \t\r\n") {
		return slices.Clone(row)
	}
	var b bytes.Buffer
	if json.Compact(&b, row) != nil {
		return slices.Clone(row)
	}
	return b.Bytes()
}

// batch scores one request's rows by the versions of an entry, each at most once.
type batch struct {
	ctx   context.Context
	entry *Entry
	rows  []json.RawMessage
	done  map[*model.Bundle]*scored
}

// scored is what one version said of the rows, or why it said nothing.
type scored struct {
	model.Scores
	err  error
	each time.Duration // per row
}

func newBatch(ctx context.Context, e *Entry, rows []json.RawMessage) *batch {
	return &batch{ctx: ctx, entry: e, rows: rows, done: make(map[*model.Bundle]*scored, 3)}
}

// validate scores by the version that the caller has a right to: the live one, or,
// at a first release, the candidate. Its complaint about the rows is the caller's.
func (b *batch) validate() error {
	r := b.entry.Route
	judge := b.entry.Versions[r.Live]
	if r.Live == 0 {
		judge = b.entry.Versions[r.Candidate]
	}
	if judge == nil {
		return nil
	}
	if err := b.score(judge).err; fault.Is(err, fault.Invalid) {
		return err
	}
	return nil
}

// score asks a version. A panic in it is an error of its own, not of the request.
func (b *batch) score(m *model.Bundle) (out *scored) {
	if have := b.done[m]; have != nil {
		return have
	}
	out = &scored{}
	b.done[m] = out
	began := time.Now()
	defer func() {
		if p := recover(); p != nil {
			out.err = fault.New(fault.Internal, "the version failed: %v", p)
		}
		out.each = time.Since(began) / time.Duration(len(b.rows))
	}()
	f, err := frame.DecodeRows(b.rows, frame.DecodeOptions{Required: m.Inputs()})
	if err != nil {
		out.err = err
		return out
	}
	out.Scores, out.err = m.Predict(b.ctx, f)
	return out
}

// voice is a version that may answer or score beside.
type voice struct {
	role    string
	version int
	bundle  *model.Bundle
}

// answer fills in who answers each record, with what, and what the others said.
func (b *batch) answer(records []prediction.Record) {
	r := b.entry.Route
	live := voice{prediction.Live, r.Live, b.entry.Versions[r.Live]}
	cand := voice{prediction.Candidate, r.Candidate, b.entry.Versions[r.Candidate]}
	base := voice{prediction.Baseline, r.Baseline, b.entry.Baseline}
	flags := b.flags(live, cand)
	for i := range records {
		rec := &records[i]
		unit := rec.Key
		if unit == "" {
			unit = string(rec.ID)
		}
		order := []voice{live, base}
		switch {
		case r.Share > 0 && release.Assign(r.Seed, unit, r.Share):
			order = []voice{cand, live, base}
		case r.Floor:
			order = []voice{base, live}
		}
		b.choose(rec, i, order)
		beside := []voice{base}
		if r.Both {
			beside = []voice{live, cand, base}
		}
		for _, v := range beside {
			b.beside(rec, i, v)
		}
		rec.Flags = flags[i]
	}
}

// choose lets the first voice that can answer the record; the fallback else.
func (b *batch) choose(rec *prediction.Record, i int, order []voice) {
	for _, v := range order {
		if v.bundle == nil {
			continue
		}
		s := b.score(v.bundle)
		if s.err != nil {
			rec.Others = append(rec.Others, prediction.Other{Role: v.role, Version: v.version, Error: s.err.Error(), Latency: s.each})
			continue
		}
		rec.Arm, rec.Version, rec.Scores = v.role, v.version, s.Row(i)
		rec.Decision = v.bundle.Decision(rec.Scores)
		return
	}
	rec.Arm = prediction.Fallback
	rec.Scores = b.fallback(i)
	rec.Flags = append(rec.Flags, "fallback")
}

// beside keeps what v said of the record unless it answered or was asked already.
func (b *batch) beside(rec *prediction.Record, i int, v voice) {
	if v.bundle == nil || rec.Arm == v.role ||
		slices.ContainsFunc(rec.Others, func(o prediction.Other) bool { return o.Role == v.role }) {
		return
	}
	s := b.score(v.bundle)
	o := prediction.Other{Role: v.role, Version: v.version, Latency: s.each}
	if s.err != nil {
		o.Error = s.err.Error()
	} else {
		o.Scores = s.Row(i)
		o.Decision = v.bundle.Decision(o.Scores)
	}
	rec.Others = append(rec.Others, o)
}

// fallback is the model file's last answer for row i: nil when it names none.
func (b *batch) fallback(i int) []float64 {
	f := b.entry.Route.Fallback
	if f == nil {
		return nil
	}
	if f.Column != "" {
		got, err := frame.DecodeRows(b.rows[i:i+1], frame.DecodeOptions{Required: []frame.Field{{Name: f.Column, Kind: frame.Number}}})
		if err == nil && !got.Column(f.Column).Missing(0) {
			return []float64{got.Column(f.Column).Num[0]}
		}
	}
	if f.Value != nil {
		return []float64{*f.Value}
	}
	return nil
}

// flags are, for each row, the categories that the version asked first had not met.
func (b *batch) flags(voices ...voice) [][]string {
	out := make([][]string, len(b.rows))
	for _, v := range voices {
		if v.bundle == nil || v.bundle != b.entry.Versions[b.entry.Route.Live] && b.entry.Route.Live != 0 {
			continue
		}
		for _, u := range b.score(v.bundle).Unseen {
			flag := fmt.Sprint("unseen:", u.Column)
			if !slices.Contains(out[u.Row], flag) {
				out[u.Row] = append(out[u.Row], flag)
			}
		}
	}
	for i := range out {
		slices.SortFunc(out[i], strings.Compare)
	}
	return out
}
