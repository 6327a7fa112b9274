// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/model"
)

func TestAModelAnswersFromAProcess(t *testing.T) {
	h := host(t, Options{})
	s := open(t, h, odd(t))
	if got, want := s.Inputs(), []frame.Field{{Name: "x", Kind: frame.Number}}; !slices.Equal(got, want) || s.Outputs() != 1 {
		t.Errorf("got %v with %d outputs", got, s.Outputs())
	}
	if len(s.pids) != 0 {
		t.Error("a process runs before anybody asked")
	}
	got, err := scores(t.Context(), s, 1, 2, 3)
	if err != nil || !slices.Equal(got, []float64{2, 4, 6}) {
		t.Errorf("got %v, %v", got, err)
	}
	answer, err := s.Answer(t.Context(), model.Call{Rows: x(1), Params: []byte(`{"top":3}`)})
	if err != nil || string(answer) != `[{"x": 1.0, "params": {"top": 3}}]` {
		t.Errorf("got %s, %v", answer, err)
	}
	if s.Size() < 1<<20 {
		t.Errorf("a process takes %d bytes", s.Size())
	}
	_, err = s.Score(t.Context(), frame.New(frame.NumberColumn("y", []float64{1})))
	kindIs(t, err, fault.Invalid)
}

// What a model does to its process, what its caller gets, and that it comes back.
func TestAFailingProcessFailsItsCallersAloneAndComesBack(t *testing.T) {
	for _, c := range []struct {
		name string
		x    float64
		kind fault.Kind
		says string
	}{
		{"it exits", -2, fault.Unavailable, "exit status 4"},
		{"it hangs", -3, fault.Unavailable, "did not answer in time"},
		{"it is killed", -8, fault.Unavailable, "signal: killed"},
		{"it runs out of memory", -4, fault.Unavailable, "more memory than it may have"},
		{"it writes garbage to the socket", -6, fault.Unavailable, "no frame"},
		{"it claims a body without end", -10, fault.Unavailable, "no frame"},
		{"it gives too many answers", -7, fault.Invalid, "the model cannot take the row"},
		{"it raises an error", -1, fault.Invalid, "ValueError: minus one is bad"},
		{"it calls exit", -11, fault.Invalid, "SystemExit: 5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			deadline := time.Minute
			if c.name == "it hangs" {
				deadline = time.Second
			}
			h := host(t, Options{Deadline: deadline, Memory: 600 << 20})
			s, other := open(t, h, odd(t)), open(t, h, odd(t))
			for _, s := range []*Scorer{s, other} {
				if err := s.Warm(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			began := time.Now()
			_, err := scores(t.Context(), s, c.x)
			kindIs(t, err, c.kind)
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want it to say %q", err, c.says)
			}
			if took := time.Since(began); took > deadline+5*time.Second {
				t.Errorf("the caller waited %s", took)
			}
			for _, s := range []*Scorer{other, s} {
				if err := s.Warm(t.Context()); err != nil {
					t.Error(err)
				}
				if got, err := scores(t.Context(), s, 4); err != nil || got[0] != 8 {
					t.Errorf("afterwards it gives %v, %v", got, err)
				}
			}
		})
	}
}

func TestAProcessThatIsKilledFromOutsideComesBack(t *testing.T) {
	s := open(t, host(t, Options{}), odd(t))
	for range 3 {
		if err := s.Warm(t.Context()); err != nil {
			t.Fatal(err)
		}
		for pid := range pids(s) {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
		var got []float64
		err := fault.New(fault.Unavailable, "not asked")
		for range 20 { // one caller may meet the dying process
			values, e := scores(t.Context(), s, 4)
			if got = values; e == nil {
				err = nil
				break
			}
		}
		if err != nil || got[0] != 8 {
			t.Errorf("got %v, %v", got, err)
		}
	}
}

func pids(s *Scorer) map[int]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[int]bool{}
	for pid := range s.pids {
		out[pid] = true
	}
	return out
}

func TestAModelThatExitsAtImportIsToldAtOnceAndThenRests(t *testing.T) {
	h := host(t, Options{})
	h.policy.failures = 3
	f := odd(t)
	f[Folder+"exit_at_import"] = ""
	s := open(t, h, f)
	for range 3 {
		_, err := scores(t.Context(), s, 1)
		kindIs(t, err, fault.Unavailable)
		if err != nil && !strings.Contains(err.Error(), "exit status 3; it printed last: there is nothing to import") &&
			!strings.Contains(err.Error(), "there is nothing to import") {
			t.Errorf("got %v", err)
		}
	}
	_, err := scores(t.Context(), s, 1)
	kindIs(t, err, fault.Unavailable)
	if err == nil || !strings.Contains(err.Error(), "rests") {
		t.Errorf("got %v, want that it rests", err)
	}
	if err := os.Remove(filepath.Join(s.folder.path, "exit_at_import")); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.health.again = time.Now() // its rest is over
	s.mu.Unlock()
	if got, err := scores(t.Context(), s, 4); err != nil || got[0] != 8 {
		t.Errorf("after its rest it gives %v, %v", got, err)
	}
}

func TestAModelOfSeveralProcessesAnswersWhileOneHangs(t *testing.T) {
	s := open(t, host(t, Options{Workers: 2, Deadline: time.Second}), odd(t))
	for len(pids(s)) < 2 {
		if err := s.Warm(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := s.Answer(t.Context(), model.Call{Rows: x(-3)})
		kindIs(t, err, fault.Unavailable)
	})
	for !strings.Contains(s.out.last(1), "it hangs") {
		time.Sleep(time.Millisecond)
	}
	for i := range 20 {
		if got, err := scores(t.Context(), s, float64(i)); err != nil || got[0] != float64(2*i) {
			t.Errorf("got %v, %v", got, err)
		}
	}
	wg.Wait()
}

func TestAProcessThatPrintsGigabytesFillsNoDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("it prints two gigabytes")
	}
	h := host(t, Options{Deadline: 2 * time.Minute})
	s := open(t, h, odd(t))
	got, err := scores(t.Context(), s, -5)
	if err != nil || got[0] != -10 {
		t.Errorf("got %v, %v", got, err)
	}
	var size int64
	for _, name := range []string{s.out.path, s.out.path + ".1"} {
		if info, err := os.Stat(name); err == nil {
			size += info.Size()
		}
	}
	if size == 0 || size > 3*logFile {
		t.Errorf("the log has %d bytes", size)
	}
}

func TestABadRowInABatchFailsAlone(t *testing.T) {
	s := open(t, host(t, Options{}), odd(t))
	if err := s.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			v := float64(i)
			if i == 20 {
				v = -1
			}
			got, err := scores(t.Context(), s, v)
			if i == 20 {
				kindIs(t, err, fault.Invalid)
			} else if err != nil || got[0] != 2*v {
				t.Errorf("caller %d got %v, %v", i, got, err)
			}
		})
	}
	wg.Wait()
	many := make([]float64, 100)
	many[73] = -1
	_, err := scores(t.Context(), s, many...)
	if err == nil || !strings.Contains(err.Error(), "row 73: ValueError") {
		t.Errorf("got %v, want row 73", err)
	}
}

func TestManyCallersShareRequests(t *testing.T) {
	reg := prometheus.NewRegistry()
	h := host(t, Options{Metrics: reg})
	s := open(t, h, odd(t))
	if err := s.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	const callers, each = 64, 20
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = scores(t.Context(), s, -13) }) // a slow one, behind which they gather
	for i := range callers {
		wg.Go(func() {
			for j := range each {
				v := float64(i*each + j)
				if got, err := scores(t.Context(), s, v, v+1); err != nil || !slices.Equal(got, []float64{2 * v, 2*v + 2}) {
					t.Errorf("got %v, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
	requests := counted(t, reg, "flyball_worker_requests_total")
	if rows := counted(t, reg, "flyball_worker_rows_total"); requests > callers*each/2 || rows != 2*callers*each+1 {
		t.Errorf("%v requests of %v rows for %d calls", requests, rows, callers*each)
	}
}

// counted is the sum of a counter.
func counted(t testing.TB, reg *prometheus.Registry, name string) (n float64) {
	t.Helper()
	all, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}

func TestACallerWithLittleTimeIsToldAndHarmsNobody(t *testing.T) {
	s := open(t, host(t, Options{}), odd(t))
	if err := s.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := pids(s)
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
			defer cancel()
			_, err := scores(ctx, s, -13)
			kindIs(t, err, fault.Unavailable)
		})
	}
	wg.Wait()
	if got, err := scores(t.Context(), s, 4); err != nil || got[0] != 8 {
		t.Errorf("got %v, %v", got, err)
	}
	for pid := range before {
		if !pids(s)[pid] {
			t.Error("the process was started again")
		}
	}
}

func TestCloseLeavesNoProcess(t *testing.T) {
	h := host(t, Options{Workers: 2})
	s := open(t, h, odd(t))
	if _, err := scores(t.Context(), s, -9); err != nil { // it leaves a child
		t.Fatal(err)
	}
	if !running(t, h.opts.Dir) {
		t.Fatal("no process is seen")
	}
	hung := make(chan error, 1)
	go func() {
		_, err := scores(context.Background(), s, -3)
		hung <- err
	}()
	for !strings.Contains(s.out.last(1), "it hangs") {
		time.Sleep(time.Millisecond)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	kindIs(t, <-hung, fault.Unavailable)
	for began := time.Now(); running(t, h.opts.Dir); time.Sleep(time.Millisecond) {
		if time.Since(began) > 5*time.Second { // a killed one may take a moment
			t.Fatal("a process is left")
		}
	}
	_, err := scores(t.Context(), s, 1)
	kindIs(t, err, fault.Unavailable)
	_, err = h.Open(t.Context(), model.Manifest{}, odd(t))
	kindIs(t, err, fault.Unavailable)
}

// running reports whether a process works in a folder below dir.
func running(t *testing.T, dir string) bool {
	t.Helper()
	all, err := os.ReadDir("/proc")
	if err != nil {
		t.Skip("there is no /proc here")
	}
	for _, e := range all {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		if cwd, err := os.Readlink(filepath.Join("/proc", e.Name(), "cwd")); err == nil && strings.HasPrefix(cwd, dir) {
			return true
		}
	}
	return false
}

func TestAFolderStaysAsLongAsSomebodyUsesIt(t *testing.T) {
	h := host(t, Options{})
	a, b := open(t, h, odd(t)), open(t, h, odd(t))
	for _, s := range []*Scorer{a, b} {
		if got, err := scores(t.Context(), s, 4); err != nil || got[0] != 8 {
			t.Errorf("got %v, %v", got, err)
		}
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	}
	if left, err := os.ReadDir(filepath.Join(h.opts.Dir, "models")); len(left) > 0 || err != nil {
		t.Errorf("there is left %v, %v", left, err)
	}
	if got, err := scores(t.Context(), open(t, h, odd(t)), 4); err != nil || got[0] != 8 {
		t.Errorf("opened again it gives %v, %v", got, err)
	}
}

func TestTheModelSeesNoSecretOfTheServer(t *testing.T) {
	t.Setenv("A_SECRET", "password")
	s := open(t, host(t, Options{}), odd(t))
	answer, err := s.Answer(t.Context(), model.Call{Rows: x(-12)})
	if err != nil || string(answer) != `["none"]` {
		t.Errorf("got %s, %v", answer, err)
	}
}

func TestWithoutUVAndPythonItSaysWhatToDo(t *testing.T) {
	h := New(Options{Dir: t.TempDir(), UV: "there-is-no-such-uv"})
	defer func() { _ = h.Close() }()
	_, err := scores(t.Context(), open(t, h, odd(t)), 1)
	kindIs(t, err, fault.Refused)
	if err == nil || !strings.Contains(err.Error(), "install uv") {
		t.Errorf("got %v", err)
	}
}

func TestAFileThatIsNoneIsRefused(t *testing.T) {
	h := host(t, Options{})
	for name, change := range map[string]func(files){
		"no folder":        func(f files) { delete(f, Folder+"flyball_model.py") },
		"a path out of it": func(f files) { f[Folder+"../../x"] = "" },
		"another format":   func(f files) { f[FileName] = `{"format":"x","outputs":1}` },
		"no outputs":       func(f files) { f[FileName] = `{"format":"flyball.worker/v1"}` },
		"a column twice": func(f files) {
			f[FileName] = fmt.Sprintf(`{"format":%q,"outputs":1,"inputs":[%[2]s,%[2]s]}`, Format, `{"name":"x","kind":"text"}`)
		},
		"an unknown method": func(f files) { f[FileName] = `{"format":"flyball.worker/v1","outputs":1,"method":"os.system"}` },
		"no JSON":           func(f files) { f[FileName] = `{` },
		"MLmodel is none":   func(f files) { f[Folder+"MLmodel"] = "\t:" },
		"an alias":          func(f files) { f[Folder+"MLmodel"] = "a: &b {c: d}\ne: *b" },
	} {
		f := odd(t)
		change(f)
		_, err := h.Open(t.Context(), model.Manifest{}, f)
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want an Invalid fault", name, err)
		}
	}
}
