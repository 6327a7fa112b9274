// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bufio"
	"context"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flyball/api"
	"flyball/api/wire"
	"flyball/event"
	"flyball/monitoring"
)

var update = flag.Bool("update", false, "write the golden pages anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func cells(serving, release, watch wire.Cell) []wire.Cell {
	serving.Stage, release.Stage, watch.Stage = "serving", "release", "watch"
	ok := func(stage string) wire.Cell { return wire.Cell{Stage: stage, Mark: event.OK, Word: "done"} }
	return []wire.Cell{ok("data"), ok("training"), ok("gate"), release, serving, watch, ok("retraining")}
}

var (
	answering = wire.Cell{Mark: event.OK, Word: "answering"}
	steady    = wire.Cell{Mark: event.OK, Word: "steady"}
	full      = wire.Cell{Mark: event.OK, Word: "v7 at 100 %"}
	canary    = wire.Cell{Mark: event.Move, Word: "v8 at 25%"}
	nothing   = wire.Cell{Mark: event.None, Word: "nothing live"}
	down      = wire.Cell{Mark: event.Warn, Word: "score", Detail: "mae is 88.7"}
)

func TestTheHeadlineSaysWhatTheTableShows(t *testing.T) {
	a := wire.Status{Model: "hotel", Cells: cells(answering, full, steady)}
	b := wire.Status{Model: "bike", Cells: cells(answering, canary, steady)}
	c := wire.Status{Model: "churn", Cells: cells(answering, full, down), Findings: make([]monitoring.Finding, 2), Held: "held by ana: the lake moves"}
	d := wire.Status{Model: "new", Cells: cells(nothing, wire.Cell{Mark: event.None}, nothing)}
	for _, x := range []struct {
		name       string
		statuses   []wire.Status
		want, more string
	}{
		{"no model", nil, "No model yet.", "No finding is open."},
		{"one that answers", []wire.Status{a}, "hotel answers.", "No finding is open."},
		{"a release under way", []wire.Status{a, b}, "All 2 models answer. bike v8 at 25%.", "No finding is open."},
		{"something to look at", []wire.Status{a, c}, "All 2 models answer. churn: score.", "2 findings are open. Retraining is held: churn."},
		{"one that does not answer", []wire.Status{a, d}, "new: nothing live.", "No finding is open."},
	} {
		t.Run(x.name, func(t *testing.T) {
			got := ""
			for _, s := range headline(x.statuses) {
				got += s.Text
			}
			if got != x.want || more(x.statuses) != x.more {
				t.Errorf("got %q, %q; want %q, %q", got, more(x.statuses), x.want, x.more)
			}
		})
	}
}

// site is a server of the pages over fixed records.
func site(t *testing.T, statuses []wire.Status, evs []event.Event, changed func() <-chan struct{}) *httptest.Server {
	t.Helper()
	mux := api.NewRoutes(nil)
	err := New(mux, Options{
		Statuses:   func(context.Context) ([]wire.Status, error) { return statuses, nil },
		LastEvents: func(context.Context, string, int) ([]event.Event, error) { return evs, nil },
		Changed:    changed, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(mux)
	t.Cleanup(func() { http.DefaultClient.CloseIdleConnections(); s.Close() })
	return s
}

func never() <-chan struct{} { return make(chan struct{}) }

func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

var someEvents = []event.Event{
	{Seq: 1, At: time.Date(2017, 3, 15, 22, 0, 0, 0, time.UTC), Model: "hotel", By: "flyball", Mark: event.OK, Kind: "trained", Text: "8760 rows", Command: "flyball versions hotel"},
	{Seq: 2, At: time.Date(2017, 3, 16, 11, 30, 0, 0, time.UTC), Model: "hotel", By: "<ana>", Mark: event.Move, Kind: "release", Text: "v8 answers 25% <script>alert(1)</script>", Command: "flyball releases hotel"},
}

func TestThePage(t *testing.T) {
	for name, statuses := range map[string][]wire.Status{
		"empty": nil,
		"one":   {{Model: "hotel", About: "Will this <booking> be cancelled?", Owner: "bo", Backup: "chen", Cells: cells(answering, canary, steady)}},
	} {
		t.Run(name, func(t *testing.T) {
			evs := someEvents
			if statuses == nil {
				evs = nil
			}
			res, got := get(t, site(t, statuses, evs, never).URL+"/")
			if csp := res.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'self'") {
				t.Errorf("policy: %q", csp)
			}
			if strings.Contains(got, "<script>alert") || strings.Contains(got, "style=") || strings.Contains(got, "http://") || strings.Contains(got, "https://") {
				t.Error("the page holds what it must not: a foreign script, an inline style or a foreign address")
			}
			wellFormed(t, got)
			golden := filepath.Join("testdata", name+".html")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the page is another than %s; go test ./web -update writes it anew:\n%s", golden, got)
			}
		})
	}
}

func TestEveryFileAPageNamesIsThereAndNoList(t *testing.T) {
	s := site(t, nil, nil, never)
	_, page := get(t, s.URL+"/")
	named := regexp.MustCompile(`(?:href|src)="(/static/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(named) < 2 {
		t.Fatalf("the page names %d files", len(named))
	}
	for _, m := range named {
		if res, _ := get(t, s.URL+m[1]); res.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", m[1], res.Status)
		}
	}
	for _, path := range []string{"/static/", "/static/../templates/loop.html", "/runs.html"} {
		if res, _ := get(t, s.URL+path); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s, want 404", path, res.Status)
		}
	}
}

func TestThePageIsSentAgainWhenSomethingHappened(t *testing.T) {
	statuses := []wire.Status{{Model: "hotel", Cells: cells(answering, full, steady)}}
	happened, asked := []chan struct{}{make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{})}, 0
	s := site(t, statuses, nil, func() <-chan struct{} {
		asked++
		return happened[asked-1]
	})
	lines := listen(t, s.URL+"/stream", "")
	first := nextEvent(lines)
	if !strings.Contains(first, "event: swap\n") || !strings.Contains(first, `id="loop"`) || !strings.Contains(first, "v7 at 100 %") {
		t.Fatalf("first: %s", first)
	}
	statuses[0].Cells = cells(answering, canary, steady)
	close(happened[0])
	second := nextEvent(lines)
	if !strings.Contains(second, "v8 at 25%") {
		t.Errorf("second: %s", second)
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(second, "id: "), "\n")
	again := listen(t, s.URL+"/stream?page=/", id)
	statuses[0].Cells = cells(answering, full, steady)
	close(happened[2])
	if third := nextEvent(again); !strings.Contains(third, "v7 at 100 %") {
		t.Errorf("who has it all is sent it again: %s", third)
	}
}

// listen opens a stream, as a browser that has seen the event of an id.
func listen(t *testing.T, url, id string) *bufio.Scanner {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Last-Event-ID", id)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", url, res.Status)
	}
	return bufio.NewScanner(res.Body)
}

func nextEvent(lines *bufio.Scanner) (text string) {
	for lines.Scan() && lines.Text() != "" {
		text += lines.Text() + "\n"
	}
	return text
}

func TestABrowserKeepsAFileUntilItsBytesChange(t *testing.T) {
	s := site(t, nil, nil, never)
	first, _ := get(t, s.URL+"/static/style.css")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/static/style.css", nil)
	if err != nil {
		t.Fatal(err)
	}
	for tag, want := range map[string]int{first.Header.Get("ETag"): http.StatusNotModified, `"older"`: http.StatusOK} {
		req.Header.Set("If-None-Match", tag)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("tag %s: got %d, want %d", tag, res.StatusCode, want)
		}
	}
}

func TestAMissingPageSaysWhereToGoOn(t *testing.T) {
	res, got := get(t, site(t, nil, nil, never).URL+"/%3Cscript%3E")
	if res.StatusCode != http.StatusNotFound || !strings.HasPrefix(res.Header.Get("Content-Security-Policy"), "default-src 'self'") {
		t.Errorf("got %s, policy %q", res.Status, res.Header.Get("Content-Security-Policy"))
	}
	if !strings.Contains(got, "<b>/&lt;script&gt;</b>") || !strings.Contains(got, `<a href="/">`) {
		t.Errorf("the page: %s", got)
	}
}
