// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"flyball/serving/prediction"
)

// post sends a body as it is and returns the status and the problem's sentence.
func post(t *testing.T, url, body string) (int, string) {
	t.Helper()
	res, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var p struct {
		Detail string `json:"detail"`
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		t.Errorf("the answer is no problem: %s", raw)
	}
	return res.StatusCode, p.Detail
}

func rows(rs ...string) string { return `{"rows":[` + strings.Join(rs, ",") + `]}` }

func TestBadInputIsToldAndNothingIsLogged(t *testing.T) {
	past, coming := history(t)
	past = past[len(past)-150*24:]
	s := start(t, t.TempDir())
	live(t, s, modelFile(t, byHand...), past)
	h := coming[0]
	good := string(h.row(nil))
	if code, said := post(t, s.url+"/v1/models/"+bike+"/predict", rows(good)); code != http.StatusOK {
		t.Fatalf("a good row is answered with %d: %s", code, said)
	}
	bad := func(column, value string) string {
		row := string(h.row(map[string]any{column: "@"}))
		return strings.Replace(row, `"@"`, value, 1)
	}
	for _, c := range []struct {
		name, path, body string
		status           int
		says             []string
	}{
		{"a column is absent", "predict", rows(string(h.row(map[string]any{"temp": absent}))), 400, []string{"row 0", `"temp"`, "absent"}},
		{"a column of the second row is absent", "predict", rows(good, string(h.row(map[string]any{"hum": absent}))), 400, []string{"row 1", `"hum"`}},
		{"the key is absent", "predict", rows(string(h.row(map[string]any{"ts": absent}))), 400, []string{`"ts"`}},
		{"the time is no time", "predict", rows(bad("ts", `"yesterday"`)), 400, []string{`"ts"`, "yesterday"}},
		{"a text stands where a number should", "predict", rows(bad("temp", `"warm"`)), 400, []string{`"temp"`, "warm", "number"}},
		{"a list stands where a number should", "predict", rows(bad("temp", `[1]`)), 400, []string{`"temp"`}},
		{"a number is too large", "predict", rows(bad("temp", `1e999`)), 400, []string{`"temp"`, "1e999"}},
		{"NaN is no JSON", "predict", rows(good, bad("temp", `NaN`)), 400, []string{`"temp"`, "NaN", "null"}},
		{"infinity is no JSON", "predict", rows(bad("windspeed", `-Infinity`)), 400, []string{`"windspeed"`, "-Infinity", "null"}},
		{"NaN in quotes is no number", "predict", rows(bad("temp", `"NaN"`)), 400, []string{`"temp"`, "NaN"}},
		{"a column stands twice", "predict", rows(strings.Replace(good, `"hr":`, `"temp":1,"hr":`, 1)), 400, []string{`"temp"`, "twice"}},
		{"a row is no object", "predict", rows("17"), 400, []string{"row 0"}},
		{"the JSON breaks off", "predict", `{"rows":[{"ts":`, 400, []string{"JSON"}},
		{"the body is empty", "predict", ``, 400, nil},
		{"there are no rows", "predict", `{"rows":[]}`, 400, []string{"no rows"}},
		{"there are 20,000 rows", "predict", rows(strings.Repeat(good+",", 19_999) + good), 413, []string{"20000", "10000"}},
		{"the body is too large", "predict", rows(strings.Repeat(good+",", 200_000) + good), 413, nil},
		{"the body is a billion rows", "predict", `{"rows":[` + strings.Repeat("1,", 20<<20) + `1]}`, 413, nil},
		{"a label has neither key nor id", "labels", `{"labels":[{"value":1}]}`, 400, []string{"label 0", "key"}},
		{"a label is no value", "labels", fmt.Sprintf(`{"labels":[{"key":%q,"value":{}}]}`, h.key()), 400, []string{"label 0", "number"}},
		{"a label's time is no time", "labels", fmt.Sprintf(`{"labels":[{"key":%q,"value":1,"at":"soon"}]}`, h.key()), 400, []string{"label 0", "soon"}},
		{"the JSON of labels breaks off", "labels", `{"labels":[`, 400, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, said := post(t, s.url+"/v1/models/"+bike+"/"+c.path, c.body)
			if code != c.status {
				t.Errorf("status %d, want %d: %s", code, c.status, said)
			}
			for _, w := range c.says {
				if !strings.Contains(said, w) {
					t.Errorf("the answer does not say %s: %s", w, said)
				}
			}
		})
	}
	for _, what := range []string{"predict", "labels"} {
		body := rows(good)
		if what == "labels" {
			body = fmt.Sprintf(`{"labels":[{"key":%q,"value":1}]}`, h.key())
		}
		if code, said := post(t, s.url+"/v1/models/bike-demnd/"+what, body); code != 404 || !strings.Contains(said, `bike-demnd`) {
			t.Errorf("%s of an unknown model: %d %s", what, code, said)
		}
	}
	ps, err := s.Predictions(t.Context(), prediction.Query{Model: bike, Last: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if len(ps) != 1 || ps[0].Key != h.key() || ps[0].Label != nil {
		t.Errorf("the log holds %d predictions, want the good one without a label: %+v", len(ps), ps)
	}
}

func TestAServerThatCannotStartSaysWhyInOneSentence(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	newer := t.TempDir()
	start(t, newer).stop()
	db, err := sql.Open("sqlite", filepath.Join(newer, "flyball.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"the port is taken", []string{"--data", t.TempDir(), "--listen", strings.TrimPrefix(s.url, "http://")}, 6, "is taken"},
		{"another server has the data folder", []string{"--data", dir, "--listen", "127.0.0.1:0"}, 6, "is open in another process"},
		{"the database is of a newer version", []string{"--data", newer, "--listen", "127.0.0.1:0"}, 3, "schema 9999"},
		{"the address is not of this machine", []string{"--data", t.TempDir(), "--listen", "0.0.0.0:0"}, 1, "other machines"},
		{"the data folder is a file", []string{"--data", binary, "--listen", "127.0.0.1:0"}, 1, "data folder"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := run(t, "", "", append([]string{"serve"}, c.args...)...)
			if got.code != c.code || !strings.Contains(got.stderr, c.says) || strings.Count(got.stderr, "\n") != 1 || got.out != "" {
				t.Errorf("exit %d, want %d with %q in one line: %s%s", got.code, c.code, c.says, got.out, got.stderr)
			}
		})
	}
	if _, err := s.Health(t.Context()); err != nil {
		t.Errorf("the first server is gone: %v", err)
	}
}
