// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"cmp"
	"context"
	_ "embed" // the program
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/blob"
	"flyball/fault"
	"flyball/model"
)

//go:embed flyball_worker.py
var program []byte

// Options are what a Host works with. Only Dir is needed.
type Options struct {
	// Dir is a folder for the models' files, their environments and what they print.
	Dir string

	// Python is an interpreter that runs all models as it is. Empty: uv makes an
	// environment for each list of requirements.
	Python string

	// UV is the program uv. Empty: the one of PATH, if there is one.
	UV string

	Memory   int64         // bytes of address space that a process may have; 0: no limit
	Threads  int           // of the numeric libraries in a process; 0: 1
	Deadline time.Duration // for one answer, after which the process is killed; 0: 30 s
	Start    time.Duration // for loading a model; 0: 5 min
	MaxBatch int           // rows of different callers in one request; 0: 256
	Queue    int           // callers that may wait for a model; 0: 4096
	Workers  int           // processes of a model; 0: 1

	// Env are more variables for the processes, as "name=value". They see none of the
	// server's but PATH, LANG, LC_ALL, TZ and LD_LIBRARY_PATH.
	Env []string

	Logger  *slog.Logger          // nil: none
	Metrics prometheus.Registerer // nil: none
	Now     func() time.Time      // nil: time.Now
}

// Host runs the processes of all models that need one. It may be used by many
// goroutines at once.
type Host struct {
	opts    Options
	metrics *metrics
	policy  policy

	mu     sync.Mutex
	open   map[*Scorer]struct{}
	closed bool
	used   map[string]int // how many use a model's folder, by key

	operator lookup
}

// New makes a host. It starts nothing: a model's process starts when it is first asked.
func New(opts Options) *Host {
	opts.Threads = cmp.Or(opts.Threads, 1)
	opts.Deadline = cmp.Or(opts.Deadline, 30*time.Second)
	opts.Start = cmp.Or(opts.Start, 5*time.Minute)
	opts.MaxBatch = cmp.Or(opts.MaxBatch, 256)
	opts.Queue = cmp.Or(opts.Queue, 4096)
	opts.Workers = cmp.Or(opts.Workers, 1)
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if abs, err := filepath.Abs(opts.Dir); err == nil {
		opts.Dir = abs // a process has another working directory
	}
	return &Host{
		opts: opts, metrics: newMetrics(opts.Metrics), policy: defaults(),
		open: map[*Scorer]struct{}{}, used: map[string]int{},
	}
}

// Open reads worker.json and puts the model's folder on the disk. It starts no process:
// Warm does, or the first who asks. It fits model.Decoders.Scorers under FileName. A
// file that cannot be right is an Invalid fault.
func (h *Host) Open(ctx context.Context, m model.Manifest, files model.Files) (model.Scorer, error) {
	s, err := h.scorer(ctx, m, files)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	closed := h.closed
	if !closed {
		h.open[s] = struct{}{}
	}
	h.mu.Unlock()
	if closed {
		return nil, errors.Join(fault.New(fault.Unavailable, "the server is stopping"), s.out.Close(), h.release(s.folder))
	}
	return s, nil
}

func (h *Host) scorer(ctx context.Context, m model.Manifest, files model.Files) (*Scorer, error) {
	raw, err := files.Read(FileName)
	if err != nil {
		return nil, err
	}
	file, err := Decode(raw)
	if err != nil {
		return nil, err
	}
	if m.Kind != "" {
		file.Kind = m.Kind
	}
	if len(m.Classes) > 0 {
		file.Classes = m.Classes
	}
	f, err := h.place(m, files)
	if err != nil {
		return nil, err
	}
	about, err := f.describe()
	if err == nil {
		err = fault.Wrap(ctx.Err(), fault.Unavailable, "the model could not be opened in time")
	}
	if err != nil {
		return nil, errors.Join(err, h.release(f))
	}
	s, err := newScorer(h, m.Model, file, f, about)
	if err != nil {
		return nil, errors.Join(err, h.release(f))
	}
	return s, nil
}

// Close ends all processes, and waits for them. Closing twice is closing once.
func (h *Host) Close() error {
	h.mu.Lock()
	h.closed = true
	var all []*Scorer
	for s := range h.open {
		all = append(all, s)
	}
	h.mu.Unlock()
	var (
		wg   sync.WaitGroup
		errs = make([]error, len(all))
	)
	for i, s := range all {
		wg.Go(func() { errs[i] = s.Close() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (h *Host) forget(s *Scorer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.open, s)
}

// script is where the program lies. It is written where it is not there yet.
func (h *Host) script() (string, error) {
	path := filepath.Join(h.opts.Dir, "program", string(blob.Sum(program))[:16], "flyball_worker.py")
	if has, err := os.ReadFile(path); err == nil && blob.Sum(has) == blob.Sum(program) {
		return path, nil
	}
	return path, writeWhole(path, program)
}

// writeWhole writes a file that is there whole or not at all.
func writeWhole(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
