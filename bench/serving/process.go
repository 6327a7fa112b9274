// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// process is a server that was started.
type process struct {
	cmd *exec.Cmd
	log string // file of what it says
}

// begin starts a server in a group of its own, so that all of it can be stopped.
func begin(ctx context.Context, dir string, args ...string) (*process, error) {
	log, err := os.CreateTemp(dir, "log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "OMP_NUM_THREADS=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{cmd, log.Name()}, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop ends it, and what it started: some put their children into groups of their own.
func (p *process) stop() {
	for _, id := range family(p.pid()) {
		_ = syscall.Kill(id, syscall.SIGKILL)
	}
	_ = syscall.Kill(-p.pid(), syscall.SIGKILL)
	_ = p.cmd.Wait()
}

// said is the last line that it wrote.
func (p *process) said() string {
	text, _ := os.ReadFile(p.log)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

// stat is a process as /proc has it.
type stat struct{ parent, ticks int }

func processes() (map[int]stat, error) {
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	seen := map[int]stat{}
	for _, name := range all {
		raw, err := os.ReadFile(name)
		if err != nil {
			continue // it ended meanwhile
		}
		text := string(raw)
		f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
		id, _ := strconv.Atoi(strings.Split(name, "/")[2])
		parent, _ := strconv.Atoi(f[1])
		ticks := 0
		for _, s := range f[11:15] { // utime, stime and those of children that ended
			n, _ := strconv.Atoi(s)
			ticks += n
		}
		seen[id] = stat{parent, ticks}
	}
	return seen, nil
}

// below says whether the process is pid or was started by it.
func below(seen map[int]stat, id, pid int) bool {
	for ; id > 1; id = seen[id].parent {
		if id == pid {
			return true
		}
	}
	return false
}

// family is a process and all that it started.
func family(pid int) []int {
	seen, _ := processes()
	var out []int
	for id := range seen {
		if below(seen, id, pid) {
			out = append(out, id)
		}
	}
	return out
}

// processor is the seconds of processor that a process and its children took.
func processor(pid int) (float64, error) {
	seen, err := processes()
	if err != nil {
		return 0, err
	}
	if _, ok := seen[pid]; !ok {
		return 0, fmt.Errorf("process %d is gone", pid)
	}
	total := 0
	for id, p := range seen {
		if below(seen, id, pid) {
			total += p.ticks
		}
	}
	return float64(total) / 100, nil // USER_HZ is 100 on every Linux that matters
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
