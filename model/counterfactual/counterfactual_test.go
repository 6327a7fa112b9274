// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/model"
)

// loan is refused when its debt is more than a third of the income and the customer is
// no member; at an age below 21 always.
type loan struct{ mute bool }

func (loan) Inputs() []frame.Field {
	return []frame.Field{{Name: "age", Kind: frame.Number}, {Name: "income", Kind: frame.Number}, {Name: "debt", Kind: frame.Number}, {Name: "member", Kind: frame.Text}}
}

func (l loan) Decision(scores []float64) string {
	switch {
	case l.mute:
		return ""
	case scores[0] > 0.5:
		return "grant"
	}
	return "refuse"
}

func (loan) Predict(_ context.Context, rows *frame.Frame) (model.Scores, error) {
	age, income, debt, member := rows.Column("age").Num, rows.Column("income").Num, rows.Column("debt").Num, rows.Column("member").Text
	out := model.Scores{Outputs: 1, Values: make([]float64, rows.Rows())}
	for i := range out.Values {
		if age[i] >= 21 && (debt[i] <= income[i]/3 || member[i] == "yes") {
			out.Values[i] = 1
		}
	}
	return out, nil
}

func loans(age, income, debt []float64, member []string) *frame.Frame {
	return frame.WithRows(len(age), frame.NumberColumn("age", age), frame.NumberColumn("income", income), frame.NumberColumn("debt", debt), frame.TextColumn("member", member, nil))
}

// told is flips in short: "debt 900.5 to 500; member no to yes".
func told(f Found) string {
	var out []string
	for _, flip := range f.Flips {
		var parts []string
		for _, c := range flip.Changes {
			parts = append(parts, fmt.Sprintf("%s %s to %s", c.Column, c.From, c.To))
		}
		out = append(out, strings.Join(parts, " and "))
	}
	return strings.Join(out, "; ")
}

func TestTheSmallestChangesFlipTheDecision(t *testing.T) {
	pool := loans([]float64{20, 30, 40, 50}, []float64{1000, 2000, 3000, 3000}, []float64{0.5, 900.25, 100, 2000}, []string{"no", "no", "no", "yes"})
	limit := func(v float64) *float64 { return &v }
	for _, c := range []struct {
		name  string
		row   *frame.Frame
		rules Rules
		want  string
	}{
		{
			"each column alone, the nearest first", loans([]float64{30}, []float64{1500}, []float64{700}, []string{"no"}),
			Rules{},
			`debt 700 to 500; income 1500 to 2100; member "no" to "yes"`,
		},
		{
			"a column that stays as it is", loans([]float64{30}, []float64{1500}, []float64{700}, []string{"no"}),
			Rules{Fixed: []string{"member", "debt"}},
			`income 1500 to 2100`,
		},
		{
			"a number that only grows", loans([]float64{30}, []float64{1500}, []float64{700}, []string{"no"}),
			Rules{Fixed: []string{"member"}, Rises: []string{"debt"}},
			`income 1500 to 2100`,
		},
		{
			"a number that only becomes less, within bounds", loans([]float64{30}, []float64{1500}, []float64{700}, []string{"no"}),
			Rules{Falls: []string{"income"}, Within: map[string]Range{"debt": {Min: limit(600)}}},
			`member "no" to "yes"`,
		},
		{
			"two columns together", loans([]float64{20}, []float64{1500}, []float64{700}, []string{"no"}),
			Rules{Rises: []string{"age"}},
			`age 20 to 21 and debt 700 to 500; age 20 to 21 and member "no" to "yes"`,
		},
		{"nothing that may change helps", loans([]float64{20}, []float64{1500}, []float64{700}, []string{"no"}), Rules{Fixed: []string{"age"}}, ``},
		{
			"a missing value may become known, a known one not unknown", loans([]float64{math.NaN()}, []float64{1500}, []float64{100}, []string{"no"}),
			Rules{},
			`age null to 30`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Find(t.Context(), loan{}, c.rules, c.row, pool)
			if err != nil {
				t.Fatal(err)
			}
			if said := told(got); said != c.want {
				t.Errorf("got  %s\nwant %s", said, c.want)
			}
			for _, f := range got.Flips {
				if f.Decision != "grant" || len(f.Scores) != 1 || !(f.Distance > 0) {
					t.Errorf("%+v", f)
				}
			}
			again, err := Find(t.Context(), loan{}, c.rules, c.row, pool)
			if err != nil || told(again) != told(got) || again.Evaluations != got.Evaluations || got.Evaluations > 10_000 {
				t.Errorf("again: %s, %d and %d evaluations, %v", told(again), got.Evaluations, again.Evaluations, err)
			}
		})
	}
}

func TestAModelThatDecidesNothingHasNothingToFlip(t *testing.T) {
	row := loans([]float64{30}, []float64{1500}, []float64{700}, []string{"no"})
	if _, err := Find(t.Context(), loan{mute: true}, Rules{}, row, row); !fault.Is(err, fault.Refused) {
		t.Error(err)
	}
	if _, err := Find(t.Context(), loan{}, Rules{}, row.Take([]int{0, 0}), row); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
}
