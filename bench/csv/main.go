// SPDX-License-Identifier: Apache-2.0

// Command csv reads the same CSV files by Flyball and by pandas, Polars and DuckDB where
// these are installed, each in a process of its own, in turns in one run. It prints the
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
	"syscall"
	"time"

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
	flag.Parse()
	if *read != "" {
		return readFile(*read, *kinds)
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
			{"pandas, kinds known", []string{*python, *script, "pandas-kinds", path}},
			{"Polars", []string{*python, *script, "polars", path}},
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

// readFile reads a file as a training does: chunk by chunk.
func readFile(path string, known bool) error {
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
	var t took
	for {
		rows, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		t.Rows += rows.Rows()
		for _, c := range rows.Columns() {
			for _, x := range c.Num {
				if x == x {
					t.Sum += x
				}
			}
		}
	}
	t.Seconds, t.Processor = time.Since(start).Seconds(), processor()-used
	return json.NewEncoder(os.Stdout).Encode(t)
}

// processor is the time that this process has used, in seconds.
func processor() float64 {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		return 0
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano()).Seconds()
}
