// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"flyball/experiment"
	"flyball/ident"
	"flyball/store"
)

// processor is the processor time of this process so far.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// cost runs do b.N times and reports the processor time of each beside its duration.
func cost(b *testing.B, do func(i int) error) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer()
	before := processor(b)
	for i := range b.N {
		if err := do(i); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(processor(b)-before)/float64(b.N)/1e3, "cpu-µs/op")
}

func benchmarkDB(b *testing.B) *store.DB {
	b.Helper()
	dsn := filepath.Join(b.TempDir(), "flyball.db")
	if testing.Short() { // go test -short -bench: on PostgreSQL, whose own processor time is not counted
		dsn = server.DSN(b)
	}
	db, err := store.Open(context.Background(), dsn)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	return db
}

func newRun(b *testing.B, db *store.DB, more func(r *experiment.Run)) ident.RunID {
	b.Helper()
	r := experiment.Run{
		ID: ident.NewRunID(), Name: "able-mole-1", User: "ana", Status: experiment.Running, Start: 1, Location: "mlflow-artifacts:/0/x/artifacts",
		Tags: []experiment.Tag{{Key: "mlflow.runName", Value: "able-mole-1"}, {Key: "mlflow.user", Value: "ana"}, {Key: "mlflow.source.type", Value: "LOCAL"}},
	}
	if more != nil {
		more(&r)
	}
	if err := db.CreateRun(context.Background(), r); err != nil {
		b.Fatal(err)
	}
	return r.ID
}

func BenchmarkLogOneMetric(b *testing.B) {
	db := benchmarkDB(b)
	id := newRun(b, db, nil)
	cost(b, func(i int) error {
		return db.Log(context.Background(), experiment.Batch{Run: id, Metrics: []experiment.Metric{
			{Key: "loss", Value: float64(i) / 7, Timestamp: int64(i), Step: int64(i)},
		}}, true)
	})
}

func BenchmarkLogOneMetricByManyAtOnce(b *testing.B) {
	db := benchmarkDB(b)
	id := newRun(b, db, nil)
	b.ReportAllocs()
	b.SetParallelism(16)
	b.ResetTimer()
	before := processor(b)
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			err := db.Log(context.Background(), experiment.Batch{Run: id, Metrics: []experiment.Metric{
				{Key: "loss", Value: float64(i) / 7, Timestamp: int64(i), Step: int64(i)},
			}}, true)
			if err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(processor(b)-before)/float64(b.N)/1e3, "cpu-µs/op")
}

func BenchmarkLogTenMetrics(b *testing.B)          { logBatches(b, 10, 10) }
func BenchmarkLogThousandKeys(b *testing.B)        { logBatches(b, 1000, 1000) }
func BenchmarkLogThousandStepsOfAKey(b *testing.B) { logBatches(b, 1000, 1) }

// logBatches logs n points of so many keys at a time.
func logBatches(b *testing.B, n, keys int) {
	db := benchmarkDB(b)
	id := newRun(b, db, nil)
	names := make([]string, keys)
	for i := range names {
		names[i] = fmt.Sprintf("metric_%d", i)
	}
	cost(b, func(i int) error {
		ms := make([]experiment.Metric, n)
		for j := range ms {
			step := int64(i*n + j)
			ms[j] = experiment.Metric{Key: names[j%keys], Value: float64(step) / 7, Timestamp: 1_700_000_000_000 + step, Step: step}
		}
		return db.Log(context.Background(), experiment.Batch{Run: id, Metrics: ms}, false)
	})
}

func BenchmarkCreateRun(b *testing.B) {
	db := benchmarkDB(b)
	cost(b, func(int) error { newRun(b, db, nil); return nil })
}

// full gives a run 20 metrics and 20 params.
func full(r *experiment.Run) {
	for i := range 20 {
		r.Metrics = append(r.Metrics, experiment.Metric{Key: fmt.Sprintf("m%d", i), Value: float64(i) / 7, Timestamp: 1, Step: 1})
		r.Params = append(r.Params, experiment.Param{Key: fmt.Sprintf("p%d", i), Value: fmt.Sprint(i)})
	}
}

func BenchmarkCreateRunWithMetricsAndParams(b *testing.B) {
	db := benchmarkDB(b)
	cost(b, func(int) error { newRun(b, db, full); return nil })
}

func BenchmarkGetRun(b *testing.B) {
	db := benchmarkDB(b)
	id := newRun(b, db, full)
	cost(b, func(int) error {
		_, err := db.Run(context.Background(), id)
		return err
	})
}

func BenchmarkMillionPoints(b *testing.B) {
	db := benchmarkDB(b)
	id := newRun(b, db, nil)
	for i := range 1000 {
		ms := make([]experiment.Metric, 1000)
		for j := range ms {
			step := int64(i*1000 + j)
			ms[j] = experiment.Metric{Key: "loss", Value: float64(step) / 7, Timestamp: 1_700_000_000_000 + step, Step: step}
		}
		if err := db.Log(context.Background(), experiment.Batch{Run: id, Metrics: ms}, false); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("history", func(b *testing.B) {
		cost(b, func(int) error {
			n, token := 0, ""
			for {
				ms, next, err := db.History(context.Background(), id, "loss", experiment.Page{Limit: 25_000, Token: token})
				if err != nil {
					return err
				}
				if n += len(ms); next == "" {
					break
				}
				token = next
			}
			if n != 1_000_000 {
				b.Fatalf("got %d points", n)
			}
			return nil
		})
	})
	b.Run("sample", func(b *testing.B) {
		cost(b, func(int) error {
			ms, err := db.Sample(context.Background(), id, "loss", nil, 2500)
			if len(ms) != 2500 {
				b.Fatalf("got %d points", len(ms))
			}
			return err
		})
	})
}

// BenchmarkImportRuns brings in 200 runs at a time, each with 20 metrics of 10 points
// and 20 params; it reports the cost of one run.
func BenchmarkImportRuns(b *testing.B) {
	db := benchmarkDB(b)
	const together = 200
	cost(b, func(int) error {
		var runs []experiment.ImportedRun
		for range together {
			r := experiment.ImportedRun{Run: experiment.Run{ID: ident.NewRunID(), Name: "able-mole-1", Status: experiment.Finished, Start: 1}}
			full(&r.Run)
			for i := range 200 {
				r.History = append(r.History, experiment.Metric{Key: fmt.Sprintf("m%d", i%20), Value: float64(i) / 7, Timestamp: int64(i), Step: int64(i)})
			}
			runs = append(runs, r)
		}
		n, err := db.ImportRuns(context.Background(), runs)
		if n != together {
			b.Fatalf("%d runs were new", n)
		}
		return err
	})
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*together), "µs/run")
}
