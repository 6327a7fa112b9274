// SPDX-License-Identifier: Apache-2.0

package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"iter"
	"path"
	"sync"
	"syscall"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"
	"gocloud.dev/gcerrors"

	"flyball/fault"
)

// Bucket is a Store in a folder or a bucket: a blob lies under sha256/ab/abcd….
// All methods may be called at once, on a folder also by several processes.
type Bucket struct {
	folder folder       // empty: in bucket
	bucket *blob.Bucket // nil: in folder
	mu     sync.Mutex   // of bucket: held while a blob is kept or deleted
}

// OpenDir opens a store in a folder, which is made when it is not there.
func OpenDir(dir string) (*Bucket, error) {
	f := folder(dir)
	if err := f.make(); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the folder for blobs cannot be made")
	}
	return &Bucket{folder: f}, nil
}

// In is a store in a bucket, which the store closes.
func In(b *blob.Bucket) *Bucket { return &Bucket{bucket: b} }

// Memory is a store in memory, for tests and for work that keeps nothing.
func Memory() *Bucket { return &Bucket{bucket: memblob.OpenBucket(nil)} }

// Close lets the store go.
func (b *Bucket) Close() error {
	if b.bucket == nil {
		return nil
	}
	return b.bucket.Close()
}

func key(d Digest) string { return "sha256/" + string(d[:2]) + "/" + string(d) }

// valid reports whether d can be a digest; nothing else becomes a path.
func (d Digest) valid() bool {
	if len(d) != 2*sha256.Size {
		return false
	}
	for _, c := range d {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// small is how much of a blob is read before anything is written.
const small = 1 << 20

// Put keeps the bytes of r. A small blob is read first, so that one that is kept
// already is not written at all; a larger one is hashed on its way to the disk, as its
// digest is known only at its end. An error of r is returned as it is.
func (b *Bucket) Put(ctx context.Context, r io.Reader) (Digest, int64, error) {
	in := &source{r: r}
	head, err := io.ReadAll(io.LimitReader(in, small))
	if err != nil {
		return "", 0, err
	}
	if len(head) < small {
		d := Sum(head)
		if ok, err := b.Keep(ctx, d); ok || err != nil {
			return d, int64(len(head)), err
		}
	}
	c := &counter{h: sha256.New()}
	if b.bucket == nil {
		err = b.folder.put(ctx, head, in, c)
	} else {
		err = b.upload(ctx, io.MultiReader(bytes.NewReader(head), in), c)
	}
	switch {
	case in.err != nil:
		return "", 0, in.err
	case errors.Is(err, fs.ErrNotExist): // a folder, not a blob
		return "", 0, fault.Wrap(err, fault.Unavailable, "the store of blobs is gone")
	case err != nil:
		return "", 0, problem(err)
	}
	return c.digest(), c.bytes, nil
}

// source is what is put; it remembers how its reading failed.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// upload writes under a name of its own first, and copies.
func (b *Bucket) upload(ctx context.Context, r io.Reader, c *counter) (err error) {
	part := "part/" + partName()
	defer func() {
		if e := b.bucket.Delete(context.WithoutCancel(ctx), part); gcerrors.Code(e) != gcerrors.NotFound {
			err = errors.Join(err, e)
		}
	}()
	if err := b.bucket.Upload(ctx, part, io.TeeReader(r, c), &blob.WriterOptions{ContentType: "application/octet-stream"}); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bucket.Copy(ctx, key(c.digest()), part, nil)
}

// counter is a writer that hashes and counts.
type counter struct {
	h     hash.Hash
	bytes int64
}

func (c *counter) Write(p []byte) (int, error) {
	c.bytes += int64(len(p))
	return c.h.Write(p)
}

func (c *counter) digest() Digest { return Digest(hex.EncodeToString(c.h.Sum(nil))) }

// problem is an error of the bucket or folder as a fault.
func problem(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case gcerrors.Code(err) == gcerrors.NotFound, errors.Is(err, fs.ErrNotExist):
		return fault.Wrap(err, fault.NotFound, "there is no such blob")
	case errors.Is(err, syscall.ENOSPC):
		return fault.Wrap(err, fault.Unavailable, "the disk is full")
	case errors.Is(err, fs.ErrPermission):
		return fault.Wrap(err, fault.Unavailable, "the store of blobs may not be written")
	}
	return fault.Wrap(err, fault.Unavailable, "the store of blobs does not work")
}

// missing is the fault of a digest that names no blob.
func missing(d Digest) error {
	if !d.valid() {
		return fault.New(fault.NotFound, "%q is not the digest of a blob", d)
	}
	return fault.New(fault.NotFound, "there is no blob %s", d)
}

// OpenAt opens a blob for reading from any place, and returns its size. In a folder
// the reader is an *os.File, which the system can send by itself. The bytes are not
// verified: Open does that. An unknown digest is a NotFound fault.
func (b *Bucket) OpenAt(ctx context.Context, d Digest) (io.ReadSeekCloser, int64, error) {
	if !d.valid() {
		return nil, 0, missing(d)
	}
	if b.bucket == nil {
		f, size, err := b.folder.open(d)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, 0, missing(d)
		}
		if err != nil {
			return nil, 0, problem(err)
		}
		return f, size, nil
	}
	r, err := b.bucket.NewReader(ctx, key(d), nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, 0, missing(d)
	}
	if err != nil {
		return nil, 0, problem(err)
	}
	return r, r.Size(), nil
}

// Open reads a blob and verifies it on the way.
func (b *Bucket) Open(ctx context.Context, d Digest) (io.ReadCloser, error) {
	r, _, err := b.OpenAt(ctx, d)
	if err != nil {
		return nil, err
	}
	return &verifier{in: r, h: sha256.New(), want: d}, nil
}

// Size is how many bytes a blob has. An unknown digest is a NotFound fault.
func (b *Bucket) Size(ctx context.Context, d Digest) (int64, error) {
	r, size, err := b.OpenAt(ctx, d)
	if err != nil {
		return 0, err
	}
	return size, problem(r.Close())
}

// Has reports whether the blob is kept.
func (b *Bucket) Has(ctx context.Context, d Digest) (bool, error) {
	_, err := b.Size(ctx, d)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// Keep reports whether the blob is kept, and makes it as young as one that is put now.
func (b *Bucket) Keep(ctx context.Context, d Digest) (bool, error) {
	if !d.valid() {
		return false, nil
	}
	if b.bucket == nil {
		ok, err := b.folder.keep(d)
		return ok, problem(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	r, err := b.bucket.NewReader(ctx, key(d), nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return false, nil
	}
	if err != nil {
		return false, problem(err)
	}
	err = b.bucket.Upload(ctx, key(d), r, &blob.WriterOptions{ContentType: "application/octet-stream"}) // no bucket lets a time be set
	return err == nil, problem(errors.Join(err, r.Close()))
}

// Delete removes a blob that was neither put nor kept since before, and reports
// whether it did. One that is gone already is no error.
func (b *Bucket) Delete(ctx context.Context, d Digest, before time.Time) (bool, error) {
	if !d.valid() {
		return false, nil
	}
	if b.bucket == nil {
		ok, err := b.folder.remove(d, before)
		return ok, problem(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	a, err := b.bucket.Attributes(ctx, key(d))
	if gcerrors.Code(err) == gcerrors.NotFound || err == nil && !a.ModTime.Add(grain).Before(before) {
		return false, nil
	}
	if err == nil {
		err = b.bucket.Delete(ctx, key(d))
	}
	return err == nil, problem(err)
}

// grain is how far before its moment the time of an object may lie: a bucket tells whole
// seconds.
const grain = time.Second

// List yields every blob, in the order of their digests; an error is the last. Blobs
// that are put or deleted meanwhile may or may not be among them.
func (b *Bucket) List(ctx context.Context) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		if b.bucket == nil {
			b.folder.list(ctx, func(i Info, err error) bool { return yield(i, problem(err)) })
			return
		}
		it := b.bucket.List(&blob.ListOptions{Prefix: "sha256/"})
		for {
			o, err := it.Next(ctx)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(Info{}, problem(err))
				return
			}
			if d := Digest(path.Base(o.Key)); d.valid() && !yield(Info{d, o.Size, o.ModTime}, nil) {
				return
			}
		}
	}
}

// Sweep removes what Puts have left behind that never came to an end, as far as
// nothing was written to it since before; what is being written stays, on a folder also
// what another process writes. It returns how many such parts there were and their
// bytes.
func (b *Bucket) Sweep(ctx context.Context, before time.Time) (parts int, bytes int64, err error) {
	if b.bucket == nil {
		parts, bytes, err = b.folder.sweep(ctx, before)
		return parts, bytes, problem(err)
	}
	it := b.bucket.List(&blob.ListOptions{Prefix: "part/"})
	for {
		o, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			return parts, bytes, nil
		}
		if err == nil && o.ModTime.Before(before) {
			parts, bytes = parts+1, bytes+o.Size
			err = b.bucket.Delete(ctx, o.Key)
		}
		if err != nil {
			return parts, bytes, problem(err)
		}
	}
}

// verifier fails at the end of bytes that are not those of their digest.
type verifier struct {
	in   io.ReadCloser
	h    hash.Hash
	want Digest
}

func (v *verifier) Read(p []byte) (int, error) {
	n, err := v.in.Read(p)
	v.h.Write(p[:n])
	if errors.Is(err, io.EOF) && Digest(hex.EncodeToString(v.h.Sum(nil))) != v.want {
		return n, fault.New(fault.Unavailable, "the bytes of blob %s have changed", v.want).Do("restore the blob from a backup")
	}
	return n, err
}

func (v *verifier) Close() error { return v.in.Close() }

// PutBytes keeps p and returns its digest.
func PutBytes(ctx context.Context, s Store, p []byte) (Digest, error) {
	d, _, err := s.Put(ctx, bytes.NewReader(p))
	return d, err
}

// ReadAll reads a whole blob. One of more than limit bytes is a TooLarge fault.
func ReadAll(ctx context.Context, s Store, d Digest, limit int64) ([]byte, error) {
	r, err := s.Open(ctx, d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fault.New(fault.TooLarge, "blob %s has more than %d bytes", d, limit)
	}
	return b, nil
}
