// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/model"
	"flyball/serving/prediction"
	"flyball/serving/release"
)

// batch scores one request's rows by the versions of an entry, each at most once.
type batch struct {
	ctx   context.Context
	until time.Time // when the answer is due
	entry *Entry
	in    input
	done  []*scored
	alone bool // no version on trial answers

	frames []framed // rows that were read for versions that are asked after the answer
}

// framed is rows as a version takes them.
type framed struct {
	bundle *model.Bundle
	rows   *frame.Frame
}

// scored is what one version said of the rows, or why it said nothing.
type scored struct {
	model.Scores
	bundle *model.Bundle
	rows   *frame.Frame // as the version read them
	err    error
	each   time.Duration // per row
}

// newBatch makes a batch. usual is the time that a request has whose caller names none.
func newBatch(ctx context.Context, e *Entry, in input, usual time.Duration) *batch {
	b := &batch{ctx: ctx, entry: e, in: in, done: make([]*scored, 0, 4)}
	var ok bool
	if b.until, ok = ctx.Deadline(); !ok {
		b.until = time.Now().Add(usual)
	}
	return b
}

// detach has the batch go on when its caller has its answer and its rows back.
func (b *batch) detach() {
	b.ctx = context.WithoutCancel(b.ctx)
	for _, v := range b.voices() {
		if v.bundle != nil && b.heard(v.bundle) == nil {
			if f, err := b.in.of(v.bundle); err != nil {
				b.done = append(b.done, &scored{bundle: v.bundle, err: err})
			} else {
				b.frames = append(b.frames, framed{v.bundle, f})
			}
		}
	}
}

// validate scores by the version that the caller has a right to. Its complaint about
// the rows is the caller's.
func (b *batch) validate() error {
	judge := b.entry.main()
	if judge == nil {
		return nil
	}
	if err := b.score(judge).err; fault.Is(err, fault.Invalid) {
		return err
	}
	return nil
}

// heard is what a version said; nil when it was not asked yet.
func (b *batch) heard(m *model.Bundle) *scored {
	for _, d := range b.done {
		if d.bundle == m {
			return d
		}
	}
	return nil
}

// score asks a version. A panic in it is an error of its own, not of the request.
func (b *batch) score(m *model.Bundle) *scored {
	out := b.heard(m)
	if out == nil {
		out = b.ask(m)
		b.done = append(b.done, out)
	}
	return out
}

func (b *batch) ask(m *model.Bundle) (out *scored) {
	out = &scored{bundle: m}
	began := time.Now()
	defer func() {
		if p := recover(); p != nil {
			out.err = fault.New(fault.Internal, "the version failed: %v", p)
		}
		out.each = time.Since(began) / time.Duration(b.in.rows())
	}()
	f, err := b.rows(m)
	if err != nil {
		out.err = err
		return out
	}
	out.rows = f
	ctx := b.ctx
	if m.Waits() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, b.patience(m), errLate)
		defer cancel()
	}
	out.Scores, out.err = m.Predict(ctx, f)
	return out
}

// words are what a model answers by itself where that is a text a row, such as the
// names of classes, and it has no scores; nil else.
func (b *batch) words(m *model.Bundle) []string {
	if a := m.Manifest.Answer; a == nil || a.Form != model.Own {
		return nil
	}
	rows, err := b.rows(m)
	if err != nil {
		return nil
	}
	raw, err := m.Answer(b.ctx, model.Call{Rows: rows})
	var out []string
	if err != nil || json.Unmarshal(raw, &out) != nil || len(out) != b.in.rows() {
		return nil
	}
	return out
}

var errLate = errors.New("the version is late")

// rows is what a version is asked about.
func (b *batch) rows(m *model.Bundle) (*frame.Frame, error) {
	for _, f := range b.frames {
		if f.bundle == m {
			return f.rows, nil
		}
	}
	return b.in.of(m)
}

// patience is how long a version that waits for a process may take. A candidate gets
// what the entry allows, at most half of what is left, so that the live version can
// still answer for it. Any other version leaves a tenth for those after it.
func (b *batch) patience(m *model.Bundle) time.Duration {
	left := time.Until(b.until)
	if b.entry.Route.Live == 0 || m != b.entry.Versions[b.entry.Route.Candidate] {
		return left - left/10
	}
	if late := b.entry.Late; late > 0 {
		return min(late, left/2)
	}
	return left / 2
}

// voice is a version that may answer or score beside.
type voice struct {
	role    string
	version int
	bundle  *model.Bundle
}

// voices are all that may answer or score beside.
func (b *batch) voices() [3]voice {
	r := &b.entry.Route
	return [3]voice{
		{prediction.Live, r.Live, b.entry.Versions[r.Live]},
		{prediction.Candidate, r.Candidate, b.entry.Versions[r.Candidate]},
		{prediction.Baseline, r.Baseline, b.entry.Baseline},
	}
}

// answer fills in who answers each record, and with what. A version that the caller
// asked for is heard first.
func (b *batch) answer(records []prediction.Record, asked int) {
	r := &b.entry.Route
	all := b.voices()
	live, cand, base := all[0], all[1], all[2]
	for i := range records {
		rec := &records[i]
		order := [3]voice{live, base}
		switch {
		case b.tried(rec, asked):
			order = [3]voice{cand, live, base}
		case r.Floor && asked == 0:
			order = [3]voice{base, live}
		}
		b.choose(rec, i, order[:])
		if asked != 0 && r.Share > 0 && r.Share < 1 {
			rec.Flags = append(rec.Flags, FlagAsked)
		}
	}
	b.flags(records)
}

// tried reports whether the candidate is to answer the record.
func (b *batch) tried(rec *prediction.Record, asked int) bool {
	r := &b.entry.Route
	if asked != 0 {
		return asked == r.Candidate
	}
	unit := rec.Key
	if unit == "" {
		unit = string(rec.ID)
	}
	return !b.alone && r.Share > 0 && release.Assign(r.Seed, unit, r.Share)
}

// together asks live version and candidate at once, where both wait for a process and
// both are needed, so that the one does not wait for the other.
func (b *batch) together(records []prediction.Record, asked int) {
	main, cand := b.entry.main(), b.entry.Versions[b.entry.Route.Candidate]
	if main == nil || cand == nil || main == cand || !main.Waits() || !cand.Waits() ||
		!slices.ContainsFunc(records, func(r prediction.Record) bool { return b.tried(&r, asked) }) {
		return
	}
	var one, two *scored
	var both sync.WaitGroup
	both.Go(func() { one = b.ask(cand) })
	two = b.ask(main)
	both.Wait()
	b.done = append(b.done, one, two)
}

// beside are the voices that score what they do not answer.
func (b *batch) beside() []voice {
	all := b.voices()
	if b.entry.Route.Both {
		return all[:]
	}
	return all[2:]
}

// pending reports whether a version that waits for a process is still to score beside.
func (b *batch) pending() bool {
	for _, v := range b.beside() {
		if v.bundle != nil && v.bundle.Waits() && b.heard(v.bundle) == nil {
			return true
		}
	}
	return false
}

// besides fills in what the others said of the records.
func (b *batch) besides(records []prediction.Record) {
	voices := b.beside()
	for i := range records {
		for _, v := range voices {
			b.besideOf(&records[i], i, v)
		}
		b.disagree(&records[i])
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
		rec.Vector = sample(rec.ID, s.Features, i)
		return
	}
	rec.Arm = prediction.Fallback
	rec.Scores = b.fallback(i)
	rec.Flags = append(rec.Flags, "fallback")
}

// besideOf keeps what v said of the record unless it answered or was asked already.
func (b *batch) besideOf(rec *prediction.Record, i int, v voice) {
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
		if x, ok := b.in.number(f.Column, i); ok {
			return []float64{x}
		}
	}
	if f.Value != nil {
		return []float64{*f.Value}
	}
	return nil
}
