// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"time"

	"flyball/data/frame"
	"flyball/experiment/gate"
	"flyball/loop"
	"flyball/loop/rehearse/histories"
	"flyball/unit"
)

// history is what is rehearsed, from a day to a day (zero: to its end), by the policy of
// its model file and by others.
type history struct {
	name     string
	open     func() (loop.Model, *frame.Frame, error)
	from, to time.Time
	others   []policy
}

// policy is the model file with a change.
type policy struct {
	name    string
	change  func(*loop.Model)
	arrived bool
}

const day = unit.Duration(24 * time.Hour)

// all are the histories; employment is a folder, and empty where there is none.
func all(root, employment string) []history {
	bikes := func() (loop.Model, *frame.Frame, error) {
		m, err := histories.Read(root, "bike-demand/model.yaml", "")
		if err != nil {
			return m, nil, err
		}
		rows, err := histories.Bikes(m.Recipe.Kinds())
		return m, rows, err
	}
	bookings := func(pick func(*frame.Frame) *frame.Frame) func() (loop.Model, *frame.Frame, error) {
		return func() (loop.Model, *frame.Frame, error) {
			m, err := histories.Read(root, "hotel-cancel/model.yaml", "hotel-cancel/hotel-features.yaml")
			if err != nil {
				return m, nil, err
			}
			rows, err := histories.Bookings(root, m.Recipe.Kinds())
			if err != nil {
				return m, nil, err
			}
			return m, pick(rows), nil
		}
	}
	hotel := func(name string) func(*frame.Frame) *frame.Frame {
		return func(f *frame.Frame) *frame.Frame { return histories.Where(f, "hotel", name) }
	}
	fourth := func(f *frame.Frame) *frame.Frame { return histories.Every(f, 4) }
	whole := func(f *frame.Frame) *frame.Frame { return f }
	out := []history{
		{name: "bikes hired an hour, 2012", open: bikes, from: first(2012), others: []policy{passed, every(14)}},
		{name: "bookings, 2016", open: bookings(whole), from: first(2016), others: []policy{passed, every(14)}},
		{name: "bookings of the city hotel, 2016", open: bookings(hotel("City Hotel")), from: first(2016), others: []policy{passed}},
		{name: "bookings of the resort hotel, 2016", open: bookings(hotel("Resort Hotel")), from: first(2016), others: []policy{passed}},
		{name: "every fourth booking, 2016", open: bookings(fourth), from: first(2016), others: []policy{passed, arrived, unguarded}},
	}
	if employment != "" {
		out = append(out, history{name: "employment, 2016 to 2018", from: first(2016), others: []policy{passed}, open: func() (loop.Model, *frame.Frame, error) {
			m, err := histories.EmploymentModel()
			if err != nil {
				return m, nil, err
			}
			rows, err := histories.Employment(employment, m.Recipe.Kinds())
			return m, rows, err
		}})
	}
	return out
}

func first(year int) time.Time { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC) }

// The other policies.
var (
	passed    = policy{name: "whatever passed is released", change: func(m *loop.Model) { m.Policy.Release = "passed" }}
	arrived   = policy{name: "trained on labels as they arrive", arrived: true}
	unguarded = policy{name: "the same, without `mean_score` and `decisions_shift`", arrived: true, change: func(m *loop.Model) {
		m.Recipe.Gate.Metrics = slices.DeleteFunc(slices.Clone(m.Recipe.Gate.Metrics), func(r gate.Rule) bool { return r.Name == "mean_score" })
		m.Plan.BackIf.DecisionsShift = nil
	}}
)

// every is trained every so many days, and held out on as many at most.
func every(days int) policy {
	return policy{name: "trained " + (unit.Duration(days) * day).String() + " after the last", change: func(m *loop.Model) {
		m.Policy.Every, m.Policy.Wait = unit.Duration(days)*day, min(m.Policy.Wait, unit.Duration(days)*day)
		m.Recipe.Data.Test.Window = min(m.Recipe.Data.Test.Window, unit.Duration(days)*day)
	}}
}
