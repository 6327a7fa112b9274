// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"flyball/api/wire"
	"flyball/serving/prediction"
	"flyball/store/pgtest"
)

// several are the processes of a test that share a database and a bucket.
type several struct {
	t    *testing.T
	dir  string
	env  []string
	urls map[string]string // by name
}

// process starts one, under a port that it keeps over restarts.
func (s *several) process(name, role string) *server {
	s.t.Helper()
	listen := "127.0.0.1:0"
	if u, err := url.Parse(s.urls[name]); err == nil && u.Host != "" {
		listen = u.Host
	}
	env := s.env
	if role == "serve" {
		env = append(slices.Clone(env), "FLYBALL_DATABASE=") // it has none
	}
	p, err := launchAs(env, "serve", "--role", role, "--name", name, "--data", filepath.Join(s.dir, name), "--listen", listen, "--grpc", "")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(p.stop)
	s.urls[name] = p.url
	return p
}

// read is a file of a process's data folder.
func (s *several) read(name, file string) []byte {
	s.t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.dir, name, file))
	if err != nil {
		s.t.Fatal(err)
	}
	return raw
}

// comes waits for what must come.
func comes(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// recent moves the hours on by whole weeks, so that the last ends before now.
func recent(hours []hour) []hour {
	weeks := time.Since(hours[len(hours)-1].at).Truncate(7 * 24 * time.Hour)
	out := make([]hour, len(hours))
	for i, h := range hours {
		h.at = h.at.Add(weeks)
		h.local = h.at.Add(-5 * time.Hour).Format("2006-01-02T15:04")
		out[i] = h
	}
	return out
}

// TestReplicasAnswerWhileWhoeverDecidesComesAndGoes has two processes decide and two
// answer, on one PostgreSQL and one bucket.
func TestReplicasAnswerWhileWhoeverDecidesComesAndGoes(t *testing.T) {
	t.Parallel()
	pg := &pgtest.Server{}
	t.Cleanup(func() {
		if err := pg.Stop(); err != nil {
			t.Error(err)
		}
	})
	s := &several{t: t, dir: t.TempDir(), urls: map[string]string{}}
	s.env = []string{"FLYBALL_DATABASE=" + pg.DSN(t), "FLYBALL_BUCKET=file://" + filepath.Join(s.dir, "bucket"), "FLYBALL_TOKEN="}
	first := s.process("c1", "control")
	comes(t, "c1 leads", func() bool { _, err := first.Health(t.Context()); return err == nil })
	second := s.process("c2", "control")
	s.env = append(s.env, "FLYBALL_CONTROL="+first.url+","+second.url)
	one, two := s.process("r1", "serve"), s.process("r2", "serve")

	past, _ := history(t)
	past = recent(past[len(past)-150*24:])
	file := modelFile(t, append(byHand, [2]string{"log: {durable: false, when_full: drop}", "log: {durable: true, when_full: wait}"})...)
	if err := apply(t.Context(), second.Client, file, csvFile(past)); err != nil { // which forwards it
		t.Fatal(err)
	}
	serves := func(p *server, version int) func() bool {
		return func() bool {
			got, err := p.Predict(t.Context(), bike, []json.RawMessage{past[0].row(nil)})
			return err == nil && got.Version == version
		}
	}
	comes(t, "r1 answers by version 1", serves(one, 1))
	comes(t, "r2 answers by version 1", serves(two, 1))

	var asked atomic.Int64
	ask := func(p *server) error {
		n := asked.Add(1)
		_, err := p.Predict(t.Context(), bike, []json.RawMessage{past[1].row(map[string]any{"ts": fmt.Sprintf("2026-01-01T00:00:00.%06d", n)})})
		return err
	}
	both := func() {
		t.Helper()
		for _, p := range []*server{one, two} {
			if err := ask(p); err != nil {
				t.Fatalf("a replica does not answer: %v", err)
			}
		}
	}
	both()
	first.kill()
	for end := time.Now().Add(time.Second); time.Now().Before(end); { // while nobody leads
		both()
	}
	comes(t, "c2 leads, and one asks a replica", func() bool {
		both()
		_, err := one.Statuses(t.Context())
		return err == nil
	})
	if !bytes.Equal(s.read("c1", "links.key"), s.read("c2", "links.key")) {
		t.Error("links that c1 sent do not hold at c2")
	}
	first = s.process("c1", "control") // stands by

	// A truth that is told to a replica, and whatever was asked, is in the one log.
	if _, err := two.Label(t.Context(), bike, []wire.Label{{Key: "2026-01-01T00:00:00.000001", Value: json.RawMessage("7")}}); err != nil {
		t.Fatal(err)
	}
	want := int(asked.Load())
	comes(t, "all that was asked is in the log, with its truth", func() bool {
		got, err := first.Predictions(t.Context(), prediction.Query{Model: bike, Last: 10_000})
		if err != nil {
			return false
		}
		keys, truths := map[string]int{}, 0
		for _, p := range got {
			if strings.HasPrefix(p.Key, "2026-01-01T00:00:00.") {
				keys[p.Key]++
			}
			if p.Label != nil {
				truths++
			}
		}
		for k, n := range keys {
			if n > 1 {
				t.Fatalf("%s is in the log %d times", k, n)
			}
		}
		return len(keys) == want && truths == 1
	})

	// With nobody who decides, and after a restart, a replica goes on.
	second.kill()
	first.kill()
	one.kill()
	one = s.process("r1", "serve")
	comes(t, "r1 answers from its disk", serves(one, 1))
	if _, err := one.Statuses(t.Context()); err == nil {
		t.Error("nobody decides, and somebody says how models stand")
	}
	first = s.process("c1", "control")
	comes(t, "both are leased again", func() bool {
		all, err := first.Replicas(t.Context())
		return err == nil && len(all) == 2 && all[0].Leased && all[1].Leased && all[0].Of(bike).Generation == all[1].Of(bike).Generation
	})
	command{args: "replicas", says: "leased"}.check(t, two.url)
	if info, err := os.Stat(filepath.Join(s.dir, "r1", "desired.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info, err)
	}
}

func TestAProcessOfARoleSaysWhatItLacks(t *testing.T) {
	t.Parallel()
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	for _, c := range []struct{ args, says string }{
		{"--role boss", "control or serve"},
		{"--role control", "FLYBALL_DATABASE"},
		{"--role serve", "FLYBALL_CONTROL"},
		{"--role serve --bucket file:///tmp/x --control control-1", "http://host:7180"},
		{"--role serve --bucket s3://key:secret@x --control " + away.URL, "AWS_ENDPOINT_URL_S3"},
	} {
		got := run(t, "", "", append([]string{"serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--grpc", ""}, strings.Fields(c.args)...)...)
		if got.code == 0 || !strings.Contains(got.stderr, c.says) || strings.Contains(got.stderr, "secret") {
			t.Errorf("%s: exit %d: %s", c.args, got.code, got.stderr)
		}
	}
}
