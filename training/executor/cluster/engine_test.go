// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"

	"flyball/fault"
	"flyball/training/executor/cluster"
	"flyball/training/executor/cluster/clustertest"
)

func TestMain(m *testing.M) { clustertest.Main(m) }

// machine is an engine of processes of this machine, which tests tell what to say.
type machine struct {
	mu     sync.Mutex
	jobs   map[string]*process
	silent error           // what it answers to everything; nil: it works
	lies   *cluster.Seen   // of every job, instead of the truth
	hides  map[string]bool // jobs that it does not know
	hold   bool            // jobs stay queued
}

type process struct {
	spec cluster.Spec
	cmds []*exec.Cmd
	seen cluster.Seen
	stop bool
}

func newMachine(t *testing.T) *machine {
	m := &machine{jobs: map[string]*process{}, hides: map[string]bool{}}
	t.Cleanup(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, p := range m.jobs {
			for _, c := range p.cmds {
				_ = c.Process.Kill()
			}
		}
	})
	return m
}

// Start starts a process, or queues it.
func (m *machine) Start(_ context.Context, s cluster.Spec) (cluster.Ref, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.silent != nil {
		return cluster.Ref{}, m.silent
	}
	ref := cluster.Ref{Name: s.Name, ID: s.Name}
	if p := m.jobs[s.Name]; p != nil {
		if p.spec.Digest != s.Digest {
			return ref, fault.New(fault.Conflict, "there is another job %s", s.Name)
		}
		return ref, nil
	}
	if s.Resources.Memory > 1<<40 {
		return ref, fault.New(fault.Invalid, "no node has so much memory")
	}
	p := &process{spec: s, seen: cluster.Seen{Phase: cluster.Queued, Reason: "Resources"}}
	m.jobs[s.Name] = p
	if m.hold {
		return ref, nil
	}
	return ref, m.begin(p)
}

// begin starts a process of a job; the last one's end is the job's.
func (m *machine) begin(p *process) error {
	cmd := exec.Command(p.spec.Command[0], p.spec.Command[1:]...)
	cmd.Env = os.Environ()
	for name, v := range p.spec.Env {
		cmd.Env = append(cmd.Env, name+"="+v)
	}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.cmds, p.seen = append(p.cmds, cmd), cluster.Seen{Phase: cluster.Running}
	go func() {
		err := cmd.Wait()
		m.mu.Lock()
		defer m.mu.Unlock()
		if p.cmds[len(p.cmds)-1] != cmd {
			return
		}
		p.seen = cluster.Seen{Phase: cluster.Done}
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			p.seen = cluster.Seen{Phase: cluster.Broken, Exit: e.ExitCode()}
			if w, ok := e.Sys().(syscall.WaitStatus); ok && w.Signaled() {
				p.seen.Exit = 128 + int(w.Signal())
			}
		}
		if p.stop {
			p.seen.Phase = cluster.Stopped
		}
	}()
	return nil
}

// Look is what the machine knows, or what the test has it say.
func (m *machine) Look(_ context.Context, refs []cluster.Ref) (map[string]cluster.Seen, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.silent != nil {
		return nil, m.silent
	}
	out := map[string]cluster.Seen{}
	for _, r := range refs {
		p := m.jobs[r.Name]
		if p == nil || m.hides[r.Name] {
			continue
		}
		out[r.Name] = p.seen
		if m.lies != nil {
			out[r.Name] = *m.lies
		}
	}
	return out, nil
}

// Stop tells the process to end.
func (m *machine) Stop(_ context.Context, r cluster.Ref) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.jobs[r.Name]; p != nil && m.silent == nil {
		p.stop = true
		for _, c := range p.cmds {
			_ = c.Process.Signal(syscall.SIGTERM)
		}
	}
	return m.silent
}

// Clean forgets.
func (m *machine) Clean(_ context.Context, r cluster.Ref) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.jobs, r.Name)
	return nil
}
