// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"flyball/data/frame"
)

// scored reads a file of scores: the key and the value of each row.
func scored(t *testing.T, path string) (keys []string, values []float64) {
	t.Helper()
	in, err := frame.OpenFile(path, frame.CSVOptions{Kinds: map[string]frame.Kind{"ts": frame.Text}})
	if err != nil {
		t.Fatal(err)
	}
	f, err := frame.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return f.Column("ts").Text, f.Column("value").Num
}

// asked writes hours as a table to be scored, so many times over.
func asked(t *testing.T, path string, hours []hour, times int) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	b := bufio.NewWriter(f)
	fmt.Fprintln(b, "ts,"+strings.Join(inputs, ","))
	for range times {
		for _, h := range hours {
			fmt.Fprint(b, h.key())
			for _, c := range inputs {
				x, ok := h.num[c]
				if fmt.Fprint(b, ","); ok {
					fmt.Fprint(b, strconv.FormatFloat(x, 'g', -1, 64))
				}
			}
			fmt.Fprintln(b)
		}
	}
	if err := errors.Join(b.Flush(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestATableIsScoredInTheBitsOfOnline(t *testing.T) {
	past, coming := history(t)
	coming = coming[:500]
	s := start(t, t.TempDir())
	live(t, s, modelFile(t, byHand...), past[len(past)-150*24:])
	dir := t.TempDir()
	in, out := filepath.Join(dir, "rows.csv"), filepath.Join(dir, "scores.parquet")
	asked(t, in, coming, 1)
	command{args: "predict bike-demand --in " + in + " --out " + out, says: "500"}.check(t, s.url)
	command{args: "predict bike-demand --in " + in + " --out " + out, code: 6, says: "there already"}.check(t, s.url)
	command{args: "predict bike-demand --in " + in, code: 1, says: "--out"}.check(t, s.url)
	command{args: "predict bike-demand@9 --in " + in + " --out x.csv", code: 5, says: "bike-demand@9"}.check(t, s.url)
	command{args: "predict bike-demand@1 --in " + dir + "/none*.csv --out x.csv", code: 5, says: "none*.csv"}.check(t, s.url)
	command{args: "predict bike-demand@1 --in gs://bucket/rows.csv --out x.csv", code: 3}.check(t, s.url)
	keys, values := scored(t, out)
	rows := make([]json.RawMessage, len(coming))
	for i, h := range coming {
		rows[i] = h.row(nil)
	}
	got, err := s.Predict(t.Context(), bike, rows)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range got.Predictions {
		if keys[i] != p.Key || values[i] != *p.Value {
			t.Fatalf("row %d: %s %v in the table, %s %v online", i, keys[i], values[i], p.Key, *p.Value)
		}
	}
	shards(t, s, dir, coming, values)
	for _, c := range []command{
		{args: "predictions search bike-demand --arm live --last 3", says: coming[499].key()},
		{args: "predictions bike-demand --arm candidate -o name"},
		{args: "predictions show " + coming[7].key(), says: "generation"},
		{args: "predictions show nobody", code: 5, says: "nobody"},
		{args: "predictions export bike-demand --out " + filepath.Join(dir, "p.parquet"), says: "500"},
		{args: "predictions export bike-demand --out " + filepath.Join(dir, "p.parquet"), code: 6, says: "there already"},
		{args: "predictions export bike-demand --out " + filepath.Join(dir, "p.csv"), says: "500"},
		{args: "predictions export bike-demand --from 2012-01-02 --out -", says: coming[499].key()},
		{args: "predictions search bike-demand --truth often", code: 1, says: "truth"},
	} {
		c.check(t, s.url)
	}
}

// shards has an array of two tasks score three files, one of them twice, and finds what one
// task alone gave.
func shards(t *testing.T, s *server, dir string, hours []hour, want []float64) {
	t.Helper()
	for i := range 3 {
		asked(t, filepath.Join(dir, fmt.Sprintf("part%d.csv", i)), hours[i*100:(i+1)*100], 1)
	}
	all := "predict bike-demand@1 --in " + dir + "/part*.csv --out " + dir + "/shards/ --shard "
	for _, c := range []command{
		{args: all + "0/2", says: "200"},
		{args: all + "1/2", says: "100"},
		{args: all + "0/2"},
		{args: all + "4/5"},
		{args: all + "2/2", code: 1, says: "0/50"},
		{args: all + "x", code: 1, says: "0/50"},
		{args: all + "1/2x", code: 1, says: "0/50"},
		{args: strings.Replace(all, "@1", "", 1) + "0/2", code: 1, says: "bike-demand@7"},
		{args: strings.Replace(all, "/shards/", "/shards", 1) + "0/2", code: 1, says: "slash"},
	} {
		c.check(t, s.url)
	}
	_, even := scored(t, filepath.Join(dir, "shards", "shard-00000-of-00002.parquet"))
	_, odd := scored(t, filepath.Join(dir, "shards", "shard-00001-of-00002.parquet"))
	if got := slices.Concat(even[:100], odd, even[100:]); !slices.Equal(got, want[:300]) {
		t.Errorf("an array of tasks gives other scores: got %v, want %v", got[:5], want[:5])
	}
}

func TestAMillionRowsAreScoredInBoundedMemory(t *testing.T) {
	past, coming := history(t)
	s := start(t, t.TempDir())
	live(t, s, modelFile(t, byHand...), past[len(past)-150*24:])
	dir := t.TempDir()
	in, out := filepath.Join(dir, "rows.csv"), filepath.Join(dir, "scores.parquet")
	times := sized(10, 116)
	asked(t, in, coming, times)
	cmd := exec.Command(binary, "predict", "bike-demand", "--in", in, "--out", out)
	cmd.Env = append(os.Environ(), "FLYBALL_URL="+s.url)
	debug.FreeOSMemory() // a child's peak begins with what its parent held
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	const bound = 200 << 10 // kilobytes
	if peak := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss; peak > bound {
		t.Errorf("%d rows took %d MB, more than 200", times*len(coming), peak>>10)
	} else {
		t.Logf("%d rows: %d MB", times*len(coming), peak>>10)
	}
	if _, values := scored(t, out); len(values) != times*len(coming) {
		t.Errorf("got %d scores of %d rows", len(values), times*len(coming))
	}
}
