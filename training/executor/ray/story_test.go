// SPDX-License-Identifier: Apache-2.0

package ray_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"flyball/e2e/engines"
	"flyball/fault"
	"flyball/training/executor"
	"flyball/training/executor/cluster"
	"flyball/training/executor/cluster/clustertest"
	"flyball/training/executor/ray"
)

func TestMain(m *testing.M) { clustertest.Main(m) }

func open(t *testing.T, r *engines.Ray) *ray.Engine {
	t.Helper()
	e, err := ray.New(ray.Options{URL: r.URL, TokenFile: r.Token, Python: r.Python})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// story is one executor over a real head, and the jobs of one test.
type story struct {
	*cluster.Executor
	t   *testing.T
	dir string
}

// submit starts a job that says who its parent is, which is flyball on the node, and goes
// on until it is let go.
func (s story) submit(cpus int) executor.Handle {
	s.t.Helper()
	h, err := s.Submit(s.t.Context(), executor.Job{
		Key: s.t.Name(), Command: []string{
			"/bin/sh", "-c",
			`echo $PPID >"$SEEN/pid"; while ! test -e "$SEEN/go"; do sleep 0.1; done; echo fine >"$OUT/model"`,
		},
		Env: map[string]string{"OUT": "{out}", "SEEN": s.dir}, Limits: executor.Limits{CPUs: cpus},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return h
}

// node is the process of flyball on the node, once it is there.
func (s story) node() (pid int) {
	s.t.Helper()
	s.until("the job to run", func() bool {
		raw, _ := os.ReadFile(filepath.Join(s.dir, "pid"))
		pid, _ = strconv.Atoi(strings.TrimSpace(string(raw)))
		return pid > 1
	})
	return pid
}

// ends waits for the end of a job, which must be one of the states.
func (s story) ends(h executor.Handle, want ...executor.State) {
	s.t.Helper()
	var got executor.Status
	s.until("the job to end", func() bool {
		var err error
		if got, err = s.Poll(s.t.Context(), h); err != nil {
			s.t.Fatal(err)
		}
		return got.State.Final()
	})
	s.t.Logf("%s: %s", got.State, got.Reason)
	if !slices.Contains(want, got.State) || (got.Manifest != nil) != (got.State == executor.Succeeded) {
		s.t.Errorf("got %+v, want it %s", got, want)
	}
}

func (s story) until(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(90 * time.Second); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// TestAJobOutlivesTheHeadOfRayAndIsLostWithItsOwnPieces holds the executor to its contract
// first, on the one head of this test: to start one takes as long as ten jobs.
func TestAJobOutlivesTheHeadOfRayAndIsLostWithItsOwnPieces(t *testing.T) {
	engines.Want(t, "ray")
	r := engines.StartRay(t)
	engine := open(t, r)
	server := clustertest.New(t, "ray", engine)
	t.Run("the contract of executors", server.Run)
	e := server.Open(t)
	begin := func(t *testing.T) story { return story{Executor: e, t: t, dir: t.TempDir()} }

	t.Run("flyball is killed on its node", func(t *testing.T) {
		s := begin(t)
		h := s.submit(1)
		if err := syscall.Kill(s.node(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		s.ends(h, executor.Lost)
	})
	t.Run("its supervisor of Ray is killed", func(t *testing.T) {
		s := begin(t)
		h := s.submit(1)
		s.node()
		if n := r.Kill("ray::JobSupervisor"); n != 1 {
			t.Fatalf("killed %d supervisors", n)
		}
		s.ends(h, executor.Lost)
	})
	t.Run("it is stopped by hand at Ray", func(t *testing.T) {
		s := begin(t)
		h := s.submit(1)
		s.node()
		r.Do(http.MethodPost, "/api/jobs/"+string(h)+"/stop", "")
		// Ray tells each process of the job to end: the program may be the first to.
		s.ends(h, executor.Canceled, executor.Failed)
	})
	t.Run("it is canceled while it waits, which Ray does not grant", func(t *testing.T) {
		s := begin(t)
		h := s.submit(100)
		if err := s.Cancel(t.Context(), h); err != nil {
			t.Error(err)
		}
		s.ends(h, executor.Canceled)
		if got := r.Do(http.MethodGet, "/api/jobs/"+string(h), ""); !strings.Contains(got, `"PENDING"`) {
			t.Logf("Ray has learned it: %s", got)
		}
	})
	t.Run("its variables are not shown", func(t *testing.T) {
		s := begin(t)
		h := s.submit(1)
		s.node()
		if got := r.Do(http.MethodGet, "/api/jobs/"+string(h), ""); strings.Contains(got, "TOKEN") || !strings.Contains(got, "working_dir") {
			t.Errorf("got %s", got)
		}
		if err := os.WriteFile(filepath.Join(s.dir, "go"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		s.ends(h, executor.Succeeded)
	})
	t.Run("an array is spread over tasks", func(t *testing.T) {
		s := begin(t)
		spec := cluster.Spec{
			Name: "array", Digest: "d1", Command: []string{"/bin/sh", "-c", `echo "$FLYBALL_TASK" >"$SEEN/$FLYBALL_TASK"; test "$FLYBALL_TASK" != 3 || exit 7`},
			Env: map[string]string{"SEEN": s.dir}, Resources: cluster.Resources{Tasks: 6, CPUs: 1},
		}
		ref, err := engine.Start(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		var seen cluster.Seen
		s.until("the array to end", func() bool {
			all, err := engine.Look(t.Context(), []cluster.Ref{ref})
			if err != nil {
				t.Fatal(err)
			}
			seen = all[ref.Name]
			return seen.Phase == cluster.Done || seen.Phase == cluster.Broken
		})
		if seen.Phase != cluster.Broken || seen.Exit != 7 {
			t.Errorf("got %+v, want the exit code of its task 3", seen)
		}
		for i := range 6 {
			if got, err := os.ReadFile(filepath.Join(s.dir, fmt.Sprint(i))); string(got) != fmt.Sprintln(i) || err != nil {
				t.Errorf("task %d: got %q, %v", i, got, err)
			}
		}
	})
	t.Run("the head dies, and the job ends well", func(t *testing.T) {
		s := begin(t)
		h := s.submit(1)
		s.node()
		if n := r.KillGCS(); n != 1 {
			t.Fatalf("killed %d", n)
		}
		began := time.Now()
		if _, err := engine.Look(t.Context(), []cluster.Ref{{Name: string(h)}}); !fault.Is(err, fault.Unavailable) || time.Since(began) > 11*time.Second {
			t.Errorf("got %v after %v, want unavailable in ten seconds", err, time.Since(began))
		}
		if err := os.WriteFile(filepath.Join(s.dir, "go"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		s.ends(h, executor.Succeeded)
	})
}
