// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	usual "flyball/model/unusual"
	"flyball/serving/prediction"
)

// rowsWith are perDay rows a day of which the share is flagged, at random.
func rowsWith(rng *rand.Rand, from time.Time, days, perDay int, share float64) []prediction.Joined {
	var out []prediction.Joined
	for d := range days {
		for i := range perDay {
			at := from.AddDate(0, 0, d).Add(time.Duration(i) * 24 * time.Hour / time.Duration(perDay))
			r := scored(len(out), at, `{"x":1}`)
			if rng.Float64() < share {
				r.Flags = []string{usual.Improbable}
			}
			out = append(out, r)
		}
	}
	return out
}

func TestTooManyUnusualRowsAreAFindingThatNeverRetrains(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		share, worst float64
		found        string // day of the month
	}{
		{0.01, 0.012, ""},
		{0.02, 0.012, ""},
		{0.04, 0.05, ""}, // as in a stretch of the training rows
		{0.05, 0.012, "06"},
		{0.2, 0.012, "02"},
	} {
		t.Run(fmt.Sprint(c.share), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			days := 30
			rows := rowsWith(rng, from, days, 200, c.share)
			out := Step(Input{
				Model: "m", Version: 1, State: Start(Policy{}, from), Rows: rows, Now: from.AddDate(0, 0, days),
				Usual: &usual.Reference{Joint: &usual.Joint{Worst: c.worst}},
			})
			got := ""
			for _, f := range out.Findings {
				if f.Subject != unusualRows {
					continue
				}
				if got == "" {
					got = f.Opened.Format("02")
				}
				if f.Trigger || f.Duty != "feed" {
					t.Errorf("got %+v", f)
				}
				t.Log(f.Text)
			}
			if got != c.found {
				t.Errorf("found on %q, want %q", got, c.found)
			}
		})
	}
}

func TestUsualRowsAlarmLessOftenThanTheBudget(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rng := rand.New(rand.NewPCG(3, 4))
	alarms, months := 0, 10
	for range months {
		out := Step(Input{
			Model: "m", Version: 1, State: Start(Policy{}, from), Rows: rowsWith(rng, from, 30, 500, 2*usual.Alpha), Now: from.AddDate(0, 0, 30),
			Usual: &usual.Reference{Joint: &usual.Joint{}},
		})
		for _, f := range out.Findings {
			if f.Subject == unusualRows && f.Closed.IsZero() {
				alarms++
			}
		}
	}
	if alarms > 2 {
		t.Errorf("%d alarms in %d months at the highest rate that is usual", alarms, months)
	}
}
