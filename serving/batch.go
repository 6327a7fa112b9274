// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"slices"
	"strings"
	"time"

	"flyball/fault"
	"flyball/model"
	"flyball/serving/prediction"
	"flyball/serving/release"
)

// batch scores one request's rows by the versions of an entry, each at most once.
type batch struct {
	ctx   context.Context
	entry *Entry
	in    input
	done  map[*model.Bundle]*scored
}

// scored is what one version said of the rows, or why it said nothing.
type scored struct {
	model.Scores
	err  error
	each time.Duration // per row
}

func newBatch(ctx context.Context, e *Entry, in input) *batch {
	return &batch{ctx: ctx, entry: e, in: in, done: make(map[*model.Bundle]*scored, 3)}
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
		out.each = time.Since(began) / time.Duration(b.in.rows())
	}()
	f, err := b.in.frame(m.Inputs())
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

// answer fills in who answers each record, with what, and what the others said. A
// version that the caller asked for is heard first.
func (b *batch) answer(records []prediction.Record, asked int) {
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
		case asked == 0 && r.Share > 0 && release.Assign(r.Seed, unit, r.Share), asked != 0 && asked == r.Candidate:
			order = []voice{cand, live, base}
		case r.Floor && asked == 0:
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
		rec.Flags = append(rec.Flags, flags[i]...)
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
		if x, ok := b.in.number(f.Column, i); ok {
			return []float64{x}
		}
	}
	if f.Value != nil {
		return []float64{*f.Value}
	}
	return nil
}

// flags are, for each row, the categories that the version asked first had not met.
func (b *batch) flags(voices ...voice) [][]string {
	out := make([][]string, b.in.rows())
	for _, v := range voices {
		if v.bundle == nil || v.bundle != b.entry.Versions[b.entry.Route.Live] && b.entry.Route.Live != 0 {
			continue
		}
		for _, u := range b.score(v.bundle).Unseen {
			out[u.Row] = unseen(out[u.Row], u.Column)
		}
	}
	for i := range out {
		slices.SortFunc(out[i], strings.Compare)
	}
	return out
}

// unseen adds the flag of a category in the column that was never met.
func unseen(flags []string, column string) []string {
	flag := "unseen:" + column
	if slices.Contains(flags, flag) {
		return flags
	}
	return append(flags, flag)
}
