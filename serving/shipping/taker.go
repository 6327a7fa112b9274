// SPDX-License-Identifier: Apache-2.0

package shipping

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"gocloud.dev/blob"

	"flyball/fault"
	"flyball/serving/predictionlog"
)

// Takes is the log that takes; *predictionlog.Log is one.
type Takes interface {
	Take(ctx context.Context, bodies ...[]byte) ([]predictionlog.Shipment, error)
	Taken(ctx context.Context) (map[string]predictionlog.Mark, error)
	Shipped(ctx context.Context) (predictionlog.Mark, error)
}

// Taker takes what was shipped into the log of who leads.
type Taker struct {
	opts    TakerOptions
	from    objects
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
	return &Taker{opts: opts, from: objects{opts.Bucket}}
}

// Run takes what was shipped, again and again, until ctx is done; then it returns nil.
func (t *Taker) Run(ctx context.Context) error {
	rounds{
		every: t.opts.Every, again: 2 * t.opts.Every, longest: t.opts.Longest, log: logger(t.opts.Logger),
		fails: "not all shipped predictions can be taken; they wait in the bucket", works: "shipped predictions are taken again",
	}.run(ctx, 0, func(ctx context.Context) error {
		_, err := t.Turn(ctx)
		return err
	})
	return nil
}

// What is taken at once is bounded, so that those who append do not wait long: by bytes,
// about a hundred thousand rows, but for one shipment that is larger by itself.
const atOnce = 24 << 20

// Turn takes all that lies in the bucket now, and gives how many rows were added. What is
// wrong with the shipments of one origin does not keep those of others.
func (t *Taker) Turn(ctx context.Context) (int, error) {
	known, err := t.opts.Log.Taken(ctx)
	if err != nil {
		return 0, err
	}
	origins, err := t.origins(ctx)
	if err != nil {
		return 0, err
	}
	var errs []error
	next := make(map[string]int64, len(origins))
	p := pile{to: t.opts.Log}
	for _, origin := range origins {
		from := known[origin].Seq + 1
		if _, ok := known[origin]; !ok {
			from, err = t.first(ctx, origin)
		}
		if err == nil {
			next[origin], err = t.collect(ctx, &p, origin, from)
		}
		errs = append(errs, err)
	}
	errs = append(errs, p.take(ctx))
	if time.Since(t.checked) >= missingEvery {
		for origin, seq := range next {
			errs = append(errs, t.missing(ctx, origin, seq))
		}
		t.checked = time.Now()
	}
	return p.rows, errors.Join(errs...)
}

// origins are those that have shipments in the bucket, but for this log's own.
func (t *Taker) origins(ctx context.Context) ([]string, error) {
	own, err := t.opts.Log.Shipped(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	err = t.from.list(ctx, blob.ListOptions{Prefix: prefix, Delimiter: "/"}, func(x *blob.ListObject) bool {
		if origin := strings.TrimSuffix(strings.TrimPrefix(x.Key, prefix), "/"); x.IsDir && origin != own.Origin {
			out = append(out, origin)
		}
		return true
	})
	return out, err
}

// first is the number of the first shipment of an origin from which nothing was taken. It
// is above 1 where the origin shipped to another bucket before: those were of a log that
// this one, which was restored from a backup, does not go on from.
func (t *Taker) first(ctx context.Context, origin string) (int64, error) {
	first := int64(1)
	err := t.from.list(ctx, blob.ListOptions{Prefix: prefix + origin + "/"}, func(x *blob.ListObject) bool {
		_, seq, ok := shipmentOf(x.Key)
		if ok {
			first = seq
		}
		return !ok
	})
	return first, err
}

// collect puts the shipments of an origin from seq on onto the pile, and tells the first
// that is not there.
func (t *Taker) collect(ctx context.Context, p *pile, origin string, seq int64) (int64, error) {
	for ; ; seq++ {
		body, err := t.from.read(ctx, keyOf(origin, seq))
		if fault.Is(err, fault.NotFound) {
			return seq, nil
		}
		if err == nil {
			err = p.add(ctx, body)
		}
		if err != nil {
			return seq, err
		}
	}
}

// pile is shipments that are taken together.
type pile struct {
	to     Takes
	bodies [][]byte
	bytes  int
	rows   int // that were added
}

// add lays a shipment on the pile, and takes what is there before it becomes too much.
func (p *pile) add(ctx context.Context, body []byte) error {
	var err error
	if p.bytes+len(body) > atOnce {
		err = p.take(ctx)
	}
	p.bodies, p.bytes = append(p.bodies, body), p.bytes+len(body)
	return err
}

// take takes the pile. Where something is wrong with one of it, the others are taken one
// by one, as far as they go.
func (p *pile) take(ctx context.Context) error {
	bodies := p.bodies
	p.bodies, p.bytes = nil, 0
	if len(bodies) == 0 {
		return nil
	}
	err := p.takeThese(ctx, bodies)
	if len(bodies) == 1 || !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Conflict) {
		return err
	}
	var first error
	for _, body := range bodies {
		if err := p.takeThese(ctx, [][]byte{body}); first == nil {
			first = err // those that follow in its origin only wait for it
		}
	}
	return first
}

func (p *pile) takeThese(ctx context.Context, bodies [][]byte) error {
	got, err := p.to.Take(ctx, bodies...)
	for _, s := range got {
		p.rows += s.Rows
	}
	return err
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
