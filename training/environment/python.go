// SPDX-License-Identifier: Apache-2.0

// Package environment tells what a training ran in, and makes it again: the Python
// interpreter with its packages, as a lock, and the machine. It runs the interpreter that
// it is asked about, and uv; whoever calls it has allowed programs to run here. It does
// not solve which packages fit: a lock names them all.
package environment

import (
	"bytes"
	"context"
	_ "embed" // the program that observes
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"flyball/fault"
)

//go:embed observe.py
var observer string

// The bounds of an observation.
const (
	observeLimit = time.Minute
	maxObserved  = 8 << 20 // bytes
)

// Package is an installed distribution.
type Package struct {
	Name    string `json:"name"` // in lower case with hyphens, as PEP 503 has it
	Version string `json:"version"`
	Local   bool   `json:"local,omitempty"` // from a folder or an address, not from an index
}

// Python is an interpreter with what is installed for it.
type Python struct {
	Path           string    `json:"path"`           // where it lies on its machine
	Version        string    `json:"version"`        // as 3.11.7
	Implementation string    `json:"implementation"` // as CPython
	Platform       string    `json:"platform"`       // as linux-x86_64
	LibC           string    `json:"libc,omitempty"` // as glibc 2.36
	Packages       []Package `json:"packages"`       // sorted by name
}

// Observe asks the interpreter at the path what it is. env is the environment that the
// training's program runs in; nil: this process's PATH, HOME and LANG alone. What does not
// run, or is no Python, is a Refused fault.
func Observe(ctx context.Context, python string, env []string) (Python, error) {
	ctx, cancel := context.WithTimeout(ctx, observeLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-c", observer)
	cmd.Dir = "/"
	if cmd.Env = env; env == nil {
		cmd.Env = passed("PATH", "HOME", "LANG")
	}
	var said, problem bounded
	cmd.Stdout, cmd.Stderr = &said, &problem
	apart(cmd)
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return Python{}, fault.Wrap(ctx.Err(), fault.Unavailable, "the interpreter %s did not say in time what it is", python)
		}
		return Python{}, fault.Wrap(err, fault.Refused, "the interpreter %s does not say what it is: %s", python, lastOf(problem.Bytes()))
	}
	var p Python
	if err := json.Unmarshal(said.Bytes(), &p); err != nil || p.Version == "" {
		return Python{}, fault.New(fault.Refused, "%s is no Python interpreter that says what it is", python)
	}
	return p, nil
}

// bounded keeps the first bytes that are written to it.
type bounded struct{ bytes.Buffer }

// Write never fails.
func (b *bounded) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:min(len(p), maxObserved-min(maxObserved, b.Len()))])
	return len(p), nil
}

// apart has the program run in a process group of its own, all of which ends with its
// context.
func apart(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
}

// passed are the named variables of this process, as far as they are set.
func passed(names ...string) []string {
	out := []string{}
	for _, n := range names {
		if v, ok := os.LookupEnv(n); ok {
			out = append(out, n+"="+v)
		}
	}
	return out
}

// lastOf is the end of what a program said.
func lastOf(said []byte) string {
	lines := strings.Split(strings.TrimSpace(strings.ToValidUTF8(string(said), "")), "\n")
	last := strings.Join(lines[max(0, len(lines)-8):], "\n")
	return strings.ToValidUTF8(last[max(0, len(last)-2000):], "")
}

// IsPython says whether a command's program is called as an interpreter is: python,
// python3, python3.11, in any folder.
func IsPython(program string) bool {
	rest, ok := strings.CutPrefix(filepath.Base(program), "python")
	return ok && strings.Trim(rest, "0123456789.") == ""
}

// Lock is the environment as a requirements file that names all: the version of Python
// in the first line, then a line for each package. Equal environments give equal bytes,
// wherever they lie.
func (p Python) Lock() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "# python %s\n", p.Version)
	packages := slices.Clone(p.Packages)
	slices.SortFunc(packages, func(a, b Package) int { return strings.Compare(a.Name, b.Name) })
	for _, d := range packages {
		if d.Local {
			fmt.Fprintf(&out, "%s%s==%s\n", noIndex, d.Name, d.Version)
			continue
		}
		fmt.Fprintf(&out, "%s==%s\n", d.Name, d.Version)
	}
	return out.Bytes()
}

// noIndex begins the line of a lock for a package that came from a folder or an address.
const noIndex = "# from no index: "

// fromNoIndex are the packages of a lock that no index has.
func fromNoIndex(lock []byte) []string {
	var out []string
	for line := range bytes.Lines(lock) {
		if name, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte(noIndex)); ok {
			out = append(out, string(name))
		}
	}
	return out
}

// PackagesOf are the versions of the packages of a lock by their names.
func PackagesOf(lock []byte) map[string]string {
	out := map[string]string{}
	for line := range bytes.Lines(lock) {
		text := strings.TrimPrefix(strings.TrimSpace(string(line)), noIndex)
		if name, version, ok := strings.Cut(text, "=="); ok && !strings.HasPrefix(name, "#") {
			out[name] = version
		}
	}
	return out
}

// PythonOf is the version of Python that a lock says in a line of its own, as
// "# python 3.11.7"; empty where it says none.
func PythonOf(lock []byte) string {
	for line := range bytes.Lines(lock) {
		version, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("# python "))
		if v := string(bytes.TrimSpace(version)); ok && v != "" && strings.Trim(v, "0123456789.") == "" {
			return v
		}
	}
	return ""
}
