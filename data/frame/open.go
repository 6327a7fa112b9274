// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"flyball/fault"
)

// Source is a file, wherever it lies. Open may be called any number of times, and each
// gives the file from its start; one at a time is read.
type Source struct {
	Name string // for messages; its end tells a Parquet file (.parquet, .pq)
	Open func() (io.ReadCloser, error)

	// At is the file for reading at any place, with its size and what closes it. It is
	// used for Parquet and zip files; where it is nil these are read into memory.
	At func() (io.ReaderAt, int64, io.Closer, error)
}

// CSVOptions say how a CSV file is written and what its columns are. What is zero is found
// out from the file.
type CSVOptions struct {
	Kinds     map[string]Kind // of columns by name; the others are inferred over the whole file. Number takes true and false as 1 and 0
	Delimiter string          // one character
	Decimal   string          // of numbers: "." or ","
	Encoding  string          // a label of https://encoding.spec.whatwg.org/#names-and-labels; empty: UTF-8, or what the mark at the file's start says
	Missing   []string        // what stands for a missing value besides nothing at all; nil: NA, N/A, NaN, nan, null, NULL and None
	Zone      string          // of times without one, as Europe/Berlin; empty: UTC
}

// Open opens a CSV file (plain, or under gzip, Zstandard or zip, which its first bytes
// tell) or a Parquet file. A CSV file is read twice, first for the kinds of its columns,
// unless Kinds says them all. An error of the content is an Invalid fault with file, line
// and column.
//
// A Reader has nothing to close: it closes the file after the last row or an error. One
// that is not read to its end leaves the file to the collector of garbage.
func Open(src Source, opts CSVOptions) (Reader, error) {
	if !parquetName(src.Name) {
		return openCSV(src, opts)
	}
	in, size, closer, err := src.at()
	if err != nil {
		return nil, err
	}
	r, err := openParquet(src.Name, readAtCloser{in, closer}, size, opts)
	if err != nil {
		return nil, errors.Join(err, closer.Close())
	}
	return r, nil
}

// readAtCloser closes what lies under r.
type readAtCloser struct {
	io.ReaderAt
	io.Closer
}

// at is the file for reading at any place.
func (s Source) at() (io.ReaderAt, int64, io.Closer, error) {
	if s.At != nil {
		return s.At()
	}
	in, err := s.Open()
	if err != nil {
		return nil, 0, nil, err
	}
	b, err := io.ReadAll(in)
	if err = errors.Join(err, in.Close()); err != nil {
		return nil, 0, nil, fault.Wrap(err, fault.Unavailable, "%s cannot be read", s.Name)
	}
	return bytes.NewReader(b), int64(len(b)), io.NopCloser(nil), nil
}

// FileSource is a file of this machine.
func FileSource(path string) Source {
	open := func() (*os.File, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, fault.Wrap(err, fault.NotFound, "%s cannot be opened", path)
		}
		return f, nil
	}
	return Source{
		Name: path,
		Open: func() (io.ReadCloser, error) { return open() },
		At: func() (io.ReaderAt, int64, io.Closer, error) {
			f, err := open()
			if err != nil {
				return nil, 0, nil, err
			}
			info, err := f.Stat()
			if err != nil {
				return nil, 0, nil, errors.Join(fault.Wrap(err, fault.Unavailable, "%s cannot be read", path), f.Close())
			}
			return f, info.Size(), f, nil
		},
	}
}

// BytesSource is a file that is in memory.
func BytesSource(name string, b []byte) Source {
	return Source{
		Name: name,
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil },
		At: func() (io.ReaderAt, int64, io.Closer, error) {
			return bytes.NewReader(b), int64(len(b)), io.NopCloser(nil), nil
		},
	}
}

// OpenFile opens a file of this machine; see Open.
func OpenFile(path string, opts CSVOptions) (Reader, error) { return Open(FileSource(path), opts) }

// OpenBytes opens a file that is in memory; see Open.
func OpenBytes(name string, b []byte, opts CSVOptions) (Reader, error) {
	return Open(BytesSource(name, b), opts)
}

// Seen is what a column of one file holds.
type Seen struct {
	Field
	Filled bool // some value is there, or the column's kind was given. One without is of Kind Number, and agrees with every kind
}

// Inspect reads a file once and says what its columns hold, in their order. Of a Parquet
// file only the description is read. A column that opts pins is of that kind, and its
// values are not looked at.
func Inspect(src Source, opts CSVOptions) ([]Seen, error) {
	if !parquetName(src.Name) {
		return inspectCSV(src, opts)
	}
	in, size, closer, err := src.at()
	if err != nil {
		return nil, err
	}
	r, err := openParquet(src.Name, in, size, opts)
	if err = errors.Join(err, closer.Close()); err != nil {
		return nil, err
	}
	out := make([]Seen, len(r.fields))
	for i, at := range r.at {
		_, pinned := opts.Kinds[r.columns[i].leaf.name]
		out[at] = Seen{Field: r.fields[at], Filled: pinned || r.filled(i)}
	}
	return out, nil
}

// InspectsAll reports whether Inspect looks at all values of a file of this name, so that
// each column can be read as the kind that it gives.
func InspectsAll(name string) bool { return !parquetName(name) }

// Check sees that the options can be: an Invalid fault says which cannot. It looks at no file.
func (o CSVOptions) Check() error {
	f := csvFile{opts: o}
	return f.options()
}

// And is what a column holds that is s in one file and o in another: the same kind where
// both have it or one is empty, else text.
func (s Seen) And(o Seen) Seen {
	switch {
	case !o.Filled:
		return s
	case !s.Filled:
		return o
	case s.Kind != o.Kind:
		s.Kind = Text
	}
	return s
}

func parquetName(name string) bool {
	return strings.HasSuffix(name, ".parquet") || strings.HasSuffix(name, ".pq")
}

// Glob are the files that a name or a pattern means, sorted; none is a NotFound
// fault.
func Glob(pattern string) ([]string, error) {
	names, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "%q is not a pattern of file names", pattern)
	}
	if len(names) == 0 {
		return nil, fault.New(fault.NotFound, "no file is named %s", pattern)
	}
	slices.Sort(names)
	return names, nil
}
