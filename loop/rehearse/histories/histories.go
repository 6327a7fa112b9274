// SPDX-License-Identifier: Apache-2.0

// Package histories opens the real histories on which policies are rehearsed, each with
// its model file. It is for tests and benches; it rehearses nothing.
package histories

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/control"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/examples"
	"flyball/loop"
)

// Read is a model file of the examples, which lie below root, with changes to its text:
// pairs of what is there and what takes its place. pipeline may be empty.
func Read(root, file, pipeline string, changes ...string) (loop.Model, error) {
	a := control.Application{Name: file, PipelineName: pipeline}
	for path, to := range map[string]*string{file: &a.File, pipeline: &a.Pipeline} {
		if path == "" {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			return loop.Model{}, err
		}
		*to = string(raw)
	}
	for i := 0; i+1 < len(changes); i += 2 {
		if !strings.Contains(a.File, changes[i]) {
			return loop.Model{}, fmt.Errorf("%s has no %q", file, changes[i])
		}
		a.File = strings.ReplaceAll(a.File, changes[i], changes[i+1])
	}
	m, _, err := control.Read(a)
	return m, err
}

// Bikes are the hours of the demo, with the counts a day and a week before.
func Bikes(kinds map[string]frame.Kind) (*frame.Frame, error) {
	raw, err := examples.Bike.ReadFile("bike-demand/demo_bike_hourly.csv.gz")
	if err != nil {
		return nil, err
	}
	f, err := table("demo_bike_hourly.csv.gz", raw, kinds)
	if err != nil {
		return nil, err
	}
	at, err := dataset.Times(f, "ts")
	if err != nil {
		return nil, err
	}
	counts := map[int64]float64{}
	for i, us := range at {
		counts[us] = f.Column("cnt").Num[i]
	}
	cols := slices.Clone(f.Columns())
	for _, hours := range []int{24, 168} {
		lag := make([]float64, len(at))
		for i, us := range at {
			n, ok := counts[us-int64(hours)*time.Hour.Microseconds()]
			if lag[i] = n; !ok {
				lag[i] = math.NaN()
			}
		}
		cols = append(cols, frame.NumberColumn("lag"+strconv.Itoa(hours), lag))
	}
	return frame.New(cols...), nil
}

// Bookings are those of the hotels, each with its row number as key.
func Bookings(root string, kinds map[string]frame.Kind) (*frame.Frame, error) {
	const name = "demo_hotel_bookings.csv.gz"
	raw, err := os.ReadFile(filepath.Join(root, "hotel-cancel", name))
	if err != nil {
		return nil, err
	}
	f, err := table(name, raw, kinds)
	if err != nil {
		return nil, err
	}
	key := make([]string, f.Rows())
	for i := range key {
		key[i] = strconv.Itoa(i + 1)
	}
	return frame.New(append([]frame.Column{frame.TextColumn("booking_id", key, nil)}, f.Columns()...)...), nil
}

// Every is each n-th row, the last of the first n the first.
func Every(f *frame.Frame, n int) *frame.Frame {
	var at []int
	for i := n - 1; i < f.Rows(); i += n {
		at = append(at, i)
	}
	return f.Take(at)
}

// Where is the rows whose column has the text.
func Where(f *frame.Frame, column, text string) *frame.Frame {
	var at []int
	c := f.Column(column)
	for i := range f.Rows() {
		if c.Format(i) == text {
			at = append(at, i)
		}
	}
	return f.Take(at)
}

func table(name string, raw []byte, kinds map[string]frame.Kind) (*frame.Frame, error) {
	r, err := frame.OpenBytes(name, raw, frame.CSVOptions{Kinds: kinds})
	if err != nil {
		return nil, err
	}
	return frame.ReadAll(r)
}

// EmploymentModel is the model file of Employment: what it does not name is the default.
func EmploymentModel() (loop.Model, error) {
	m, _, err := control.Read(control.Application{Name: "employment.yaml", File: employmentFile})
	return m, err
}

var employmentFile = `apiVersion: flyball/v1
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
`

var employmentCodes = strings.Fields("SCHL MAR RELP DIS ESP CIT MIG MIL ANC NATIVITY DEAR DEYE DREM SEX RAC1P")

// Employment is the American Community Survey's, 2015 to 2018, a quarter of the rows, in
// the years' order: those of a household stand together in the files, so they are shuffled
// before they are spread over their year. The files are not kept here, for nobody says
// under which licence they may be: they are those of NannyML's datasets
// (us_census_ma_employment), as Parquet, in dir.
func Employment(dir string, kinds map[string]frame.Kind) (*frame.Frame, error) {
	all, err := employment(dir, kinds)
	if err != nil {
		return nil, err
	}
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
	return frame.New(append(slices.Clone(all.Columns()), frame.TimeColumn("asked", at))...), nil
}

// employment is all rows, with what they came to.
func employment(dir string, kinds map[string]frame.Kind) (*frame.Frame, error) {
	var parts [3]*frame.Frame
	for i, name := range []string{"employment_MA_reference.pq", "employment_MA_analysis.pq", "employment_MA_analysis_target.pq"} {
		r, err := frame.OpenFile(filepath.Join(dir, name), frame.CSVOptions{Kinds: kinds})
		if err != nil {
			return nil, err
		}
		if parts[i], err = frame.ReadAll(r); err != nil {
			return nil, err
		}
	}
	truth, after := parts[2], parts[1]
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
	before, err := parts[0].Select(names...)
	if err != nil {
		return nil, err
	}
	if after, err = after.Select(names...); err != nil {
		return nil, err
	}
	return frame.Concat(before, after)
}
