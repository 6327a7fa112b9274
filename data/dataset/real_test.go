// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"flyball/data/frame"
	"flyball/unit"
)

const aDay = unit.Duration(24 * time.Hour)

func extract(t *testing.T, name string, kinds map[string]frame.Kind) *frame.Frame {
	t.Helper()
	r, err := frame.OpenFile(filepath.Join("testdata", name), frame.CSVOptions{Kinds: kinds})
	if err != nil {
		t.Fatal(err)
	}
	f, err := frame.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// By 2016-02-01 the truth of 54 of these bookings has arrived, and a third of them
// are cancelled: cancellations are known early. Of the 46 whose truth is due, 10 are.
func TestBookingsWhoseTruthIsDueAreCancelledLessThanThoseWhoseTruthHasArrived(t *testing.T) {
	f := extract(t, "hotel.csv", nil)
	task := Task{Column: "is_canceled", Kind: Binary, Time: "booked_on", Truth: Truth{DueAt: "label_due_on", KnownAt: "label_on"}}
	now := time.Date(2016, 2, 1, 0, 0, 0, 0, time.UTC)
	s, err := task.Split(f, TrainWindow{}, TestWindow{Window: 28 * aDay, AtLeast: 5}, time.Time{}, now)
	if err != nil {
		t.Fatal(err)
	}
	labels, _, err := task.Labels(f, now)
	if err != nil {
		t.Fatal(err)
	}
	arrived, arrivedCancelled, cancelled := 0, 0, 0
	for i, y := range labels {
		if y == y { // not NaN
			arrived++
			arrivedCancelled += int(y)
		}
		if slices.Contains(s.Mature, i) {
			cancelled += int(y)
		}
	}
	if arrived != 54 || arrivedCancelled != 18 {
		t.Errorf("arrived: got %d of %d cancelled, want 18 of 54", arrivedCancelled, arrived)
	}
	if len(s.Mature) != 46 || cancelled != 10 || s.Immature != 88 || s.MatureUnlabelled != 0 {
		t.Errorf("due: got %d of %d cancelled, %d immature, %d unlabelled, want 10 of 46, 88, 0", cancelled, len(s.Mature), s.Immature, s.MatureUnlabelled)
	}
	if len(s.Test) != 10 || len(s.Train) != 36 || !s.TestTo.Equal(time.Date(2016, 1, 31, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("got %d test rows to %s and %d to train, want 10 to 2016-01-31 and 36", len(s.Test), s.TestTo, len(s.Train))
	}
}

func TestTheHoursThatAHurricaneTookAreNamed(t *testing.T) {
	f := extract(t, "bike.csv", map[string]frame.Kind{"ts": frame.Text})
	task := Task{Column: "cnt", Kind: Regression, ID: "ts", Time: "ts", Truth: Truth{Within: unit.Duration(time.Hour)}, Block: Block{Each: aDay}}
	got, err := Run([]Check{
		{Rows: &RowCount{AtLeast: 20, Per: aDay}, Severity: "warn"},
		{Column: "cnt", Min: new(0.0)},
		{Unique: []string{"ts"}},
	}, task, f, Given{Now: time.Date(2012, 11, 2, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	want := "2 of 6 stretches of 1d have fewer than 20 rows; the newest: 2012-10-29 has 1, 2012-10-30 has 11"
	if len(got) != 1 || got[0].Text != want || got[0].Severity != "warn" || got[0].Count != 2 || len(got[0].Rows) != 0 {
		t.Errorf("got %+v, want %q", got, want)
	}
	blocks, err := task.Blocks(f)
	if err != nil {
		t.Fatal(err)
	}
	if days := len(slices.Compact(slices.Clone(blocks))); days != 7 {
		t.Errorf("got %d blocks, want the 7 days", days)
	}
	due, err := task.Due(f)
	if want := time.Date(2012, 10, 26, 1, 0, 0, 0, time.UTC).UnixMicro(); err != nil || due[0] != want {
		t.Errorf("the first count is due at %d, %v, want %d", due[0], err, want)
	}
}

// Whatever the windows, no row may test what trained, or be chosen before it is due.
func TestNoSplitTestsWhatTrainedOrWhatIsNotDue(t *testing.T) {
	f := extract(t, "hotel.csv", nil)
	task := Task{Column: "is_canceled", Kind: Binary, Time: "booked_on", Truth: Truth{DueAt: "label_due_on", KnownAt: "label_on"}}
	due, err := task.Due(f)
	if err != nil {
		t.Fatal(err)
	}
	for month := range 14 {
		for _, window := range []int{0, 1, 28, 365} {
			for _, atLeast := range []int{1, 20, 500} {
				for _, seen := range []int{0, 10, 60} {
					now := time.Date(2015, 8, 15, 0, 0, 0, 0, time.UTC).AddDate(0, month, 0)
					unseen := time.Time{}
					if seen > 0 {
						unseen = now.AddDate(0, 0, -seen)
					}
					s, err := task.Split(f, TrainWindow{Window: 90 * aDay}, TestWindow{Window: unit.Duration(window) * aDay, AtLeast: atLeast}, unseen, now)
					name := fmt.Sprintf("now %s, window %dd, at least %d, unseen since %d days", now.Format(time.DateOnly), window, atLeast, seen)
					if err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					if s.Short != max(0, atLeast-len(s.Test)) {
						t.Errorf("%s: %d test rows, short %d", name, len(s.Test), s.Short)
					}
					if len(s.Mature)+s.MatureUnlabelled+s.Immature != f.Rows() {
						t.Errorf("%s: the parts are not the whole", name)
					}
					for _, i := range s.Test {
						if due[i] > now.UnixMicro() || !unseen.IsZero() && due[i] <= unseen.UnixMicro() {
							t.Errorf("%s: row %d may not test", name, i)
						}
					}
					for _, i := range s.Train {
						if due[i] > now.UnixMicro() || len(s.Test) > 0 && due[i] >= due[s.Test[0]] {
							t.Errorf("%s: row %d may not train", name, i)
						}
					}
				}
			}
		}
	}
}
