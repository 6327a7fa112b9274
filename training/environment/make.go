// SPDX-License-Identifier: Apache-2.0

package environment

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"flyball/blob"
	"flyball/fault"
	"flyball/unit"
)

// makeLimit bounds the making of one environment.
const makeLimit = 30 * time.Minute

// UV finds the program uv; an empty name: the one of PATH. That there is none is an
// Unavailable fault.
func UV(name string) (string, error) {
	if name == "" {
		name = "uv"
	}
	path, err := exec.LookPath(name)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return "", fault.New(fault.Unavailable, "there is no uv, which makes Python environments").
			Do("install uv (https://docs.astral.sh/uv) where the server finds it in PATH")
	}
	return path, nil
}

// Maker makes environments with uv, each once: they lie in a folder by what they were
// made of. It may be used at once, and many, in many processes, may share a folder.
type Maker struct {
	Dir    string // holds a folder for each environment; it is made when it is not there
	UV     string // the program; empty: the one of PATH
	Logger *slog.Logger
}

// Need is what an environment is made of.
type Need struct {
	Python       string // the version, as 3.11 or 3.11.7; empty: as uv finds one
	Requirements []byte // a requirements file
	Whole        bool   // it names all: nothing is installed that it does not name
	From         string // the folder that its relative paths start in; empty: none
}

// Whole is the need of a lock.
func Whole(lock []byte) Need { return Need{Python: PythonOf(lock), Requirements: lock, Whole: true} }

// key names the environment by what goes in.
func (n Need) key() string {
	text := n.Python + "\n" + string(n.Requirements)
	if n.Whole {
		text = "whole\n" + text
	}
	return string(blob.Sum([]byte(text)))
}

// Make is the path of the interpreter of an environment with what is needed. It is made
// beside its place, and moved there when it is whole; of several who need it one makes
// it. What a maker left that was killed is thrown away. Without uv or what it would
// fetch it is an Unavailable fault; what uv refuses is a Refused one, in its words.
func (m *Maker) Make(ctx context.Context, n Need) (string, error) {
	dir, err := filepath.Abs(m.Dir)
	if err != nil {
		return "", fault.Wrap(err, fault.Unavailable, "the folder of Python's environments cannot be found")
	}
	key := n.key()
	place := filepath.Join(dir, key)
	path := filepath.Join(place, "bin", "python")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if mine := fromNoIndex(n.Requirements); n.Whole && len(mine) > 0 {
		return "", fault.New(fault.Refused, "the environment cannot be made again: what it holds of %s came from a folder or an address, and is not kept", unit.List(mine)).
			Do("name an interpreter that has it (--python)")
	}
	uv, err := UV(m.UV)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", fault.Wrap(err, fault.Unavailable, "a folder for Python's environments cannot be made")
	}
	unlock, err := hold(ctx, place+".lock")
	if err != nil {
		return "", fault.Wrap(err, fault.Unavailable, "Python's environment was not made in time by somebody else")
	}
	defer unlock()
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.RemoveAll(place); err != nil { // its interpreter is gone
		return "", fault.Wrap(err, fault.Unavailable, "an environment without its interpreter cannot be removed")
	}
	ctx, cancel := context.WithTimeout(ctx, makeLimit)
	defer cancel()
	log := m.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	began := time.Now()
	log.Info("making a Python environment", "key", key[:12], "requirements", summary(n.Requirements))
	if err := n.make(ctx, uv, place); err != nil {
		return "", err
	}
	log.Info("a Python environment is made", "key", key[:12], "took", time.Since(began).Round(time.Millisecond))
	return path, nil
}

func summary(requirements []byte) string {
	words := strings.Join(strings.Fields(string(requirements)), " ")
	return words[:min(len(words), 1000)]
}

// make has uv make the environment at place. The lock of place is the caller's.
func (n Need) make(ctx context.Context, uv, place string) (err error) {
	begun := filepath.Join(filepath.Dir(place), ".new-"+filepath.Base(place)[:12]+"-")
	left, err := filepath.Glob(begun + "*") // of a process that was killed: the lock is ours
	for _, path := range left {
		err = errors.Join(err, os.RemoveAll(path))
	}
	beside := begun
	if err == nil {
		beside, err = os.MkdirTemp(filepath.Dir(place), filepath.Base(begun)+"*")
	}
	if err == nil {
		beside, err = filepath.Abs(beside)
	}
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "a folder for Python's environment cannot be made")
	}
	defer func() { err = errors.Join(err, os.RemoveAll(beside)) }()
	from := n.From
	if from == "" {
		from = beside
	}
	args := []string{"venv", "--relocatable", "--allow-existing", "--no-project", beside}
	if n.Python != "" {
		args = append(args, "--python", n.Python)
	}
	if err := runUV(ctx, uv, from, args...); err != nil {
		return err
	}
	if len(strings.TrimSpace(string(n.Requirements))) > 0 {
		if err := n.install(ctx, uv, from, beside); err != nil {
			return err
		}
	}
	if err := os.Rename(beside, place); err != nil {
		return fault.Wrap(err, fault.Unavailable, "Python's environment cannot be put in its place")
	}
	return nil
}

// install has uv install what is required, and compile it once: an environment is made
// once and started many times, by processes that write no bytecode.
func (n Need) install(ctx context.Context, uv, from, beside string) error {
	list := filepath.Join(beside, "flyball-requirements.txt")
	if err := os.WriteFile(list, n.Requirements, 0o600); err != nil {
		return fault.Wrap(err, fault.Unavailable, "the requirements cannot be written")
	}
	python := filepath.Join(beside, "bin", "python")
	args := []string{"pip", "install", "--compile-bytecode", "--python", python, "-r", list}
	if n.Whole {
		args = append(args, "--no-deps")
	}
	return runUV(ctx, uv, from, args...)
}

// runUV runs uv with the variables of this process that are uv's, but no other, for what
// it installs may run code.
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
	apart(cmd)
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fault.Wrap(ctx.Err(), fault.Unavailable, "Python's environment could not be made in time")
	}
	if unreached(out) {
		return fault.New(fault.Unavailable, "uv cannot fetch what the environment needs: %s", lastOf(out)).
			Do("let the server reach a package index (UV_INDEX_URL names one), or make the environment once where it can")
	}
	return fault.Wrap(err, fault.Refused, "uv cannot make the environment: %s", lastOf(out))
}

// unreached says whether uv said that it had no network.
func unreached(out []byte) bool {
	said := strings.ToLower(string(out))
	return slices.ContainsFunc([]string{
		"failed to fetch", "error sending request", "dns error", "network was disabled", "network connectivity is disabled", "connection refused",
	}, func(s string) bool { return strings.Contains(said, s) })
}

// hold takes a lock that other processes see, and gives the way to give it back.
func hold(ctx context.Context, path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
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
