// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"flyball/fault"
	"flyball/training/executor"
	"flyball/unit"
)

const (
	tokenVariable = "FLYBALL_ATTEMPT" // of a program and all that it starts
	grace         = 5 * time.Second   // between asking a program to end and ending it
	sampling      = 100 * time.Millisecond
	measuring     = 20 // samples between two looks at the size of the folder
	maxOutputs    = 100_000
	readyPipe     = 3 // the file by which the submitter is told
)

// Supervise runs the job of a folder, once in its life: a second supervisor of a job
// that began finds that out and does nothing. It returns when the job has ended and how
// it ended is on the disk. Only a process of its own may call it: it reaps all children
// and bounds itself.
func Supervise(dir string) error {
	ready := os.NewFile(readyPipe, "ready")
	syscall.CloseOnExec(readyPipe)
	tell := func() { _ = ready.Close() }
	defer tell()
	return supervise(dir, tell)
}

// Run lays the job and runs it to its end in this process, for one that was started for
// it alone, as on a node of a cluster; what holds for Supervise holds for it. Meanwhile
// Poll, Logs and Cancel of the job's HandleOf do as always. How the program ended is
// Poll's to say; an error is that it could not begin.
func (e *Executor) Run(ctx context.Context, j executor.Job) error {
	dir := e.folder(HandleOf(j.Key))
	if err := e.place(ctx, dir, j); err != nil {
		return err
	}
	return supervise(dir, func() {})
}

// supervise is Supervise; tell is called when the job is ours and about to begin.
func supervise(dir string, tell func()) error {
	runtime.LockOSThread() // the program ends when the thread that started it does
	t, err := readTask(dir)
	if err != nil {
		return err
	}
	lock, err := take(dir)
	if err != nil || lock == nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	s := &supervisor{task: t, dir: dir, asked: make(chan struct{}, 1), status: executor.Status{Began: time.Now(), Usage: executor.Usage{CPUs: t.Limits.CPUs}}}
	if err := s.listen(); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(dir, startedFile), begun{At: s.status.Began}); err != nil {
		return err
	}
	tell()
	s.run()
	s.status.Ended = time.Now()
	s.status.Usage.Seconds = s.status.Ended.Sub(s.status.Began).Seconds()
	end := s.status
	end.Manifest = nil // it has a file of its own
	return writeJSON(filepath.Join(dir, endFile), end)
}

// take locks the job; nil where another has it or had it.
func take(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the job cannot be locked")
	}
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		for _, name := range []string{startedFile, endFile} {
			if _, there := os.Stat(filepath.Join(dir, name)); there == nil {
				return nil, f.Close()
			}
		}
		switch {
		case err == nil:
			return f, nil
		case !errors.Is(err, syscall.EWOULDBLOCK) || time.Since(began) > 10*time.Second: // who only looks has it for an instant
			return nil, errors.Join(fault.Wrap(err, fault.Unavailable, "the job cannot be locked"), f.Close())
		}
	}
}

// supervisor is a job under way.
type supervisor struct {
	task   task
	dir    string
	asked  chan struct{} // somebody called
	stop   chan os.Signal
	status executor.Status
}

// listen has calls and signals arrive.
func (s *supervisor) listen() error {
	s.stop = make(chan os.Signal, 1)
	signal.Notify(s.stop, syscall.SIGTERM)
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGPIPE)
	pipe, err := os.OpenFile(filepath.Join(s.dir, callFile), os.O_RDWR, 0) // it is a writer too, so the pipe never ends
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "the job cannot be listened to")
	}
	go func() {
		b := make([]byte, 64)
		for {
			if _, err := pipe.Read(b); err != nil {
				return
			}
			select {
			case s.asked <- struct{}{}:
			default:
			}
		}
	}()
	return nil
}

// canceled reports whether somebody wants the job to end.
func (s *supervisor) canceled() bool {
	_, err := os.Stat(filepath.Join(s.dir, cancelFile))
	return err == nil
}

func (s *supervisor) end(state executor.State, format string, args ...any) {
	s.status.State, s.status.Reason = state, fmt.Sprintf(format, args...)
}

// run has the program run and says how it ended.
func (s *supervisor) run() {
	if s.canceled() {
		s.end(executor.Canceled, "it was canceled before it began")
		return
	}
	cmd, err := s.start()
	if err != nil {
		s.end(executor.Failed, "the program %s cannot be run: %v", s.task.Program, err)
		return
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	s.watch(cmd.Process.Pid, ended)
	s.reap(cmd.Process.Pid)
	s.use()
	if s.status.State != "" {
		return
	}
	state := cmd.ProcessState
	if !state.Success() && s.told() {
		s.end(executor.Lost, toldToEnd)
		return
	}
	s.status.Exit = state.ExitCode()
	if w, ok := state.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		s.status.Exit = 128 + int(w.Signal())
		s.end(executor.Failed, "the program was ended by the signal %d (%s)", int(w.Signal()), w.Signal())
		return
	}
	if s.status.Exit != 0 {
		s.end(executor.Failed, "the program ended with exit code %d", s.status.Exit)
		return
	}
	s.commit()
}

const toldToEnd = "its supervisor was told to end, as when the machine stops"

// told reports whether we were told to end. Who ends all processes of a job tells each of
// them, and the program may hear it before us.
func (s *supervisor) told() bool {
	t := time.NewTimer(sampling)
	defer t.Stop()
	select {
	case <-s.stop:
		return true
	case <-t.C:
		return false
	}
}

// start starts the program in a group of its own.
func (s *supervisor) start() (*exec.Cmd, error) {
	if err := bound(s.task.Limits); err != nil {
		return nil, err
	}
	out, err := os.OpenFile(filepath.Join(s.dir, logFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	program := s.task.Program
	in := filepath.Join(s.dir, inFolder)
	if !filepath.IsAbs(program) {
		program = filepath.Join(in, program)
	}
	cmd := exec.Command(program, s.task.Args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = in, s.task.Env, out, out
	cmd.SysProcAttr = attributes()
	adopt()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	spare(cmd.Process.Pid)
	return cmd, nil
}

// watch waits for the program to end, and ends it when it is asked to, or a limit is
// passed.
func (s *supervisor) watch(pid int, ended <-chan error) {
	var deadline <-chan time.Time
	if limit := s.task.Limits.Time.D(); limit > 0 {
		t := time.NewTimer(limit)
		defer t.Stop()
		deadline = t.C
	}
	tick := time.NewTicker(sampling)
	defer tick.Stop()
	for looks := 1; s.status.State == ""; {
		select {
		case <-ended:
			return
		case <-s.asked:
			if s.canceled() {
				s.end(executor.Canceled, "it was canceled")
			}
		case <-s.stop:
			s.end(executor.Lost, toldToEnd)
		case <-deadline:
			s.end(executor.Failed, "it took longer than its limit of %s", s.task.Limits.Time)
		case <-tick.C:
			s.sample(looks%measuring == 0)
			looks++
		}
	}
	_ = syscall.Kill(-pid, syscall.SIGTERM)
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-ended:
	case <-t.C:
		_ = syscall.Kill(-pid, syscall.SIGKILL)
		<-ended
	}
}

// sample looks at the memory of all processes, and now and then at the folder's size.
func (s *supervisor) sample(folder bool) {
	if limit := s.task.Limits.Memory; limit > 0 {
		if used := memoryOf(descendants(os.Getpid())); used > int64(limit) {
			s.end(executor.Failed, "its processes used more memory than its limit of %s", limit)
		}
	}
	if !folder {
		return
	}
	if used := sizeOf(s.dir); used > int64(s.task.Limits.Output) {
		s.end(executor.Failed, "its folder holds more than its limit of %s", s.task.Limits.Output)
	}
}

// reap ends all that the program left behind, whatever group and session it made for
// itself, and waits until nothing of it is there.
func (s *supervisor) reap(pid int) {
	for {
		_ = syscall.Kill(-pid, syscall.SIGKILL)
		left := append(descendants(os.Getpid()), tokened(s.task.Token)...)
		for _, p := range left {
			_ = syscall.Kill(p, syscall.SIGKILL)
		}
		for {
			got, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			if err == nil && got > 0 {
				continue
			}
			if errors.Is(err, syscall.ECHILD) && len(left) == 0 {
				return
			}
			break
		}
		time.Sleep(time.Millisecond)
	}
}

// use notes what the processes used that ended.
func (s *supervisor) use() {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_CHILDREN, &r) != nil {
		return
	}
	s.status.Usage.CPU = time.Duration(r.Utime.Nano() + r.Stime.Nano()).Seconds()
	s.status.Usage.Memory = unit.Bytes(int64(r.Maxrss) * rssUnit)
}

// commit writes the manifest of the outputs under the token of the attempt.
func (s *supervisor) commit() {
	m := executor.Manifest{Token: s.task.Token, Files: map[string]executor.File{}}
	out := filepath.Join(s.dir, outFolder)
	err := filepath.WalkDir(out, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(out, path)
		if err != nil {
			return err
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is no plain file", filepath.ToSlash(name))
		}
		if len(m.Files) == maxOutputs {
			return fmt.Errorf("there are more than %d files", maxOutputs)
		}
		m.Files[filepath.ToSlash(name)], err = sum(path)
		return err
	})
	switch {
	case err != nil:
		s.end(executor.Failed, "what the program left in the output folder cannot be taken: %v", err)
		return
	case len(m.Files) == 0:
		s.end(executor.Failed, "the program ended well and left nothing in the output folder")
		return
	}
	if err := writeJSON(filepath.Join(s.dir, manifestFile), m); err != nil {
		s.end(executor.Failed, "the manifest of the outputs cannot be written: %v", err)
		return
	}
	s.status.State = executor.Succeeded
}

func sum(path string) (executor.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return executor.File{}, err
	}
	h := sha256.New()
	n, err := io.Copy(h, f)
	return executor.File{Size: n, SHA256: hex.EncodeToString(h.Sum(nil))}, errors.Join(err, f.Close())
}

// sizeOf is what the files below a folder hold; what comes and goes meanwhile does not
// matter.
func sizeOf(dir string) int64 {
	var n int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil //nolint:nilerr // it is gone
		}
		if info, err := d.Info(); err == nil {
			n += info.Size()
		}
		return nil
	})
	return n
}

// bound sets what this process, and so those that it starts, may at most: the size of
// one file, and no dumps of memory.
func bound(l executor.Limits) error {
	size := uint64(l.Output)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: size}); err != nil {
		return fmt.Errorf("bound the size of files: %w", err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil {
		return fmt.Errorf("bound dumps: %w", err)
	}
	return nil
}
