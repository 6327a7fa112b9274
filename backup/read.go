// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"flyball/blob"
	"flyball/fault"
)

// Each gives the parts of a backup, a tar file or a folder, in the order in which they
// were written, each to be read before the next. A stream that ends in the middle of a
// part is an Invalid fault.
func Each(ctx context.Context, place string, give func(name string, size int64, r io.Reader) error) error {
	info, err := os.Stat(place)
	if err != nil {
		return fault.Wrap(err, fault.NotFound, "there is no backup at %s", place)
	}
	if info.IsDir() {
		return eachFile(ctx, place, give)
	}
	f, err := os.Open(place)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "the backup cannot be read")
	}
	return errors.Join(EachOf(ctx, f, give), f.Close())
}

// EachOf is Each of a tar stream.
func EachOf(ctx context.Context, r io.Reader, give func(name string, size int64, r io.Reader) error) error {
	in, last := tar.NewReader(r), ""
	for {
		h, err := in.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && ctx.Err() != nil:
			return ctx.Err()
		case err != nil && isFault(err): // of whoever writes the stream
			return err
		case err != nil && last == "":
			return fault.Wrap(err, fault.Invalid, "this is no backup of Flyball")
		case err != nil:
			return fault.Wrap(err, fault.Invalid, "the backup is damaged, or cut off, after %s", last)
		case h.Typeflag != tar.TypeReg || !fs.ValidPath(h.Name):
			return fault.New(fault.Invalid, "%q is no part of a backup", h.Name)
		}
		last = h.Name
		if err := give(h.Name, h.Size, &heeding{ctx, in}); err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				return fault.Wrap(err, fault.Invalid, "the backup is cut off in %s", h.Name)
			}
			return err
		}
	}
}

func isFault(err error) bool {
	_, is := errors.AsType[*fault.Error](err)
	return is
}

// eachFile gives the files of a folder in the order of a stream.
func eachFile(ctx context.Context, dir string, give func(name string, size int64, r io.Reader) error) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "the backup cannot be read")
	}
	defer root.Close()
	for _, top := range []string{readme, Records, BlobsDir, Predictions, Folder, manifest, manifestSum} {
		top = path.Clean(top)
		err := fs.WalkDir(root.FS(), top, func(name string, d fs.DirEntry, err error) error {
			if name == top && errors.Is(err, fs.ErrNotExist) {
				return nil // what is missing the manifest knows
			}
			if err != nil || d.IsDir() {
				return err
			}
			f, err := root.Open(filepath.FromSlash(name))
			if err != nil {
				return err
			}
			info, err := f.Stat()
			if err == nil {
				err = give(name, info.Size(), &heeding{ctx, f})
			}
			return errors.Join(err, f.Close())
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Verify reads a whole backup, compares each part with the manifest, and names every one
// that is not as it was written. An error is that there is no whole backup to speak of.
func Verify(ctx context.Context, place string, tell func(Step)) (m Manifest, wrong []string, err error) {
	v := verifying{have: map[string]Part{}, tell: Paced(tell)}
	if err := Each(ctx, place, v.take); err != nil {
		return m, v.wrong, err
	}
	return v.end()
}

// Save copies a tar stream to w as it is, and verifies it on the way, as Verify does.
func Save(ctx context.Context, w io.Writer, r io.Reader, tell func(Step)) (m Manifest, wrong []string, err error) {
	in := io.TeeReader(r, w)
	v := verifying{have: map[string]Part{}, tell: Paced(tell)}
	if err := EachOf(ctx, in, v.take); err != nil {
		return m, v.wrong, err
	}
	if _, err := io.Copy(io.Discard, in); err != nil { // what fills up the last block
		return m, v.wrong, fault.Wrap(err, fault.Unavailable, "the backup was cut off at its end")
	}
	return v.end()
}

// Unpack writes the parts of a tar stream as files of a folder that is there and empty, and
// verifies them on the way, as Verify does.
func Unpack(ctx context.Context, dir string, r io.Reader, tell func(Step)) (m Manifest, wrong []string, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return m, nil, fault.Wrap(err, fault.Unavailable, "the folder %s cannot be opened", dir)
	}
	defer root.Close()
	v := verifying{have: map[string]Part{}, tell: Paced(tell)}
	if err := EachOf(ctx, r, func(name string, size int64, in io.Reader) error {
		at := filepath.FromSlash(name)
		if err := root.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			return err
		}
		f, err := root.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		err = v.take(name, size, io.TeeReader(in, f))
		return errors.Join(err, f.Sync(), f.Close())
	}); err != nil {
		return m, v.wrong, err
	}
	return v.end()
}

type verifying struct {
	have  map[string]Part // those that are not named by their digest
	blobs Count
	wrong []string
	m     *Manifest
	said  string // the digest of the manifest, by the last part
	bytes int64
	tell  func(Step)
}

func (v *verifying) take(name string, size int64, r io.Reader) error {
	h := sha256.New()
	in := io.TeeReader(r, h)
	if name == manifest {
		m, err := readManifest(in)
		if err != nil {
			return err
		}
		v.m = &m
	}
	if name == manifestSum {
		raw, err := io.ReadAll(io.LimitReader(in, 1<<10))
		if err != nil {
			return err
		}
		v.said, _, _ = strings.Cut(string(raw), " ")
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return err
	}
	sum := hex.EncodeToString(h.Sum(nil))
	v.bytes += size
	v.tell(Step{What: "MB of the backup", Done: v.bytes >> 20})
	digest, is := strings.CutPrefix(name, BlobsDir)
	switch {
	case is && digest == sum:
		v.blobs.Number++
		v.blobs.Bytes += size
	case is:
		v.wrong = append(v.wrong, name+" was changed")
	default:
		v.have[name] = Part{Name: name, Bytes: size, SHA256: sum}
	}
	return nil
}

// end compares what was read with the manifest.
func (v *verifying) end() (Manifest, []string, error) {
	if v.m == nil {
		return Manifest{}, v.wrong, fault.New(fault.Invalid, "the backup has no manifest: it is cut off, or is none").Do("make another: flyball backup FILE")
	}
	if v.have[manifest].SHA256 != v.said {
		v.wrong = append(v.wrong, fmt.Sprintf("%s was changed, or %s was", manifest, manifestSum))
	}
	delete(v.have, manifest)
	delete(v.have, manifestSum)
	for _, p := range v.m.Parts {
		have, there := v.have[p.Name]
		switch {
		case !there:
			v.wrong = append(v.wrong, p.Name+" is missing")
		case have != p:
			v.wrong = append(v.wrong, p.Name+" was changed")
		}
		delete(v.have, p.Name)
	}
	for name := range v.have {
		v.wrong = append(v.wrong, name+" was added")
	}
	v.wrong = slices.DeleteFunc(v.wrong, func(w string) bool { // was so before, and the manifest says it
		d, is := strings.CutPrefix(strings.TrimSuffix(w, " was changed"), BlobsDir)
		return is && slices.Contains(v.m.Blobs.Damaged, blob.Digest(d))
	})
	if lost := v.m.Blobs.Number - len(v.m.Blobs.Damaged) - v.blobs.Number; lost != 0 && len(v.wrong) == 0 {
		v.wrong = append(v.wrong, fmt.Sprintf("%d blobs are missing", lost))
	}
	return *v.m, v.wrong, nil
}

// Rows gives the rows of a part of records, decompressed in a stream.
func Rows(r io.Reader, t *Table, give func(row []any) error) error {
	in, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(64<<20))
	if err != nil {
		return err
	}
	defer in.Close()
	return ReadRows(in, t, give)
}

// Table is the table whose part this is; nil when the manifest has none of that name.
func (m *Manifest) Table(part string) *Table {
	name, _, _ := strings.Cut(strings.TrimPrefix(part, Records), "/")
	for i := range m.Tables {
		if m.Tables[i].Name == name {
			return &m.Tables[i]
		}
	}
	return nil
}
