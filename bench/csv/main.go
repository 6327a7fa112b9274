// SPDX-License-Identifier: Apache-2.0

// Command csv reads the same CSV files by Flyball, to columns and on to a snapshot, and by
// pandas, Polars, Arrow and DuckDB where these are installed, each in a process of its own,
// in turns in one run. It prints the
// time on the wall, the processor's time and the largest memory of each, and the ratios to
// pandas, after it has compared what the columns sum up to. Only the ratios travel from
// one machine to another.
//
//	go run ./bench/csv -python .cache/data/bin/python
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"syscall"
	"time"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/data/frame"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// took is what one reading of a file took. Seconds are of the reading alone, as a process
// that serves or trains has its libraries loaded; Memory is the most that the process had.
type took struct {
	Seconds   float64 `json:"seconds"`
	Processor float64 `json:"processor"`
	Rows      int     `json:"rows"`
	Sum       float64 `json:"sum"` // of all numbers
	Memory    float64 // MB
}

func run() error {
	turns := flag.Int("turns", 3, "times that each reads; the fastest counts")
	rows := flag.Int("rows", 1_000_000, "rows of each file")
	python := flag.String("python", ".cache/data/bin/python", "a Python with pandas")
	script := flag.String("script", "bench/csv/peer.py", "the script that makes the files and reads them")
	read := flag.String("read", "", "read this file, and print what it took; of the command itself")
	kinds := flag.Bool("kinds", false, "with -read: the kinds are known")
	keep := flag.Bool("snapshot", false, "with -read: write the rows as a snapshot")
	profile := flag.String("profile", "", "with -read: write a profile of the processor to this file")
	flag.Parse()
	if *read != "" {
		return measured(*profile, func() error { return readFile(*read, *kinds, *keep) })
	}
	dir, err := os.MkdirTemp("", "csv")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if _, err := child(*python, *script, "make", dir, fmt.Sprint(*rows)); err != nil {
		return err
	}
	fmt.Println("file       reader            wall s   processor s   memory MB   speed of pandas   memory of pandas")
	for _, name := range []string{"mixed", "numbers", "long"} {
		path := filepath.Join(dir, name+".csv")
		readers := []struct {
			name string
			args []string
		}{
			{"pandas", []string{*python, *script, "pandas", path}},
			{"Flyball", []string{self, "-read", path}},
			{"Flyball, kinds known", []string{self, "-kinds", "-read", path}},
			{"Flyball, to snapshot", []string{self, "-snapshot", "-read", path}},
			{"the same, kinds known", []string{self, "-snapshot", "-kinds", "-read", path}},
			{"pandas, kinds known", []string{*python, *script, "pandas-kinds", path}},
			{"Polars", []string{*python, *script, "polars", path}},
			{"Arrow", []string{*python, *script, "arrow", path}},
			{"DuckDB", []string{*python, *script, "duckdb", path}},
		}
		best := make([]took, len(readers))
		for range *turns {
			for i, r := range readers {
				t, err := child(r.args...)
				if err != nil {
					continue // not installed
				}
				if best[i].Rows == 0 || t.Seconds < best[i].Seconds {
					best[i] = t
				}
			}
		}
		for i, r := range readers {
			t, pandas := best[i], best[0]
			if t.Rows == 0 {
				fmt.Printf("%-10s %-20s left out\n", name, r.name)
				continue
			}
			if t.Rows != pandas.Rows || math.Abs(t.Sum-pandas.Sum) > 1e-9*math.Abs(pandas.Sum) {
				return fmt.Errorf("%s: %s reads %d rows that sum up to %v, and pandas %d, %v", name, r.name, t.Rows, t.Sum, pandas.Rows, pandas.Sum)
			}
			fmt.Printf("%-10s %-20s %6.2f %13.2f %11.0f %15.2f × %16.2f ×\n", name, r.name, t.Seconds, t.Processor, t.Memory, pandas.Seconds/t.Seconds, t.Memory/pandas.Memory)
		}
	}
	return nil
}

// child runs a reader and reads what it prints.
func child(args ...string) (took, error) {
	cmd := exec.CommandContext(context.Background(), args[0], args[1:]...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return took{}, fmt.Errorf("%v: %w\n%s", args, err, errs.String())
	}
	var t took
	if len(out) > 0 {
		if err := json.Unmarshal(out, &t); err != nil {
			return took{}, err
		}
	}
	if use, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		t.Memory = float64(use.Maxrss) / 1024
	}
	return t, nil
}

// measured does it while a profile is written, where one is wanted.
func measured(profile string, do func() error) error {
	if profile == "" {
		return do()
	}
	f, err := os.Create(profile)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	err = do()
	pprof.StopCPUProfile()
	return errors.Join(err, f.Close())
}

// summed adds up the numbers that go by.
type summed struct {
	in   frame.Reader
	rows int
	sum  float64
}

// Next gives the next rows.
func (s *summed) Next() (*frame.Frame, error) {
	f, err := s.in.Next()
	if err != nil {
		return nil, err
	}
	s.rows += f.Rows()
	for _, c := range f.Columns() {
		for _, x := range c.Num {
			if x == x {
				s.sum += x
			}
		}
	}
	return f, nil
}

// readFile reads a file as a training does: chunk by chunk, and to a snapshot in a folder
// where it is kept.
func readFile(path string, known, keep bool) (err error) {
	var opts frame.CSVOptions
	if known {
		seen, err := frame.Inspect(frame.FileSource(path), opts)
		if err != nil {
			return err
		}
		opts.Kinds = map[string]frame.Kind{}
		for _, s := range seen {
			opts.Kinds[s.Name] = s.Kind
		}
	}
	start, used := time.Now(), processor()
	in, err := frame.OpenFile(path, opts)
	if err != nil {
		return err
	}
	rows := &summed{in: in}
	if keep {
		err = snapshot(filepath.Dir(path), rows)
	} else {
		err = drain(rows)
	}
	if err != nil {
		return err
	}
	t := took{Rows: rows.rows, Sum: rows.sum}
	t.Seconds, t.Processor = time.Since(start).Seconds(), processor()-used
	return json.NewEncoder(os.Stdout).Encode(t)
}

func drain(in frame.Reader) error {
	for {
		if _, err := in.Next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// snapshot keeps the rows in a folder below dir, as a training does. The label is the
// first column, as any would do.
func snapshot(dir string, in frame.Reader) (err error) {
	dir, err = os.MkdirTemp(dir, "blobs")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	blobs, err := blob.OpenDir(dir)
	if err != nil {
		return err
	}
	first, err := in.Next()
	if err != nil {
		return err
	}
	task := dataset.Task{Column: first.Columns()[0].Name}
	_, err = dataset.Write(context.Background(), blobs, &ahead{first, in}, task)
	return errors.Join(err, blobs.Close())
}

// ahead gives rows that were read already, and then the others.
type ahead struct {
	first *frame.Frame
	in    frame.Reader
}

// Next gives the next rows.
func (a *ahead) Next() (*frame.Frame, error) {
	if f := a.first; f != nil {
		a.first = nil
		return f, nil
	}
	return a.in.Next()
}

// processor is the time that this process has used, in seconds.
func processor() float64 {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		return 0
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano()).Seconds()
}
