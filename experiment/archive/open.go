// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"

	"flyball/experiment"
	"flyball/fault"
	"flyball/ident"
)

// opened is an export that is read back.
type opened struct {
	root  *os.Root
	told  manifest
	names []string // of told.Files, in order
}

// OpenFolder opens an export to be brought in. One that is not whole, newer than this
// program or changed since it was made is an Invalid fault that says which file.
func OpenFolder(dir string) (Source, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fault.Wrap(err, fault.NotFound, "there is no folder %s", dir)
	}
	o := &opened{root: root}
	if err := o.check(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return o, nil
}

func (o *opened) check() error {
	b, err := o.root.ReadFile("export.json")
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.Invalid, "the folder is no export, or one that was not finished: export.json is not there").Do("export again into an empty folder")
	}
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "export.json cannot be read")
	}
	if err := json.Unmarshal(b, &o.told); err != nil {
		return fault.Wrap(err, fault.Invalid, "export.json is not JSON")
	}
	if o.told.Format != FolderFormat {
		return fault.New(fault.Invalid, "the export has format %d, and this Flyball reads format %d", o.told.Format, FolderFormat)
	}
	o.names = slices.Sorted(maps.Keys(o.told.Files))
	for _, name := range o.names {
		if err := o.verify(name); err != nil {
			return err
		}
	}
	return nil
}

func (o *opened) verify(name string) error {
	f, err := o.root.Open(filepath.FromSlash(name))
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "the export's file %s cannot be read", name)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return fault.Wrap(err, fault.Unavailable, "the export's file %s cannot be read", name)
	}
	if hex.EncodeToString(h.Sum(nil)) != o.told.Files[name] {
		return fault.New(fault.Invalid, "the export's file %s has changed since it was made", name).Do("export again, or bring back the file as it was")
	}
	return nil
}

// Close lets the folder go.
func (o *opened) Close() error { return o.root.Close() }

// Count is what the export says of itself.
func (o *opened) Count(context.Context) (map[string]int64, error) { return o.told.Records, nil }

// errStop says that whoever reads has had enough.
var errStop = errors.New("stopped")

// Records reads everything in the order in which it can be brought in.
func (o *opened) Records(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		give := func(r Record) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if !yield(r, nil) {
				return errStop
			}
			return nil
		}
		for _, read := range []func(func(Record) error) error{
			func(give func(Record) error) error { return o.lines("experiments.jsonl", give) },
			o.runs,
			func(give func(Record) error) error { return o.lines("logged_models.jsonl", give) },
			func(give func(Record) error) error { return o.lines("registry.jsonl", give) },
		} {
			if err := read(give); err != nil {
				if !errors.Is(err, errStop) {
					yield(Record{}, err)
				}
				return
			}
		}
	}
}

// maxLine bounds a line of an export. A logged model with all its points is one line.
const maxLine = 256 << 20

func (o *opened) lines(name string, give func(Record) error) error {
	if _, there := o.told.Files[name]; !there {
		return nil
	}
	f, err := o.root.Open(name)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "%s cannot be read", name)
	}
	defer f.Close()
	_, err = Lines(f, name, give)
	return err
}

// Lines reads records from lines of JSON. A line that is none is an Invalid fault with
// its number in the named file. An empty record, {}, ends a stream; ended reports
// whether it came.
func Lines(in io.Reader, name string, give func(Record) error) (ended bool, err error) {
	sc := bufio.NewScanner(in)
	sc.Buffer(nil, maxLine)
	for n := 1; sc.Scan(); n++ {
		line := bytes.TrimSpace(sc.Bytes())
		if len(line) == 0 {
			continue
		}
		var r Record
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&r); err != nil {
			return false, fault.Wrap(err, fault.Invalid, "line %d of %s is no record", n, name)
		}
		if ended {
			return false, fault.New(fault.Invalid, "line %d of %s comes after the end", n, name)
		}
		if ended = r.Kind() == ""; ended {
			continue
		}
		if err := give(r); err != nil {
			return false, err
		}
	}
	return ended, fault.Wrap(sc.Err(), fault.Invalid, "%s cannot be read", name)
}

// cursor reads a table whose rows lie in the order of the runs.
type cursor[T any] struct {
	file *os.File
	r    *parquet.GenericReader[T]
	buf  []T
	at   int
	run  func(T) string
}

func openCursor[T any](o *opened, name string, run func(T) string) (*cursor[T], error) {
	f, err := o.root.Open(name)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "%s cannot be read", name)
	}
	info, err := f.Stat()
	if err == nil {
		_, err = parquet.OpenFile(f, info.Size()) // GenericReader panics on what is no Parquet
	}
	if err != nil {
		return nil, errors.Join(fault.Wrap(err, fault.Invalid, "%s is no Parquet file", name), f.Close())
	}
	return &cursor[T]{file: f, r: parquet.NewGenericReader[T](f), run: run}, nil
}

func (c *cursor[T]) close() error { return errors.Join(c.r.Close(), c.file.Close()) }

// next is the next row; false at the end.
func (c *cursor[T]) next() (row T, ok bool, err error) {
	if c.at == len(c.buf) {
		c.buf, c.at = slices.Grow(c.buf[:0], 1024)[:1024], 0
		n, err := c.r.Read(c.buf)
		c.buf = c.buf[:n]
		if n == 0 {
			if errors.Is(err, io.EOF) || err == nil {
				return row, false, nil
			}
			return row, false, fault.Wrap(err, fault.Invalid, "the table cannot be read")
		}
	}
	return c.buf[c.at], true, nil
}

// of yields the rows of a run, which come next if there are any.
func (c *cursor[T]) of(run string, add func(T)) error {
	for {
		row, ok, err := c.next()
		if err != nil || !ok || c.run(row) != run {
			return err
		}
		add(row)
		c.at++
	}
}

func (o *opened) runs(give func(Record) error) (err error) {
	runs, err := openCursor(o, "runs.parquet", func(r runRow) string { return r.ID })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, runs.close()) }()
	params, err := openCursor(o, "params.parquet", func(r pairRow) string { return r.Run })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, params.close()) }()
	tags, err := openCursor(o, "tags.parquet", func(r pairRow) string { return r.Run })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tags.close()) }()
	metrics, err := openCursor(o, "metrics.parquet", func(r metricRow) string { return r.Run })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, metrics.close()) }()
	for {
		row, ok, err := runs.next()
		if err != nil || !ok {
			return err
		}
		runs.at++
		r, err := row.run()
		if err != nil {
			return err
		}
		err = errors.Join(
			params.of(row.ID, func(p pairRow) { r.Params = append(r.Params, Pair{p.Key, p.Value}) }),
			tags.of(row.ID, func(p pairRow) { r.Tags = append(r.Tags, Pair{p.Key, p.Value}) }),
			metrics.of(row.ID, func(m metricRow) {
				r.Metrics = append(r.Metrics, Metric{Key: m.Key, At: m.At, Step: m.Step, Value: Number(m.Value)})
			}),
		)
		if err != nil {
			return err
		}
		for _, part := range (Record{Run: &r}).Split() {
			if err := give(part); err != nil {
				return err
			}
		}
	}
}

func (row runRow) run() (Run, error) {
	r := Run{
		ID: ident.RunID(row.ID), Experiment: row.Experiment, Name: row.Name, User: row.User, Status: experiment.Status(row.Status), Start: row.Start, End: row.End,
		Location: row.Location, Deleted: row.Deleted,
	}
	var more links
	if err := json.Unmarshal([]byte(row.Links), &more); err != nil {
		return r, fault.Wrap(err, fault.Invalid, "the links of run %s cannot be read", row.ID)
	}
	r.Inputs, r.Models, r.Outputs = more.Inputs, more.Models, more.Outputs
	return r, nil
}

// Files are the files that the export holds of a run or logged model.
func (o *opened) Files(_ context.Context, owner Record) iter.Seq2[File, error] {
	if owner.Run == nil && owner.LoggedModel == nil {
		return func(func(File, error) bool) {}
	}
	return o.files(OwnerFolder(owner) + "/")
}

// blobsFolder is the folder of an export that holds what versions are made of, by
// digest.
const blobsFolder = "blobs/"

// Blobs are what Flyball's versions are made of; the path of each is its SHA-256.
func (o *opened) Blobs() iter.Seq2[File, error] { return o.files(blobsFolder) }

// files are those below a folder.
func (o *opened) files(folder string) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		for _, name := range o.below(folder) {
			info, err := o.root.Stat(filepath.FromSlash(name))
			if err != nil {
				yield(File{}, fault.Wrap(err, fault.Unavailable, "%s cannot be read", name))
				return
			}
			open := func(context.Context) (io.ReadCloser, error) { return o.root.Open(filepath.FromSlash(name)) }
			if !yield(File{Path: path.Clean(strings.TrimPrefix(name, folder)), Size: info.Size(), Open: open}, nil) {
				return
			}
		}
	}
}

// below are the names that begin with a folder.
func (o *opened) below(folder string) []string {
	from, _ := slices.BinarySearch(o.names, folder)
	to := from
	for to < len(o.names) && strings.HasPrefix(o.names[to], folder) {
		to++
	}
	return o.names[from:to]
}
