// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"flyball/blob"
	"flyball/data/frame"
	"flyball/unit"
)

func TestNewChecksSayWhatIsWrongAndWhere(t *testing.T) {
	const n = 100
	y, same, none, tells, when := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n), make([]int64, n)
	late, fine, word, mixed := make([]float64, n), make([]float64, n), make([]string, n), make([]string, n)
	for i := range n {
		y[i], same[i], none[i], when[i] = float64(i%2), 7, math.NaN(), day(1).Add(time.Duration(i)*time.Hour).UnixMicro()
		tells[i], fine[i], late[i] = y[i]*10+float64(i%7), float64((i*37)%11), float64(min(i, 70))
		word[i], mixed[i] = []string{"no", "yes"}[i%2], fmt.Sprint(i)
	}
	mixed[4] = "four"
	f := frame.New(
		frame.NumberColumn("y", y), frame.NumberColumn("same", same), frame.NumberColumn("none", none), frame.NumberColumn("tells", tells), frame.NumberColumn("late", late),
		frame.NumberColumn("fine", fine), frame.TextColumn("word", word, nil), frame.TextColumn("mixed", mixed, nil), frame.TimeColumn("at", when),
	)
	task := Task{Column: "y", Kind: Binary, Time: "at"}
	number, text := frame.Number, frame.Text
	for _, c := range []struct {
		check  Check
		inputs []string
		before int
		want   string
		count  int
	}{
		{Check{Stuck: &StuckCheck{}}, []string{"fine", "late"}, 0, "", 0},
		{Check{Stuck: &StuckCheck{}}, []string{"same", "none", "fine"}, 0, `column "same" is 7, column "none" has no value in all 100 rows`, 2},
		{Check{Stuck: &StuckCheck{Columns: []string{"late"}}}, nil, 0, "", 0},
		{Check{Stuck: &StuckCheck{Columns: []string{"late"}, Within: unit.Duration(24 * time.Hour)}}, nil, 0, `column "late" is 70 in the 24 rows of the newest 1d`, 1},
		{Check{Leaks: &LeakCheck{}}, []string{"fine", "late"}, 0, "", 0},
		{Check{Leaks: &LeakCheck{}}, []string{"tells", "fine"}, 0, `column "tells" tells the label alone, by its order: AUC 1.0000; is it known when the prediction is asked for?`, 1},
		{Check{Leaks: &LeakCheck{Except: []string{"tells"}}}, []string{"tells", "fine"}, 0, "", 0},
		{Check{Growth: &Growth{AtLeast: 0.9}}, nil, 0, "", 0},
		{Check{Growth: &Growth{AtLeast: 0.9}}, nil, 110, "", 0},
		{Check{Growth: &Growth{AtLeast: 0.9}}, nil, 200, "100 rows are 50 % of the 200 before, at least 90 % are asked for", 0},
		{Check{Growth: &Growth{AtMost: 3}}, nil, 50, "", 0},
		{Check{Growth: &Growth{AtMost: 3}}, nil, 25, "100 rows are 400 % of the 25 before, at most 300 % are asked for", 0},
		{Check{Column: "fine", Type: &number}, nil, 0, "", 0},
		{Check{Column: "mixed", Type: &number}, nil, 0, `column "mixed" holds text, it should hold numbers; row 5: "four" (1 such row)`, 1},
		{Check{Column: "fine", Type: &text}, nil, 0, `column "fine" holds numbers, it should hold text`, 0},
	} {
		got, err := Run([]Check{c.check}, task, f, Given{Now: day(30), Before: c.before, Inputs: c.inputs})
		switch {
		case err != nil:
			t.Errorf("%s: %v", c.check, err)
		case c.want == "" && len(got) == 0:
		case len(got) != 1 || got[0].Text != c.want || got[0].Count != c.count || got[0].Severity != "stop":
			t.Errorf("%s: got %+v, want %q and %d", c.check, got, c.want, c.count)
		}
	}
}

func TestADifferenceIsSaidInWords(t *testing.T) {
	blobs := blob.Memory()
	made := func(cols ...frame.Column) Snapshot {
		t.Helper()
		s, err := Write(t.Context(), blobs, frame.FromMemory(frame.New(cols...)), Task{Column: "y"})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	from := made(
		frame.NumberColumn("x", []float64{0, 1, 2, 3, 4}), frame.TextColumn("w", []string{"a", "a", "b", "b", "b"}, nil), frame.NumberColumn("old", []float64{1, 2, 3, 4, 5}),
		frame.NumberColumn("k", []float64{1, 2, 3, 4, 5}), frame.NumberColumn("y", []float64{1, 0, 1, 0, 1}))
	to := made(
		frame.NumberColumn("x", []float64{5, 6, 7, 8, 9, math.NaN()}), frame.TextColumn("w", []string{"c", "b", "b", "b", "b", "b"}, nil),
		frame.TextColumn("k", []string{"1", "2", "3", "4", "5", "x"}, nil), frame.TextColumn("new", []string{"p", "q", "p", "q", "p", "q"}, nil),
		frame.NumberColumn("y", []float64{1, 0, 1, 0, 1, math.NaN()}))
	want := []Change{
		{"schema", "k", "holds text, numbers before"},
		{"schema", "new", "new, holds text"},
		{"schema", "old", "is gone"},
		{"rows", "", "6 rows, 5 before (+20.0 %)"},
		{"rows", "", "83.3 % of the rows have a label, 100 % before"},
		{"values", "x", "16.7 % are missing, 0 % before"},
		{"values", "x", "the median is 7, 2 before"},
		{"values", "x", "all lie from 5 to 9, from 0 to 4 before"},
		{"values", "w", `"b" is in 83.3 % of the rows, 60 % before`},
		{"values", "w", `"c" is new, in 16.7 % of the rows`},
		{"values", "w", `"a" is gone, in 40 % of the rows before`},
		{"values", "y", "16.7 % are missing, 0 % before"},
	}
	if got := Diff(from, to); !slices.Equal(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
	if got := Diff(to, to); len(got) != 0 {
		t.Errorf("a snapshot differs from itself: %+v", got)
	}
}
