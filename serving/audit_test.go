// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"flyball/data/dataset"
	"flyball/fault"
	"flyball/model"
	"flyball/serving/release"
)

// audited is a server of m, which takes the gender and the age of a row apart from it.
func audited(t *testing.T) (*Server, *memoryLog) {
	t.Helper()
	log := &memoryLog{}
	s := New(Options{Log: log, Now: func() time.Time { return now }})
	e := Entry{Route: release.Route{Live: 1, Generation: 1}, Versions: map[int]*model.Bundle{1: always(t, 1, "x")}}
	e.Task = dataset.Task{Column: "y", Kind: dataset.Regression, Audit: []dataset.Slice{{Column: "gender"}, {Column: "age", Bins: []float64{30, 60}}}}
	if err := s.Publish("m", e); err != nil {
		t.Fatal(err)
	}
	return s, log
}

func raws(texts ...string) []json.RawMessage {
	out := make([]json.RawMessage, len(texts))
	for i, s := range texts {
		if s != "" {
			out[i] = json.RawMessage(s)
		}
	}
	return out
}

func TestGroupsAreKeptBesideTheRowAndNotInIt(t *testing.T) {
	s, log := audited(t)
	_, err := s.Predict(t.Context(), Request{Model: "m", Rows: raws(`{"x":1}`, `{"x":2}`, `{"x":3}`), Audit: raws(`{"gender":"f","age":42}`, "", `{"gender":null,"age":60}`)})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range log.kept {
		got = append(got, fmt.Sprint(r.Audit))
		if text, err := json.Marshal(r); err != nil || strings.Contains(string(text), "gender") || strings.Contains(string(r.Row), "age") {
			t.Errorf("the record holds its groups: %s, %v", text, err)
		}
	}
	if want := "[map[age:30…60 gender:f] map[] map[age:≥60]]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestGroupsThatAreNotAskedForAreRefused(t *testing.T) {
	row := `{"x":1}`
	for _, c := range []struct {
		name, model string
		audit       []string
		version     int
		says        string
	}{
		{"of a model that takes none", "plain", []string{`{"gender":"f"}`}, 0, "plain takes no audit: its model file does not switch it on"},
		{"for more rows than there are", "m", []string{`{"gender":"f"}`, `{"gender":"f"}`}, 0, "audit has 2 entries for 1 rows"},
		{"of a column that is not named", "m", []string{`{"religion":"none"}`}, 0, `"religion" is not a column of predict.audit, which has gender, age`},
		{"no object", "m", []string{`"f"`}, 0, "audit 0 is not a JSON object"},
		{"a list for a value", "m", []string{`{"gender":["f"]}`}, 0, `audit 0, "gender": a text`},
		{"a text for a number", "m", []string{`{"age":"old"}`}, 0, `audit 0, "age": a number is asked for`},
		{"of a version by its number", "m", []string{`{"gender":"f"}`}, 2, "m takes no audit here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, log := audited(t)
			if err := s.Publish("plain", Entry{
				Route: release.Route{Live: 1}, Versions: map[int]*model.Bundle{1: always(t, 1, "x")}, Task: dataset.Task{Column: "y", Kind: dataset.Regression},
			}); err != nil {
				t.Fatal(err)
			}
			if err := s.Publish("m", Entry{
				Route: release.Route{Live: 1, Candidate: 2, Share: 0.5, Generation: 2}, Versions: map[int]*model.Bundle{1: always(t, 1, "x"), 2: always(t, 2, "x")},
				Task: dataset.Task{Column: "y", Kind: dataset.Regression, Audit: []dataset.Slice{{Column: "gender"}, {Column: "age", Bins: []float64{30, 60}}}},
			}); err != nil {
				t.Fatal(err)
			}
			_, err := s.Predict(t.Context(), Request{Model: c.model, Version: c.version, Rows: raws(row), Audit: raws(c.audit...)})
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
			if len(log.kept) > 0 {
				t.Errorf("%d rows were kept", len(log.kept))
			}
		})
	}
}

func TestARowThatHoldsWhatIsKeptApartIsRefusedUnlessAVersionNeedsIt(t *testing.T) {
	s, log := audited(t)
	for _, row := range []string{`{"x":1,"gender":"f"}`, `{"x":1, "age" : null}`} {
		_, err := s.Predict(t.Context(), Request{Model: "m", Rows: raws(`{"x":0}`, row)})
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "row 1 holds") {
			t.Errorf("%s: got %v", row, err)
		}
		_, err = s.Record(t.Context(), "m", []Given{{Row: json.RawMessage(row), Version: 1, Scores: []float64{1}}})
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "row 0 holds") {
			t.Errorf("%s: got %v", row, err)
		}
	}
	if len(log.kept) > 0 {
		t.Errorf("%d rows were kept", len(log.kept))
	}
	if _, err := s.Predict(t.Context(), Request{Model: "m", Rows: raws(`{"x":1,"note":"gender"}`)}); err != nil {
		t.Errorf("a value of that name: %v", err)
	}
	if err := s.Publish("m", Entry{
		Route: release.Route{Live: 1, Generation: 2}, Versions: map[int]*model.Bundle{1: always(t, 1, "x", "age")},
		Task: dataset.Task{Column: "y", Kind: dataset.Regression, Audit: []dataset.Slice{{Column: "age", Bins: []float64{30}}}},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Predict(t.Context(), Request{Model: "m", Rows: raws(`{"x":1,"age":20}`), Audit: raws(`{"age":20}`)}); err != nil {
		t.Errorf("a column that the version needs: %v", err)
	}
}

func TestAnAnswerGivenElsewhereBringsItsGroups(t *testing.T) {
	s, log := audited(t)
	if _, err := s.Record(t.Context(), "m", []Given{
		{Row: json.RawMessage(`{"x":1}`), Version: 1, Scores: []float64{1}, Audit: json.RawMessage(`{"gender":"m"}`)},
		{Row: json.RawMessage(`{"x":2}`), Version: 1, Scores: []float64{1}},
	}); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(log.kept[0].Audit, log.kept[1].Audit); got != "map[gender:m] map[]" {
		t.Errorf("got %s", got)
	}
}
