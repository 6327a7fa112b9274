// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"flyball/client"
	"flyball/serving/prediction"
)

// TestWhatReplicasCountIsWhatIsInTheLog asks three of them for many rows at once.
// FLYBALL_ROWS is another number of rows.
func TestWhatReplicasCountIsWhatIsInTheLog(t *testing.T) {
	want := int64(sized(60_000, 10_000_000))
	if n, err := strconv.ParseInt(os.Getenv("FLYBALL_ROWS"), 10, 64); err == nil {
		want = n
	}
	f := newFleet(t, nil)
	f.add("control", "c1")
	for _, name := range []string{"r1", "r2", "r3"} {
		f.add("serve", name)
	}
	past, coming := history(t)
	f.open(past[len(past)-120*24:], modelFile(t, append(slices.Clip(byItself), [2]string{"explain: {keep: all}", "explain: {keep: none}"})...))
	const batch = 2000
	rows := make([]json.RawMessage, batch)
	for i := range rows {
		rows[i] = coming[i].row(nil)
	}
	leader := client.New("http://"+f.controls[0].at, "", &http.Client{}) // a long export takes its time
	began := time.Now()
	var sent, got atomic.Int64
	var all sync.WaitGroup
	for i := range 6 {
		n := f.serves[i%len(f.serves)]
		all.Go(func() {
			for sent.Add(batch) <= want {
				a, err := n.Predict(t.Context(), bike, rows)
				if err != nil {
					t.Errorf("%s: %v", n.name, err)
					return
				}
				got.Add(int64(len(a.Predictions)))
			}
		})
	}
	all.Wait()
	asked := time.Since(began)
	answered := got.Load() + 4 // open asked each process for one
	db, err := pgx.Connect(t.Context(), f.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	f.until("what was counted is not what was answered", 10*time.Minute, func(ctx context.Context) error {
		var counted int64
		err := db.QueryRow(ctx, `SELECT COALESCE(CAST(SUM(rows) AS BIGINT), 0) FROM hours WHERE model = $1`, bike).Scan(&counted)
		if err == nil && counted != answered {
			err = fmt.Errorf("%d of %d rows are counted", counted, answered)
		}
		return err
	})
	f.until("not all that was answered was taken", 30*time.Minute, func(ctx context.Context) error {
		taken, err := metric(ctx, "http://"+f.controls[0].at, "flyball_predictionlog_taken_rows_total")
		if err == nil && taken < answered-1 {
			err = fmt.Errorf("%d of %d rows are taken", taken, answered-1)
		}
		return err
	})
	taken := time.Since(began)
	f.until("what is in the log is not what was answered", 30*time.Minute, func(ctx context.Context) error {
		total := int64(0)
		err := leader.ExportPredictions(ctx, prediction.Query{
			Model: bike, From: coming[0].at.Add(-24 * time.Hour), To: coming[batch].at,
		}, func(prediction.Joined) error { total++; return nil })
		if err == nil && total != answered {
			err = fmt.Errorf("%d of %d rows are in the log", total, answered)
		}
		return err
	})
	t.Logf("%d rows: answered in %v, in the log after %v", answered, asked.Round(time.Millisecond), taken.Round(time.Millisecond))
	for _, n := range f.all() {
		t.Logf("%s took %s at most", n.name, n.peak())
	}
}

// peak is the most memory that the process had; empty where the kernel does not tell.
func (n *node) peak() string {
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.cmd.Process.Pid)) // for a message only
	_, most, _ := strings.Cut(string(raw), "VmHWM:")
	most, _, _ = strings.Cut(most, "\n")
	return strings.TrimSpace(most)
}

// metric is the number that a process gives for one without labels.
func metric(ctx context.Context, at, name string) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if text, is := strings.CutPrefix(lines.Text(), name+" "); is {
			n, err := strconv.ParseFloat(text, 64)
			return int64(n), err
		}
	}
	return 0, fmt.Errorf("%s has no %s", at, name)
}
