// SPDX-License-Identifier: Apache-2.0

package rehearse

import (
	"os"
	"slices"
	"testing"
	"time"

	"flyball/data/frame"
	"flyball/event"
	"flyball/experiment/gate"
	"flyball/loop"
	"flyball/loop/rehearse/histories"
	"flyball/monitoring"
)

// The bounds of these tests are on three real streams, by the policies of the examples.
// What was served must be as good as the best of the simple policies, which nobody knew
// before, within its interval, with at most half the releases of retraining always.

// long skips what takes minutes.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("FLYBALL_LONG") == "" {
		t.Skip("a year of real history takes a minute or more: set FLYBALL_LONG")
	}
}

// holds runs a rehearsal and holds it to the promise.
func holds(t *testing.T, s *Stream, o Options) (Report, map[string]Score) {
	t.Helper()
	r, err := Run(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s %s %.4f (%.4f…%.4f), %+v, %+v", r.Model, r.Metric, r.Served.Value, r.Served.Low, r.Served.High, r.Did, r.Cost)
	rivals := map[string]Score{}
	for _, v := range r.Rivals {
		rivals[v.Name] = v
		t.Logf("%-30s %.4f, due by the end %.4f; served better by %.4f (%.4f…%.4f)", v.Name, v.Value, v.AtEnd, v.Gain, v.GainLow, v.GainHigh)
		if v.Name != Best && v.Value < r.Served.Low {
			t.Errorf("%s came to %.4f, served to %.4f (%.4f…%.4f)", v.Name, v.Value, r.Served.Value, r.Served.Low, r.Served.High)
		}
	}
	if r.Unanswered > 0 || r.Did.Failed > 0 {
		t.Errorf("%d rows were not answered (%s), %d trainings failed", r.Unanswered, r.Problem, r.Did.Failed)
	}
	if 2*r.Did.Releases > rivals[Always].Releases {
		t.Errorf("%d releases; always retraining has %d", r.Did.Releases, rivals[Always].Releases)
	}
	return r, rivals
}

func TestAYearOfBikes(t *testing.T) {
	long(t)
	m := read(t, "bike-demand/model.yaml", "")
	r, rivals := holds(t, stream(t, m, bikes(t, m.Recipe.Kinds()), "2012-01-01", ""), options(m))
	if r.Served.Value > 45.5 || rivals[Never].Value < 58 {
		t.Errorf("served is off by %.1f bikes, never retrained by %.1f", r.Served.Value, rivals[Never].Value)
	}
}

// hotel is the bookings.
func hotel(t *testing.T, changes ...string) (loop.Model, *frame.Frame) {
	t.Helper()
	m := read(t, "hotel-cancel/model.yaml", "hotel-cancel/hotel-features.yaml", changes...)
	f, err := histories.Bookings("../../examples", m.Recipe.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	return m, f
}

// One draw of 371 bookings (an agency, on 25 May 2016, for the summer of 2017) is .009
// of the distance to retraining always; it fell due after the year.
func TestAYearOfBookings(t *testing.T) {
	long(t)
	m, rows := hotel(t)
	r, rivals := holds(t, stream(t, m, rows, "2016-01-01", ""), options(m))
	if r.Served.Value > 0.551 || r.Served.AtEnd > 0.538 || rivals[Never].GainLow < 0.01 || rivals[Best].Value > 0.545 {
		t.Errorf("served %.4f, of those due by the end %.4f", r.Served.Value, r.Served.AtEnd)
	}
}

func TestLabelsThatArrivedAreStoppedAndWouldHaveCostMuch(t *testing.T) {
	long(t)
	m, rows := hotel(t)
	s := stream(t, m, histories.Every(rows, 4), "2016-01-01", "")
	o := options(m)
	o.Arrived = true
	rivals, err := MakeRivals(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	o.Rivals = rivals
	r, err := Run(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("with the guards %.4f, %+v", r.Served.Value, r.Did)
	if d := r.Did; d.Releases > 3 || d.Refused < 10 {
		t.Errorf("on labels as they arrive it did %+v", d)
	}
	o.Model.Recipe.Gate.Metrics = slices.DeleteFunc(slices.Clone(m.Recipe.Gate.Metrics), func(g gate.Rule) bool { return g.Name == "mean_score" })
	o.Model.Plan.BackIf.DecisionsShift = nil
	if r, err = Run(t.Context(), s, o); err != nil {
		t.Fatal(err)
	}
	t.Logf("without them %.4f, %+v", r.Served.Value, r.Did)
	if due := r.Rivals[1]; due.Name != Always || due.GainHigh > -0.01 {
		t.Errorf("without the guards labels that arrived would have served %.4f, retraining on what is due %.4f", r.Served.Value, due.Value)
	}
}

func TestThreeYearsOfEmploymentNeedNothing(t *testing.T) {
	long(t)
	dir := os.Getenv("FLYBALL_EMPLOYMENT")
	if dir == "" {
		t.Skip("set FLYBALL_EMPLOYMENT to the folder of employment_MA_*.pq")
	}
	m, err := histories.EmploymentModel()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := histories.Employment(dir, m.Recipe.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	r, rivals := holds(t, stream(t, m, rows, "2016-01-01", ""), options(m))
	for _, e := range r.Events {
		if e.Kind != "note" {
			t.Log(e.At.Format(time.DateOnly), e.Kind, e.Mark, e.Text)
		}
	}
	alarms := 0
	for _, e := range r.Events {
		switch {
		case e.Mark == event.OK:
		case e.Kind == "hold":
			t.Errorf("a hold on a stream that hardly moves: %s", e.Text)
		case e.Kind == monitoring.Drift, e.Kind == monitoring.Score:
			alarms++
		}
	}
	if alarms > 9 { // a quarter of what a budget of one a month allows; the level does move, by a hundredth
		t.Errorf("%d alarms in three years", alarms)
	}
	// What was released gained: a repeat, never to retrain, would have been worse.
	if r.Did.Back != 0 || r.Did.Releases > 6 || rivals[Never].GainHigh < 0 {
		t.Errorf("on a stream that does not move it did %+v", r.Did)
	}
}
