// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"flyball/blob/blobtest"
	"flyball/client"
	"flyball/store/pgtest"
)

// fleet is processes that decide and processes that serve, on one PostgreSQL and one S3.
type fleet struct {
	t        *testing.T
	net      *lan   // nil: all are on this machine's own
	dsn      string // as this process reaches it
	pg       *pgtest.Server
	bucket   *slow
	disks    *disks // nil: none can be made slow
	controls []*node
	serves   []*node
	admin    string // the admin's password; empty: there are no users
	token    string // of the program that asks
}

// node is one process, and what it is started with again.
type node struct {
	name, role string
	at         string // host:port
	space      string // its network namespace; empty: none
	dir        string
	flags, env []string

	*client.Client // as the program that asks

	mu      sync.Mutex
	cmd     *exec.Cmd
	ended   chan struct{}
	up      time.Time // when it answered first since it began or stood still; zero: it is down or may be
	stopped bool
}

const (
	nodePort   = "7180"
	bucketPort = 9000
)

// newFleet starts nothing but the database and the bucket. safe has the database wait for
// its disk.
func newFleet(t *testing.T, n *lan) *fleet {
	t.Helper()
	f := &fleet{t: t, net: n, pg: &pgtest.Server{Safe: true}}
	listen := "127.0.0.1:0"
	if n != nil {
		f.pg.Listen, listen = n.host, fmt.Sprint(n.host, ":", bucketPort)
		f.disks = newDisks(t)
	}
	t.Cleanup(func() { _ = f.pg.Stop() }) // it is thrown away
	blobtest.S3(t, versitygw)
	f.bucket = newSlow(t, listen, strings.TrimPrefix(os.Getenv("AWS_ENDPOINT_URL_S3"), "http://"))
	f.dsn = f.pg.DSN(t)
	t.Cleanup(f.end)
	return f
}

// add adds a process that does not run yet.
func (f *fleet) add(role, name string, flags ...string) {
	f.t.Helper()
	n := &node{name: name, role: role, dir: f.t.TempDir()}
	dsn := f.dsn
	if f.net != nil {
		n.space, n.at = f.net.space(name), f.net.machine(name)+":"+nodePort
		dsn = strings.Replace(dsn, "host="+f.socket(), "host="+f.net.host+" port="+pgtest.Port, 1)
	} else {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			f.t.Fatal(err)
		}
		n.at = l.Addr().String()
		_ = l.Close() // the process takes the port
	}
	n.env = []string{"AWS_ENDPOINT_URL_S3=http://" + f.bucket.at, "FLYBALL_BUCKET=s3://lake/fleet", "FLYBALL_TOKEN="}
	n.flags = append([]string{"serve", "--role", role, "--name", name, "--data", n.dir, "--listen", n.at, "--grpc", ""}, flags...)
	if role == "control" {
		n.env = append(n.env, "FLYBALL_DATABASE="+dsn+" application_name="+name)
		f.controls = append(f.controls, n)
		return
	}
	for _, c := range f.controls {
		n.flags = append(n.flags, "--control", "http://"+c.at)
	}
	f.serves = append(f.serves, n)
}

// socket is the folder of the database's socket.
func (f *fleet) socket() string {
	for part := range strings.FieldsSeq(f.dsn) {
		if host, ok := strings.CutPrefix(part, "host="); ok {
			return host
		}
	}
	return ""
}

func (f *fleet) all() []*node { return append(append([]*node{}, f.controls...), f.serves...) }

// start starts a process, and returns when it answers that it is there.
func (f *fleet) start(n *node) {
	n.mu.Lock()
	defer n.mu.Unlock()
	log, err := os.OpenFile(n.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		f.t.Error(err)
		return
	}
	defer log.Close() // the process has its own copy
	argv := append([]string{binary}, n.flags...)
	if n.space != "" {
		argv = append([]string{"ip", "netns", "exec", n.space}, argv...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(append(os.Environ(), "FLYBALL_DATABASE="), n.env...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		f.t.Error(err)
		return
	}
	f.disks.join(n.name, cmd.Process.Pid)
	n.cmd, n.ended = cmd, make(chan struct{})
	go func(ended chan struct{}) {
		_ = cmd.Wait() // a killed one ends with an error
		close(ended)
	}(n.ended)
	if n.Client == nil {
		n.Client = client.New("http://"+n.at, f.token, quickly())
	}
}

// quickly is a client that waits for four seconds.
func quickly() *http.Client {
	return &http.Client{Timeout: 4 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
}

func (n *node) log() string { return filepath.Join(n.dir, "log") }

// said is the end of what a process said.
func (n *node) said() string {
	raw, _ := os.ReadFile(n.log()) // for a message only
	return string(raw[max(0, len(raw)-4000):])
}

// answers notes that the process answers again.
func (n *node) answers() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.up.IsZero() && !n.stopped {
		n.up = time.Now()
	}
}

// since is from when on the process has answered without a fault; zero: it may not.
func (n *node) since() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.up
}

func (n *node) kill() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.up = time.Time{}
	_ = n.cmd.Process.Kill() // it may have ended
	<-n.ended
}

// pause stops a process where it is, and resume has it go on.
func (n *node) pause() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.up, n.stopped = time.Time{}, true
	_ = n.cmd.Process.Signal(syscall.SIGSTOP)
}

func (n *node) resume() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stopped = false
	_ = n.cmd.Process.Signal(syscall.SIGCONT)
}

// end ends all processes, and tells what they said where the test failed.
func (f *fleet) end() {
	for _, n := range f.all() {
		if n.cmd == nil {
			continue
		}
		n.resume()
		n.kill()
		if f.t.Failed() {
			f.t.Logf("%s said:\n%s", n.name, n.said())
		}
	}
}

// running checks that no process ended by itself.
func (f *fleet) running() {
	for _, n := range f.all() {
		select {
		case <-n.ended:
			f.t.Errorf("%s has ended by itself", n.name)
		default:
		}
	}
}

// until waits until do gives no error.
func (f *fleet) until(what string, patience time.Duration, do func(ctx context.Context) error) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		err := do(ctx)
		if err == nil {
			return
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			f.t.Fatalf("%s: %v", what, last)
		}
	}
}

// slow is a way to a server that can be made slow.
type slow struct {
	at    string
	to    string
	delay atomic.Int64 // of each piece of a request
}

func newSlow(t *testing.T, listen, to string) *slow {
	t.Helper()
	l, err := net.Listen("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	s := &slow{at: l.Addr().String(), to: to}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.pass(c)
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return s
}

func (s *slow) pass(c net.Conn) {
	defer c.Close()
	up, err := net.Dial("tcp", s.to)
	if err != nil {
		return
	}
	defer up.Close()
	go func() {
		defer c.Close()
		_, _ = io.Copy(c, up) // ends with either
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := c.Read(buf)
		time.Sleep(time.Duration(s.delay.Load()))
		if n > 0 {
			if _, e := up.Write(buf[:n]); e != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
