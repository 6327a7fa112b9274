// SPDX-License-Identifier: Apache-2.0

// Package clustertest is what tests of engines share: a server for nodes in the test's own
// process, and the program that runs on a node, which is the test itself, started again.
// Only tests import it.
package clustertest

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"flyball/api"
	"flyball/api/attempt"
	"flyball/training/executor"
	"flyball/training/executor/cluster"
	"flyball/training/executor/cluster/node"
	"flyball/training/executor/executortest"
)

// Main is TestMain's: it does an attempt where an engine started this program for one, and
// the tests else.
func Main(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == cluster.Verb {
		o, err := node.FromEnvironment(slog.New(slog.NewTextHandler(os.Stderr, nil)))
		if err == nil {
			err = node.Run(context.Background(), o)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Server answers nodes, and opens executors over an engine again and again, on what the
// former ones kept. The newest is the one that nodes talk to.
type Server struct {
	Bucket *blob.Bucket
	URL    string
	Engine cluster.Engine
	Name   string        // of the engine
	Beat   time.Duration // of nodes

	mu     sync.Mutex
	newest *cluster.Executor // nil: the server is away
}

// New starts a server of an engine.
func New(t *testing.T, name string, engine cluster.Engine) *Server {
	t.Helper()
	s := &Server{Bucket: memblob.OpenBucket(nil), Engine: engine, Name: name, Beat: 500 * time.Millisecond}
	routes := api.NewRoutes(nil)
	attempt.New(routes, attempt.Options{Engines: map[string]attempt.Attempts{name: s}})
	web := httptest.NewServer(routes)
	t.Cleanup(web.Close)
	s.URL = web.URL
	return s
}

// Run holds the executor to the contract of all executors.
func (s *Server) Run(t *testing.T) {
	executortest.Run(t, func(t *testing.T) executor.Executor { return s.Open(t) })
}

// Open makes the executor anew, as after a restart of the server.
func (s *Server) Open(t *testing.T) *cluster.Executor {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	e := cluster.New(cluster.Options{
		Name: s.Name, Engine: s.Engine, Bucket: s.Bucket, URL: s.URL, Binary: self, Beat: s.Beat, Every: s.Beat,
		Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest = e
	return e
}

// Away has the server answer nobody, until Open.
func (s *Server) Away() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest = nil
}
