// SPDX-License-Identifier: Apache-2.0

// Command serving asks our server and its peers for predictions of the same model, one
// row a request, with one load generator in one run, and prints requests a second,
// requests a second of the server's processor (from /proc), and latencies. Only ratios
// travel from one machine to another.
//
//	go run ./bench/serving -python .cache/venv/bin/python -peers .cache/peers/bin/python
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if len(os.Args) == 5 && os.Args[1] == "ours" { // our server, in a process of its own
		err = ours(ctx, os.Args[2], os.Args[3], os.Args[4])
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
	python, peers string
	callers       int
	rate          float64
	each          time.Duration
	only          string
	dir           string
}

func run(ctx context.Context) error {
	var s settings
	flag.StringVar(&s.python, "python", ".cache/venv/bin/python", "has xgboost, which trains the model")
	flag.StringVar(&s.peers, "peers", "", "has the peers; empty: that of -python, and who is not there is left out")
	flag.IntVar(&s.callers, "callers", 16, "connections that ask at once")
	flag.Float64Var(&s.rate, "rate", 0, "requests a second, whatever the answers take; 0: the next follows the answer")
	flag.DurationVar(&s.each, "each", 10*time.Second, "how long each server is asked")
	flag.StringVar(&s.only, "only", "", "servers whose name holds this alone")
	flag.Parse()
	if s.peers == "" {
		s.peers = s.python
	}
	dir, err := os.MkdirTemp("", "serving")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s.dir = dir
	file := filepath.Join(dir, "model.json")
	if out, err := exec.CommandContext(ctx, s.python, "bench/serving/train.py", file).CombinedOutput(); err != nil {
		return fmt.Errorf("the model cannot be trained: %w\n%s", err, out)
	}
	constant := filepath.Join(dir, "constant.json")
	if err := writeConstant(constant); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	servers := []server{
		{name: "Flyball, a constant", path: "/v1/models/m/predict", command: func(port string) []string {
			return []string{self, "ours", constant, "127.0.0.1:" + port, filepath.Join(dir, "constant")}
		}},
		{name: "Flyball, 300 trees", path: "/v1/models/m/predict", command: func(port string) []string {
			return []string{self, "ours", file, "127.0.0.1:" + port, filepath.Join(dir, "trees")}
		}},
		{name: "FastAPI + xgboost", path: "/predict", command: func(port string) []string {
			return []string{s.peers, "bench/serving/fastapi_xgboost.py", file, port}
		}},
		{name: "FastAPI + onnxruntime", path: "/predict", command: func(port string) []string {
			return []string{s.peers, "bench/serving/fastapi_onnx.py", file, port}
		}},
		{name: "mlflow models serve", path: "/invocations", body: asSplit, command: func(port string) []string {
			return []string{s.peers, "bench/serving/mlflow_serve.py", file, port}
		}},
		{name: "MLServer", path: "/v2/models/m/infer", body: asTensor, command: func(port string) []string {
			return []string{s.peers, "bench/serving/mlserver_xgboost.py", file, port}
		}},
		{name: "BentoML", path: "/predict", command: func(port string) []string {
			return []string{s.peers, "bench/serving/bentoml_xgboost.py", file, port}
		}},
	}
	fmt.Printf("%-24s %10s %14s %8s %10s %10s %8s\n", "one row a request", "requests/s", "a core-second", "ratio", "p50", "p99", "failed")
	base := 0.0
	for _, srv := range servers {
		if !strings.Contains(srv.name, s.only) {
			continue
		}
		r, err := srv.measure(ctx, s)
		if err != nil {
			fmt.Printf("%-24s left out: %v\n", srv.name, err)
			continue
		}
		if base == 0 {
			base = r.perCore
		}
		fmt.Printf("%-24s %10.0f %14.0f %8.3f %10s %10s %8d\n", srv.name, r.perSecond, r.perCore, r.perCore/base, r.p50.Round(time.Microsecond), r.p99.Round(time.Microsecond), r.failed)
	}
	return nil
}

// server is one that is measured.
type server struct {
	name    string
	path    string
	body    func(row []float64) []byte // nil: {"rows": […]}
	command func(port string) []string
}

// measure starts the server, asks it, and stops it.
func (srv server) measure(ctx context.Context, s settings) (result, error) {
	port, err := freePort()
	if err != nil {
		return result{}, err
	}
	args := srv.command(port)
	if strings.HasSuffix(args[1], ".py") {
		if _, err := os.Stat(args[1]); err != nil {
			return result{}, errors.New("there is no script for it yet")
		}
	}
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return result{}, err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "OMP_NUM_THREADS=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return result{}, err
	}
	defer func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	}()
	l := newLoad("http://127.0.0.1:"+port+srv.path, s, srv.body)
	if err := l.ready(ctx); err != nil {
		text, _ := os.ReadFile(log.Name())
		return result{}, fmt.Errorf("%w: %s", err, lastLine(string(text)))
	}
	return l.measure(ctx, cmd.Process.Pid)
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// client asks over so many connections.
func client(callers int) *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers, DisableCompression: true}, Timeout: 30 * time.Second}
}
