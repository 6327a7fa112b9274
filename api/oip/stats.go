// SPDX-License-Identifier: Apache-2.0

package oip

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"flyball/ident"
)

// duration counts how often something was done, and the time it took.
type duration struct{ count, ns atomic.Uint64 }

func (d *duration) add(t time.Duration) {
	d.count.Add(1)
	d.ns.Add(uint64(max(0, t)))
}

// calls is what this face asked of one version, since the server started.
type calls struct {
	success, fail, input, infer duration
	rows, requests              atomic.Uint64
	last                        atomic.Int64 // milliseconds since 1970; 0: never
}

// took counts a request that began then, and how it ended.
func (c *calls) took(began time.Time, err error) {
	now := time.Now()
	if err != nil {
		c.fail.add(now.Sub(began))
		return
	}
	c.success.add(now.Sub(began))
}

// scored counts the rows of a request: reading them took read, scoring them score.
func (c *calls) scored(rows int, read, score time.Duration) {
	c.input.add(read)
	c.infer.add(score)
	c.rows.Add(uint64(rows))
	c.requests.Add(1)
	c.last.Store(time.Now().UnixMilli())
}

// statistics are the calls of every version that was asked. There are no more than
// versions that exist: what is not known is not counted.
type statistics struct{ by sync.Map } // ident.Ref → *calls

func (s *statistics) of(model string, version int) *calls {
	ref := ident.Ref{Model: model, Version: version}
	if c, ok := s.by.Load(ref); ok {
		return c.(*calls)
	}
	c, _ := s.by.LoadOrStore(ref, &calls{})
	return c.(*calls)
}

// counted is the calls of one version.
type counted struct {
	ident.Ref
	*calls
}

// all are the versions that were asked, of one model or of all (""), of one version or
// of all (0).
func (s *statistics) all(model string, version int) []counted {
	var out []counted
	s.by.Range(func(k, v any) bool {
		ref := k.(ident.Ref)
		if (model == "" || ref.Model == model) && (version == 0 || ref.Version == version) {
			out = append(out, counted{ref, v.(*calls)})
		}
		return true
	})
	slices.SortFunc(out, func(a, b counted) int {
		return cmp.Or(cmp.Compare(a.Model, b.Model), cmp.Compare(a.Version, b.Version))
	})
	return out
}
