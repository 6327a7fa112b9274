// SPDX-License-Identifier: Apache-2.0

package rehearse

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"flyball/control"
	"flyball/data/frame"
	"flyball/event"
	"flyball/experiment/gate"
	"flyball/loop"
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

// hotel is the bookings, each with its row number as key.
func hotel(t *testing.T, changes ...string) (loop.Model, *frame.Frame) {
	t.Helper()
	m := read(t, "hotel-cancel/model.yaml", "hotel-cancel/hotel-features.yaml", changes...)
	raw, err := os.ReadFile("../../examples/hotel-cancel/demo_hotel_bookings.csv.gz")
	if err != nil {
		t.Fatal(err)
	}
	f := table(t, "demo_hotel_bookings.csv.gz", raw, m.Recipe.Kinds())
	return m, frame.New(append([]frame.Column{numbered("booking_id", f.Rows())}, f.Columns()...)...)
}

func numbered(name string, n int) frame.Column {
	out := make([]string, n)
	for i := range out {
		out[i] = strconv.Itoa(i + 1)
	}
	return frame.TextColumn(name, out, nil)
}

// One draw of 371 bookings (an agency, on 25 May 2016, for the summer of 2017) is .009
// of the distance to retraining always; it fell due after the year.
func TestAYearOfBookings(t *testing.T) {
	long(t)
	m, rows := hotel(t)
	r, rivals := holds(t, stream(t, m, rows, "2016-01-01", ""), options(m))
	if r.Served.Value > 0.570 || r.Served.AtEnd > 0.540 || rivals[Never].GainLow < 0.01 || rivals[Best].Value > 0.553 {
		t.Errorf("served %.4f, of those due by the end %.4f", r.Served.Value, r.Served.AtEnd)
	}
}

func TestLabelsThatArrivedAreStoppedAndWouldHaveCostMuch(t *testing.T) {
	long(t)
	m, rows := hotel(t)
	var fourth []int
	for i := 3; i < rows.Rows(); i += 4 {
		fourth = append(fourth, i)
	}
	s := stream(t, m, rows.Take(fourth), "2016-01-01", "")
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
	if d := r.Did; d.Releases > 2 || d.Refused+d.Back+d.Kept < d.Trainings-2 {
		t.Errorf("on labels as they arrive it did %+v", d)
	}
	o.Model.Recipe.Gate.Metrics = slices.DeleteFunc(slices.Clone(m.Recipe.Gate.Metrics), func(g gate.Rule) bool { return g.Name == "mean_score" })
	o.Model.Plan.BackIf.DecisionsShift = nil
	if r, err = Run(t.Context(), s, o); err != nil {
		t.Fatal(err)
	}
	t.Logf("without them %.4f, %+v", r.Served.Value, r.Did)
	if never := r.Rivals[0]; r.Served.Value < 0.6 || never.GainHigh > 0 {
		t.Errorf("without the guards labels that arrived would have served %.4f, never retraining %.4f", r.Served.Value, never.Value)
	}
}

// employment is the American Community Survey's, in the years' order: within a year the
// rows are spread over its days as they stand.
func employment(t *testing.T, dir string, kinds map[string]frame.Kind) *frame.Frame {
	t.Helper()
	read := func(name string) *frame.Frame {
		r, err := frame.OpenFile(filepath.Join(dir, name), frame.CSVOptions{Kinds: kinds})
		if err != nil {
			t.Fatal(err)
		}
		f, err := frame.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	before, after, truth := read("employment_MA_reference.pq"), read("employment_MA_analysis.pq"), read("employment_MA_analysis_target.pq")
	employed := map[string]float64{}
	for i := range truth.Rows() {
		employed[truth.Column("id").Format(i)] = truth.Column("employed").Num[i]
	}
	y := make([]float64, after.Rows())
	for i := range y {
		y[i] = employed[after.Column("id").Format(i)]
	}
	after = frame.New(append(slices.Clone(after.Columns()), frame.NumberColumn("employed", y))...)
	names := append([]string{"id", "year", "employed", "AGEP"}, employmentCodes...)
	var parts []*frame.Frame
	for _, f := range []*frame.Frame{before, after} {
		f, err := f.Select(names...)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, f)
	}
	all, err := frame.Concat(parts...)
	if err != nil {
		t.Fatal(err)
	}
	// A quarter of the rows, which is enough to see that nothing moves. Those of a household
	// stand together in the files, so they are shuffled before they are spread over a year.
	draw := rand.New(rand.NewPCG(4, 2015)).Perm(all.Rows())
	all = all.Take(draw[:len(draw)/4])
	year := all.Column("year").Num
	count, seen, at := map[float64]float64{}, map[float64]float64{}, make([]int64, all.Rows())
	for _, y := range year {
		count[y]++
	}
	for i, y := range year {
		from := time.Date(int(y), 1, 1, 0, 0, 0, 0, time.UTC)
		long := from.AddDate(1, 0, 0).Sub(from)
		at[i] = from.Add(time.Duration(seen[y] / count[y] * float64(long))).UnixMicro()
		seen[y]++
	}
	return frame.New(append(slices.Clone(all.Columns()), frame.TimeColumn("asked", at))...)
}

var employmentCodes = strings.Fields("SCHL MAR RELP DIS ESP CIT MIG MIL ANC NATIVITY DEAR DEYE DREM SEX RAC1P")

// The files are not kept here, for nobody says under which licence they may be: they are
// those of NannyML's datasets (us_census_ma_employment), as Parquet.
func TestThreeYearsOfEmploymentNeedNothing(t *testing.T) {
	long(t)
	dir := os.Getenv("FLYBALL_EMPLOYMENT")
	if dir == "" {
		t.Skip("set FLYBALL_EMPLOYMENT to the folder of employment_MA_*.pq")
	}
	m, _, err := control.Read(control.Application{Name: "employment.yaml", File: `apiVersion: flyball/v1
kind: Model
name: employment
predict: {column: employed, kind: binary, id: id, time: asked, truth: {within: 1d}}
data: {source: employment.pq}
pipeline:
  inputs: {AGEP: number, ` + strings.Join(employmentCodes, ": text, ") + `: text}
  steps: [{op: ordinal, in: [` + strings.Join(employmentCodes, ", ") + `], by: value}]
train: {seed: 7}
gate:
  metrics:
    - {name: log_loss, require: noninferior, margin: 0.005}
    - {name: log_loss, against: baseline, require: superior}
    - {name: mean_score, require: {within: 0.10}}
duties:
  feed:    {owner: a, backup: b, within: 4h}
  monitor: {owner: a, backup: b, within: 4h}
  retrain: {owner: a, backup: b, within: 4h}
  fix:     {owner: a, backup: b, within: 4h}
`})
	if err != nil {
		t.Fatal(err)
	}
	r, rivals := holds(t, stream(t, m, employment(t, dir, m.Recipe.Kinds()), "2016-01-01", ""), options(m))
	for _, e := range r.Events {
		if e.Kind != "note" {
			t.Log(e.At.Format(time.DateOnly), e.Kind, e.Mark, e.Text)
		}
	}
	scores := 0
	for _, e := range r.Events {
		switch {
		case e.Mark == event.OK:
		case e.Kind == monitoring.Drift, e.Kind == "hold":
			t.Errorf("an alarm on a stream that does not move: %s", e.Text)
		case e.Kind == monitoring.Score:
			scores++
		}
	}
	if scores > 3 { // of the 36 that a budget of one a month allows
		t.Errorf("%d alarms of the score in three years", scores)
	}
	// What was released gained: a repeat, never to retrain, would have been worse.
	if r.Did.Back != 0 || r.Did.Releases > 6 || rivals[Never].GainHigh < 0 {
		t.Errorf("on a stream that does not move it did %+v", r.Did)
	}
}
