// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"slices"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/model"
	"flyball/serving/prediction"
)

// Which predictions keep their reasons, as Entry.Explain says it.
const (
	KeepAll     = "all"
	KeepFlagged = "flagged" // those with a flag
	KeepNone    = "none"    // also the zero value
)

// topReasons is how many columns are named; what the others add is one number.
const topReasons = 5

// explain says why each row got its score, by the version that answered it. A row that
// no version answered has no reasons, and so have those whose version cannot be
// explained; the second answer says why, for the caller to read.
func explain(ctx context.Context, bundle func(r *prediction.Record) *model.Bundle, in input, records []prediction.Record) ([]*prediction.Reasons, string) {
	out := make([]*prediction.Reasons, len(records))
	rows := map[*model.Bundle][]int{}
	var order []*model.Bundle
	for i := range records {
		b := bundle(&records[i])
		if b == nil {
			continue
		}
		if rows[b] == nil {
			order = append(order, b)
		}
		rows[b] = append(rows[b], i)
	}
	why := ""
	for _, b := range order {
		if err := explainBy(ctx, b, in, records, rows[b], out); err != nil {
			why = err.Error()
		}
	}
	return out, why
}

// explainBy explains those of the rows that a version answered. A panic in it is an
// error of its own.
func explainBy(ctx context.Context, b *model.Bundle, in input, records []prediction.Record, rows []int, out []*prediction.Reasons) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Internal, "the version cannot be explained: %v", p)
		}
	}()
	f := in.cols
	if in.raw != nil {
		if f, err = frame.DecodeRows(in.raw, frame.DecodeOptions{Required: b.Inputs()}); err != nil {
			return err
		}
	}
	if len(rows) < f.Rows() {
		f = f.Take(rows)
	}
	e, err := b.Explain(ctx, f)
	if err != nil {
		return err
	}
	for k, i := range rows {
		out[i] = Reasons(b, &e, k, records[i].Scores, topReasons)
		if out[i] == nil {
			continue
		}
		out[i].Version = records[i].Version
		raw := records[i].Row
		if raw == nil {
			raw = in.row(i)
		}
		Values(out[i], raw)
	}
	return nil
}

// Reasons are the greatest contributions to the score of the i-th row explained, at most
// so many; of a model with classes, to that of the class with the greatest score. They
// are nil where a number is not finite.
func Reasons(b *model.Bundle, e *model.Explanation, i int, scores []float64, most int) *prediction.Reasons {
	best := 0
	for k := range min(len(scores), e.Outputs) {
		if scores[k] > scores[best] {
			best = k
		}
	}
	p := e.Row(i, best)
	r := &prediction.Reasons{Method: string(e.Method), Space: string(e.Space), Margin: p.Margin, Base: p.Base, Residual: p.Residual}
	if e.Outputs > 1 && e.Outputs == len(b.Manifest.Classes) {
		r.Class = b.Manifest.Classes[best]
	}
	finite := p.Margin + p.Base + p.Residual
	for j, x := range p.Columns {
		finite += x
		if x == 0 {
			continue
		}
		one := prediction.Reason{Feature: e.Columns[j], Contribution: x}
		if p.Errors != nil {
			one.Error = p.Errors[j]
		}
		r.Top = append(r.Top, one)
	}
	if math.IsNaN(finite) || math.IsInf(finite, 0) {
		return nil
	}
	slices.SortStableFunc(r.Top, func(a, b prediction.Reason) int {
		return cmp.Compare(math.Abs(b.Contribution), math.Abs(a.Contribution))
	})
	for _, one := range r.Top[min(most, len(r.Top)):] {
		r.Rest += one.Contribution
	}
	r.Top = slices.Clip(r.Top[:min(most, len(r.Top))])
	return r
}

// Values fills in what the row has in the columns that are named.
func Values(r *prediction.Reasons, row json.RawMessage) {
	var of map[string]json.RawMessage
	if json.Unmarshal(row, &of) != nil {
		return
	}
	for k := range r.Top {
		r.Top[k].Value = of[r.Top[k].Feature]
	}
}
