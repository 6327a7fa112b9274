// SPDX-License-Identifier: Apache-2.0

package local_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"flyball/training/executor"
	"flyball/training/executor/executortest"
	"flyball/training/executor/local"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == local.Verb {
		if err := local.Supervise(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func open(t *testing.T, dir string) *local.Executor {
	t.Helper()
	e, err := local.New(local.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestItKeepsTheContractOfExecutors(t *testing.T) {
	dir := t.TempDir()
	executortest.Run(t, func(t *testing.T) executor.Executor { return open(t, dir) })
}

// waiting is a job that writes its process's number, and waits.
func waiting(t *testing.T, e *local.Executor, dir string) (h executor.Handle, pid int) {
	t.Helper()
	h, err := e.Submit(t.Context(), executor.Job{Key: t.Name(), Command: []string{"/bin/sh", "-c", `setsid sleep 300 & echo $! > "$SEEN.tmp"; mv "$SEEN.tmp" "$SEEN"; sleep 300`}, Env: map[string]string{"SEEN": filepath.Join(dir, "pid")}})
	if err != nil {
		t.Fatal(err)
	}
	until(t, func() bool {
		raw, err := os.ReadFile(filepath.Join(dir, "pid"))
		if err != nil {
			return false
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(raw)))
		return err == nil
	})
	return h, pid
}

func until(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
	}
}

// supervisor is the number of the process that supervises the job.
func supervisor(t *testing.T, folder string) int {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err == nil && strings.HasSuffix(string(raw), local.Verb+"\x00"+folder+"\x00") {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	t.Fatal("there is no supervisor")
	return 0
}

func TestAJobWhoseSupervisorIsKilledIsLostAndLeavesNothingBehind(t *testing.T) {
	dir, seen := t.TempDir(), t.TempDir()
	e := open(t, dir)
	h, child := waiting(t, e, seen)
	if err := syscall.Kill(supervisor(t, filepath.Join(dir, string(h))), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var got executor.Status
	until(t, func() bool {
		var err error
		if got, err = e.Poll(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		return got.State.Final()
	})
	if got.State != executor.Lost || got.Reason == "" {
		t.Errorf("got %+v", got)
	}
	until(t, func() bool { return syscall.Kill(child, 0) != nil || zombie(child) })
	again, err := e.Submit(t.Context(), executor.Job{Key: t.Name(), Command: []string{"/bin/sh", "-c", "exit 0"}})
	if err != nil || again != h {
		t.Errorf("got %v, %v", again, err)
	}
	if got, err := e.Poll(t.Context(), h); err != nil || got.State != executor.Lost {
		t.Errorf("a lost job began again: %+v, %v", got, err)
	}
}

// zombie reports whether the process is dead and not waited for.
func zombie(pid int) bool {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(raw), ") Z ")
}

func TestAMachineThatStopsLosesTheJob(t *testing.T) {
	dir, seen := t.TempDir(), t.TempDir()
	e := open(t, dir)
	h, _ := waiting(t, e, seen)
	if err := syscall.Kill(supervisor(t, filepath.Join(dir, string(h))), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool {
		got, err := e.Poll(t.Context(), h)
		if err != nil {
			t.Fatal(err)
		}
		return got.State == executor.Lost
	})
}

func TestAJobThatWasLaidButNotBegunBeginsWhenItIsLookedAt(t *testing.T) {
	dir := t.TempDir()
	none, err := local.New(local.Options{Dir: dir, Supervisor: []string{"/bin/true"}}) // as if killed before it began
	if err != nil {
		t.Fatal(err)
	}
	h, err := none.Submit(t.Context(), executor.Job{Key: "k", Command: []string{"/bin/sh", "-c", "echo x > {out}/x"}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := none.Poll(t.Context(), h); err != nil || got.State != executor.Pending {
		t.Fatalf("got %+v, %v", got, err)
	}
	e := open(t, dir)
	until(t, func() bool {
		got, err := e.Poll(t.Context(), h)
		if err != nil {
			t.Fatal(err)
		}
		return got.State == executor.Succeeded
	})
}

func TestAPendingJobIsCanceledWithoutBeginning(t *testing.T) {
	dir := t.TempDir()
	none, err := local.New(local.Options{Dir: dir, Supervisor: []string{"/bin/true"}})
	if err != nil {
		t.Fatal(err)
	}
	h, err := none.Submit(t.Context(), executor.Job{Key: "k", Command: []string{"/bin/sh", "-c", "echo x > {out}/x"}})
	if err != nil {
		t.Fatal(err)
	}
	e := open(t, dir)
	if err := e.Cancel(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if got, err := e.Poll(t.Context(), h); err != nil || got.State != executor.Canceled {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAManifestOfAnotherAttemptIsRefused(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir)
	h, err := e.Submit(t.Context(), executor.Job{Key: "k", Command: []string{"/bin/sh", "-c", "echo x > {out}/x"}})
	if err != nil {
		t.Fatal(err)
	}
	var got executor.Status
	until(t, func() bool {
		if got, err = e.Poll(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		return got.State.Final()
	})
	got.Manifest.Token = "another"
	raw, err := json.Marshal(got.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, string(h), "manifest.json"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err = e.Poll(t.Context(), h); err != nil || got.State != executor.Failed || got.Manifest != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}
