// SPDX-License-Identifier: Apache-2.0

package kubernetes_test

import (
	"encoding/json"
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

	limits executor.Limits
}

// submit starts a job that says who it is and its parent, which is flyball on the node,
// and goes on until it is let go.
func (s story) submit() executor.Handle {
	s.t.Helper()
	h, err := s.Submit(s.t.Context(), executor.Job{
		Key: s.t.Name() + filepath.Base(s.dir), Limits: s.limits, Command: []string{
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

// waits waits until a job that waits says why, in words that have these.
func (s story) waits(h executor.Handle, words string) {
	s.t.Helper()
	var got executor.Status
	s.until("the job to say why it waits", func() bool {
		var err error
		if got, err = s.Poll(s.t.Context(), h); err != nil || got.State != executor.Pending {
			s.t.Fatalf("got %+v, %v", got, err)
		}
		return strings.Contains(got.Reason, words)
	})
	s.t.Logf("%s: %s", got.State, got.Reason)
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

// active lets Kueue run a job, or has it taken away.
func (s story) active(h executor.Handle, yes string) {
	s.t.Helper()
	const path = "/apis/kueue.x-k8s.io/v1beta2/namespaces/default/workloads"
	var all struct {
		Items []struct {
			Metadata struct {
				Name            string
				OwnerReferences []struct{ Name string }
			}
		}
	}
	if err := json.Unmarshal(s.k.Do(http.MethodGet, path, ""), &all); err != nil {
		s.t.Fatal(err)
	}
	for _, w := range all.Items {
		if w.Metadata.OwnerReferences[0].Name == string(h) {
			s.k.Do(http.MethodPatch, path+"/"+w.Metadata.Name, `{"spec":{"active":`+yes+`}}`)
			return
		}
	}
	s.t.Fatalf("Kueue knows no job %s", h)
}

func TestAJobBeginsWhenKueueHasRoomAndIsLostWhenItIsTakenAway(t *testing.T) {
	engines.Want(t, "kubernetes")
	k := engines.StartKubernetes(t)
	k.StartKueue(t, "models")
	e := clustertest.New(t, "kubernetes", open(t, kubernetes.Options{Kubeconfig: k.Kubeconfig})).Open(t)
	begin := func(cpus int, queue string) (story, executor.Handle) {
		s := story{Executor: e, t: t, k: k, dir: t.TempDir(), limits: executor.Limits{CPUs: cpus, Queue: queue}}
		return s, s.submit()
	}

	first, one := begin(2, "models")
	first.node()
	second, two := begin(1, "models")
	second.waits(two, "insufficient unused quota for cpu in flavor any, 1 more needed")
	nowhere, three := begin(1, "nowhere")
	nowhere.waits(three, "LocalQueue nowhere doesn't exist")

	first.letGo()
	first.ends(one, executor.Succeeded)
	second.node()
	second.active(two, "false")
	second.ends(two, executor.Lost)

	again, four := begin(2, "models")
	pid := again.node()
	again.active(four, "false")
	again.until("the first pod to go", func() bool { return syscall.Kill(pid, 0) != nil })
	again.active(four, "true")
	again.letGo() // the second pod would succeed, and may not
	again.ends(four, executor.Lost)
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
