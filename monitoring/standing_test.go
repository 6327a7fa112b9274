// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/serving/prediction"
)

// bookings are rows whose truth is due after 60 days, and whose yes comes early: half
// of them within 20 days, while no is known only when it is due.
func bookings(seed uint64, start time.Time, days int, yes float64) []prediction.Joined {
	r := rand.New(rand.NewPCG(seed, 2))
	var out []prediction.Joined
	for d := range days {
		for i := range 40 {
			at := start.AddDate(0, 0, d).Add(time.Duration(i) * time.Minute)
			s := min(0.95, max(0.05, yes+0.2*r.NormFloat64()))
			j := prediction.Joined{Record: prediction.Record{
				Model: "m", Version: 3, Arm: prediction.Live, Time: at, Due: at.AddDate(0, 0, 60), Row: []byte(`{"x":` + strconv.FormatFloat(r.NormFloat64(), 'g', 4, 64) + `}`), Scores: []float64{s},
			}}
			value, known := "0", j.Due
			if r.Float64() < s {
				value, known = "1", at.Add(time.Duration(r.ExpFloat64()*30*24)*time.Hour)
				if known.After(j.Due) {
					known = j.Due
				}
			}
			j.Label = &prediction.Label{Value: value, At: known, Received: known}
			out = append(out, j)
		}
	}
	return out
}

func until(rows []prediction.Joined, now time.Time) []prediction.Joined {
	var out []prediction.Joined
	for _, j := range rows {
		if j.Time.Before(now) {
			if j.Label.At.After(now) {
				j.Label = nil
			}
			out = append(out, j)
		}
	}
	return out
}

func bookingProfile(t *testing.T) *Profile {
	t.Helper()
	r := Residuals{}
	x := []float64{}
	for _, j := range bookings(1, date(2021, 1, 1), 100, 0.4) {
		v, _ := strconv.ParseFloat(j.Label.Value, 64)
		r.Truth, r.Scores, r.Time = append(r.Truth, v), append(r.Scores, j.Scores[0]), append(r.Time, j.Due.UnixMicro())
		x = append(x, v)
	}
	p, err := NewProfile(Policy{AtLeast: 100}, dataset.Task{Kind: dataset.Binary}, []frame.Field{{Name: "x", Kind: frame.Number}}, frame.New(frame.NumberColumn("x", x)), r.Scores, r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPerformanceIsToldOfDueRowsOfEarlyLabelsMatchedAndWithoutLabels(t *testing.T) {
	start := date(2022, 1, 1)
	now := start.AddDate(0, 0, 120)
	all := bookings(2, start, 120, 0.4)
	rows := until(all, now)
	var due, newest []prediction.Joined
	for _, j := range rows {
		if !j.Due.After(now) {
			due = append(due, j)
		} else {
			newest = append(newest, j)
		}
	}
	got := Stand(StandingInput{Task: dataset.Task{Kind: dataset.Binary}, Profile: bookingProfile(t), Model: "m", Version: 3, Newest: newest, Due: due, Now: now})
	if len(got.Performance) != 4 || got.Caveat != "valid only if the concept has not changed" {
		t.Fatalf("got %+v, want four metrics and the caveat", got)
	}
	p := got.Performance[2]
	if p.Metric != "accuracy" || p.Due == nil || p.Arrived == nil || p.Matched == nil || p.Estimated == nil {
		t.Fatalf("got %+v, want accuracy told in four ways", p)
	}
	var final judgedRows
	s := newStepper(Input{Task: dataset.Task{Kind: dataset.Binary}, Profile: bookingProfile(t), Version: 3})
	for _, j := range all {
		if j.Due.After(now) {
			final.add(&j, j.Scores)
			truth, _ := s.truthOf(&j)
			final.Truth = append(final.Truth, truth)
		}
	}
	truth := s.measure("accuracy", final).Value
	off := func(f *Figure) float64 { return math.Abs(f.Value - truth) }
	if off(p.Arrived) < 0.1 || off(p.Matched) > 0.05 || off(p.Estimated) > 0.03 || off(p.Due) > 0.05 {
		t.Errorf("final %.3f, due %.3f, arrived %.3f, matched %.3f, estimated %.3f: early labels must be off, the others near",
			truth, p.Due.Value, p.Arrived.Value, p.Matched.Value, p.Estimated.Value)
	}
	if p.Due.Coverage != 1 || p.Due.Rows != len(due) || p.Arrived.Coverage > 0.5 || p.Estimated.Rows != len(newest) || p.Due.Half <= 0 {
		t.Errorf("got due %+v, arrived %+v, estimated %+v", p.Due, p.Arrived, p.Estimated)
	}
}

func TestAStandingWithoutAProfileOrRowsSaysSo(t *testing.T) {
	got := Stand(StandingInput{Model: "m", Version: 3, Now: date(2022, 1, 1)})
	if len(got.Unknown) != 1 || got.Performance != nil {
		t.Errorf("got %+v, want that nothing is known", got)
	}
	got = Stand(StandingInput{Task: dataset.Task{Kind: dataset.Binary}, Profile: bookingProfile(t), Now: date(2022, 1, 1)})
	if got.Performance != nil {
		t.Errorf("got %+v of no rows", got.Performance)
	}
}
