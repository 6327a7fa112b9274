// SPDX-License-Identifier: Apache-2.0

// Package shipping brings predictions and labels through a bucket from the machines that
// answer to the one that keeps them. Each ships what its log stages, as immutable objects;
// one, which leads, takes them into its own log, and makes checkpoints of that in the same
// bucket, from which another machine goes on when it is lost. What lies in the log is
// package predictionlog's; who leads, and which checkpoint is the newest, is decided
// elsewhere: see Pointer.
//
// In the bucket lie, below what the caller made its prefix:
//
//	shipments/<origin>/<seq>                       what was shipped; removed once a checkpoint has it
//	model=<model>/date=<date>/<id>-<sha256>.parquet  sealed predictions
//	checkpoints/<id>/manifest.json, staged.db      all else of the log at one moment
package shipping

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path"
	"strconv"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"flyball/fault"
)

// Bucket is what is asked of a bucket; *blob.Bucket is one. A write is seen by all that
// read after it.
type Bucket interface {
	ReadAll(ctx context.Context, key string) ([]byte, error)
	Upload(ctx context.Context, key string, r io.Reader, opts *blob.WriterOptions) error
	Download(ctx context.Context, key string, w io.Writer, opts *blob.ReaderOptions) error
	Delete(ctx context.Context, key string) error
	List(opts *blob.ListOptions) *blob.ListIterator
}

var _ Bucket = (*blob.Bucket)(nil)

// Pointer names the newest checkpoint. The store keeps it.
type Pointer interface {
	// Checkpoint is the key of the newest checkpoint's manifest; empty: there is none.
	Checkpoint(ctx context.Context) (string, error)

	// SetCheckpoint makes key the newest, if the caller still leads; or else it fails, and
	// nothing changes.
	SetCheckpoint(ctx context.Context, key string) error
}

// How long one object may take.
const (
	smallTime = 30 * time.Second // a shipment, a manifest, a list
	largeTime = 15 * time.Minute // a sealed file, an image
)

// prefix is where shipments lie.
const prefix = "shipments/"

// keyOf is where a shipment lies: in the order of their numbers.
func keyOf(origin string, seq int64) string { return fmt.Sprintf("%s%s/%020d", prefix, origin, seq) }

// shipmentOf is the shipment that lies under a key; false: none does.
func shipmentOf(key string) (origin string, seq int64, ok bool) {
	origin, number, ok := strings.Cut(strings.TrimPrefix(key, prefix), "/")
	seq, err := strconv.ParseInt(number, 10, 64)
	return origin, seq, ok && err == nil && key == keyOf(origin, seq)
}

// objects is a bucket with faults and deadlines.
type objects struct{ b Bucket }

func (o objects) read(ctx context.Context, key string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, smallTime)
	defer cancel()
	p, err := o.b.ReadAll(ctx, key)
	return p, problem(err, key)
}

// put keeps an object that never changes. Other bytes under its key are a Conflict fault.
// Whatever a write that fails says, the object may be there: the answer of one before was
// lost, or the bucket hung up on what comes too late.
func (o objects) put(ctx context.Context, key string, p []byte) error {
	ctx, cancel := context.WithTimeout(ctx, smallTime)
	defer cancel()
	err := o.b.Upload(ctx, key, bytes.NewReader(p), &blob.WriterOptions{ContentType: "application/octet-stream", IfNotExist: true})
	if err == nil {
		return nil
	}
	have, e := o.b.ReadAll(ctx, key)
	if e != nil {
		return problem(err, key)
	}
	if !bytes.Equal(have, p) {
		return fault.New(fault.Conflict, "the bucket has other bytes under %s", key)
	}
	return nil
}

func (o objects) upload(ctx context.Context, key string, r io.Reader) error {
	ctx, cancel := context.WithTimeout(ctx, largeTime)
	defer cancel()
	return problem(o.b.Upload(ctx, key, r, &blob.WriterOptions{ContentType: "application/octet-stream"}), key)
}

func (o objects) download(ctx context.Context, key string, w io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, largeTime)
	defer cancel()
	return problem(o.b.Download(ctx, key, w, nil), key)
}

// remove takes an object away; one that is not there is no error.
func (o objects) remove(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, smallTime)
	defer cancel()
	err := o.b.Delete(ctx, key)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil
	}
	return problem(err, key)
}

// list gives each object below a prefix, in order of their keys, until visit says false;
// what folders there are instead, with a delimiter.
func (o objects) list(ctx context.Context, opts blob.ListOptions, visit func(*blob.ListObject) bool) error {
	it := o.b.List(&opts)
	for {
		page, cancel := context.WithTimeout(ctx, smallTime)
		x, err := it.Next(page)
		cancel()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return problem(err, opts.Prefix)
		}
		if !visit(x) {
			return nil
		}
	}
}

// problem is an error of the bucket as a fault.
func problem(err error, key string) error {
	switch code := gcerrors.Code(err); {
	case err == nil:
		return nil
	case code == gcerrors.NotFound, errors.Is(err, fs.ErrNotExist):
		return fault.Wrap(err, fault.NotFound, "the bucket has no %s", key)
	case code == gcerrors.PermissionDenied:
		f := fault.New(fault.Unavailable, "the bucket does not let this server reach %s", path.Dir(key)).Do("give its credentials the right to read, write, list and delete")
		f.Cause = err
		return f
	}
	return fault.Wrap(err, fault.Unavailable, "the bucket does not answer for %s", key)
}

func logger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.Default()
	}
	return l
}

// rounds is work that is done again and again.
type rounds struct {
	every   time.Duration // between two
	again   time.Duration // after one that failed; it doubles while they do
	longest time.Duration // but not beyond

	wake <-chan struct{} // ends a wait; nil: nothing does

	log          *slog.Logger
	fails, works string // what is said, once, of one that fails and of the next that does not
}

// run does rounds until ctx is done, the first after a wait.
func (r rounds) run(ctx context.Context, wait time.Duration, do func(context.Context) error) {
	failed := time.Duration(0)
	for {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-r.wake:
			timer.Stop()
		case <-timer.C:
		}
		err := do(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			if failed > 0 {
				r.log.Info(r.works)
			}
			wait, failed = r.every, 0
		default:
			if failed == 0 {
				r.log.Error(r.fails, "err", err)
			}
			failed = min(max(2*failed, r.again), r.longest)
			wait = failed
		}
	}
}
