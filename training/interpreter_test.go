// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"

	"flyball/blob"
	"flyball/fault"
	"flyball/model/registry"
	"flyball/training/environment"
	"flyball/training/executor"
)

// pythons is an executor on a machine with these interpreters, by path.
type pythons struct {
	executor.Executor // nil: nothing is run
	here              map[string]environment.Python
}

func (p pythons) Observe(_ context.Context, program string) (environment.Python, error) {
	found, ok := p.here[program]
	if !ok {
		return found, fault.New(fault.Refused, "there is no %s", program)
	}
	return found, nil
}

// maker makes environments of some versions of Python, and notes what it is asked for.
type maker struct {
	has   []string // empty: all
	asked []environment.Need
}

func (m *maker) make(_ context.Context, n environment.Need) (string, error) {
	m.asked = append(m.asked, n)
	if len(m.has) > 0 && !slices.Contains(m.has, n.Python) {
		return "", fault.New(fault.Refused, "no Python %s", n.Python)
	}
	return "/made/" + n.Python + "/bin/python", nil
}

const recordedLock = "# python 3.11.7\nnumpy==2.4.6\n"

// ofLock is the interpreter at a path that recordedLock tells of.
func ofLock(path string) environment.Python {
	return environment.Python{Path: path, Version: "3.11.7", Packages: []environment.Package{{Name: "numpy", Version: "2.4.6"}}}
}

func TestARecordedEnvironmentIsTheOneHereOrElseIsMade(t *testing.T) {
	other := environment.Python{Path: "/usr/bin/python", Version: "3.12.1"}
	for name, c := range map[string]struct {
		here  environment.Python
		has   []string
		none  bool
		want  string
		asked []string
		says  string
	}{
		"it is here":                           {here: ofLock("/usr/bin/python"), want: "/usr/bin/python"},
		"another is here":                      {here: other, want: "/made/3.11.7/bin/python", asked: []string{"3.11.7"}},
		"its very version cannot be had":       {here: other, has: []string{"3.11"}, want: "/made/3.11/bin/python", asked: []string{"3.11.7", "3.11"}},
		"its minor version cannot be had":      {here: other, has: []string{"3.13"}, asked: []string{"3.11.7", "3.11"}, says: "no Python 3.11.7"},
		"another is here, and none are made":   {here: other, none: true, says: "is not that of python"},
		"it is here, and no others are made":   {here: ofLock("/opt/python"), none: true, want: "/opt/python"},
		"what is here does not say what it is": {want: "/made/3.11.7/bin/python", asked: []string{"3.11.7"}},
	} {
		m := &maker{has: c.has}
		tr := &Trainer{Executor: pythons{here: map[string]environment.Python{}}, Environment: m.make}
		if c.here.Path != "" {
			tr.Executor = pythons{here: map[string]environment.Python{"python": c.here}}
		}
		if c.none {
			tr.Environment = nil
		}
		got, err := tr.Interpreter(t.Context(), []byte(recordedLock), "python")
		if got != c.want || c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
		var asked []string
		for _, n := range m.asked {
			if !n.Whole || string(n.Requirements) != recordedLock {
				t.Errorf("%s: asked for %+v", name, n)
			}
			asked = append(asked, n.Python)
		}
		if !slices.Equal(asked, c.asked) {
			t.Errorf("%s: asked for %v", name, asked)
		}
	}
}

// command is the work of a training by the command, with requirements.txt beside it.
func command(t *testing.T, m *maker, lock string, here map[string]environment.Python) *work {
	t.Helper()
	blobs := blob.Memory()
	d, n, err := blobs.Put(t.Context(), strings.NewReader("# python 3.12\nnumpy\n"))
	if err != nil {
		t.Fatal(err)
	}
	w := &work{
		Trainer:  &Trainer{Blobs: blobs, Executor: pythons{here: here}, Logger: slog.New(slog.DiscardHandler), Environment: m.make},
		progress: func(string) {},
		request:  Request{Code: map[string]registry.DataFile{"requirements.txt": {Digest: d, Size: n}}},
	}
	if lock != "" {
		w.lock = []byte(lock)
	}
	return w
}

func TestACommandRunsInTheEnvironmentOfItsRequirementsWhichIsMadeOnce(t *testing.T) {
	made := "/made/3.12/bin/python"
	m := &maker{}
	w := command(t, m, "", map[string]environment.Python{made: ofLock(made)})
	for range 2 { // each fit is a job
		for _, c := range []struct{ command, want []string }{
			{[]string{"python", "train.py"}, []string{made, "train.py"}},
			{[]string{"python3.11", "-m", "train"}, []string{made, "-m", "train"}},
			{[]string{"sh", "train.sh"}, []string{"sh", "train.sh"}},
		} {
			j := executor.Job{Command: c.command}
			if err := w.interpreter(t.Context(), "./requirements.txt", &j); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(j.Command, c.want) || !slices.Equal(j.Path, []string{"/made/3.12/bin"}) {
				t.Errorf("%v: got %v in %v", c.command, j.Command, j.Path)
			}
		}
	}
	want := []environment.Need{{Python: "3.12", Requirements: []byte("# python 3.12\nnumpy\n")}}
	if !reflect.DeepEqual(m.asked, want) {
		t.Errorf("asked for %+v", m.asked)
	}
	if w.python == nil || w.python.Path != made {
		t.Errorf("noted %+v", w.python)
	}
}

func TestAnEnvironmentThatCannotBeMadeStopsATrainingThatAsksForIt(t *testing.T) {
	j := executor.Job{Command: []string{"python", "train.py"}}
	w := command(t, &maker{has: []string{"2.7"}}, "", nil)
	if err := w.interpreter(t.Context(), "requirements.txt", &j); !fault.Is(err, fault.Refused) {
		t.Errorf("got %v", err)
	}
	if err := w.interpreter(t.Context(), "another.txt", &j); !fault.Is(err, fault.Invalid) {
		t.Errorf("a file that did not come: got %v", err)
	}
	w.Environment = nil
	if err := w.interpreter(t.Context(), "requirements.txt", &j); err == nil || !strings.Contains(err.Error(), "none is made here") {
		t.Errorf("got %v", err)
	}
}

func TestAVersionThatAskedForNoneIsMadeAgainInThePythonHereAndSaysWhy(t *testing.T) {
	other := environment.Python{Path: "/usr/bin/python", Version: "3.12.1"}
	w := command(t, &maker{has: []string{"2.7"}}, recordedLock, map[string]environment.Python{"python": other})
	j := executor.Job{Command: []string{"python", "train.py"}}
	if err := w.interpreter(t.Context(), "", &j); err != nil {
		t.Fatal(err)
	}
	if j.Command[0] != "python" || j.Path != nil || w.python.Version != "3.12.1" || w.result.instead != "no Python 3.11.7" {
		t.Errorf("got %v in %v, noted %+v, %q", j.Command, j.Path, w.python, w.result.instead)
	}
	if err := command(t, &maker{has: []string{"2.7"}}, recordedLock, nil).interpreter(t.Context(), "requirements.txt", &j); err == nil {
		t.Error("one that asked for its environment was made without it")
	}
}
