// SPDX-License-Identifier: Apache-2.0

package training

import (
	"bytes"
	"context"
	"path"
	"path/filepath"
	"strings"

	"flyball/blob"
	"flyball/fault"
	"flyball/training/environment"
	"flyball/training/executor"
)

// observer is an executor that can say what an interpreter is that its jobs would run.
type observer interface {
	Observe(ctx context.Context, python string) (environment.Python, error)
}

// interpreter has the job run in the Python that the requirements file of the model file
// asks for or, when a version is made again, in that of its record; it notes which it is.
// The first run of a command decides for all of its training.
func (w *work) interpreter(ctx context.Context, requirements string, j *executor.Job) error {
	program := j.Command[0]
	if !w.settled {
		var err error
		switch {
		case w.lock != nil:
			w.made, err = w.Interpreter(ctx, w.lock, program)
		case requirements != "":
			w.made, err = w.required(ctx, requirements)
		}
		if err != nil && requirements != "" {
			return err
		}
		if err != nil { // the one that is found here does for a version that did with such
			w.Logger.Warn("a recorded Python environment is not made again", "model", w.recipe.Model, "error", err)
			w.result.instead = err.Error()
		}
		w.settled = true
	}
	if w.made != "" {
		j.Path = []string{filepath.Dir(w.made)}
		if environment.IsPython(program) {
			j.Command = append([]string{w.made}, j.Command[1:]...)
		}
		program = w.made
	}
	w.observe(ctx, program)
	return nil
}

// required makes the environment of a requirements file, which came with the model file.
func (w *work) required(ctx context.Context, name string) (string, error) {
	file, ok := w.request.Code[path.Clean(name)]
	if !ok {
		return "", fault.New(fault.Invalid, "train.environment names %s, which did not come with the model file", name)
	}
	if w.Environment == nil {
		return "", fault.New(fault.Refused, "the training needs the Python environment of %s, and none is made here", name).
			Do("leave train.environment out, or start the server with flyball serve --executor local")
	}
	list, err := blob.ReadAll(ctx, w.Blobs, file.Digest, maxSource)
	if err != nil {
		return "", err
	}
	w.progress("making the Python environment of " + name)
	return w.Environment(ctx, environment.Need{Python: environment.PythonOf(list), Requirements: list})
}

// Interpreter is a Python that is what the lock of a record says: the program, where it is
// such a one here, or that of an environment that is made. Where its very version of
// Python cannot be had, another of the same minor version does. That there is none is a
// Refused or an Unavailable fault that says why.
func (t *Trainer) Interpreter(ctx context.Context, lock []byte, program string) (string, error) {
	on, _ := executor.On(t.Executor, "")
	if o, ok := on.(observer); ok && environment.IsPython(program) {
		if p, err := o.Observe(ctx, program); err == nil && bytes.Equal(p.Lock(), lock) {
			return p.Path, nil
		}
	}
	if t.Environment == nil {
		return "", fault.New(fault.Refused, "the recorded Python environment is not that of %s, and none is made here", program)
	}
	need := environment.Whole(lock)
	python, err := t.Environment(ctx, need)
	if parts := strings.SplitN(need.Python, ".", 3); err != nil && ctx.Err() == nil && len(parts) == 3 {
		need.Python = parts[0] + "." + parts[1]
		if near, failed := t.Environment(ctx, need); failed == nil {
			return near, nil
		}
	}
	return python, err
}

// observe notes what interpreter the program is, once. That it does not tell hinders
// nothing: the record lacks it then.
func (w *work) observe(ctx context.Context, program string) {
	on, _ := w.on()
	o, ok := on.(observer)
	if !ok || w.python != nil || !environment.IsPython(program) {
		return
	}
	p, err := o.Observe(ctx, program)
	if err != nil {
		w.Logger.Warn("the Python of a training is not known", "model", w.recipe.Model, "program", program, "error", err)
		return
	}
	w.python = &p
}
