// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"

	"flyball/fault"
)

// chunk is how many rows a reader gives at most at once.
const chunk = 1 << 16

// chunkRows is how many rows a reader gives at once: fewer of wide tables, so that what
// is in memory depends on the rows' number and width no more.
func chunkRows(columns int) int { return min(chunk, max(1024, (1<<18)/max(1, columns))) }

// maxWorkers bounds who reads one file at once: what is in memory grows with them.
const maxWorkers = 4

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

// csvFile is a CSV file that is being read.
type csvFile struct {
	src    Source
	opts   CSVOptions
	how    dialect
	fields []Field
}

// csvReader gives the rows of a file whose kinds are known. Nothing runs between two
// calls of Next: it cuts some blocks, has workers parse them while it cuts the next, and
// gives them one after the other.
type csvReader struct {
	file    *csvFile
	text    *text
	cut     *splitter
	workers []*parser
	ahead   []block  // cut, and to be parsed next
	stop    error    // why there are no more blocks; io.EOF: the file has ended
	ready   []*Frame // to be given
	failed  error    // after ready
	free    [][]byte // buffers of blocks that were parsed
	gave    bool
}

// openCSV reads the file for the kinds of its columns, where they are not all known, and
// opens it for its rows.
func openCSV(src Source, opts CSVOptions) (Reader, error) {
	f := &csvFile{src: src, opts: opts}
	if err := f.options(); err != nil {
		return nil, err
	}
	t, cut, first, err := f.start()
	if err != nil {
		return nil, err
	}
	if !f.known() {
		_, err := f.infer(cut, first)
		if err = errors.Join(err, t.Close()); err != nil {
			return nil, err
		}
		fields := f.fields
		if t, cut, first, err = f.start(); err != nil {
			return nil, err
		}
		if len(fields) != len(f.fields) {
			return nil, errors.Join(fault.New(fault.Conflict, "%s has changed while it was read", src.Name), t.Close())
		}
		f.fields = fields
	}
	if f.how.point == 0 {
		f.how.point = '.'
	}
	return &csvReader{file: f, text: t, cut: cut, ahead: []block{first}}, nil
}

// inspectCSV is Inspect of a CSV file.
func inspectCSV(src Source, opts CSVOptions) ([]Seen, error) {
	f := &csvFile{src: src, opts: opts}
	if err := f.options(); err != nil {
		return nil, err
	}
	t, cut, first, err := f.start()
	if err != nil {
		return nil, err
	}
	all, err := f.infer(cut, first)
	if err = errors.Join(err, t.Close()); err != nil {
		return nil, err
	}
	out := make([]Seen, len(all))
	for i := range all {
		_, pinned := opts.Kinds[f.fields[i].Name]
		out[i] = Seen{Field: f.fields[i], Filled: pinned || all[i].filled}
	}
	return out, nil
}

// start opens the text and reads the head; the block is what comes behind it.
func (f *csvFile) start() (*text, *splitter, block, error) {
	t, err := openText(f.src, f.opts.Encoding)
	if err != nil {
		return nil, nil, block{}, err
	}
	cut := newSplitter(f.src.Name, t)
	first, err := cut.next(nil)
	if err == nil {
		first, err = f.head(first)
	}
	if err != nil {
		return nil, nil, block{}, errors.Join(err, t.Close())
	}
	return t, cut, first, nil
}

// known reports whether the kinds of all columns and the decimal point are given.
func (f *csvFile) known() bool {
	for _, c := range f.fields {
		if c.Kind == 0 || c.Kind == Number && f.how.point == 0 {
			return false
		}
	}
	return true
}

// head takes the names of the columns off the first block.
func (f *csvFile) head(b block) (block, error) {
	b = f.separator(b)
	if f.how.delim == 0 {
		f.how.delim = delimiter(f.src.Name, b)
	}
	if f.how.point == 0 && f.how.delim == ',' {
		f.how.point = '.' // a comma in a number would want quotes; who writes them can say so
	}
	c := cursor{name: f.src.Name, delim: f.how.delim, stops: stopsOf(f.how.delim), most: len(b.b)}
	c.begin(b)
	some, err := c.next()
	if err != nil {
		return block{}, err
	}
	if !some {
		return block{}, fault.New(fault.Invalid, "%s is empty: it has no head", f.src.Name)
	}
	seen := make(map[string]bool, c.values)
	f.fields = make([]Field, 0, c.values)
	for i := range c.values {
		name := strings.TrimSpace(string(c.value(i)))
		if name == "" {
			err := fault.New(fault.Invalid, "%s: column %d has no name", f.src.Name, i+1)
			if i == 0 {
				return block{}, err.Do("write the file without its index, as with to_csv(index=False), or give the column a name")
			}
			return block{}, err.Do("give it a name, or take the %q at the end of the lines away", f.how.delim)
		}
		if seen[name] {
			return block{}, fault.New(fault.Invalid, "%s: the column %q stands twice", f.src.Name, name).Do("give one of them another name")
		}
		seen[name] = true
		f.fields = append(f.fields, Field{name, f.opts.Kinds[name]})
	}
	b.b, b.line = b.b[c.at:], c.line
	return b, nil
}

// workersFor is how many parse at once.
func workersFor() int { return min(maxWorkers, runtime.GOMAXPROCS(0)) }

// infer looks at all rows, says what the columns hold, and gives the evidence for it.
func (f *csvFile) infer(cut *splitter, first block) ([]evidence, error) {
	all := make([]evidence, len(f.fields))
	lookers := []*looker{newLooker(f.src.Name, f.fields, &f.how)}
	next := []block{first}
	var stop error
	var free [][]byte
	for len(next) > 0 {
		for len(lookers) < min(workersFor(), len(next)) {
			lookers = append(lookers, newLooker(f.src.Name, f.fields, &f.how))
		}
		now, found, errs := next, make([][]evidence, len(next)), make([]error, len(next))
		wait := each(len(lookers), len(now), func(worker, i int) { found[i], errs[i] = lookers[worker].look(now[i], all) })
		next, free, stop = cutSome(cut, stop, free)
		wait()
		for i := range now {
			if errs[i] != nil {
				return nil, errs[i]
			}
			for c := range all {
				all[c].and(&found[i][c])
			}
			free = append(free, now[i].b)
		}
	}
	if !errors.Is(stop, io.EOF) {
		return nil, stop
	}
	return all, settle(f.src.Name, f.fields, &f.how, all)
}

// cutSome cuts the blocks of a turn: two for each worker, so that none waits long for the
// others. It returns the buffers that it left, and why there are no more blocks.
func cutSome(cut *splitter, stop error, free [][]byte) ([]block, [][]byte, error) {
	var out []block
	for stop == nil && len(out) < 2*workersFor() {
		var buf []byte
		if n := len(free); n > 0 {
			buf, free = free[n-1], free[:n-1]
		}
		b, err := cut.next(buf)
		if stop = err; err == nil {
			out = append(out, b)
		}
	}
	return out, free, stop
}

// each has workers do the items 0 to n-1; the function that it returns waits for them.
func each(workers, n int, do func(worker, i int)) (wait func()) {
	var lock sync.Mutex
	var all sync.WaitGroup
	next := 0
	take := func() int {
		lock.Lock()
		defer lock.Unlock()
		next++
		return next - 1
	}
	for w := range min(workers, n) {
		all.Go(func() {
			for i := take(); i < n; i = take() {
				do(w, i)
			}
		})
	}
	return all.Wait
}

// Next gives the next rows.
func (r *csvReader) Next() (*Frame, error) {
	for len(r.ready) == 0 && r.failed == nil {
		r.turn()
	}
	if len(r.ready) == 0 {
		return nil, r.failed
	}
	f := r.ready[0]
	if most := chunkRows(len(r.file.fields)); f.Rows() > most {
		r.ready[0] = f.Slice(most, f.Rows())
		return f.Slice(0, most), nil
	}
	r.ready = r.ready[1:]
	return f, nil
}

// turn parses the blocks that are cut, and cuts the next.
func (r *csvReader) turn() {
	now := r.ahead
	for len(r.workers) < min(workersFor(), len(now)) {
		r.workers = append(r.workers, newParser(r.file.src.Name, r.file.fields, &r.file.how))
	}
	got, errs := make([]*Frame, len(now)), make([]error, len(now))
	wait := each(len(r.workers), len(now), func(worker, i int) { got[i], errs[i] = r.workers[worker].parse(now[i]) })
	r.ahead, r.free, r.stop = cutSome(r.cut, r.stop, r.free)
	wait()
	for i, f := range got {
		if errs[i] != nil {
			r.fail(errs[i])
			return
		}
		r.free = append(r.free, now[i].b)
		if f.Rows() > 0 {
			r.ready, r.gave = append(r.ready, f), true
		}
	}
	if len(r.ahead) > 0 {
		return
	}
	r.fail(r.stop)
	if !r.gave && errors.Is(r.failed, io.EOF) {
		r.ready, r.gave = append(r.ready, Empty(r.file.fields)), true
	}
}

// fail ends the reading with err, or io.EOF, and closes the file.
func (r *csvReader) fail(err error) {
	r.failed, r.free, r.ahead = err, nil, nil
	if closing := r.text.Close(); closing != nil && errors.Is(err, io.EOF) {
		r.failed = fault.Wrap(closing, fault.Unavailable, "%s cannot be read", r.file.src.Name)
	}
}
