// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/monitoring"
)

// checked is the bike model with the checks; empty: those of the example.
func checked(t *testing.T, checks string) string {
	t.Helper()
	file := modelFile(t, byHand...)
	if checks == "" {
		return file
	}
	from, to := strings.Index(file, "  checks:\n"), strings.Index(file, "\npipeline:\n")
	if from < 0 || to < from {
		t.Fatal("the example has no checks")
	}
	return file[:from] + checks + file[to:]
}

// damp is the hours with another humidity in each.
func damp(hours []hour, hum float64) []hour {
	out := slices.Clone(hours)
	for i := range out {
		num := map[string]float64{}
		maps.Copy(num, out[i].num)
		num["hum"] = hum
		out[i].num = num
	}
	return out
}

// snapshots are those that the server lists, the newest first.
func snapshots(t *testing.T, s *server) []dataset.Made {
	t.Helper()
	got := run(t, s.url, "", "data", "list", bike, "-o", "json")
	var out []dataset.Made
	if err := json.Unmarshal([]byte(got.out), &out); err != nil || got.code != 0 {
		t.Fatalf("exit %d: %s%s", got.code, got.out, got.stderr)
	}
	return out
}

// TestDataThatFailsACheckTrainsNothingAndIsTold takes a model through two snapshots, then
// through data with a column that is stuck, and back.
func TestDataThatFailsACheckTrainsNothingAndIsTold(t *testing.T) {
	past, coming := history(t)
	past = past[len(past)-150*24:]
	s := start(t, t.TempDir())
	live(t, s, checked(t, ""), past)
	check := func(all ...command) {
		t.Helper()
		for _, c := range all {
			c.check(t, s.url)
		}
	}
	now := coming[0].at
	retrain := func(file string, hours []hour) {
		t.Helper()
		if err := apply(t.Context(), s.Client, file, csvFile(hours)); err != nil {
			t.Fatal(err)
		}
		command{args: "retrain " + bike + " --why other,data", says: "begins"}.check(t, s.url)
		now = now.Add(time.Hour)
		if err := s.Advance(t.Context(), now); err != nil {
			t.Fatal(err)
		}
	}

	// The checks that are proposed hold, and a model file takes them.
	first := snapshots(t, s)[0].ID[:8]
	suggested := run(t, s.url, "", "data", "suggest", bike)
	if suggested.code != 0 || !strings.Contains(suggested.out, `{column: "hum", type: number, missing: {at_most: 0%}, min: 0, max: 1}`) {
		t.Fatalf("exit %d: %s%s", suggested.code, suggested.out, suggested.stderr)
	}
	file := checked(t, suggested.out)
	retrain(file, past[10*24:])
	check(
		command{args: "promote " + bike, says: "v2"},
		command{args: "promote " + bike, says: "v2"},
		command{args: "data list " + bike, says: "v2"},
		command{args: "data diff " + bike + " " + string(first), code: 3, says: "3360 rows, 3600 before (-6.7 %)"},
		command{args: "data diff " + bike + " " + string(first) + " " + string(first), says: ""},
		command{args: "data diff " + bike + " 00000000", code: 5, says: "flyball data list bike-demand"},
		command{args: "data show " + bike, says: "lag168"},
		command{args: "data check " + bike, says: ""},
		command{args: "data list nobody", code: 5, says: "nobody"},
		command{args: "alerts " + bike, says: "SINCE"},
	)
	exports(t, s, 3360)

	// A column that is stuck stops the training; what answers stays, and it is told.
	before := liveVersion(t, s)
	retrain(file, damp(past, 0.5))
	check(
		command{args: "data diff " + bike + " " + string(first), code: 3, says: "the median is 0.5, "},
		command{args: "data check " + bike, code: 3, says: `column "hum" is 0.5 in all 3600 rows`},
		command{args: "alerts " + bike, code: 3, says: `the live version stays: column "hum" is 0.5 in all 3600 rows`},
		command{args: "events " + bike, says: `column "hum" is 0.5`},
	)
	if v := liveVersion(t, s); v != before {
		t.Errorf("version %d is live, was %d", v, before)
	}
	open := findings(t, s)
	if len(open) != 1 || open[0].Duty != "feed" || open[0].Kind != monitoring.Quality || !strings.Contains(strings.Join(strings.Fields(string(open[0].Data)), ""), `"rows":[0,1,2,3,4,5,6,7,8,9]`) {
		t.Errorf("got %+v", open)
	}

	// Good data closes it.
	retrain(file, past)
	check(
		command{args: "data check " + bike, says: ""},
		command{args: "events " + bike, says: "data: no column is stuck holds again"},
	)
	if open := findings(t, s); len(open) != 0 {
		t.Errorf("still open: %+v", open)
	}
}

// exports checks that the newest snapshot comes out as Parquet.
func exports(t *testing.T, s *server, rows int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rows.parquet")
	command{args: "data export " + bike + " --out " + path, says: ""}.check(t, s.url)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := frame.OpenBytes("rows.parquet", raw, frame.CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := frame.ReadAll(r)
	if err != nil || f.Rows() != rows || f.Column("lag168") == nil {
		t.Errorf("got %d rows, %v; want %d", f.Rows(), err, rows)
	}
	if left, err := filepath.Glob(path + ".*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func liveVersion(t *testing.T, s *server) int {
	t.Helper()
	st, err := s.Status(t.Context(), bike)
	if err != nil {
		t.Fatal(err)
	}
	return st.Live
}

// findings are those of the data's checks that are open.
func findings(t *testing.T, s *server) []monitoring.Finding {
	t.Helper()
	got := run(t, s.url, "", "alerts", bike, "-o", "json")
	var all []monitoring.Finding
	if err := json.Unmarshal([]byte(got.out), &all); err != nil {
		t.Fatalf("exit %d, %v: %s%s", got.code, err, got.out, got.stderr)
	}
	return slices.DeleteFunc(all, func(f monitoring.Finding) bool {
		return !f.Closed.IsZero() || !strings.HasPrefix(f.Subject, "data: ")
	})
}
