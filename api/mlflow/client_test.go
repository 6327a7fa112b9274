// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flyball/api"
	"flyball/blob"
	"flyball/blob/artifact"
	"flyball/experiment"
	"flyball/model/registry"
	"flyball/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// morning is when the servers of these tests live, in ms: 1800000000000.
func morning() time.Time { return time.UnixMilli(1_800_000_000_000) }

// client asks a server on a real store. In what it sends, $1 stands for the first run
// that it made, and so on; in what it got the ids are written so again, and random
// names as $name.
type client struct {
	t    *testing.T
	mux  *api.Routes
	db   *store.DB
	runs []string
}

func newClient(t *testing.T, change ...func(*Options)) *client {
	t.Helper()
	db, err := store.Open(context.Background(), filepath.Join(t.TempDir(), "flyball.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	o := Options{
		Tracker:   experiment.NewTracker(experiment.TrackerOptions{Experiments: db, Runs: db, LoggedModels: db, Now: morning}),
		Artifacts: artifact.New(artifact.Options{Blobs: blob.Memory(), Store: db, Now: morning}),
		Registry:  registry.New(registry.Options{Store: db, Now: morning}),
		Now:       morning, Version: "0.2.0",
	}
	for _, c := range change {
		c(&o)
	}
	mux := api.NewRoutes(nil)
	New(mux, o)
	return &client{t: t, mux: mux, db: db}
}

// ask sends a call such as "POST runs/create" with a body, and returns the answer.
func (c *client) ask(call, body string) *httptest.ResponseRecorder {
	c.t.Helper()
	verb, path, _ := strings.Cut(call, " ")
	if !strings.HasPrefix(path, "/") {
		path = "/api/2.0/mlflow/" + path
	}
	for i, id := range c.runs {
		name := fmt.Sprintf("$%d", i+1)
		path, body = strings.ReplaceAll(path, name, id), strings.ReplaceAll(body, name, id)
	}
	r := httptest.NewRequest(verb, path, strings.NewReader(body))
	if verb != http.MethodGet {
		r.Header.Set("Content-Type", "application/json")
	}
	return c.do(r)
}

var (
	madeRun    = regexp.MustCompile(`"run_id":"([0-9a-f]{32})"`)
	randomName = regexp.MustCompile(`\b[a-z]+-[a-z]+-[0-9]{1,3}\b`)
)

func (c *client) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	c.mux.ServeHTTP(w, r)
	got := w.Body.String()
	if m := madeRun.FindStringSubmatch(got); m != nil && w.Code == http.StatusOK && strings.HasSuffix(r.URL.Path, "runs/create") {
		c.runs = append(c.runs, m[1])
	}
	for i, id := range c.runs {
		got = strings.ReplaceAll(got, id, fmt.Sprintf("$%d", i+1))
	}
	w.Body = bytes.NewBufferString(randomName.ReplaceAllString(got, "$$name"))
	return w
}

// exchange is a call and what must come of it: JSON, or the message of an error.
type exchange struct {
	name, call, body string
	status           int
	want             string
}

// talk makes calls one after the other.
func (c *client) talk(all []exchange) {
	c.t.Helper()
	for _, e := range all {
		w := c.ask(e.call, e.body)
		got := w.Body.String()
		if w.Code != e.status {
			c.t.Errorf("%s: %s %s: status %d (%s), want %d", e.name, e.call, short(e.body), w.Code, short(got), e.status)
			continue
		}
		if e.status >= 400 {
			var p problem
			if err := json.Unmarshal([]byte(got), &p); err != nil || p.Message != e.want {
				c.t.Errorf("%s: %s %s:\n got %q\nwant %q", e.name, e.call, short(e.body), p.Message, e.want)
			}
			continue
		}
		if !sameJSON(c.t, got, e.want) {
			c.t.Errorf("%s: %s %s:\n got %s\nwant %s", e.name, e.call, short(e.body), got, e.want)
		}
	}
}

func short(s string) string { return cut(s, 300) }

// sameJSON compares with numbers as they are written.
func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	return reflect.DeepEqual(readJSON(t, a), readJSON(t, b))
}

func readJSON(t *testing.T, s string) (v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, s)
	}
	return v
}
