// SPDX-License-Identifier: Apache-2.0

// Package local runs jobs on this machine. Each has a supervisor: this same program,
// started again in a session of its own, which starts the job's program, bounds it,
// writes down how it ended, and ends itself. So a job survives whoever submitted it, and
// is found again by its folder. It needs Linux or another Unix.
//
// It does not hold a program back from what its user may do: it is no sandbox. Whoever
// may submit runs code as the user of the server.
package local

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"flyball/blob"
	"flyball/fault"
	"flyball/training/executor"
)

// Verb is the hidden command that a supervisor is started with; the folder of its job
// follows.
const Verb = "supervise"

// The files of a job's folder; docs/formats/job.md describes them.
const (
	jobFile      = "job.json"      // what to do, and the token of the attempt
	lockFile     = "lock"          // held by the supervisor as long as it lives
	startedFile  = "started.json"  // written before the program starts: it never starts again
	manifestFile = "manifest.json" // of the outputs
	endFile      = "end.json"      // how it ended; it is written last
	cancelFile   = "cancel"        // somebody wants it to end
	callFile     = "call"          // a pipe by which the supervisor is woken
	logFile      = "log"
	inFolder     = "in"
	outFolder    = "out"
	tmpFolder    = "tmp"
)

// Options are what an Executor is made of. Dir is needed.
type Options struct {
	Dir string // holds a folder for each job; it is made when it is not there

	// Supervisor begins the command of a supervisor, which Supervise must answer to.
	// Empty: this program with Verb.
	Supervisor []string

	// Path are folders that programs are looked for in, before those of PATH.
	Path []string

	Server string // our address, which stands for {server}

	Logger *slog.Logger // nil: none
}

// Executor is a training/executor.Executor of this machine. Many, in many processes, may
// share a folder.
type Executor struct {
	opts Options
}

// New makes an Executor. It starts nothing.
func New(o Options) (*Executor, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the folder %s for jobs cannot be made", o.Dir)
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the folder for jobs cannot be found")
	}
	o.Dir = dir
	if len(o.Supervisor) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, fault.Wrap(err, fault.Unavailable, "the program that would supervise jobs cannot be found")
		}
		o.Supervisor = []string{self, Verb}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Executor{opts: o}, nil
}

// task is job.json.
type task struct {
	Key     string          `json:"key"`
	Token   string          `json:"token"`
	Program string          `json:"program"` // absolute, or relative to the folder of inputs
	Args    []string        `json:"args"`
	Env     []string        `json:"env"`
	Limits  executor.Limits `json:"limits"`
}

// begun is started.json.
type begun struct {
	At time.Time `json:"at"`
}

func (e *Executor) folder(h executor.Handle) string { return filepath.Join(e.opts.Dir, string(h)) }

// HandleOf is the handle of the job of the key.
func HandleOf(key string) executor.Handle { return executor.Handle(blob.Sum([]byte(key))[:32]) }

// Submit starts the job's supervisor, unless one was started.
func (e *Executor) Submit(ctx context.Context, j executor.Job) (executor.Handle, error) {
	h := HandleOf(j.Key)
	dir := e.folder(h)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := e.place(ctx, dir, j); err != nil {
			return "", err
		}
	}
	if _, err := readTask(dir); err != nil {
		return "", err
	}
	return h, e.wake(ctx, dir)
}

// place makes the folder of a job, whole or not at all.
func (e *Executor) place(ctx context.Context, dir string, j executor.Job) (err error) {
	beside, err := os.MkdirTemp(e.opts.Dir, ".new-*")
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "a folder for the job cannot be made")
	}
	defer func() { err = errors.Join(err, os.RemoveAll(beside)) }()
	t, err := e.task(dir, j)
	if err != nil {
		return err
	}
	for _, sub := range []string{inFolder, outFolder, tmpFolder} {
		if err := os.Mkdir(filepath.Join(beside, sub), 0o700); err != nil {
			return fault.Wrap(err, fault.Unavailable, "a folder for the job cannot be made")
		}
	}
	for name, in := range j.Inputs {
		if err := lay(ctx, filepath.Join(beside, inFolder), name, in); err != nil {
			return err
		}
	}
	if err := syscall.Mkfifo(filepath.Join(beside, callFile), 0o600); err != nil {
		return fault.Wrap(err, fault.Unavailable, "a pipe for the job cannot be made")
	}
	if err := writeJSON(filepath.Join(beside, jobFile), t); err != nil {
		return err
	}
	if err := os.Rename(beside, dir); err != nil {
		if _, there := os.Stat(dir); there == nil {
			return nil // somebody else was faster
		}
		return fault.Wrap(err, fault.Unavailable, "the folder of the job cannot be made")
	}
	return nil
}

// lay writes one input.
func lay(ctx context.Context, dir, name string, in executor.Input) (err error) {
	if !filepath.IsLocal(name) || strings.Contains(name, `\`) {
		return fault.New(fault.Invalid, "%q is not the path of a file in a folder", name)
	}
	to := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return fault.Wrap(err, fault.Unavailable, "the input %s cannot be written", name)
	}
	from, err := in.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	mode := os.FileMode(in.Mode).Perm()
	if mode == 0 {
		mode = 0o600
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "the input %s cannot be written", name)
	}
	n, err := io.Copy(f, from)
	if err = errors.Join(err, f.Close()); err != nil {
		return fault.Wrap(err, fault.Unavailable, "the input %s cannot be written", name)
	}
	if n != in.Size {
		return fault.New(fault.Invalid, "the input %s has %d bytes, not %d", name, n, in.Size)
	}
	return nil
}

// task is the job as its supervisor gets it.
func (e *Executor) task(dir string, j executor.Job) (task, error) {
	if len(j.Command) == 0 {
		return task{}, fault.New(fault.Invalid, "the job has no command")
	}
	program, err := e.program(j)
	if err != nil {
		return task{}, err
	}
	if have := machineMemory(); have > 0 && int64(j.Limits.Memory) > have {
		return task{}, fault.New(fault.Invalid, "the job may use %s, and this machine has %d bytes of memory", j.Limits.Memory, have)
	}
	if l := j.Limits; l.GPUs > 0 || l.Image != "" || l.Queue != "" {
		return task{}, fault.New(fault.Invalid, "the job asks for a GPU, an image or a queue, and the executor of this machine hands out none").
			Do("leave gpus, image and queue out, or name an executor of a cluster")
	}
	if j.Limits.CPUs <= 0 {
		j.Limits.CPUs = 1
	}
	if j.Limits.Output <= 0 {
		j.Limits.Output = 16 << 30
	}
	t := task{Key: j.Key, Token: rand.Text(), Program: program, Limits: j.Limits}
	spell := strings.NewReplacer("{in}", filepath.Join(dir, inFolder), "{out}", filepath.Join(dir, outFolder), "{server}", e.opts.Server)
	for _, a := range j.Command[1:] {
		t.Args = append(t.Args, spell.Replace(a))
	}
	t.Env = e.environ(dir, j, t.Token, spell)
	return t, nil
}

// program finds the program of a job, as a shell would.
func (e *Executor) program(j executor.Job) (string, error) {
	name := j.Command[0]
	if name == executor.Self {
		return e.opts.Supervisor[0], nil
	}
	if _, ok := j.Inputs[filepath.ToSlash(filepath.Clean(name))]; ok && filepath.IsLocal(name) {
		return name, nil
	}
	if !strings.ContainsRune(name, filepath.Separator) {
		for _, dir := range slices.Concat(j.Path, e.opts.Path) {
			if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return filepath.Abs(path)
			}
		}
	}
	path, err := exec.LookPath(name)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return "", fault.Wrap(err, fault.Invalid, "there is no program %s here; install it, or name it by its whole path", name)
	}
	return path, nil
}

// inherited are the variables of ours that a program gets: none of them is a secret.
func inherited() []string {
	return []string{"HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "CUDA_VISIBLE_DEVICES"}
}

// environ is all of a program's environment.
func (e *Executor) environ(dir string, j executor.Job, token string, spell *strings.Replacer) []string {
	path := append(slices.Concat(j.Path, e.opts.Path), os.Getenv("PATH"))
	env := map[string]string{
		"PATH": strings.Join(path, string(filepath.ListSeparator)), "TMPDIR": filepath.Join(dir, tmpFolder), tokenVariable: token,
		"PYTHONUNBUFFERED": "1", "OMP_WAIT_POLICY": "passive",
	}
	for _, name := range inherited() {
		if v, ok := os.LookupEnv(name); ok {
			env[name] = v
		}
	}
	for _, name := range []string{"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "GOMAXPROCS"} {
		env[name] = fmt.Sprint(max(1, j.Limits.CPUs))
	}
	for name, v := range j.Env {
		env[name] = spell.Replace(v)
	}
	var out []string
	for _, name := range sorted(env) {
		out = append(out, name+"="+env[name])
	}
	return out
}

// Output opens a file that the manifest of a job names.
func (e *Executor) Output(_ context.Context, h executor.Handle, name string) (io.ReadCloser, error) {
	s, err := e.look(h)
	if err != nil {
		return nil, err
	}
	if s.Manifest == nil {
		return nil, fault.New(fault.NotFound, "the job has no outputs")
	}
	if _, ok := s.Manifest.Files[name]; !ok {
		return nil, fault.New(fault.NotFound, "the job has no output %s", name)
	}
	root, err := os.OpenRoot(filepath.Join(e.folder(h), outFolder))
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the outputs of the job cannot be read")
	}
	f, err := root.Open(filepath.FromSlash(name))
	if err = errors.Join(err, root.Close()); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the output %s of the job cannot be read", name)
	}
	return f, nil
}

// Logs are what the job has printed from the offset on.
func (e *Executor) Logs(_ context.Context, h executor.Handle, offset int64) (io.ReadCloser, error) {
	if _, err := e.known(h); err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(e.folder(h), logFile))
	if errors.Is(err, fs.ErrNotExist) { // it has not begun
		return io.NopCloser(strings.NewReader("")), nil
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the log of the job cannot be read")
	}
	info, err := f.Stat()
	if err != nil || offset < 0 {
		return nil, errors.Join(fault.Wrap(err, fault.Unavailable, "the log of the job cannot be read"), f.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, offset, max(0, info.Size()-offset)), f}, nil
}

// Forget removes the folder of an ended job.
func (e *Executor) Forget(_ context.Context, h executor.Handle) error {
	s, err := e.look(h)
	if err != nil {
		return err
	}
	if !s.State.Final() {
		return fault.New(fault.Conflict, "the job is %s", s.State).Do("cancel it before it is forgotten")
	}
	old := filepath.Join(e.opts.Dir, ".old-"+string(h)+"-"+rand.Text()[:8])
	if err := os.Rename(e.folder(h), old); err != nil { // its name is free at once
		return fault.Wrap(err, fault.Unavailable, "the folder of the job cannot be removed")
	}
	return fault.Wrap(os.RemoveAll(old), fault.Unavailable, "the folder of the job cannot be removed")
}

func readTask(dir string) (task, error) {
	var t task
	raw, err := os.ReadFile(filepath.Join(dir, jobFile))
	if err == nil {
		err = json.Unmarshal(raw, &t)
	}
	return t, fault.Wrap(err, fault.Unavailable, "the job in %s cannot be read", dir)
}
