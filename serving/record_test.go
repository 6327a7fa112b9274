// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"flyball/fault"
	"flyball/ident"
	"flyball/model"
	"flyball/serving/prediction"
	"flyball/serving/release"
)

func TestAnAnswerGivenElsewhereIsKeptAsOurOwn(t *testing.T) {
	s, log := server(t, Entry{Route: release.Route{Live: 1, Generation: 9}, Versions: map[int]*model.Bundle{1: always(t, 10, "x")}})
	id, at := ident.NewPredictionID(now), now.Add(-time.Minute)
	got, err := s.Record(t.Context(), "m", []Given{
		{ID: id, Row: json.RawMessage(`{"ts": "2012-01-01T07:00-05:00"}`), Version: 1, Scores: []float64{12.5}, At: at},
		{Row: json.RawMessage(`{"ts":"2012-01-01T08:00-05:00","x":1}`), Version: 1, Scores: []float64{-3}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || len(log.kept) != 2 {
		t.Fatalf("%d records, %d kept", len(got), len(log.kept))
	}
	r := log.kept[0]
	if r.ID != id || r.Key != "2012-01-01T07:00-05:00" || r.Version != 1 || r.Arm != prediction.Live || r.Generation != 0 ||
		!r.At.Equal(at) || !r.Time.Equal(now) || !r.Due.Equal(now.Add(time.Hour)) || r.Scores[0] != 12.5 || string(r.Row) != `{"ts":"2012-01-01T07:00-05:00"}` {
		t.Errorf("kept %+v", r)
	}
	if r := log.kept[1]; r.ID == "" || r.ID == id || !r.At.Equal(now) {
		t.Errorf("kept %+v", r)
	}
}

func TestAnAnswerThatTheLiveVersionDidNotGiveIsRefusedAndNothingIsKept(t *testing.T) {
	row := json.RawMessage(`{"ts":"2012-01-01T07:00-05:00"}`)
	good := Given{Row: row, Version: 1, Scores: []float64{1}}
	for _, c := range []struct {
		name, says string
		bad        Given
		kind       fault.Kind
	}{
		{"the candidate's", "version 2, which is not live", Given{Row: row, Version: 2, Scores: []float64{1}}, fault.Invalid},
		{"no version's", "version 0, which is not live", Given{Row: row, Scores: []float64{1}}, fault.Invalid},
		{"no score", "has 0 scores, not 1", Given{Row: row, Version: 1}, fault.Invalid},
		{"a score that is no number", "NaN is no score", Given{Row: row, Version: 1, Scores: []float64{math.NaN()}}, fault.Invalid},
		{"an id of another kind", `"7" is not a UUIDv7`, Given{ID: "7", Row: row, Version: 1, Scores: []float64{1}}, fault.Invalid},
		{"a row without its key", `"ts"`, Given{Row: json.RawMessage(`{"x":1}`), Version: 1, Scores: []float64{1}}, fault.Invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, log := server(t, Entry{
				Route: release.Route{Live: 1, Candidate: 2}, Versions: map[int]*model.Bundle{1: always(t, 10), 2: always(t, 20)},
			})
			_, err := s.Record(t.Context(), "m", []Given{good, c.bad})
			if !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
			if len(log.kept) != 0 {
				t.Errorf("%d records kept", len(log.kept))
			}
		})
	}
	s, log := server(t, Entry{Route: release.Route{Live: 1}, Versions: map[int]*model.Bundle{1: always(t, 10)}})
	if _, err := s.Record(t.Context(), "other", []Given{good}); !fault.Is(err, fault.NotFound) {
		t.Errorf("a model that nobody serves: %v", err)
	}
	log.fail = errors.New("the disk is full")
	if _, err := s.Record(t.Context(), "m", []Given{good}); err == nil {
		t.Error("an answer that was not kept is acknowledged")
	}
}
