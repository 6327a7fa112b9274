// SPDX-License-Identifier: Apache-2.0

package training

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"maps"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/source"
	"flyball/fault"
	"flyball/model/registry"
)

// maxSource bounds one file that is read into memory whole.
const maxSource = 8 << 30

// Sources opens data that lies elsewhere than in files that came with the model file.
// Package data/source/remote implements it.
type Sources interface {
	// Open opens the source; one that may not be read is a Refused fault.
	Open(ctx context.Context, d dataset.Settings) (*source.Set, error)
}

// OpenSource opens the data of a model file: its files, which blobs holds, in the order of
// their names, or what lies elsewhere, for which a nil Sources is a Refused fault.
func OpenSource(ctx context.Context, blobs blob.Store, elsewhere Sources, d dataset.Settings, files map[string]registry.DataFile) (*source.Set, error) {
	if source.Elsewhere(d.Source) {
		if elsewhere == nil {
			return nil, fault.New(fault.Refused, "%s cannot be read here", d.Source).Do("name files, or let whoever starts the server allow it: flyball serve --source")
		}
		return elsewhere.Open(ctx, d)
	}
	set := &source.Set{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		set.Parts = append(set.Parts, source.File(name, blobFile(ctx, blobs, name, files[name].Digest), source.Options(d)))
	}
	return set, nil
}

// blobFile is a blob as a file.
func blobFile(ctx context.Context, blobs blob.Store, name string, d blob.Digest) frame.Source {
	out := frame.Source{Name: name, Open: func() (io.ReadCloser, error) { return blobs.Open(ctx, d) }}
	at, ok := blobs.(interface {
		OpenAt(ctx context.Context, d blob.Digest) (io.ReadSeekCloser, int64, error)
	})
	if !ok {
		return out
	}
	var right atomic.Bool // Open sees that the bytes are right, as OpenAt does not: once is enough
	out.At = func() (io.ReaderAt, int64, io.Closer, error) {
		if !right.Load() {
			in, err := blobs.Open(ctx, d)
			if err != nil {
				return nil, 0, nil, err
			}
			_, err = io.Copy(io.Discard, in)
			if err = errors.Join(err, in.Close()); err != nil {
				return nil, 0, nil, err
			}
			right.Store(true)
		}
		f, size, err := at.OpenAt(ctx, d)
		if err != nil {
			return nil, 0, nil, err
		}
		if r, ok := f.(io.ReaderAt); ok {
			return r, size, f, nil
		}
		return &seeking{in: f}, size, f, nil
	}
	return out
}

// gather makes the snapshot that a training sees: the source's rows and, when the model
// file says so, what was served: every row whose truth is due at now, and the rows of the
// newest test window whatever their truth, for comparing today's traffic. Where both hold
// a key, the log wins. The same source and log give the same snapshot. What is held in
// memory is a few chunks, and a digest for each key that was served. Warnings are
// sentences about the source.
func (t *Trainer) gather(ctx context.Context, r Request) (_ dataset.Snapshot, warnings []string, err error) {
	ctx, cancel := context.WithCancel(ctx) // ends what is read of a database
	defer cancel()
	set, err := OpenSource(ctx, t.Blobs, t.Sources, r.Recipe.Data, r.Files)
	if err != nil {
		return dataset.Snapshot{}, nil, err
	}
	defer func() { err = errors.Join(err, set.Close()) }()
	if len(set.Parts) == 0 {
		return dataset.Snapshot{}, nil, fault.New(fault.Invalid, "%s has no data: its source %q came with no file", r.Recipe.Model, r.Recipe.Data.Source)
	}
	columns, err := r.columns(ctx, set)
	if err != nil {
		return dataset.Snapshot{}, nil, err
	}
	rows, err := set.Read(ctx, columns, func(text string) { warnings = append(warnings, text) })
	if err != nil {
		return dataset.Snapshot{}, nil, err
	}
	if t.Log != nil && r.Recipe.Data.Also != "none" {
		l := &logged{log: t.Log, request: r, fields: columns}
		if err := l.find(ctx); err != nil {
			return dataset.Snapshot{}, nil, err
		}
		next, stop := iter.Pull2(l.rows(ctx))
		defer stop()
		rows = &sourceThenLog{source: rows, served: l.newest, id: r.Recipe.Task.ID, log: next}
	}
	s, err := dataset.Write(ctx, t.Blobs, rows, r.Recipe.Task)
	return s, warnings, err
}

// columns are those that were pinned when the model file was applied, or, where none were,
// those that the source has now. What the model file says of a kind stands.
func (r Request) columns(ctx context.Context, set *source.Set) ([]frame.Field, error) {
	kinds := r.Recipe.Kinds()
	if len(r.Columns) == 0 {
		return set.Columns(ctx, kinds)
	}
	out := slices.Clone(r.Columns)
	for i, c := range out {
		if kind, ok := kinds[c.Name]; ok {
			out[i].Kind = kind
		}
	}
	return out, nil
}

func labelColumn(f frame.Field, labels []string) (frame.Column, error) {
	if f.Kind == frame.Text {
		null := make([]bool, len(labels))
		for i, l := range labels {
			null[i] = l == ""
		}
		return frame.TextColumn(f.Name, labels, null), nil
	}
	out := make([]float64, len(labels))
	for i, l := range labels {
		if l == "" {
			out[i] = nan
			continue
		}
		x, err := strconv.ParseFloat(l, 64)
		if err != nil {
			return frame.Column{}, fault.New(fault.Invalid, "the label %q is not a number, as %s must be", l, f.Name)
		}
		out[i] = x
	}
	return frame.NumberColumn(f.Name, out), nil
}

func knownColumn(f frame.Field, known []time.Time) frame.Column {
	if f.Kind == frame.Text {
		text, null := make([]string, len(known)), make([]bool, len(known))
		for i, t := range known {
			if null[i] = t.IsZero(); !null[i] {
				text[i] = t.UTC().Format(time.RFC3339Nano)
			}
		}
		return frame.TextColumn(f.Name, text, null)
	}
	out := make([]int64, len(known))
	for i, t := range known {
		if out[i] = frame.NoTime; !t.IsZero() {
			out[i] = t.UnixMicro()
		}
	}
	return frame.TimeColumn(f.Name, out)
}

// noted are warnings of the source as problems that stop nothing.
func noted(warnings []string) []dataset.Problem {
	var out []dataset.Problem
	for _, text := range warnings {
		out = append(out, dataset.Problem{Check: "source", Severity: "warn", Text: text})
	}
	return out
}

// seeking reads a file at any place that can only be sought in; not safe for use at once.
type seeking struct{ in io.ReadSeeker }

func (s *seeking) ReadAt(p []byte, off int64) (int, error) {
	if _, err := s.in.Seek(off, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(s.in, p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

// PutSource keeps a file of a source; used where no server is (flyball train FILE).
func PutSource(ctx context.Context, blobs blob.Store, in io.Reader) (registry.DataFile, error) {
	d, n, err := blobs.Put(ctx, in)
	return registry.DataFile{Digest: d, Size: n}, err
}

// SourceBytes is PutSource of bytes that are in memory.
func SourceBytes(ctx context.Context, blobs blob.Store, raw []byte) (registry.DataFile, error) {
	return PutSource(ctx, blobs, bytes.NewReader(raw))
}
