// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"flyball/ident"
	"flyball/serving/prediction"
)

// BenchmarkShipAndTake brings rows of one day, 10,000 a shipment and as many shipments at
// once as package shipping takes, into one log. -benchtime 1000x is 10 million rows.
func BenchmarkShipAndTake(b *testing.B) {
	const perSecond, atOnce = 10_000, 10
	ctx := context.Background()
	open := func(o Options) *Log {
		l, err := Open(b.TempDir(), o)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = l.Close() })
		return l
	}
	from, to := open(Options{Shipping: Move}), open(Options{})
	rs := make([]prediction.Record, perSecond)
	var took time.Duration
	var waiting [][]byte
	size := 0
	now := noon
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		now = now.Add(time.Second)
		for i := range rs {
			rs[i] = record(i, 0)
			rs[i].At, rs[i].Time = now, now
			rs[i].ID = ident.NewPredictionID(now)
			rs[i].Key = fmt.Sprint("booking-", n*perSecond+i)
			rs[i].Row = json.RawMessage(`{"booking_id":"b-17","lead_time":41,"adr":99.5,"hotel":"City Hotel","meal":"BB","adults":2,"children":0}`)
		}
		it, err := encode(rs)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := from.commit([]*item{it}, now); err != nil {
			b.Fatal(err)
		}
		if _, err := from.Ship(ctx, func(ctx context.Context, s Shipment) error {
			size += len(s.Body)
			if waiting = append(waiting, s.Body); len(waiting) < atOnce && n < b.N-1 {
				return nil
			}
			began := time.Now()
			_, err := to.Take(ctx, waiting...)
			took += time.Since(began)
			waiting = nil
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rowsIn(b, to))/took.Seconds(), "taken/s")
	b.ReportMetric(float64(size)/float64(b.N*perSecond), "B/row")
}

func rowsIn(b *testing.B, l *Log) (n int) {
	b.Helper()
	if err := l.read.QueryRow(`SELECT sum(rows) FROM chunk`).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}
