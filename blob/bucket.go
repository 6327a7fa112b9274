// SPDX-License-Identifier: Apache-2.0

package blob

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/memblob"
	"gocloud.dev/gcerrors"

	"flyball/fault"
)

// Bucket is a Store in a folder or a bucket: a blob lies under sha256/ab/abcd….
// All methods may be called at once, also by several processes on one folder.
type Bucket struct {
	bucket *blob.Bucket
	dir    string // of a store in a folder; empty: not one
}

// Open opens a store. where is a folder, which is made when it is not there, or its
// URL (file:///…). Another scheme is an Invalid fault.
func Open(_ context.Context, where string) (*Bucket, error) {
	if where == "" {
		return nil, fault.New(fault.Invalid, "the place for blobs has no name").Do("name a folder")
	}
	if !strings.Contains(where, "://") {
		return OpenDir(where)
	}
	u, err := url.Parse(where)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "the place for blobs is not a URL")
	}
	if u.Scheme != "file" || u.Host != "" || u.Path == "" {
		return nil, fault.New(fault.Invalid, "blobs cannot be kept in %q", where).Do("name a folder, or a URL such as file:///var/lib/flyball/blobs")
	}
	return OpenDir(filepath.FromSlash(u.Path))
}

// OpenDir opens a store in a folder, which is made when it is not there.
func OpenDir(dir string) (*Bucket, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the folder for blobs cannot be made")
	}
	b, err := fileblob.OpenBucket(dir, &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the folder for blobs cannot be opened")
	}
	return &Bucket{bucket: b, dir: dir}, nil
}

// Memory is a store in memory, for tests and for work that keeps nothing.
func Memory() *Bucket { return &Bucket{bucket: memblob.OpenBucket(nil)} }

// Close lets the store go.
func (b *Bucket) Close() error { return b.bucket.Close() }

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

// Put keeps the bytes of r. They are written under a name of their own first, as
// their digest is known only at their end.
func (b *Bucket) Put(ctx context.Context, r io.Reader) (Digest, int64, error) {
	small, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		return "", 0, err
	}
	if len(small) < 1<<20 {
		d := Sum(small)
		return d, int64(len(small)), b.write(ctx, d, bytes.NewReader(small))
	}
	return b.putLarge(ctx, io.MultiReader(bytes.NewReader(small), r))
}

func (b *Bucket) write(ctx context.Context, d Digest, r io.Reader) error {
	if ok, err := b.Has(ctx, d); ok || err != nil {
		return err
	}
	if err := b.bucket.Upload(ctx, key(d), r, &blob.WriterOptions{ContentType: "application/octet-stream"}); err != nil {
		return problem(err)
	}
	return b.settle(d)
}

// settle makes a blob that was written outlive a loss of power: a row that names it
// is committed next. A bucket that is no folder does so by itself.
func (b *Bucket) settle(d Digest) error {
	if b.dir == "" {
		return nil
	}
	file := filepath.Join(b.dir, filepath.FromSlash(key(d)))
	for _, path := range []string{file, filepath.Dir(file), filepath.Join(b.dir, "sha256"), b.dir} {
		if err := syncPath(path); err != nil {
			return fault.Wrap(err, fault.Unavailable, "a blob cannot be brought to the disk")
		}
	}
	return nil
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (b *Bucket) putLarge(ctx context.Context, r io.Reader) (_ Digest, _ int64, err error) {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	part := "part/" + hex.EncodeToString(random[:])
	h := sha256.New()
	n := &counter{h: h}
	if err := b.bucket.Upload(ctx, part, io.TeeReader(r, n), &blob.WriterOptions{ContentType: "application/octet-stream"}); err != nil {
		return "", 0, problem(err)
	}
	defer func() {
		if e := b.bucket.Delete(context.WithoutCancel(ctx), part); e != nil && err == nil {
			err = problem(e)
		}
	}()
	d := Digest(hex.EncodeToString(h.Sum(nil)))
	if ok, err := b.Has(ctx, d); ok || err != nil {
		return d, n.bytes, err
	}
	if err := b.bucket.Copy(ctx, key(d), part, nil); err != nil {
		return "", 0, problem(err)
	}
	return d, n.bytes, b.settle(d)
}

type counter struct {
	h     hash.Hash
	bytes int64
}

func (c *counter) Write(p []byte) (int, error) {
	c.bytes += int64(len(p))
	return c.h.Write(p)
}

// problem is an error of the bucket as a fault; errors of the reader that Upload
// was given pass as they are.
func problem(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case gcerrors.Code(err) == gcerrors.NotFound:
		return fault.Wrap(err, fault.NotFound, "there is no such blob")
	case errors.Is(err, syscall.ENOSPC):
		return fault.Wrap(err, fault.Unavailable, "the disk is full")
	case errors.Is(err, fs.ErrPermission):
		return fault.Wrap(err, fault.Unavailable, "the store of blobs may not be written")
	}
	return fault.Wrap(err, fault.Unavailable, "the store of blobs does not work")
}

// Open reads a blob and verifies it on the way.
func (b *Bucket) Open(ctx context.Context, d Digest) (io.ReadCloser, error) {
	if !d.valid() {
		return nil, fault.New(fault.NotFound, "%q is not the digest of a blob", d)
	}
	r, err := b.bucket.NewReader(ctx, key(d), nil)
	if err != nil {
		if gcerrors.Code(err) == gcerrors.NotFound {
			return nil, fault.New(fault.NotFound, "there is no blob %s", d)
		}
		return nil, problem(err)
	}
	return &verifier{in: r, h: sha256.New(), want: d}, nil
}

// Has reports whether the blob is kept.
func (b *Bucket) Has(ctx context.Context, d Digest) (bool, error) {
	if !d.valid() {
		return false, nil
	}
	ok, err := b.bucket.Exists(ctx, key(d))
	return ok, problem(err)
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
