// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flyball/ident"
	"flyball/serving/prediction"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("FLYBALL_TEST_CHILD"); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// noon is an arbitrary moment of the tests.
var noon = time.Date(2025, 3, 4, 12, 0, 0, 0, time.UTC)

// record makes a record of model m, asked hours after noon; n makes its id and key.
func record(n int, hours float64) prediction.Record {
	at := noon.Add(time.Duration(hours * float64(time.Hour)))
	return prediction.Record{
		ID: ident.PredictionID(fmt.Sprintf("0195%04x-0000-7000-8000-%012x", n>>16, n)), Model: "m", Version: 3, Arm: prediction.Live,
		Generation: 12, At: at, Time: at, Due: at.Add(24 * time.Hour), Key: fmt.Sprint("b-", n),
		Row: json.RawMessage(fmt.Sprintf(`{"x":%d}`, n)), Scores: []float64{0.25}, Latency: 1500 * time.Nanosecond,
	}
}

// keyed is a label by key, received hours after noon.
func keyed(key, value string, hours float64) prediction.Label {
	at := noon.Add(time.Duration(hours * float64(time.Hour)))
	return prediction.Label{Model: "m", Key: key, Value: value, At: noon, Received: at}
}

// atWork is a log at work. Its stop ends Run and closes the log; the test's end does
// it otherwise.
type atWork struct {
	*Log
	t      *testing.T
	cancel context.CancelFunc
	done   chan error
}

func start(t *testing.T, dir string, opts Options) *atWork {
	t.Helper()
	l, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &atWork{Log: l, t: t, cancel: cancel, done: make(chan error, 1)}
	go func() { r.done <- l.Run(ctx) }()
	<-l.Ready()
	t.Cleanup(r.stop)
	return r
}

func (r *atWork) stop() {
	r.t.Helper()
	if r.done == nil {
		return
	}
	r.cancel()
	if err := <-r.done; err != nil {
		r.t.Errorf("run: %v", err)
	}
	r.done = nil
	if err := r.Close(); err != nil {
		r.t.Errorf("close: %v", err)
	}
}

func (r *atWork) append(rs ...prediction.Record) {
	r.t.Helper()
	if err := r.Append(context.Background(), true, true, rs...); err != nil {
		r.t.Fatal(err)
	}
}

func (r *atWork) label(ls ...prediction.Label) int {
	r.t.Helper()
	n, err := r.AppendLabels(context.Background(), ls...)
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func (r *atWork) seal() int {
	r.t.Helper()
	n, err := r.Seal(context.Background(), noon.AddDate(1, 0, 0), time.Hour)
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func scanAll(t *testing.T, l *Log, q prediction.Query) []prediction.Joined {
	t.Helper()
	var out []prediction.Joined
	if err := l.Scan(context.Background(), q, func(j prediction.Joined) error { out = append(out, j); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// sealedFiles are the paths of all Parquet files below dir.
func sealedFiles(t *testing.T, dir string) []string {
	t.Helper()
	out, err := filepath.Glob(filepath.Join(dir, "model=*", "date=*", "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	return out
}
