// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"flyball/fault"
	"flyball/ident"
	"flyball/serving/prediction"
)

var _ prediction.ReasonLog = (*Log)(nil)

// reasoned are reasons as the writer needs them.
type reasoned struct {
	part
	hour int
	body []byte
}

// AppendReasons keeps reasons with the predictions that have their ids, be those in the
// log already or still on their way. It returns at once; without room in the queue it
// drops all of rs and counts them.
func (l *Log) AppendReasons(ctx context.Context, rs ...prediction.Reasoned) error {
	it := &item{reasons: make([]reasoned, len(rs))}
	for i := range rs {
		r := &rs[i]
		if err := ident.CheckModel(r.Model); err != nil {
			return err
		}
		if err := checkID(r.ID); err != nil {
			return err
		}
		if !json.Valid(r.Reasons) {
			return fault.New(fault.Invalid, "the reasons of prediction %s are not JSON", r.ID)
		}
		p, hour := partOf(r.Model, r.Time.UnixMicro())
		body := appendText(nil, string(r.ID))
		body = appendText(body, string(clean(r.Reasons)))
		it.reasons[i] = reasoned{part: p, hour: hour, body: body}
		it.bytes += len(body)
	}
	if len(rs) == 0 {
		return nil
	}
	if err := l.enter(ctx, it, false); !errors.Is(err, noRoom) {
		return err
	}
	return nil
}

// whyVersion is the first byte of a body of reasons.
const whyVersion = 1

// whysOf groups the items' reasons by part and hour, in their order.
func whysOf(items []*item) []*reasoned {
	type group struct {
		part
		hour int
	}
	found := map[group]*reasoned{}
	var out []*reasoned
	for _, it := range items {
		for _, r := range it.reasons {
			g := group{r.part, r.hour}
			w := found[g]
			if w == nil {
				w = &reasoned{part: r.part, hour: r.hour, body: []byte{whyVersion}}
				found[g] = w
				out = append(out, w)
			}
			w.body = append(w.body, r.body...)
		}
	}
	return out
}

func (l *Log) putWhy(ctx context.Context, tx *sql.Tx, w *reasoned) error {
	id, err := l.partID(ctx, tx, w.part)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO why (part, hour, body) VALUES (?, ?, ?)`, id, w.hour, w.body)
	return err
}

// readWhy reads the reasons that the query gives, by prediction, and the last seq.
func readWhy(ctx context.Context, db queryer, model, query string, args ...any) (map[ident.PredictionID]json.RawMessage, int64, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, 0, broken(err, "read")
	}
	defer func() { _ = rows.Close() }()
	out, last := map[ident.PredictionID]json.RawMessage{}, int64(0)
	for rows.Next() {
		var seq int64
		var body sql.RawBytes
		if err := rows.Scan(&seq, &body); err != nil {
			return nil, 0, broken(err, "read")
		}
		last = max(last, seq)
		if err := decodeWhy(model, body, out); err != nil {
			return nil, 0, err
		}
	}
	return out, last, broken(rows.Err(), "read")
}

// decodeWhy reads the reasons of one body into out. What putWhy did not write is an
// Invalid fault; nothing larger than the body is allocated for it, and nothing holds it.
func decodeWhy(model string, body []byte, out map[ident.PredictionID]json.RawMessage) error {
	if len(body) == 0 || body[0] != whyVersion {
		return fault.New(fault.Invalid, "staged reasons of %s are of an unknown format", model)
	}
	d := decoder{rest: body[1:]}
	for len(d.rest) > 0 && !d.bad {
		id := ident.PredictionID(d.text())
		out[id] = json.RawMessage(d.text())
	}
	if d.bad {
		return fault.New(fault.Invalid, "staged reasons of %s are damaged", model).Do("restore staged.db from a backup")
	}
	return nil
}

// reasonsOf gives the rows of a job the reasons that are staged for them, and tells the
// last of those. Reasons that come later stay staged.
func (l *Log) reasonsOf(ctx context.Context, j sealJob, rs []prediction.Record) (int64, error) {
	found, last, err := readWhy(ctx, l.read, j.model, `SELECT seq, body FROM why WHERE part = ? AND hour BETWEEN ? AND ? ORDER BY seq`, j.id, j.from, j.to)
	for i := range rs {
		rs[i].Reasons = found[rs[i].ID]
	}
	return last, err
}

// why is the staged reasons of an hour.
type why struct {
	found map[ident.PredictionID]json.RawMessage
	part
	hour int
}

// reason gives the record its reasons where they are asked for and not sealed with it.
// Records come in order of their hours.
func (s *scan) reason(ctx context.Context, r *prediction.Record) error {
	if !s.q.Reasons || r.Reasons != nil {
		return nil
	}
	p, hour := partOf(s.q.Model, r.Time.UnixMicro())
	if s.why.found == nil || p != s.why.part || hour != s.why.hour {
		found, _, err := readWhy(ctx, s.tx, s.q.Model, `SELECT seq, body FROM why WHERE part = (SELECT id FROM part WHERE model = ? AND day = ?) AND hour = ? ORDER BY seq`,
			p.model, p.day, hour)
		if err != nil {
			return err
		}
		s.why = why{found: found, part: p, hour: hour}
	}
	r.Reasons = s.why.found[r.ID]
	return nil
}
