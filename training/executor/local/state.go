// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"flyball/fault"
	"flyball/training/executor"
)

// every is how often Cancel looks whether a job has ended.
const every = 10 * time.Millisecond

// known is the task of a handle; a NotFound fault where there is none.
func (e *Executor) known(h executor.Handle) (task, error) {
	if !filepath.IsLocal(string(h)) || filepath.Base(string(h)) != string(h) {
		return task{}, fault.New(fault.NotFound, "there is no job %q", h)
	}
	if _, err := os.Stat(e.folder(h)); errors.Is(err, fs.ErrNotExist) {
		return task{}, fault.New(fault.NotFound, "there is no job %s", h)
	}
	return readTask(e.folder(h))
}

// Poll says where the job is. One that never began, since its submitter died in between,
// begins now.
func (e *Executor) Poll(ctx context.Context, h executor.Handle) (executor.Status, error) {
	s, err := e.look(h)
	if err == nil && s.State == executor.Pending {
		err = e.wake(ctx, e.folder(h))
	}
	return s, err
}

// look says where the job is and changes nothing, but that what a lost job left behind
// is ended.
func (e *Executor) look(h executor.Handle) (executor.Status, error) {
	t, err := e.known(h)
	if err != nil {
		return executor.Status{}, err
	}
	dir := e.folder(h)
	if s, ok, err := ended(dir, t); ok || err != nil {
		return s, err
	}
	var b begun
	beganErr := readJSON(filepath.Join(dir, startedFile), &b)
	held, err := isHeld(dir)
	switch {
	case err != nil:
		return executor.Status{}, err
	case errors.Is(beganErr, fs.ErrNotExist):
		return executor.Status{State: executor.Pending}, nil
	case held:
		return executor.Status{State: executor.Running, Began: b.At, Usage: executor.Usage{CPUs: t.Limits.CPUs, Seconds: time.Since(b.At).Seconds()}}, nil
	}
	if s, ok, err := ended(dir, t); ok || err != nil { // it ended between the two looks
		return s, err
	}
	sweep(t.Token)
	return executor.Status{
		State: executor.Lost, Began: b.At, Usage: executor.Usage{CPUs: t.Limits.CPUs},
		Reason: "its supervisor ended before it: the machine was restarted, or the supervisor was killed",
	}, nil
}

// ended is how a job ended; false while it has not.
func ended(dir string, t task) (executor.Status, bool, error) {
	var s executor.Status
	err := readJSON(filepath.Join(dir, endFile), &s)
	if errors.Is(err, fs.ErrNotExist) {
		return s, false, nil
	}
	if err != nil {
		return s, false, fault.Wrap(err, fault.Unavailable, "the end of the job cannot be read")
	}
	if s.State != executor.Succeeded {
		return s, true, nil
	}
	s.Manifest = &executor.Manifest{}
	if err := readJSON(filepath.Join(dir, manifestFile), s.Manifest); err != nil {
		return s, false, fault.Wrap(err, fault.Unavailable, "the manifest of the job cannot be read")
	}
	if s.Manifest.Token != t.Token {
		s.State, s.Manifest, s.Reason = executor.Failed, nil, "its manifest has the token of another attempt"
	}
	return s, true, nil
}

// wake starts a supervisor, unless the job has begun. It returns when the supervisor has
// the job, or another has it.
func (e *Executor) wake(ctx context.Context, dir string) error {
	if _, err := os.Stat(filepath.Join(dir, startedFile)); err == nil {
		return nil
	}
	if _, err := os.Stat(filepath.Join(dir, endFile)); err == nil {
		return nil
	}
	ready, theirs, err := os.Pipe()
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "the job's supervisor cannot be started")
	}
	defer func() { _ = ready.Close() }()
	said, err := os.OpenFile(filepath.Join(dir, "supervisor.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return errors.Join(fault.Wrap(err, fault.Unavailable, "the job's supervisor cannot be started"), theirs.Close())
	}
	command := append(slices.Clone(e.opts.Supervisor), dir)
	cmd := exec.Command(command[0], command[1:]...) // no context: it outlives who started it
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, said, said
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	if err = errors.Join(err, theirs.Close(), said.Close()); err != nil {
		return fault.Wrap(err, fault.Unavailable, "the job's supervisor cannot be started")
	}
	e.opts.Logger.Debug("a job's supervisor was started", "pid", cmd.Process.Pid, "folder", dir)
	go func() { _ = cmd.Wait() }() // so that no dead process stays; how it ended is in the folder
	told := make(chan struct{})
	go func() {
		defer close(told)
		_, _ = ready.Read(make([]byte, 1)) // ends when the supervisor closes its end
	}()
	select {
	case <-told:
		return nil
	case <-ctx.Done():
		return fault.Wrap(ctx.Err(), fault.Unavailable, "the job's supervisor did not answer in time")
	}
}

// Cancel ends the job and all its processes.
func (e *Executor) Cancel(ctx context.Context, h executor.Handle) error {
	t, err := e.known(h)
	if err != nil {
		return err
	}
	dir := e.folder(h)
	if err := os.WriteFile(filepath.Join(dir, cancelFile), nil, 0o600); err != nil {
		return fault.Wrap(err, fault.Unavailable, "the job cannot be canceled")
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		call(dir)
		s, err := e.look(h)
		if err != nil {
			return err
		}
		if s.State == executor.Pending {
			err = e.wake(ctx, dir) // a supervisor that finds the wish writes the end
		}
		if err != nil {
			return err
		}
		if s.State.Final() && len(tokened(t.Token)) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fault.Wrap(ctx.Err(), fault.Unavailable, "the job has not ended yet")
		case <-tick.C:
		}
	}
}

// call wakes the supervisor, if there is one.
func call(dir string) {
	f, err := os.OpenFile(filepath.Join(dir, callFile), os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return // nobody listens
	}
	_, _ = f.Write([]byte{1})
	_ = f.Close()
}

// isHeld reports whether a supervisor has the job.
func isHeld(dir string) (bool, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return false, fault.Wrap(err, fault.Unavailable, "the job cannot be looked at")
	}
	defer func() { _ = f.Close() }()
	// Shared, so that two who look do not see each other.
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	return false, fault.Wrap(err, fault.Unavailable, "the job cannot be looked at")
}

func readJSON(path string, to any) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, to)
}

// writeJSON writes a file whole or not at all, and returns when it is on the disk.
func writeJSON(path string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", filepath.Base(path), err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".writing-*")
	if err == nil {
		_, err = f.Write(raw)
		err = errors.Join(err, f.Sync(), f.Close())
		if err == nil {
			err = os.Rename(f.Name(), path)
		}
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}
	return fault.Wrap(err, fault.Unavailable, "%s cannot be written", filepath.Base(path))
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// sweep ends what a lost attempt left behind.
func sweep(token string) {
	for _, pid := range tokened(token) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}
