// SPDX-License-Identifier: Apache-2.0

// Package slurmtest starts a real Slurm of two nodes for tests, where Debian's packages of
// it are installed and the tests run as root. Only tests import it.
package slurmtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// Cluster is a Slurm on this machine.
type Cluster struct {
	Dir    string // holds all of it
	script string
}

// Start starts a cluster, and ends it with the test; SLURM_CONF is set meanwhile. Where
// there is no Slurm, and with -short, the test is left out.
func Start(t *testing.T) *Cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("the short run starts no Slurm; the whole one does")
	}
	for _, program := range []string{"/usr/sbin/slurmctld", "/usr/sbin/slurmd", "/usr/sbin/munged", "/usr/bin/sbatch"} {
		if _, err := os.Stat(program); err != nil || os.Getuid() != 0 {
			t.Skip("Slurm is not installed here, or we are not root: scripts/setup.sh brings it")
		}
	}
	_, here, _, _ := runtime.Caller(0)
	dir, err := os.MkdirTemp("", "slurm") // short: a path of a socket has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{Dir: dir, script: filepath.Join(filepath.Dir(here), "..", "testdata", "slurm.sh")}
	t.Cleanup(func() {
		c.do(t, "down")
		if err := os.RemoveAll(dir); err != nil {
			t.Log(err)
		}
	})
	args := []string{}
	for range 3 {
		args = append(args, port(t))
	}
	c.do(t, "up", append(args, strconv.Itoa(os.Getpid()))...)
	t.Setenv("SLURM_CONF", filepath.Join(dir, "slurm.conf"))
	return c
}

func port(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // all at once, so that they differ
	_, p, err := net.SplitHostPort(l.Addr().String())
	if err == nil {
		err = l.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Controller, Node1 and Node2 are parts of a cluster.
const (
	Controller = "controller"
	Node1      = "node1"
	Node2      = "node2"
)

// Kill kills a part, as kill -9 does.
func (c *Cluster) Kill(t *testing.T, part string) {
	t.Helper()
	file := map[string]string{Controller: "slurmctld.pid", Node1: "slurmd_n1.pid", Node2: "slurmd_n2.pid"}[part]
	raw, err := os.ReadFile(filepath.Join(c.Dir, file))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("kill", "-9", strings.TrimSpace(string(raw))).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
}

// Again starts a part that was killed.
func (c *Cluster) Again(t *testing.T, part string) {
	t.Helper()
	c.do(t, part)
}

func (c *Cluster) do(t *testing.T, verb string, args ...string) {
	t.Helper()
	cmd := exec.Command(c.script, append([]string{verb, c.Dir}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatal(fmt.Errorf("slurm.sh %s: %w: %s", verb, err, out))
	}
}
