// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"flyball/experiment"
	"flyball/fault"
	"flyball/ident"
	"flyball/store"
)

// loggingTests are the tests of what is logged to runs.
func loggingTests(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, open Open)
	}{
		{"a batch is kept whole", batch},
		{"a batch that conflicts leaves nothing behind", batchRefused},
		{"a batch that comes twice is kept once", batchTwice},
		{"the latest point is the greatest by step, time and value, in whatever order points come", latest},
		{"values and keys come back to the last bit", exact},
		{"the last of equal tags counts", lastTag},
		{"batches logged at once are all kept", loggedAtOnce},
		{"of conflicting params logged at once one stays, and the others are told", conflictsAtOnce},
		{"a batch that no longer waits for its turn is not written", gaveUp},
		{"a thousand points of a thousand keys are one batch", thousand},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open) })
	}
}

func oneRun(t *testing.T, db *store.DB, id ident.RunID) {
	t.Helper()
	check(t, db.CreateRun(t.Context(), experiment.Run{ID: id, Status: experiment.Running}))
}

func history(t *testing.T, db *store.DB, id ident.RunID, key string) []experiment.Metric {
	t.Helper()
	points, next, err := db.History(t.Context(), id, key, experiment.Page{Limit: 100_000})
	check(t, err)
	if next != "" {
		t.Errorf("there is another page: %q", next)
	}
	return points
}

func someBatch() experiment.Batch {
	return experiment.Batch{
		Run:     runA,
		Metrics: []experiment.Metric{{Key: "acc", Value: 0.5, Timestamp: 2, Step: 1}, {Key: "acc", Value: 0.6, Timestamp: 3, Step: 2}, {Key: "loss", Value: 1}},
		Params:  []experiment.Param{{Key: "depth", Value: "6"}, {Key: "eta", Value: "0.3"}},
		Tags:    []experiment.Tag{{Key: "team", Value: "x"}},
	}
}

func batch(t *testing.T, open Open) {
	db, _ := open(t)
	oneRun(t, db, runA)
	b := someBatch()
	check(t, db.Log(t.Context(), b, false))
	same(t, "run", must(db.Run(t.Context(), runA))(t), experiment.Run{
		ID: runA, Status: experiment.Running, Metrics: b.Metrics[1:], Params: b.Params, Tags: b.Tags,
	})
	same(t, "history", history(t, db, runA, "acc"), b.Metrics[:2])
	check(t, db.Log(t.Context(), experiment.Batch{Run: runA}, false)) // nothing is something that can be logged
}

func batchRefused(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	oneRun(t, db, runA)
	check(t, db.Log(ctx, someBatch(), false))
	want := must(db.Run(ctx, runA))(t)
	for _, c := range []struct {
		name   string
		params []experiment.Param
		single bool
		says   string
	}{
		{
			"one param",
			[]experiment.Param{{Key: "depth", Value: "7"}},
			true,
			"Changing param values is not allowed. Param with key='depth' was already logged with value='6' for run ID='" + string(runA) + "'. Attempted logging new value '7'.",
		},
		{
			"params of a batch",
			[]experiment.Param{{Key: "new", Value: "1"}, {Key: "depth", Value: "it's"}, {Key: "eta", Value: "0.1\n"}},
			false,
			`Changing param values is not allowed. Params were already logged='[{'key': 'depth', 'old_value': '6', 'new_value': "it's"}, ` +
				`{'key': 'eta', 'old_value': '0.3', 'new_value': '0.1\n'}]' for run ID='` + string(runA) + `'.`,
		},
		{
			"a param twice in the batch",
			[]experiment.Param{{Key: "new", Value: "1"}, {Key: "new", Value: "2"}},
			false,
			`Changing param values is not allowed. Params were already logged='[{'key': 'new', 'old_value': '1', 'new_value': '2'}]' for run ID='` + string(runA) + `'.`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := db.Log(ctx, experiment.Batch{
				Run: runA, Params: c.params, Metrics: []experiment.Metric{{Key: "acc", Value: 1, Step: 99}, {Key: "other", Value: 1}},
				Tags: []experiment.Tag{{Key: "team", Value: "y"}, {Key: "mlflow.runName", Value: "n"}},
			}, c.single)
			says(t, err, fault.Invalid, c.says)
			same(t, "the run is as it was", must(db.Run(ctx, runA))(t), want)
			same(t, "and the history", history(t, db, runA, "acc"), someBatch().Metrics[:2])
		})
	}
}

func batchTwice(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	oneRun(t, db, runA)
	b := someBatch()
	b.Metrics = append(b.Metrics, experiment.Metric{Key: "acc", Value: math.NaN(), Timestamp: 3, Step: 2}, b.Metrics[0])
	b.Params = append(b.Params, b.Params[0])
	for range 3 {
		check(t, db.Log(ctx, b, false))
	}
	same(t, "history", history(t, db, runA, "acc"), []experiment.Metric{b.Metrics[0], b.Metrics[1], b.Metrics[3]})
	same(t, "params", must(db.Run(ctx, runA))(t).Params, someBatch().Params)
}

func latest(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	point := func(step, at int64, value float64) experiment.Metric {
		return experiment.Metric{Key: "m", Step: step, Timestamp: at, Value: value}
	}
	for i, c := range []struct {
		name         string
		winner, then experiment.Metric
	}{
		{"the greater step", point(2, 1, 1), point(1, 9, 9)},
		{"at one step the later time", point(1, 9, 1), point(1, 1, 9)},
		{"at one time the greater value", point(1, 1, 9), point(1, 1, 1)},
		{"zero is a greater step than a negative one", point(0, 1, 1), point(-1, 9, 9)},
		{"the greatest step", point(math.MaxInt64, 0, 0), point(math.MinInt64, math.MaxInt64, 1)},
		{"what is no number counts as 0: less than 1", point(1, 1, 1), point(1, 1, math.NaN())},
		{"what is no number counts as 0: more than -1", point(1, 1, math.NaN()), point(1, 1, -1)},
		{"what is no number yields to 0", point(1, 1, 0), point(1, 1, math.NaN())},
		{"infinity is the greatest", point(1, 1, math.MaxFloat64), point(1, 1, 1e308)},
	} {
		for order, points := range [][]experiment.Metric{{c.winner, c.then}, {c.then, c.winner}} {
			for _, together := range []bool{true, false} {
				id := ident.RunID(fmt.Sprintf("r%d-%d-%v", i, order, together))
				oneRun(t, db, id)
				if together {
					check(t, db.Log(ctx, experiment.Batch{Run: id, Metrics: points}, false))
				} else {
					check(t, db.Log(ctx, experiment.Batch{Run: id, Metrics: points[:1]}, true))
					check(t, db.Log(ctx, experiment.Batch{Run: id, Metrics: points[1:]}, true))
				}
				same(t, fmt.Sprintf("%s (order %d, together %v)", c.name, order, together), must(db.Run(ctx, id))(t).Metrics, []experiment.Metric{c.winner})
			}
		}
	}
}

func exact(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	oneRun(t, db, runA)
	values := []float64{
		0.1, 1.0 / 3, math.Pi, 5e-324, -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 9007199254740993, 1e22, 123456789.12345679, -1,
	}
	var b experiment.Batch
	b.Run = runA
	for i, v := range values {
		b.Metrics = append(b.Metrics, experiment.Metric{Key: "m/" + strings.Repeat("é", 240) + fmt.Sprintf("%02d", i), Value: v, Timestamp: math.MaxInt64, Step: math.MinInt64})
	}
	check(t, db.Log(ctx, b, false))
	same(t, "metrics", must(db.Run(ctx, runA))(t).Metrics, b.Metrics)
	same(t, "history", history(t, db, runA, b.Metrics[0].Key), b.Metrics[:1])
}

func lastTag(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	oneRun(t, db, runA)
	long := strings.Repeat("ü", 8000)
	check(t, db.Log(ctx, experiment.Batch{Run: runA, Tags: []experiment.Tag{{Key: "k", Value: "1"}, {Key: "mlflow.runName", Value: "a"}, {Key: "k", Value: "2"}}}, false))
	check(t, db.Log(ctx, experiment.Batch{Run: runA, Tags: []experiment.Tag{{Key: "k", Value: long}}}, true))
	got := must(db.Run(ctx, runA))(t)
	same(t, "tags", got.Tags, []experiment.Tag{{Key: "k", Value: long}, {Key: "mlflow.runName", Value: "a"}})
	if got.Name != "a" {
		t.Errorf("name: got %q, want a", got.Name)
	}
}

func loggedAtOnce(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	const loggers, batches = 32, 20
	oneRun(t, db, runA)
	for i := range loggers {
		oneRun(t, db, ident.RunID(fmt.Sprintf("own%d", i)))
	}
	atOnce(loggers, func(i int) {
		for n := range batches {
			for _, id := range []ident.RunID{runA, ident.RunID(fmt.Sprintf("own%d", i))} {
				err := db.Log(ctx, experiment.Batch{
					Run:     id,
					Metrics: []experiment.Metric{{Key: "shared", Value: float64(i), Step: int64(n)}, {Key: fmt.Sprintf("key%d", i), Step: int64(n)}},
					Params:  []experiment.Param{{Key: fmt.Sprintf("p%d.%d", i, n), Value: "v"}, {Key: "same", Value: "for all"}},
					Tags:    []experiment.Tag{{Key: fmt.Sprintf("t%d", i), Value: fmt.Sprint(n)}},
				}, false)
				if err != nil {
					t.Error(err)
				}
			}
		}
	})
	if got := len(history(t, db, runA, "shared")); got != loggers*batches {
		t.Errorf("shared points: got %d, want %d", got, loggers*batches)
	}
	r := must(db.Run(ctx, runA))(t)
	same(t, "counts", []int{len(r.Metrics), len(r.Params), len(r.Tags)}, []int{1 + loggers, 1 + loggers*batches, loggers})
	for i := range loggers {
		r := must(db.Run(ctx, ident.RunID(fmt.Sprintf("own%d", i))))(t)
		same(t, "counts", []int{len(r.Metrics), len(r.Params), len(r.Tags)}, []int{2, 1 + batches, 1})
		same(t, "the last tag", r.Tags[0].Value, fmt.Sprint(batches-1))
	}
}

func conflictsAtOnce(t *testing.T, open Open) {
	db, _ := open(t)
	oneRun(t, db, runA)
	refused := make(chan error, 32)
	atOnce(32, func(i int) {
		if err := db.Log(t.Context(), experiment.Batch{
			Run: runA, Params: []experiment.Param{{Key: "p", Value: fmt.Sprint(i % 4)}}, Metrics: []experiment.Metric{{Key: "m", Value: float64(i % 4), Step: int64(i)}},
		}, true); err != nil {
			refused <- err
		}
	})
	close(refused)
	r := must(db.Run(t.Context(), runA))(t)
	if len(refused) != 24 || len(r.Params) != 1 {
		t.Fatalf("%d were refused and %d params stayed, want 24 and 1", len(refused), len(r.Params))
	}
	for err := range refused {
		if !fault.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), "Changing param values is not allowed. Param with key='p' was already logged with value='"+r.Params[0].Value+"'") {
			t.Errorf("got %v", err)
		}
	}
	points := history(t, db, runA, "m")
	for _, p := range points {
		if fmt.Sprint(p.Value) != r.Params[0].Value {
			t.Errorf("a refused batch left the point %v", p)
		}
	}
	if len(points) != 8 {
		t.Errorf("got %d points, want 8", len(points))
	}
}

func gaveUp(t *testing.T, open Open) {
	db, _ := open(t)
	oneRun(t, db, runA)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	atOnce(32, func(i int) {
		ctx := t.Context()
		if i%2 == 0 {
			ctx = ended
		}
		err := db.Log(ctx, experiment.Batch{Run: runA, Metrics: []experiment.Metric{{Key: fmt.Sprintf("m%02d", i), Step: int64(i)}}}, true)
		got := len(history(t, db, runA, fmt.Sprintf("m%02d", i)))
		if err == nil && got != 1 || err != nil && (got != 0 || !errors.Is(err, context.Canceled)) {
			t.Errorf("%d: got %v and %d points", i, err, got)
		}
		if i%2 == 1 && err != nil {
			t.Errorf("%d did not give up, and got %v", i, err)
		}
	})
}

func thousand(t *testing.T, open Open) {
	db, _ := open(t)
	oneRun(t, db, runA)
	b := experiment.Batch{Run: runA}
	for i := range 1000 {
		b.Metrics = append(b.Metrics, experiment.Metric{Key: fmt.Sprintf("m%03d", i), Value: float64(i) / 7, Timestamp: int64(i), Step: int64(i)})
	}
	check(t, db.Log(t.Context(), b, false))
	same(t, "metrics", must(db.Run(t.Context(), runA))(t).Metrics, b.Metrics)
}
