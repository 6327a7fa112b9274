// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"encoding/base64"
	"fmt"
	"math"
	"testing"

	"flyball/experiment"
	"flyball/fault"
	"flyball/store"
)

// histories are the tests of a metric's points over time.
func histories(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, open Open)
	}{
		{"points come by time, step and value, and what is no number last among its equals", historyOrder},
		{"pages join into the whole, whatever their size", historyPages},
		{"a page token that cannot be read is refused", historyTokens},
		{"an unknown run or key has no points", historyOfNone},
		{"points stream, and may be left at any moment", historyStream},
		{"a sample is the first of each bucket, and the last point", sampled},
		{"a sample goes by step where time does not", sampledByStep},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open) })
	}
}

// inOrder are points as History gives them.
func inOrder() []experiment.Metric {
	return []experiment.Metric{
		{Key: "m", Timestamp: 0, Step: math.MinInt64, Value: 7},
		{Key: "m", Timestamp: 0, Step: -1, Value: 7},
		{Key: "m", Timestamp: 1, Step: 0, Value: -math.MaxFloat64},
		{Key: "m", Timestamp: 1, Step: 0, Value: -0.5},
		{Key: "m", Timestamp: 1, Step: 0, Value: 0},
		{Key: "m", Timestamp: 1, Step: 0, Value: 0.1},
		{Key: "m", Timestamp: 1, Step: 0, Value: math.MaxFloat64},
		{Key: "m", Timestamp: 1, Step: 0, Value: math.NaN()},
		{Key: "m", Timestamp: 1, Step: 5, Value: math.NaN()},
		{Key: "m", Timestamp: math.MaxInt64, Step: 2, Value: 1},
		{Key: "m", Timestamp: math.MaxInt64, Step: math.MaxInt64, Value: 1},
	}
}

func logInOrder(t *testing.T, db *store.DB) {
	t.Helper()
	oneRun(t, db, runA)
	points := inOrder()
	shuffled := make([]experiment.Metric, 0, len(points))
	for i := range points {
		shuffled = append(shuffled, points[i*7%len(points)])
	}
	check(t, db.Log(t.Context(), experiment.Batch{Run: runA, Metrics: shuffled}, false))
	check(t, db.Log(t.Context(), experiment.Batch{Run: runA, Metrics: []experiment.Metric{{Key: "another"}}}, false))
}

func historyOrder(t *testing.T, open Open) {
	db, _ := open(t)
	logInOrder(t, db)
	same(t, "history", history(t, db, runA, "m"), inOrder())
}

func historyPages(t *testing.T, open Open) {
	db, _ := open(t)
	logInOrder(t, db)
	for _, limit := range []int{-1, 0, 1, 2, 3, 10, 11, 12, math.MaxInt} {
		var got []experiment.Metric
		token, pages := "", 0
		for {
			points, next, err := db.History(t.Context(), runA, "m", experiment.Page{Limit: limit, Token: token})
			check(t, err)
			got, token, pages = append(got, points...), next, pages+1
			if next == "" || pages > 20 {
				break
			}
		}
		same(t, fmt.Sprintf("by %d", limit), got, inOrder())
		if want := (11 + min(max(limit, 1), 11) - 1) / min(max(limit, 1), 11); pages != want {
			t.Errorf("by %d: got %d pages, want %d", limit, pages, want)
		}
	}
}

func historyTokens(t *testing.T, open Open) {
	db, _ := open(t)
	oneRun(t, db, runA)
	for _, c := range []struct{ name, token, message string }{
		{"not base64", "%%%", "Invalid page token, could not base64-decode"},
		{"of something else", base64.RawURLEncoding.EncodeToString([]byte("{'offset': 0}")), `Invalid page token, parsed value="{'offset': 0}"`},
		{"with a value that is none", base64.RawURLEncoding.EncodeToString([]byte("1 2 0 7ff8000000000001")), `Invalid page token, parsed value="1 2 0 7ff8000000000001"`},
	} {
		_, _, err := db.History(t.Context(), runA, "m", experiment.Page{Limit: 1, Token: c.token})
		says(t, err, fault.Invalid, c.message)
	}
}

func historyOfNone(t *testing.T, open Open) {
	db, _ := open(t)
	logInOrder(t, db)
	same(t, "of an unknown run", history(t, db, "none", "m"), []experiment.Metric(nil))
	same(t, "of an unknown key", history(t, db, runA, "zzz"), []experiment.Metric(nil))
	same(t, "a sample of none", must(db.Sample(t.Context(), "none", "m", nil, 7))(t), []experiment.Metric(nil))
	same(t, "a sample of no steps", must(db.Sample(t.Context(), runA, "m", &[2]int64{6, 1000}, 7))(t), []experiment.Metric(nil))
	same(t, "a sample of nothing", must(db.Sample(t.Context(), runA, "m", nil, 0))(t), []experiment.Metric(nil))
	for range db.Points(t.Context(), "none", "m") {
		t.Error("an unknown run has points")
	}
}

func historyStream(t *testing.T, open Open) {
	db, _ := open(t)
	oneRun(t, db, runA)
	const n = 9_000
	for from := 0; from < n; from += 1000 {
		check(t, db.ImportPoints(t.Context(), runA, climb(from, 1000)))
	}
	i := 0
	for p, err := range db.Points(t.Context(), runA, "m") {
		check(t, err)
		if want := climb(i, 1)[0]; p != want {
			t.Fatalf("point %d: got %v, want %v", i, p, want)
		}
		i++
	}
	if i != n {
		t.Errorf("got %d points, want %d", i, n)
	}
	for range db.Points(t.Context(), runA, "m") {
		break
	}
}

// climb are n points whose step, time and value all grow by one, from one on.
func climb(from, n int) []experiment.Metric {
	points := make([]experiment.Metric, n)
	for i := range points {
		points[i] = experiment.Metric{Key: "m", Value: float64(from+i) + 0.5, Timestamp: int64(1000 + from + i), Step: int64(from + i)}
	}
	return points
}

func sampled(t *testing.T, open Open) {
	db, _ := open(t)
	oneRun(t, db, runA)
	check(t, db.Log(t.Context(), experiment.Batch{Run: runA, Metrics: climb(0, 30)}, false))
	all := climb(0, 30)
	for _, c := range []struct {
		steps *[2]int64
		n     int
		want  []int
	}{
		{nil, 7, []int{0, 5, 10, 14, 18, 22, 29}},
		{nil, 1, []int{29}},
		{nil, 2, []int{0, 29}},
		{nil, 29, []int{0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29}},
		{nil, 30, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29}},
		{nil, 2500, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29}},
		{&[2]int64{10, 20}, 3, []int{10, 14, 20}},
		{&[2]int64{10, 10}, 3, []int{10}},
		{&[2]int64{-5, 1}, 3, []int{0, 1}},
		{&[2]int64{20, 10}, 3, nil},
	} {
		var want []experiment.Metric
		for _, i := range c.want {
			want = append(want, all[i])
		}
		same(t, fmt.Sprintf("%d of steps %v", c.n, c.steps), must(db.Sample(t.Context(), runA, "m", c.steps, c.n))(t), want)
	}
}

func sampledByStep(t *testing.T, open Open) {
	db, _ := open(t)
	oneRun(t, db, runA)
	points := []experiment.Metric{
		{Key: "m", Step: -1, Timestamp: 9, Value: 1},
		{Key: "m", Step: 0, Timestamp: 1, Value: 1},
		{Key: "m", Step: 0, Timestamp: 2, Value: -1},
		{Key: "m", Step: 0, Timestamp: 2, Value: 3},
		{Key: "m", Step: 0, Timestamp: 2, Value: math.NaN()},
		{Key: "m", Step: 1, Timestamp: 0, Value: 1},
	}
	check(t, db.Log(t.Context(), experiment.Batch{Run: runA, Metrics: points}, false))
	same(t, "all", must(db.Sample(t.Context(), runA, "m", nil, 10))(t), points)
	same(t, "three", must(db.Sample(t.Context(), runA, "m", nil, 3))(t), []experiment.Metric{points[0], points[2], points[5]})
}
