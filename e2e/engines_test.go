// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"flyball/e2e/engines"
	"flyball/job"
	"flyball/training/executor/slurm/slurmtest"
)

// folderOf is a folder with the bikes' data of 2011 and the example's model file, changed.
func folderOf(t *testing.T, changes ...[2]string) (model string) {
	t.Helper()
	past, _ := history(t)
	dir := t.TempDir()
	model = filepath.Join(dir, "model.yaml")
	for name, raw := range map[string][]byte{model: []byte(modelFile(t, changes...)), filepath.Join(dir, source): csvFile(past)} {
		if err := os.WriteFile(name, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return model
}

// on is the line that has the model trained elsewhere.
func on(executor string) [2]string {
	return [2]string{"  seed: 7\n", "  seed: 7\n  executor: " + executor + "\n"}
}

// engine is a real one whose pieces a test kills.
type engine struct {
	flags []string             // of the server
	knows string               // the variable of a program that names its machine
	lost  func(machine string) // what else becomes of a machine that died
	down  func()               // what decides ends, as by kill -9
	up    func()               // and starts again
	array array
}

// TestTheBikesTrainOnAnExecutorWithTheBitsOfTheServerItself compares the bundle that the
// server makes by itself with those of the local executor and of real clusters, whose pieces
// are killed while they train. What they made scores a table on the same cluster then.
func TestTheBikesTrainOnAnExecutorWithTheBitsOfTheServerItself(t *testing.T) {
	_, coming := history(t)
	t.Setenv("PATH", filepath.Dir(binary)+":"+os.Getenv("PATH")) // flyball is a command of all that is started here
	applied := func(t *testing.T, flags []string, changes ...[2]string) *server {
		t.Helper()
		s := start(t, t.TempDir(), flags...)
		command{args: "apply " + folderOf(t, changes...), says: "bike-demand applied"}.check(t, s.url)
		return s
	}
	bundle := func(t *testing.T, s *server) string {
		t.Helper()
		vs, err := s.Versions(t.Context(), bike)
		if err != nil || len(vs) != 1 {
			t.Fatalf("got %d versions, %v", len(vs), err)
		}
		return string(vs[0].Bundle)
	}
	itself := applied(t, nil)
	advance(t, itself, coming[0].at).wait()
	want := bundle(t, itself)
	local := applied(t, []string{"--executor", "local"}, on("local"))
	advance(t, local, coming[0].at).wait()
	if got := bundle(t, local); got != want {
		t.Errorf("the local executor made %s, the server %s", got, want)
	}
	for name, open := range map[string]func(t *testing.T) engine{"slurm": onSlurm, "kubernetes": onKubernetes, "ray": onRay} {
		t.Run(name, func(t *testing.T) {
			e := open(t)
			s := applied(t, e.flags, on(name))
			then := func(what string, test func(t *testing.T)) {
				if !t.Run(what, test) {
					t.FailNow()
				}
			}
			then("the machine of a training dies, and it is lost", func(t *testing.T) {
				e.losesAMachine(t, advance(t, s, coming[0].at))
				if js, err := s.Jobs(t.Context(), bike); err != nil || len(js) != 1 || js[0].State != job.Failed || !strings.Contains(js[0].Error, "is lost") {
					t.Fatalf("got %+v, %v; want one job that is lost", js, err)
				}
			})
			then("what decides dies while the next one runs, which makes the bits of the server", func(t *testing.T) {
				e.losesItsHead(t, advance(t, s, coming[0].at.Add(time.Hour))) // when the loop tries again
				if got := bundle(t, s); got != want {
					t.Errorf("%s made %s, the server %s", name, got, want)
				}
				command{args: "runs logs bike-demand@1", says: "trained 200 of 200"}.check(t, s.url)
			})
			then("an array scores a table while a task is killed, in the bits of online", func(t *testing.T) {
				e.array.scores(t, s, coming[:1200])
			})
		})
	}
}

// fitting is the program of a built-in learner on its node.
func fitting() string { return binary + "\x00fit\x00" }

// losesAMachine has the machine die that the training runs on.
func (e engine) losesAMachine(t *testing.T, training *way) {
	t.Helper()
	pid := catch(training.ended, syscall.SIGSTOP, fitting())
	if pid == 0 {
		training.wait()
		t.Fatal("the program was not seen")
	}
	line, machine := above(pid, e.knows)
	for _, one := range slices.Backward(line) {
		_ = syscall.Kill(one, syscall.SIGKILL) // some end with those above them
	}
	e.lost(machine)
	training.wait()
}

// losesItsHead has what decides die while the training runs, for as long as its program
// takes to end.
func (e engine) losesItsHead(t *testing.T, training *way) {
	t.Helper()
	pid := catch(training.ended, syscall.SIGSTOP, fitting())
	line, _ := above(pid, "")
	e.down()
	if len(line) < 2 || syscall.Kill(pid, syscall.SIGCONT) != nil {
		t.Fatalf("the program was not seen, or is gone: %v", line)
	}
	waitFor(t, "what tells the server how the program ended", func() bool { return syscall.Kill(line[1], 0) != nil })
	e.up()
	training.wait()
}

// way is a server's clock on its way to a time, while the loop does what is due.
type way struct {
	t     *testing.T
	ended chan struct{}
	err   error
}

func advance(t *testing.T, s *server, to time.Time) *way {
	w := &way{t: t, ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		w.err = s.Advance(t.Context(), to)
	}()
	return w
}

func (w *way) wait() {
	w.t.Helper()
	if <-w.ended; w.err != nil {
		w.t.Fatal(w.err)
	}
}

func onSlurm(t *testing.T) engine {
	c := slurmtest.Start(t)
	return engine{
		flags: []string{"--executor", "slurm"}, knows: "SLURMD_NODENAME",
		lost: func(machine string) { // Slurm's own check sees it after half a minute
			node := map[string]string{"n1": slurmtest.Node1, "n2": slurmtest.Node2}[machine]
			c.Kill(t, node)
			types(t, "scontrol update nodename="+machine+" state=down reason='no heartbeat'", nil)
			c.Again(t, node)
		},
		down:  func() { c.Kill(t, slurmtest.Controller) },
		up:    func() { c.Again(t, slurmtest.Controller) },
		array: slurmArray(),
	}
}

func onKubernetes(t *testing.T) engine {
	engines.Want(t, "kubernetes")
	k := engines.StartKubernetes(t)
	deciding := []*engines.Part{k.API, k.Controllers, k.Scheduler}
	return engine{
		flags: []string{"--executors", executorsFile(t, "kubernetes: {kubeconfig: "+k.Kubeconfig+", image: none, binary: "+binary+"}\n")}, knows: "NODE_NAME",
		lost: func(machine string) { k.Do(http.MethodDelete, "/api/v1/nodes/"+machine, "") }, // as a cloud does with one that is gone
		down: func() {
			for _, p := range deciding {
				p.Kill()
			}
		},
		up: func() {
			for _, p := range deciding {
				p.Start()
			}
			k.Ready()
		},
		array: kubernetesArray(k),
	}
}

func onRay(t *testing.T) engine {
	engines.Want(t, "ray")
	r := engines.StartRay(t)
	return engine{
		flags: []string{"--executors", executorsFile(t, "ray: {url: \""+r.URL+"\", token_file: "+r.Token+"}\n")},
		lost:  func(string) { r.Again() },
		down:  func() { r.KillGCS() },
		up:    r.Again,
		array: rayArray(r),
	}
}

// executorsFile is a file for --executors.
func executorsFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "executors.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
