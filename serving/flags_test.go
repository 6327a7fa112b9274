// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/model"
	"flyball/model/constant"
	"flyball/model/unusual"
	"flyball/serving/prediction"
	"flyball/serving/release"
)

// watchful is a bundle that answers v, and knows that y is twice x, both from 0 to 999,
// and that answers lie within 90 of the truth.
func watchful(t *testing.T, v float64) *model.Bundle {
	t.Helper()
	const n = 4000
	x, y, scores, truth := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range x {
		x[i] = float64(i * 7 % 1000)
		y[i] = 2 * x[i]
		truth[i] = float64(i % 100)
	}
	rows := frame.New(frame.NumberColumn("x", x), frame.NumberColumn("y", y))
	usual, err := unusual.New(rows.Fields(), rows, unusual.Held{Outputs: 1, Scores: scores, Truth: truth}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	p, err := pipeline.Fit(context.Background(), pipeline.Spec{Inputs: rows.Fields()}, rows, pipeline.Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	two, _, err := p.Transform(rows.Slice(0, 2))
	if err != nil {
		t.Fatal(err)
	}
	file, err := constant.Fit(two, []float64{v, v}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	b, err := model.Make(context.Background(), blob.Memory(), model.Decoders{Estimators: map[string]func([]byte) (model.Estimator, error){"constant.json": constant.Decode}},
		model.Parts{Model: "m", Task: dataset.Task{Kind: dataset.Regression}, Pipeline: p, Estimator: file, Rows: rows, Beside: []model.File{{Name: model.UnusualFile, Bytes: usual}}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAnAnswerSaysWhatIsUnusualOfItsRow(t *testing.T) {
	for _, c := range []struct {
		name    string
		row     string
		version float64 // score of the candidate
		want    []string
	}{
		{"a usual row", `{"ts":"2012-01-01","x":500,"y":1000}`, 0, nil},
		{"far beyond", `{"ts":"2012-01-01","x":500,"y":90000}`, 0, []string{unusual.Improbable, "out_of_range:y"}},
		{"each value alone is usual", `{"ts":"2012-01-01","x":900,"y":100}`, 0, []string{unusual.Improbable}},
		{"a value that is missing", `{"ts":"2012-01-01","x":null,"y":100}`, 0, nil},
		{"a candidate that says about the same", `{"ts":"2012-01-01","x":500,"y":1000}`, 80, nil},
		{"a candidate that says something else", `{"ts":"2012-01-01","x":500,"y":1000}`, 300, []string{unusual.Disagreeing}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, log := server(t, Entry{
				Route:    release.Route{Model: "m", Live: 1, Candidate: 2, Both: true},
				Versions: map[int]*model.Bundle{1: watchful(t, 0), 2: watchful(t, c.version)},
			})
			got := ask(t, s, c.row)
			if !slices.Equal(got.Flags, c.want) {
				t.Errorf("got %v, want %v", got.Flags, c.want)
			}
			if !slices.Equal(log.kept[0].Flags, c.want) {
				t.Errorf("the log has %v, want %v", log.kept[0].Flags, c.want)
			}
		})
	}
}

func TestAVersionThatKnowsNothingOfUnusualRowsFlagsNone(t *testing.T) {
	s, _ := server(t, Entry{Route: release.Route{Model: "m", Live: 1}, Versions: map[int]*model.Bundle{1: always(t, 1, "x")}})
	if got := ask(t, s, `{"ts":"2012-01-01","x":1e9}`); got.Flags != nil {
		t.Errorf("got %v, want none", got.Flags)
	}
}

func TestAnAnswerGivenElsewhereIsFlaggedAsWell(t *testing.T) {
	s, log := server(t, Entry{Route: release.Route{Model: "m", Live: 1}, Versions: map[int]*model.Bundle{1: watchful(t, 0)}})
	given := Given{Row: json.RawMessage(`{"ts":"2012-01-01","x":900,"y":100}`), Version: 1, Scores: []float64{3}}
	if _, err := s.Record(context.Background(), "m", []Given{given}); err != nil {
		t.Fatal(err)
	}
	if got := log.kept[0].Flags; !slices.Equal(got, []string{unusual.Improbable}) {
		t.Errorf("got %v", got)
	}
}

func TestARowIsUnusualToTheVersionThatAnsweredIt(t *testing.T) {
	s, _ := server(t, Entry{
		Route:    release.Route{Model: "m", Live: 1, Candidate: 2, Share: 1},
		Versions: map[int]*model.Bundle{1: always(t, 1, "x"), 2: watchful(t, 1)},
	})
	got := ask(t, s, `{"ts":"2012-01-01","x":900,"y":100}`)
	if got.Arm != prediction.Candidate || !slices.Equal(got.Flags, []string{unusual.Improbable}) {
		t.Errorf("%s answered with %v", got.Arm, got.Flags)
	}
}
