// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"gocloud.dev/blob"

	"flyball/fault"
	"flyball/training/executor"
)

// Cancel keeps that the job is canceled, which holds from then on whatever the engine
// does, and waits until its processes are gone as far as its node or the engine say.
func (e *Executor) Cancel(ctx context.Context, h executor.Handle) error {
	id, a, err := e.known(ctx, h)
	if err != nil {
		return err
	}
	s, err := e.finish(ctx, id, a, executor.Status{State: executor.Canceled, Reason: "it was canceled", Ended: time.Now()})
	if err != nil || s.State != executor.Canceled {
		return err
	}
	tick := time.NewTicker(e.opts.Beat / 10)
	defer tick.Stop()
	for {
		if gone, err := e.gone(ctx, id, a); gone || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fault.Wrap(ctx.Err(), fault.Unavailable, "the job is canceled, and its node has not said yet that it ended")
		case <-tick.C:
		}
	}
}

// gone reports whether nothing of a canceled attempt runs, as far as is known: no run has
// it, or that said that it ended, or has been quiet; or who waited for it forgot it, and its
// node is turned away.
func (e *Executor) gone(ctx context.Context, id string, a *attempt) (bool, error) {
	if kept, err := e.keep.exists(ctx, id, jobFile); err != nil || !kept {
		return !kept, err
	}
	f := facts{beat: e.opts.Beat}
	who, _, err := e.signs(ctx, id, a, &f)
	if err != nil {
		return false, err
	}
	return who == nil || f.left != "" || f.quiet >= fewBeats*f.beat, nil
}

// Logs are what the job has printed from the offset on, as far as it came here.
func (e *Executor) Logs(ctx context.Context, h executor.Handle, offset int64) (io.ReadCloser, error) {
	id, _, err := e.known(ctx, h)
	if err != nil {
		return nil, err
	}
	if offset < 0 {
		return nil, fault.New(fault.Invalid, "a log has no byte %d", offset)
	}
	l := &pieces{ctx: ctx, keep: e.keep}
	err = e.keep.list(ctx, path(id, "log/"), func(o *blob.ListObject) error {
		at, err := strconv.ParseInt(o.Key[strings.LastIndexByte(o.Key, '/')+1:], 10, 64)
		if err == nil && at+o.Size > offset {
			l.names, l.skip = append(l.names, o.Key), append(l.skip, max(0, offset-at))
		}
		return nil //nolint:nilerr // what has no such name is none of ours
	})
	return l, err
}

// pieces read a log, one object after the other.
type pieces struct {
	ctx   context.Context //nolint:containedctx // of the one who reads
	keep  keep
	names []string
	skip  []int64
	open  io.ReadCloser
}

// Read reads on.
func (l *pieces) Read(p []byte) (int, error) {
	for {
		if l.open == nil {
			if len(l.names) == 0 {
				return 0, io.EOF
			}
			r, err := l.keep.bucket.NewRangeReader(l.ctx, l.names[0], l.skip[0], -1, nil)
			if err != nil {
				return 0, trouble(err, "the log")
			}
			l.open, l.names, l.skip = r, l.names[1:], l.skip[1:]
		}
		n, err := l.open.Read(p)
		if n > 0 || !errors.Is(err, io.EOF) {
			return n, err
		}
		if err := l.Close(); err != nil {
			return 0, err
		}
	}
}

// Close closes the piece that is open.
func (l *pieces) Close() error {
	if l.open == nil {
		return nil
	}
	err := l.open.Close()
	l.open = nil
	return err
}

// Output opens a file that the manifest of a job names.
func (e *Executor) Output(ctx context.Context, h executor.Handle, name string) (io.ReadCloser, error) {
	id, a, err := e.known(ctx, h)
	if err != nil {
		return nil, err
	}
	over, err := e.endOf(ctx, id, a)
	if err != nil {
		return nil, err
	}
	if over == nil || over.Manifest == nil {
		return nil, fault.New(fault.NotFound, "the job has no outputs")
	}
	f, ok := over.Manifest.Files[name]
	if !ok || !isDigest(f.SHA256) {
		return nil, fault.New(fault.NotFound, "the job has no output %s", name)
	}
	r, err := e.keep.bucket.NewReader(ctx, path(id, outputFile(f.SHA256)), nil)
	if err != nil {
		return nil, trouble(err, "an output")
	}
	return r, nil
}

// Forget removes what is kept of an ended job.
func (e *Executor) Forget(ctx context.Context, h executor.Handle) error {
	id, a, err := e.known(ctx, h)
	if err != nil {
		return err
	}
	over, err := e.endOf(ctx, id, a)
	if err != nil {
		return err
	}
	if over == nil {
		return fault.New(fault.Conflict, "the job has not ended").Do("cancel it before it is forgotten")
	}
	ref, err := e.refOf(ctx, id, a)
	if err != nil {
		return err
	}
	if ref != nil {
		if err := e.opts.Engine.Clean(ctx, *ref); err != nil {
			e.opts.Logger.Warn("an engine keeps a job that nobody needs", "engine", e.opts.Name, "job", id, "error", err)
		}
	}
	return e.remove(ctx, id, a.order.Key)
}

// remove removes an attempt, its name first: the key is free at once.
func (e *Executor) remove(ctx context.Context, id, key string) error {
	if err := e.keep.bucket.Delete(ctx, keyPath(e.opts.Name, key)); err != nil && !absent(err) {
		return trouble(err, "the name")
	}
	err := e.keep.remove(ctx, id)
	e.drop(id)
	return err
}
