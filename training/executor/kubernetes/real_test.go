// SPDX-License-Identifier: Apache-2.0

package kubernetes_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"flyball/e2e/engines"
	"flyball/fault"
	"flyball/training/executor/cluster"
	"flyball/training/executor/cluster/clustertest"
	"flyball/training/executor/kubernetes"
	"flyball/unit"
)

func TestMain(m *testing.M) { clustertest.Main(m) }

func open(t *testing.T, o kubernetes.Options) *kubernetes.Engine {
	t.Helper()
	if o.Image == "" {
		o.Image = "flyball"
	}
	e, err := kubernetes.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestTheContractOfExecutorsOnKubernetes(t *testing.T) {
	engines.Want(t, "kubernetes")
	k := engines.StartKubernetes(t)
	clustertest.New(t, "kubernetes", open(t, kubernetes.Options{Kubeconfig: k.Kubeconfig})).Run(t)
}

// want is what became of the jobs of testdata, which TestWhatBecomesOfAJob asks for and,
// with FLYBALL_RECORD set, keeps as the cluster tells of them.
func want() map[string]cluster.Seen {
	return map[string]cluster.Seen{
		"ended":    {Phase: cluster.Done},
		"five":     {Phase: cluster.Broken, Exit: 5, Reason: "Error"},
		"killed":   {Phase: cluster.Broken, Exit: 137, Reason: "Error"},
		"nowhere":  {Phase: cluster.Broken, Exit: 128, Reason: "StartError: fork/exec /no/such/program: no such file or directory"},
		"late":     {Phase: cluster.Over, Reason: "DeadlineExceeded: Job was active longer than specified deadline"},
		"deleted":  {Phase: cluster.Gone, Reason: "BackoffLimitExceeded: Job has reached the specified backoff limit; its pod is gone"},
		"evicted":  {Phase: cluster.Gone, Reason: "PodFailurePolicy: Pod default/POD has condition DisruptionTarget matching FailJob rule at index 0"},
		"nodeless": {Phase: cluster.Gone, Reason: "PodFailurePolicy: Pod default/POD has condition DisruptionTarget matching FailJob rule at index 0"},
		"runs":     {Phase: cluster.Running},
		"held":     {Phase: cluster.Queued, Reason: "JobSuspended: Job suspended"},
		"waits":    {Phase: cluster.Queued, Reason: "Unschedulable: … Insufficient nvidia.com/gpu …"},
		"array":    {Phase: cluster.Done},
	}
}

// alike leaves out the names of pods, which nobody knows before, and what a scheduler says
// of nodes besides.
func alike(all map[string]cluster.Seen) map[string]cluster.Seen {
	for name, s := range all {
		if _, rest, ok := strings.Cut(s.Reason, "Pod default/"+name+"-"); ok {
			_, rest, _ = strings.Cut(rest, " ")
			s.Reason = "PodFailurePolicy: Pod default/POD " + rest
		}
		if strings.HasPrefix(s.Reason, "Unschedulable: ") && strings.Contains(s.Reason, " Insufficient nvidia.com/gpu") {
			s.Reason = "Unschedulable: … Insufficient nvidia.com/gpu …"
		}
		all[name] = s
	}
	return all
}

func TestWhatBecomesOfAJob(t *testing.T) {
	engines.Want(t, "kubernetes")
	k, dir := engines.StartKubernetes(t), t.TempDir()
	on := func(node string) *kubernetes.Engine {
		return open(t, kubernetes.Options{Kubeconfig: k.Kubeconfig, Nodes: map[string]string{"kubernetes.io/hostname": node}})
	}
	e := on("fake-0")
	var refs []cluster.Ref
	start := func(e *kubernetes.Engine, name, script string, change func(*cluster.Spec)) {
		t.Helper()
		s := cluster.Spec{Name: name, Digest: "d1", Command: []string{"/bin/sh", "-c", script}, Env: map[string]string{"SECRET": "hush", "DIR": dir}}
		if change != nil {
			change(&s)
		}
		ref, err := e.Start(t.Context(), s)
		if err != nil {
			t.Fatal(name, err)
		}
		again, err := e.Start(t.Context(), s)
		if err != nil || again != ref || ref.ID == "" {
			t.Errorf("%s: started again: got %v, %v, want %v", name, again, err, ref)
		}
		refs = append(refs, ref)
	}
	look := func() map[string]cluster.Seen {
		t.Helper()
		seen, err := e.Look(t.Context(), refs)
		if err != nil {
			t.Fatal(err)
		}
		return alike(seen)
	}
	until := func(what string, ok func(map[string]cluster.Seen) bool) {
		t.Helper()
		for end := time.Now().Add(2 * time.Minute); !ok(look()); time.Sleep(100 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("waited in vain for %s: %s", what, cmp.Diff(want(), look()))
			}
		}
	}
	const stay = `exec sleep 300`
	start(on("fake-1"), "nodeless", stay, nil)
	for _, name := range []string{"runs", "deleted", "evicted"} {
		start(e, name, stay, nil)
	}
	start(e, "late", stay, func(s *cluster.Spec) { s.Time = unit.Duration(time.Second) })
	start(e, "ended", `test "${#SECRET}" = 4`, nil)
	start(e, "five", "exit 5", nil)
	start(e, "killed", "kill -9 $$", nil)
	start(e, "nowhere", "", func(s *cluster.Spec) { s.Command = []string{"/no/such/program"} })
	start(e, "held", "true", func(s *cluster.Spec) { s.Resources.Queue = "gpus" })
	start(e, "waits", "true", func(s *cluster.Spec) { s.Resources.GPUs = 2 })
	start(e, "array", `echo "$FLYBALL_TASK" >>"$DIR/$FLYBALL_TASK"`, func(s *cluster.Spec) { s.Resources.Tasks, s.Resources.CPUs = 5, 1 })

	until("jobs that run", func(m map[string]cluster.Seen) bool {
		for _, name := range []string{"nodeless", "runs", "deleted", "evicted"} {
			if m[name].Phase != cluster.Running {
				return false
			}
		}
		return true
	})
	for name, path := range map[string]string{"deleted": "", "evicted": "/eviction"} {
		pod := podOf(t, k, name)
		if path == "" {
			k.Do(http.MethodDelete, "/api/v1/namespaces/default/pods/"+pod, "")
			continue
		}
		k.Do(http.MethodPost, "/api/v1/namespaces/default/pods/"+pod+path, `{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"`+pod+`"}}`)
	}
	k.Nodes[1].Kill()
	k.Do(http.MethodDelete, "/api/v1/nodes/fake-1", "") // as a cloud does with a machine that is gone
	until("all to have ended", func(m map[string]cluster.Seen) bool {
		return m["nodeless"].Phase == cluster.Gone && m["array"].Phase == cluster.Done && m["late"].Phase == cluster.Over && m["deleted"].Phase == cluster.Gone && m["evicted"].Phase == cluster.Gone
	})
	if d := cmp.Diff(want(), look()); d != "" {
		t.Error(d)
	}
	for i := range 5 {
		if got, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(i))); string(got) != fmt.Sprintln(i) || err != nil {
			t.Errorf("task %d: got %q, %v", i, got, err)
		}
	}
	if spec := k.Do(http.MethodGet, "/apis/batch/v1/namespaces/default/jobs", ""); bytes.Contains(spec, []byte("hush")) {
		t.Error("a job's description shows its variables")
	}
	if os.Getenv("FLYBALL_RECORD") != "" {
		for _, path := range []string{"/apis/batch/v1/namespaces/default/jobs", "/api/v1/namespaces/default/pods"} {
			keep(t, filepath.Base(path)+".json", k.Do(http.MethodGet, path, ""))
		}
	}

	k.Do(http.MethodPatch, "/apis/batch/v1/namespaces/default/jobs/held", `{"spec":{"suspend":false}}`) // as Kueue does
	until("the held job", func(m map[string]cluster.Seen) bool { return m["held"].Phase == cluster.Done })
	other := cluster.Spec{Name: "ended", Digest: "d2", Command: []string{"true"}}
	if _, err := e.Start(t.Context(), other); !fault.Is(err, fault.Conflict) {
		t.Errorf("another job of the name: got %v", err)
	}
	for _, r := range append(refs, cluster.Ref{Name: "unknown", ID: "x"}) {
		if err := e.Stop(t.Context(), r); err != nil {
			t.Error(err)
		}
	}
	until("all to be forgotten, secrets too", func(m map[string]cluster.Seen) bool {
		return len(m) == 0 && !bytes.Contains(k.Do(http.MethodGet, "/api/v1/namespaces/default/secrets", ""), []byte("flyball"))
	})
}

// podOf is the name of a job's pod.
func podOf(t *testing.T, k *engines.Kubernetes, job string) string {
	t.Helper()
	var pods struct {
		Items []struct{ Metadata struct{ Name string } }
	}
	raw := k.Do(http.MethodGet, "/api/v1/namespaces/default/pods?labelSelector=batch.kubernetes.io/job-name="+job, "")
	if err := json.Unmarshal(raw, &pods); err != nil || len(pods.Items) != 1 {
		t.Fatalf("%s has %d pods, %v", job, len(pods.Items), err)
	}
	return pods.Items[0].Metadata.Name
}

// keep writes what a test recorded, without what Kubernetes notes of who set which field.
func keep(t *testing.T, name string, raw []byte) {
	t.Helper()
	var all map[string]any
	err := json.Unmarshal(raw, &all)
	items, _ := all["items"].([]any)
	for _, o := range items {
		delete(o.(map[string]any)["metadata"].(map[string]any), "managedFields")
	}
	if err == nil {
		raw, err = json.MarshalIndent(all, "", " ")
	}
	if err == nil {
		err = os.WriteFile(filepath.Join("testdata", name), append(raw, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
