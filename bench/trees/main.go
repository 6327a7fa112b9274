// SPDX-License-Identifier: Apache-2.0

// Command trees scores the same rows with the same models by Flyball and by XGBoost, one
// thread each, in turns in one run, and prints processor nanoseconds a row and the
// ratios, after it has compared all margins bit for bit. Only the ratios travel from one
// machine to another.
//
//	go run ./bench/trees -python .cache/venv/bin/python
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
	"strings"

	"golang.org/x/sys/unix"

	"flyball/data/pipeline"
	"flyball/model/tree"
	"flyball/model/xgboost"
)

// features is how many the rows of peer.py have.
const features = 30

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	turns := flag.Int("turns", 3, "times that each scores; the fastest counts")
	python := flag.String("python", ".cache/venv/bin/python", "a Python with xgboost and numpy")
	script := flag.String("script", "bench/trees/peer.py", "the script that trains and scores with XGBoost")
	models := flag.String("models", "t100d6,t500d6,t100d8,t1000d8", "which: trees and depth")
	flag.Parse()

	dir, err := os.MkdirTemp("", "trees")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	peer := func(args ...string) ([]byte, error) {
		cmd := exec.CommandContext(context.Background(), *python, append([]string{*script}, args...)...)
		cmd.Stderr = os.Stderr
		return cmd.Output()
	}
	names := strings.Split(*models, ",")
	if _, err := peer(append([]string{"train", dir}, names...)...); err != nil {
		return err
	}
	fmt.Println("processor ns a row     rows   flyball  xgboost C  ratio  xgboost Python  ratio")
	for _, name := range names {
		if err := compare(dir, name, *turns, peer); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// times are processor nanoseconds a row, by how many rows are scored at once.
type times map[int]struct{ C, Python float64 }

func compare(dir, name string, turns int, peer func(...string) ([]byte, error)) error {
	e, x, err := load(dir, name)
	if err != nil {
		return err
	}
	ours, theirs := map[int]float64{}, times{}
	var told struct {
		Version string
		Rows    times
	}
	for range turns {
		for _, rows := range []int{1, 64, 1024} {
			ours[rows] = lower(ours[rows], measure(e, x, rows))
		}
		out, err := peer("score", dir, name)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(out, &told); err != nil {
			return err
		}
		for rows, t := range told.Rows {
			t.C, t.Python = lower(theirs[rows].C, t.C), lower(theirs[rows].Python, t.Python)
			theirs[rows] = t
		}
	}
	for _, rows := range []int{1, 64, 1024} {
		t := theirs[rows]
		fmt.Printf("%-8s XGBoost %-6s %5d  %8.0f  %9.0f  %5.1f  %14.0f  %5.1f\n",
			name, told.Version, rows, ours[rows], t.C, t.C/ours[rows], t.Python, t.Python/ours[rows])
	}
	return nil
}

// lower is the lower of two, of which the first may not be there yet.
func lower(have, got float64) float64 {
	if have == 0 {
		return got
	}
	return min(have, got)
}

// load reads a model and its rows, and compares the margins with XGBoost's.
func load(dir, name string) (*tree.Ensemble, pipeline.Matrix, error) {
	var x pipeline.Matrix
	raw, err := os.ReadFile(filepath.Join(dir, name+".json"))
	if err != nil {
		return nil, x, err
	}
	m, err := xgboost.Decode(raw)
	if err != nil {
		return nil, x, err
	}
	data, err := floats(filepath.Join(dir, name+".rows"))
	if err != nil {
		return nil, x, err
	}
	want, err := floats(filepath.Join(dir, name+".margins"))
	if err != nil {
		return nil, x, err
	}
	e, ok := m.(*tree.Ensemble)
	if !ok {
		return nil, x, fmt.Errorf("it is a %T", m)
	}
	x = pipeline.Matrix{Rows: len(data) / features, Cols: features, Data: data}
	var got [1]float32
	for i, w := range want {
		if e.Margins(x.Row(i), got[:]); got[0] != w {
			return nil, x, fmt.Errorf("row %d: the margin is %v, XGBoost says %v", i, got[0], w)
		}
	}
	return e, x, nil
}

func floats(name string) ([]float32, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	out := make([]float32, len(raw)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return out, nil
}

// measure is processor nanoseconds a row, the fastest of many runs of half a second.
func measure(e *tree.Ensemble, x pipeline.Matrix, rows int) float64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out := make([]float64, rows)
	parts := min(64, x.Rows/rows)
	best := math.Inf(1)
	for end, at := processor()+0.5, 0.0; at < end; {
		n := max(1, 256/rows)
		at = processor()
		from := at
		for i := range n {
			p := i % parts
			e.Score(pipeline.Matrix{Rows: rows, Cols: features, Data: x.Data[p*rows*features : (p+1)*rows*features]}, out)
		}
		at = processor()
		best = min(best, (at-from)/float64(n*rows))
	}
	return best * 1e9
}

// processor is what this thread has used of it, in seconds.
func processor() float64 {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return 0
	}
	return float64(t.Nano()) / 1e9
}
