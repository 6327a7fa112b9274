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
	"runtime"
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

// Write keeps the rows of r as a snapshot. It holds a few files of at most mostBytes in
// memory, and the chunk that r gave. The same rows give the same snapshot, in whatever
// chunks they come. When it fails, what it has put already belongs to nothing, and
// package retention removes it.
func Write(ctx context.Context, blobs blob.Store, r frame.Reader, task Task) (Snapshot, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	w := &writer{ctx: ctx, blobs: blobs, task: task, cut: cutter{}, chunks: make(chan *frame.Frame), parts: make(chan part)}
	var running sync.WaitGroup
	running.Go(w.profile)
	for range min(2, runtime.GOMAXPROCS(0)) {
		running.Go(w.encode)
	}
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
// and some encode.
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

	mu    sync.Mutex
	files []File
	err   error // of whoever encodes
}

// part is the rows of one file.
type part struct {
	number int
	rows   []*frame.Frame
}

// read takes the rows from r and hands them on.
func (w *writer) read(r frame.Reader) error {
	number := 0
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
		for _, rows := range w.cut.add(f) {
			w.parts <- part{number, rows}
			number++
		}
		if err := w.failed(); err != nil {
			return err
		}
	}
	if w.fields == nil {
		return fault.New(fault.Invalid, "there is no column %q to predict", w.task.Column)
	}
	if rest := w.cut.rest(); len(rest) > 0 {
		w.parts <- part{number, rest}
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

func (w *writer) encode() {
	var e encoder
	for p := range w.parts {
		if w.failed() != nil {
			continue
		}
		f, err := e.put(w, p.rows)
		w.mu.Lock()
		for len(w.files) <= p.number {
			w.files = append(w.files, File{})
		}
		w.files[p.number] = f
		w.err = errors.Join(w.err, err)
		w.mu.Unlock()
	}
}

// encoder makes the files of one goroutine, one after the other in the same memory.
type encoder struct {
	file bytes.Buffer
	rows *frame.ParquetWriter // nil: there was no file yet
}

// put writes the rows to a blob of their own.
func (e *encoder) put(w *writer, rows []*frame.Frame) (out File, err error) {
	e.file.Reset()
	if e.rows == nil {
		e.rows, err = frame.NewParquetWriter(&e.file, rows[0].Fields())
	} else {
		err = e.rows.Reset(&e.file)
	}
	if err != nil {
		return out, err
	}
	for _, f := range rows {
		out.Rows += f.Rows()
		if err := e.rows.Write(f); err != nil {
			return out, err
		}
	}
	if err := e.rows.Close(); err != nil {
		return out, err
	}
	out.Data, out.Bytes, err = w.blobs.Put(w.ctx, bytes.NewReader(e.file.Bytes()))
	return out, err
}

// finish writes the manifest.
func (w *writer) finish() (Snapshot, error) {
	s := Snapshot{
		Format: SnapshotFormat, Count: w.rows, Schema: w.fields, Files: w.files, Columns: w.table.columns(),
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
	waits []*frame.Frame // rows of the file that has not ended
	rows  int            // of it
	bytes int
	sums  []uint64
	sizes []int
}

// add takes a chunk, and returns the rows of the files that end in it.
func (c *cutter) add(f *frame.Frame) (ended [][]*frame.Frame) {
	c.measure(f)
	from := 0
	for i := range f.Rows() {
		c.rows++
		c.bytes += c.sizes[i]
		if (c.rows < leastRows || c.sums[i]&endingMask != 0) && c.rows < mostRows && c.bytes < mostBytes {
			continue
		}
		ended = append(ended, append(c.waits, f.Slice(from, i+1)))
		c.waits, c.rows, c.bytes, from = nil, 0, 0, i+1
	}
	if from < f.Rows() {
		c.waits = append(c.waits, f.Slice(from, f.Rows()))
	}
	return ended
}

// rest is the rows of the last file.
func (c *cutter) rest() []*frame.Frame { return c.waits }

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
