// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flyball/client"
	"flyball/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
	a := start(t, config(t))
	for _, c := range []struct {
		name, host, origin string
		want               int
	}{
		{"by itself", "", "", http.StatusOK},
		{"by its own page", "", a.URL(), http.StatusOK},
		{"by a page of another site", "", "https://evil.example", http.StatusForbidden},
		{"under another name", "evil.example", "", http.StatusMisdirectedRequest},
	} {
		req, err := http.NewRequest(http.MethodGet, a.URL()+"/v1/models", nil)
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
		if err := res.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != c.want {
			t.Errorf("%s: got %d, want %d", c.name, res.StatusCode, c.want)
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
		{"an address that others reach", func(c *Config) { c.Listen = "0.0.0.0:0" }, fault.Invalid, "this version knows no users"},
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
