// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"cmp"
	"context"
	"database/sql"
	"math"
	"path/filepath"
	"slices"
	"time"

	"flyball/asof"
	"flyball/fault"
	"flyball/ident"
	"flyball/serving/prediction"
)

// Scan calls visit for each selected prediction in order of event time, then id,
// with its newest label. It sees the log as it is when Scan begins, with all that was
// appended before, durable or not. It holds one day of the model's selected rows in
// memory, or the last rows asked for. visit may use the log, and keep what it gets.
func (l *Log) Scan(ctx context.Context, q prediction.Query, visit func(prediction.Joined) error) error {
	if err := ident.CheckModel(q.Model); err != nil {
		return err
	}
	if q.Truth != "" && q.Truth != "known" && q.Truth != "waiting" {
		return fault.New(fault.Invalid, "truth is known or waiting, not %q", q.Truth)
	}
	if q.Last < 0 {
		return fault.New(fault.Invalid, "the last %d predictions are asked for", q.Last)
	}
	// What cannot be written now must not stop who reads; the writer tells of it.
	_ = l.Flush(ctx)
	if err := ctx.Err(); err != nil {
		return fault.Wrap(err, fault.Unavailable, "the predictions of %s were not read to the end", q.Model)
	}
	if q.Truth != "" && q.Last > 0 {
		return l.lastWith(ctx, q, visit)
	}
	tx, err := l.read.BeginTx(ctx, nil)
	if err != nil {
		return broken(err, "read")
	}
	defer func() { _ = tx.Rollback() }() // it only reads
	s := &scan{log: l, tx: tx, q: q, limits: limitsOf(ctx, q)}
	segments, err := s.segments(ctx)
	if err != nil {
		return err
	}
	if q.Last > 0 {
		rs, err := s.last(ctx, segments)
		if err != nil {
			return err
		}
		return s.visit(ctx, rs, visit)
	}
	for len(segments) > 0 {
		n := 1
		for n < len(segments) && segments[n].day == segments[0].day {
			n++
		}
		rs, err := s.day(ctx, segments[:n])
		if err != nil {
			return err
		}
		if err := s.visit(ctx, rs, visit); err != nil {
			return err
		}
		segments = segments[n:]
	}
	return nil
}

// lastWith is Scan for the last rows with or without a truth: which those are is known
// only when all are joined.
func (l *Log) lastWith(ctx context.Context, q prediction.Query, visit func(prediction.Joined) error) error {
	last := q.Last
	q.Last = 0
	var out []prediction.Joined
	err := l.Scan(ctx, q, func(j prediction.Joined) error {
		if out = append(out, j); len(out) >= 2*last {
			out = append(out[:0], out[len(out)-last:]...)
		}
		return nil
	})
	for _, j := range out[max(0, len(out)-last):] {
		if err == nil {
			err = visit(j)
		}
	}
	return err
}

// limits are a query's times in microseconds, all included.
type limits struct{ from, to, dueBy, asOf, since int64 }

// A reading as of a moment (package asof) knows nothing that came later.
func limitsOf(ctx context.Context, q prediction.Query) limits {
	out := limits{math.MinInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MinInt64}
	if !q.From.IsZero() {
		// Kept times are whole microseconds: at or after From is after the one before it.
		out.from = q.From.Add(-time.Nanosecond).UnixMicro() + 1
	}
	if !q.To.IsZero() {
		out.to = q.To.Add(-time.Nanosecond).UnixMicro()
	}
	if !q.DueBy.IsZero() {
		out.dueBy = q.DueBy.UnixMicro()
	}
	if !q.AsOf.IsZero() {
		out.asOf = q.AsOf.UnixMicro()
	}
	if t, past := asof.At(ctx); past {
		out.asOf = min(out.asOf, t.UnixMicro())
	}
	if !q.Since.IsZero() {
		out.since = q.Since.Add(-time.Nanosecond).UnixMicro() + 1
	}
	return out
}

// scan is one reading of the log.
type scan struct {
	log    *Log
	tx     *sql.Tx
	q      prediction.Query
	why    why     // of the hour that is given out
	groups audited // the same
	limits
}

// segment is a sealed file, or what is staged of one hour.
type segment struct {
	part int64
	day  int64
	hour int    // of what is staged
	name string // of the file; empty: staged
	sum  sum    // of the file
	bounds
}

// segments are those that may hold selected rows, in order of their days.
func (s *scan) segments(ctx context.Context) ([]segment, error) {
	rows, err := s.tx.QueryContext(ctx, `
		SELECT p.id, p.day, 0, f.name, f.crc, f.min_time, f.max_time, f.min_due, f.max_due, f.min_at, f.max_at
		FROM part p JOIN file f ON f.part = p.id WHERE p.model = ?1 AND p.day BETWEEN ?2 AND ?3
		UNION ALL
		SELECT p.id, p.day, c.hour, '', 0, min(c.min_time), max(c.max_time), min(c.min_due), max(c.max_due), min(c.min_at), max(c.max_at)
		FROM part p JOIN chunk c ON c.part = p.id WHERE p.model = ?1 AND p.day BETWEEN ?2 AND ?3 GROUP BY p.id, c.hour
		ORDER BY 2, 6, 4`, s.q.Model, floorDay(s.from), floorDay(s.to))
	if err != nil {
		return nil, broken(err, "read")
	}
	defer func() { _ = rows.Close() }()
	var out []segment
	for rows.Next() {
		var g segment
		b := &g.bounds
		if err := rows.Scan(&g.part, &g.day, &g.hour, &g.name, &g.sum, &b.minTime, &b.maxTime, &b.minDue, &b.maxDue, &b.minAt, &b.maxAt); err != nil {
			return nil, broken(err, "read")
		}
		if b.maxTime >= s.from && b.minTime <= s.to && b.minDue <= s.dueBy && b.minAt <= s.asOf && b.maxAt >= s.since {
			out = append(out, g)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, broken(err, "read")
	}
	return s.named(ctx, out)
}

func floorDay(us int64) int64 {
	p, _ := partOf("", us)
	return p.day
}

// named leaves the segments in which the query's id or key is said to lie.
func (s *scan) named(ctx context.Context, in []segment) ([]segment, error) {
	var name string
	switch {
	case s.q.ID != "":
		name = idName(s.q.ID)
	case s.q.Key != "":
		name = keyName(s.q.Key)
	default:
		return in, nil
	}
	rows, err := s.tx.QueryContext(ctx, `SELECT part.day, place.hour FROM part CROSS JOIN place ON place.part = part.id AND place.hash = ? WHERE part.model = ?`,
		hashOf(name), s.q.Model)
	if err != nil {
		return nil, broken(err, "read")
	}
	defer func() { _ = rows.Close() }()
	var hours []int64 // since 1970
	for rows.Next() {
		var day, hour int64
		if err := rows.Scan(&day, &hour); err != nil {
			return nil, broken(err, "read")
		}
		hours = append(hours, day*24+hour)
	}
	if err := rows.Err(); err != nil {
		return nil, broken(err, "read")
	}
	return slices.DeleteFunc(in, func(g segment) bool {
		return !slices.ContainsFunc(hours, func(h int64) bool {
			return g.minTime < (h+1)*hourMicros && g.maxTime >= h*hourMicros
		})
	}), nil
}

// wants reports whether a row is selected.
func (s *scan) wants(x place) bool {
	return x.Time >= s.from && x.Time <= s.to && x.Due <= s.dueBy && x.At <= s.asOf && x.At >= s.since &&
		(s.q.Key == "" || s.q.Key == x.Key) && (s.q.ID == "" || string(s.q.ID) == x.ID)
}

// whole reports whether all rows of a segment are selected.
func (s *scan) whole(g segment) bool {
	return s.q.Key == "" && s.q.ID == "" && g.minTime >= s.from && g.maxTime <= s.to && g.maxDue <= s.dueBy && g.maxAt <= s.asOf && g.minAt >= s.since
}

// read gives a segment's selected rows, or the last of them when last is above 0.
func (s *scan) read(ctx context.Context, g segment, last int) ([]prediction.Record, error) {
	if !s.q.Picks() {
		return s.readAll(ctx, g, last)
	}
	rs, err := s.readAll(ctx, g, 0)
	rs = slices.DeleteFunc(rs, func(r prediction.Record) bool { return !s.q.Wants(&r) })
	if last > 0 && len(rs) > last {
		rs = slices.Clone(rs[len(rs)-last:])
	}
	return rs, err
}

// readAll is read without what the query picks.
func (s *scan) readAll(ctx context.Context, g segment, last int) ([]prediction.Record, error) {
	if g.name != "" {
		ask := s.wants
		if s.whole(g) {
			ask = nil
		}
		rs, err := readSealed(filepath.Join(s.log.folder(part{s.q.Model, g.day}), g.name), s.q.Model, g.sum, ask, last, s.q.Reasons)
		if err != nil && s.log.gone(ctx, g, err) {
			return nil, nil
		}
		if err != nil {
			if now, is := s.log.replaced(ctx, g); is {
				return readSealed(filepath.Join(s.log.folder(part{s.q.Model, g.day}), g.name), s.q.Model, now, ask, last, s.q.Reasons)
			}
		}
		return rs, err
	}
	rs, err := decodeChunks(ctx, s.tx, s.q.Model, `SELECT body FROM chunk WHERE part = ? AND hour = ? ORDER BY seq`, g.part, g.hour)
	if err != nil {
		return nil, err
	}
	rs = slices.DeleteFunc(rs, func(r prediction.Record) bool {
		return !s.wants(place{ID: string(r.ID), Key: r.Key, Time: r.Time.UnixMicro(), Due: r.Due.UnixMicro(), At: r.At.UnixMicro()})
	})
	if rs = sortUnique(rs); last > 0 && len(rs) > last {
		rs = slices.Clone(rs[len(rs)-last:])
	}
	return rs, nil
}

// day gives the selected rows of a day's segments, in order.
func (s *scan) day(ctx context.Context, segments []segment) ([]prediction.Record, error) {
	var out []prediction.Record
	for _, g := range segments {
		rs, err := s.read(ctx, g, 0)
		if err != nil {
			return nil, err
		}
		out = append(out, rs...)
	}
	return sortUnique(out), nil
}

// last gives the newest rows asked for, in order. It begins with the newest segments
// and ends when no other can hold a newer row.
func (s *scan) last(ctx context.Context, segments []segment) ([]prediction.Record, error) {
	slices.SortStableFunc(segments, func(a, b segment) int { return cmp.Compare(b.maxTime, a.maxTime) })
	var out []prediction.Record
	for _, g := range segments {
		if len(out) == s.q.Last && out[0].Time.UnixMicro() > g.maxTime {
			break
		}
		// A file may repeat rows of another: that many of its own are enough.
		rs, err := s.read(ctx, g, s.q.Last)
		if err != nil {
			return nil, err
		}
		out = sortUnique(append(out, rs...))
		if len(out) > s.q.Last {
			out = slices.Clone(out[len(out)-s.q.Last:])
		}
	}
	return out, nil
}

// visit joins the labels and hands the rows out.
func (s *scan) visit(ctx context.Context, rs []prediction.Record, visit func(prediction.Joined) error) error {
	for batch := range slices.Chunk(rs, labelsAtOnce) {
		if err := ctx.Err(); err != nil {
			return fault.Wrap(err, fault.Unavailable, "the predictions of %s were not read to the end", s.q.Model)
		}
		joined, err := join(ctx, s.tx, s.q.Model, batch, s.asOf)
		if err != nil {
			return err
		}
		for i := range joined {
			if s.q.Truth != "" && (s.q.Truth == "known") != (joined[i].Label != nil) {
				continue
			}
			if err := s.reason(ctx, &joined[i].Record); err != nil {
				return err
			}
			if err := s.audit(ctx, &joined[i].Record); err != nil {
				return err
			}
			if err := visit(joined[i]); err != nil {
				return err
			}
		}
	}
	return nil
}
