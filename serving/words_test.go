// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/ident"
	"flyball/model"
)

// speaker is a model that answers names of classes, and has no scores.
type speaker struct{ says string }

func (speaker) Inputs() []frame.Field { return []frame.Field{{Name: "x", Kind: frame.Number}} }

func (speaker) Outputs() int { return 1 }

func (speaker) Score(context.Context, *frame.Frame) (model.Scores, error) {
	return model.Scores{}, fault.New(fault.Invalid, "the model answers with something else than numbers")
}

func (s speaker) Answer(context.Context, model.Call) (json.RawMessage, error) {
	return json.RawMessage(s.says), nil
}

// one is a Source of one model.
type one struct {
	scorer model.Scorer
	answer *model.Answer
}

func (o one) Find(_ context.Context, n ident.Name) (ident.Ref, error) {
	return ident.Ref{Model: n.Model, Version: 1}, nil
}

func (one) Weigh(context.Context, ident.Ref) int64 { return 1 }

func (o one) Open(ctx context.Context, ref ident.Ref) (*model.Bundle, error) {
	read := func(context.Context, model.Manifest, model.Files) (model.Scorer, error) { return o.scorer, nil }
	d := model.Decoders{Scorers: map[string]func(context.Context, model.Manifest, model.Files) (model.Scorer, error){"own": read}}
	b, err := model.Hold(ctx, d, model.Manifest{Estimator: "own", Answer: o.answer}, noFiles{})
	if err != nil {
		return nil, err
	}
	rows := frame.New(frame.NumberColumn("x", []float64{1}))
	return b, b.Warm(ctx, rows)
}

func (one) Items(context.Context) ([]ident.Ref, error) { return nil, nil }

func TestAModelThatAnswersWordsGivesThemAsDecisions(t *testing.T) {
	own := &model.Answer{Form: model.Own}
	for _, c := range []struct {
		name, says string
		answer     *model.Answer
		want       []string // nil: its own error
	}{
		{"a word a row", `["yes","no"]`, own, []string{"yes", "no"}},
		{"a row too few", `["yes"]`, own, nil},
		{"an object a row", `[{"a":1},{"a":2}]`, own, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := New(Options{Log: &memoryLog{}, Now: time.Now, Shelf: NewShelf(ShelfOptions{Source: one{speaker{c.says}, c.answer}})})
			defer s.Close()
			a, err := s.Predict(t.Context(), Request{Model: "m", Rows: []json.RawMessage{[]byte(`{"x":1}`), []byte(`{"x":2}`)}})
			if c.want == nil {
				if !fault.Is(err, fault.Invalid) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range c.want {
				if r := a.Records[i]; r.Decision != want || r.Scores != nil {
					t.Errorf("row %d: got %q, %v", i, r.Decision, r.Scores)
				}
			}
		})
	}
}
