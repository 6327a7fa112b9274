// SPDX-License-Identifier: Apache-2.0

// Command profile makes a Parquet file of 28 columns and profiles it in a process of its
// own, as a snapshot is profiled. It prints the time on the wall, the processor's time and
// the largest memory. While other work runs, half of the processor's time is what two
// cores would take.
//
//	go run ./bench/profile -rows 10000000
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"syscall"
	"time"

	"flyball/data/dataset"
	"flyball/data/frame"
)

const (
	columns = 28
	group   = 1 << 16 // rows that are made at once
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// took is what the profile of a file took.
type took struct {
	Rows      int     `json:"rows"`
	Seconds   float64 `json:"seconds"`
	Processor float64 `json:"processor"`
}

func run() (err error) {
	rows := flag.Int("rows", 10_000_000, "rows of the file")
	read := flag.String("read", "", "profile this file, and print what it took; of the command itself")
	profile := flag.String("profile", "", "with -read: write a profile of the processor to this file")
	flag.Parse()
	if *read != "" {
		return readFile(*read, *profile)
	}
	dir, err := os.MkdirTemp("", "profile")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "rows.parquet")
	if err := write(path, *rows); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(context.Background(), self, "-read", path)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	var t took
	if err := json.Unmarshal(out, &t); err != nil {
		return err
	}
	memory := 0.0
	if use, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		memory = float64(use.Maxrss) / 1024
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	fmt.Printf("%d rows of %d columns, %d MB: %.2f s on the wall, %.2f s of the processor, %.0f MB at most\n",
		t.Rows, columns, info.Size()>>20, t.Seconds, t.Processor, memory)
	return nil
}

// readFile profiles a file.
func readFile(path, profile string) (err error) {
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer func() { pprof.StopCPUProfile() }()
	}
	start, used := time.Now(), processor()
	in, err := frame.OpenFile(path, frame.CSVOptions{})
	if err != nil {
		return err
	}
	_, rows, err := dataset.Profile(in)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(took{rows, time.Since(start).Seconds(), processor() - used})
}

// write makes the file: 20 columns of numbers, of which some have few digits, few values
// or missing ones, 6 of words and 2 of times.
func write(path string, rows int) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r := rand.New(rand.NewPCG(1, 2))
	var out *frame.ParquetWriter
	for from := 0; from < rows; from += group {
		some := table(r, from, min(group, rows-from))
		if out == nil {
			if out, err = frame.NewParquetWriter(f, some.Fields()); err != nil {
				return err
			}
		}
		if err := errors.Join(out.Write(some), out.EndGroup()); err != nil {
			return err
		}
	}
	return out.Close()
}

func table(r *rand.Rand, from, n int) *frame.Frame {
	cols := make([]frame.Column, 0, columns)
	for k := range 20 {
		v := make([]float64, n)
		for i := range v {
			switch x := r.NormFloat64(); k % 4 {
			case 0:
				v[i] = x
			case 1:
				v[i] = math.Round(100*x) / 100
			case 2:
				v[i] = float64(r.IntN(50))
			default:
				if v[i] = x * 1000; r.IntN(10) == 0 {
					v[i] = math.NaN()
				}
			}
		}
		cols = append(cols, frame.NumberColumn("n"+strconv.Itoa(k), v))
	}
	for k := range 6 {
		v := make([]string, n)
		for i := range v {
			v[i] = "word " + strconv.Itoa(r.IntN(10<<k))
		}
		cols = append(cols, frame.TextColumn("w"+strconv.Itoa(k), v, nil))
	}
	for k := range 2 {
		v := make([]int64, n)
		for i := range v {
			v[i] = int64(from+i)*1_000_000 + int64(k)*r.Int64N(1000)
		}
		cols = append(cols, frame.TimeColumn("t"+strconv.Itoa(k), v))
	}
	return frame.New(cols...)
}

// processor is the time that this process has used, in seconds.
func processor() float64 {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		return 0
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano()).Seconds()
}
