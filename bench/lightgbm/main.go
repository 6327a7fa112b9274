// SPDX-License-Identifier: Apache-2.0

// Command lightgbm compares scoring a LightGBM model here and by LightGBM itself, on
// the same model and rows: one row at a time, and a batch on one thread.
//
//	go run ./bench/lightgbm -python .cache/mlflow3/bin/python
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"flyball/data/frame"
	"flyball/model/lightgbm"
)

func main() {
	python := flag.String("python", ".cache/mlflow3/bin/python", "a Python that has lightgbm")
	flag.Parse()
	runtime.GOMAXPROCS(1)
	fmt.Println("| trees × leaves, features, missing | | one row, ns | batch, ns a row |")
	fmt.Println("|---|---|---:|---:|")
	for _, c := range []shape{{300, 31, 30, 0.1}, {100, 31, 30, 0.1}, {300, 255, 30, 0.1}, {300, 31, 200, 0.3}} {
		if err := c.compare(context.Background(), *python); err != nil {
			fmt.Fprintln(os.Stderr, "lightgbm:", err)
			os.Exit(1)
		}
	}
}

// shape is how large a model is.
type shape struct {
	trees, leaves, features int
	missing                 float64
}

func (c shape) compare(ctx context.Context, python string) error {
	dir, err := os.MkdirTemp("", "lightgbm")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cmd := exec.CommandContext(ctx, python, "bench/lightgbm/peer.py", dir, strconv.Itoa(c.trees), strconv.Itoa(c.leaves),
		strconv.Itoa(c.features), fmt.Sprint(c.missing))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("run LightGBM: %w", err)
	}
	var peer struct {
		Version          string
		Python, C, Batch float64
	}
	if err := json.Unmarshal(out, &peer); err != nil {
		return err
	}
	m, rows, err := read(dir, c.features)
	if err != nil {
		return err
	}
	n := rows.Rows()
	batch := best(10, func() error {
		_, err := m.Score(ctx, rows)
		return err
	}) / float64(n)
	alone := make([]*frame.Frame, 2000)
	for i := range alone {
		alone[i] = rows.Slice(i, i+1)
	}
	one := best(10, func() error {
		for _, row := range alone {
			if _, err := m.Score(ctx, row); err != nil {
				return err
			}
		}
		return nil
	}) / float64(len(alone))
	fmt.Printf("| %d × %d, %d, %v | Flyball | %.0f | %.0f |\n", c.trees, c.leaves, c.features, c.missing, one, batch)
	fmt.Printf("| | LightGBM %s, Python | %.0f | %.0f |\n", peer.Version, peer.Python, peer.Batch)
	fmt.Printf("| | LightGBM %s, C, fast single row | %.0f | |\n", peer.Version, peer.C)
	return nil
}

func read(dir string, features int) (*lightgbm.Model, *frame.Frame, error) {
	text, err := os.ReadFile(filepath.Join(dir, "model.txt"))
	if err != nil {
		return nil, nil, err
	}
	m, err := lightgbm.Decode(text)
	if err != nil {
		return nil, nil, err
	}
	raw, err := os.ReadFile(filepath.Join(dir, "rows.bin"))
	if err != nil {
		return nil, nil, err
	}
	n := len(raw) / 8 / features
	cols := make([]frame.Column, features)
	for j, in := range m.Inputs() {
		v := make([]float64, n)
		for i := range v {
			v[i] = math.Float64frombits(binary.LittleEndian.Uint64(raw[8*(i*features+j):]))
		}
		cols[j] = frame.NumberColumn(in.Name, v)
	}
	return m, frame.New(cols...), nil
}

// best is the nanoseconds of the processor that the fastest of some tries took.
func best(times int, work func() error) float64 {
	least := math.Inf(1)
	for range times {
		start := spent()
		if err := work(); err != nil {
			return math.NaN()
		}
		least = min(least, spent()-start)
	}
	return least
}

// spent is the time of the processor that this program has used, in nanoseconds.
func spent() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return math.NaN()
	}
	return float64(u.Utime.Nano() + u.Stime.Nano())
}
