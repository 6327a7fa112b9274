// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"flyball/data/frame"
)

// reference is testdata/reference.json; null is missing.
type reference struct {
	X           []*float64            `json:"x"`
	City        []string              `json:"city"`
	Seen        []string              `json:"seen"`
	Impute      map[string][]*float64 `json:"impute"`
	Scale       map[string][]*float64 `json:"scale"`
	OneHot      encoded               `json:"one_hot"`
	OneHotRare  encoded               `json:"one_hot_at_least_2"`
	Ordinal     []*float64            `json:"ordinal"`
	Discretized struct {
		Edges []float64  `json:"edges"`
		Full  []*float64 `json:"full"`
		Rows  []*float64 `json:"rows"`
	} `json:"bucketize"`
}

type encoded struct {
	Names []string     `json:"names"`
	Rows  [][]*float64 `json:"rows"`
}

func readReference(t *testing.T) reference {
	t.Helper()
	b, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var r reference
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func floats(v []*float64) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		if out[i] = nan; x != nil {
			out[i] = *x
		}
	}
	return out
}

// near allows one step of float32: the reference is cast from float64 too, but adds
// in another order.
func near(got float32, want float64) bool {
	w := float32(want)
	return got == w || got != got && want != want || got == math.Nextafter32(w, got)
}

func checkColumn(t *testing.T, step Step, train, rows *frame.Frame, want []*float64) *Fitted {
	t.Helper()
	f := mustFit(t, Spec{Inputs: train.Fields(), Steps: []Step{step}}, train)
	m, _, err := f.Transform(rows)
	if err != nil || m.Cols != 1 || m.Rows != len(want) {
		t.Fatalf("%d x %d values, %v", m.Rows, m.Cols, err)
	}
	for i, w := range floats(want) {
		if !near(m.Data[i], w) {
			t.Errorf("row %d: got %v, scikit-learn %v", i, m.Data[i], w)
		}
	}
	return f
}

func TestTheOperationsGiveWhatScikitLearnGives(t *testing.T) {
	r := readReference(t)
	x := frame.New(frame.NumberColumn("x", floats(r.X)))
	for strategy, want := range r.Impute {
		t.Run("impute "+strategy, func(t *testing.T) {
			checkColumn(t, Step{Op: "impute", In: []string{"x"}, Strategy: strategy}, x, x, want)
		})
	}
	for strategy, want := range r.Scale {
		t.Run("scale "+strategy, func(t *testing.T) {
			checkColumn(t, Step{Op: "scale", In: []string{"x"}, Strategy: strategy}, x, x, want)
		})
	}
	t.Run("bucketize by quantile", func(t *testing.T) {
		full := frame.New(frame.NumberColumn("x", floats(r.Discretized.Full)))
		f := checkColumn(t, Step{Op: "bucketize", In: []string{"x"}, Bins: 4}, full, full, r.Discretized.Rows)
		for i, e := range f.states[0].Edges[0] {
			if math.Abs(e-r.Discretized.Edges[i]) > 1e-12 {
				t.Errorf("edge %d: got %v, scikit-learn %v", i, e, r.Discretized.Edges[i])
			}
		}
	})
	city, seen := frame.New(frame.TextColumn("city", r.City, nil)), frame.New(frame.TextColumn("city", r.Seen, nil))
	t.Run("ordinal", func(t *testing.T) { checkColumn(t, Step{Op: "ordinal", In: []string{"city"}}, city, seen, r.Ordinal) })
	for _, c := range []struct {
		name    string
		atLeast int
		want    encoded
	}{{"one_hot", 0, r.OneHot}, {"one_hot with rare categories", 2, r.OneHotRare}} {
		t.Run(c.name, func(t *testing.T) {
			f := mustFit(t, Spec{Inputs: city.Fields(), Steps: []Step{{Op: "one_hot", In: []string{"city"}, AtLeast: c.atLeast}}}, city)
			m, unseen, err := f.Transform(seen)
			if err != nil || !slices.Equal(unseen, []Unseen{{5, "city"}}) {
				t.Fatalf("unseen %v, %v", unseen, err)
			}
			// Where scikit-learn has met no rare category it has no column for them.
			if n := len(c.want.Names); !slices.Equal(f.Names()[:n], c.want.Names) {
				t.Errorf("names: got %q, want %q", f.Names(), c.want.Names)
			}
			for i, row := range c.want.Rows {
				for k, want := range floats(row) {
					if got := m.Row(i)[k]; !near(got, want) {
						t.Errorf("%s, %s: got %v, scikit-learn %v", r.Seen[i], f.Names()[k], got, want)
					}
				}
			}
		})
	}
}
