// SPDX-License-Identifier: Apache-2.0

// Package source puts the pieces of a model's data together: the files of a folder or a
// bucket, with what the names of their folders say, or the rows of a query. It says what
// the columns are, over all pieces, and gives the rows in a stream, held to columns that
// were pinned. It opens nothing by itself: package remote, and whoever knows the files,
// hand it the pieces.
package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/fault"
)

// Part is one piece of a source. Both functions may be called any number of times; kinds
// are those of columns by name, and a value that is not of its column's kind is an Invalid
// fault that says where.
type Part struct {
	Name    string // for messages; of a file its path below the source's folder
	Keys    []Key  // what its folders are called
	Inspect func(ctx context.Context, kinds map[string]frame.Kind) ([]frame.Seen, error)
	Open    func(ctx context.Context, kinds map[string]frame.Kind) (frame.Reader, error)
	Mark    string // another one when its bytes are others; empty: not known
	All     bool   // Inspect looks at all values of the columns whose kinds are not given
}

// File is a part that is a file.
func File(name string, file frame.Source, opts frame.CSVOptions) Part {
	with := func(kinds map[string]frame.Kind) frame.CSVOptions {
		out := opts
		out.Kinds = kinds
		return out
	}
	return Part{
		Name: name, Keys: keysOf(name), All: frame.InspectsAll(file.Name),
		Inspect: func(_ context.Context, kinds map[string]frame.Kind) ([]frame.Seen, error) {
			return frame.Inspect(file, with(kinds))
		},
		Open: func(_ context.Context, kinds map[string]frame.Kind) (frame.Reader, error) {
			return frame.Open(file, with(kinds))
		},
	}
}

// Options are what a model file says of how its CSV files are written.
func Options(s dataset.Settings) frame.CSVOptions {
	return frame.CSVOptions{Delimiter: s.CSV.Delimiter, Decimal: s.CSV.Decimal, Encoding: s.CSV.Encoding, Missing: s.CSV.Missing, Zone: s.CSV.Zone}
}

// Set is all pieces of a source, in the order in which their rows stand. It is used by one
// goroutine at a time; Close it.
type Set struct {
	Parts []Part

	closers []io.Closer
}

// OnClose has Close close c too.
func (s *Set) OnClose(c io.Closer) { s.closers = append(s.closers, c) }

// Close lets go what the parts are read from. No Reader of the set may be used after it.
func (s *Set) Close() error {
	var errs []error
	for _, c := range s.closers {
		errs = append(errs, c.Close())
	}
	s.closers = nil
	return errors.Join(errs...)
}

// Columns are the columns of the source, over all rows of all parts: those of the first
// part in their order, then those that its folders name. A kind that is given stands; else
// a column is of the kind that all its values have, and of Text where they have none in
// common. Parts with different columns are an Invalid fault.
func (s *Set) Columns(ctx context.Context, given map[string]frame.Kind) ([]frame.Field, error) {
	if len(s.Parts) == 0 {
		return nil, fault.New(fault.Invalid, "the source has no file")
	}
	var all []frame.Seen
	for i, p := range s.Parts {
		seen, err := p.Inspect(ctx, given)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			all = seen
			continue
		}
		if all, err = agree(s.Parts[0].Name, all, p.Name, seen); err != nil {
			return nil, err
		}
	}
	keys, err := s.keys(given)
	if err != nil {
		return nil, err
	}
	out := make([]frame.Field, 0, len(all)+len(keys))
	for _, c := range all {
		if kind, ok := given[c.Name]; ok {
			c.Kind = kind
		}
		out = append(out, c.Field)
	}
	for _, k := range keys {
		if slices.ContainsFunc(out, func(f frame.Field) bool { return f.Name == k.Name }) {
			return nil, twice(s.Parts[0].Name, k.Name)
		}
		out = append(out, k.Field)
	}
	return out, ctx.Err()
}

func twice(part, column string) error {
	return fault.New(fault.Invalid, "%s: the column %q stands in the file and in the name of its folder", part, column).
		Do("rename one of them: which of the two is meant cannot be told")
}

// agree is what columns hold over two parts.
func agree(firstName string, first []frame.Seen, name string, next []frame.Seen) ([]frame.Seen, error) {
	at := make(map[string]int, len(first))
	for i, c := range first {
		at[c.Name] = i
	}
	for _, c := range next {
		i, ok := at[c.Name]
		if !ok {
			return nil, fault.New(fault.Invalid, "%s has the column %q, which %s does not have", name, c.Name, firstName).
				Do("give all files of the source the same columns")
		}
		first[i] = first[i].And(c)
		delete(at, c.Name)
	}
	for _, c := range first {
		if _, missing := at[c.Name]; missing {
			return nil, fault.New(fault.Invalid, "%s does not have the column %q, which %s has", name, c.Name, firstName).
				Do("give all files of the source the same columns")
		}
	}
	return first, nil
}

// Read gives the rows of all parts, in the columns given: their kinds and their order. A
// column that is not there is an Invalid fault; one that is more is left out, and warn,
// which may be nil, is told of it once.
func (s *Set) Read(ctx context.Context, columns []frame.Field, warn func(string)) (frame.Reader, error) {
	r := &reader{ctx: ctx, set: s, columns: columns, kinds: make(map[string]frame.Kind, len(columns)), warn: warn, warned: map[string]bool{}}
	for _, c := range columns {
		r.kinds[c.Name] = c.Kind
	}
	var err error
	if r.keys, err = s.keys(r.kinds); err != nil {
		return nil, err
	}
	for _, k := range r.keys {
		if _, pinned := r.kinds[k.Name]; !pinned {
			r.extra(s.Parts[0].Name, k.Name)
		}
	}
	return r, nil
}

// reader is the rows of a set.
type reader struct {
	ctx     context.Context // of the whole reading
	set     *Set
	columns []frame.Field
	kinds   map[string]frame.Kind
	keys    []frame.Column // a value for each part
	warn    func(string)
	warned  map[string]bool // by column

	part int // that is open, or opened next
	in   frame.Reader
	gave bool
}

func (r *reader) extra(part, column string) {
	if r.warn != nil && !r.warned[column] {
		r.warned[column] = true
		r.warn(fmt.Sprintf("%s has a column %q that the source did not have when it was applied; it is left out until the model file is applied again", part, column))
	}
}

// Next gives the next rows of the part that is open.
func (r *reader) Next() (*frame.Frame, error) {
	for {
		if err := r.ctx.Err(); err != nil {
			return nil, err
		}
		if r.in == nil {
			if r.part == len(r.set.Parts) {
				return nil, io.EOF
			}
			var err error
			if r.in, err = r.set.Parts[r.part].Open(r.ctx, r.kinds); err != nil {
				return nil, err
			}
		}
		f, err := r.in.Next()
		if errors.Is(err, io.EOF) {
			r.in, r.part = nil, r.part+1
			continue
		}
		if err != nil {
			return nil, err
		}
		if f, err = r.fit(f); err != nil {
			return nil, err
		}
		if f.Rows() > 0 || !r.gave { // an empty source still says its columns
			r.gave = true
			return f, nil
		}
	}
}

// fit puts a chunk into the reader's columns.
func (r *reader) fit(f *frame.Frame) (*frame.Frame, error) {
	part := r.set.Parts[r.part].Name
	cols := make([]frame.Column, len(r.columns))
	for i, want := range r.columns {
		have := f.Column(want.Name)
		key := slices.IndexFunc(r.keys, func(k frame.Column) bool { return k.Name == want.Name })
		switch {
		case have != nil && key >= 0:
			return nil, twice(part, want.Name)
		case key >= 0:
			cols[i] = repeat(&r.keys[key], r.part, f.Rows())
		case have == nil:
			return nil, fault.New(fault.Invalid, "%s does not have the column %q, which the source had when it was applied", part, want.Name).
				Do("put it back; if it is gone for good, apply the model file with --repin")
		case have.Kind != want.Kind:
			return nil, fault.New(fault.Invalid, "%s: the column %q holds %s, and the source held %s when it was applied", part, want.Name, have.Kind, want.Kind).
				Do("mend the data, or say the kind under data.kinds and apply the model file")
		default:
			cols[i] = *have
		}
	}
	for _, c := range f.Columns() {
		if _, pinned := r.kinds[c.Name]; !pinned {
			r.extra(part, c.Name)
		}
	}
	return frame.WithRows(f.Rows(), cols...), nil
}
