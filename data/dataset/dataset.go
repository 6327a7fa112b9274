// SPDX-License-Identifier: Apache-2.0

// Package dataset makes immutable snapshots of data: schema, profile, label
// watermark; it says which rows are mature, splits them by time and checks them, tells
// two snapshots apart and proposes checks. It transforms nothing (package pipeline).
package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"time"

	"flyball/blob"
	"flyball/data/frame"
	"flyball/fault"
)

// SnapshotFormat is the format tag of a snapshot's manifest; docs/formats/snapshot.md
// describes it. The one before, of a single file, is read too.
const (
	SnapshotFormat = "flyball.snapshot/v2"
	oneFile        = "flyball.snapshot/v1"
)

// maxFile bounds the bytes of one file of a snapshot that are read into memory.
const maxFile = 16 << 30

// perValue and perFile bound the memory that reading a file of a snapshot may ask for: by
// its values, and by what its texts and a record of any length may hold besides.
const (
	perValue = 128
	perFile  = 512 << 20
)

// Snapshot is immutable rows: Parquet files, each a blob, and what is known of them. Its
// ID is the digest of its manifest, so the same rows are the same snapshot. Two snapshots
// share the files that are equal.
type Snapshot struct {
	ID        blob.Digest     `json:"-"`
	Format    string          `json:"format"`
	Count     int             `json:"rows"`
	Data      blob.Digest     `json:"data,omitempty"`  // the Parquet file of the format before; Open makes Files of it
	Files     []File          `json:"files,omitempty"` // in the order of the rows; none: there are no rows
	Bytes     int64           `json:"bytes"`           // of all files
	Schema    []frame.Field   `json:"schema"`
	Watermark time.Time       `json:"watermark,omitzero"` // newest moment at which a label of these rows became known
	Labelled  int             `json:"labelled"`           // rows that have a label
	Columns   []ColumnProfile `json:"columns"`
}

// File is consecutive rows of a snapshot.
type File struct {
	Data  blob.Digest `json:"data"`
	Rows  int         `json:"rows"`
	Bytes int64       `json:"bytes"`
}

// Open reads a snapshot's manifest.
func Open(ctx context.Context, blobs blob.Store, d blob.Digest) (Snapshot, error) {
	raw, err := blob.ReadAll(ctx, blobs, d, 64<<20)
	if err != nil {
		return Snapshot{}, err
	}
	s := Snapshot{ID: d}
	if err := json.Unmarshal(raw, &s); err != nil || s.Format != SnapshotFormat && s.Format != oneFile {
		return Snapshot{}, fault.New(fault.Invalid, "%s is not a snapshot of data", d)
	}
	if s.Format == oneFile {
		s.Files = []File{{Data: s.Data, Rows: s.Count, Bytes: s.Bytes}}
	}
	rows := 0
	for _, f := range s.Files {
		if rows += f.Rows; f.Rows < 0 || rows < 0 {
			return Snapshot{}, fault.New(fault.Invalid, "%s is not a snapshot of data", d)
		}
	}
	if rows != s.Count {
		return Snapshot{}, fault.New(fault.Invalid, "snapshot %s says %d rows, its files have %d", d, s.Count, rows)
	}
	return s, nil
}

// Rows reads the snapshot's rows.
func (s Snapshot) Rows(ctx context.Context, blobs blob.Store) (*frame.Frame, error) {
	return frame.ReadAll(s.Reader(ctx, blobs))
}

// Reader reads the snapshot's rows in chunks, one file of it in memory at a time.
func (s Snapshot) Reader(ctx context.Context, blobs blob.Store) frame.Reader {
	return &reader{ctx: ctx, blobs: blobs, of: s, left: s.Files}
}

// reader reads the files of a snapshot one after the other.
type reader struct {
	ctx   context.Context
	blobs blob.Store
	of    Snapshot
	left  []File
	file  frame.Reader // nil: the next is to be opened
	rows  int          // that the file must still give
	gave  bool
}

// Next gives the next rows.
func (r *reader) Next() (*frame.Frame, error) {
	for {
		if r.file == nil {
			if len(r.left) == 0 && r.gave {
				return nil, io.EOF
			}
			if len(r.left) == 0 {
				r.gave = true
				return frame.Empty(r.of.Schema), nil
			}
			if err := r.open(); err != nil {
				return nil, err
			}
		}
		f, err := r.file.Next()
		if errors.Is(err, io.EOF) {
			if r.file = nil; r.rows != 0 {
				return nil, r.damaged()
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		if r.rows -= f.Rows(); r.rows < 0 || !slices.Equal(f.Fields(), r.of.Schema) {
			return nil, r.damaged()
		}
		if f.Rows() == 0 && r.gave {
			continue
		}
		r.gave = true
		return f, nil
	}
}

func (r *reader) open() error {
	next := r.left[0]
	r.left, r.rows = r.left[1:], next.Rows
	raw, err := blob.ReadAll(r.ctx, r.blobs, next.Data, min(next.Bytes, maxFile))
	if err != nil {
		return err
	}
	rows := int64(next.Rows)
	r.file, err = frame.OpenParquetWithin(string(next.Data), raw, rows, perFile+32*next.Bytes+perValue*rows*int64(len(r.of.Schema)))
	return err
}

func (r *reader) damaged() error {
	return fault.New(fault.Invalid, "a file of snapshot %s has other rows or columns than its manifest says", r.of.ID)
}

// Times are a column's moments in microseconds of UTC, frame.NoTime where missing.
// A text column is parsed: a key that is also a time stays text, so that it is
// compared as it was sent.
func Times(f *frame.Frame, column string) ([]int64, error) { return times(f, column, 0) }

// times is Times for rows before which there were others, in messages.
func times(f *frame.Frame, column string, before int) ([]int64, error) {
	c := f.Column(column)
	switch {
	case c == nil:
		return nil, fault.New(fault.Invalid, "there is no column %q", column)
	case c.Kind == frame.Time:
		return c.Time, nil
	case c.Kind == frame.Number:
		return nil, fault.New(fault.Invalid, "column %q holds numbers, not times", column)
	}
	out := make([]int64, c.Len())
	for i, s := range c.Text {
		out[i] = frame.NoTime
		if c.Missing(i) {
			continue
		}
		t, err := frame.ParseTime(s)
		if err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "row %d, column %q", before+i+1, column)
		}
		out[i] = t
	}
	return out, nil
}
