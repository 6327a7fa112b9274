// SPDX-License-Identifier: Apache-2.0

package bucket

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/gcerrors"

	"flyball/fault"
)

// folder is a bucket in a folder. It reads as fileblob does. It writes by itself, since of
// several writers there more than one may be told that it was the first, and what is
// written is on the disk only at some later time.
type folder struct {
	root string
	in   *blob.Bucket // of fileblob
}

var _ driver.Bucket = (*folder)(nil)

// parts is where objects lie while they are written.
const parts = ".part"

func openFolder(u *url.URL) (*blob.Bucket, error) {
	if u.Host != "" || u.Path == "" {
		return nil, fault.New(fault.Invalid, "a folder is written file:///folder")
	}
	f := &folder{root: filepath.FromSlash(u.Path)}
	var err error
	f.in, err = fileblob.OpenBucket(f.root, &fileblob.Options{CreateDir: true, DirFileMode: 0o700, NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	if err == nil {
		err = f.clean()
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the folder %s cannot be opened", u.Path)
	}
	return blob.NewBucket(f), nil
}

// clean makes the folder of parts, and removes what killed processes left in it.
func (f *folder) clean() error {
	dir := filepath.Join(f.root, parts)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	all, err := os.ReadDir(dir)
	for _, e := range all {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > 24*time.Hour {
			_ = os.Remove(filepath.Join(dir, e.Name())) // another process may have done so
		}
	}
	return err
}

// NewTypedWriter writes an object. Its type is not kept.
func (f *folder) NewTypedWriter(ctx context.Context, key, _ string, o *driver.WriterOptions) (driver.Writer, error) {
	if !filepath.IsLocal(filepath.FromSlash(key)) || strings.HasSuffix(key, "/") || strings.Contains(key, "//") {
		return nil, fault.New(fault.Invalid, "%q cannot be the name of an object in a folder", key)
	}
	part, err := os.CreateTemp(filepath.Join(f.root, parts), "")
	if err != nil {
		return nil, err
	}
	return &object{File: part, ctx: ctx, root: f.root, path: filepath.Join(f.root, filepath.FromSlash(key)), once: o.IfNotExist}, nil
}

// object is one that is written.
type object struct {
	*os.File
	ctx        context.Context //nolint:containedctx // of the writer: canceled, nothing comes to be
	root, path string
	once       bool
}

// Close puts the object in its place, when all of it is on the disk.
func (o *object) Close() error {
	defer func() { _ = os.Remove(o.Name()) }() // unless it has become the object
	err := o.ctx.Err()
	if err == nil {
		err = o.Sync()
	}
	if err := errors.Join(err, o.File.Close()); err != nil {
		return err
	}
	dir := filepath.Dir(o.path)
	_, missing := os.Stat(dir)
	if missing != nil {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if o.once {
		err = os.Link(o.Name(), o.path) // the first has it
	} else {
		err = os.Rename(o.Name(), o.path)
	}
	for err == nil {
		if err = syncFolder(dir); missing == nil || dir == o.root || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir) // it may be new too
	}
	return err
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ErrorCode is the code of an error of this bucket.
func (f *folder) ErrorCode(err error) gcerrors.ErrorCode {
	switch {
	case errors.Is(err, fs.ErrExist):
		return gcerrors.FailedPrecondition
	case errors.Is(err, fs.ErrNotExist):
		return gcerrors.NotFound
	case fault.Is(err, fault.Invalid):
		return gcerrors.InvalidArgument
	}
	return gcerrors.Code(err)
}

// Attributes are what is known of an object.
func (f *folder) Attributes(ctx context.Context, key string) (*driver.Attributes, error) {
	a, err := f.in.Attributes(ctx, key)
	if err != nil {
		return nil, err
	}
	return &driver.Attributes{ContentType: a.ContentType, ModTime: a.ModTime, Size: a.Size, ETag: a.ETag}, nil
}

// ListPaged is a page of a list.
func (f *folder) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	token, size := o.PageToken, o.PageSize
	if len(token) == 0 {
		token = blob.FirstPageToken
	}
	if size == 0 {
		size = 1000
	}
	objects, next, err := f.in.ListPage(ctx, token, size, &blob.ListOptions{Prefix: o.Prefix, Delimiter: o.Delimiter})
	if err != nil {
		return nil, err
	}
	page := &driver.ListPage{NextPageToken: next}
	for _, x := range objects {
		if !strings.HasPrefix(x.Key, parts+"/") {
			page.Objects = append(page.Objects, &driver.ListObject{Key: x.Key, ModTime: x.ModTime, Size: x.Size, IsDir: x.IsDir})
		}
	}
	return page, nil
}

// NewRangeReader reads a piece of an object.
func (f *folder) NewRangeReader(ctx context.Context, key string, offset, length int64, _ *driver.ReaderOptions) (driver.Reader, error) {
	r, err := f.in.NewRangeReader(ctx, key, offset, length, nil)
	if err != nil {
		return nil, err
	}
	return reader{r}, nil
}

// reader is what fileblob reads.
type reader struct{ *blob.Reader }

// Attributes are what is known of the object.
func (r reader) Attributes() *driver.ReaderAttributes {
	return &driver.ReaderAttributes{ContentType: r.ContentType(), ModTime: r.ModTime(), Size: r.Size()}
}

// As gives nothing of this driver.
func (reader) As(any) bool { return false }

// Copy writes an object as another.
func (f *folder) Copy(ctx context.Context, to, from string, _ *driver.CopyOptions) error {
	r, err := f.in.NewReader(ctx, from, nil)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx) // canceled before its end, nothing comes to be
	defer cancel()
	w, err := f.NewTypedWriter(ctx, to, "", &driver.WriterOptions{})
	if err != nil {
		return errors.Join(err, r.Close())
	}
	if _, err = r.WriteTo(w); err != nil {
		cancel()
	}
	return errors.Join(err, w.Close(), r.Close())
}

// Delete removes an object.
func (f *folder) Delete(ctx context.Context, key string, _ *driver.DeleteOptions) error {
	return f.in.Delete(ctx, key)
}

// SignedURL is nothing that a folder has.
func (f *folder) SignedURL(context.Context, string, *driver.SignedURLOptions) (string, error) {
	return "", errors.ErrUnsupported
}

// As gives nothing of this driver.
func (f *folder) As(any) bool { return false }

// ErrorAs gives nothing of this driver.
func (f *folder) ErrorAs(error, any) bool { return false }

// Close lets the folder go.
func (f *folder) Close() error { return f.in.Close() }
