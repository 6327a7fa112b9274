// SPDX-License-Identifier: Apache-2.0

package slurm_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"flyball/training/executor"
	"flyball/training/executor/cluster"
	"flyball/training/executor/cluster/clustertest"
	"flyball/training/executor/slurm"
	"flyball/training/executor/slurm/slurmtest"
)

// story is a job on a real Slurm, and a folder in which it and the test tell each other.
type story struct {
	*testing.T
	server *clustertest.Server
	e      *cluster.Executor
	dir    string
}

func tell(t *testing.T) story {
	t.Helper()
	s := story{T: t, server: clustertest.New(t, "slurm", slurm.New(slurm.Options{})), dir: t.TempDir()}
	s.e = s.server.Open(t)
	return s
}

// slow is a program that says that it began, and goes on until the test lets it.
const slow = `echo ran >> "$SEEN/ran"; while [ ! -e "$SEEN/go" ]; do sleep 0.02; done; echo x > "$OUT/x"`

func (s story) submit(script string) executor.Handle {
	s.Helper()
	h, err := s.e.Submit(s.Context(), executor.Job{Key: s.Name() + script, Command: []string{"/bin/sh", "-c", script}, Env: map[string]string{"OUT": "{out}", "SEEN": s.dir}})
	if err != nil {
		s.Fatal(err)
	}
	return h
}

// begun submits the slow program and waits until it runs.
func (s story) begun() executor.Handle {
	s.Helper()
	h := s.submit(slow)
	s.until("the program to begin", func() bool { _, err := os.Stat(filepath.Join(s.dir, "ran")); return err == nil })
	return h
}

func (s story) letGo() {
	s.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, "go"), nil, 0o600); err != nil {
		s.Fatal(err)
	}
}

func (s story) until(what string, ok func() bool) {
	s.Helper()
	for end := time.Now().Add(90 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			s.Fatalf("waited in vain for %s", what)
		}
	}
}

func (s story) wait(h executor.Handle) (got executor.Status) {
	s.Helper()
	s.until("the end", func() bool {
		var err error
		if got, err = s.e.Poll(s.Context(), h); err != nil {
			s.Fatal(err)
		}
		return got.State.Final()
	})
	return got
}

// once fails the test unless the program began exactly once.
func (s story) once() {
	s.Helper()
	if raw, err := os.ReadFile(filepath.Join(s.dir, "ran")); err != nil || string(raw) != "ran\n" {
		s.Errorf("it ran %q, %v", raw, err)
	}
}

// slurm runs one of Slurm's programs.
func (s story) slurm(args ...string) string {
	s.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		s.Fatalf("%v: %v: %s", args, err, out)
	}
	return string(out)
}

// id is Slurm's number of the job.
func (s story) id(h executor.Handle) string {
	s.Helper()
	return strings.TrimSpace(s.slurm("squeue", "-h", "-t", "all", "-n", string(h), "-o", "%A"))
}

// processes are those whose environment has the word, with the program's name in front.
func (s story) processes(program, word string) (out []int) {
	s.Helper()
	names, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		s.Fatal(err)
	}
	for _, name := range names {
		exe, err := os.ReadFile(filepath.Join(name, "cmdline"))
		if err != nil || !bytes.Contains(exe, []byte(program)) {
			continue
		}
		env, err := os.ReadFile(filepath.Join(name, "environ"))
		if err != nil || !bytes.Contains(append(exe, env...), []byte(word)) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(name)); err == nil {
			out = append(out, pid)
		}
	}
	return out
}

func (s story) kill(pids []int) {
	s.Helper()
	if len(pids) != 1 {
		s.Fatalf("there are %d processes to kill, not one", len(pids))
	}
	if err := syscall.Kill(pids[0], syscall.SIGKILL); err != nil {
		s.Fatal(err)
	}
}

func TestWhatBefallsAJob(t *testing.T) {
	slurmtest.Start(t)
	for name, test := range map[string]func(t *testing.T, s story){
		"its supervisor is killed, and it is lost":                         supervisorKilled,
		"slurmstepd is killed, and what it commits counts":                 stepdKilled,
		"somebody ends it by scancel, and it is canceled":                  ended,
		"its server is started anew, and finds it":                         restarted,
		"a queue that there is none of is refused, and leaves no job":      refused,
		"the token stands in no command line and nothing Slurm shows":      secret,
		"Slurm's own limit ends it where ours does not, and it has failed": limited,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, tell(t))
		})
	}
}

func supervisorKilled(t *testing.T, s story) {
	h := s.begun()
	s.kill(s.processes(cluster.Verb, "SLURM_JOB_ID="+s.id(h)))
	if got := s.wait(h); got.State != executor.Lost || !strings.Contains(got.Reason, "supervisor") {
		t.Errorf("got %+v", got)
	}
	s.once()
}

func stepdKilled(t *testing.T, s story) {
	h := s.begun()
	s.kill(s.processes("slurmstepd: ["+s.id(h)+".batch]", ""))
	time.Sleep(2 * time.Second) // Slurm sees nothing of it for a minute; its node tells on
	if got, err := s.e.Poll(t.Context(), h); err != nil || got.State != executor.Running {
		t.Errorf("got %+v, %v", got, err)
	}
	s.letGo()
	if got := s.wait(h); got.State != executor.Succeeded {
		t.Errorf("got %+v", got)
	}
	s.once()
}

func ended(t *testing.T, s story) {
	h := s.begun()
	s.slurm("scancel", s.id(h))
	if got := s.wait(h); got.State != executor.Canceled || !strings.Contains(got.Reason, "ended at the engine") {
		t.Errorf("got %+v", got)
	}
}

func restarted(t *testing.T, s story) {
	h := s.begun()
	s.server.Away()
	s.letGo()
	time.Sleep(time.Second)
	s.e = s.server.Open(t)
	if again := s.submit(slow); again != h {
		t.Errorf("got %s, want %s", again, h)
	}
	if got := s.wait(h); got.State != executor.Succeeded {
		t.Errorf("got %+v", got)
	}
	s.once()
}

func refused(t *testing.T, s story) {
	j := executor.Job{Key: t.Name(), Command: []string{"true"}, Limits: executor.Limits{Queue: "no-such-partition"}}
	if _, err := s.e.Submit(t.Context(), j); err == nil || !strings.Contains(err.Error(), "artition") {
		t.Errorf("got %v", err)
	}
	j.Limits.Queue = "main"
	h, err := s.e.Submit(t.Context(), j) // its key is free
	if err != nil {
		t.Fatal(err)
	}
	if got := s.wait(h); got.State != executor.Failed || !strings.Contains(got.Reason, "left nothing") {
		t.Errorf("got %+v", got)
	}
}

func secret(t *testing.T, s story) {
	h := s.begun()
	var token string
	for _, pid := range s.processes(cluster.Verb, "SLURM_JOB_ID="+s.id(h)) {
		raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(raw), cluster.TokenVariable+"=")
		token, _, _ = strings.Cut(rest, "\x00")
	}
	if token == "" {
		t.Fatal("the node has no token")
	}
	shown := s.slurm("scontrol", "show", "job", "-d", "-o", s.id(h)) + s.slurm("squeue", "-t", "all", "-O", "All") + s.slurm("ps", "-eo", "args")
	if strings.Contains(shown, token) {
		t.Error("the token is shown")
	}
	s.letGo()
	s.wait(h)
}

// limited has Slurm end the job at its own limit, a minute, by an option of the server.
func limited(t *testing.T, s story) {
	if os.Getenv("FLYBALL_ENGINES") == "" {
		t.Skip("it waits for a minute; FLYBALL_ENGINES=1 runs it")
	}
	s.server.Engine = slurm.New(slurm.Options{More: []string{"--time=1"}})
	s.e = s.server.Open(t)
	h := s.submit(`sleep 600`)
	if got := s.wait(h); got.State != executor.Failed || !strings.Contains(got.Reason, "limit") {
		t.Errorf("got %+v", got)
	}
}

// TestAControllerThatForgetsAJobGivesItsNumberAgain kills slurmctld before it has written
// the job down. The number of the next job is the same then.
func TestAControllerThatForgetsAJobGivesItsNumberAgain(t *testing.T) {
	c := slurmtest.Start(t)
	s := tell(t)
	first := s.submit(`sleep 600; echo x > "$OUT/x"`)
	c.Kill(t, slurmtest.Controller)
	c.Again(t, slurmtest.Controller)
	s.until("the controller to answer", func() bool { return exec.Command("scontrol", "ping").Run() == nil })
	second := s.submit(`echo x > "$OUT/x"`)
	if got := s.wait(second); got.State != executor.Succeeded {
		t.Errorf("the second: got %+v", got)
	}
	forgotten := s.id(first) == ""
	got, err := s.e.Poll(t.Context(), first)
	if forgotten {
		got = s.wait(first)
	}
	if err != nil || forgotten && got.State != executor.Lost || !forgotten && got.State.Final() {
		t.Errorf("the first, forgotten %v: got %+v, %v", forgotten, got, err)
	}
	if !forgotten {
		if err := s.e.Cancel(t.Context(), first); err != nil {
			t.Error(err)
		}
	}
}

// TestNodesThatVanishFromSlurmGoOn kills both slurmd: Slurm gives the job up after half a
// minute, and its program lives and commits.
func TestNodesThatVanishFromSlurmGoOn(t *testing.T) {
	if os.Getenv("FLYBALL_ENGINES") == "" {
		t.Skip("it waits until Slurm misses its nodes; FLYBALL_ENGINES=1 runs it")
	}
	c := slurmtest.Start(t)
	s := tell(t)
	h := s.begun()
	c.Kill(t, slurmtest.Node1)
	c.Kill(t, slurmtest.Node2)
	s.until("Slurm to miss its nodes", func() bool {
		got, err := s.e.Poll(t.Context(), h)
		if err != nil || got.State != executor.Running {
			t.Fatalf("got %+v, %v", got, err)
		}
		return strings.Contains(s.slurm("squeue", "-h", "-t", "all", "-n", string(h), "-o", "%T"), "NODE_FAIL")
	})
	s.letGo()
	if got := s.wait(h); got.State != executor.Succeeded {
		t.Errorf("got %+v", got)
	}
	s.once()
}
