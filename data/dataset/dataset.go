// SPDX-License-Identifier: Apache-2.0

// Package dataset makes immutable snapshots of data: schema, profile, label
// watermark; it says which rows are mature, splits them by time and checks them. It
// transforms nothing (package pipeline).
package dataset

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"flyball/blob"
	"flyball/data/frame"
	"flyball/fault"
)

// SnapshotFormat is the format tag of a snapshot's manifest; docs/formats/snapshot.md
// describes it.
const SnapshotFormat = "flyball.snapshot/v1"

// maxSnapshot bounds the bytes of a snapshot that are read into memory.
const maxSnapshot = 16 << 30

// Snapshot is immutable rows: a Parquet blob and what is known of it. Its ID is the
// digest of its manifest, so the same rows are the same snapshot.
type Snapshot struct {
	ID        blob.Digest     `json:"-"`
	Format    string          `json:"format"`
	Count     int             `json:"rows"`
	Data      blob.Digest     `json:"data"` // the Parquet file
	Bytes     int64           `json:"bytes"`
	Schema    []frame.Field   `json:"schema"`
	Watermark time.Time       `json:"watermark,omitzero"` // newest moment at which a label of these rows became known
	Labelled  int             `json:"labelled"`           // rows that have a label
	Columns   []ColumnProfile `json:"columns"`
}

// ColumnProfile is a column in figures. Min, Max and Mean are of numbers, and zero
// for other kinds.
type ColumnProfile struct {
	Name     string  `json:"name"`
	Missing  int     `json:"missing"`
	Distinct int     `json:"distinct"` // counted up to 1,000
	Min      float64 `json:"min"`
	Max      float64 `json:"max"`
	Mean     float64 `json:"mean"`
}

// Write keeps the rows of r as a snapshot.
func Write(ctx context.Context, blobs blob.Store, r frame.Reader, task Task) (Snapshot, error) {
	rows, err := frame.ReadAll(r)
	if err != nil {
		return Snapshot{}, err
	}
	var file bytes.Buffer
	w, err := frame.NewParquetWriter(&file, rows.Fields())
	if err != nil {
		return Snapshot{}, err
	}
	if err := errors.Join(w.Write(rows), w.Close()); err != nil {
		return Snapshot{}, err
	}
	s := Snapshot{Format: SnapshotFormat, Count: rows.Rows(), Schema: rows.Fields()}
	if s.Data, s.Bytes, err = blobs.Put(ctx, &file); err != nil {
		return Snapshot{}, err
	}
	for i := range rows.Columns() {
		s.Columns = append(s.Columns, profileOf(&rows.Columns()[i]))
	}
	if err := s.labels(rows, task); err != nil {
		return Snapshot{}, err
	}
	manifest, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return Snapshot{}, fmt.Errorf("encode the manifest: %w", err)
	}
	s.ID, _, err = blobs.Put(ctx, bytes.NewReader(manifest))
	return s, err
}

// labels fills in how many rows have a label and when the newest became known.
func (s *Snapshot) labels(rows *frame.Frame, task Task) error {
	label := rows.Column(task.Column)
	if label == nil {
		return fault.New(fault.Invalid, "there is no column %q to predict", task.Column)
	}
	var known []int64
	if c := task.Truth.KnownAt; c != "" {
		var err error
		if known, err = Times(rows, c); err != nil {
			return err
		}
	}
	newest := int64(math.MinInt64)
	for i := range rows.Rows() {
		if label.Missing(i) {
			continue
		}
		s.Labelled++
		if known != nil {
			newest = max(newest, known[i])
		}
	}
	if newest != frame.NoTime {
		s.Watermark = time.UnixMicro(newest).UTC()
	}
	return nil
}

// maxDistinct is how far distinct values are counted.
const maxDistinct = 1000

func profileOf(c *frame.Column) ColumnProfile {
	p := ColumnProfile{Name: c.Name}
	for i := range c.Len() {
		if c.Missing(i) {
			p.Missing++
		}
	}
	switch c.Kind {
	case frame.Number:
		p.Distinct = distinct(c, c.Num)
		p.numbers(c.Num)
	case frame.Text:
		p.Distinct = distinct(c, c.Text)
	case frame.Time:
		p.Distinct = distinct(c, c.Time)
	}
	return p
}

// distinct counts values up to maxDistinct.
func distinct[T comparable](c *frame.Column, values []T) int {
	seen := map[T]bool{}
	for i, v := range values {
		if len(seen) == maxDistinct {
			break
		}
		if !c.Missing(i) {
			seen[v] = true
		}
	}
	return len(seen)
}

// numbers fills in the figures of numbers; infinite ones have no part in them.
func (p *ColumnProfile) numbers(values []float64) {
	n := 0.0
	for _, x := range values {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			continue
		}
		if n == 0 {
			p.Min, p.Max = x, x
		}
		p.Min, p.Max = min(p.Min, x), max(p.Max, x)
		n++
		p.Mean += x/n - p.Mean/n // no sum: that of two large numbers is not finite
	}
}

// Open reads a snapshot's manifest.
func Open(ctx context.Context, blobs blob.Store, d blob.Digest) (Snapshot, error) {
	raw, err := blob.ReadAll(ctx, blobs, d, 64<<20)
	if err != nil {
		return Snapshot{}, err
	}
	s := Snapshot{ID: d}
	if err := json.Unmarshal(raw, &s); err != nil || s.Format != SnapshotFormat {
		return Snapshot{}, fault.New(fault.Invalid, "%s is not a snapshot of data", d)
	}
	return s, nil
}

// Rows reads the snapshot's rows.
func (s Snapshot) Rows(ctx context.Context, blobs blob.Store) (*frame.Frame, error) {
	raw, err := blob.ReadAll(ctx, blobs, s.Data, maxSnapshot)
	if err != nil {
		return nil, err
	}
	r, err := frame.OpenParquet(string(s.Data), bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, err
	}
	f, err := frame.ReadAll(r)
	if err == nil && f.Rows() != s.Count {
		return nil, fault.New(fault.Invalid, "snapshot %s says %d rows, its file has %d", s.ID, s.Count, f.Rows())
	}
	return f, err
}

// Times are a column's moments in microseconds of UTC, frame.NoTime where missing.
// A text column is parsed: a key that is also a time stays text, so that it is
// compared as it was sent.
func Times(f *frame.Frame, column string) ([]int64, error) {
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
			return nil, fault.Wrap(err, fault.Invalid, "row %d, column %q", i+1, column)
		}
		out[i] = t
	}
	return out, nil
}
