// SPDX-License-Identifier: Apache-2.0

package scoring

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/ident"
	"flyball/model"
	"flyball/serving"
)

// answer is the whole body of an answer.
func (f *face) answer(ctx context.Context, w http.ResponseWriter, r *http.Request, kind string) ([]byte, error) {
	name, err := named(r)
	if err != nil {
		return nil, err
	}
	select {
	case f.places <- struct{}{}:
		defer func() { <-f.places }()
	case <-ctx.Done():
		return nil, fault.New(fault.Exhausted, "The server has more requests than it can work on").Do("send it again in a moment")
	}
	body, err := f.read(w, r)
	if err != nil {
		return nil, err
	}
	loan, err := f.Serving.Lend(ctx, name)
	if err != nil {
		return nil, err
	}
	defer loan.Back()
	s, err := f.schemas.of(loan.Bundle.Manifest.Answer)
	if err != nil {
		return nil, err
	}
	var req *request
	switch kind {
	case csvType:
		req, err = readCSV(body, s.inputs)
	case parquetType:
		req, err = readParquet(body, parquetMemory)
	default:
		req, err = readJSON(body)
	}
	if err != nil {
		return nil, err
	}
	out, err := f.predict(ctx, w.Header(), name, loan, req, s)
	if err != nil {
		return nil, err
	}
	return slices.Concat([]byte(`{"predictions": `), out, []byte("}")), nil
}

// read reads the body.
func (f *face) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	var b bytes.Buffer
	if n := r.ContentLength; n > 0 && n <= f.MaxBody {
		b.Grow(int(min(n, 1<<20)) + bytes.MinRead)
	}
	_, err := io.Copy(&b, http.MaxBytesReader(w, r.Body, f.MaxBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, fault.New(fault.TooLarge, "the body has more than %d bytes", f.MaxBody).Do("send the rows in several requests")
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "the body broke off")
	}
	return b.Bytes(), nil
}

// predict enforces the signature and asks the model.
func (f *face) predict(ctx context.Context, head http.Header, name ident.Name, loan serving.Loan, req *request, s schema) (json.RawMessage, error) {
	b := loan.Bundle
	own := b.Answers() && !loan.Routed
	params, err := enforceParams(req, s.params)
	if err != nil {
		return nil, err
	}
	q, err := enforceRequest(req, s.inputs, b.Inputs(), own)
	if err != nil {
		return nil, err
	}
	if q.rows == 0 {
		return json.RawMessage("[]"), nil
	}
	if loan.Routed {
		return f.routed(ctx, head, name, loan, req, q)
	}
	c := model.Call{Rows: q.frame, Types: q.types, Params: params}
	if q.frame == nil {
		c.Body = q.body
	}
	return b.Answer(ctx, c)
}

// The headers that say which version answered first, and the generation of the route by
// which it did: MLflow's form has no place for them.
const (
	versionHeader    = "X-Flyball-Version"
	generationHeader = "X-Flyball-Generation"
)

// routed asks as the model's route decides; the answers are logged and monitored.
func (f *face) routed(ctx context.Context, head http.Header, name ident.Name, loan serving.Loan, req *request, q *asked) (json.RawMessage, error) {
	if q.frame == nil {
		return nil, fault.New(fault.Invalid, "the rows hold what no column can").Do("send rows of named columns")
	}
	entry, _ := f.Serving.Entry(name.Model)
	rows, err := withMeta(q.frame, req.table, entry)
	if err != nil {
		return nil, err
	}
	ask := serving.Ask(name)
	ask.Frame = rows
	a, err := f.Serving.Predict(ctx, ask)
	if err != nil {
		return nil, err
	}
	head.Set(versionHeader, strconv.Itoa(a.Version))
	head.Set(generationHeader, strconv.FormatInt(a.Generation, 10))
	how := loan.Bundle.Manifest.Answer
	if a.Bundle != nil {
		how = a.Bundle.Manifest.Answer
	}
	return how.Predictions(func(yield func([]float64) bool) {
		for i := range a.Records {
			if !yield(a.Records[i].Scores) {
				return
			}
		}
	}), nil
}

// withMeta adds the columns that tell which row it is and when, and that of the
// fallback, as the caller sent them.
func withMeta(rows *frame.Frame, t *table, e serving.Entry) (*frame.Frame, error) {
	cols := slices.Clone(rows.Columns())
	var missing []string
	for _, name := range []string{e.Task.ID, e.Task.Time, e.Task.Truth.DueAt} {
		switch {
		case name == "" || slices.ContainsFunc(cols, func(c frame.Column) bool { return c.Name == name }):
		case t == nil || !t.has(name):
			missing = append(missing, name)
		default:
			words := make([]string, t.rows)
			null := make([]bool, t.rows)
			for i, s := range t.column(name) {
				words[i], null[i] = t.src.string(s), t.src.null(s)
				if null[i] {
					words[i] = ""
				}
			}
			cols = append(cols, frame.TextColumn(name, words, null))
		}
	}
	if len(missing) > 0 {
		return nil, unenforced("the columns that tell which row it is and when", "Model is missing inputs ['%s'].", missing[0])
	}
	if f := e.Route.Fallback; f != nil && f.Column != "" && t != nil && t.has(f.Column) &&
		!slices.ContainsFunc(cols, func(c frame.Column) bool { return c.Name == f.Column }) {
		num := make([]float64, t.rows)
		for i, s := range t.column(f.Column) {
			num[i], _ = floatOf(t.src, s)
		}
		cols = append(cols, frame.NumberColumn(f.Column, num))
	}
	return frame.WithRows(rows.Rows(), cols...), nil
}
