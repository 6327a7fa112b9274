// SPDX-License-Identifier: Apache-2.0

// Package executortest is what every executor is held to: one suite of tests, for the
// one of this machine and for those to come. Its jobs are programs of the shell.
package executortest

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/fault"
	"flyball/training/executor"
	"flyball/unit"
)

// patience is how long a state is waited for.
const patience = 30 * time.Second

// Run holds an executor to its contract. open gives it anew, on what it kept: as after
// a restart of the server. Jobs run where the test does and see its files.
func Run(t *testing.T, open func(t *testing.T) executor.Executor) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, s suite)
	}{
		{"a program's files are its outputs", outputs},
		{"how a program fails is told", failures},
		{"the same key is the same job", once},
		{"a job is found again after a restart", found},
		{"cancel ends all that a program started", cancel},
		{"a limit that is passed ends the job", limits},
		{"a log is read from where the last look ended", logs},
		{"an ended job is forgotten, a running one is not", forget},
		{"what is not known is said to be so", unknown},
		{"a program gets its environment and no other", environment},
		{"a job that cannot start is refused", refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			if strings.HasPrefix(c.name, "a limit") && testing.Short() {
				t.Skip("it waits for limits")
			}
			c.test(t, suite{Executor: open(t), open: open, t: t, dir: t.TempDir()})
		})
	}
}

type suite struct {
	executor.Executor
	open func(t *testing.T) executor.Executor
	t    *testing.T
	dir  string // for what jobs and tests tell each other
}

// sh is a job of the shell.
func (s suite) sh(key, script string) executor.Job {
	return executor.Job{Key: s.t.Name() + key, Command: []string{"/bin/sh", "-c", script}, Env: map[string]string{"OUT": "{out}", "SEEN": s.dir}}
}

func (s suite) submit(j executor.Job) executor.Handle {
	s.t.Helper()
	h, err := s.Submit(s.t.Context(), j)
	if err != nil {
		s.t.Fatal(err)
	}
	return h
}

// wait polls until the job has ended.
func (s suite) wait(h executor.Handle) executor.Status {
	s.t.Helper()
	var got executor.Status
	s.until("the job to end", func() bool {
		var err error
		if got, err = s.Poll(s.t.Context(), h); err != nil {
			s.t.Fatal(err)
		}
		return got.State.Final()
	})
	return got
}

func (s suite) until(what string, ok func() bool) {
	s.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(end) {
			s.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// seen is a file that a job wrote for the test; "" where it is not there.
func (s suite) seen(name string) string {
	raw, _ := os.ReadFile(filepath.Join(s.dir, name))
	return strings.TrimSpace(string(raw))
}

func (s suite) log(h executor.Handle, offset int64) string {
	s.t.Helper()
	r, err := s.Logs(s.t.Context(), h, offset)
	if err != nil {
		s.t.Fatal(err)
	}
	return read(s.t, r)
}

func read(t *testing.T, r io.ReadCloser) string {
	t.Helper()
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func kindIs(t *testing.T, err error, want fault.Kind) {
	t.Helper()
	if !fault.Is(err, want) {
		t.Errorf("got %v, want a fault of the kind %v", err, want)
	}
}

func outputs(t *testing.T, s suite) {
	j := s.sh("", `mkdir "$OUT/deep" && cat data/in.txt > "$OUT/deep/copy" && ./run.sh > "$OUT/ran"`)
	for name, in := range map[string]struct {
		text string
		mode uint32
	}{"data/in.txt": {"a flyball\n", 0}, "run.sh": {"#!/bin/sh\necho ran\n", 0o700}} {
		j.Inputs = add(j.Inputs, name, in.text, in.mode)
	}
	h := s.submit(j)
	got := s.wait(h)
	if got.State != executor.Succeeded || got.Exit != 0 || got.Manifest == nil {
		t.Fatalf("got %+v; log: %s", got, s.log(h, 0))
	}
	if len(got.Manifest.Files) != 2 || got.Manifest.Token == "" {
		t.Errorf("got the manifest %+v", got.Manifest)
	}
	// sha256 of "a flyball\n"
	if f := got.Manifest.Files["deep/copy"]; f.Size != 10 || f.SHA256 != "92bb98dd439e349a41afd1fcd1133f25940ab74e1498747c7b5e07a20d918be5" {
		t.Errorf("got the file %+v", f)
	}
	r, err := s.Output(t.Context(), h, "deep/copy")
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, r); got != "a flyball\n" {
		t.Errorf("got %q", got)
	}
	_, err = s.Output(t.Context(), h, "../job.json")
	kindIs(t, err, fault.NotFound)
	if u := got.Usage; u.Seconds <= 0 || u.Memory <= 0 || u.CPUs != 1 || got.Began.IsZero() || got.Ended.Before(got.Began) {
		t.Errorf("got the usage %+v from %v to %v", u, got.Began, got.Ended)
	}
}

func add(to map[string]executor.Input, name, text string, mode uint32) map[string]executor.Input {
	if to == nil {
		to = map[string]executor.Input{}
	}
	to[name] = executor.Input{Size: int64(len(text)), Mode: mode, Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(text)), nil
	}}
	return to
}

func failures(t *testing.T, s suite) {
	for _, c := range []struct {
		script string
		exit   int
		reason string
	}{
		{`echo half > "$OUT/half"; exit 7`, 7, "exit code 7"},
		{`kill -9 $$`, 137, "signal 9"},
		{`true`, 0, "left nothing"},
		{`ln -s /etc/passwd "$OUT/link"`, 0, "no plain file"},
	} {
		got := s.wait(s.submit(s.sh(c.script, c.script)))
		if got.State != executor.Failed || got.Exit != c.exit || got.Manifest != nil || !strings.Contains(got.Reason, c.reason) {
			t.Errorf("%s: got %+v", c.script, got)
		}
	}
}

func once(t *testing.T, s suite) {
	j := s.sh("", `echo ran >> "$SEEN/count"; echo x > "$OUT/x"`)
	handles := make(chan executor.Handle, 8)
	for range cap(handles) { // at once
		go func() {
			h, err := s.Submit(context.WithoutCancel(t.Context()), j)
			if err != nil {
				t.Error(err)
			}
			handles <- h
		}()
	}
	h := <-handles
	for range cap(handles) - 1 {
		if other := <-handles; other != h {
			t.Errorf("got the handles %s and %s", h, other)
		}
	}
	first := s.wait(h)
	if again := s.submit(j); again != h {
		t.Errorf("after the end: got %s, want %s", again, h)
	}
	if second := s.wait(h); second.State != executor.Succeeded || second.Manifest.Token != first.Manifest.Token {
		t.Errorf("got %+v, then %+v", first, second)
	}
	if got := s.seen("count"); got != "ran" {
		t.Errorf("it ran %q", got)
	}
}

func found(t *testing.T, s suite) {
	j := s.sh("", `echo ran >> "$SEEN/count"; while [ ! -e "$SEEN/go" ]; do sleep 0.01; done; echo x > "$OUT/x"`)
	h := s.submit(j)
	s.until("the program to begin", func() bool { return s.seen("count") != "" })
	again := s
	again.Executor = s.open(t)
	if got, err := again.Poll(t.Context(), h); err != nil || got.State != executor.Running {
		t.Fatalf("got %+v, %v", got, err)
	}
	if other := again.submit(j); other != h {
		t.Errorf("got %s, want %s", other, h)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := again.wait(h); got.State != executor.Succeeded {
		t.Errorf("got %+v", got)
	}
	if got := s.seen("count"); got != "ran" {
		t.Errorf("it ran %q", got)
	}
}

// cancel has a program start others, one of them in a session of its own, and one that
// does not listen to a wish to end.
func cancel(t *testing.T, s suite) {
	script := `beat() { trap '' TERM HUP; while :; do date +%s%N > "$SEEN/$1"; sleep 0.01; done; }
		if [ "$1" = beat ]; then beat "$2"; fi
		setsid /bin/sh "$0" beat away & /bin/sh "$0" beat near & trap 'exit 0' TERM; while :; do sleep 0.01; done`
	j := s.sh("", "")
	j.Command = []string{"/bin/sh", "prog.sh"}
	j.Inputs = add(nil, "prog.sh", script, 0)
	h := s.submit(j)
	s.until("the children to begin", func() bool { return s.seen("away") != "" && s.seen("near") != "" })
	if err := s.Cancel(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Poll(t.Context(), h); err != nil || got.State != executor.Canceled || got.Manifest != nil {
		t.Errorf("got %+v, %v", got, err)
	}
	before := s.seen("away") + " " + s.seen("near")
	time.Sleep(100 * time.Millisecond) // a process that lives would write
	if after := s.seen("away") + " " + s.seen("near"); after != before {
		t.Errorf("a child goes on: %s, then %s", before, after)
	}
	if err := s.Cancel(t.Context(), h); err != nil {
		t.Errorf("twice: %v", err)
	}
	done := s.submit(s.sh("done", `echo x > "$OUT/x"`))
	s.wait(done)
	if err := s.Cancel(t.Context(), done); err != nil {
		t.Errorf("an ended job: %v", err)
	}
	if got := s.wait(done); got.State != executor.Succeeded {
		t.Errorf("an ended job became %+v", got)
	}
}

func limits(t *testing.T, s suite) {
	for _, c := range []struct {
		name, script, reason string
		limits               executor.Limits
	}{
		{"time", `sleep 60 & sleep 60`, "limit of", executor.Limits{Time: unit.Duration(200 * time.Millisecond)}},
		{"memory", `x=$(head -c 200000000 /dev/zero | tr '\0' x); sleep 60`, "memory", executor.Limits{Memory: 100 << 20}},
		{"output", `head -c 2000000 /dev/zero > "$OUT/x" && exit 0; exit 1`, "exit code 1", executor.Limits{Output: 1 << 20}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			j := s.sh("", c.script)
			j.Limits = c.limits
			got := s.wait(s.submit(j))
			if got.State != executor.Failed || !strings.Contains(got.Reason, c.reason) && !strings.Contains(got.Reason, "signal 25") {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func logs(t *testing.T, s suite) {
	h := s.submit(s.sh("", `echo one; echo two >&2; echo > "$SEEN/said"; while [ ! -e "$SEEN/go" ]; do sleep 0.01; done; echo three; echo x > "$OUT/x"`))
	s.until("it to print", func() bool { _, err := os.Stat(filepath.Join(s.dir, "said")); return err == nil })
	s.until("the log to come here", func() bool { return s.log(h, 0) == "one\ntwo\n" })
	if got := s.log(h, 8); got != "" {
		t.Errorf("from where it is: got %q", got)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.wait(h)
	if got := s.log(h, 8); got != "three\n" {
		t.Errorf("what came since: got %q", got)
	}
	if got := s.log(h, 1000); got != "" {
		t.Errorf("behind the end: got %q", got)
	}
}

func forget(t *testing.T, s suite) {
	j := s.sh("", `echo ran >> "$SEEN/count"; while [ ! -e "$SEEN/go" ]; do sleep 0.01; done; echo x > "$OUT/x"`)
	h := s.submit(j)
	kindIs(t, s.Forget(t.Context(), h), fault.Conflict)
	if err := os.WriteFile(filepath.Join(s.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.wait(h)
	if err := s.Forget(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	_, err := s.Poll(t.Context(), h)
	kindIs(t, err, fault.NotFound)
	s.wait(s.submit(j))
	if got := s.seen("count"); got != "ran\nran" {
		t.Errorf("its key is not free: it ran %q", got)
	}
}

func unknown(t *testing.T, s suite) {
	for _, h := range []executor.Handle{"", "none", "..", "../x", "a/b"} {
		_, err := s.Poll(t.Context(), h)
		kindIs(t, err, fault.NotFound)
		kindIs(t, s.Cancel(t.Context(), h), fault.NotFound)
		_, err = s.Logs(t.Context(), h, 0)
		kindIs(t, err, fault.NotFound)
		_, err = s.Output(t.Context(), h, "x")
		kindIs(t, err, fault.NotFound)
		kindIs(t, s.Forget(t.Context(), h), fault.NotFound)
	}
}

func environment(t *testing.T, s suite) {
	t.Setenv("FLYBALL_DATABASE", "a secret")
	j := s.sh("", `env > "$OUT/env"`)
	j.Env["INPUTS"] = "{in}/data"
	j.Limits.CPUs = 2
	h := s.submit(j)
	s.wait(h)
	r, err := s.Output(t.Context(), h, "env")
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, r)
	for _, want := range []string{"OMP_NUM_THREADS=2\n", "OPENBLAS_NUM_THREADS=2\n", "MKL_NUM_THREADS=2\n", "OMP_WAIT_POLICY=passive\n", fmt.Sprintf("SEEN=%s\n", s.dir), "/data\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "secret") {
		t.Errorf("it got a secret:\n%s", got)
	}
}

func refused(t *testing.T, s suite) {
	j := s.sh("program", "")
	j.Command = []string{"no-such-program-anywhere"}
	if h, err := s.Submit(t.Context(), j); err != nil {
		kindIs(t, err, fault.Invalid)
	} else if got := s.wait(h); got.State != executor.Failed || !strings.Contains(got.Reason, "no-such-program-anywhere") { // only a node can know
		t.Errorf("got %+v", got)
	}
	j = s.sh("escape", "true")
	j.Inputs = add(nil, "../escape", "x", 0)
	_, err := s.Submit(t.Context(), j)
	kindIs(t, err, fault.Invalid)
	j = s.sh("memory", "true")
	j.Limits.Memory = 1 << 50
	h, err := s.Submit(t.Context(), j)
	if err != nil {
		kindIs(t, err, fault.Invalid)
		return
	}
	if got, err := s.Poll(t.Context(), h); err != nil || got.State != executor.Pending { // it waits for a machine that does not exist
		t.Errorf("got %+v, %v", got, err)
	}
	if err := s.Cancel(t.Context(), h); err != nil {
		t.Error(err)
	}
}
