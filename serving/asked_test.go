// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"encoding/json"
	"math"
	"testing"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/ident"
	"flyball/model"
	"flyball/serving/release"
)

func TestColumnsAreAnsweredAndLoggedAsRowsAre(t *testing.T) {
	s, log := server(t, Entry{Route: release.Route{Live: 1}, Versions: map[int]*model.Bundle{1: always(t, 10, "x", "z")}})
	f := frame.New(
		frame.NumberColumn("x", []float64{0.1, 3}), frame.NumberColumn("z", []float64{math.NaN(), math.Inf(1)}),
		frame.TextColumn("ts", []string{"2012-01-01", "2012-01-02"}, nil),
	)
	a, err := s.Predict(context.Background(), Request{Model: "m", Frame: f})
	if err != nil || !a.Routed || len(a.Records) != 2 || a.Records[1].Scores[0] != 10 || a.Records[1].Key != "2012-01-02" {
		t.Fatalf("got %+v, %v", a, err)
	}
	if got, want := string(log.kept[0].Row), `{"x":0.1,"z":null,"ts":"2012-01-01"}`; got != want {
		t.Errorf("kept %s, want %s", got, want)
	}
	if _, err := s.Predict(context.Background(), Request{Model: "m", Frame: frame.New(f.Columns()[0], f.Columns()[1])}); !fault.Is(err, fault.Invalid) {
		t.Errorf("without its key: got %v", err)
	}
}

func TestANumberThatIsNotLiveIsScoredAndNotLogged(t *testing.T) {
	s, log := server(t, Entry{Route: release.Route{Live: 1, Previous: 2}, Versions: map[int]*model.Bundle{1: always(t, 10, "x"), 2: always(t, 20, "x")}})
	rows := []json.RawMessage{[]byte(`{"x":1}`)}
	a, err := s.Predict(context.Background(), Request{Model: "m", Version: 2, Rows: rows})
	if err != nil || a.Routed || a.Version != 2 || a.Records[0].Scores[0] != 20 || a.Records[0].ID != "" || a.Records[0].Arm != Asked {
		t.Errorf("got %+v, %v", a, err)
	}
	if len(log.kept) != 0 {
		t.Errorf("%d records were kept", len(log.kept))
	}
	if _, err := s.Predict(context.Background(), Request{Model: "m", Version: 3, Rows: rows}); !fault.Is(err, fault.NotFound) {
		t.Errorf("a version that is not there: got %v", err)
	}
	d, err := s.Describe(context.Background(), ident.Name{Model: "m", Alias: "live"})
	if err != nil || d.Version != 1 || !d.Routed || len(d.Inputs) != 2 || d.Inputs[1] != (frame.Field{Name: "ts", Kind: frame.Text}) || len(d.Versions) != 2 {
		t.Errorf("described as %+v, %v", d, err)
	}
}
