// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"flyball/blob"
	"flyball/fault"
)

// Source is what a backup is written of, all of one moment.
type Source struct {
	Origin
	Tables []Table // their Rows are counted here
	// Rows gives the rows of a table in the order of its key. A row may be used again for
	// the next one.
	Rows func(ctx context.Context, t *Table, give func(row []any) error) error
	// Digests are the blobs to take, each once; true: the records name it as a file, so
	// that it is missed when it is not there.
	Digests iter.Seq2[blob.Digest, bool]
	Blobs   Opener
	Files   []File // of predictions and of the data folder
}

// Opener opens blobs. An unknown digest is a NotFound fault. *blob.Bucket is one.
type Opener interface {
	OpenAt(ctx context.Context, d blob.Digest) (io.ReadSeekCloser, int64, error)
}

// File is a file on disk that becomes a part.
type File struct {
	Name string // of the part
	Path string
	Body []byte // not nil: its bytes, and there is no file
}

// Step is how far a backup or a restore has come.
type Step struct {
	What  string `json:"what"`
	Done  int64  `json:"done"`
	Total int64  `json:"total,omitempty"` // 0: not known
}

// chunk is how many bytes of rows make a part, before they are compressed.
const chunk = 8 << 20

// Write writes a backup as a tar stream and returns what it has. A blob that is missing or
// damaged is named in the manifest and ends nothing; anything else that cannot be read
// does, and what was written then has no manifest and is refused.
func Write(ctx context.Context, w io.Writer, src *Source, tell func(Step)) (Manifest, error) {
	press, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return Manifest{}, err
	}
	x := &writer{
		tar: tar.NewWriter(w), press: press, tell: Paced(tell),
		m: Manifest{Format: Format, Origin: src.Origin, Tables: src.Tables},
	}
	if err := x.bytes(readme, []byte(about)); err != nil {
		return x.m, err
	}
	for i := range x.m.Tables {
		if err := x.table(ctx, &x.m.Tables[i], src.Rows); err != nil {
			return x.m, err
		}
	}
	for d, named := range src.Digests {
		if err := x.blob(ctx, src.Blobs, d, named); err != nil {
			return x.m, err
		}
	}
	for _, f := range src.Files {
		if err := x.file(ctx, f); err != nil {
			return x.m, err
		}
	}
	return x.m, x.end()
}

type writer struct {
	tar   *tar.Writer
	press *zstd.Encoder
	m     Manifest
	tell  func(Step)
	lines []byte // rows that wait to become a part
	out   []byte // the same, compressed
	parts int    // of the table
	rows  int64  // of all tables
}

func (x *writer) header(name string, size int64) error {
	return x.tar.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o600, ModTime: x.m.MadeAt.Truncate(time.Second), Typeflag: tar.TypeReg})
}

// part writes a part of a size that is known, and remembers its digest.
func (x *writer) part(name string, size int64, r io.Reader) error {
	if err := x.header(name, size); err != nil {
		return err
	}
	h := sha256.New()
	n, err := io.Copy(x.tar, io.TeeReader(io.LimitReader(r, size), h))
	if err == nil && n != size {
		err = fault.New(fault.Unavailable, "%s became shorter while it was read", name)
	}
	if err != nil {
		return err
	}
	x.m.Parts = append(x.m.Parts, Part{Name: name, Bytes: size, SHA256: hex.EncodeToString(h.Sum(nil))})
	return nil
}

func (x *writer) bytes(name string, b []byte) error {
	return x.part(name, int64(len(b)), bytes.NewReader(b))
}

// table writes a table in parts.
func (x *writer) table(ctx context.Context, t *Table, rows func(context.Context, *Table, func([]any) error) error) error {
	x.parts, t.Rows = 0, 0
	err := rows(ctx, t, func(row []any) (err error) {
		if x.lines, err = appendRow(x.lines, t, row); err != nil {
			return err
		}
		t.Rows++
		x.rows++
		if len(x.lines) < chunk {
			return nil
		}
		return x.flush(t)
	})
	if err == nil && len(x.lines) > 0 {
		err = x.flush(t)
	}
	return err
}

func (x *writer) flush(t *Table) error {
	x.parts++
	x.out = x.press.EncodeAll(x.lines, x.out[:0])
	x.lines = x.lines[:0]
	x.tell(Step{What: "rows", Done: x.rows})
	return x.bytes(fmt.Sprintf("%s%s/%05d.jsonl.zst", Records, t.Name, x.parts), x.out)
}

// blob writes a blob into a part that its digest names. One whose bytes are others is
// noticed at its end, and is named in the manifest.
func (x *writer) blob(ctx context.Context, from Opener, d blob.Digest, named bool) (err error) {
	in, size, err := from.OpenAt(ctx, d)
	if fault.Is(err, fault.NotFound) {
		if named {
			x.m.Blobs.Missing = append(x.m.Blobs.Missing, d)
		}
		return nil // or it only looks like a digest
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	if err := x.header(BlobsDir+string(d), size); err != nil {
		return err
	}
	h := sha256.New()
	n, err := io.Copy(x.tar, io.TeeReader(io.LimitReader(&heeding{ctx, in}, size), h))
	if err == nil && n != size {
		err = fault.New(fault.Unavailable, "blob %s became shorter while it was read", d)
	}
	if err != nil {
		return err
	}
	if hex.EncodeToString(h.Sum(nil)) != string(d) {
		x.m.Blobs.Damaged = append(x.m.Blobs.Damaged, d)
	}
	x.m.Blobs.Number++
	x.m.Blobs.Bytes += size
	x.tell(Step{What: "blobs", Done: int64(x.m.Blobs.Number)})
	return nil
}

func (x *writer) file(ctx context.Context, f File) (err error) {
	if f.Body != nil {
		return x.bytes(f.Name, f.Body)
	}
	in, err := os.Open(f.Path)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "%s cannot be read", f.Name)
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if strings.HasSuffix(f.Name, ".parquet") {
		x.m.Sealed.Number++
		x.m.Sealed.Bytes += info.Size()
		x.tell(Step{What: "files of predictions", Done: int64(x.m.Sealed.Number)})
	}
	return x.part(f.Name, info.Size(), &heeding{ctx, in})
}

// end writes the manifest and its digest.
func (x *writer) end() error {
	raw, err := json.MarshalIndent(&x.m, "", " ")
	if err != nil {
		return err
	}
	sum := sha256.Sum256(raw)
	for _, last := range []struct {
		name string
		raw  []byte
	}{{manifest, raw}, {manifestSum, []byte(hex.EncodeToString(sum[:]) + "  " + manifest + "\n")}} {
		if err := x.header(last.name, int64(len(last.raw))); err != nil {
			return err
		}
		if _, err := x.tar.Write(last.raw); err != nil {
			return err
		}
	}
	return x.tar.Close()
}

// heeding reads until ctx is done.
type heeding struct {
	ctx context.Context
	r   io.Reader
}

func (h *heeding) Read(p []byte) (int, error) {
	if err := h.ctx.Err(); err != nil {
		return 0, err
	}
	return h.r.Read(p)
}

// Paced is tell, five times a second at most. tell may be nil.
func Paced(tell func(Step)) func(Step) {
	var last time.Time
	return func(s Step) {
		if now := time.Now(); tell != nil && now.Sub(last) > 200*time.Millisecond {
			last = now
			tell(s)
		}
	}
}
