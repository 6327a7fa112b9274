// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// files are a bundle's files in memory.
type files map[string]string

func (f files) Names() []string {
	var out []string
	for name := range f {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func (f files) Read(name string) ([]byte, error) {
	s, ok := f[name]
	if !ok {
		return nil, fault.New(fault.NotFound, "there is no %s", name)
	}
	return []byte(s), nil
}

// plainPython is an interpreter that need have nothing but its standard library.
func plainPython(t testing.TB) string {
	t.Helper()
	python := os.Getenv("FLYBALL_PYTHON")
	if python == "" {
		python = "python3"
	}
	path, err := exec.LookPath(python)
	if err != nil {
		t.Skip("no python3: set FLYBALL_PYTHON")
	}
	return path
}

// odd is the model of testdata/odd.py, which does what a number in its row says.
func odd(t testing.TB) files {
	t.Helper()
	b, err := os.ReadFile("testdata/odd.py")
	if err != nil {
		t.Fatal(err)
	}
	return files{
		FileName:                    `{"format":"flyball.worker/v1","inputs":[{"name":"x","kind":"number"}],"outputs":1,"kind":"regression"}`,
		Folder + "flyball_model.py": string(b),
	}
}

func host(t testing.TB, o Options) *Host {
	t.Helper()
	o.Dir = t.TempDir()
	if o.Python == "" {
		o.Python = plainPython(t)
	}
	h := New(o)
	h.policy.first = 10 * time.Millisecond
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func open(t testing.TB, h *Host, f files) *Scorer {
	t.Helper()
	s, err := h.Open(context.Background(), model.Manifest{Model: "odd", Estimator: FileName}, f)
	if err != nil {
		t.Fatal(err)
	}
	return s.(*Scorer)
}

func x(v ...float64) *frame.Frame { return frame.New(frame.NumberColumn("x", v)) }

// scores asks for the scores of one column.
func scores(ctx context.Context, s *Scorer, v ...float64) ([]float64, error) {
	out, err := s.Score(ctx, x(v...))
	return out.Values, err
}

func kindIs(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	if !fault.Is(err, kind) || err == nil {
		t.Errorf("got %v, want a fault of kind %s", err, kind)
	}
}
