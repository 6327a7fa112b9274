// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"flyball/fault"
	"flyball/training/environment"
)

// lookup is a lookup of the operator's interpreter.
type lookup struct {
	mu   sync.Mutex
	path string // set when it is found
}

// interpreter is the Python that runs a model: the operator's, or that of an environment
// with the model's requirements and more, which is made when it is not there. Where
// there is neither the operator's nor uv it is a Refused fault.
func (h *Host) interpreter(ctx context.Context, python string, f folder, more string, log *slog.Logger) (string, error) {
	if h.opts.Python != "" {
		return h.operators(ctx)
	}
	uv, err := environment.UV(h.opts.UV)
	if err != nil {
		return "", fault.New(fault.Refused, "the model needs Python, and there is neither uv nor an interpreter for it").
			Do("install uv (https://docs.astral.sh/uv), or name an interpreter that has what the model needs")
	}
	requirements, err := f.read("requirements.txt")
	if err != nil {
		return "", err
	}
	m := environment.Maker{Dir: filepath.Join(h.opts.Dir, "env"), UV: uv, Logger: log}
	return m.Make(ctx, environment.Need{Python: minor(python), Requirements: append(requirements, more...), From: f.path})
}

// operators is the interpreter that the operator named, by its own word: what is named
// may be a script that looks for one.
func (h *Host) operators(ctx context.Context) (string, error) {
	m := &h.operator
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.path != "" {
		return m.path, nil
	}
	python, err := exec.LookPath(h.opts.Python)
	if err != nil {
		return "", fault.Wrap(err, fault.Refused, "the interpreter %q cannot be run", h.opts.Python)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, python, "-I", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		return "", fault.Wrap(err, fault.Refused, "the interpreter %q does not run", h.opts.Python)
	}
	m.path = strings.TrimSpace(string(out))
	if m.path == "" {
		m.path = python
	}
	return m.path, nil
}
