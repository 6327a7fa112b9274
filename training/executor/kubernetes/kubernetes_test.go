// SPDX-License-Identifier: Apache-2.0

package kubernetes_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"flyball/fault"
	"flyball/training/executor/cluster"
	"flyball/training/executor/kubernetes"
	"flyball/unit"
)

// api answers as the API of Kubernetes 1.37 did, from testdata, to who has the token.
type api struct {
	config string // a kubeconfig of it
	calls  []string
	posted map[string]map[string]any // by kind
	says   func(w http.ResponseWriter, r *http.Request) bool
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.calls = append(a.calls, r.Method+" "+r.URL.Path)
	if r.Header.Get("Authorization") != "Bearer ours" {
		a.refuse(w, http.StatusUnauthorized, "Unauthorized", "Unauthorized")
		return
	}
	if a.says != nil && a.says(w, r) {
		return
	}
	dir, name := filepath.Split(r.URL.Path)
	kind := filepath.Base(r.URL.Path)
	if strings.HasSuffix(dir, "/jobs/") {
		kind = "job"
	}
	switch {
	case r.Method == http.MethodPost:
		var o map[string]any
		_ = json.NewDecoder(r.Body).Decode(&o)
		name = o["metadata"].(map[string]any)["name"].(string)
		if a.job(name) != nil && kind == "jobs" {
			a.refuse(w, http.StatusConflict, "AlreadyExists", `jobs.batch "`+name+`" already exists`)
			return
		}
		a.posted[kind] = o
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"metadata":{"name":"`+name+`","uid":"u1"}}`)
	case kind == "job" && a.job(name) == nil:
		a.refuse(w, http.StatusNotFound, "NotFound", `jobs.batch "`+name+`" not found`)
	case kind == "job" && r.Method == http.MethodGet:
		_, _ = w.Write(a.job(name))
	case kind == "job":
		_, _ = io.WriteString(w, `{"kind":"Status","status":"Success"}`)
	default:
		raw, _ := os.ReadFile(filepath.Join("testdata", kind+".json"))
		_, _ = w.Write(raw)
	}
}

func (*api) refuse(w http.ResponseWriter, code int, reason, message string) {
	w.WriteHeader(code)
	raw, _ := json.Marshal(map[string]any{"kind": "Status", "status": "Failure", "message": message, "reason": reason, "code": code})
	_, _ = w.Write(raw)
}

func (*api) job(name string) json.RawMessage {
	raw, _ := os.ReadFile("testdata/jobs.json")
	var all struct{ Items []json.RawMessage }
	_ = json.Unmarshal(raw, &all)
	for _, j := range all.Items {
		var named struct{ Metadata struct{ Name string } }
		if _ = json.Unmarshal(j, &named); named.Metadata.Name == name {
			return j
		}
	}
	return nil
}

// recorded is an engine before an api.
func recorded(t *testing.T, o kubernetes.Options) (*kubernetes.Engine, *api) {
	t.Helper()
	a := &api{posted: map[string]map[string]any{}}
	s := httptest.NewServer(a)
	t.Cleanup(s.Close)
	o.Kubeconfig = filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(o.Kubeconfig, []byte(`{current-context: a, contexts: [{name: a, context: {cluster: a, user: a, namespace: models}}],
		clusters: [{name: a, cluster: {server: "`+s.URL+`"}}], users: [{name: a, user: {token: ours}}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	a.config = o.Kubeconfig
	return open(t, o), a
}

func TestWhatKubernetesSaysOfAJobIsAPhase(t *testing.T) {
	e, a := recorded(t, kubernetes.Options{})
	refs := []cluster.Ref{{Name: "unknown"}}
	for name := range want() {
		refs = append(refs, cluster.Ref{Name: name})
	}
	got, err := e.Look(t.Context(), refs)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want(), alike(got)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"GET /apis/batch/v1/namespaces/models/jobs", "GET /api/v1/namespaces/models/pods", "GET /apis/kueue.x-k8s.io/v1beta2/namespaces/models/workloads"}, a.calls); d != "" {
		t.Error(d)
	}
	got, err = e.Look(t.Context(), []cluster.Ref{{Name: "runs", ID: "of one before"}})
	if len(got) != 0 || err != nil {
		t.Errorf("another job of the name: got %v, %v", got, err)
	}
}

func TestAJobThatKueueHoldsSaysWhy(t *testing.T) {
	e, a := recorded(t, kubernetes.Options{})
	var held struct{ Metadata struct{ UID string } }
	if err := json.Unmarshal(a.job("held"), &held); err != nil {
		t.Fatal(err)
	}
	for answer, want := range map[string]string{
		`{"type":"QuotaReserved","status":"False","reason":"Inadmissible","message":"LocalQueue gpus doesn't exist"}`: "Inadmissible: LocalQueue gpus doesn't exist",
		`{"type":"QuotaReserved","status":"True","reason":"QuotaReserved"}`:                                           "JobSuspended: Job suspended",
		``:  "JobSuspended: Job suspended",
		`!`: "JobSuspended: Job suspended",
	} {
		a.says = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/workloads") {
				return false
			}
			if got, want := r.URL.Query().Get("labelSelector"), "kueue.x-k8s.io/job-uid in ("+held.Metadata.UID+")"; got != want {
				t.Errorf("asked for %s, want %s", got, want)
			}
			_, _ = io.WriteString(w, `{"items":[{"metadata":{"labels":{"kueue.x-k8s.io/job-uid":"`+held.Metadata.UID+`"}},"status":{"conditions":[`+answer+`]}}]}`)
			return true
		}
		got, err := e.Look(t.Context(), []cluster.Ref{{Name: "held"}})
		if want := (cluster.Seen{Phase: cluster.Queued, Reason: want}); err != nil || got["held"] != want {
			t.Errorf("%s: got %+v, %v, want %+v", answer, got["held"], err, want)
		}
	}
}

func TestAJobIsDescribedSoThatNothingRunsItAgain(t *testing.T) {
	e, a := recorded(t, kubernetes.Options{
		Image: "flyball:1", ServiceAccount: "trainer", PullSecrets: []string{"registry"}, Nodes: map[string]string{"pool": "gpu"},
		Tolerations: []kubernetes.Toleration{{Key: "gpu", Operator: "Exists"}}, Keep: unit.Duration(time.Hour),
	})
	ref, err := e.Start(t.Context(), cluster.Spec{
		Name: "new", Digest: "d9", Command: []string{"/flyball", "attempt"}, Env: map[string]string{"TOKEN": "hush"}, Time: unit.Duration(90*time.Second + 1),
		Resources: cluster.Resources{CPUs: 2, Memory: 1 << 30, GPUs: 1, Image: "trainer:2", Queue: "night", Tasks: 3},
	})
	if err != nil || ref != (cluster.Ref{Name: "new", ID: "u1"}) {
		t.Fatalf("got %v, %v", ref, err)
	}
	for kind, file := range map[string]string{"jobs": "job.golden.json", "secrets": "secret.golden.json"} {
		got, err := json.MarshalIndent(a.posted[kind], "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if os.Getenv("FLYBALL_RECORD") != "" {
			keep(t, file, got)
		}
		golden, err := os.ReadFile(filepath.Join("testdata", file))
		if d := cmp.Diff(strings.TrimSpace(string(golden)), string(got)); d != "" || err != nil {
			t.Errorf("%s: %v\n%s", file, err, d)
		}
	}
}

func TestANameThatKubernetesKnowsIsAdoptedWhenItIsTheSameJob(t *testing.T) {
	e, a := recorded(t, kubernetes.Options{})
	spec := cluster.Spec{Name: "ended", Digest: "d1", Command: []string{"true"}, Env: map[string]string{"A": "b"}}
	ref, err := e.Start(t.Context(), spec)
	if err != nil || ref.ID == "" || ref.ID == "u1" {
		t.Errorf("got %v, %v", ref, err)
	}
	owner := a.posted["secrets"]["metadata"].(map[string]any)["ownerReferences"].([]any)[0].(map[string]any)
	if owner["uid"] != ref.ID { // the one who made the job may have died before
		t.Errorf("the secret's owner is %v, want %s", owner["uid"], ref.ID)
	}
	spec.Digest = "d2"
	if _, err := e.Start(t.Context(), spec); !fault.Is(err, fault.Conflict) {
		t.Errorf("got %v, want a conflict", err)
	}
}

func TestWhatKubernetesRefusesIsSaidInItsWords(t *testing.T) {
	for _, c := range []struct {
		code int
		kind fault.Kind
		want string
	}{
		{http.StatusUnprocessableEntity, fault.Invalid, "Kubernetes refuses the job: why"},
		{http.StatusBadRequest, fault.Invalid, "Kubernetes refuses the job: why"},
		{http.StatusNotFound, fault.NotFound, "Kubernetes has none: why"},
		{http.StatusForbidden, fault.Unavailable, "Kubernetes does not let us: why; give its account the Role that docs/executor-kubernetes.md names, or room in its quota"},
		{http.StatusUnauthorized, fault.Unavailable, "Kubernetes does not know us: why; give the executor a token or a certificate that is valid"},
		{http.StatusFound, fault.Unavailable, `Kubernetes sends us elsewhere, to "https://login"; name the address of its API server itself`},
		{http.StatusTooManyRequests, fault.Unavailable, "Kubernetes cannot answer now: why"},
		{http.StatusInternalServerError, fault.Unavailable, "Kubernetes cannot answer now: why"},
	} {
		e, a := recorded(t, kubernetes.Options{})
		a.says = func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Location", "https://login")
			w.Header().Set("Retry-After", "7")
			a.refuse(w, c.code, "", "why")
			return true
		}
		_, err := e.Start(t.Context(), cluster.Spec{Name: "new", Command: []string{"true"}})
		if !fault.Is(err, c.kind) || err.Error() != c.want {
			t.Errorf("%d: got %v, want %s", c.code, err, c.want)
		}
		if c.code == http.StatusTooManyRequests && fault.RetryAfter(err) != 7 {
			t.Errorf("got %d s", fault.RetryAfter(err))
		}
	}
}

func TestLongListsAreReadToTheirEnd(t *testing.T) {
	e, a := recorded(t, kubernetes.Options{})
	a.says = func(w http.ResponseWriter, r *http.Request) bool {
		page := `{"metadata":{"continue":"more"},"items":[{"metadata":{"name":"one"}}]}`
		if r.URL.Query().Get("continue") == "more" {
			page = `{"items":[{"metadata":{"name":"two"}},{"metadata":{"name":"going","deletionTimestamp":"2026-11-29T20:00:00Z"}}]}`
		}
		_, _ = io.WriteString(w, page)
		return true
	}
	got, err := e.Look(t.Context(), []cluster.Ref{{Name: "one"}, {Name: "two"}, {Name: "going"}})
	want := map[string]cluster.Seen{"one": {Phase: cluster.Queued}, "two": {Phase: cluster.Queued}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(err, d)
	}
	if len(a.calls) != 4 {
		t.Errorf("got %q", a.calls)
	}
}

func TestAnUnknownJobIsStopped(t *testing.T) {
	e, a := recorded(t, kubernetes.Options{})
	for _, name := range []string{"unknown", "runs"} {
		if err := e.Stop(t.Context(), cluster.Ref{Name: name, ID: "x"}); err != nil {
			t.Error(err)
		}
	}
	a.says = func(w http.ResponseWriter, _ *http.Request) bool {
		a.refuse(w, http.StatusConflict, "Conflict", "the UID in the precondition is another")
		return true
	}
	if err := e.Clean(t.Context(), cluster.Ref{Name: "runs", ID: "x"}); err != nil {
		t.Errorf("another job of the name: got %v", err)
	}
}

func TestWhatHasNoImageOrNoUserIsRefused(t *testing.T) {
	_, a := recorded(t, kubernetes.Options{})
	o := kubernetes.Options{Kubeconfig: a.config}
	e, err := kubernetes.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Start(t.Context(), cluster.Spec{Name: "new", Command: []string{"true"}}); !fault.Is(err, fault.Invalid) || len(a.calls) != 0 {
		t.Errorf("got %v after %q", err, a.calls)
	}
	o.User = -1
	if _, err := kubernetes.New(o); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v", err)
	}
}

func TestAServerThatHangsIsUnavailable(t *testing.T) {
	e, a := recorded(t, kubernetes.Options{})
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	a.says = func(http.ResponseWriter, *http.Request) bool { <-done; return true }
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond) // the engine's own patience is ten seconds
	defer cancel()
	if _, err := e.Look(ctx, []cluster.Ref{{Name: "runs"}}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
}
