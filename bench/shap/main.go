// SPDX-License-Identifier: Apache-2.0

// Command shap explains the same rows by the same XGBoost model with Flyball and with
// XGBoost's pred_contribs, one thread each, in turns in one run, and prints processor
// microseconds a row, their ratio, and how far the two are apart. Only the ratio
// travels from one machine to another.
//
//	go run ./bench/shap -python .cache/venv/bin/python
package main

import (
	"bufio"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"flyball/data/pipeline"
	"flyball/model"
	"flyball/model/xgboost"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	rows := flag.Int("rows", 2000, "rows to explain, of 20,000")
	trees := flag.Int("trees", 100, "trees")
	depth := flag.Int("depth", 6, "depth of the trees")
	cols := flag.Int("cols", 20, "columns, at least 9")
	turns := flag.Int("turns", 5, "times that each explains; the fastest counts")
	python := flag.String("python", ".cache/venv/bin/python", "a Python with xgboost and numpy")
	script := flag.String("script", "bench/shap/contribs.py", "the script that asks XGBoost")
	flag.Parse()
	dir, err := os.MkdirTemp("", "shap")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	peer, err := begin(*python, *script, dir, strconv.Itoa(*trees), strconv.Itoa(*depth), strconv.Itoa(*cols))
	if err != nil {
		return err
	}
	defer peer.end()
	file, err := os.ReadFile(filepath.Join(dir, "model.json"))
	if err != nil {
		return err
	}
	e, err := xgboost.Decode(file)
	if err != nil {
		return err
	}
	data, err := floats(filepath.Join(dir, "rows.bin"))
	if err != nil {
		return err
	}
	x := pipeline.Matrix{Rows: *rows, Cols: *cols, Data: data[:*rows**cols]}
	explainer, ok := e.(model.Explainer)
	if !ok {
		return fmt.Errorf("the model cannot be explained")
	}
	runtime.GOMAXPROCS(1)
	one := pipeline.Matrix{Rows: 1, Cols: *cols, Data: x.Data[:*cols]}
	if _, err := explainer.Explain(one); err != nil { // makes the constants
		return err
	}
	ours, single, theirs := math.Inf(1), math.Inf(1), math.Inf(1)
	var got model.Contributions
	for range *turns {
		began := used()
		if got, err = explainer.Explain(x); err != nil {
			return err
		}
		ours = min(ours, used()-began)
		began = used()
		for i := range *rows {
			if _, err := explainer.Explain(pipeline.Matrix{Rows: 1, Cols: *cols, Data: x.Row(i)}); err != nil {
				return err
			}
		}
		single = min(single, used()-began)
		took, err := peer.ask(*rows)
		if err != nil {
			return err
		}
		theirs = min(theirs, took)
	}
	want, err := floats(filepath.Join(dir, "contribs.bin"))
	if err != nil {
		return err
	}
	apart, residual := far(got, want)
	us := 1e6 / float64(*rows)
	fmt.Printf("%d trees of depth %d, %d columns, %d rows, one thread, processor time\n", *trees, *depth, *cols, *rows)
	fmt.Printf("%-28s %10.1f µs/row\n", "xgboost "+peer.version, theirs*us)
	fmt.Printf("%-28s %10.1f µs/row  %5.1f times as fast\n", "flyball, rows together", ours*us, theirs/ours)
	fmt.Printf("%-28s %10.1f µs/row  %5.1f times as fast\n", "flyball, row by row", single*us, theirs/single)
	fmt.Printf("greatest difference %.2g, greatest residual %.2g\n", apart, residual)
	return nil
}

// far is the greatest difference from XGBoost's contributions, and the greatest residual.
func far(got model.Contributions, want []float32) (apart, residual float64) {
	wide := got.Features + 1
	for i, m := range got.Margins {
		sum := 0.0
		for j, v := range got.Values[i*wide : (i+1)*wide] {
			apart = max(apart, math.Abs(v-float64(want[i*wide+j])))
			sum += v
		}
		residual = max(residual, math.Abs(m-sum))
	}
	return apart, residual
}

// used is the processor time of this process, in seconds.
func used() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return math.NaN()
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func floats(path string) ([]float32, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	out := make([]float32, len(raw)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return out, nil
}

// python is the script at work.
type python struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Scanner
	version string
}

func begin(interpreter string, args ...string) (*python, error) {
	p := &python{cmd: exec.Command(interpreter, args...)}
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	if !p.out.Scan() {
		return nil, fmt.Errorf("%s did not begin: %w", interpreter, p.cmd.Wait())
	}
	p.version = p.out.Text()
	return p, nil
}

// ask has it explain the rows; it gives its processor seconds.
func (p *python) ask(rows int) (float64, error) {
	if _, err := fmt.Fprintln(p.in, rows); err != nil {
		return 0, err
	}
	if !p.out.Scan() {
		return 0, fmt.Errorf("xgboost stopped: %w", p.out.Err())
	}
	return strconv.ParseFloat(strings.TrimSpace(p.out.Text()), 64)
}

func (p *python) end() {
	_ = p.in.Close() // it ends by that
	_ = p.cmd.Wait()
}
