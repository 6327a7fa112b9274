// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"flyball/fault"
)

// grace is how long a process may take to end when it is asked to.
const grace = 2 * time.Second

// run starts the goroutines that hold a process each.
func (s *Scorer) run() {
	for range s.host.opts.Workers {
		s.wg.Go(s.hold)
	}
}

// hold keeps one process: starts it when it is first needed or after it died, and gives
// it what waits, until Close.
func (s *Scorer) hold() {
	var p *process
	defer func() {
		if p != nil {
			s.lost(p)
			p.shut(grace)
		}
	}()
	for want := true; s.ctx.Err() == nil; {
		if p == nil && (want || !s.queue.empty()) {
			p, want = s.bring(), false
			continue
		}
		var dead chan struct{}
		if p != nil {
			if batch := s.queue.take(s.host.opts.MaxBatch); len(batch) > 0 {
				if !s.serve(p, batch) {
					p, want = nil, true
				}
				continue
			}
			dead = p.dead
		}
		select {
		case <-s.ctx.Done():
		case <-dead:
			s.fell(p, "died", p.why)
			p, want = nil, true
		case <-s.queue.wake:
		}
	}
}

// bring starts a process as soon as its health allows. Where it does not start, those
// who wait are told, and nil is returned.
func (s *Scorer) bring() *process {
	for {
		now := s.host.opts.Now()
		s.mu.Lock()
		verdict, again := s.health.ask(now), s.health.again
		s.mu.Unlock()
		switch verdict {
		case refuse:
			s.tellWaiting(s.refused())
			return nil
		case wait:
			t := time.NewTimer(again.Sub(now))
			select {
			case <-t.C:
			case <-s.ctx.Done():
				t.Stop()
				return nil
			}
			continue
		case start:
		}
		p, err := s.start()
		if err == nil {
			return p
		}
		if s.ctx.Err() == nil {
			s.failed("start", err)
			s.tellWaiting(err)
		}
		return nil
	}
}

// tellWaiting fails those who wait, unless another process may still answer them.
func (s *Scorer) tellWaiting(err error) {
	s.mu.Lock()
	n := len(s.pids)
	s.mu.Unlock()
	if n == 0 && err != nil {
		s.queue.fail(err)
	}
}

// start makes the environment where it is not made yet, starts a process, and loads and
// warms the model.
func (s *Scorer) start() (*process, error) {
	h := s.host
	script, err := h.script()
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the worker's program cannot be written")
	}
	python, err := h.interpreter(s.ctx, s.file.Python, s.folder, "", s.log)
	if err != nil {
		return nil, err
	}
	home := filepath.Join(h.opts.Dir, "home")
	if err := os.MkdirAll(home, 0o750); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "a folder for the model's process cannot be made")
	}
	s.out.mark()
	began := h.opts.Now()
	p, err := launch{python: python, script: script, dir: s.folder.path, env: h.environ(home), out: s.out}.start()
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the model's process cannot be started")
	}
	stop := context.AfterFunc(s.ctx, p.kill) // Close need not wait for a model that loads
	defer stop()
	if err := s.load(p); err != nil {
		p.kill()
		if s.ctx.Err() != nil {
			return nil, fault.New(fault.Unavailable, "the model is being unloaded")
		}
		return nil, s.told(p, err, "the model could not be loaded")
	}
	s.mu.Lock()
	s.pids[p.pid] = true
	s.mu.Unlock()
	s.ready.Store(true)
	h.metrics.starts.WithLabelValues(s.model).Inc()
	h.metrics.running.WithLabelValues(s.model).Inc()
	s.log.Info("a Python process is ready", "pid", p.pid, "took", h.opts.Now().Sub(began).Round(time.Millisecond))
	return p, nil
}

// loading is the meta of LOAD.
type loading struct {
	File
	Folder  string                     `json:"folder"`
	Flavors map[string]json.RawMessage `json:"flavors,omitempty"`
	Tensors map[string]string          `json:"tensors,omitempty"`
}

func (s *Scorer) load(p *process) error {
	limit := s.host.opts.Start
	if err := p.greet(limit); err != nil {
		return err
	}
	meta := loading{File: s.file, Folder: s.folder.path, Flavors: s.about.Flavors, Tensors: s.about.Tensors}
	f, err := p.exchange(opLoad, meta, 0, nil, limit)
	if err != nil {
		return err
	}
	s.log.Debug("a model is loaded", "pid", p.pid, "about", string(f.meta))
	if len(s.file.Inputs) > 0 {
		_, err = p.exchange(opWarmUp, nil, 0, nil, limit)
	}
	return err
}

// environ is the whole environment of a process.
func (h *Host) environ(home string) []string {
	env := []string{
		"HOME=" + home, "PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1",
		"FLYBALL_SOCKET=3", "FLYBALL_MEMORY=" + strconv.FormatInt(h.opts.Memory, 10),
		"MLFLOW_ALLOW_PICKLE_DESERIALIZATION=true", "MLFLOW_TRACKING_URI=" + filepath.Join(home, "mlruns"), "MPLBACKEND=Agg",
	}
	for _, name := range []string{"OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB"} {
		suffix := "_NUM_THREADS"
		if name == "VECLIB" {
			suffix = "_MAXIMUM_THREADS"
		}
		env = append(env, name+suffix+"="+strconv.Itoa(h.opts.Threads))
	}
	return append(append(env, passed("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")...), h.opts.Env...)
}

// passed are the named variables of the server that are set.
func passed(names ...string) []string {
	var out []string
	for _, n := range names {
		if v, ok := os.LookupEnv(n); ok {
			out = append(out, n+"="+v)
		}
	}
	return out
}

// fell is what follows the end of a process that was ready.
func (s *Scorer) fell(p *process, reason string, err error) {
	s.lost(p)
	s.failed(reason, err)
}

func (s *Scorer) lost(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pids[p.pid] {
		delete(s.pids, p.pid)
		s.host.metrics.running.WithLabelValues(s.model).Dec()
	}
}

func (s *Scorer) failed(reason string, err error) {
	s.mu.Lock()
	s.health = s.health.failure(s.host.opts.Now(), s.host.policy, s.folder.key)
	s.last = err
	h := s.health
	s.mu.Unlock()
	s.host.metrics.failures.WithLabelValues(s.model, reason).Inc()
	s.log.Warn("a Python process failed", "reason", reason, "error", err, "printed", s.out.last(3),
		"failures", h.streak, "rests", h.open, "again", h.again)
}

// told is the fault for a caller about a process that failed.
func (s *Scorer) told(p *process, err error, what string) error {
	if e, ok := errors.AsType[*modelError](err); ok {
		return fault.New(fault.Unavailable, "%s: %s", what, e.Text).Do("what it printed is in %s", s.out.path)
	}
	select {
	case <-p.dead:
		err = errors.Join(err, p.why)
	default:
	}
	return fault.Wrap(fmt.Errorf("%w; it printed last: %s", err, s.out.last(5)), fault.Unavailable, "%s", what)
}
