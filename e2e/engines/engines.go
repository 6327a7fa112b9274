// SPDX-License-Identifier: Apache-2.0

// Package engines starts real clusters on this machine for tests: a control plane of
// Kubernetes whose nodes are processes, and a head of Ray. They end with the test, however
// that ends. Only tests import it, and only those that make test-engines runs.
package engines

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a part may take to be ready on a busy machine.
const patience = 5 * time.Minute

// Want skips the test unless FLYBALL_ENGINES, names between spaces, has the engine.
func Want(t testing.TB, engine string) {
	t.Helper()
	if !slices.Contains(strings.Fields(os.Getenv("FLYBALL_ENGINES")), engine) {
		t.Skipf("make test-engines runs it: FLYBALL_ENGINES does not name %s", engine)
	}
}

// cached is a file below .cache of the repository, which scripts/test-engines.sh makes.
func cached(t testing.TB, pattern string) string {
	t.Helper()
	dir, err := os.Getwd()
	for ; err == nil && dir != "/"; dir = filepath.Dir(dir) {
		if found, _ := filepath.Glob(filepath.Join(dir, ".cache", pattern)); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	t.Fatalf("there is no .cache/%s; run scripts/test-engines.sh", pattern)
	return ""
}

// Part is a process of a cluster.
type Part struct {
	t     testing.TB
	name  string
	make  func() *exec.Cmd
	log   string
	mu    sync.Mutex
	cmd   *exec.Cmd
	ended chan struct{}
}

// start begins a part, which ends with the test.
func start(t testing.TB, log, name string, command func() *exec.Cmd) *Part {
	t.Helper()
	p := &Part{t: t, name: name, make: command, log: log}
	p.Start()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("the end of %s's log:\n%s", name, p.tail())
		}
	})
	return p
}

// Start begins it again, after Kill. The kernel ends it with the thread that started it,
// so that waits.
func (p *Part) Start() {
	p.t.Helper()
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer out.Close() // it has its own copy
	cmd, ended, started := p.make(), make(chan struct{}), make(chan error)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	go func() {
		runtime.LockOSThread()
		defer close(ended)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // says that a signal ended it
		}
	}()
	if err := <-started; err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd, p.ended = cmd, ended
}

// Kill ends it at once, as kill -9, and returns when it is gone.
func (p *Part) Kill() {
	p.mu.Lock()
	cmd, ended := p.cmd, p.ended
	p.mu.Unlock()
	_ = cmd.Process.Kill()
	<-ended
}

// stop stops it, until Kill.
func (p *Part) stop() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
}

func (p *Part) tail() string {
	raw, _ := os.ReadFile(p.log) // for a message only
	return string(raw[max(0, len(raw)-3000):])
}

// until waits for something that cannot be waited on.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// port is a free one of this machine.
func port(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func local(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
