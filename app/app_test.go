// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flyball/client"
	"flyball/fault"
	"flyball/store/pgtest"
)

var postgres pgtest.Server

func TestMain(m *testing.M) {
	code := m.Run()
	if err := postgres.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		code = 1
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func config(t *testing.T) Config {
	t.Helper()
	return Config{Data: t.TempDir(), Listen: "127.0.0.1:0", Version: "test", Logger: slog.New(slog.DiscardHandler), Every: 50 * time.Millisecond}
}

// start runs a server until the test ends.
func start(t *testing.T, cfg Config) *App {
	t.Helper()
	a, err := New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("stop: %v", err)
		}
		if err := a.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return a
}

func TestAServerStartsAnswersAndStops(t *testing.T) {
	a := start(t, config(t))
	h, err := client.New(a.URL(), "", http.DefaultClient).Health(context.Background())
	if err != nil || !h.Ready || h.Version != "test" {
		t.Errorf("got %+v, %v", h, err)
	}
	res, err := http.Get(a.URL() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(body), "go_goroutines") {
		t.Errorf("metrics: %d bytes, %v", len(body), err)
	}
}

// TestEveryRouteOfTheDocumentHasAPermission reads the OpenAPI document that the
// server gives.
func TestEveryRouteOfTheDocumentHasAPermission(t *testing.T) {
	a := start(t, config(t))
	res, err := http.Get(a.URL() + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]map[string]any
	}
	if err := json.NewDecoder(res.Body).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || len(doc.Paths) < 15 {
		t.Errorf("OpenAPI %s with %d paths", doc.OpenAPI, len(doc.Paths))
	}
	for path, ops := range doc.Paths {
		for method, op := range ops {
			if op["x-permission"] == nil || op["x-permission"] == "" {
				t.Errorf("%s %s has no permission", method, path)
			}
		}
	}
}

func TestAPageOfAnotherSiteIsRefused(t *testing.T) {
	cfg := config(t)
	cfg.Hosts = []string{"flyball.example"}
	a := start(t, cfg)
	const mlflow = "/api/2.0/mlflow/experiments/search?max_results=1"
	for _, c := range []struct {
		name, path, host, origin string
		want                     int
		text                     string
	}{
		{"by itself", "/v1/models", "", "", http.StatusOK, ""},
		{"by its own page", "/v1/models", "", a.URL(), http.StatusOK, ""},
		{"by a page of another site", "/v1/models", "", "https://evil.example", http.StatusForbidden, "a page of another site may not ask this"},
		{"by a page without a site", "/v1/models", "", "null", http.StatusForbidden, "a page of another site may not ask this"},
		{"under another name", "/v1/models", "evil.example", "", http.StatusMisdirectedRequest, "this server answers to its own machine only"},
		{"under a name that it has", "/v1/models", "flyball.example:80", "http://flyball.example:80", http.StatusOK, ""},
		{"by MLflow", mlflow, "", "", http.StatusOK, ""},
		{"by MLflow, from a page of another site", mlflow, "", "https://evil.example", http.StatusForbidden, "Cross-origin request blocked"},
		{"by MLflow, under another name", mlflow, "evil.example", "", http.StatusForbidden, "Invalid Host header - possible DNS rebinding attack detected"},
		{"for a web page of MLflow, under another name", "/ajax-api/2.0/mlflow/experiments/search", "evil.example", "", http.StatusForbidden, "Invalid Host header - possible DNS rebinding attack detected"},
		{"by a balancer", "/health", "10.0.0.7", "", http.StatusOK, "OK"},
		{"by a monitor that wants a version", "/version", "10.0.0.7", "", http.StatusOK, "3.18.0"},
		{"by a monitor that wants numbers", "/metrics", "10.0.0.7", "", http.StatusOK, ""},
	} {
		req, err := http.NewRequest(http.MethodGet, a.URL()+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.host != "" {
			req.Host = c.host
		}
		if c.origin != "" {
			req.Header.Set("Origin", c.origin)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != c.want || !strings.Contains(string(text), c.text) {
			t.Errorf("%s: got %d %.200s, want %d %s", c.name, res.StatusCode, text, c.want, c.text)
		}
	}
}

func TestWhatCannotBeOpenedIsToldInOneSentence(t *testing.T) {
	running := config(t)
	a := start(t, running)
	for _, c := range []struct {
		name   string
		change func(*Config)
		kind   fault.Kind
		want   string
	}{
		{"an address that others reach", func(c *Config) { c.Listen = "0.0.0.0:0" }, fault.Invalid, "flyball users add NAME --role admin --data "},
		{"an address that is none", func(c *Config) { c.Listen = "here" }, fault.Invalid, `"here" is not an address to listen on`},
		{"a port that is taken", func(c *Config) { c.Listen = strings.TrimPrefix(a.URL(), "http://") }, fault.Conflict, "is taken"},
		{"a folder that another server has open", func(c *Config) { c.Data = running.Data }, fault.Conflict, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config(t)
			c.change(&cfg)
			b, err := New(context.Background(), cfg)
			if b != nil || !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAManualClockMovesByRequestAndNeverBack(t *testing.T) {
	cfg := config(t)
	cfg.Manual, cfg.Start = true, time.Date(2012, 1, 1, 0, 0, 0, 0, time.UTC)
	a := start(t, cfg)
	c := client.New(a.URL(), "", http.DefaultClient)
	ctx := context.Background()
	if err := c.Advance(ctx, cfg.Start.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	got, err := c.Clock(ctx)
	if err != nil || !got.Manual || !got.Now.Equal(cfg.Start.Add(time.Hour)) {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := c.SetClock(ctx, cfg.Start); !fault.Is(err, fault.Conflict) {
		t.Errorf("back: got %v", err)
	}
}
