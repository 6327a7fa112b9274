// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"flyball/blob"
	"flyball/fault"
)

// making is an environment while it is made, or a lookup of an interpreter.
type making struct {
	turn chan struct{} // holds one: whoever has it may look and make
	path string        // of the interpreter; set when it is there
}

// take waits for the turn; the function gives it back.
func (m *making) take(ctx context.Context) (func(), error) {
	select {
	case <-m.turn:
		return func() { m.turn <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, fault.Wrap(ctx.Err(), fault.Unavailable, "Python's environment was not made in time")
	}
}

// envLimit bounds the making of one environment.
const envLimit = 30 * time.Minute

func (h *Host) maker(key string) *making {
	h.mu.Lock()
	defer h.mu.Unlock()
	m, ok := h.making[key]
	if !ok {
		m = &making{turn: make(chan struct{}, 1)}
		m.turn <- struct{}{}
		h.making[key] = m
	}
	return m
}

// interpreter is the Python that runs a model: the operator's, or that of an environment
// with the model's requirements and more, which is made when it is not there. Where
// there is neither the operator's nor uv it is a Refused fault.
func (h *Host) interpreter(ctx context.Context, python string, f folder, more string, log *slog.Logger) (string, error) {
	if h.opts.Python != "" {
		return h.operators(ctx)
	}
	uv := h.opts.UV
	if uv == "" {
		uv = "uv"
	}
	uv, err := exec.LookPath(uv)
	if err != nil {
		return "", fault.New(fault.Refused, "the model needs Python, and there is neither uv nor an interpreter for it").
			Do("install uv (https://docs.astral.sh/uv), or name an interpreter that has what the model needs")
	}
	if uv, err = filepath.Abs(uv); err != nil {
		return "", fault.Wrap(err, fault.Refused, "uv cannot be found")
	}
	requirements, err := f.read("requirements.txt")
	if err != nil {
		return "", err
	}
	return h.environment(ctx, uv, minor(python), append(requirements, more...), f.path, log)
}

// operators is the interpreter that the operator named, by its own word: what is named
// may be a script that looks for one.
func (h *Host) operators(ctx context.Context) (string, error) {
	m := h.maker("")
	back, err := m.take(ctx)
	if err != nil {
		return "", err
	}
	defer back()
	if m.path != "" {
		return m.path, nil
	}
	python, err := exec.LookPath(h.opts.Python)
	if err != nil {
		return "", fault.Wrap(err, fault.Refused, "the interpreter %q cannot be run", h.opts.Python)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, python, "-I", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		return "", fault.Wrap(err, fault.Refused, "the interpreter %q does not run", h.opts.Python)
	}
	m.path = strings.TrimSpace(string(out))
	if m.path == "" {
		m.path = python
	}
	return m.path, nil
}

// environment is the interpreter of the environment with the requirements. It is made
// beside its place and moved there when it is whole; of several who need it, in several
// servers too, one makes it.
func (h *Host) environment(ctx context.Context, uv, python string, requirements []byte, dir string, log *slog.Logger) (string, error) {
	key := string(blob.Sum([]byte(python + "\n" + string(requirements))))
	m := h.maker(key)
	back, err := m.take(ctx)
	if err != nil {
		return "", err
	}
	defer back()
	if m.path != "" {
		return m.path, nil
	}
	place := filepath.Join(h.opts.Dir, "env", key)
	path := filepath.Join(place, "bin", "python")
	if err := os.MkdirAll(filepath.Dir(place), 0o750); err != nil {
		return "", fault.Wrap(err, fault.Unavailable, "a folder for Python's environments cannot be made")
	}
	unlock, err := lock(ctx, place+".lock")
	if err != nil {
		return "", fault.Wrap(err, fault.Unavailable, "Python's environment is being made by somebody else")
	}
	defer unlock()
	if _, err := os.Stat(path); err == nil {
		m.path = path
		return path, nil
	}
	ctx, cancel := context.WithTimeout(ctx, envLimit)
	defer cancel()
	began := time.Now()
	log.Info("making a Python environment", "key", key[:12], "requirements", strings.Join(strings.Fields(string(requirements)), " "))
	if err := makeEnvironment(ctx, uv, python, requirements, dir, place); err != nil {
		return "", err
	}
	log.Info("a Python environment is made", "key", key[:12], "took", time.Since(began).Round(time.Millisecond))
	m.path = path
	return path, nil
}

// makeEnvironment has uv make an environment at place.
func makeEnvironment(ctx context.Context, uv, python string, requirements []byte, dir, place string) (err error) {
	begun := filepath.Join(filepath.Dir(place), ".new-"+filepath.Base(place)[:12]+"-")
	left, err := filepath.Glob(begun + "*") // of a server that was killed: the lock is ours
	for _, path := range left {
		err = errors.Join(err, os.RemoveAll(path))
	}
	beside := begun
	if err == nil {
		beside, err = os.MkdirTemp(filepath.Dir(place), filepath.Base(begun)+"*")
	}
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "a folder for Python's environment cannot be made")
	}
	defer func() { err = errors.Join(err, os.RemoveAll(beside)) }()
	list := filepath.Join(beside, "flyball-requirements.txt")
	args := []string{"venv", "--relocatable", "--allow-existing", "--no-project", beside}
	if python != "" {
		args = append(args, "--python", python)
	}
	if err := runUV(ctx, uv, dir, args...); err != nil {
		return err
	}
	if len(strings.TrimSpace(string(requirements))) > 0 {
		if err := os.WriteFile(list, requirements, 0o640); err != nil {
			return fault.Wrap(err, fault.Unavailable, "the requirements cannot be written")
		}
		if err := runUV(ctx, uv, dir, "pip", "install", "--python", filepath.Join(beside, "bin", "python"), "-r", list); err != nil {
			return err
		}
	}
	if err := os.Rename(beside, place); err != nil {
		return fault.Wrap(err, fault.Unavailable, "Python's environment cannot be put in its place")
	}
	return nil
}

// runUV runs uv with the settings of the server's environment that are uv's, but no
// other, for what it installs may run code.
func runUV(ctx context.Context, uv, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, uv, args...)
	cmd.Dir = dir
	cmd.Env = passed("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
		"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy")
	for _, v := range os.Environ() {
		if strings.HasPrefix(v, "UV_") || strings.HasPrefix(v, "PIP_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fault.Wrap(ctx.Err(), fault.Unavailable, "Python's environment could not be made in time")
	}
	lines := strings.Split(strings.TrimSpace(strings.ToValidUTF8(string(out), "")), "\n")
	last := strings.Join(lines[max(0, len(lines)-8):], "\n")
	return fault.Wrap(err, fault.Refused, "uv cannot make the model's environment: %s", last[max(0, len(last)-2000):])
}

// lock takes a lock that other processes see, and gives the way to give it back.
func lock(ctx context.Context, path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Close())
		}
	}
}
