// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"context"
	"fmt"
	"sync"

	"gocloud.dev/blob"

	"flyball/data/frame"
	"flyball/data/source"
)

// part is an object as a piece of a source. Where the bucket failed, that is the error,
// and not what the rest of the file looked like: a Parquet file of which the end cannot be
// had is still one.
func part(ctx context.Context, b *blob.Bucket, at place, o found, opts frame.CSVOptions) source.Part {
	var failed failure
	p := source.File(o.name, object(ctx, b, at, o, &failed), opts)
	p.Mark = fmt.Sprint(o.size, " ", o.tag)
	inspect, open := p.Inspect, p.Open
	p.Inspect = func(ctx context.Context, kinds map[string]frame.Kind) ([]frame.Seen, error) {
		seen, err := inspect(ctx, kinds)
		return seen, failed.or(err)
	}
	p.Open = func(ctx context.Context, kinds map[string]frame.Kind) (frame.Reader, error) {
		in, err := open(ctx, kinds)
		if err != nil {
			return nil, failed.or(err)
		}
		return told{in, &failed}, nil
	}
	return p
}

// told is a reader whose errors are the bucket's where that failed.
type told struct {
	frame.Reader
	failed *failure
}

// Next gives the next rows.
func (r told) Next() (*frame.Frame, error) {
	f, err := r.Reader.Next()
	return f, r.failed.or(err)
}

// failure is the first error of a bucket.
type failure struct {
	mu  sync.Mutex
	err error
}

func (f *failure) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

// or is err, or what the bucket failed by.
func (f *failure) or(err error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil || f.err == nil {
		return err
	}
	return f.err
}
