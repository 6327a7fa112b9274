// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"flyball/client"
)

// binary is the path of the flyball that TestMain built.
var binary string

func TestMain(m *testing.M) {
	os.Exit(build(m))
}

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "flyball-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "flyball")
	cmd := exec.Command("go", "build", "-tags", tags, "-o", binary, "flyball/cmd/flyball")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "flyball does not build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// long reports whether the tests run at their full size.
func long() bool { return os.Getenv("FLYBALL_LONG") != "" }

// sized is the size of a test: short for every change, full with FLYBALL_LONG.
func sized(short, full int) int {
	if long() {
		return full
	}
	return short
}

// patience bounds a wait for a server; only a broken one takes so long.
const patience = time.Minute

// server is a running flyball serve.
type server struct {
	*client.Client
	url    string
	cmd    *exec.Cmd
	ended  chan struct{} // closed when the process is gone
	mu     sync.Mutex
	stderr bytes.Buffer
}

var servesAt = regexp.MustCompile(`flyball (?:serves|decides, or stands by,|answers predictions) at (http://[0-9.:]+)`)

// launch starts a server on the data folder, its clock at begin, with more flags where a
// test needs them, and returns when it is ready.
func launch(dir string, flags ...string) (*server, error) {
	s, err := launchAs(nil, append([]string{"serve", "--data", dir, "--listen", "127.0.0.1:0", "--clock", begin}, flags...)...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := s.Health(ctx); err != nil {
		s.kill()
		return nil, fmt.Errorf("the server is not ready: %w: %s", err, s.said())
	}
	return s, nil
}

// launchAs starts a server by its words, with more in its environment, and returns when it
// says where it is.
func launchAs(environment []string, words ...string) (*server, error) {
	s := &server{ended: make(chan struct{})}
	s.cmd = exec.Command(binary, append(words, "--log", "warn")...)
	s.cmd.Env = append(os.Environ(), environment...)
	pipe, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	at := make(chan string, 1)
	go s.read(pipe, at)
	select {
	case s.url = <-at:
	case <-s.ended:
		return nil, fmt.Errorf("the server did not start: %s", s.said())
	case <-time.After(patience):
		s.kill()
		return nil, fmt.Errorf("the server does not come up: %s", s.said())
	}
	s.Client = client.New(s.url, "", &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}})
	return s, nil
}

// read keeps what the server says, tells where it serves, and waits for its end.
func (s *server) read(pipe io.Reader, at chan<- string) {
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		s.mu.Lock()
		fmt.Fprintln(&s.stderr, lines.Text())
		s.mu.Unlock()
		if m := servesAt.FindStringSubmatch(lines.Text()); m != nil {
			at <- m[1]
		}
	}
	_ = s.cmd.Wait() // a killed server ends with an error
	close(s.ended)
}

func (s *server) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stderr.String()
}

// kill ends the server as a power cut would, and returns when it is gone.
func (s *server) kill() {
	_ = s.cmd.Process.Kill() // it may be gone already
	<-s.ended
}

// stop ends the server as a service manager does, and returns when it is gone.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(patience):
		s.kill()
	}
}

// start is launch for a test: the server stops with it.
func start(t *testing.T, dir string, flags ...string) *server {
	t.Helper()
	s, err := launch(dir, flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	return s
}

// result is how a command ended.
type result struct {
	code        int
	out, stderr string
}

// run runs a command of the binary against the server at url (empty: none).
func run(t *testing.T, url, stdin string, args ...string) result {
	t.Helper()
	return runWithin(t, patience, url, stdin, args...)
}

// runWithin is run for a command that may take longer.
func runWithin(t *testing.T, limit time.Duration, url, stdin string, args ...string) result {
	t.Helper()
	return runIn(t, limit, []string{"FLYBALL_TOKEN=", "FLYBALL_URL=" + url}, stdin, args...)
}

// runIn is run with what the environment says.
func runIn(t *testing.T, limit time.Duration, environment []string, stdin string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), environment...)
	cmd.Dir, cmd.Stdin = t.TempDir(), strings.NewReader(stdin)
	return ends(t, cmd)
}

// shell runs a line of a shell in the folder, where its commands are looked for first.
func shell(t *testing.T, dir, line string, environment ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Env = append(append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH")), environment...)
	cmd.Dir = dir
	return ends(t, cmd)
}

// ends runs a command to its end.
func ends(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatalf("%s: %v", strings.Join(cmd.Args, " "), err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}
