// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/serving/prediction"
)

// houses are rows of two kinds: in the north the model is off by 1, in the south by
// 3, and by more so many times.
func houses(seed uint64, n int, south, more float64) (Residuals, []prediction.Joined) {
	r := rand.New(rand.NewPCG(seed, 8))
	out := Residuals{}
	var where []string
	var area []float64
	var rows []prediction.Joined
	for i := range n {
		name, off := "north", 1.0
		if r.Float64() < south {
			name, off = "south", 3
		}
		score, a := 100+r.NormFloat64(), r.NormFloat64()
		truth := score + more*off*(2*float64(r.IntN(2))-1)
		out.Truth, out.Scores = append(out.Truth, truth), append(out.Scores, score)
		where, area = append(where, name), append(area, a)
		at := date(2022, 1, 1).Add(time.Duration(i) * 10 * time.Minute)
		rows = append(rows, prediction.Joined{
			Record: prediction.Record{Model: "m", Version: 3, Arm: prediction.Live, Time: at, Due: at, Row: fmt.Appendf(nil, `{"where":%q,"area":%g}`, name, a), Scores: []float64{score}},
			Label:  &prediction.Label{Value: fmt.Sprint(truth), At: at},
		})
	}
	out.Rows = frame.New(frame.TextColumn("where", where, nil), frame.NumberColumn("area", area))
	return out, rows
}

func TestAChangeIsMixOrConcept(t *testing.T) {
	held, _ := houses(1, 3000, 0.3, 1)
	task := dataset.Task{Kind: dataset.Regression}
	p, err := NewProfile(Policy{AtLeast: 100}, task, []frame.Field{{Name: "where", Kind: frame.Text}, {Name: "area", Kind: frame.Number}}, held.Rows, held.Scores, held)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		south, more  float64
		word, column string
		mix, concept float64 // of the column where
	}{
		{0.3, 1, "no change", "", 0, 0},
		{0.8, 1, "mix", "where", 1, 0}, // half of the rows, off by 2 more
		{0.3, 2, "concept", "", 0, 1.6},
	} {
		_, rows := houses(2, 3000, c.south, c.more)
		got := Stand(StandingInput{Task: task, Profile: p, Model: "m", Version: 3, Newest: rows, Due: rows, Now: date(2023, 1, 1)}).Cause
		if got == nil || got.Word != c.word {
			t.Errorf("south %g, more %g: got %+v, want %s", c.south, c.more, got, c.word)
			continue
		}
		if c.column != "" && got.Columns[0].Column != c.column {
			t.Errorf("got %+v first, want %s", got.Columns[0], c.column)
		}
		for _, s := range got.Columns {
			if math.Abs(s.Mix+s.Concept-got.Change) > 1e-9 {
				t.Errorf("%s: mix %g and concept %g are not the change of %g", s.Column, s.Mix, s.Concept, got.Change)
			}
			if s.Column == "where" && (math.Abs(s.Mix-c.mix) > 0.1 || math.Abs(s.Concept-c.concept) > 0.1) {
				t.Errorf("got mix %.2f and concept %.2f, want %g and %g", s.Mix, s.Concept, c.mix, c.concept)
			}
		}
		if c.word == "concept" && got.Groups[0].Part < 0.5 {
			t.Errorf("got %+v first, want a group that is worse", got.Groups[0])
		}
	}
}

func TestTheOrderOfColumnsAndTheirSharesAreComparedWithTheHeldOutRows(t *testing.T) {
	rows := func(a, b, c float64) (out [][]Added) {
		for i := range leastReasons {
			sign := float64(1 - 2*(i%2))
			out = append(out, []Added{{"a", a * sign}, {"b", -b * sign}, {"c", c}})
		}
		return out
	}
	was := attributed(rows(6, 3, 1))
	if was.Columns[0] != (Column{"a", 0.6}) || was.of("c") != 0.1 || was.of("d") != 0 {
		t.Fatalf("got %+v, want shares of 0.6, 0.3 and 0.1", was)
	}
	same := compared(attributed(rows(60, 30, 10)), was)
	if math.Abs(same.Order-1) > 1e-12 || same.Moved > 1e-12 {
		t.Errorf("got %+v, want no change: scores may all be larger", same)
	}
	turned := compared(attributed(rows(1, 3, 6)), was)
	// scikit-learn: ndcg_score([[.6, .3, .1]], [[.1, .3, .6]])
	if math.Abs(turned.Order-0.7021252503381448) > 1e-12 || math.Abs(turned.Moved-0.5) > 1e-12 || turned.Columns[0].Name != "c" {
		t.Errorf("got %+v, want the order turned and half of the shares moved", turned)
	}
	if attributed(rows(0, 0, 0)) != nil || attributed(rows(1, 1, 1)[:5]) != nil || attributed(rows(math.NaN(), math.Inf(1), 0)) != nil {
		t.Error("got shares of nothing")
	}
}

func TestReasonsOfFlaggedRowsAloneAreNotThoseOfAll(t *testing.T) {
	held, rows := houses(1, 400, 0.3, 1)
	for range 200 {
		held.Added = append(held.Added, []Added{{"where", 2}, {"area", 1}})
	}
	task := dataset.Task{Kind: dataset.Regression}
	p, err := NewProfile(Policy{AtLeast: 100}, task, []frame.Field{{Name: "where", Kind: frame.Text}, {Name: "area", Kind: frame.Number}}, held.Rows, held.Scores, held)
	if err != nil {
		t.Fatal(err)
	}
	in := StandingInput{Task: task, Profile: p, Model: "m", Version: 3, Newest: rows, Now: date(2023, 1, 1)}
	reason := []byte(`{"top":[{"feature":"where","contribution":1},{"feature":"area","contribution":-2}]}`)
	for i := range 150 {
		rows[i].Reasons = reason
	}
	if got := Stand(in); got.Attributed != nil {
		t.Errorf("got %+v by reasons of 150 of 400 rows, want none", got.Attributed)
	}
	for i := range rows {
		rows[i].Reasons = reason
	}
	got := Stand(in).Attributed
	if got == nil || got.Rows != 400 || math.Abs(got.Moved-1.0/3) > 1e-9 {
		t.Errorf("got %+v, want a third of the shares moved", got)
	}
}

func TestAnAlarmNamesWhatMovedMostAndWhatHasMostWeight(t *testing.T) {
	s := newStepper(Input{Profile: &Profile{
		Features:    []Feature{{Name: "a"}, {Name: "b"}, {Name: "c"}},
		Attribution: &Attribution{Rows: 100, Columns: []Column{{"b", 0.8}, {"a", 0.2}}},
	}})
	shifts := []shift{{feature: 0}, {feature: 1}, {feature: 2}}
	got := s.byImpact(shifts, [][]float64{{0, 3}, {0, 2}, {0, 9}}, []int{2, 0, 1})
	if len(got) != 2 || got[0] != "b" || got[1] != "a" {
		t.Errorf("got %v, want b, which weighs most, and a; c adds nothing", got)
	}
	s.Profile.Attribution = nil
	if got := s.byImpact(shifts, [][]float64{{0, 3}, {0, 2}, {0, 9}}, []int{2, 0, 1}); len(got) != 0 {
		t.Errorf("got %v of shares that are not known, want none", got)
	}
}
