// SPDX-License-Identifier: Apache-2.0

// Command serving asks our server and its peers for predictions of the same model, one
// row a request, with one load generator in one run, and prints requests a second,
// requests a second of the server's processor (from /proc), and latencies. Answers are
// checked against XGBoost's. Only ratios travel from one machine to another.
//
//	go run ./bench/serving -peers .cache/peers/bin/python -ray .cache/ray/bin/python
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"flyball/blob"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if len(os.Args) == 6 && os.Args[1] == "alone" { // a face of ours, in a process of its own
		err = alone(ctx, os.Args[2], blob.Digest(os.Args[3]), os.Args[4], os.Args[5])
	} else {
		err = run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "serving:", err)
		stop()
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	binary, peers, ray string
	callers            int
	rate               float64
	each               time.Duration
	only               string
	dir                string
}

// pickles says whether the models in Python are measured.
func (s settings) pickles() bool { return s.only == "" || strings.Contains(s.only, "sklearn") }

func run(ctx context.Context) error {
	var s settings
	flag.StringVar(&s.binary, "binary", "", "the flyball to measure; empty: it is built")
	flag.StringVar(&s.peers, "peers", ".cache/peers/bin/python", "has the peers, and xgboost")
	flag.StringVar(&s.ray, "ray", ".cache/ray/bin/python", "has Ray, which does not live with the other peers")
	flag.IntVar(&s.callers, "callers", 64, "connections that ask at once")
	flag.Float64Var(&s.rate, "rate", 0, "requests a second, whatever the answers take; 0: the next follows the answer")
	flag.DurationVar(&s.each, "each", 5*time.Second, "how long each server is asked, after a second to warm up")
	flag.StringVar(&s.only, "only", "", "rows of the table whose name holds this alone")
	flag.Parse()
	var err error
	if s.dir, err = os.MkdirTemp("", "serving"); err != nil {
		return err
	}
	defer os.RemoveAll(s.dir)
	fmt.Fprintln(os.Stderr, "training the models in our server")
	server, err := serve(ctx, s)
	if err != nil {
		return err
	}
	defer server.stop()
	w := &work{settings: s, real: server, rows: makeRows()}
	if w.want, err = w.answers(ctx); err != nil {
		return err
	}
	w.header()
	w.trees(ctx)
	if s.pickles() {
		w.python(ctx)
	}
	return ctx.Err()
}

// answers are what XGBoost and scikit-learn say of the rows, by the model's name.
func (w *work) answers(ctx context.Context) (map[string][]float64, error) {
	rows := filepath.Join(w.dir, "rows.json")
	if err := os.WriteFile(rows, encode(w.rows), 0o600); err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, w.peers, "bench/serving/answers.py", rows, w.real.model, w.real.pickle).Output()
	if err != nil {
		return nil, fmt.Errorf("XGBoost in Python does not answer: %w", err)
	}
	var want map[string][]float64
	return want, json.Unmarshal(out, &want)
}
