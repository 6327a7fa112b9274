// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/blob"
	"flyball/data/frame"
	"flyball/unit"
)

func day(n int) time.Time { return time.Date(2016, 1, n, 0, 0, 0, 0, time.UTC) }

// bookings are asked on day 1 to 10; each is due 10 days later, and a cancellation
// is known the day after it was asked.
func bookings() (*frame.Frame, Task) {
	var asked, due, known []int64
	var y []float64
	for i := range 10 {
		asked = append(asked, day(1+i).UnixMicro())
		due = append(due, day(11+i).UnixMicro())
		cancelled := i%2 == 0
		if cancelled {
			known, y = append(known, day(2+i).UnixMicro()), append(y, 1)
		} else {
			known, y = append(known, day(11+i).UnixMicro()), append(y, 0)
		}
	}
	task := Task{Column: "y", Kind: Binary, Time: "asked", Truth: Truth{DueAt: "due", KnownAt: "known"}}
	return frame.New(frame.TimeColumn("asked", asked), frame.TimeColumn("due", due), frame.TimeColumn("known", known), frame.NumberColumn("y", y)), task
}

func TestRowsAreChosenByWhenTheirTruthIsDueNotByItsArrival(t *testing.T) {
	f, task := bookings()
	s, err := task.Split(f, TrainWindow{}, TestWindow{Window: unit.Duration(2 * 24 * time.Hour), AtLeast: 1}, time.Time{}, day(16))
	if err != nil {
		t.Fatal(err)
	}
	// At day 16 the labels of all five cancellations have arrived, but the truth of
	// rows 0 to 5 alone is due.
	if want := []int{0, 1, 2, 3, 4, 5}; !slices.Equal(s.Mature, want) {
		t.Errorf("mature: got %v, want %v", s.Mature, want)
	}
	if !slices.Equal(s.Train, []int{0, 1, 2, 3}) || !slices.Equal(s.Test, []int{4, 5}) || s.Immature != 4 {
		t.Errorf("got train %v, test %v, %d immature", s.Train, s.Test, s.Immature)
	}
	if !s.SeenUntil.Equal(day(16)) || !s.TestFrom.Equal(day(15)) {
		t.Errorf("got test from %s, seen until %s", s.TestFrom, s.SeenUntil)
	}
}

func TestTheTestRowsGrowUntilThereAreEnoughButNeverIntoWhatTheLiveVersionHasSeen(t *testing.T) {
	f, task := bookings()
	window := TestWindow{Window: unit.Duration(24 * time.Hour), AtLeast: 4}
	s, err := task.Split(f, TrainWindow{}, window, time.Time{}, day(16))
	if err != nil || len(s.Test) != 4 || s.Short != 0 {
		t.Errorf("got %v, %v", s, err)
	}
	s, err = task.Split(f, TrainWindow{}, window, day(15), day(16))
	if err != nil || len(s.Test) != 1 || s.Short != 3 || len(s.Train) != 5 {
		t.Errorf("after the live version saw day 15: got %+v, %v", s, err)
	}
}

func TestARowMatureWithoutALabelIsCountedOrANo(t *testing.T) {
	f, task := bookings()
	f.Column("y").Num[1] = math.NaN()
	s, err := task.Split(f, TrainWindow{}, TestWindow{AtLeast: 1}, time.Time{}, day(16))
	if err != nil || s.MatureUnlabelled != 1 || len(s.Mature) != 5 {
		t.Errorf("counted: got %+v, %v", s, err)
	}
	task.Truth.Missing = "negative"
	y, _, err := task.Labels(f, day(16))
	if err != nil || y[1] != 0 || !math.IsNaN(y[9]) {
		t.Errorf("as a no: got %v, %v", y, err)
	}
}

func TestRowsThatBecameDueTogetherStayTogether(t *testing.T) {
	due := []int64{1, 2, 2, 2, 3}
	f := frame.New(frame.TimeColumn("t", due), frame.NumberColumn("y", []float64{1, 2, 3, 4, 5}))
	s, err := Task{Column: "y", Kind: Regression, Time: "t"}.Split(f, TrainWindow{}, TestWindow{AtLeast: 2}, time.Time{}, time.UnixMicro(9))
	if err != nil || !slices.Equal(s.Test, []int{1, 2, 3, 4}) {
		t.Errorf("got %v, %v", s.Test, err)
	}
}

func TestAKeyThatIsATimeStaysTextAndIsReadAsATime(t *testing.T) {
	f := frame.New(frame.TextColumn("ts", []string{"2012-01-01T00:00-05:00", "2012-01-02"}, nil))
	got, err := Times(f, "ts")
	if err != nil || got[0] != time.Date(2012, 1, 1, 5, 0, 0, 0, time.UTC).UnixMicro() {
		t.Errorf("got %v, %v", got, err)
	}
	b, err := Task{Time: "ts", Block: Block{Each: unit.Duration(24 * time.Hour)}}.Blocks(f)
	if err != nil || b[0]+1 != b[1] {
		t.Errorf("blocks: got %v, %v", b, err)
	}
}

func TestASliceNamesItsParts(t *testing.T) {
	f := frame.New(frame.NumberColumn("lead", []float64{0, 7, 29, 90, math.NaN()}))
	got, err := Slice{Column: "lead", Bins: []float64{7, 30, 90}}.Values(f)
	if want := []string{"<7", "7…30", "7…30", "≥90", ""}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestTheSameRowsAreTheSameSnapshot(t *testing.T) {
	ctx, blobs := context.Background(), blob.Memory()
	f, task := bookings()
	a, err := Write(ctx, blobs, frame.FromMemory(f), task)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Write(ctx, blobs, frame.FromMemory(f), task)
	if err != nil || a.ID != b.ID {
		t.Errorf("got %s and %s, %v", a.ID, b.ID, err)
	}
	if !a.Watermark.Equal(day(20)) || a.Labelled != 10 {
		t.Errorf("watermark %s, labelled %d", a.Watermark, a.Labelled)
	}
	s, err := Open(ctx, blobs, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := s.Rows(ctx, blobs)
	if err != nil || rows.Rows() != 10 || rows.Column("y").Num[0] != 1 {
		t.Errorf("got %v, %v", rows, err)
	}
}

func TestAFailedCheckNamesRowColumnAndValue(t *testing.T) {
	d := 24 * time.Hour
	f := frame.New(
		frame.NumberColumn("hum", []float64{0.5, 1.5, math.NaN()}),
		frame.TextColumn("ts", []string{"2016-01-01", "2016-01-03", "2016-01-03"}, nil),
	)
	task := Task{Time: "ts"}
	for _, c := range []struct {
		name  string
		check Check
		want  string // empty: it passes
	}{
		{"a value above its maximum", Check{Column: "hum", Max: new(1.0)}, `column "hum", row 2: 1.5 is more than 1 (1 such row)`},
		{"a value in its range", Check{Column: "hum", Max: new(2.0), Min: new(0.0)}, ""},
		{"too many missing", Check{Column: "hum", Missing: &AtMost{0.1}}, `column "hum": 1 of 3 values are missing, at most 10% may be; the first in row 3`},
		{"an expression that does not hold", Check{Row: "hum < 1"}, `"hum < 1" does not hold in 2 of 3 rows; the first is row 2, where hum is 1.5`},
		{"an expression that holds often enough", Check{Row: "hum < 1", Share: &AtLeast{0.3}}, ""},
		{"too few rows", Check{Rows: &RowCount{AtLeast: 4}}, "3 rows, at least 4 are asked for"},
		{"a day without rows", Check{Rows: &RowCount{AtLeast: 1, Per: unit.Duration(d)}}, "1 of 2 stretches of 1d have fewer than 1 rows; the newest: 2016-01-02 has 0"},
		{"a value that is not one of those allowed", Check{Column: "hum", Allowed: Values{"0.50", "2"}}, `column "hum", row 2: 1.5 is not 0.50 or 2 (1 such row)`},
		{"numbers that are allowed in another spelling", Check{Column: "hum", Allowed: Values{"0.50", "1.5e0"}}, ""},
		{"two columns together", Check{Unique: []string{"hum", "ts"}}, ""},
		{
			"an hour without rows",
			Check{Rows: &RowCount{AtLeast: 1, Per: unit.Duration(12 * time.Hour)}},
			"3 of 4 stretches of 12h have fewer than 1 rows; the newest: 2016-01-01T12:00 has 0, 2016-01-02T00:00 has 0, 2016-01-02T12:00 has 0",
		},
		{"a key twice", Check{Unique: []string{"ts"}}, `rows 2 and 3 have the same ts: "2016-01-03"`},
		{"rows too old", Check{Fresh: &FreshCheck{unit.Duration(d)}}, "the newest row, of 2016-01-03T00:00Z, is 2d old, at most 1d is asked for"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Run([]Check{c.check}, task, f, Given{Now: day(5)})
			if err != nil {
				t.Fatal(err)
			}
			if c.want == "" {
				if len(got) != 0 {
					t.Errorf("got %v, want a pass", got)
				}
				return
			}
			if len(got) != 1 || got[0].Text != c.want || got[0].Severity != "stop" {
				t.Errorf("got %+v, want %q", got, c.want)
			}
		})
	}
	if _, err := Run([]Check{{Column: "no"}}, task, f, Given{Now: day(5)}); err == nil || !strings.Contains(err.Error(), `"no"`) {
		t.Errorf("an absent column: got %v", err)
	}
}

func TestAShareDecidesAboutWholeRows(t *testing.T) {
	v := make([]float64, 100)
	for i := range v {
		if v[i] = 1; i < 29 {
			v[i] = math.NaN()
		}
	}
	f := frame.New(frame.NumberColumn("v", v))
	for _, c := range []struct {
		name  string
		check Check
		fails bool
	}{
		{"29 of 100 missing are 29%", Check{Column: "v", Missing: &AtMost{0.29}}, false},
		{"and more than 28%", Check{Column: "v", Missing: &AtMost{0.28}}, true},
		{"71 of 100 are 71%", Check{Row: "v == 1", Share: &AtLeast{0.71}}, false},
		{"and less than 72%", Check{Row: "v == 1", Share: &AtLeast{0.72}}, true},
	} {
		got, err := Run([]Check{c.check}, Task{}, f, Given{Now: day(1)})
		if err != nil || len(got) > 0 != c.fails {
			t.Errorf("%s: got %v, %v", c.name, got, err)
		}
	}
}

func TestAWrongDateFarAwayIsOneLongGapAndNotALongWait(t *testing.T) {
	at := []int64{time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro(), day(1).UnixMicro(), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC).UnixMicro()}
	got, err := Run([]Check{{Rows: &RowCount{AtLeast: 1, Per: unit.Duration(time.Second)}}}, Task{Time: "t"}, frame.New(frame.TimeColumn("t", at)), Given{Now: day(2)})
	if err != nil || len(got) != 1 || got[0].Count != 255611203198 {
		t.Fatalf("got %+v, %v", got, err)
	}
	want := "the newest: 9999-12-30T23:59:57 has 0, 9999-12-30T23:59:58 has 0, 9999-12-30T23:59:59 has 0"
	if !strings.HasSuffix(got[0].Text, want) {
		t.Errorf("got %q, want %q", got[0].Text, want)
	}
}

func TestRowsWithoutTimesAreNotFresh(t *testing.T) {
	check := []Check{{Fresh: &FreshCheck{unit.Duration(time.Hour)}}}
	got, err := Run(check, Task{Time: "t"}, frame.New(frame.TimeColumn("t", []int64{frame.NoTime})), Given{Now: day(1)})
	if err != nil || len(got) != 1 || got[0].Text != "no row has a time, so none is within 1h" {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := Run(check, Task{}, frame.New(), Given{Now: day(1)}); err == nil || !strings.Contains(err.Error(), "predict.time names no column") {
		t.Errorf("without a time column: got %v", err)
	}
}

func TestABinaryLabelIsAlsoTrueOrFalse(t *testing.T) {
	task := Task{Column: "y", Kind: Binary}
	y, _, err := task.Labels(frame.New(frame.TextColumn("y", []string{"true", "False", "1", ""}, []bool{false, false, false, true})), day(1))
	if err != nil || y[0] != 1 || y[1] != 0 || y[2] != 1 || !math.IsNaN(y[3]) {
		t.Errorf("got %v, %v", y, err)
	}
	_, _, err = task.Labels(frame.New(frame.TextColumn("y", []string{"true", "maybe"}, nil)), day(1))
	if err == nil || !strings.Contains(err.Error(), `row 2, column "y": "maybe" is not a label of a binary model`) {
		t.Errorf("got %v", err)
	}
	_, _, err = task.Labels(frame.New(frame.NumberColumn("y", []float64{0, 2})), day(1))
	if err == nil || !strings.Contains(err.Error(), `row 2, column "y": 2 is not a label of a binary model`) {
		t.Errorf("got %v", err)
	}
}

func TestAReplayOfThePastDoesNotKnowOfLaterClasses(t *testing.T) {
	f := frame.New(frame.TextColumn("y", []string{"stay", "cancel", "stay", "move"}, nil),
		frame.TimeColumn("k", []int64{day(1).UnixMicro(), day(9).UnixMicro(), frame.NoTime, day(2).UnixMicro()}))
	task := Task{Column: "y", Kind: Multiclass, Truth: Truth{KnownAt: "k"}}
	y, classes, err := task.Labels(f, day(3))
	if err != nil || !slices.Equal(classes, []string{"move", "stay"}) || y[0] != 1 || !math.IsNaN(y[1]) || y[2] != 1 || y[3] != 0 {
		t.Errorf("on day 3: got %v, %v, %v", y, classes, err)
	}
	y, classes, err = task.Labels(f, day(9))
	if err != nil || !slices.Equal(classes, []string{"cancel", "move", "stay"}) || y[1] != 0 {
		t.Errorf("on day 9: got %v, %v, %v", y, classes, err)
	}
}

func TestAProfileOfLargeNumbersIsFinite(t *testing.T) {
	f := frame.New(frame.NumberColumn("y", []float64{1.7e308, 1.7e308, math.NaN()}), frame.TextColumn("s", []string{"a", "b", "a"}, nil))
	s, err := Write(context.Background(), blob.Memory(), frame.FromMemory(f), Task{Column: "y"})
	if err != nil {
		t.Fatal(err)
	}
	if y := s.Columns[0]; y.Mean != 1.7e308 || y.Missing != 1 || y.Distinct != 1 || y.Min != 1.7e308 {
		t.Errorf("numbers: got %+v", y)
	}
	if s.Columns[1].Distinct != 2 {
		t.Errorf("text: got %+v", s.Columns[1])
	}
}
