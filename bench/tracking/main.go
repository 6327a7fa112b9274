// SPDX-License-Identifier: Apache-2.0

// Command tracking does the same work on MLflow's tracking server and on Flyball's, on
// SQLite and on PostgreSQL, with one HTTP client, in one run, and prints requests a
// core-second (the processor time of the server and its database, from /proc), the
// most memory the server held, and the ratios. Only the ratios travel from one machine
// to another.
//
//	go run ./bench/tracking -mlflow .cache/mlflow3/bin/mlflow
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

// settings are the flags.
type settings struct {
	mlflow  string
	flyball string
	engines []string
	clients int
	each    time.Duration
	runs    int
	points  int
	bytes   int64
	only    string
	dir     string
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == "files" { // the plain file server, in a process of its own
		fmt.Fprintln(os.Stderr, files(os.Args[2], os.Args[3]))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "tracking:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	s := settings{}
	engines := flag.String("engines", "sqlite,postgres", "the databases, one after the other")
	flag.StringVar(&s.mlflow, "mlflow", ".cache/mlflow3/bin/mlflow", "MLflow's command")
	flag.StringVar(&s.flyball, "flyball", "", "Flyball's command; empty: build it")
	flag.IntVar(&s.clients, "clients", 8, "connections that ask at once")
	flag.DurationVar(&s.each, "each", 4*time.Second, "how long each operation is repeated")
	flag.IntVar(&s.runs, "runs", 2000, "runs to search in, with 20 metrics and 20 params each")
	flag.IntVar(&s.points, "points", 1_000_000, "points of the long history")
	megabytes := flag.Int64("megabytes", 1024, "size of the artifact")
	flag.StringVar(&s.only, "only", "", "operations whose name holds this alone")
	flag.Parse()
	s.bytes, s.engines = *megabytes<<20, strings.Split(*engines, ",")

	dir, err := os.MkdirTemp("", "tracking")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s.dir = dir
	if s.flyball == "" {
		s.flyball = filepath.Join(dir, "flyball")
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", s.flyball, "./cmd/flyball")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("flyball does not build: %w\n%s", err, out)
		}
	}
	for _, engine := range s.engines {
		if err := compare(ctx, os.Stdout, s, engine); err != nil {
			return fmt.Errorf("%s: %w", engine, err)
		}
	}
	return transfers(ctx, os.Stdout, s)
}

// compare measures both servers on one engine and prints the table.
func compare(ctx context.Context, out io.Writer, s settings, engine string) error {
	var base *postgres
	if engine == "postgres" {
		p, err := startPostgres(ctx, filepath.Join(s.dir, "pg"))
		if err != nil {
			return err
		}
		base = p
		defer p.stop()
		if p == nil {
			fmt.Fprintln(out, "\nPostgreSQL is left out: it is not installed here")
			return nil
		}
	}
	results := map[string]map[string]result{}
	memory := map[string]int64{}
	for _, who := range []string{"mlflow", "flyball"} {
		t, err := start(ctx, s, who, engine, base)
		if err != nil {
			return fmt.Errorf("%s: %w", who, err)
		}
		results[who], err = measure(ctx, s, t)
		memory[who] = t.memory()
		t.stop()
		if err != nil {
			return fmt.Errorf("%s: %w", who, err)
		}
	}
	table(out, s, engine, results, memory)
	return nil
}
