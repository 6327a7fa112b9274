// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"io"
	"strconv"
	"strings"

	"flyball/fault"
)

// chunk is how many rows a reader gives at most at once.
const chunk = 1 << 16

// chunkRows is how many rows a reader gives at once: fewer of wide tables, so that what
// is in memory depends on the rows' number and width no more.
func chunkRows(columns int) int { return min(chunk, max(1024, (1<<18)/max(1, columns))) }

// source is a file that can be read from its start any number of times.
type source struct {
	name string
	open func() (io.ReadCloser, error)
}

// ReadAll reads r to its end into one frame.
func ReadAll(r Reader) (*Frame, error) {
	var parts []*Frame
	for {
		f, err := r.Next()
		if errors.Is(err, io.EOF) {
			return Concat(parts...)
		}
		if err != nil {
			return nil, err
		}
		parts = append(parts, f)
	}
}

// Once gives *f the first time and io.EOF from then on; it makes a Reader of rows
// that are in memory.
func Once(f **Frame) (*Frame, error) {
	if *f == nil {
		return nil, io.EOF
	}
	out := *f
	*f = nil
	return out, nil
}

// FromMemory is a Reader over rows that are in memory.
func FromMemory(f *Frame) Reader { return &memory{f} }

type memory struct{ rows *Frame }

func (m *memory) Next() (*Frame, error) { return Once(&m.rows) }

// text opens the CSV text of a file, through gzip and zip.
func (s source) text() (io.ReadCloser, error) {
	raw, err := s.open()
	if err != nil {
		return nil, err
	}
	switch {
	case strings.HasSuffix(s.name, ".gz"):
		z, err := gzip.NewReader(raw)
		if err != nil {
			return nil, errors.Join(fault.Wrap(err, fault.Invalid, "%s is not a gzip file", s.name), raw.Close())
		}
		return &both{z, raw}, nil
	case strings.HasSuffix(s.name, ".zip"):
		return s.unzip(raw)
	}
	return raw, nil
}

// both closes the file under a decompressor.
type both struct {
	io.Reader
	under io.Closer
}

func (b *both) Close() error { return b.under.Close() }

// unzip opens the one CSV file in an archive. The archive is held in memory, as its
// directory stands at its end.
func (s source) unzip(raw io.ReadCloser) (io.ReadCloser, error) {
	defer raw.Close()
	b, err := io.ReadAll(raw)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "%s cannot be read", s.name)
	}
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "%s is not a zip file", s.name)
	}
	var found []*zip.File
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, ".csv") && !strings.HasPrefix(f.Name, "__MACOSX/") {
			found = append(found, f)
		}
	}
	if len(found) != 1 {
		return nil, fault.New(fault.Invalid, "%s holds %d CSV files; it must hold one", s.name, len(found))
	}
	in, err := found[0].Open()
	return in, fault.Wrap(err, fault.Invalid, "%s cannot be unpacked", s.name)
}

// csvReader reads the text with the kinds known.
type csvReader struct {
	name   string
	in     io.Closer
	rows   *csv.Reader
	fields []Field
	line   int // of the last record read
	ended  bool
}

func openCSV(s source, opts CSVOptions) (Reader, error) {
	r, err := startCSV(s)
	if err != nil {
		return nil, err
	}
	if err := r.infer(opts); err != nil {
		return nil, errors.Join(err, r.in.Close())
	}
	fields := r.fields
	if err := r.in.Close(); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "%s cannot be read", s.name)
	}
	if r, err = startCSV(s); err != nil {
		return nil, err
	}
	r.fields = fields
	return r, nil
}

// startCSV opens the text and reads the head.
func startCSV(s source) (*csvReader, error) {
	in, err := s.text()
	if err != nil {
		return nil, err
	}
	buffered := bufio.NewReaderSize(in, 1<<16)
	if b, _ := buffered.Peek(3); bytes.Equal(b, []byte("\xef\xbb\xbf")) { // short files have no mark
		_, _ = buffered.Discard(3) // cannot fail: the bytes are there
	}
	r := &csvReader{name: s.name, in: in, rows: csv.NewReader(buffered)}
	r.rows.ReuseRecord = true
	r.rows.FieldsPerRecord = -1
	head, err := r.rows.Read()
	if err != nil {
		return nil, errors.Join(r.problem(err), in.Close())
	}
	seen := make(map[string]bool, len(head))
	for i, name := range head {
		if name == "" {
			return nil, errors.Join(fault.New(fault.Invalid, "%s: column %d has no name", s.name, i+1), in.Close())
		}
		if seen[name] {
			return nil, errors.Join(fault.New(fault.Invalid, "%s: the column %q stands twice", s.name, name), in.Close())
		}
		name = strings.Clone(name)
		seen[name] = true
		r.fields = append(r.fields, Field{Name: name})
	}
	return r, nil
}

// problem puts file and line to what the CSV reader says.
func (r *csvReader) problem(err error) error {
	if errors.Is(err, io.EOF) {
		return fault.New(fault.Invalid, "%s is empty: it has no head", r.name)
	}
	if e, ok := errors.AsType[*csv.ParseError](err); ok {
		return fault.New(fault.Invalid, "%s:%d:%d: %v", r.name, e.Line, e.Column, e.Err).Do("mend the quotes of that line")
	}
	return fault.Wrap(err, fault.Invalid, "%s cannot be read", r.name)
}

// next reads one record of as many values as there are columns.
func (r *csvReader) next() ([]string, error) {
	rec, err := r.rows.Read()
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	if err != nil {
		return nil, r.problem(err)
	}
	r.line, _ = r.rows.FieldPos(0)
	if len(rec) != len(r.fields) {
		return nil, fault.New(fault.Invalid, "%s:%d: %d values, the head has %d columns", r.name, r.line, len(rec), len(r.fields))
	}
	return rec, nil
}

// missingWords are the values that say that there is none.
func missingWord(s string) bool {
	switch s {
	case "", "NA", "N/A", "NaN", "nan", "null", "NULL", "None":
		return true
	}
	return false
}

// infer reads to the end and says what each column holds: numbers, times or text.
// Digits with a leading zero and whole numbers beyond 2^53 are codes, and so text.
func (r *csvReader) infer(opts CSVOptions) error {
	number, moment := make([]bool, len(r.fields)), make([]bool, len(r.fields))
	some := make([]bool, len(r.fields))
	for i, f := range r.fields {
		_, pinned := opts.Kinds[f.Name]
		number[i], moment[i] = !pinned, !pinned
	}
	for {
		rec, err := r.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		for i, s := range rec {
			if missingWord(s) || !number[i] && !moment[i] {
				continue
			}
			some[i] = true
			if number[i] {
				number[i] = numeric(s)
			}
			if moment[i] {
				_, err := ParseTime(s)
				moment[i] = err == nil
			}
		}
	}
	for i := range r.fields {
		switch kind, pinned := opts.Kinds[r.fields[i].Name]; {
		case pinned:
			r.fields[i].Kind = kind
		case number[i]: // also a column without any value
			r.fields[i].Kind = Number
		case moment[i] && some[i]:
			r.fields[i].Kind = Time
		default:
			r.fields[i].Kind = Text
		}
	}
	return nil
}

// numeric reports whether s is a quantity and not a code.
func numeric(s string) bool {
	x, ok := number(s)
	if !ok {
		return false
	}
	digits := strings.TrimLeft(s, "+-") // one sign at most, as it is a number
	if len(digits) > 1 && digits[0] == '0' && digits[1] != '.' {
		return false
	}
	return len(digits) < 16 || strings.ContainsAny(digits, ".eE") || x < 1<<53 && x > -(1<<53)
}

// number reads a finite decimal number. ParseFloat also takes what only Go writes
// (0x1p-2, 1_000) and words for infinity, which no model can use.
func number(s string) (float64, bool) {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c == '.', c == '-', c == '+', c == 'e', c == 'E':
		default:
			return 0, false
		}
	}
	x, err := strconv.ParseFloat(s, 64)
	return x, err == nil
}

// truth is 1 for true and 0 for false, as they are in JSON rows and in Parquet. It
// is for columns that the caller wants as numbers; by themselves they are text.
func truth(s string) (x float64, ok bool) {
	switch s {
	case "true", "True", "TRUE":
		return 1, true
	case "false", "False", "FALSE":
		return 0, true
	}
	return 0, false
}

// Next gives the next rows.
func (r *csvReader) Next() (*Frame, error) {
	if r.ended {
		return nil, io.EOF
	}
	cols := make([]Column, len(r.fields))
	for i, f := range r.fields {
		cols[i].Field = f
	}
	for n := range chunkRows(len(r.fields)) {
		rec, err := r.next()
		if errors.Is(err, io.EOF) {
			r.ended = true
			if err := r.in.Close(); err != nil {
				return nil, fault.Wrap(err, fault.Unavailable, "%s cannot be read", r.name)
			}
			if n == 0 && r.line != 0 { // the file ended with the last chunk
				return nil, io.EOF
			}
			break
		}
		if err != nil {
			return nil, errors.Join(err, r.in.Close())
		}
		for i, s := range rec {
			if err := r.put(&cols[i], s); err != nil {
				return nil, errors.Join(err, r.in.Close())
			}
		}
	}
	return New(cols...), nil
}

// put appends one value to a column.
func (r *csvReader) put(c *Column, s string) error {
	missing := missingWord(s)
	switch c.Kind {
	case Number:
		x := nan
		if !missing {
			var ok bool
			if x, ok = number(s); !ok {
				if x, ok = truth(s); !ok {
					return r.wrong(c, s)
				}
			}
		}
		c.Num = append(c.Num, x)
	case Text:
		if missing && c.Null == nil {
			c.Null = make([]bool, len(c.Text))
		}
		if missing {
			s = ""
		}
		c.Text = append(c.Text, strings.Clone(s))
		if c.Null != nil {
			c.Null = append(c.Null, missing)
		}
	case Time:
		t := int64(NoTime)
		if !missing {
			var err error
			if t, err = ParseTime(s); err != nil {
				return r.wrong(c, s)
			}
		}
		c.Time = append(c.Time, t)
	}
	return nil
}

func (r *csvReader) wrong(c *Column, s string) error {
	return fault.New(fault.Invalid, "%s:%d: column %q: %q is not a %s", r.name, r.line, c.Name, clip(s), c.Kind)
}
