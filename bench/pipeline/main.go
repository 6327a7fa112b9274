// SPDX-License-Identifier: Apache-2.0

// Command pipeline makes 50 features of the same 11 columns with a pipeline of Flyball,
// with scikit-learn, with pandas and with DuckDB, one thread each, in one run. It prints
// processor time of the fit, of a batch and of one row, the ratios, and how far the
// features are apart. Only the ratios travel from one machine to another.
//
//	go run ./bench/pipeline -python .cache/data/bin/python -sklearn .cache/onnx/bin/python
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"flyball/data/frame"
	"flyball/data/pipeline"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// result is one of them: processor seconds of the fit, of a row in a batch, of one row.
type result struct {
	Name            string
	File            string // of its features
	Fit, Batch, Row float64
}

func run() error {
	rows := flag.Int("rows", 1<<16, "rows")
	turns := flag.Int("turns", 5, "times that each does it; the fastest counts")
	python := flag.String("python", ".cache/data/bin/python", "a Python with pandas and duckdb; empty: without them")
	sklearn := flag.String("sklearn", ".cache/onnx/bin/python", "a Python with scikit-learn; empty: without it")
	script := flag.String("script", "bench/pipeline/peer.py", "the script of the peers")
	flag.Parse()
	runtime.GOMAXPROCS(1)
	dir, err := os.MkdirTemp("", "pipeline")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	table := made(*rows)
	if err := write(dir, table); err != nil {
		return err
	}
	ours, m, err := flyball(table, *turns)
	if err != nil {
		return err
	}
	report(os.Stdout, ours, ours, 0)
	for _, p := range []struct {
		python string
		names  []string
	}{{*sklearn, []string{"scikit-learn"}}, {*python, []string{"pandas", "duckdb"}}} {
		if p.python == "" {
			continue
		}
		results, err := ask(p.python, append([]string{*script, dir, strconv.Itoa(*rows), strconv.Itoa(*turns)}, p.names...))
		if err != nil {
			return err
		}
		for _, r := range results {
			apart, err := compare(m, filepath.Join(dir, r.File+".bin"))
			if err != nil {
				return fmt.Errorf("%s: %w", r.Name, err)
			}
			report(os.Stdout, r, ours, apart)
		}
	}
	return nil
}

// made is 6 numbers, some missing, and 5 texts of 8 to 40 categories.
func made(n int) *frame.Frame {
	r := rand.New(rand.NewPCG(9, 9))
	var cols []frame.Column
	for k := range 6 {
		v := make([]float64, n)
		for i := range v {
			if v[i] = r.NormFloat64(); r.IntN(30) == 0 {
				v[i] = math.NaN()
			}
		}
		cols = append(cols, frame.NumberColumn(fmt.Sprint("n", k), v))
	}
	for k, categories := range []int{8, 9, 10, 12, 40} {
		v := make([]string, n)
		for i := range v {
			v[i] = fmt.Sprint("category ", r.IntN(categories))
		}
		cols = append(cols, frame.TextColumn(fmt.Sprint("t", k), v, nil))
	}
	return frame.New(cols...)
}

// write gives the rows to the peers.
func write(dir string, table *frame.Frame) error {
	cols := table.Columns()
	var numbers bytes.Buffer
	for i := range table.Rows() {
		for _, c := range cols[:6] {
			numbers.Write(binary.LittleEndian.AppendUint64(nil, math.Float64bits(c.Num[i])))
		}
	}
	var words [][]string
	for _, c := range cols[6:] {
		words = append(words, c.Text)
	}
	texts, err := json.Marshal(words)
	return errors.Join(err, os.WriteFile(filepath.Join(dir, "numbers.bin"), numbers.Bytes(), 0o600),
		os.WriteFile(filepath.Join(dir, "texts.json"), texts, 0o600))
}

// flyball fits, and transforms all rows and one.
func flyball(table *frame.Frame, turns int) (r result, m pipeline.Matrix, err error) {
	numbers := pipeline.Columns{"n0", "n1", "n2", "n3", "n4", "n5"}
	spec := pipeline.Spec{Inputs: table.Fields(), Steps: []pipeline.Step{
		{Op: "impute", In: numbers, Strategy: "median"},
		{Op: "scale", In: numbers},
		{Op: "one_hot", In: pipeline.Columns{"t0", "t1", "t2", "t3"}},
		{Op: "ordinal", In: pipeline.Columns{"t4"}},
	}}
	r = result{Name: "flyball"}
	var f *pipeline.Fitted
	if r.Fit, err = best(turns, 1, func() (err error) {
		f, err = pipeline.Fit(context.Background(), spec, table, pipeline.Options{Workers: 1})
		return err
	}); err != nil {
		return r, m, err
	}
	if r.Batch, err = best(turns, 3, func() (err error) {
		m, _, err = f.Transform(table)
		return err
	}); err != nil {
		return r, m, err
	}
	r.Batch /= float64(table.Rows())
	one := table.Slice(0, 1)
	r.Row, err = best(turns, 100_000, func() error {
		_, _, err := f.Transform(one)
		return err
	})
	return r, m, err
}

// best is the least processor time of a call, of so many turns of so many calls.
func best(turns, calls int, do func() error) (float64, error) {
	least := math.Inf(1)
	for range turns {
		runtime.GC()
		start := spent()
		for range calls {
			if err := do(); err != nil {
				return 0, err
			}
		}
		least = min(least, (spent()-start)/float64(calls))
	}
	return least, nil
}

// spent is the processor seconds of this process.
func spent() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return math.NaN()
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// ask has peers do the same.
func ask(python string, args []string) ([]result, error) {
	cmd := exec.Command(python, args...)
	cmd.Env = append(os.Environ(), "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", python, err)
	}
	var all []result
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		var r result
		if err := json.Unmarshal(s.Bytes(), &r); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// compare is the largest distance between our features and theirs. They have no columns
// for what is other, which is zero in ours.
func compare(m pipeline.Matrix, path string) (float64, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	var kept []int
	for k, name := range m.Names {
		if len(name) < 6 || name[len(name)-6:] != "=other" {
			kept = append(kept, k)
		}
	}
	if len(raw) != 4*m.Rows*len(kept) {
		return 0, fmt.Errorf("it made %d bytes of features, not %d", len(raw), 4*m.Rows*len(kept))
	}
	apart := 0.0
	for i := range m.Rows {
		row := m.Row(i)
		for _, k := range kept {
			x := math.Float32frombits(binary.LittleEndian.Uint32(raw))
			raw = raw[4:]
			apart = max(apart, math.Abs(float64(x-row[k])))
		}
	}
	return apart, nil
}

func report(out io.Writer, r, ours result, apart float64) {
	if r == ours {
		fmt.Fprintf(out, "%-20s %9s %14s %12s %24s %10s\n", "", "fit, ms", "batch, ns/row", "one row, µs", "× flyball: fit batch row", "apart")
	}
	fmt.Fprintf(out, "%-20s %9.1f %14.0f %12.2f %10.1f %5.1f %7.0f %10.1g\n", r.Name, r.Fit*1e3, r.Batch*1e9, r.Row*1e6,
		r.Fit/ours.Fit, r.Batch/ours.Batch, r.Row/ours.Row, apart)
}
