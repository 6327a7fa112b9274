// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process finds one of this machine whose command line, its words with a zero behind each,
// has all the parts; 0: there is none.
func process(parts ...string) (pid int) {
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range names {
		line, err := os.ReadFile(name)
		if err != nil || slices.ContainsFunc(parts, func(p string) bool { return !bytes.Contains(line, []byte(p)) }) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name))); err == nil {
			return pid
		}
	}
	return 0
}

// catch waits for such a process and sends it the signal; 0 when enough was closed before.
func catch(enough <-chan struct{}, s syscall.Signal, parts ...string) (pid int) {
	for {
		if pid := process(parts...); pid != 0 && syscall.Kill(pid, s) == nil {
			return pid
		}
		select {
		case <-enough:
			return 0
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// above is a process and those it descends from, up to this one or the first of all, and
// what the environment of the first of them that has the variable says.
func above(pid int, variable string) (line []int, value string) {
	for pid > 1 && pid != os.Getpid() {
		line = append(line, pid)
		dir := filepath.Join("/proc", strconv.Itoa(pid))
		env, _ := os.ReadFile(filepath.Join(dir, "environ"))
		for word := range strings.SplitSeq(string(env), "\x00") {
			if v, ok := strings.CutPrefix(word, variable+"="); ok && value == "" {
				value = v
			}
		}
		stat, _ := os.ReadFile(filepath.Join(dir, "stat"))
		_, rest, _ := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " ") // behind the name: the state, the parent
		fields := strings.Fields(rest)
		if len(fields) < 2 {
			return line, value
		}
		pid, _ = strconv.Atoi(fields[1])
	}
	return line, value
}

// waitFor waits for what cannot be waited on.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
