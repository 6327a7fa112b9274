// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"flyball/data/frame"
	"flyball/fault"
)

// asked is the meta of INFER.
type asked struct {
	Op     string            `json:"op"`
	Rows   int               `json:"rows"`
	Parts  []int             `json:"parts,omitempty"` // rows of each caller, for an answer
	Null   []int             `json:"null,omitempty"`
	Inputs []Input           `json:"inputs,omitempty"`
	Types  map[string]string `json:"types,omitempty"`
	Body   bool              `json:"body,omitempty"`
	Params json.RawMessage   `json:"params,omitempty"`
}

// serve gives a batch to a process and tells each caller. A batch that the model refuses
// is asked again one caller at a time, so that a bad row fails alone. It returns false
// when the process is gone.
func (s *Scorer) serve(p *process, batch []*call) bool {
	if batch[0].kind == "warm" {
		batch[0].tell(outcome{})
		return true
	}
	err := s.infer(p, batch)
	refusal, refuses := errors.AsType[*modelError](err)
	switch {
	case err == nil:
	case refuses && refusal.Kind == "memory":
		return s.drop(p, "memory", outOfMemory(), batch)
	case !refuses:
		return s.drop(p, reason(err), err, batch)
	case len(batch) > 1:
		for i, c := range batch {
			if c.ctx.Err() == nil && !s.serve(p, batch[i:i+1]) {
				s.tellAll(batch[i+1:], fault.New(fault.Unavailable, "the model's process failed"))
				return false
			}
		}
	default:
		return s.blame(p, batch[0], refusal)
	}
	s.mu.Lock()
	s.health = s.health.answered()
	s.mu.Unlock()
	return true
}

// drop ends a process that cannot be asked again, and tells the callers.
func (s *Scorer) drop(p *process, reason string, err error, batch []*call) bool {
	p.kill()
	s.fell(p, reason, err)
	if _, said := errors.AsType[*fault.Error](err); !said {
		what := "the model's process ended before it answered"
		if reason == "late" {
			what = fmt.Sprintf("the model's process did not answer in time (%s) and was stopped", s.host.opts.Deadline)
		}
		err = s.told(p, err, what)
	}
	s.tellAll(batch, err)
	return false
}

func outOfMemory() error {
	return fault.New(fault.Unavailable, "the model needs more memory than it may have").
		Do("send fewer rows, or give it more memory")
}

func (s *Scorer) tellAll(batch []*call, err error) {
	for _, c := range batch {
		c.tell(outcome{err: err})
	}
}

func reason(err error) string {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "late"
	}
	if errors.Is(err, errGarbage) {
		return "garbage"
	}
	return "died"
}

// infer sends one request for the calls, which are of one key, and tells them the
// answer.
func (s *Scorer) infer(p *process, batch []*call) error {
	c := batch[0]
	meta := asked{Op: c.kind, Inputs: c.inputs, Types: c.types, Params: c.params, Body: c.rows == nil}
	var (
		body    = []byte(c.body)
		tensors = 1
		rows    = make([]*frame.Frame, 0, len(batch))
	)
	for _, c := range batch {
		meta.Rows += c.size()
		if c.kind == "answer" {
			meta.Parts = append(meta.Parts, c.size())
		}
		rows = append(rows, c.rows)
	}
	if c.rows != nil {
		body, meta.Null = appendRows(make([]byte, 0, rowBytes(c.fields, rows)), c.fields, rows)
		tensors = len(c.fields) + len(meta.Null)
	}
	began := s.host.opts.Now()
	stop := context.AfterFunc(s.ctx, p.kill) // Close does not wait for an answer
	f, err := p.exchange(opInfer, meta, tensors, body, s.host.opts.Deadline)
	stop()
	m := s.host.metrics
	m.requests.WithLabelValues(s.model).Inc()
	m.rows.WithLabelValues(s.model).Add(float64(meta.Rows))
	m.seconds.WithLabelValues(s.model).Observe(s.host.opts.Now().Sub(began).Seconds())
	if err != nil {
		return err
	}
	if c.kind == "answer" {
		return tellAnswers(batch, f)
	}
	k := s.file.Outputs
	values, err := readScores(f, meta.Rows*k)
	if err != nil {
		return err
	}
	for _, c := range batch {
		n := c.size() * k
		c.tell(outcome{scores: values[:n:n]})
		values = values[n:]
	}
	return nil
}

func tellAnswers(batch []*call, f message) error {
	texts, err := readTexts(f, len(batch))
	if err != nil {
		return err
	}
	for i, c := range batch {
		if !json.Valid(texts[i]) {
			return errGarbage
		}
		c.tell(outcome{answer: texts[i]})
	}
	return nil
}

// blame finds the row that the model refuses, by halves, and tells the caller.
func (s *Scorer) blame(p *process, c *call, refusal *modelError) bool {
	s.log.Debug("a model refuses rows", "error", refusal.Text, "traceback", refusal.Traceback)
	at, n := 0, c.size()
	for n > 1 && c.ctx.Err() == nil {
		half := *c
		half.rows, half.done = c.rows.Slice(at, at+n/2), make(chan outcome, 1)
		err := s.infer(p, []*call{&half})
		e, refuses := errors.AsType[*modelError](err)
		switch {
		case err == nil: // then it is in the other half
			at, n = at+n/2, n-n/2
		case refuses && e.Kind != "memory":
			n, refusal = n/2, e
		case refuses:
			return s.drop(p, "memory", outOfMemory(), []*call{c})
		default:
			return s.drop(p, reason(err), err, []*call{c})
		}
	}
	what := "the model cannot take the row"
	if c.size() > 1 {
		c.tell(outcome{err: fault.New(fault.Invalid, "%s: row %d: %s", what, at, refusal.Text)})
	} else {
		c.tell(outcome{err: fault.New(fault.Invalid, "%s: %s", what, refusal.Text)})
	}
	return true
}
