// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"flyball/data/frame"
	"flyball/fault"
)

// call is what one caller asks, until it is answered.
type call struct {
	ctx  context.Context
	kind string // score, answer or warm
	key  string // calls of one key may share a request; "" shares with none

	rows   *frame.Frame // nil: body
	fields []frame.Field
	inputs []Input // of rows, where they are not those of the file
	types  map[string]string
	body   json.RawMessage
	params json.RawMessage

	done chan outcome // takes one
}

// outcome is an answer, or why there is none.
type outcome struct {
	scores []float64
	answer json.RawMessage
	err    error
}

func (c *call) size() int {
	if c.rows == nil {
		return 1
	}
	return c.rows.Rows()
}

// tell answers the caller, whether or not it still waits. Telling again does nothing.
func (c *call) tell(o outcome) {
	select {
	case c.done <- o:
	default:
	}
}

// queue holds the calls that no process has taken yet.
type queue struct {
	mu     sync.Mutex
	calls  []*call
	most   int
	closed bool
	wake   chan struct{} // holds one when there may be calls
}

func newQueue(most int) *queue { return &queue{most: most, wake: make(chan struct{}, 1)} }

// add puts a call at the end.
func (q *queue) add(c *call) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return fault.New(fault.Unavailable, "the model is being unloaded")
	}
	if len(q.calls) >= q.most {
		q.calls = slices.DeleteFunc(q.calls, func(c *call) bool { return c.ctx.Err() != nil })
	}
	if len(q.calls) >= q.most {
		return fault.New(fault.Exhausted, "%d requests wait for the model already", q.most).Do("ask again later")
	}
	q.calls = append(q.calls, c)
	q.signal()
	return nil
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take removes the first call and those behind it that may share its request, of
// together at most rows rows. Callers that have gone are dropped.
func (q *queue) take(rows int) []*call {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out, rest []*call
	n := 0
	for _, c := range q.calls {
		switch {
		case c.ctx.Err() != nil: // it has been told by itself
		case len(out) == 0, c.key != "" && c.key == out[0].key && n+c.size() <= rows:
			out = append(out, c)
			n += c.size()
		default:
			rest = append(rest, c)
		}
	}
	q.calls = rest
	if len(rest) > 0 {
		q.signal() // for another process
	}
	return out
}

// empty reports whether nobody waits.
func (q *queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !slices.ContainsFunc(q.calls, func(c *call) bool { return c.ctx.Err() == nil })
}

// fail answers all that wait with an error.
func (q *queue) fail(err error) {
	q.mu.Lock()
	calls := q.calls
	q.calls = nil
	q.mu.Unlock()
	for _, c := range calls {
		c.tell(outcome{err: err})
	}
}

// close fails all that wait, and takes no more.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.fail(fault.New(fault.Unavailable, "the model is being unloaded"))
}
