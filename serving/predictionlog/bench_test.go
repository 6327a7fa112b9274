// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

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

// BenchmarkRead asks a log of 60 days with a file an hour, 200 rows each.
func BenchmarkRead(b *testing.B) {
	l, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	<-l.Ready()
	const days, perHour = 60, 200
	rs := make([]prediction.Record, perHour)
	for h := range days * 24 {
		for i := range rs {
			rs[i] = record(h*perHour+i, float64(h)+float64(i)/perHour)
		}
		if err := l.Append(ctx, true, true, rs...); err != nil {
			b.Fatal(err)
		}
		if _, err := l.Seal(ctx, hours(float64(h)), time.Hour); err != nil {
			b.Fatal(err)
		}
	}
	key := func(n int) string { return fmt.Sprint("b-", n%(days*24*perHour)) }
	for _, c := range []struct {
		name string
		rows int
		ask  func(n int) prediction.Query
	}{
		{"the last 100", 100, func(int) prediction.Query { return prediction.Query{Last: 100} }},
		{"a key", 1, func(n int) prediction.Query { return prediction.Query{Key: key(n * 7919)} }},
		{"a day", 24 * perHour, func(n int) prediction.Query {
			return prediction.Query{From: hours(float64(n % (days - 1) * 24)), To: hours(float64(n%(days-1)*24 + 24))}
		}},
		{"all", days * 24 * perHour, func(int) prediction.Query { return prediction.Query{} }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				q, rows := c.ask(n), 0
				q.Model = "m"
				if err := l.Scan(ctx, q, func(prediction.Joined) error { rows++; return nil }); err != nil || rows != c.rows {
					b.Fatal(rows, err)
				}
			}
		})
	}
	b.Run("1000 labels", func(b *testing.B) {
		b.ReportAllocs()
		ls := make([]prediction.Label, 1000)
		for n := 0; b.Loop(); n++ {
			for i := range ls {
				ls[i] = prediction.Label{Model: "m", Key: key((n*1000 + i) * 7919), Value: "1", At: noon, Received: noon}
			}
			if unmatched, err := l.AppendLabels(ctx, ls...); err != nil || unmatched != 0 {
				b.Fatal(unmatched, err)
			}
		}
	})
	cancel()
	if err := errors.Join(<-done, l.Close()); err != nil {
		b.Fatal(err)
	}
}
