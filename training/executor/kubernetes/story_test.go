// SPDX-License-Identifier: Apache-2.0

package kubernetes_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"flyball/e2e/engines"
	"flyball/training/executor"
	"flyball/training/executor/cluster"
	"flyball/training/executor/cluster/clustertest"
	"flyball/training/executor/kubernetes"
)

// story is one executor over a real cluster, and the jobs of one test.
type story struct {
	*cluster.Executor
	t   *testing.T
	k   *engines.Kubernetes
	dir string
}

// submit starts a job that says who it is and its parent, which is flyball on the node,
// and goes on until it is let go.
func (s story) submit() executor.Handle {
	s.t.Helper()
	h, err := s.Submit(s.t.Context(), executor.Job{
		Key: s.t.Name(), Command: []string{
			"/bin/sh", "-c",
			`echo $PPID >"$SEEN/pid"; while ! test -e "$SEEN/go"; do sleep 0.1; done; echo fine >"$OUT/model"`,
		},
		Env: map[string]string{"OUT": "{out}", "SEEN": s.dir},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return h
}

// node is the process of flyball on the node of a job, once it is there.
func (s story) node() (pid int) {
	s.t.Helper()
	s.until("the job to run", func() bool {
		raw, _ := os.ReadFile(filepath.Join(s.dir, "pid"))
		pid, _ = strconv.Atoi(strings.TrimSpace(string(raw)))
		return pid > 1
	})
	return pid
}

func (s story) letGo() {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, "go"), nil, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// ends waits for the end of a job, which must be the state.
func (s story) ends(h executor.Handle, want executor.State) {
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
	if got.State != want || (got.Manifest != nil) != (want == executor.Succeeded) {
		s.t.Errorf("got %+v, want it %s", got, want)
	}
}

func (s story) until(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("waited in vain for %s", what)
		}
	}
}

func (s story) suspend(h executor.Handle, yes string) {
	s.t.Helper()
	s.k.Do(http.MethodPatch, "/apis/batch/v1/namespaces/default/jobs/"+string(h), `{"spec":{"suspend":`+yes+`}}`)
}

func TestAJobOutlivesThePiecesOfKubernetesAndIsLostWithItsOwn(t *testing.T) {
	engines.Want(t, "kubernetes")
	k := engines.StartKubernetes(t)
	e := clustertest.New(t, "kubernetes", open(t, kubernetes.Options{Kubeconfig: k.Kubeconfig})).Open(t)
	begin := func(t *testing.T) story { return story{Executor: e, t: t, k: k, dir: t.TempDir()} }

	t.Run("it ends while the API server is away", func(t *testing.T) {
		s := begin(t)
		h := s.submit()
		s.node()
		k.API.Kill()
		if _, err := s.Submit(t.Context(), executor.Job{Key: t.Name() + "b", Command: []string{"/bin/true"}}); err == nil {
			t.Error("a job was taken by an API server that is away")
		}
		s.letGo()
		s.ends(h, executor.Succeeded)
		k.API.Start()
		k.Ready()
	})
	t.Run("it begins when the controllers are back", func(t *testing.T) {
		s := begin(t)
		k.Controllers.Kill()
		h := s.submit()
		k.Controllers.Start()
		s.node()
		s.letGo()
		s.ends(h, executor.Succeeded)
	})
	t.Run("flyball is killed on its node", func(t *testing.T) {
		s := begin(t)
		h := s.submit()
		if err := syscall.Kill(s.node(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		s.ends(h, executor.Lost)
	})
	t.Run("its pod is deleted", func(t *testing.T) {
		s := begin(t)
		h := s.submit()
		s.node()
		k.Do(http.MethodDelete, "/api/v1/namespaces/default/pods/"+podOf(t, k, string(h)), "")
		s.ends(h, executor.Lost)
	})
	t.Run("it is preempted and begun again", func(t *testing.T) {
		s := begin(t)
		h := s.submit()
		first := s.node()
		s.suspend(h, "true")
		s.until("the first pod to go", func() bool { return syscall.Kill(first, 0) != nil })
		s.suspend(h, "false")
		s.letGo() // the second pod would succeed, and may not
		s.ends(h, executor.Lost)
	})
	t.Run("it is preempted for good", func(t *testing.T) {
		s := begin(t)
		h := s.submit()
		s.node()
		s.suspend(h, "true")
		s.ends(h, executor.Lost)
	})
	t.Run("somebody deletes its job", func(t *testing.T) {
		s := begin(t)
		h := s.submit()
		s.node()
		k.Do(http.MethodDelete, "/apis/batch/v1/namespaces/default/jobs/"+string(h)+"?propagationPolicy=Background", "")
		s.ends(h, executor.Lost)
	})
	t.Run("its node dies", func(t *testing.T) {
		s := begin(t)
		h := s.submit()
		pid := s.node()
		for _, n := range k.Nodes {
			n.Kill()
		}
		_ = syscall.Kill(-pid, syscall.SIGKILL)
		s.ends(h, executor.Lost)
	})
}
