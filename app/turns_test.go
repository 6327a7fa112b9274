// SPDX-License-Identifier: Apache-2.0

package app

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/api/wire"
	"flyball/blob"
	"flyball/client"
	"flyball/fault"
	"flyball/governance/alert"
	"flyball/model/registry"
	"flyball/notify"
)

// rotating is the model file with a rota for the duty fix.
var rotating = strings.Replace(modelFile, "fix: {owner: ana, backup: bo, within: 1d}", "fix: {rota: {people: [ana, bo, chen], turn: 7d, from: 2016-01-04}, within: 1d}", 1)

// runs starts a server; end stops it, before the test ends.
func runs(t *testing.T, cfg Config) (c *client.Client, end func()) {
	t.Helper()
	a, err := New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	end = sync.OnceFunc(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("stop: %v", err)
		}
		if err := a.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	t.Cleanup(end)
	return client.New(a.URL(), "", http.DefaultClient), end
}

func applied(t *testing.T, c *client.Client, file string) {
	t.Helper()
	up, err := c.Upload(t.Context(), bytes.NewReader(table(t, 300)))
	if err != nil {
		t.Fatal(err)
	}
	data := map[string]registry.DataFile{"a.csv": {Digest: blob.Digest(up.Digest), Size: up.Size}}
	if _, err := c.Apply(t.Context(), wire.ApplyRequest{Name: "model.yaml", File: file, Data: data}); err != nil {
		t.Fatal(err)
	}
}

func TestADutyGoesByTurnsAndPassesOverWhoIsAway(t *testing.T) {
	cfg := config(t)
	cfg.Manual, cfg.Start = true, time.Date(2016, 1, 10, 12, 0, 0, 0, time.UTC)
	c, _ := runs(t, cfg)
	applied(t, c, rotating)
	pass := func(to time.Time) {
		t.Helper()
		if err := c.Advance(t.Context(), to); err != nil {
			t.Fatal(err)
		}
	}
	fix := func() string {
		t.Helper()
		all, err := c.Owners(t.Context(), "demand")
		if err != nil {
			t.Fatal(err)
		}
		o := all[slices.IndexFunc(all, func(o wire.Owner) bool { return o.Duty == "fix" })]
		return o.Owner + ", then " + o.Backup + ", until " + o.Until.Format("2 Jan")
	}
	pass(cfg.Start.Add(time.Minute))
	if got := fix(); got != "ana, then bo, until 11 Jan" {
		t.Errorf("the first turn: %s", got)
	}
	for _, bad := range []wire.Away{
		{Person: "ana", From: cfg.Start, To: cfg.Start}, {From: cfg.Start, To: cfg.Start.Add(time.Hour)}, {Person: "bo", From: cfg.Start, To: cfg.Start.AddDate(3, 0, 0)},
	} {
		if _, err := c.Away(t.Context(), bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	bo := wire.Away{Person: "bo", From: cfg.Start.AddDate(0, 0, 1), To: cfg.Start.AddDate(0, 0, 4), Why: "a holiday"}
	if _, err := c.Away(t.Context(), bo); err != nil {
		t.Fatal(err)
	}
	ana := wire.Away{Person: "ana", From: cfg.Start.AddDate(0, 0, 2), To: cfg.Start.AddDate(0, 0, 3)}
	if _, err := c.Away(t.Context(), ana); !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), "nobody would have the duty feed of demand") {
		t.Errorf("a hole: %v", err)
	}
	for _, step := range []struct {
		at   time.Time
		want string
	}{
		{time.Date(2016, 1, 11, 1, 0, 0, 0, time.UTC), "bo, then chen, until 18 Jan"},
		{bo.From.Add(time.Minute), "chen, then ana, until 18 Jan"},
		{bo.To, "bo, then chen, until 18 Jan"},
		{time.Date(2016, 1, 18, 0, 0, 0, 0, time.UTC), "chen, then ana, until 25 Jan"},
	} {
		pass(step.at)
		if got := fix(); got != step.want {
			t.Errorf("%s: got %s, want %s", step.at, got, step.want)
		}
	}
	evs, err := c.Events(t.Context(), 0, "demand")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, e := range evs {
		if e.Kind == "duty" && strings.Contains(e.Text, " fix ") {
			told = append(told, e.Text)
		}
	}
	if want := []string{
		"ana has the duty fix now", "bo has the duty fix now, after ana", "chen has the duty fix now, after bo", "bo has the duty fix now, after chen", "chen has the duty fix now, after bo",
	}; !slices.Equal(told, want) {
		t.Errorf("told: %q", told)
	}
	if d, err := c.Digest(t.Context()); err != nil || !strings.Contains(d.String(), "chen has the duty fix now, after bo") {
		t.Errorf("the digest: %s, %v", d, err)
	}
}

func TestOnMondayTheDigestIsSentOnceAlsoAcrossARestart(t *testing.T) {
	var mu sync.Mutex
	var got []string
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var b struct {
			Type   string       `json:"type"`
			Digest alert.Digest `json:"digest"`
		}
		if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if b.Type == "digest" {
			got = append(got, b.Digest.To.In(time.Local).Format("Mon 15:04"))
		}
	}))
	defer hook.Close()
	monday := alert.Monday(first.AddDate(0, 1, 0), time.Local)
	cfg := config(t)
	cfg.Manual, cfg.Start = true, monday.Add(-12*time.Hour)
	cfg.Alerts = notify.Config{Webhook: hook.URL, Secret: "sixteen bytes, or more", Private: true}
	c, end := runs(t, cfg)
	applied(t, c, modelFile)
	sent := func(to time.Time, want int) {
		t.Helper()
		if err := c.Advance(t.Context(), to); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(got) != want || want > 0 && got[want-1] != "Mon 08:00" {
			t.Errorf("%s: got %q, want %d", to, got, want)
		}
	}
	sent(monday.Add(-time.Minute), 0)
	sent(monday.Add(time.Minute), 1)
	sent(monday.Add(time.Hour), 1)
	end()
	c, _ = runs(t, cfg)
	sent(monday.Add(2*time.Hour), 1)
	sent(monday.AddDate(0, 0, 7).Add(time.Minute), 2)
}
