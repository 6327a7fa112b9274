// SPDX-License-Identifier: Apache-2.0

// Package pgtest gives each test a PostgreSQL schema of its own, on one server that
// the test binary starts. Only tests import it. Where no server is installed (Debian:
// apt-get install postgresql) the test is skipped, which says why; FLYBALL_TEST_POSTGRES,
// the address of a running server's database "postgres" as host=… dbname=postgres,
// is used instead of a server of our own where it is set.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Port is where a server with a Listen answers.
const Port = "5432"

// errNone says that there is no server on this machine.
var errNone = errors.New("PostgreSQL is not installed here and FLYBALL_TEST_POSTGRES names no server")

// Server starts a server when the first test asks for a database. The zero value is
// ready; Stop it in TestMain after the tests. It tells when a row was committed.
type Server struct {
	// Safe has it wait for the disk, as a server does that keeps anything: for tests of
	// crashes. Listen is an address of this machine on which it answers too, at Port,
	// whoever comes from its network; empty: at a Unix socket only.
	Safe   bool
	Listen string

	once   sync.Once
	err    error
	bin    string // folder of the programs
	dir    string
	as     *syscall.Credential // PostgreSQL refuses to run as root
	proc   *exec.Cmd
	ended  chan struct{} // closed when the server has ended
	serial atomic.Int64
}

// DSN makes an empty schema and returns the address with which it is the only one in
// sight: making a whole database would take fifty times as long. Our own server is a
// Unix socket, so no port is taken, and is thrown away whole; in another's database
// the schema is dropped when the test ends.
func (s *Server) DSN(t testing.TB) string {
	t.Helper()
	address := os.Getenv("FLYBALL_TEST_POSTGRES")
	ours := address == ""
	if ours {
		s.once.Do(func() { s.err = s.start() })
		if errors.Is(s.err, errNone) {
			t.Skip(s.err)
		}
		if s.err != nil {
			t.Fatalf("pgtest: %v", s.err)
		}
		address = "host=" + s.dir + " user=flyball dbname=postgres"
	}
	name := fmt.Sprintf("t%d_%d", os.Getpid(), s.serial.Add(1))
	psql(t, address, "CREATE SCHEMA "+name)
	if !ours {
		t.Cleanup(func() { psql(t, address, "DROP SCHEMA "+name+" CASCADE") })
	}
	return address + " search_path=" + name
}

// Stop ends the server, if one was started, and removes its folder.
func (s *Server) Stop() error {
	if s.dir == "" {
		return nil
	}
	s.quit()
	return os.RemoveAll(s.dir)
}

// Crash ends a server that was started, as if its machine had failed: nothing is
// flushed, and no session hears of it first. Recover starts it again on what its disk holds.
func (s *Server) Crash() { s.quit() }

// Recover starts a server that crashed, and returns when it answers.
func (s *Server) Recover() error { return s.run() }

// Process is the number of the running server's first process, whose children the others are.
func (s *Server) Process() int { return s.proc.Process.Pid }

// quit ends the server, which does nothing but end.
func (s *Server) quit() {
	if s.ended != nil {
		_ = s.proc.Process.Signal(syscall.SIGQUIT)
		<-s.ended
	}
}

func (s *Server) start() error {
	bins, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(bins) == 0 {
		return errNone
	}
	s.bin = filepath.Dir(slices.MaxFunc(bins, func(a, b string) int { return major(a) - major(b) }))
	if s.dir, err = os.MkdirTemp("/tmp", "pg"); err != nil { // short: the path of a socket holds 107 bytes
		return err
	}
	if err := s.other(); err != nil {
		return err
	}
	out, err := s.command("initdb", "-D", s.data(), "-U", "flyball", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync").CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if s.Listen != "" {
		if err := trust(s.data()); err != nil {
			return err
		}
	}
	return s.run()
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// run starts the server on its folder, and returns when it is ready.
func (s *Server) run() error {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the server has its own copy
	args := []string{"-D", s.data(), "-k", s.dir, "-h", s.Listen, "-p", Port, "-c", "shared_buffers=32MB", "-c", "max_connections=200", "-c", "track_commit_timestamp=on"}
	if !s.Safe {
		args = append(args, "-F", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
	}
	s.proc = s.command("postgres", args...)
	s.proc.Stdout, s.proc.Stderr = log, log
	if err := s.launch(); err != nil {
		return err
	}
	return s.ready()
}

// trust lets those in who come over Listen's network.
func trust(data string) error {
	f, err := os.OpenFile(filepath.Join(data, "pg_hba.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString("host all all samenet trust\n")
	return errors.Join(err, f.Close())
}

// launch starts the server so that it ends with this process, however that ends: the
// kernel sends the signal when the thread that started it does, so the thread waits.
func (s *Server) launch() error {
	s.proc.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer close(ended)
		err := s.proc.Start()
		started <- err
		if err == nil {
			_ = s.proc.Wait() // says that a signal ended it
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	s.ended = ended
	return nil
}

// other has root's server run as somebody else.
func (s *Server) other() error {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return err
		}
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	s.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(s.dir, uid, gid)
}

// ready waits until the server answers.
func (s *Server) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if s.command("pg_isready", "-q", "-h", s.dir, "-U", "flyball").Run() == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			said, _ := os.ReadFile(filepath.Join(s.dir, "log")) // for the message only
			return fmt.Errorf("the server is not ready after 30 s:\n%s", said)
		}
	}
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(s.bin, name), args...)
	c.Dir, c.Env = s.dir, []string{"PATH=/usr/bin:/bin", "HOME=" + s.dir, "LC_ALL=C.UTF-8", "TZ=UTC"}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	return c
}

func major(path string) int {
	n, err := strconv.Atoi(strings.Split(path, "/")[4])
	if err != nil {
		return 0
	}
	return n
}

func psql(t testing.TB, dsn, statement string) {
	t.Helper()
	if out, err := exec.Command("psql", "-Xqd", dsn, "-c", statement).CombinedOutput(); err != nil {
		t.Errorf("pgtest: %s: %v\n%s", statement, err, out)
	}
}
