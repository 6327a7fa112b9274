// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"

	"flyball/blob"
	"flyball/fault"
)

// sum is a digest in half its bytes: there may be millions.
type sum [32]byte

// reach is the blobs that something refers to.
type reach struct {
	all    map[sum]bool // true: read for what it refers to itself
	unread []sum
}

// leaf adds a blob that refers to nothing: a user's file, whatever stands in it.
func (r *reach) leaf(s sum) {
	if _, known := r.all[s]; !known {
		r.all[s] = false
	}
}

// document adds a blob that may refer to others.
func (r *reach) document(s sum) {
	if !r.all[s] {
		r.all[s] = true
		r.unread = append(r.unread, s)
	}
}

// unreachable lists the blobs that nothing refers to and that are old enough to go, and
// counts the others. What lies in folders that go refers to nothing.
func (w *collection) unreachable(ctx context.Context) ([]blob.Info, error) {
	r, err := w.mark(ctx)
	if err != nil {
		return nil, err
	}
	w.result.Kept, w.result.Young = Count{}, Count{}
	var old []blob.Info
	n := 0
	for i, err := range w.opts.Blobs.List(ctx) {
		if err != nil {
			return nil, err
		}
		if n++; n%10_000 == 0 {
			w.tell(Step{What: "looking at all bytes", Done: n})
		}
		var s sum
		if _, err := hex.Decode(s[:], []byte(i.Digest)); err != nil {
			continue // nothing of ours
		}
		_, reachable := r.all[s]
		switch {
		case reachable:
			w.result.Kept.add(i.Size)
		case i.Modified.Before(w.cutoff):
			old = append(old, i)
		default:
			w.result.Young.add(i.Size)
		}
	}
	return old, nil
}

// mark finds every blob that something refers to. It knows no format: each run of 64
// hex digits in a record, or in JSON that a record refers to, counts as a digest. A
// format that is new keeps what it names, and a number that only looks like a digest
// keeps nothing that would not have been kept anyway.
func (w *collection) mark(ctx context.Context) (*reach, error) {
	r := &reach{all: map[sum]bool{}}
	n := 0
	for e, err := range w.opts.Store.AllArtifacts(ctx) {
		if err != nil {
			return nil, err
		}
		if n++; n%10_000 == 0 {
			w.tell(Step{What: "following files", Done: n})
		}
		if w.goes(e.Path) {
			continue
		}
		if s, ok := parse(string(e.Digest)); ok {
			r.leaf(s)
		}
	}
	for text, err := range w.opts.Store.Documents(ctx, w.cutoff) {
		if err != nil {
			return nil, err
		}
		if w.needless[text] { // the row of a snapshot; what else refers to it keeps it
			continue
		}
		if err := digests(strings.NewReader(text), r.document); err != nil {
			return nil, err
		}
	}
	return r, r.follow(ctx, w.opts.Blobs, func(done, total int) { w.tell(Step{What: "following records", Done: done, Total: total}) })
}

// Opener opens blobs. An unknown digest is a NotFound fault.
type Opener interface {
	OpenAt(ctx context.Context, d blob.Digest) (io.ReadSeekCloser, int64, error)
}

// Reach finds every blob that records refer to, in the order of their digests; true: only
// as a file. files gives the digests of files, documents the texts in which others may
// stand. It goes by the same rule as a collection, so what it finds is what one would keep.
func Reach(ctx context.Context, files, documents func(ctx context.Context, give func(string) error) error, blobs Opener, tell func(done, total int)) (iter.Seq2[blob.Digest, bool], error) {
	r := &reach{all: map[sum]bool{}}
	if err := files(ctx, func(digest string) error {
		if s, ok := parse(digest); ok {
			r.leaf(s)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	if err := documents(ctx, func(text string) error { return digests(strings.NewReader(text), r.document) }); err != nil {
		return nil, err
	}
	if err := r.follow(ctx, blobs, tell); err != nil {
		return nil, err
	}
	sorted := slices.SortedFunc(maps.Keys(r.all), func(a, b sum) int { return bytes.Compare(a[:], b[:]) })
	return func(yield func(blob.Digest, bool) bool) {
		for _, s := range sorted {
			if !yield(blob.Digest(hex.EncodeToString(s[:])), !r.all[s]) {
				return
			}
		}
	}, nil
}

// goes says whether a path lies in a folder that goes.
func (w *collection) goes(path string) bool {
	if len(w.gone) > 0 {
		for p := range folders(path) {
			if w.gone[p] {
				return true
			}
		}
	}
	return false
}

func parse(digest string) (s sum, ok bool) {
	n, err := hex.Decode(s[:], []byte(digest))
	return s, err == nil && n == len(s) && len(digest) == 2*len(s)
}

// follow reads what was not read yet for what it refers to.
func (r *reach) follow(ctx context.Context, blobs Opener, tell func(done, total int)) error {
	for n := 0; len(r.unread) > 0; n++ {
		if n%100 == 0 {
			tell(n, n+len(r.unread))
		}
		s := r.unread[len(r.unread)-1]
		r.unread = r.unread[:len(r.unread)-1]
		if err := r.read(ctx, blobs, s); err != nil {
			return err
		}
	}
	return nil
}

// read adds what a blob refers to. Only JSON refers to anything.
func (r *reach) read(ctx context.Context, blobs Opener, s sum) (err error) {
	f, _, err := blobs.OpenAt(ctx, blob.Digest(hex.EncodeToString(s[:])))
	if fault.Is(err, fault.NotFound) {
		return nil // no digest, or bytes that were lost: nothing to keep
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	in := bufio.NewReaderSize(f, 64<<10)
	first, err := in.Peek(1)
	if errors.Is(err, io.EOF) || err == nil && first[0] != '{' && first[0] != '[' {
		return nil
	}
	return digests(in, r.document)
}

// digests calls found for each run of exactly 64 lower-case hex digits, however long
// the text is.
func digests(r io.Reader, found func(sum)) error {
	in, ok := r.(io.ByteReader)
	if !ok {
		in = bufio.NewReader(r)
	}
	var run [64]byte
	n := 0 // digits in this run so far
	for {
		c, err := in.ReadByte()
		if err == nil && (c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
			if n < len(run) {
				run[n] = c
			}
			n++
			continue
		}
		if n == len(run) {
			if s, ok := parse(string(run[:])); ok {
				found(s)
			}
		}
		n = 0
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
