// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"flyball/fault"
	"flyball/training/executor"
	"flyball/training/executor/cluster"
	"flyball/training/executor/cluster/clustertest"
)

// story is a server, an engine, and a folder in which programs and test tell each other.
type story struct {
	*testing.T
	*clustertest.Server
	engine *machine
	dir    string
}

func tell(t *testing.T) story {
	t.Helper()
	t.Parallel()
	m := newMachine(t)
	s := clustertest.New(t, "machine", m)
	s.Beat = 100 * time.Millisecond
	return story{T: t, Server: s, engine: m, dir: t.TempDir()}
}

// slow is a program that says that it began, and goes on until the test lets it.
const slow = `echo ran >> "$SEEN/ran"; while [ ! -e "$SEEN/go" ]; do sleep 0.01; done; echo x > "$OUT/x"`

func (s story) submit(e *cluster.Executor, script string) executor.Handle {
	s.Helper()
	h, err := e.Submit(s.Context(), executor.Job{Key: s.T.Name() + script, Command: []string{"/bin/sh", "-c", script}, Env: map[string]string{"OUT": "{out}", "SEEN": s.dir}})
	if err != nil {
		s.Fatal(err)
	}
	return h
}

func (s story) began() bool { _, err := os.Stat(filepath.Join(s.dir, "ran")); return err == nil }

func (s story) letGo() {
	s.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, "go"), nil, 0o600); err != nil {
		s.Fatal(err)
	}
}

func (s story) until(what string, ok func() bool) {
	s.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			s.Fatalf("waited in vain for %s", what)
		}
	}
}

func (s story) wait(e *cluster.Executor, h executor.Handle) (got executor.Status) {
	s.Helper()
	s.until("the end", func() bool {
		var err error
		if got, err = e.Poll(s.Context(), h); err != nil {
			s.Fatal(err)
		}
		return got.State.Final()
	})
	return got
}

// with changes the engine.
func (s story) with(change func(m *machine)) {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	change(s.engine)
}

// caller is the run of an attempt as it shows itself.
func (s story) caller(h executor.Handle, run string) cluster.Caller {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	return cluster.Caller{Attempt: string(h), Token: s.engine.jobs[string(h)].spec.Env[cluster.TokenVariable], Run: run}
}

func TestAJobThatTwoNodesStartRunsOnOne(t *testing.T) {
	s := tell(t)
	e := s.Open(t)
	h := s.submit(e, slow)
	s.until("the program to begin", s.began)
	s.with(func(m *machine) {
		if err := m.begin(m.jobs[string(h)]); err != nil {
			t.Error(err)
		}
	})
	s.until("the second to end", func() bool {
		s.engine.mu.Lock()
		defer s.engine.mu.Unlock()
		return s.engine.jobs[string(h)].seen.Phase == cluster.Broken
	})
	if got, err := e.Poll(t.Context(), h); err != nil || got.State != executor.Running {
		t.Errorf("while the first goes on: got %+v, %v", got, err)
	}
	s.letGo()
	if got := s.wait(e, h); got.State != executor.Succeeded {
		t.Errorf("got %+v", got)
	}
	if raw, err := os.ReadFile(filepath.Join(s.dir, "ran")); err != nil || string(raw) != "ran\n" {
		t.Errorf("it ran %q, %v", raw, err)
	}
}

func TestWhatAJobCommittedCountsWhateverItsEngineSays(t *testing.T) {
	for _, phase := range []cluster.Phase{cluster.Broken, cluster.Gone, cluster.Stopped, cluster.Again, cluster.Over} {
		t.Run(string(phase), func(t *testing.T) {
			s := tell(t)
			e := s.Open(t)
			s.with(func(m *machine) { m.lies = &cluster.Seen{Phase: phase, Reason: "it says so"} })
			h := s.submit(e, slow)
			s.until("the program to begin", s.began)
			if got, err := e.Poll(t.Context(), h); err != nil || got.State != executor.Running {
				t.Errorf("while its node tells that it lives: got %+v, %v", got, err)
			}
			s.letGo()
			if got := s.wait(e, h); got.State != executor.Succeeded {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestAnEngineThatDoesNotAnswerChangesNothing(t *testing.T) {
	s := tell(t)
	e := s.Open(t)
	s.with(func(m *machine) { m.hold = true })
	h := s.submit(e, slow)
	s.with(func(m *machine) { m.silent = fault.New(fault.Unavailable, "it is down") })
	for range 10 {
		time.Sleep(s.Beat) // longer than an answer is good for
		if got, err := e.Poll(t.Context(), h); err != nil || got.State != executor.Pending {
			t.Fatalf("got %+v, %v", got, err)
		}
	}
	_, err := e.Submit(t.Context(), executor.Job{Key: "another", Command: []string{"true"}})
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
}

func TestAJobThatItsEngineDoesNotKnowTwiceIsLost(t *testing.T) {
	s := tell(t)
	e := s.Open(t)
	s.with(func(m *machine) { m.hold = true })
	h := s.submit(e, slow)
	if got, err := e.Poll(t.Context(), h); err != nil || got.State != executor.Pending || got.Reason != "Resources" {
		t.Fatalf("got %+v, %v", got, err)
	}
	s.with(func(m *machine) { m.hides[string(h)] = true })
	if got := s.wait(e, h); got.State != executor.Lost {
		t.Errorf("got %+v", got)
	}
	if again := s.submit(e, slow); again != h {
		t.Errorf("it was asked for again: %s, then %s", h, again)
	}
	s.with(func(m *machine) { // it was not gone at all
		delete(m.hides, string(h))
		if err := m.begin(m.jobs[string(h)]); err != nil {
			t.Error(err)
		}
	})
	s.until("the late one to be turned away", func() bool {
		s.engine.mu.Lock()
		defer s.engine.mu.Unlock()
		return s.engine.jobs[string(h)].seen.Phase == cluster.Stopped
	})
	if s.began() {
		t.Error("the program of a lost job ran")
	}
}

func TestAJobGoesOnWhileItsServerIsAway(t *testing.T) {
	s := tell(t)
	e := s.Open(t)
	h := s.submit(e, slow+`; echo done`)
	s.until("the program to begin", s.began)
	s.Away()
	s.letGo()
	time.Sleep(30 * s.Beat) // so long that a node that is silent would be lost
	e = s.Open(t)
	if got := s.wait(e, h); got.State != executor.Succeeded {
		t.Errorf("got %+v", got)
	}
	r, err := e.Logs(t.Context(), h, 0)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := io.ReadAll(r); err != nil || string(raw) != "done\n" {
		t.Errorf("got the log %q, %v", raw, err)
	}
}

func TestANodeThatIsSilentIsLostThoughItsEngineIsSilentToo(t *testing.T) {
	s := tell(t)
	e := s.Open(t)
	h := s.submit(e, slow)
	s.until("the program to begin", s.began)
	s.with(func(m *machine) {
		m.silent = fault.New(fault.Unavailable, "it is down")
		if err := m.jobs[string(h)].cmds[0].Process.Signal(syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	})
	if got := s.wait(e, h); got.State != executor.Lost || !strings.Contains(got.Reason, "not been heard of") {
		t.Errorf("got %+v", got)
	}
}

func TestASupervisorThatIsKilledLosesTheJob(t *testing.T) {
	s := tell(t)
	e := s.Open(t)
	h := s.submit(e, slow)
	s.until("the program to begin", s.began)
	s.with(func(m *machine) {
		if err := m.jobs[string(h)].cmds[0].Process.Signal(syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	})
	if got := s.wait(e, h); got.State != executor.Lost || !strings.Contains(got.Reason, "supervisor") {
		t.Errorf("got %+v", got)
	}
}

func TestAJobThatSomebodyEndsAtTheEngineIsCanceled(t *testing.T) {
	s := tell(t)
	e := s.Open(t)
	h := s.submit(e, slow)
	s.until("the program to begin", s.began)
	if err := s.engine.Stop(t.Context(), cluster.Ref{Name: string(h)}); err != nil {
		t.Fatal(err)
	}
	if got := s.wait(e, h); got.State != executor.Canceled || !strings.Contains(got.Reason, "ended at the engine") {
		t.Errorf("got %+v", got)
	}
}

func TestACancelHoldsThoughTheEngineNeverGrantsIt(t *testing.T) {
	s := tell(t)
	e := s.Open(t)
	s.with(func(m *machine) { m.hold = true })
	h := s.submit(e, slow)
	if err := e.Cancel(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	_, err := e.Enter(t.Context(), s.caller(h, strings.Repeat("r", 26)), "n1")
	if !fault.Is(err, fault.Conflict) {
		t.Errorf("a run enters a canceled attempt: %v", err)
	}
	if got := s.wait(e, h); got.State != executor.Canceled {
		t.Errorf("got %+v", got)
	}
}

func TestACancelDoesNotWaitForAJobThatIsForgotten(t *testing.T) {
	s := tell(t)
	e := s.Open(t)
	s.with(func(m *machine) { m.hold = true })
	h := s.submit(e, slow)
	if _, err := e.Enter(t.Context(), s.caller(h, strings.Repeat("r", 26)), "n1"); err != nil {
		t.Fatal(err)
	}
	canceled := make(chan error, 1)
	go func() { canceled <- e.Cancel(context.WithoutCancel(t.Context()), h) }()
	if got := s.wait(e, h); got.State != executor.Canceled {
		t.Errorf("got %+v", got)
	}
	began := time.Now()
	if err := e.Forget(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if err := <-canceled; err != nil || time.Since(began) > 2*s.Beat {
		t.Errorf("got %v after %s", err, time.Since(began))
	}
}

func TestAManifestAfterACancelIsRefused(t *testing.T) {
	s := tell(t)
	e := s.Open(t)
	s.with(func(m *machine) { m.hold = true })
	h := s.submit(e, slow)
	c := s.caller(h, strings.Repeat("r", 26))
	if _, err := e.Enter(t.Context(), c, "n1"); err != nil {
		t.Fatal(err)
	}
	const sum = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" // of "x"
	if err := e.Put(t.Context(), c, sum, strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	short, stop := context.WithTimeout(t.Context(), 2*s.Beat)
	defer stop()
	if err := e.Cancel(short, h); !fault.Is(err, fault.Unavailable) {
		t.Errorf("its node has not ended: got %v", err)
	}
	done := executor.Status{State: executor.Succeeded, Manifest: &executor.Manifest{Files: map[string]executor.File{"x": {Size: 1, SHA256: sum}}}}
	if err := e.End(t.Context(), c, done); !fault.Is(err, fault.Conflict) {
		t.Errorf("got %v", err)
	}
	if got := s.wait(e, h); got.State != executor.Canceled || got.Manifest != nil {
		t.Errorf("got %+v", got)
	}
}

// deaf is an engine that does what it is asked, and whose first answer is lost.
type deaf struct {
	*machine
	once bool
}

func (d *deaf) Start(ctx context.Context, s cluster.Spec) (cluster.Ref, error) {
	r, err := d.machine.Start(ctx, s)
	if !d.once {
		d.once = true
		return r, fault.New(fault.Unavailable, "no answer in time")
	}
	return r, err
}

func TestAJobWhoseStartWasNotAnsweredIsFoundAgain(t *testing.T) {
	s := tell(t)
	s.Engine = &deaf{machine: s.engine}
	e := s.Open(t)
	j := executor.Job{Key: "k", Command: []string{"/bin/sh", "-c", slow}, Env: map[string]string{"OUT": "{out}", "SEEN": s.dir}}
	if _, err := e.Submit(t.Context(), j); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("got %v", err)
	}
	e = s.Open(t)
	h, err := e.Submit(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	s.letGo()
	if got := s.wait(e, h); got.State != executor.Succeeded {
		t.Errorf("got %+v", got)
	}
	if raw, err := os.ReadFile(filepath.Join(s.dir, "ran")); err != nil || string(raw) != "ran\n" {
		t.Errorf("it ran %q, %v", raw, err)
	}
}

func TestATokenOpensItsOwnAttemptAndNothingElse(t *testing.T) {
	s := tell(t)
	e := s.Open(t)
	s.with(func(m *machine) { m.hold = true })
	one, other := s.submit(e, slow), s.submit(e, slow+" ")
	mine := s.caller(one, strings.Repeat("r", 26))
	if _, err := e.Enter(t.Context(), mine, "n1"); err != nil {
		t.Fatal(err)
	}
	ask := func(method, path, token, body string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL+"/v1/attempts/"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		r, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(r.Body)
		if err != nil || r.Body.Close() != nil || bytes.Contains(raw, []byte(mine.Token)) {
			t.Errorf("got %s, %v", raw, err)
		}
		return r.StatusCode
	}
	run := string(one) + "/runs/" + mine.Run
	for _, c := range []struct {
		what, method, path, token, body string
		want                            int
	}{
		{"no token", "POST", run + "/beat", "", "{}", 401},
		{"a wrong token", "POST", run + "/beat", strings.Repeat("T", 52), "{}", 401},
		{"the token of another attempt", "POST", run + "/beat", s.caller(other, "r").Token, "{}", 401},
		{"an attempt that there is none of", "POST", "machine-aaaaaaaaaaaaaaaaaaaaaaaaaa/runs/" + mine.Run + "/beat", mine.Token, "{}", 401},
		{"an engine that there is none of", "POST", "none-aaaaaaaaaaaaaaaaaaaaaaaaaa/runs/" + mine.Run + "/beat", mine.Token, "{}", 503},
		{"a path outside", "POST", "machine-..%2F..%2Fkeys/runs/" + mine.Run + "/beat", mine.Token, "{}", 401},
		{"another run", "POST", string(one) + "/runs/" + strings.Repeat("q", 26) + "/beat", mine.Token, "{}", 409},
		{"another run enters", "POST", string(one) + "/runs/" + strings.Repeat("q", 26), mine.Token, "{}", 409},
		{"itself", "POST", run + "/beat", mine.Token, "{}", 204},
		{"itself again", "POST", run, mine.Token, "{}", 200},
		{"no JSON", "POST", run + "/end", mine.Token, "{", 400},
		{"a state of its own", "POST", run + "/end", mine.Token, `{"State":"lost"}`, 400},
		{"a success without files", "POST", run + "/end", mine.Token, `{"State":"succeeded"}`, 400},
		{"a file that was not sent", "POST", run + "/end", mine.Token, `{"State":"succeeded","Manifest":{"files":{"x":{"size":1,"sha256":"../job.json"}}}}`, 400},
		{"an output that is not its digest", "PUT", run + "/outputs/" + strings.Repeat("a", 64), mine.Token, "x", 400},
		{"an output by another name", "PUT", run + "/outputs/..%2Fjob.json", mine.Token, "x", 400},
		{"an input that there is none of", "GET", run + "/inputs/" + strings.Repeat("a", 64), mine.Token, "", 404},
		{"a log at no place", "PUT", run + "/log/-1", mine.Token, "x", 413},
		{"a log with a hole", "PUT", run + "/log/7", mine.Token, "x", 400},
		{"a log", "PUT", run + "/log/0", mine.Token, "xyz", 204},
		{"a log that came", "PUT", run + "/log/0", mine.Token, "xyz", 204},
		{"its next piece", "PUT", run + "/log/3", mine.Token, "x", 204},
		{"too much log at once", "PUT", run + "/log/0", mine.Token, strings.Repeat("x", cluster.MaxLog+1), 413},
	} {
		if got := ask(c.method, c.path, c.token, c.body); got != c.want {
			t.Errorf("%s: got %d, want %d", c.what, got, c.want)
		}
	}
}
