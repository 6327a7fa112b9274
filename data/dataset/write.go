// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"time"

	"flyball/blob"
	"flyball/data/frame"
	"flyball/fault"
)

// Where a file of a snapshot ends. A file ends after a row whose digest says so, so that
// rows that are put in, or taken away, change the file they lie in and no other: the
// others are the same blobs in the snapshot before. The bounds count rows and bytes of
// values.
const (
	leastRows  = 8 << 10
	mostRows   = 128 << 10
	mostBytes  = 16 << 20
	endsOneIn  = 32 << 10 // rows, once there are leastRows
	endingMask = endsOneIn - 1
)

// Write keeps the rows of r as a snapshot. It holds the chunk that r gave in memory, and
// two files as they are written, compressed. The same rows give the same snapshot, in
// whatever chunks they come. When it fails, what it has put already belongs to nothing, and
// package retention removes it.
func Write(ctx context.Context, blobs blob.Store, r frame.Reader, task Task) (Snapshot, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	w := &writer{ctx: ctx, blobs: blobs, task: task, cut: cutter{}, chunks: make(chan *frame.Frame), parts: make(chan part), files: make(chan written)}
	var running sync.WaitGroup
	running.Go(w.profile)
	running.Go(w.encode)
	running.Go(w.keep)
	err := w.read(r)
	close(w.chunks)
	close(w.parts)
	running.Wait()
	if err := errors.Join(w.err, err); err != nil {
		return Snapshot{}, err
	}
	return w.finish()
}

// writer is one snapshot under way. One goroutine reads and cuts, one makes the profile,
// one encodes, which does some columns at once, and one keeps the files.
type writer struct {
	ctx    context.Context
	blobs  blob.Store
	task   Task
	cut    cutter
	fields []frame.Field
	rows   int
	labels labels
	table  *profiler
	chunks chan *frame.Frame
	parts  chan part
	files  chan written
	kept   []File

	mu  sync.Mutex
	err error // of whoever encodes or keeps
}

// part is some rows of a file.
type part struct {
	rows *frame.Frame
	ends bool // they are the file's last
}

// written is a file that is to be kept.
type written struct {
	raw  *bytes.Buffer
	rows int
}

// read takes the rows from r and hands them on.
func (w *writer) read(r frame.Reader) error {
	for {
		f, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := w.begin(f); err != nil {
			return err
		}
		if err := w.labels.add(f, w.task, w.rows); err != nil {
			return err
		}
		w.rows += f.Rows()
		w.chunks <- f
		for _, p := range w.cut.add(f) {
			w.parts <- p
		}
		if err := w.failed(); err != nil {
			return err
		}
	}
	if w.fields == nil {
		return fault.New(fault.Invalid, "there is no column %q to predict", w.task.Column)
	}
	return nil
}

// failed is why nothing more need be read.
func (w *writer) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	return w.ctx.Err()
}

// begin looks at the columns of a chunk, which are those of the first.
func (w *writer) begin(f *frame.Frame) error {
	if w.fields == nil {
		w.fields = f.Fields()
		if f.Column(w.task.Column) == nil {
			return fault.New(fault.Invalid, "there is no column %q to predict", w.task.Column)
		}
		return nil
	}
	if !slices.Equal(w.fields, f.Fields()) {
		return fault.New(fault.Internal, "the rows from %d on have other columns than those before", w.rows+1)
	}
	return nil
}

func (w *writer) profile() {
	for f := range w.chunks {
		if w.table == nil {
			w.table = newProfiler(f.Fields())
		}
		w.table.add(f)
	}
}

// fail notes why nothing more need be done.
func (w *writer) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = errors.Join(w.err, err)
}

// encode makes files of the parts. Two buffers are enough: one is kept while the other
// fills.
func (w *writer) encode() {
	defer close(w.files)
	e := encoder{next: new(bytes.Buffer), file: new(bytes.Buffer)}
	for p := range w.parts {
		if w.failed() != nil {
			continue
		}
		if err := e.add(p.rows); err != nil {
			w.fail(err)
		} else if p.ends {
			w.end(&e)
		}
	}
	if e.rows > 0 && w.failed() == nil {
		w.end(&e)
	}
}

// end hands a file on.
func (w *writer) end(e *encoder) {
	if err := e.out.Close(); err != nil {
		w.fail(err)
		return
	}
	w.files <- written{e.file, e.rows}
	e.file, e.next, e.rows = e.next, e.file, 0
}

// keep puts the files, one after the other.
func (w *writer) keep() {
	for f := range w.files {
		if w.failed() != nil {
			continue
		}
		d, n, err := w.blobs.Put(w.ctx, bytes.NewReader(f.raw.Bytes()))
		if err != nil {
			w.fail(err)
			continue
		}
		w.kept = append(w.kept, File{Data: d, Rows: f.rows, Bytes: n})
	}
}

// encoder makes the files, one after the other in the same memory.
type encoder struct {
	file, next *bytes.Buffer
	out        *frame.ParquetWriter // nil: there was no file yet
	rows       int                  // of the file under way
}

// add adds rows to the file under way.
func (e *encoder) add(rows *frame.Frame) (err error) {
	if e.rows == 0 {
		e.file.Reset()
		if e.out == nil {
			e.out, err = frame.NewParquetWriter(e.file, rows.Fields())
		} else {
			err = e.out.Reset(e.file)
		}
		if err != nil {
			return err
		}
	}
	e.rows += rows.Rows()
	return e.out.Write(rows)
}

// finish writes the manifest.
func (w *writer) finish() (Snapshot, error) {
	s := Snapshot{
		Format: SnapshotFormat, Count: w.rows, Schema: w.fields, Files: w.kept, Columns: w.table.columns(),
		Labelled: w.labels.n, Watermark: w.labels.watermark(),
	}
	for _, f := range s.Files {
		s.Bytes += f.Bytes
	}
	manifest, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return Snapshot{}, fmt.Errorf("encode the manifest: %w", err)
	}
	s.ID, _, err = w.blobs.Put(w.ctx, bytes.NewReader(manifest))
	return s, err
}

// labels is how many rows have a label, and when the newest became known.
type labels struct {
	n      int
	newest int64
	known  bool
}

// add counts the labels of a chunk; before is the number of rows before it.
func (l *labels) add(f *frame.Frame, task Task, before int) error {
	label := f.Column(task.Column)
	var known []int64
	if c := task.Truth.KnownAt; c != "" {
		var err error
		if known, err = times(f, c, before); err != nil {
			return err
		}
	}
	for i := range f.Rows() {
		if label.Missing(i) {
			continue
		}
		l.n++
		if known != nil && known[i] != frame.NoTime && (!l.known || known[i] > l.newest) {
			l.newest, l.known = known[i], true
		}
	}
	return nil
}

func (l *labels) watermark() time.Time {
	if !l.known {
		return time.Time{}
	}
	return time.UnixMicro(l.newest).UTC()
}

// cutter says where files end. What it says depends on the rows alone, not on the chunks
// in which they come.
type cutter struct {
	rows  int // of the file that has not ended
	bytes int
	sums  []uint64
	sizes []int
}

// add takes a chunk, and returns its rows in parts that end where files do.
func (c *cutter) add(f *frame.Frame) (parts []part) {
	c.measure(f)
	from := 0
	for i := range f.Rows() {
		c.rows++
		c.bytes += c.sizes[i]
		if (c.rows < leastRows || c.sums[i]&endingMask != 0) && c.rows < mostRows && c.bytes < mostBytes {
			continue
		}
		parts = append(parts, part{f.Slice(from, i+1), true})
		c.rows, c.bytes, from = 0, 0, i+1
	}
	if from < f.Rows() {
		parts = append(parts, part{f.Slice(from, f.Rows()), false})
	}
	return parts
}

// measure fills in a digest and the bytes of each row.
func (c *cutter) measure(f *frame.Frame) {
	c.sums, c.sizes = slices.Grow(c.sums[:0], f.Rows())[:f.Rows()], slices.Grow(c.sizes[:0], f.Rows())[:f.Rows()]
	clear(c.sums)
	clear(c.sizes)
	for k := range f.Columns() {
		col := &f.Columns()[k]
		switch col.Kind {
		case frame.Number:
			for i, x := range col.Num {
				c.sums[i] = mix(c.sums[i], numberBits(x))
				c.sizes[i] += 8
			}
		case frame.Time:
			for i, x := range col.Time {
				c.sums[i] = mix(c.sums[i], uint64(x))
				c.sizes[i] += 8
			}
		case frame.Text:
			for i, s := range col.Text {
				c.sums[i] = mix(c.sums[i], textBits(s))
				c.sizes[i] += 8 + len(s)
			}
		}
	}
}

// mix takes x into a digest; it is the finisher of SplitMix64 with its first constant.
func mix(sum, x uint64) uint64 {
	sum = (sum ^ x) * 0x9e3779b97f4a7c15
	return sum ^ sum>>32
}

// numberBits are the bits of a number; all that are not a number are the same.
func numberBits(x float64) uint64 {
	if math.IsNaN(x) {
		return 0x7ff8000000000000
	}
	return math.Float64bits(x)
}

// textBits is a digest of a text: FNV-1a.
func textBits(s string) uint64 {
	sum := uint64(14695981039346656037)
	for i := range len(s) {
		sum = (sum ^ uint64(s[i])) * 1099511628211
	}
	return sum
}
