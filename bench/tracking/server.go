// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// target is a running server and what it takes to ask it.
type target struct {
	name   string // mlflow or flyball
	engine string
	url    string
	http   *http.Client
	cmd    *exec.Cmd
	base   *postgres // whose processor time counts too; nil on SQLite
	dir    string    // where it keeps everything
	python string    // of MLflow, which seeds its database
}

// start starts a server on an empty database and returns when it answers.
func start(ctx context.Context, s settings, who, engine string, base *postgres) (*target, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	t := &target{
		name: who, engine: engine, base: base, url: fmt.Sprint("http://127.0.0.1:", port), dir: filepath.Join(s.dir, who+"-"+engine),
		http:   &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}},
		python: filepath.Join(filepath.Dir(s.mlflow), "python"),
	}
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return nil, err
	}
	if base != nil {
		if err := base.make(ctx, who); err != nil {
			return nil, err
		}
	}
	switch who {
	case "mlflow":
		database := "sqlite:///" + filepath.Join(t.dir, "mlflow.db")
		if base != nil {
			database = base.url(who)
		}
		t.cmd = exec.Command(s.mlflow, "server", "--host", "127.0.0.1", "--port", fmt.Sprint(port), "--workers", "1",
			"--backend-store-uri", database, "--artifacts-destination", filepath.Join(t.dir, "artifacts"))
		// Without the process for background jobs, which has no part in this.
		t.cmd.Env = append(os.Environ(), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false", "MLFLOW_DISABLE_TELEMETRY=true",
			"PATH="+filepath.Dir(s.mlflow)+":"+os.Getenv("PATH"))
	default:
		t.cmd = exec.Command(s.flyball, "serve", "--data", t.dir, "--listen", fmt.Sprint("127.0.0.1:", port), "--log", "warn")
		t.cmd.Env = os.Environ()
		if base != nil {
			t.cmd.Env = append(t.cmd.Env, "FLYBALL_DATABASE="+base.dsn(who))
		}
	}
	return t, t.launch(ctx)
}

func (t *target) launch(ctx context.Context) error {
	log, err := os.Create(filepath.Join(t.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close() // the server has its own copy
	t.cmd.Stdout, t.cmd.Stderr = log, log
	t.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := t.cmd.Start(); err != nil {
		return err
	}
	if err := t.answers(ctx); err != nil {
		t.stop()
		said, _ := os.ReadFile(log.Name()) // only to say why
		return fmt.Errorf("%w\n%s", err, said)
	}
	return nil
}

// answers waits until the server says that it is well.
func (t *target) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute) // MLflow takes its time on a busy machine
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url+"/health", nil)
		if err != nil {
			return err
		}
		if f := stat(fmt.Sprintf("/proc/%d/stat", t.cmd.Process.Pid)); f == nil || f[0] == "Z" {
			return errors.New("the server ended")
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return errors.New("the server does not come up")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (t *target) stop() {
	_ = syscall.Kill(-t.cmd.Process.Pid, syscall.SIGTERM) // it may be gone already
	_ = t.cmd.Wait()                                      // says that a signal ended it
}

// processor is the processor time that the server and its database have used.
func (t *target) processor() time.Duration {
	used := t.own()
	if t.base != nil {
		used += time.Duration(tree(t.base.cmd.Process.Pid, processorOf))
	}
	return used
}

// own is the processor time that the server has used without its database.
func (t *target) own() time.Duration { return time.Duration(tree(t.cmd.Process.Pid, processorOf)) }

// memory is the most that the server's processes have held, in bytes, without the
// database.
func (t *target) memory() int64 { return tree(t.cmd.Process.Pid, memoryOf) }

// tree adds up a figure of a process and of all that descend from it.
func tree(root int, figure func(pid int) int64) int64 {
	parents := map[int][]int{}
	all, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well formed
	for _, path := range all {
		if f := stat(path); f != nil {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			parent, _ := strconv.Atoi(f[1])
			parents[parent] = append(parents[parent], pid)
		}
	}
	var add func(pid int) int64
	add = func(pid int) int64 {
		sum := figure(pid)
		for _, child := range parents[pid] {
			sum += add(child)
		}
		return sum
	}
	return add(root)
}

// stat is the fields of /proc/PID/stat after the name, which may hold anything: state,
// parent and so on; nil when the process is gone.
func stat(path string) []string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	end := strings.LastIndex(string(raw), ") ")
	if end < 0 {
		return nil
	}
	return strings.Fields(string(raw)[end+2:])
}

// tick is the grain of processor times in /proc on Linux.
const tick = time.Second / 100

// processorOf is the processor time of a process and of its children that have ended,
// in nanoseconds.
func processorOf(pid int) int64 {
	f := stat(fmt.Sprintf("/proc/%d/stat", pid))
	if len(f) < 15 {
		return 0
	}
	var ticks int64
	for _, field := range f[11:15] { // utime, stime, cutime, cstime
		n, _ := strconv.ParseInt(field, 10, 64)
		ticks += n
	}
	return ticks * int64(tick)
}

func memoryOf(pid int) int64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb << 10
		}
	}
	return 0
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
