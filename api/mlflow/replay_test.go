// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/api"
	"flyball/blob"
	"flyball/blob/artifact"
	"flyball/experiment"
	"flyball/model/registry"
)

// recorded is one exchange between MLflow's own client and server.
type recorded struct {
	Step   string            `json:"step"`
	Header map[string]string `json:"headers"`
	Method string            `json:"method"`
	Path   string            `json:"path"`
	Query  map[string]any    `json:"query"`
	Body   json.RawMessage   `json:"request"`
	Upload *size             `json:"request_body"`

	Status   int               `json:"status"`
	Answer   json.RawMessage   `json:"response"`
	Download *size             `json:"response_body"`
	Headers  map[string]string `json:"response_headers"`
}

type size struct {
	Bytes int `json:"bytes"`
}

// recording is all exchanges of one file, in order.
func recording(t *testing.T, name string) []recorded {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "recorded", name+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []recorded
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var r recorded
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatalf("%s, line %d: %v", name, len(out)+1, err)
		}
		var same struct {
			Line int `json:"$same_as_line"`
		}
		if json.Unmarshal(r.Answer, &same) == nil && same.Line > 0 {
			r.Answer = out[same.Line-1].Answer
		}
		out = append(out, r)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// replay sends what the client sent, with the names that this server invents in the
// place of the recorded ones, and compares what comes back.
type replay struct {
	url    string
	invent map[string]string // recorded → ours: ids, random names, tokens
}

func newReplay(t *testing.T) *replay {
	now := morning()
	tick := func() time.Time { now = now.Add(time.Millisecond); return now } // requests come one at a time
	c := newClient(t)
	mux := api.NewRoutes(nil)
	New(mux, Options{
		Tracker:   experiment.NewTracker(experiment.TrackerOptions{Experiments: c.db, Runs: c.db, LoggedModels: c.db, Now: tick}),
		Artifacts: artifact.New(artifact.Options{Blobs: blob.Memory(), Store: c.db, Now: tick}),
		Registry:  registry.New(registry.Options{Store: c.db, Now: tick}),
		Now:       tick,
	})
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return &replay{url: server.URL, invent: map[string]string{}}
}

// send returns what is answered, in the recorded names.
func (p *replay) send(r recorded) (status int, header http.Header, body []byte, err error) {
	u := p.url + p.ours(r.Path)
	if len(r.Query) > 0 {
		q := url.Values{}
		for k, v := range r.Query {
			list, ok := v.([]any)
			if !ok {
				list = []any{v}
			}
			for _, item := range list {
				q.Add(k, p.ours(fmt.Sprint(item)))
			}
		}
		u += "?" + q.Encode()
	}
	var in io.Reader
	switch {
	case r.Upload != nil:
		in = bytes.NewReader(bytes.Repeat([]byte("x"), r.Upload.Bytes))
		if r.Header["transfer-encoding"] == "chunked" {
			in = io.MultiReader(in) // of unknown length
		}
	case r.Body != nil:
		in = strings.NewReader(p.ours(string(r.Body)))
	}
	req, err := http.NewRequest(r.Method, u, in)
	if err != nil {
		return 0, nil, nil, err
	}
	if r.Body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for k, v := range r.Header {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer res.Body.Close()
	body, err = io.ReadAll(res.Body)
	return res.StatusCode, res.Header, body, err
}

func (p *replay) ours(s string) string {
	for from, to := range p.invent {
		s = strings.ReplaceAll(s, from, to)
	}
	return s
}

func (p *replay) theirs(s string) string {
	for to, from := range p.invent {
		s = strings.ReplaceAll(s, from, to)
	}
	return s
}

// learn finds what the server invented in an answer that makes something.
func (p *replay) learn(path string, theirs, ours any) {
	switch {
	case strings.HasSuffix(path, "/runs/create"):
		for _, key := range []string{"run_id", "run_name"} {
			p.same(at(theirs, "run", "info", key), at(ours, "run", "info", key))
		}
	case strings.HasSuffix(path, "/logged-models"):
		for _, key := range []string{"model_id", "name"} {
			p.same(at(theirs, "model", "info", key), at(ours, "model", "info", key))
		}
	}
	p.same(at(theirs, "next_page_token"), at(ours, "next_page_token"))
}

func (p *replay) same(theirs, ours any) {
	from, _ := theirs.(string)
	to, _ := ours.(string)
	if from != "" && to != "" && from != to {
		p.invent[from] = to
	}
}

func at(v any, keys ...string) any {
	for _, k := range keys {
		m, _ := v.(map[string]any)
		v = m[k]
	}
	return v
}

// times are the fields that a server fills with its own clock, or that are its own
// business.
var times = []string{
	"creation_time", "last_update_time", "creation_timestamp", "last_updated_timestamp", "creation_timestamp_ms", "last_updated_timestamp_ms",
	"next_page_token", "features_enabled", "presigned_upload_run_id_supported", "presigned_upload_model_id_supported", "model_artifact_presigned_downloads_supported",
}

// canon makes answers comparable: times are zero, lists whose order means nothing are
// sorted, 1.0 is 1, and what is told of calls that are not there is left out. Of a
// logged model's metrics the latest count, and not the tag in which MLflow's server
// notes a version that the client notes too.
func canon(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if v["error_code"] == "ENDPOINT_NOT_FOUND" {
			v["message"] = ""
		}
		if v["model_id"] != nil && v["tags"] != nil {
			tags, _ := v["tags"].([]any)
			v["tags"] = slices.DeleteFunc(tags, func(t any) bool { return at(t, "key") == "mlflow.modelVersions" })
		}
		if metrics, ok := v["metrics"].([]any); ok {
			v["metrics"] = latest(metrics)
		}
		for k := range v {
			if slices.Contains(times, k) {
				v[k] = 0
				continue
			}
			v[k] = canon(v[k])
			if list, ok := v[k].([]any); ok && slices.Contains([]string{"tags", "params", "metrics", "aliases", "dataset_inputs", "model_inputs", "model_outputs"}, k) {
				slices.SortFunc(list, func(a, b any) int { return cmp.Compare(asJSON(a), asJSON(b)) })
			}
		}
	case []any:
		for i := range v {
			v[i] = canon(v[i])
		}
	case json.Number:
		return json.Number(strings.TrimSuffix(v.String(), ".0"))
	}
	return v
}

// latest leaves of the metrics of a logged model the last step of each; others have
// no model.
func latest(metrics []any) []any {
	last := map[string]json.Number{}
	series := func(m any) string {
		return fmt.Sprint(at(m, "key"), at(m, "model_id"), at(m, "run_id"), at(m, "dataset_name"), at(m, "dataset_digest"))
	}
	for _, m := range metrics {
		step, _ := at(m, "step").(json.Number)
		if was, ok := last[series(m)]; !ok || len(step) > len(was) || len(step) == len(was) && step > was {
			last[series(m)] = step
		}
	}
	return slices.DeleteFunc(metrics, func(m any) bool { return at(m, "model_id") != nil && at(m, "step") != last[series(m)] })
}

func asJSON(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// difference is where two answers first differ; empty when they do not.
func difference(where string, got, want any) string {
	switch g := got.(type) {
	case map[string]any:
		if w, ok := want.(map[string]any); ok {
			if a, b := slices.Sorted(maps.Keys(g)), slices.Sorted(maps.Keys(w)); !slices.Equal(a, b) {
				return fmt.Sprintf("%s has %v, want %v", where, a, b)
			}
			for _, k := range slices.Sorted(maps.Keys(g)) {
				if d := difference(where+"."+k, g[k], w[k]); d != "" {
					return d
				}
			}
			return ""
		}
	case []any:
		if w, ok := want.([]any); ok && len(g) == len(w) {
			for i := range g {
				if d := difference(fmt.Sprintf("%s[%d]", where, i), g[i], w[i]); d != "" {
					return d
				}
			}
			return ""
		}
	}
	if a, b := asJSON(got), asJSON(want); a != b {
		return fmt.Sprintf("%s is\n %.600s, want\n %.600s", where, a, b)
	}
	return ""
}

func (p *replay) check(t *testing.T, where string, r recorded) {
	t.Helper()
	status, header, body, err := p.send(r)
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	want := r
	if fixed, ok := better[where]; ok {
		want.Status, want.Answer = fixed.Status, fixed.Answer
	}
	if status != want.Status {
		t.Errorf("%s (%s): %s %s: status %d %.300s, want %d", where, r.Step, r.Method, r.Path, status, body, want.Status)
		return
	}
	for k, v := range want.Headers {
		if k == "content-type" || k == "content-length" {
			if got := header.Get(k); got != v {
				t.Errorf("%s: %s is %q, want %q", where, k, got, v)
			}
		}
	}
	if want.Download != nil {
		if len(body) != want.Download.Bytes {
			t.Errorf("%s: %s %s: %d bytes, want %d", where, r.Method, r.Path, len(body), want.Download.Bytes)
		}
		return
	}
	if want.Answer == nil {
		return
	}
	theirs, raw := readJSON(t, string(want.Answer)), readJSON(t, string(body))
	p.learn(r.Path, theirs, raw)
	if keysOnly[where] {
		if got, want := keys(raw), keys(theirs); !slices.Equal(got, want) {
			t.Errorf("%s (%s): %s %s has %v, want %v", where, r.Step, r.Method, r.Path, got, want)
		}
		return
	}
	if d := difference("", canon(readJSON(t, p.theirs(string(body)))), canon(theirs)); d != "" {
		t.Errorf("%s (%s): %s %s: %s", where, r.Step, r.Method, r.Path, d)
	}
}

// better are the answers of this server that are not MLflow's, by file and line.
var better = map[string]recorded{
	// MLflow tells its SQL.
	"py318_experiments:17": {Status: 400, Answer: json.RawMessage(`{"error_code":"RESOURCE_ALREADY_EXISTS","message":"Experiment(name=demo-exp) already exists.","sqlstate":"KAM00","error_class":"RESOURCE_ALREADY_EXISTS"}`)},
	// It was a server that knew only what classic code needs.
	"py318_genai_404:5": {Status: 200},
	// A mistake of the caller is no 500.
	"py318_cli:6": {Status: 400, Answer: json.RawMessage(`{"error_code":"INVALID_PARAMETER_VALUE","message":"Cannot rename a non-active experiment.","sqlstate":"KAM00","error_class":"INVALID_PARAMETER_VALUE"}`)},
}

// keysOnly are the answers of which only the keys can come out as recorded.
var keysOnly = map[string]bool{
	"py318_artifacts:27":      true, // a file that was uploaded again, while nothing was recorded
	"py318_autolog_sklearn:6": true, // asked while the batch before was still on its way
}

// keys are the paths of all keys in an answer.
func keys(v any) []string {
	all := map[string]bool{}
	var walk func(where string, v any)
	walk = func(where string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k := range v {
				all[where+"."+k] = true
				walk(where+"."+k, v[k])
			}
		case []any:
			for i := range v {
				walk(where+"[]", v[i])
			}
		}
	}
	walk("", v)
	return slices.Sorted(maps.Keys(all))
}

func TestMLflowsClientsGetWhatTheyGetFromMLflow(t *testing.T) {
	for _, c := range []struct {
		client string
		before int // experiments that were there
		files  []string
	}{
		{"3.18", 0, []string{
			"py318_experiments", "py318_runs", "py318_artifacts", "py318_inputs", "py318_registry", "py318_autolog_sklearn", "py318_autolog_xgboost",
			"py318_autolog_lightgbm", "py318_evaluate", "py318_cli", "py318_auth", "py318_models_serve", "py318_genai_404",
		}},
		{"2.22", 5, []string{"py222_registry", "py222_autolog_sklearn", "py222_autolog_xgboost"}},
	} {
		t.Run(c.client, func(t *testing.T) {
			p := newReplay(t)
			for i := range c.before {
				p.check(t, "before", recorded{Method: http.MethodPost, Path: "/api/2.0/mlflow/experiments/create", Status: 200, Body: json.RawMessage(fmt.Sprintf(`{"name":"e%d"}`, i))})
			}
			for _, name := range c.files {
				for i, r := range recording(t, name) {
					p.check(t, fmt.Sprintf("%s:%d", name, i+1), r)
				}
			}
		})
	}
}
