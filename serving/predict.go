// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"slices"
	"strconv"
	"time"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/ident"
	"flyball/model"
	"flyball/serving/prediction"
)

// Asked is the arm of an answer by a version that the caller named. It is not kept.
const Asked = "asked"

// FlagAsked marks a record whose caller asked for the version by its number while a
// candidate had a share of the traffic: the row was not drawn for either.
const FlagAsked = "asked"

// Answer is what a caller gets for a request, row by row.
type Answer struct {
	Model      string
	Version    int   // that answered the first row; 0: the fallback did
	Generation int64 // of the route that every row was answered under; 0: by no route
	Records    []prediction.Record

	// Routed says that the model's route decided, and that the records are in the log.
	// Else they have no ids, and hold the scores alone.
	Routed bool

	// Bundle is the version that answered the first row; nil: the fallback did. Only
	// what it says of itself may be asked of it: it may be closed meanwhile.
	Bundle *model.Bundle

	// Reasons are those of each record, where Request.Explain asks; nil for one that has
	// none, and then Unexplained says why where that is known.
	Reasons     []*prediction.Reasons
	Unexplained string
}

// Predict answers the rows of every face. A model that has a route is answered as that
// decides, monitored and logged, when it is asked for without a version, by the alias
// live, or by the number that answers all but a candidate's share (then by that version
// where it can). Any other version, and a model that has no route, is scored by the
// bundle asked for; that is not logged.
//
// Under a route each row's arm is drawn by its key (its id where it has none), so that
// the same key stays with the same arm. A candidate that fails or is late is answered
// for by the live version, that by the baseline, that by the fallback. Bad input is an
// Invalid fault that names the row and the column; then nothing is logged. The rows are
// not kept after the return.
func (s *Server) Predict(ctx context.Context, req Request) (Answer, error) {
	p := s.take(req.Model)
	if p == nil {
		return s.fromShelf(ctx, &req)
	}
	defer p.drop()
	switch n := req.name(); {
	case n.Alias == "" && (n.Version == 0 || p.standsFor(n.Version)):
		a, err := s.byRoute(ctx, p, &req)
		s.count(ctx, p, err)
		return a, err
	case n.Alias == "" && p.Versions[n.Version] != nil:
		return s.asked(ctx, &req, p.Versions[n.Version], n.Version)
	}
	return s.fromShelf(ctx, &req)
}

// byRoute answers as the entry's route decides.
func (s *Server) byRoute(ctx context.Context, p *published, req *Request) (_ Answer, err error) {
	if p.Stop != "" {
		return Answer{}, fault.New(fault.Unavailable, "%s does not answer: %s", req.Model, p.Stop)
	}
	if err := req.check(s.opts.MaxRows); err != nil {
		return Answer{}, err
	}
	began := time.Now()
	if err := p.begin(ctx, req); err != nil {
		return Answer{}, err
	}
	defer func() { p.end(began, req.rows(), err) }()
	in := req.input(p)
	if err := p.apart(&in); err != nil {
		return Answer{}, err
	}
	records, err := s.begin(p, req.Model, in)
	if err != nil {
		return Answer{}, err
	}
	if err := p.audit(records, req.Audit); err != nil {
		return Answer{}, err
	}
	b := newBatch(ctx, &p.Entry, in, s.opts.Time)
	b.alone = s.opts.Alone != nil && p.Route.Live != 0 && s.opts.Alone()
	b.together(records, req.Version)
	if err := b.validate(); err != nil {
		return Answer{}, err
	}
	b.answer(records, req.Version)
	each := time.Since(began) / time.Duration(len(records))
	for i := range records {
		records[i].Latency = each
	}
	if err := s.finish(ctx, p, b, records); err != nil {
		return Answer{}, err
	}
	a := Answer{
		Model: req.Model, Version: records[0].Version, Generation: p.Route.Generation, Records: records, Routed: true,
		Bundle: p.bundle(&records[0]),
	}
	if req.Explain {
		a.Reasons, a.Unexplained = explain(ctx, p.bundle, in, records)
	}
	s.opts.Reasons.keep(ctx, p, records, a.Reasons)
	return a, nil
}

// finish has the records kept. Where a version is still to score beside the answer and
// waits for a process, that is not waited for, unless the answer is durable: the records
// are kept when it has spoken.
func (s *Server) finish(ctx context.Context, p *published, b *batch, records []prediction.Record) error {
	if !b.pending() || p.Durable {
		b.besides(records)
		s.metrics.counted(p, records)
		return s.log(ctx, p, records)
	}
	select {
	case s.beside <- struct{}{}:
	default:
		s.metrics.skipped.Inc()
		s.metrics.counted(p, records)
		return s.log(ctx, p, records)
	}
	b.detach()
	if !p.take() { // cannot be: the caller has it
		return fault.New(fault.Internal, "the entry of %s is gone", p.Route.Model)
	}
	kept := slices.Clone(records)
	s.closing.Go(func() {
		defer func() { <-s.beside; p.drop() }()
		b.besides(kept)
		s.metrics.counted(p, kept)
		_ = s.log(b.ctx, p, kept) // it is not durable: what is dropped is counted
	})
	return nil
}

// besideAtOnce is how many requests may have a version score after their answer.
const besideAtOnce = 256

// fromShelf answers by what the shelf has under the name.
func (s *Server) fromShelf(ctx context.Context, req *Request) (Answer, error) {
	if s.opts.Shelf == nil {
		return Answer{}, notServed(req.name())
	}
	if err := req.check(s.opts.MaxRows); err != nil {
		return Answer{}, err
	}
	b, version, back, err := s.opts.Shelf.Use(ctx, req.name())
	if err != nil {
		return Answer{}, err
	}
	defer back()
	return s.asked(ctx, req, b, version)
}

func notServed(n ident.Name) error {
	if n.Version != 0 || n.Alias != "" {
		return fault.New(fault.NotFound, "that version of %q is not served", n.Model).Do("see flyball status")
	}
	return fault.New(fault.NotFound, "no model %q is served", n.Model).Do("see flyball status")
}

// asked scores the rows by the one version asked for.
func (s *Server) asked(ctx context.Context, req *Request, m *model.Bundle, version int) (_ Answer, err error) {
	if err := req.check(s.opts.MaxRows); err != nil {
		return Answer{}, err
	}
	if err := req.noAudit(); err != nil {
		return Answer{}, err
	}
	began, c := time.Now(), s.meter(req.Model)
	if err := c.begin(ctx, req); err != nil {
		return Answer{}, err
	}
	defer func() { c.end(began, req.rows(), err) }()
	b := newBatch(ctx, &Entry{Versions: map[int]*model.Bundle{version: m}}, req.input(nil), s.opts.Time)
	got := b.score(m)
	var words []string
	if got.err != nil {
		if words = b.words(m); words == nil {
			return Answer{}, got.err
		}
	}
	records := make([]prediction.Record, req.rows())
	now := s.opts.Now()
	for i := range records {
		r := &records[i]
		*r = prediction.Record{Model: req.Model, Version: version, Arm: Asked, At: now, Time: now, Latency: got.each}
		if words != nil {
			r.Decision = words[i]
			continue
		}
		r.Scores = got.Row(i)
		r.Decision = m.Decision(r.Scores)
	}
	met(records, got)
	b.unusual(records, got)
	inOrder(records)
	s.metrics.rows.WithLabelValues(req.Model, strconv.Itoa(version), Asked).Add(float64(len(records)))
	a := Answer{Model: req.Model, Version: version, Records: records, Bundle: m}
	if req.Explain {
		a.Reasons, a.Unexplained = explain(ctx, func(*prediction.Record) *model.Bundle { return m }, b.in, records)
	}
	return a, nil
}

// begin makes the records with all that is known before scoring.
func (s *Server) begin(p *published, name string, in input) ([]prediction.Record, error) {
	meta, err := in.meta(p.meta)
	if err != nil {
		return nil, err
	}
	now := s.opts.Now()
	out := make([]prediction.Record, in.rows())
	for i := range out {
		r := &out[i]
		*r = prediction.Record{ID: ident.NewPredictionID(now), Model: name, Generation: p.Route.Generation, At: now, Time: now, Row: in.row(i)}
		if err := p.Entry.tell(r, meta, i); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// tell fills in which row this is, when, and when its truth is due.
func (e *Entry) tell(r *prediction.Record, meta *frame.Frame, i int) (err error) {
	t := &e.Task
	if t.ID != "" {
		if r.Key = meta.Column(t.ID).Format(i); r.Key == "" {
			return fault.New(fault.Invalid, "row %d: column %q is empty", i, t.ID).Do("send the caller's key of the row")
		}
	}
	if t.Time != "" {
		if r.Time, err = moment(meta, t.Time, i); err != nil {
			return err
		}
	}
	r.Due = r.Time.Add(t.Truth.Within.D())
	if t.Truth.DueAt != "" {
		r.Due, err = moment(meta, t.Truth.DueAt, i)
	}
	return err
}

func moment(meta *frame.Frame, column string, i int) (time.Time, error) {
	c := meta.Column(column)
	if c.Kind == frame.Time && !c.Missing(i) {
		return time.UnixMicro(c.Time[i]).UTC(), nil
	}
	us, err := frame.ParseTime(c.Format(i))
	if err != nil {
		return time.Time{}, fault.Wrap(err, fault.Invalid, "row %d, column %q", i, column)
	}
	return time.UnixMicro(us).UTC(), nil
}
