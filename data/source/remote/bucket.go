// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"flyball/bucket"
	"flyball/data/frame"
	"flyball/data/source"
	"flyball/fault"
)

// maxObjects bounds how many objects one source may have.
const maxObjects = 100_000

// openBucket finds the objects that a source names. They are read in the order of their
// keys.
func openBucket(ctx context.Context, at place, opts frame.CSVOptions) (*source.Set, error) {
	b, err := bucket.S3(ctx, at.host)
	if err != nil {
		return nil, err
	}
	set, err := listed(ctx, b, at, opts)
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	set.OnClose(b)
	return set, nil
}

func listed(ctx context.Context, b *blob.Bucket, at place, opts frame.CSVOptions) (*source.Set, error) {
	names, err := objects(ctx, b, at)
	if err != nil {
		return nil, err
	}
	set := &source.Set{}
	for _, o := range names {
		set.Parts = append(set.Parts, part(ctx, b, at, o, opts))
	}
	return set, nil
}

// found is one object: its key, and its name below the source's folder.
type found struct {
	key, name string
	size      int64
	tag       string // the ETag of its bytes when it was listed
}

func objects(ctx context.Context, b *blob.Bucket, at place) ([]found, error) {
	pattern, err := source.ParsePattern(at.path)
	if err != nil {
		return nil, err
	}
	wild := strings.ContainsAny(at.path, "*?[")
	prefix := pattern.Base
	if prefix != "" {
		prefix += "/"
	}
	ask := prefix
	if !wild {
		ask = at.path
	}
	var out []found
	for list := b.List(&blob.ListOptions{Prefix: ask}); ; {
		o, err := list.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, problem(err, at)
		}
		name := strings.TrimPrefix(o.Key, prefix)
		if o.IsDir || strings.HasSuffix(o.Key, "/") || !pattern.Match(name) {
			continue
		}
		if !wild && o.Key != at.path { // a folder: its own name says nothing
			name = strings.TrimPrefix(strings.TrimPrefix(o.Key, at.path), "/")
		}
		if len(out) == maxObjects {
			return nil, fault.New(fault.TooLarge, "%s has more than %d objects", at.text, maxObjects)
		}
		var more types.Object
		if !o.As(&more) {
			more.ETag = nil
		}
		out = append(out, found{o.Key, name, o.Size, aws.ToString(more.ETag)})
	}
	if len(out) == 0 {
		return nil, fault.New(fault.NotFound, "no object is named %s", at.text).
			Do("of a folder, objects are read that end with .csv, .tsv, .parquet, .pq or .zip, and .gz or .zst after it")
	}
	slices.SortFunc(out, func(a, b found) int { return strings.Compare(a.name, b.name) })
	return out, nil
}

// object is an object as a file. What goes wrong in reading it at any place is told to
// failed too.
func object(ctx context.Context, b *blob.Bucket, at place, o found, failed *failure) frame.Source {
	return frame.Source{
		Name: "s3://" + at.host + "/" + o.key,
		Open: func() (io.ReadCloser, error) {
			in, err := b.NewReader(ctx, o.key, nil)
			if err != nil {
				return nil, problem(err, at)
			}
			if err := o.same(in, at); err != nil {
				return nil, errors.Join(err, in.Close())
			}
			return in, nil
		},
		At: func() (io.ReaderAt, int64, io.Closer, error) {
			return &ranges{ctx: ctx, bucket: b, object: o, at: at, failed: failed}, o.size, io.NopCloser(nil), nil
		},
	}
}

// same reports an object that is no longer the one that was listed: its kinds were found
// over other bytes, and pieces of two files are no file.
func (o found) same(in *blob.Reader, at place) error {
	var got s3.GetObjectOutput
	if !in.As(&got) {
		got.ETag = nil
	}
	tag := aws.ToString(got.ETag)
	if in.Size() == o.size && (tag == o.tag || tag == "" || o.tag == "") {
		return nil
	}
	return fault.New(fault.Conflict, "s3://%s/%s has changed while it was read", at.host, o.key).
		Do("try again when it is written; best, write each file under a name of its own")
}

// ranges reads an object at any place, with a request for each piece.
type ranges struct {
	ctx    context.Context // of the whole reading
	bucket *blob.Bucket
	object found
	at     place
	failed *failure
}

// ReadAt is safe for use at once.
func (r *ranges) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.readAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		r.failed.set(err)
	}
	return n, err
}

func (r *ranges) readAt(p []byte, off int64) (int, error) {
	in, err := r.bucket.NewRangeReader(r.ctx, r.object.key, off, int64(len(p)), nil)
	if err != nil {
		return 0, problem(err, r.at)
	}
	if err := r.object.same(in, r.at); err != nil {
		return 0, errors.Join(err, in.Close())
	}
	n, err := io.ReadFull(in, p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, errors.Join(err, in.Close())
}

// problem is an error of the bucket as a fault.
func problem(err error, at place) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case gcerrors.Code(err) == gcerrors.NotFound:
		return fault.Wrap(err, fault.NotFound, "%s: there is no such bucket or object", at.text)
	case gcerrors.Code(err) == gcerrors.PermissionDenied:
		return caused(err, fault.New(fault.Unavailable, "%s may not be read", at.text)).
			Do("give the server keys that may: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in its environment")
	}
	return caused(err, fault.New(fault.Unavailable, "%s cannot be read", at.text)).
		Do("see that AWS_REGION, AWS_ENDPOINT_URL and the keys of the server's environment are right")
}

func caused(err error, f *fault.Error) *fault.Error {
	f.Cause = err
	return f
}
