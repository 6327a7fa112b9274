// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"flyball/api/wire"
	"flyball/data/frame"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/ident"
	"flyball/serving"
	"flyball/serving/prediction"
)

func (f *face) predictRoutes() {
	route(f, access.Read, http.MethodGet, "/v1/models/{model}/stats", "stats", "What this process answered, and what it holds loaded",
		func(ctx context.Context, in *OfModel) (*body[serving.Stats], error) {
			return answer(f.Serving.Stats(ctx, in.Model))
		})
	f.tellRoutes()
	f.predictionRoutes()
}

// noNumber is a key whose value is a number that JSON does not have, as some writers of
// JSON write it.
var noNumber = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"\s*:\s*(-?)$`)

// notJSON says what is wrong with a body of rows, and names the column of a NaN or an
// infinity: they are what is sent most.
func notJSON(raw []byte, err error) error {
	if bad, ok := errors.AsType[*json.SyntaxError](err); ok && bad.Offset > 0 && bad.Offset <= int64(len(raw)) {
		before, after := raw[:bad.Offset-1], raw[bad.Offset-1:]
		before = before[max(0, len(before)-256):]
		for _, word := range []string{"NaN", "Infinity"} {
			if m := noNumber.FindSubmatch(before); m != nil && bytes.HasPrefix(after, []byte(word)) {
				return fault.New(fault.Invalid, "column %q: %s%s is not JSON", m[1], m[2], word).Do("send null for a value that is missing")
			}
		}
	}
	return fault.Wrap(err, fault.Invalid, "the body is not a JSON object with rows")
}

func response(a serving.Answer) wire.PredictResponse {
	out := wire.PredictResponse{
		Model: a.Model, Generation: a.Generation, Version: a.Records[0].Version,
		Predictions: make([]wire.Prediction, len(a.Records)),
	}
	for i := range a.Records {
		r := &a.Records[i]
		p := wire.Prediction{ID: string(r.ID), Key: r.Key, Version: r.Version, Arm: r.Arm, Decision: r.Decision, Flags: r.Flags}
		switch len(r.Scores) {
		case 0:
		case 1:
			p.Value = &r.Scores[0]
		default:
			p.Scores = r.Scores
		}
		reasons(&p, a, i)
		out.Predictions[i] = p
	}
	return out
}

func given(in []wire.Given) []serving.Given {
	out := make([]serving.Given, len(in))
	for i, g := range in {
		out[i] = serving.Given{ID: ident.PredictionID(g.ID), Row: g.Row, Version: g.Version, Scores: g.Scores, At: g.At, Audit: g.Audit}
		if g.Value != nil {
			out[i].Scores = append([]float64{*g.Value}, g.Scores...) // both is one score too many
		}
	}
	return out
}

// label keeps truths as they came: all of a request or none.
func (f *face) label(ctx context.Context, model string, in []wire.Label) (wire.LabelsResponse, error) {
	if err := f.knows(ctx, model); err != nil {
		return wire.LabelsResponse{}, err
	}
	now := f.Now()
	ls := make([]prediction.Label, len(in))
	for i, l := range in {
		value, err := labelValue(l.Value)
		if err != nil {
			return wire.LabelsResponse{}, fault.Wrap(err, fault.Invalid, "label %d", i)
		}
		if (l.ID == "") == (l.Key == "") {
			return wire.LabelsResponse{}, fault.New(fault.Invalid, "label %d names its prediction by id or by key, one of the two", i)
		}
		at := now
		if l.At != "" {
			us, err := frame.ParseTime(l.At)
			if err != nil {
				return wire.LabelsResponse{}, fault.Wrap(err, fault.Invalid, "label %d", i)
			}
			at = time.UnixMicro(us).UTC()
		}
		ls[i] = prediction.Label{Model: model, ID: ident.PredictionID(l.ID), Key: l.Key, Value: value, At: at, Received: now}
	}
	unmatched, err := f.Log.AppendLabels(ctx, ls...)
	return wire.LabelsResponse{Accepted: len(ls), Unmatched: unmatched}, err
}

// labelValue is a truth in the form in which it is kept: the shortest number, or
// the text.
func labelValue(raw json.RawMessage) (string, error) {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return "", fault.Wrap(err, fault.Invalid, "the value is not JSON")
	}
	switch v := v.(type) {
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	case bool:
		if v {
			return "1", nil
		}
		return "0", nil
	case string:
		if v != "" {
			return v, nil
		}
	}
	return "", fault.New(fault.Invalid, "the value is a number, true, false or a text that is not empty")
}
