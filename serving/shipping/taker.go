// SPDX-License-Identifier: Apache-2.0

package shipping

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"time"

	"gocloud.dev/blob"

	"flyball/fault"
	"flyball/serving/predictionlog"
)

// Takes is the log that takes; *predictionlog.Log is one.
type Takes interface {
	Take(ctx context.Context, r io.Reader) (predictionlog.Shipment, error)
	Taken(ctx context.Context) (map[string]predictionlog.Mark, error)
	Shipped(ctx context.Context) (predictionlog.Mark, error)
}

// Taker takes what was shipped into the log of who leads.
type Taker struct {
	opts    TakerOptions
	from    objects
	told    told
	checked time.Time // when it was last looked for shipments that are missing
}

// TakerOptions are what a Taker is made of.
type TakerOptions struct {
	Log    Takes
	Bucket Bucket
	Logger *slog.Logger // nil: slog.Default()

	Every   time.Duration // between two looks; 0: 1 s
	Longest time.Duration // between two looks while it fails; 0: 15 s
}

// missingEvery is how often it is looked for shipments that are missing.
const missingEvery = time.Minute

// NewTaker makes a Taker. It starts nothing.
func NewTaker(opts TakerOptions) *Taker {
	if opts.Every <= 0 {
		opts.Every = time.Second
	}
	if opts.Longest <= 0 {
		opts.Longest = 15 * time.Second
	}
	return &Taker{opts: opts, from: objects{opts.Bucket}, told: told{log: logger(opts.Logger)}}
}

// Run takes what was shipped, again and again, until ctx is done; then it returns nil.
func (t *Taker) Run(ctx context.Context) error {
	wait := time.Duration(0)
	for {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		_, err := t.Turn(ctx)
		if ctx.Err() != nil {
			return nil
		}
		t.told.outcome(err, "not all shipped predictions can be taken; they wait in the bucket", "shipped predictions are taken again")
		switch {
		case err == nil:
			wait = t.opts.Every
		default:
			wait = min(max(2*wait, t.opts.Every), t.opts.Longest)
		}
	}
}

// Turn takes all that lies in the bucket now, and gives how many rows were added. What is
// wrong with the shipments of one origin does not keep those of others.
func (t *Taker) Turn(ctx context.Context) (int, error) {
	known, err := t.opts.Log.Taken(ctx)
	if err != nil {
		return 0, err
	}
	own, err := t.opts.Log.Shipped(ctx)
	if err != nil {
		return 0, err
	}
	var origins []string
	if err := t.from.list(ctx, blob.ListOptions{Prefix: prefix, Delimiter: "/"}, func(x *blob.ListObject) bool {
		if origin := strings.TrimSuffix(strings.TrimPrefix(x.Key, prefix), "/"); x.IsDir && origin != own.Origin {
			origins = append(origins, origin)
		}
		return true
	}); err != nil {
		return 0, err
	}
	look := time.Since(t.checked) >= missingEvery
	rows := 0
	var errs []error
	for _, origin := range origins {
		n, next, err := t.take(ctx, origin, known[origin].Seq+1)
		if rows += n; err == nil && look {
			err = t.missing(ctx, origin, next)
		}
		errs = append(errs, err)
	}
	if look {
		t.checked = time.Now()
	}
	return rows, errors.Join(errs...)
}

// take takes the shipments of an origin from seq on, and tells the first that is not there.
func (t *Taker) take(ctx context.Context, origin string, seq int64) (rows int, next int64, err error) {
	for ; ; seq++ {
		body, err := t.from.read(ctx, keyOf(origin, seq))
		if fault.Is(err, fault.NotFound) {
			return rows, seq, nil
		}
		if err != nil {
			return rows, seq, err
		}
		s, err := t.opts.Log.Take(ctx, bytes.NewReader(body))
		if err == nil && (s.Origin != origin || s.Seq != seq) {
			err = fault.New(fault.Invalid, "the object %s holds shipment %d of origin %s", keyOf(origin, seq), s.Seq, s.Origin).
				Do("remove it, and restore the right one from the bucket's versions")
		}
		if rows += s.Rows; err != nil {
			return rows, seq, err
		}
	}
}

// missing looks for shipments after one that is not there.
func (t *Taker) missing(ctx context.Context, origin string, next int64) error {
	later := int64(0)
	if err := t.from.list(ctx, blob.ListOptions{Prefix: prefix + origin + "/"}, func(x *blob.ListObject) bool {
		if _, seq, ok := shipmentOf(x.Key); ok && seq > next {
			later = seq
		}
		return later == 0
	}); err != nil || later == 0 {
		return err
	}
	if _, err := t.from.read(ctx, keyOf(origin, next)); !fault.Is(err, fault.NotFound) {
		return err // it has come meanwhile
	}
	return fault.New(fault.Unavailable, "shipment %d of origin %s is missing, and %d is there", next, origin, later).
		Do("restore the object %s from the bucket's versions", keyOf(origin, next))
}
