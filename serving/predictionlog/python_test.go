// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"flyball/serving/prediction"
)

// sealedRow is a row of a sealed file as DuckDB and pandas give it; scores that are no
// numbers are texts.
type sealedRow struct {
	ID                  string
	Key, Decision       *string
	Time, Due, At       int64
	Version, Generation int64
	Arm                 string
	Score               *float64
	Scores              []any
	Flags               []string
	Latency             float64 `json:"latency_us"`
	Others, Row         *string
	Reasons             *string
	Vector              *string `json:"vector"`
}

func TestDuckDBAndPandasReadSealedFilesAsTheyStand(t *testing.T) {
	python := os.Getenv("FLYBALL_PYTHON_DATA")
	if python == "" {
		python = "../../.cache/data/bin/python"
	}
	if _, err := exec.LookPath(python); err != nil {
		t.Skip("no Python with duckdb and pandas: set FLYBALL_PYTHON_DATA or make .cache/data")
	}
	all := full()
	bare := record(8, 25.75)
	bare.Key, bare.Row, bare.Scores, bare.Arm, bare.Version, bare.Latency = "", nil, nil, prediction.Fallback, 0, 0
	rows := []prediction.Record{all, bare}
	for n := 9; n < 2000; n++ {
		rows = append(rows, record(n, 0.5+float64(n)/100))
	}
	l := start(t, t.TempDir(), Options{})
	l.append(rows...)
	l.seal()

	cmd := exec.CommandContext(t.Context(), python, "testdata/read.py", l.dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]struct {
		Types map[string]string
		Rows  []sealedRow
		Lead  float64
		Dates []any
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	want := make([]sealedRow, len(rows))
	for i, r := range rows {
		want[i] = sealedRow{
			ID: string(r.ID), Key: optional(r.Key), Decision: optional(r.Decision), Row: optional(string(r.Row)),
			Time: r.Time.UnixMicro(), Due: r.Due.UnixMicro(), At: r.At.UnixMicro(), Version: int64(r.Version), Generation: int64(r.Generation),
			Arm: string(r.Arm), Scores: []any{}, Flags: append([]string{}, r.Flags...), Latency: float64(r.Latency) / float64(time.Microsecond),
		}
		for _, s := range r.Scores {
			want[i].Scores = append(want[i].Scores, s)
		}
		if len(r.Scores) == 1 {
			want[i].Score = &r.Scores[0]
		}
	}
	want[0].Vector = optional("0000c07f01020304")
	want[0].Scores = []any{0.1, "nan", "-inf"}
	want[0].Others = optional(`[{"role":"candidate","version":4,"scores":[null,0.30000000000000004,"+Inf"],"decision":"sell","latency_us":1234.567},` +
		`{"role":"baseline","version":1,"error":"no \"adr\"","latency_us":0}]`)
	for _, reader := range []string{"duckdb", "pandas"} {
		if diff := cmp.Diff(want, got[reader].Rows); diff != "" {
			t.Errorf("%s (-want +got):\n%s", reader, first(diff, 40))
		}
	}
	types := map[string]string{
		"id": "VARCHAR", "key": "VARCHAR", "time": "TIMESTAMP WITH TIME ZONE", "due": "TIMESTAMP WITH TIME ZONE", "at": "TIMESTAMP WITH TIME ZONE",
		"version": "BIGINT", "arm": "VARCHAR", "generation": "BIGINT", "score": "DOUBLE", "scores": "DOUBLE[]", "decision": "VARCHAR",
		"flags": "VARCHAR[]", "latency_us": "DOUBLE", "others": "VARCHAR", "row": "VARCHAR", "reasons": "VARCHAR", "vector": "BLOB",
	}
	if diff := cmp.Diff(types, got["duckdb"].Types); diff != "" {
		t.Errorf("types in DuckDB (-want +got):\n%s", diff)
	}
	types = map[string]string{
		"id": "str", "key": "str", "time": "datetime64[us, UTC]", "due": "datetime64[us, UTC]", "at": "datetime64[us, UTC]",
		"version": "int64", "arm": "str", "generation": "int64", "score": "float64", "scores": "object", "decision": "str",
		"flags": "object", "latency_us": "float64", "others": "str", "row": "str", "reasons": "str", "vector": "object",
	}
	if diff := cmp.Diff(types, got["pandas"].Types); diff != "" {
		t.Errorf("types in pandas (-want +got):\n%s", diff)
	}
	if got["duckdb"].Lead != 41 || fmt.Sprint(got["duckdb"].Dates[0]) != "["+noon.Format(time.DateOnly)+" 1142]" {
		t.Errorf("lead time %v, dates %v", got["duckdb"].Lead, got["duckdb"].Dates)
	}
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// first is the first lines of a text.
func first(s string, lines int) string {
	parts := strings.SplitAfterN(s, "\n", lines+1)
	return strings.Join(parts[:min(lines, len(parts))], "")
}
