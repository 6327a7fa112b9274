// SPDX-License-Identifier: Apache-2.0

// Package artifact holds the files of runs and logged models: a tree of paths, each
// file of which is a blob. It says what a path may be and how much one run may hold.
// It opens nothing that a path names: bytes are found by their digest alone, and
// package store keeps which path has which. It does not know who may read what.
package artifact

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"flyball/blob"
	"flyball/fault"
	"flyball/unit"
)

// Entry is a file or a folder of the tree.
type Entry struct {
	Path   string // in listings its last segment
	Folder bool   // then there is nothing more to say
	Digest blob.Digest
	Size   int64 // in bytes
	At     int64 // when it was put; ms since 1970
}

// Blobs is where the bytes are. Package blob implements it.
type Blobs interface {
	Put(ctx context.Context, r io.Reader) (blob.Digest, int64, error)
	OpenAt(ctx context.Context, d blob.Digest) (io.ReadSeekCloser, int64, error)
	Keep(ctx context.Context, d blob.Digest) (bool, error)
}

// Store keeps the tree. Package store implements it. Its paths are clean.
type Store interface {
	// ArtifactRoom is how many bytes the owner has in other files than that of path;
	// of no owner, 0. Where no file can be put it is an Invalid fault: path is a
	// folder, or lies below a file.
	ArtifactRoom(ctx context.Context, path string, o Owner) (used int64, err error)

	// PutArtifact puts a file, in the place of one that is there, and makes its
	// folders. When more than quota bytes were then the owner's, it is a TooLarge
	// fault; 0: no quota. Invalid as in ArtifactRoom.
	PutArtifact(ctx context.Context, e Entry, o Owner, quota int64) error

	// Artifact is the entry of a path; a NotFound fault when there is none.
	Artifact(ctx context.Context, path string) (Entry, error)

	// Artifacts are the entries right in a folder, by name.
	Artifacts(ctx context.Context, folder string) ([]Entry, error)

	// RemoveArtifacts removes a file or a tree; empty: all. Nothing there is no error.
	RemoveArtifacts(ctx context.Context, path string) error
}

// Options are what a Tree is made of.
type Options struct {
	Blobs Blobs
	Store Store
	Quota int64            // bytes of one run or logged model; 0: no bound
	Now   func() time.Time // nil: the machine's clock
}

// Tree is all files. Its methods may be called at once; each takes paths as a request
// says them, and refuses with an Invalid fault one that Clean refuses.
type Tree struct{ opts Options }

// New makes a tree.
func New(o Options) *Tree {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Tree{opts: o}
}

// Put streams r into a file, in the place of one that is there, and makes its folders.
// An upload that breaks off leaves everything as it was. Over a folder or below a file
// it is an Invalid fault, beyond the quota a TooLarge one; both are said before r is
// read, as far as they are known then.
func (t *Tree) Put(ctx context.Context, path string, r io.Reader) (Entry, error) {
	path, err := Clean(path)
	if err != nil {
		return Entry{}, err
	}
	o, counted := OwnerOf(path), Owner{}
	if t.opts.Quota > 0 {
		counted = o
	}
	used, err := t.opts.Store.ArtifactRoom(ctx, path, counted)
	if err != nil {
		return Entry{}, err
	}
	if t.opts.Quota > 0 {
		if o.ID == "" {
			return Entry{}, fault.New(fault.Invalid, "'%s' belongs to no run and no logged model, and this server has a quota for each", path).
				Do("put it below the artifact_uri of a run")
		}
		r = &bounded{r: r, left: t.opts.Quota - used, over: Over(o, t.opts.Quota)}
	}
	e := Entry{Path: path, At: t.opts.Now().UnixMilli()}
	if e.Digest, e.Size, err = t.opts.Blobs.Put(ctx, r); err != nil {
		return Entry{}, err
	}
	if err := t.opts.Store.PutArtifact(ctx, e, o, t.opts.Quota); err != nil {
		return Entry{}, err
	}
	ok, err := t.opts.Blobs.Keep(ctx, e.Digest)
	if err == nil && !ok { // a collection without any grace came between the bytes and their row
		err = fault.New(fault.Unavailable, "the bytes of '%s' were collected while it was put", path).Do("put it again")
	}
	return e, err
}

// Over is the fault of an owner whose files would take more than quota bytes.
func Over(o Owner, quota int64) error {
	return fault.New(fault.TooLarge, "The files of %s would take more than its quota of %s", o.ID, unit.Bytes(quota)).
		Do("delete some of them, or have whoever runs the server raise --artifact-quota")
}

// bounded fails with over once more than left bytes come from r.
type bounded struct {
	r    io.Reader
	left int64
	over error
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, b.over
	}
	return n, err
}

// Stat is the entry of a path. When there is none it is a NotFound fault with MLflow's
// words.
func (t *Tree) Stat(ctx context.Context, path string) (Entry, error) {
	path, err := Clean(path)
	if err != nil {
		return Entry{}, err
	}
	e, err := t.opts.Store.Artifact(ctx, path)
	if fault.Is(err, fault.NotFound) {
		return Entry{}, fault.New(fault.NotFound, "No such artifact: '%s'", path)
	}
	return e, err
}

// Open opens a file for reading from any place. A folder is an Invalid fault; what is
// not there is as in Stat. In a folder of blobs the reader is an *os.File.
func (t *Tree) Open(ctx context.Context, path string) (Entry, io.ReadSeekCloser, error) {
	e, err := t.Stat(ctx, path)
	if err != nil {
		return Entry{}, nil, err
	}
	if e.Folder {
		return Entry{}, nil, fault.New(fault.Invalid, "'%s' is a directory, not a file", e.Path)
	}
	r, size, err := t.opts.Blobs.OpenAt(ctx, e.Digest)
	if err != nil {
		return Entry{}, nil, fault.Wrap(err, fault.Unavailable, "the bytes of '%s' cannot be read", e.Path)
	}
	if size != e.Size {
		err := fault.New(fault.Unavailable, "the bytes of '%s' have changed", e.Path).Do("restore the blob from a backup")
		return Entry{}, nil, errors.Join(err, r.Close())
	}
	return e, r, nil
}

// List is what lies right in a folder, by name. A file, or what is not there, has
// nothing in it.
func (t *Tree) List(ctx context.Context, folder string) ([]Entry, error) {
	folder, err := CleanFolder(folder)
	if err != nil {
		return nil, err
	}
	return t.opts.Store.Artifacts(ctx, folder)
}

// Walk yields all files below a folder, with their whole paths, each folder's by name;
// an error is the last. Of a file it yields that alone.
func (t *Tree) Walk(ctx context.Context, path string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		path, err := CleanFolder(path)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		if path != "" {
			e, err := t.opts.Store.Artifact(ctx, path)
			switch {
			case fault.Is(err, fault.NotFound):
				return
			case err != nil || !e.Folder:
				yield(e, err)
				return
			}
		}
		t.walk(ctx, path, yield)
	}
}

// walk goes no deeper than a path may have segments.
func (t *Tree) walk(ctx context.Context, folder string, yield func(Entry, error) bool) bool {
	es, err := t.opts.Store.Artifacts(ctx, folder)
	if err != nil {
		return yield(Entry{}, err) && false
	}
	for _, e := range es {
		e.Path = join(folder, e.Path)
		if e.Folder && !t.walk(ctx, e.Path, yield) || !e.Folder && !yield(e, nil) {
			return false
		}
	}
	return true
}

func join(folder, name string) string {
	if folder == "" {
		return name
	}
	return folder + "/" + name
}

// Remove removes a file or a tree. What is not there is removed already.
func (t *Tree) Remove(ctx context.Context, path string) error {
	path, err := Clean(path)
	if err != nil {
		return err
	}
	return t.opts.Store.RemoveArtifacts(ctx, path)
}

// Link puts a blob that is kept already under a path, in the place of a file that is
// there. No quota is asked: nothing more is kept than before. A digest that is not
// kept is a NotFound fault.
func (t *Tree) Link(ctx context.Context, path string, d blob.Digest, size int64) error {
	path, err := Clean(path)
	if err != nil {
		return err
	}
	if ok, err := t.opts.Blobs.Keep(ctx, d); err != nil {
		return err
	} else if !ok {
		return fault.New(fault.NotFound, "there is no blob %s", d)
	}
	e := Entry{Path: path, Digest: d, Size: size, At: t.opts.Now().UnixMilli()}
	return t.opts.Store.PutArtifact(ctx, e, OwnerOf(path), 0)
}

// Copy links all files below from into to, under the same names. What lies in to
// besides stays there.
func (t *Tree) Copy(ctx context.Context, from, to string) error {
	from, err := CleanFolder(from)
	if err != nil {
		return err
	}
	var all []Entry // first: to may lie inside from
	for e, err := range t.Walk(ctx, from) {
		if err != nil {
			return err
		}
		all = append(all, e)
	}
	for _, e := range all {
		if err := t.Link(ctx, to+e.Path[len(from):], e.Digest, e.Size); err != nil {
			return err
		}
	}
	return nil
}
