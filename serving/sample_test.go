// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"flyball/data/pipeline"
	"flyball/ident"
	"flyball/model"
	"flyball/monitoring"
	"flyball/serving/prediction"
	"flyball/serving/release"
)

func TestOneRowInAHundredAndTwentyEightIsSampled(t *testing.T) {
	m := pipeline.Matrix{Rows: 1, Cols: 2, Data: []float32{1, float32(math.NaN())}}
	hits, n := 0, 100_000
	for range n {
		if got := sample(ident.NewPredictionID(time.Unix(1, 0)), m, 0); got != nil {
			hits++
			if want := []byte{0, 0, 0x80, 0x3f, 0, 0, 0xc0, 0x7f}; !bytes.Equal(got, want) {
				t.Fatalf("the sample is %x, not %x", got, want)
			}
		}
	}
	if hits < n/128*8/10 || hits > n/128*12/10 {
		t.Errorf("%d of %d rows are sampled", hits, n)
	}
	if got := sample("0199f1c2-0000-7000-8000-000000000000", pipeline.Matrix{}, 0); got != nil {
		t.Errorf("a model without features gives %x", got)
	}
}

// TestWhatIsSampledIsMadeAgainToTheBit asks by one row and by many, with nulls, and has
// monitoring replay what the log kept.
func TestWhatIsSampledIsMadeAgainToTheBit(t *testing.T) {
	live := always(t, 0.5, "x", "z")
	s, log := server(t, Entry{Route: release.Route{Live: 1}, Versions: map[int]*model.Bundle{1: live}})
	var rows []json.RawMessage
	for i := range 3000 {
		row := fmt.Sprintf(`{"ts":"2012-01-01T08:00:00Z","x":%d.1,"z":%s}`, i, []string{"null", "1e-7", "3"}[i%3])
		rows = append(rows, json.RawMessage(row))
	}
	for _, batch := range [][]json.RawMessage{rows[:1000], rows[1000:2000]} {
		if _, err := s.Predict(t.Context(), Request{Model: "m", Rows: batch}); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range rows[2000:] {
		ask(t, s, string(row))
	}
	var sampled []*prediction.Record
	for i := range log.kept {
		if r := &log.kept[i]; r.Vector != nil {
			sampled = append(sampled, r)
		}
	}
	if len(sampled) == 0 {
		t.Fatal("no row of 3,000 is sampled")
	}
	n, skewed, err := monitoring.Replay(live.Pipeline(), sampled)
	if err != nil || n != len(sampled) || len(skewed) != 0 {
		t.Errorf("of %d rows %+v, %v", n, skewed, err)
	}
	sampled[0].Vector[0] ^= 1
	if _, skewed, _ := monitoring.Replay(live.Pipeline(), sampled); len(skewed) != 1 || skewed[0].Feature != "x" || skewed[0].Mismatch != 1 {
		t.Errorf("a bit that was changed is told as %+v", skewed)
	}
}

func BenchmarkSample(b *testing.B) {
	m := pipeline.Matrix{Rows: 1, Cols: 50, Data: make([]float32, 50)}
	ids := make([]ident.PredictionID, 1024)
	for i := range ids {
		ids[i] = ident.NewPredictionID(time.Unix(int64(i), 0))
	}
	for i := 0; b.Loop(); i++ {
		_ = sample(ids[i%1024], m, 0)
	}
}
