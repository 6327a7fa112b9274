// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"reflect"
	"testing"

	"flyball/data/frame"
)

func TestEachFeatureKnowsTheInputsItIsMadeOf(t *testing.T) {
	rows := frame.New(
		frame.NumberColumn("adr", []float64{1, 2, 3}),
		frame.TextColumn("hotel", []string{"city", "resort", "city"}, nil),
		frame.TimeColumn("at", []int64{0, 1, 2}),
		frame.NumberColumn("nights", []float64{1, 1, 2}),
	)
	f, err := Fit(context.Background(), Spec{Inputs: rows.Fields(), Steps: []Step{
		{Op: "impute", In: []string{"hotel"}, Strategy: "most_frequent"},
		{Op: "one_hot", In: []string{"hotel"}},
		{Op: "datetime", In: []string{"at"}, Parts: []string{"hour", "weekday"}},
		{Op: "scale", In: []string{"adr", "nights"}, Strategy: "standard"},
		{Op: "expr", Expr: "adr * nights", As: "total"},
		{Op: "expr", Expr: "total + at_hour", As: "mixed"},
	}}, rows, Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]int{
		"adr": {0}, "nights": {3}, "hotel=city": {1}, "hotel=resort": {1}, "hotel=other": {1},
		"at_hour": {2}, "at_weekday": {2}, "total": {0, 3}, "mixed": {0, 2, 3},
	}
	got := map[string][]int{}
	for i, s := range f.Sources() {
		got[f.Names()[i]] = s
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
