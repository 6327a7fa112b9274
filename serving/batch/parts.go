// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"bufio"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"flyball/data/frame"
	"flyball/fault"
)

// parts is the folder of what is finished: job.json, which names the work, and
// Parquet files, each whole, numbered in the order of the rows.
type parts struct {
	dir   string
	files []string
	done  int64 // rows in them when it was opened
	all   int64 // rows in them, and in the part at hand

	out  *os.File // the part that is written; nil: none
	pq   *frame.ParquetWriter
	rows int // of it
}

// work is job.json: what the results depend on. Finished parts of other work are not
// taken over.
type work struct {
	Bundle string   `json:"bundle"`
	Files  []string `json:"files"` // name and mark of each
	Keep   []string `json:"keep"`
	May    []string `json:"may"`
	Why    bool     `json:"explain"`
}

func workOf(j Job) (work, error) {
	w := work{Bundle: string(j.Bundle.Digest), Keep: j.Keep, May: j.May, Why: j.Explain}
	if w.Bundle == "" {
		raw, err := json.Marshal(j.Bundle.Manifest)
		if err != nil {
			return w, err
		}
		sum := sha256.Sum256(raw)
		w.Bundle = "held:" + hex.EncodeToString(sum[:])
	}
	for _, file := range j.In {
		w.Files = append(w.Files, file.Name+" "+file.Mark)
	}
	return w, nil
}

// openParts finds or makes the folder.
func openParts(j Job) (*parts, error) {
	w, err := workOf(j)
	if err != nil {
		return nil, err
	}
	mine, err := json.MarshalIndent(w, "", "  ")
	if err != nil {
		return nil, err
	}
	p := &parts{dir: strings.TrimSuffix(j.Out, "/") + ".parts"}
	note := filepath.Join(p.dir, "job.json")
	have, err := os.ReadFile(note)
	switch {
	case err == nil && string(have) == string(mine):
		return p, p.find()
	case err == nil && !j.Replace:
		return nil, fault.New(fault.Conflict, "%s holds what another run has begun: of another version, of other files or with other columns", p.dir).
			Do("remove it, or begin again with --replace")
	case err == nil || errors.Is(err, fs.ErrNotExist):
		if err := p.clear(); err != nil {
			return nil, fault.Wrap(err, fault.Unavailable, "%s cannot be made", p.dir)
		}
		return p, fault.Wrap(whole(note, func(f *os.File) error { _, err := f.Write(mine); return err }), fault.Unavailable, "%s cannot be written", note)
	}
	return nil, fault.Wrap(err, fault.Unavailable, "%s cannot be read", note)
}

// clear leaves an empty folder. It removes only what this package writes.
func (p *parts) clear() error {
	for _, pattern := range []string{"job.json", "*.parquet", "*.tmp"} {
		names, err := filepath.Glob(filepath.Join(p.dir, pattern))
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := os.Remove(name); err != nil {
				return err
			}
		}
	}
	return os.MkdirAll(p.dir, 0o755)
}

// find counts what is finished.
func (p *parts) find() error {
	for {
		name := p.name(len(p.files))
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fault.Wrap(err, fault.Unavailable, "%s cannot be read", name)
		}
		n, err := count(name, f)
		if err != nil {
			return err
		}
		p.done, p.all = p.done+n, p.all+n
		p.files = append(p.files, name)
	}
}

func count(name string, f *os.File) (n int64, err error) {
	err = each(name, f, func(rows *frame.Frame) error { n += int64(rows.Rows()); return nil })
	return n, err
}

// each gives a part's rows, and closes it.
func each(name string, f *os.File, visit func(*frame.Frame) error) error {
	info, err := f.Stat()
	if err != nil {
		return errors.Join(fault.Wrap(err, fault.Unavailable, "%s cannot be read", name), f.Close())
	}
	in, err := frame.OpenParquet(name, f, info.Size())
	if err != nil {
		return errors.Join(err, f.Close())
	}
	for {
		rows, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil // the reader has closed it
		}
		if err == nil {
			err = visit(rows)
		}
		if err != nil {
			return errors.Join(err, f.Close())
		}
	}
}

func (p *parts) name(i int) string { return filepath.Join(p.dir, fmt.Sprintf("part-%05d.parquet", i)) }

// write adds scored rows to the part at hand, and finishes it when it is large enough. Its
// name is its own until then: an engine may start the same task twice.
func (p *parts) write(rows *frame.Frame) (err error) {
	if p.out == nil {
		if p.out, err = os.CreateTemp(p.dir, filepath.Base(p.name(len(p.files)))+".*.tmp"); err != nil {
			return fault.Wrap(err, fault.Unavailable, "the output cannot be written")
		}
		if p.pq, err = frame.NewParquetWriter(p.out, rows.Fields()); err != nil {
			return err
		}
	}
	if err := p.pq.Write(rows); err != nil {
		return err
	}
	p.all += int64(rows.Rows())
	if p.rows += rows.Rows(); p.rows >= partRows {
		return p.finish()
	}
	return nil
}

// finish makes the part at hand whole: on disk, then under its name.
func (p *parts) finish() error {
	out, name := p.out, p.name(len(p.files))
	p.out, p.rows = nil, 0
	err := errors.Join(p.pq.Close(), out.Chmod(0o644), out.Sync(), out.Close())
	if err == nil {
		err = os.Rename(out.Name(), name)
	}
	p.files = append(p.files, name)
	return fault.Wrap(err, fault.Unavailable, "%s cannot be written", name)
}

// end finishes what is at hand, whole or not: its rows follow those before without a
// gap.
func (p *parts) end() error {
	if p.out == nil {
		return nil
	}
	return p.finish()
}

// publish makes the output of the finished parts, and removes them.
func (p *parts) publish(j Job) error {
	if len(p.files) == 0 {
		return errors.Join(fault.New(fault.Invalid, "the files have no rows"), p.remove())
	}
	if dir, ok := strings.CutSuffix(j.Out, "/"); ok {
		return p.folder(dir)
	}
	write := p.csv
	if filepath.Ext(j.Out) == ".parquet" {
		write = p.parquet
	}
	if err := whole(j.Out, func(f *os.File) error { return write(f) }); err != nil {
		return fault.Wrap(err, fault.Unavailable, "%s cannot be written", j.Out)
	}
	return p.remove()
}

// folder moves the parts into the output's place.
func (p *parts) folder(dir string) error {
	err := os.MkdirAll(dir, 0o755)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "%s cannot be made", dir)
	}
	old, err := filepath.Glob(filepath.Join(dir, "part-*.parquet"))
	if err != nil {
		return err
	}
	for _, name := range p.files {
		if err := os.Rename(name, filepath.Join(dir, filepath.Base(name))); err != nil {
			return fault.Wrap(err, fault.Unavailable, "%s cannot be moved", name)
		}
	}
	for _, name := range old { // of a longer output before
		if filepath.Base(name) > filepath.Base(p.files[len(p.files)-1]) {
			err = errors.Join(err, os.Remove(name))
		}
	}
	return errors.Join(err, p.remove())
}

func (p *parts) remove() error {
	return fault.Wrap(errors.Join(p.clear(), os.Remove(p.dir)), fault.Unavailable, "%s cannot be removed", p.dir)
}

// rowsOf gives all rows of the parts, which must be as many as were written: another run
// at the same time may have cut them elsewhere.
func (p *parts) rowsOf(visit func(*frame.Frame) error) error {
	n := int64(0)
	counted := func(rows *frame.Frame) error { n += int64(rows.Rows()); return visit(rows) }
	for _, name := range p.files {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		if err := each(name, f, counted); err != nil {
			return err
		}
	}
	if n != p.all {
		return fault.New(fault.Unavailable, "%s has %d rows and not %d: another run writes there", p.dir, n, p.all).Do("run the same again when that has ended")
	}
	return nil
}

func (p *parts) parquet(f *os.File) error {
	var out *frame.ParquetWriter
	n := 0
	err := p.rowsOf(func(rows *frame.Frame) (err error) {
		if out == nil {
			if out, err = frame.NewParquetWriter(f, rows.Fields()); err != nil {
				return err
			}
		}
		if err := out.Write(rows); err != nil {
			return err
		}
		if n += rows.Rows(); n >= partRows {
			n = 0
			return out.EndGroup()
		}
		return nil
	})
	if err != nil || out == nil {
		return err
	}
	return out.Close()
}

func (p *parts) csv(f *os.File) error {
	buf := bufio.NewWriterSize(f, 1<<20)
	out := csv.NewWriter(buf)
	first := true
	var line []string
	err := p.rowsOf(func(rows *frame.Frame) error {
		if first {
			first = false
			for _, c := range rows.Fields() {
				line = append(line, c.Name)
			}
			if err := out.Write(line); err != nil {
				return err
			}
		}
		cols := rows.Columns()
		for i := range rows.Rows() {
			for k := range cols {
				line[k] = cols[k].Format(i)
			}
			if err := out.Write(line); err != nil {
				return err
			}
		}
		return nil
	})
	out.Flush()
	return errors.Join(err, out.Error(), buf.Flush())
}

// whole writes a file under another name, and gives it its own when all is on disk.
func whole(name string, write func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*.tmp")
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
