// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"encoding/json"
	"testing"

	"flyball/ident"
	"flyball/serving/prediction"
)

// BenchmarkStage appends rows as serving does, a request at a time, and ends when
// the last is on disk.
func BenchmarkStage(b *testing.B) {
	for _, c := range []struct {
		name    string
		rows    int // of a request
		durable bool
	}{{"1 row", 1, false}, {"100 rows", 100, false}, {"100 rows durable", 100, true}} {
		b.Run(c.name, func(b *testing.B) {
			l, err := Open(b.TempDir(), Options{})
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- l.Run(ctx) }()
			<-l.Ready()
			rs := make([]prediction.Record, c.rows)
			for i := range rs {
				rs[i] = record(i, 0)
				rs[i].Row = json.RawMessage(`{"booking_id":"b-17","lead_time":41,"adr":99.5,"hotel":"City Hotel","meal":"BB","adults":2,"children":0}`)
				rs[i].Others = []prediction.Other{{Role: prediction.Baseline, Version: 1, Scores: []float64{0.37}}}
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				for i := range rs {
					rs[i].ID = ident.NewPredictionID(noon)
					rs[i].Key = string(rs[i].ID[9:])
				}
				if err := l.Append(ctx, c.durable, true, rs...); err != nil {
					b.Fatal(err)
				}
				n += len(rs)
			}
			if err := l.Flush(ctx); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
			cancel()
			if err := <-done; err != nil {
				b.Fatal(err)
			}
			if err := l.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
