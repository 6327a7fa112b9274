// SPDX-License-Identifier: Apache-2.0

package training

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"time"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/fault"
	"flyball/model/registry"
)

// TarFormat is the format tag of an exported version; docs/formats/bundle-tar.md
// describes it.
const TarFormat = "flyball.version/v1"

const (
	tarHead  = "version.json"
	tarBlobs = "blobs/sha256/"
	maxHead  = 16 << 20 // bytes of version.json, and of a blob that is looked into for digests
)

// exported is version.json: the version, and which blobs come with it.
type exported struct {
	Format  string           `json:"format"`
	Version registry.Version `json:"version"`
	Blobs   []blob.Digest    `json:"blobs"`              // in the archive, sorted
	Left    []blob.Digest    `json:"left_out,omitempty"` // the data, where only its digests were asked for
}

// digest is a digest in JSON.
var digest = regexp.MustCompile(`\b[0-9a-f]{64}\b`)

// WriteTar writes a version as one archive with all that it takes to serve it and to
// make it again elsewhere: the bundles, the record, the snapshot, the code of a command,
// the environment, and the version that it was judged against. Without data, the files of
// the snapshot are left out and named by their digests. The same version gives the same
// bytes. A blob that is not kept any more is a NotFound fault.
func WriteTar(ctx context.Context, w io.Writer, blobs blob.Store, v registry.Version, data bool) error {
	if v.Record == "" || v.Bundle == "" {
		return fault.New(fault.Refused, "%s was not made here: there is no record of how", v.Ref)
	}
	head := exported{Format: TarFormat, Version: v}
	var err error
	if head.Blobs, head.Left, err = closure(ctx, blobs, v, data); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(head, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", tarHead, err)
	}
	out := tar.NewWriter(w)
	if err := writeEntry(out, tarHead, int64(len(raw)), bytes.NewReader(raw)); err != nil {
		return err
	}
	for _, d := range head.Blobs {
		if err := writeBlob(ctx, out, blobs, d); err != nil {
			return err
		}
	}
	return out.Close()
}

func writeBlob(ctx context.Context, out *tar.Writer, blobs blob.Store, d blob.Digest) error {
	size, err := sizeOf(ctx, blobs, d)
	if err != nil {
		return err
	}
	in, err := blobs.Open(ctx, d)
	if err != nil {
		return err
	}
	return errors.Join(writeEntry(out, tarBlobs+string(d), size, in), in.Close())
}

func writeEntry(out *tar.Writer, name string, size int64, in io.Reader) error {
	if err := out.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o644, ModTime: time.Unix(0, 0).UTC(), Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err := io.Copy(out, in)
	return err
}

// sizeOf is the number of bytes of a blob.
func sizeOf(ctx context.Context, blobs blob.Store, d blob.Digest) (int64, error) {
	if s, ok := blobs.(interface {
		Size(ctx context.Context, d blob.Digest) (int64, error)
	}); ok {
		return s.Size(ctx, d)
	}
	in, err := blobs.Open(ctx, d)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(io.Discard, in)
	return n, errors.Join(err, in.Close())
}

// closure is every blob that the version refers to, through JSON that it refers to. The
// files of the source are not among them: the snapshot holds their rows.
func closure(ctx context.Context, blobs blob.Store, v registry.Version, data bool) (found, left []blob.Digest, err error) {
	leave := map[blob.Digest]bool{}
	raw, err := readBlob(ctx, blobs, v.Record)
	if err != nil {
		return nil, nil, err
	}
	if r, _, err := Recorded(raw); err == nil {
		for _, f := range r.Files {
			leave[f.Digest] = true
		}
	}
	rows, err := dataset.Open(ctx, blobs, v.Snapshot)
	if err != nil {
		return nil, nil, err
	}
	if !data {
		for _, f := range rows.Files {
			leave[f.Data], left = true, append(left, f.Data)
		}
	}
	seen := map[blob.Digest]bool{}
	for next := []blob.Digest{v.Bundle, v.Judged, v.Record, v.Snapshot}; len(next) > 0; next = next[1:] {
		d := next[0]
		if d == "" || seen[d] || leave[d] {
			continue
		}
		size, err := sizeOf(ctx, blobs, d)
		if fault.Is(err, fault.NotFound) && !slices.Contains([]blob.Digest{v.Bundle, v.Judged, v.Record, v.Snapshot}, d) {
			continue // a digest of something else, such as a pipeline's
		}
		if err != nil {
			return nil, nil, err
		}
		seen[d] = true
		found = append(found, d)
		if size > maxHead {
			continue
		}
		text, err := blob.ReadAll(ctx, blobs, d, maxHead)
		if err != nil {
			return nil, nil, err
		}
		if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
			for _, in := range digest.FindAll(text, -1) {
				next = append(next, blob.Digest(in))
			}
		}
	}
	slices.Sort(found)
	return found, left, nil
}

// ReadTar keeps the blobs of an archive that WriteTar wrote and returns its version. Each
// blob must have the digest of its name, and each that is listed must come. Nothing else
// of the archive is written anywhere. The error is an Invalid fault that says where, and a
// NotFound one where data was left out of the archive and is not here.
func ReadTar(ctx context.Context, r io.Reader, blobs blob.Store) (registry.Version, error) {
	head, err := unpack(ctx, r, blobs)
	if err != nil {
		return registry.Version{}, err
	}
	missing, err := head.missing(ctx, blobs)
	if err == nil && len(missing) > 0 {
		err = fault.New(fault.NotFound, "the data %s was left out of the archive and is not here", missing[0]).
			Do("export it with its data (without --data digests)")
	}
	return head.Version, err
}

// missing is the data that was left out of the archive and is not here.
func (e exported) missing(ctx context.Context, blobs blob.Store) (out []blob.Digest, err error) {
	for _, d := range e.Left {
		here, err := blobs.Keep(ctx, d)
		if err != nil {
			return nil, err
		}
		if !here {
			out = append(out, d)
		}
	}
	return out, nil
}

// unpack keeps the blobs of an archive.
func unpack(ctx context.Context, r io.Reader, blobs blob.Store) (exported, error) {
	in := tar.NewReader(r)
	var head exported
	missing := map[blob.Digest]bool{}
	for n := 0; ; n++ {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return exported{}, fault.Wrap(err, fault.Invalid, "entry %d of the archive cannot be read", n+1)
		}
		switch {
		case n == 0:
			if head, err = readHead(in, h); err != nil {
				return exported{}, err
			}
			for _, d := range head.Blobs {
				missing[d] = true
			}
		case h.Typeflag != tar.TypeReg || path.Dir(h.Name)+"/" != tarBlobs || !missing[blob.Digest(path.Base(h.Name))]:
			return exported{}, fault.New(fault.Invalid, "the archive holds %q, which %s does not list", h.Name, tarHead)
		default:
			want := blob.Digest(path.Base(h.Name))
			got, _, err := blobs.Put(ctx, in)
			if err != nil {
				return exported{}, fault.Wrap(err, fault.Invalid, "%s in the archive cannot be read", h.Name)
			}
			if got != want {
				return exported{}, fault.New(fault.Invalid, "%s in the archive has the bytes of %s", h.Name, got).Do("get the archive again")
			}
			delete(missing, want)
		}
	}
	if head.Format == "" {
		return exported{}, fault.New(fault.Invalid, "the archive is empty")
	}
	for d := range missing {
		return exported{}, fault.New(fault.Invalid, "the archive ends before %s%s", tarBlobs, d).Do("get the archive again")
	}
	return head, nil
}

func readHead(in io.Reader, h *tar.Header) (exported, error) {
	var head exported
	if h.Name != tarHead || h.Size > maxHead {
		return head, fault.New(fault.Invalid, "this is no exported version: the archive begins with %q, not with %s", h.Name, tarHead).
			Do("write one with flyball export MODEL@VERSION FILE")
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxHead))
	if err == nil {
		err = json.Unmarshal(raw, &head)
	}
	if err != nil || head.Format != TarFormat {
		return exported{}, fault.New(fault.Invalid, "%s of the archive is not in the form %s", tarHead, TarFormat)
	}
	return head, nil
}
