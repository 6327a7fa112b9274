// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/model"
)

// Scorer is a model whose scores come from Python processes. It is a model.Scorer and a
// model.Answerer, and may be used by many goroutines at once.
type Scorer struct {
	host   *Host
	model  string
	file   File
	folder folder
	about  described
	fields []frame.Field
	log    *slog.Logger
	out    *output
	queue  *queue

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	begin  sync.Once
	end    sync.Once
	wg     sync.WaitGroup

	mu     sync.Mutex
	health health
	last   error        // of the last failure
	pids   map[int]bool // of the processes that are ready
	ready  atomic.Bool  // one has been ready once
}

func newScorer(h *Host, name string, file File, f folder, about described) (*Scorer, error) {
	out, err := newOutput(filepath.Join(h.opts.Dir, "logs", url.PathEscape(name)+"-"+f.key[:12]), h.opts.Now)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the log of the model's process cannot be written")
	}
	s := &Scorer{
		host: h, model: name, file: file, folder: f, about: about, fields: file.fields(), out: out,
		queue: newQueue(h.opts.Queue), pids: map[int]bool{}, log: h.opts.Logger.With("model", name, "folder", f.key[:12]),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Inputs are the columns a row must have: those of worker.json that are not optional.
func (s *Scorer) Inputs() []frame.Field {
	var out []frame.Field
	for _, in := range s.file.Inputs {
		if !in.Optional {
			out = append(out, in.Field)
		}
	}
	return out
}

// Outputs is how many scores a row gets.
func (s *Scorer) Outputs() int { return s.file.Outputs }

// Score asks a process for the scores of rows, together with what others ask at the
// moment. What the model refuses is an Invalid fault that names the row; a process that
// is not there, ends or is late is an Unavailable one. Without a deadline of ctx a call
// waits as long as the model needs to load, and from then on for Options.Deadline.
func (s *Scorer) Score(ctx context.Context, rows *frame.Frame) (model.Scores, error) {
	c, err := s.rowsCall(ctx, "score", rows, nil)
	if err != nil {
		return model.Scores{}, err
	}
	if most := maxAnswer / 8 / s.file.Outputs; rows.Rows() > most {
		return model.Scores{}, fault.New(fault.TooLarge, "there are %d rows, more than %d", rows.Rows(), most).Do("send them in parts")
	}
	if rows.Rows() == 0 {
		return model.Scores{Outputs: s.file.Outputs, Values: []float64{}}, nil
	}
	o := s.ask(ctx, c)
	return model.Scores{Outputs: s.file.Outputs, Values: o.scores}, o.err
}

// Answer asks a process for what MLflow's pyfunc answers: the JSON of its predictions.
// Faults and waiting are those of Score.
func (s *Scorer) Answer(ctx context.Context, ask model.Call) (json.RawMessage, error) {
	if ask.Rows == nil {
		if len(ask.Body) == 0 {
			return nil, fault.New(fault.Invalid, "there is nothing to answer")
		}
		o := s.ask(ctx, &call{ctx: ctx, kind: "answer", body: ask.Body, params: ask.Params, done: make(chan outcome, 1)})
		return o.answer, o.err
	}
	c, err := s.rowsCall(ctx, "answer", ask.Rows, ask.Types)
	if err != nil {
		return nil, err
	}
	c.params = ask.Params
	switch {
	case !s.rowwise():
		c.key = "" // what it says of a row may depend on the others
	case len(ask.Types) > 0:
		types, err := json.Marshal(ask.Types)
		if err != nil {
			return nil, fmt.Errorf("write the types: %w", err)
		}
		c.key += "\x00" + string(types)
	}
	if c.key != "" && len(ask.Params) > 0 {
		c.key += "\x00" + string(ask.Params)
	}
	o := s.ask(ctx, c)
	return o.answer, o.err
}

// rowwise reports whether the answer for a row is known not to depend on other rows.
func (s *Scorer) rowwise() bool {
	if f, ok := s.about.Flavors["python_function"]; ok {
		var function struct {
			Loader string `json:"loader_module"`
		}
		_ = json.Unmarshal(f, &function)
		return slices.Contains([]string{"mlflow.sklearn", "mlflow.xgboost", "mlflow.lightgbm", "flyball_model"}, function.Loader)
	}
	return slices.Contains([]string{"sklearn", "xgboost", "lightgbm"}, s.file.Flavor)
}

// rowsCall is a call about rows. They may lack optional inputs; a model that names no
// inputs takes what there is.
func (s *Scorer) rowsCall(ctx context.Context, kind string, rows *frame.Frame, types map[string]string) (*call, error) {
	c := &call{ctx: ctx, kind: kind, key: kind, rows: rows, fields: s.fields, types: types, done: make(chan outcome, 1)}
	if len(s.file.Inputs) == 0 {
		c.fields = rows.Fields()
		for _, f := range c.fields {
			c.inputs = append(c.inputs, Input{Field: f})
		}
	} else {
		lacks := false
		var has []Input
		for _, in := range s.file.Inputs {
			col := rows.Column(in.Name)
			switch {
			case col == nil && in.Optional:
				lacks = true
				continue
			case col == nil:
				return nil, fault.New(fault.Invalid, "there is no column %q", in.Name)
			case col.Kind != in.Kind:
				return nil, fault.New(fault.Invalid, "the column %q holds a %s; the model takes a %s", in.Name, col.Kind, in.Kind)
			}
			has = append(has, in)
		}
		if !lacks {
			return c, nil
		}
		c.inputs, c.fields = has, File{Inputs: has}.fields()
	}
	schema, err := json.Marshal(c.inputs)
	if err != nil {
		return nil, fmt.Errorf("write the columns: %w", err)
	}
	c.key += "\x00" + string(schema)
	return c, nil
}

// Warm starts the model's processes and returns when one is ready. It waits as long as
// ctx lets it. The error of a model that cannot start is what a call would get.
func (s *Scorer) Warm(ctx context.Context) error {
	return s.ask(ctx, &call{ctx: ctx, kind: "warm", done: make(chan outcome, 1)}).err
}

// ask puts a call into the queue and waits for its outcome.
func (s *Scorer) ask(ctx context.Context, c *call) outcome {
	if err := s.refused(); err != nil {
		return outcome{err: err}
	}
	if s.ready.Load() && c.kind != "warm" {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.host.opts.Deadline)
		defer cancel()
	}
	c.ctx = ctx
	if err := s.queue.add(c); err != nil {
		return outcome{err: err}
	}
	s.begin.Do(s.run)
	select {
	case o := <-c.done:
		return o
	case <-ctx.Done():
		return outcome{err: fault.Wrap(context.Cause(ctx), fault.Unavailable, "the model's process did not answer in time")}
	}
}

// refused is the error of an open circuit while no process is there.
func (s *Scorer) refused() error {
	now := s.host.opts.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pids) > 0 || s.health.ask(now) != refuse {
		return nil
	}
	if fault.Is(s.last, fault.Refused) { // asking again is of no use, and it says why
		return s.last
	}
	return fault.New(fault.Unavailable, "the model's process failed %d times in a row and rests", s.health.streak).
		Do("ask again in %s; what it printed is in %s", s.health.again.Sub(now).Round(time.Second), s.out.path)
}

// Size is how many bytes of memory the processes take; while none runs, how large the
// model's files are.
func (s *Scorer) Size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var n int64
	for pid := range s.pids {
		n += resident(pid)
	}
	if n == 0 {
		return s.folder.size
	}
	return n
}

// resident is a process's memory by Linux's count; 0 where there is none.
func resident(pid int) int64 {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "statm"))
	fields := strings.Fields(string(b))
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// Close ends the processes, waits for them, and answers who still waits.
func (s *Scorer) Close() error {
	var err error
	s.end.Do(func() {
		s.begin.Do(func() {}) // none is started from now on
		s.queue.close()
		s.cancel()
		s.wg.Wait()
		s.host.forget(s)
		err = errors.Join(s.out.Close(), s.host.release(s.folder))
	})
	return err
}

var (
	_ model.Scorer   = (*Scorer)(nil)
	_ model.Answerer = (*Scorer)(nil)
)
