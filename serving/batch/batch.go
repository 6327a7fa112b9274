// SPDX-License-Identifier: Apache-2.0

// Package batch scores files: rows in a stream, by one version, in parallel, in bounded
// memory, and in the same bits as online. What is finished stays when it is stopped, and
// the same call goes on from there. It routes nothing and keeps nothing in the
// prediction log.
package batch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"flyball/data/frame"
	"flyball/data/source"
	"flyball/fault"
	"flyball/model"
	"flyball/model/unusual"
)

// Job is files to be scored.
type Job struct {
	Bundle  *model.Bundle
	Version int
	In      []source.Part // files, in this order; all have the bundle's columns
	Out     string        // a file (.parquet, .csv), or a folder of Parquet files when it ends with a slash
	Keep    []string      // columns of the input that are carried along
	May     []string      // the same, of those that the input has
	Replace bool          // Out may be there already, and so may what another job has begun
	Workers int           // 0: one per CPU
	Explain bool          // add what each column contributed

	Progress func(rows int64) // is told how many rows are done, by one goroutine; nil: nobody
}

// Local is a file of this machine as part of a job's input; a NotFound fault where there
// is none.
func Local(path string) (source.Part, error) {
	p := source.File(path, frame.FileSource(path), frame.CSVOptions{})
	info, err := os.Stat(path)
	if err != nil {
		return p, fault.Wrap(err, fault.NotFound, "%s cannot be read", path)
	}
	p.Mark = fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano())
	return p, nil
}

// Report is what a job did.
type Report struct {
	Rows    int64  `json:"rows"`
	Resumed int64  `json:"resumed"` // of them, found finished
	Unseen  int64  `json:"unseen"`  // values that the model's training had not met
	Out     string `json:"out"`
}

// partRows is how many rows a part has at least, but for the last: what is lost when a
// job is killed.
const partRows = 1 << 17

// Run scores the files. An output that is there already is a Conflict fault. Stopped or
// killed, it leaves finished parts in Out with the ending .parts, where the next run
// finds them.
func Run(ctx context.Context, j Job) (Report, error) {
	if j.Workers <= 0 {
		j.Workers = runtime.GOMAXPROCS(0)
	}
	if err := j.check(); err != nil {
		return Report{}, err
	}
	p, err := openParts(j)
	if err != nil {
		return Report{}, err
	}
	r := Report{Out: j.Out, Resumed: p.done, Rows: p.done}
	err = j.score(ctx, p, &r)
	if err = errors.Join(err, p.end()); err != nil {
		return r, err
	}
	return r, p.publish(j)
}

func (j *Job) check() error {
	folder := strings.HasSuffix(j.Out, "/")
	if ext := filepath.Ext(j.Out); !folder && ext != ".parquet" && ext != ".csv" {
		return fault.New(fault.Invalid, "%s is neither a .parquet nor a .csv file", j.Out).Do("or end it with a slash for a folder of Parquet files")
	}
	if len(j.In) == 0 {
		return fault.New(fault.Invalid, "there are no files to score")
	}
	if _, err := os.Stat(j.Out); err == nil && !j.Replace {
		return fault.New(fault.Conflict, "%s is there already", j.Out).Do("choose another name, or write over it with --replace")
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(err, fault.Unavailable, "%s cannot be looked at", j.Out)
	}
	return nil
}

// piece is rows on their way: read, scored, written in the order in which they were
// read.
type piece struct {
	rows   *frame.Frame
	out    *frame.Frame
	unseen int
	err    error
	ready  chan struct{}
}

// score takes the rows through. The queue is as long as there are workers, so that so
// many pieces are in memory and no more.
func (j *Job) score(ctx context.Context, p *parts, r *Report) error {
	g, ctx := errgroup.WithContext(ctx)
	work := make(chan *piece)
	order := make(chan *piece, j.Workers)
	g.Go(func() error {
		defer close(work)
		defer close(order)
		return j.read(ctx, p.done, work, order)
	})
	for range j.Workers {
		g.Go(func() error {
			for c := range work {
				c.out, c.unseen, c.err = j.rows(ctx, c.rows)
				c.rows = nil
				close(c.ready)
			}
			return nil
		})
	}
	g.Go(func() error {
		for c := range order {
			select {
			case <-c.ready:
			case <-ctx.Done():
			}
			if ctx.Err() != nil { // also where both were so
				return context.Cause(ctx)
			}
			if c.err != nil {
				return c.err
			}
			if err := p.write(c.out); err != nil {
				return err
			}
			r.Rows += int64(c.out.Rows())
			r.Unseen += int64(c.unseen)
			if j.Progress != nil {
				j.Progress(r.Rows)
			}
		}
		return nil
	})
	return g.Wait()
}

// read hands the rows out, without the first skip of them.
func (j *Job) read(ctx context.Context, skip int64, work, order chan<- *piece) error {
	kinds := map[string]frame.Kind{}
	for _, f := range j.Bundle.Inputs() {
		kinds[f.Name] = f.Kind
	}
	for _, name := range slices.Concat(j.Keep, j.May) {
		if _, ok := kinds[name]; !ok {
			kinds[name] = frame.Text // as it stands in the file
		}
	}
	for _, file := range j.In {
		if err := j.readFile(ctx, file, kinds, &skip, work, order); err != nil {
			return err
		}
	}
	if skip > 0 {
		return fault.New(fault.Conflict, "the files have %d rows less than a run before has scored", skip).Do("begin again with --replace")
	}
	return nil
}

func (j *Job) readFile(ctx context.Context, file source.Part, kinds map[string]frame.Kind, skip *int64, work, order chan<- *piece) error {
	in, err := file.Open(ctx, kinds)
	if err != nil {
		return err
	}
	for {
		rows, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if n := min(*skip, int64(rows.Rows())); n > 0 {
			*skip -= n
			rows = rows.Slice(int(n), rows.Rows())
		}
		if rows.Rows() == 0 {
			continue
		}
		c := &piece{rows: rows, ready: make(chan struct{})}
		for _, to := range []chan<- *piece{order, work} {
			select {
			case to <- c:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
}

// rows scores some rows and makes the columns of the output.
func (j *Job) rows(ctx context.Context, rows *frame.Frame) (*frame.Frame, int, error) {
	s, err := j.Bundle.Predict(ctx, rows)
	if err != nil {
		return nil, 0, err
	}
	keep := slices.Clone(j.Keep)
	for _, name := range j.May {
		if rows.Column(name) != nil && !slices.Contains(keep, name) {
			keep = append(keep, name)
		}
	}
	kept, err := rows.Select(keep...)
	if err != nil {
		return nil, 0, err
	}
	cols := slices.Clone(kept.Columns())
	cols = append(cols, j.scores(rows, s)...)
	if j.Explain {
		why, err := j.reasons(ctx, rows, s)
		if err != nil {
			return nil, 0, err
		}
		cols = append(cols, why...)
	}
	names := map[string]bool{}
	for _, c := range cols {
		if names[c.Name] {
			return nil, 0, fault.New(fault.Invalid, "the output would have two columns %q", c.Name).Do("leave that one out of --keep")
		}
		names[c.Name] = true
	}
	return frame.WithRows(rows.Rows(), cols...), len(s.Unseen), nil
}

// scores are the columns of what the version said: value, or score.<class> for each
// class; decision where it has one; version; and flags, as online.
func (j *Job) scores(rows *frame.Frame, s model.Scores) []frame.Column {
	n := rows.Rows()
	var out []frame.Column
	classes := j.Bundle.Manifest.Classes
	for k := range s.Outputs {
		name := "value"
		if s.Outputs > 1 {
			name = fmt.Sprint("score.", k)
			if k < len(classes) {
				name = "score." + classes[k]
			}
		}
		v := make([]float64, n)
		for i := range v {
			v[i] = s.Values[i*s.Outputs+k]
		}
		out = append(out, frame.NumberColumn(name, v))
	}
	decisions, versions := make([]string, n), make([]float64, n)
	for i := range n {
		decisions[i] = j.Bundle.Decision(s.Row(i))
		versions[i] = float64(j.Version)
	}
	if n > 0 && decisions[0] != "" {
		out = append(out, frame.TextColumn("decision", decisions, nil))
	}
	return append(out, frame.NumberColumn("version", versions), frame.TextColumn("flags", j.flags(rows, s), nil))
}

// flags are what is unusual of each row, in words with a space between.
func (j *Job) flags(rows *frame.Frame, s model.Scores) []string {
	all := make([][]string, rows.Rows())
	add := func(i int, flag string) {
		if !slices.Contains(all[i], flag) {
			all[i] = append(all[i], flag)
		}
	}
	for _, u := range s.Unseen {
		add(u.Row, unusual.Unseen+u.Column)
	}
	if usual := j.Bundle.Usual(); usual != nil {
		l := usual.On(rows)
		var room [8]string
		for i := range all {
			for _, flag := range l.Flags(i, room[:0]) {
				add(i, flag)
			}
			if usual.Confidence.Unsure(s.Row(i)) {
				add(i, unusual.Unsure)
			}
		}
	}
	out := make([]string, len(all))
	for i, flags := range all {
		slices.Sort(flags)
		out[i] = strings.Join(flags, " ")
	}
	return out
}

// reasons are the columns of why: base, and contribution.<column> for each column of the
// input. Of several classes it is that of the greatest score.
func (j *Job) reasons(ctx context.Context, rows *frame.Frame, s model.Scores) ([]frame.Column, error) {
	e, err := j.Bundle.Explain(ctx, rows)
	if err != nil {
		return nil, err
	}
	n := rows.Rows()
	base, each := make([]float64, n), make([][]float64, len(e.Columns))
	for c := range each {
		each[c] = make([]float64, n)
	}
	for i := range n {
		best := 0
		for k, v := range s.Row(i) {
			if v > s.Row(i)[best] {
				best = k
			}
		}
		part := e.Row(i, best)
		base[i] = part.Base
		for c := range each {
			each[c][i] = part.Columns[c]
		}
	}
	out := []frame.Column{frame.NumberColumn("base", base)}
	for c, name := range e.Columns {
		out = append(out, frame.NumberColumn("contribution."+name, each[c]))
	}
	return out, nil
}
