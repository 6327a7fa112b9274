// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"strings"
	"time"

	"gocloud.dev/blob"

	"flyball/fault"
	"flyball/training/executor"
)

// Sweep removes all that is kept of attempts of which nothing was written since before, and
// gives how many they were. One that has no end is canceled first, so that its engine does
// not start it later. Name a moment before all work that is under way, for a job may wait
// for days in the queue of its engine. It may be stopped at any moment, and goes on when it
// is called again.
func (e *Executor) Sweep(ctx context.Context, before time.Time) (swept int, err error) {
	newest := map[string]time.Time{} // when the newest object of each was written, by the bucket's clock
	if err := e.keep.list(ctx, "attempts/"+e.opts.Name+"-", func(o *blob.ListObject) error {
		if id, _, _ := strings.Cut(strings.TrimPrefix(o.Key, "attempts/"), "/"); e.mine(id) && o.ModTime.After(newest[id]) {
			newest[id] = o.ModTime
		}
		return nil
	}); err != nil {
		return 0, err
	}
	for id, at := range newest {
		if !at.Before(before) {
			continue
		}
		if err := e.discard(ctx, id); err != nil {
			return swept, err
		}
		swept++
	}
	return swept, nil
}

// discard ends an attempt that nobody waits for, and removes what is kept of it.
func (e *Executor) discard(ctx context.Context, id string) error {
	_, a, err := e.known(ctx, executor.Handle(id))
	if fault.Is(err, fault.NotFound) { // it never was, or is half removed
		return e.keep.remove(ctx, id)
	}
	if err != nil {
		return err
	}
	if over, err := e.endOf(ctx, id, a); err != nil {
		return err
	} else if over == nil {
		if _, err := e.finish(ctx, id, a, executor.Status{State: executor.Canceled, Reason: "nobody waits for it", Ended: time.Now()}); err != nil {
			return err
		}
	}
	named, err := e.keep.idOf(ctx, e.opts.Name, a.order.Key)
	if err == nil && named != id { // another attempt came first
		e.drop(id)
		return e.keep.remove(ctx, id)
	}
	if err == nil {
		err = e.Forget(ctx, executor.Handle(id))
	}
	return err
}
