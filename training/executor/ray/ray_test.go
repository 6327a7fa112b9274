// SPDX-License-Identifier: Apache-2.0

package ray

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"flyball/fault"
	"flyball/training/executor/cluster"
)

// head answers as the head of Ray 2.60 did, from testdata.
type head struct {
	jobs, exists []byte
	packages     map[string][]byte
	wishes       []wish
	calls        []string
	token        string // asked for, where it is not empty
}

func (h *head) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.calls = append(h.calls, r.Method+" "+r.URL.Path)
	if h.token != "" && r.Header.Get("Authorization") != "Bearer "+h.token {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "Forbidden: Invalid authentication token")
		return
	}
	name, stop := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/api/jobs/"), "/stop")
	job := h.job(name)
	body, _ := io.ReadAll(r.Body)
	switch {
	case r.Method == http.MethodPut:
		h.packages[strings.TrimPrefix(r.URL.Path, "/api/packages/gcs/")] = body
	case name == "" && r.Method == http.MethodGet:
		_, _ = w.Write(h.jobs)
	case name == "":
		var asked wish
		_ = json.Unmarshal(body, &asked)
		if h.job(asked.ID) != nil {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write(h.exists)
			return
		}
		h.wishes = append(h.wishes, asked)
		_, _ = io.WriteString(w, `{"job_id": "`+asked.ID+`", "submission_id": "`+asked.ID+`"}`)
	case job == nil:
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "Job "+name+" does not exist")
	case stop:
		_, _ = io.WriteString(w, `{"stopped": true}`)
	case r.Method == http.MethodDelete:
		_, _ = io.WriteString(w, `{"deleted": true}`)
	default:
		_, _ = w.Write(job)
	}
}

func (h *head) job(name string) json.RawMessage {
	var all []json.RawMessage
	_ = json.Unmarshal(h.jobs, &all)
	for _, raw := range all {
		var j job
		if json.Unmarshal(raw, &j); j.ID == name {
			return raw
		}
	}
	return nil
}

func testdata(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func open(t *testing.T, o Options) (*Engine, *head) {
	t.Helper()
	h := &head{jobs: testdata(t, "jobs.json"), exists: testdata(t, "exists.txt"), packages: map[string][]byte{}}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	o.URL = s.URL + "/"
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.http.CloseIdleConnections)
	return e, h
}

func TestWhatRaySaysOfAJobIsAPhase(t *testing.T) {
	e, h := open(t, Options{})
	want := map[string]cluster.Seen{
		"ended":   {Phase: cluster.Done},
		"five":    {Phase: cluster.Broken, Exit: 5, Reason: "Job entrypoint command failed with exit code 5"},
		"killed":  {Phase: cluster.Broken, Exit: 137, Reason: "Job entrypoint command failed with exit code -9"},
		"nowhere": {Phase: cluster.Broken, Exit: 127, Reason: "Job entrypoint command failed with exit code 127"},
		"runs":    {Phase: cluster.Running},
		"stopped": {Phase: cluster.Stopped, Reason: "Job was intentionally stopped."},
		"waits":   {Phase: cluster.Queued, Reason: "Job has not started yet. It may be waiting for resources (CPUs, GPUs, memory, custom resources) to become available."},
		"folder":  {Phase: cluster.Broken},
		"watched": {Phase: cluster.Gone},
	}
	refs := []cluster.Ref{{Name: "unknown"}}
	for name := range want {
		refs = append(refs, cluster.Ref{Name: name})
	}
	got, err := e.Look(t.Context(), refs)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"folder", "watched"} { // long, and not the same twice
		s := got[name]
		if !strings.HasPrefix(s.Reason, "runtime_env setup failed: ") && !strings.HasPrefix(s.Reason, "Job supervisor actor died: ") || len(s.Reason) > 510 {
			t.Errorf("%s: got the reason %q", name, s.Reason)
		}
		s.Reason = ""
		got[name] = s
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"GET /api/jobs/"}, h.calls); d != "" {
		t.Error(d)
	}
}

func TestAJobsVariablesAreNotInItsDescription(t *testing.T) {
	e, h := open(t, Options{})
	s := cluster.Spec{
		Name: "new", Digest: "d9", Command: []string{"/bin/sh", "-c", `echo "$SECRET"; ls`},
		Env:       map[string]string{"SECRET": "it's $HOME\nand more"},
		Resources: cluster.Resources{CPUs: 2, GPUs: 1, Memory: 1 << 30},
	}
	ref, err := e.Start(t.Context(), s)
	if err != nil || ref != (cluster.Ref{Name: "new", ID: "new"}) {
		t.Fatalf("got %v, %v", ref, err)
	}
	w := h.wishes[0]
	if len(h.packages) != 1 || w.CPUs != 2 || w.GPUs != 1 || w.Memory != 1<<30 || w.Metadata[digest] != "d9" {
		t.Errorf("got %+v and %d packages", w, len(h.packages))
	}
	raw, _ := json.Marshal(w)
	if bytes.Contains(raw, []byte("it's")) {
		t.Errorf("the description shows the variable: %s", raw)
	}
	dir := t.TempDir()
	unzip(t, h.packages[strings.TrimPrefix(w.Runtime["working_dir"], "gcs://")], dir)
	sh := exec.CommandContext(t.Context(), "/bin/sh", "-c", w.Entrypoint)
	sh.Dir = dir
	out, err := sh.Output()
	if want := "it's $HOME\nand more\ntasks.py\n"; string(out) != want || err != nil {
		t.Errorf("got %q, %v; want %q: the variables, and no file of them", out, err, want)
	}
}

func unzip(t *testing.T, raw []byte, dir string) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err == nil {
		err = os.CopyFS(dir, z)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnArrayIsOneJobThatSpreadsItsTasks(t *testing.T) {
	e, h := open(t, Options{Python: "/opt/ray/bin/python"})
	s := cluster.Spec{Name: "new", Command: []string{"/bin/prog", "attempt"}, Env: map[string]string{"B": "2", "A": "1"}, Resources: cluster.Resources{Tasks: 50, CPUs: 2, Memory: 1024}}
	if _, err := e.Start(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	w := h.wishes[0]
	want := "set -a && . ./env && set +a && rm env && exec '/opt/ray/bin/python' 'tasks.py' '50' '2' '0' '1024' 'A,B' '/bin/prog' 'attempt'"
	if w.Entrypoint != want || w.CPUs != 0 || w.Memory != 0 {
		t.Errorf("got %+v, want the entrypoint %s", w, want)
	}
}

func TestTwoJobsNeverShareAPackage(t *testing.T) {
	e, h := open(t, Options{})
	for _, name := range []string{"one", "two"} {
		if _, err := e.Start(t.Context(), cluster.Spec{Name: name, Command: []string{"true"}}); err != nil {
			t.Fatal(err)
		}
	}
	if len(h.packages) != 2 {
		t.Errorf("got %d packages, want 2: a node that keeps the first would find its variables removed", len(h.packages))
	}
}

func TestANameThatRayKnowsIsAdoptedWhenItIsTheSameJob(t *testing.T) {
	e, _ := open(t, Options{})
	spec := cluster.Spec{Name: "ended", Digest: "d1", Command: []string{"true"}}
	if ref, err := e.Start(t.Context(), spec); err != nil || ref.Name != "ended" {
		t.Errorf("got %v, %v", ref, err)
	}
	spec.Digest = "d2"
	if _, err := e.Start(t.Context(), spec); !fault.Is(err, fault.Conflict) {
		t.Errorf("got %v, want a conflict", err)
	}
}

func TestRayRefusesWhatItDoesNotHave(t *testing.T) {
	e, _ := open(t, Options{})
	for _, r := range []cluster.Resources{{Queue: "gpus"}, {Image: "python:3.14"}} {
		_, err := e.Start(t.Context(), cluster.Spec{Name: "new", Command: []string{"true"}, Resources: r})
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: got %v", r, err)
		}
	}
	if _, err := e.Start(t.Context(), cluster.Spec{Name: "new"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("no command: got %v", err)
	}
}

func TestAnUnknownJobIsStoppedAndCleaned(t *testing.T) {
	e, h := open(t, Options{})
	for _, name := range []string{"unknown", "runs", "stopped"} {
		if err := e.Stop(t.Context(), cluster.Ref{Name: name}); err != nil {
			t.Error(err)
		}
		if err := e.Clean(t.Context(), cluster.Ref{Name: name}); err != nil {
			t.Error(err)
		}
	}
	if len(h.calls) != 6 {
		t.Errorf("got %q", h.calls)
	}
}

func TestTheTokenIsReadAtEachCall(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	e, h := open(t, Options{TokenFile: file})
	look := func() error {
		_, err := e.Look(t.Context(), []cluster.Ref{{Name: "runs"}})
		return err
	}
	if err := look(); !fault.Is(err, fault.Unavailable) {
		t.Errorf("without the file: got %v", err)
	}
	for _, token := range []string{"first", "second"} {
		h.token = token
		if err := look(); !fault.Is(err, fault.Unavailable) {
			t.Errorf("with the old token: got %v", err)
		}
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := look(); err != nil {
			t.Error(err)
		}
	}
}

func TestAHeadThatHangsIsUnavailableAfterTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &Engine{opts: Options{URL: "http://head"}, http: &http.Client{Transport: hanging{}}}
		for _, call := range []func() error{
			func() error { _, err := e.Look(t.Context(), []cluster.Ref{{Name: "runs"}}); return err },
			func() error {
				_, err := e.Start(t.Context(), cluster.Spec{Name: "new", Command: []string{"true"}})
				return err
			},
			func() error { return e.Stop(t.Context(), cluster.Ref{Name: "runs"}) },
			func() error { return e.Clean(t.Context(), cluster.Ref{Name: "runs"}) },
		} {
			began := time.Now()
			if err := call(); !fault.Is(err, fault.Unavailable) || time.Since(began) != 10*time.Second {
				t.Errorf("got %v after %v", err, time.Since(began))
			}
		}
	})
}

type hanging struct{}

func (hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, context.Cause(r.Context())
}

func TestAnAddressThatIsNoneIsRefused(t *testing.T) {
	for _, url := range []string{"", "ray-head:8265", "ftp://ray-head", "http://"} {
		if _, err := New(Options{URL: url}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: got %v", url, err)
		}
	}
}
