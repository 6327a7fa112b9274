// SPDX-License-Identifier: Apache-2.0

// Command training trains the same rows with the built-in boosting, with XGBoost's hist
// and with LightGBM, one thread each, in turns in one run. First rows that it makes: it
// prints processor seconds, AUC on rows that none saw, and the ratios, and scores those
// rows too. Then twelve real data sets, each with its quality and seconds. Only the
// ratios travel from one machine to another.
//
//	go run ./bench/training -python .cache/boosting/bin/python
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"flyball/data/dataset"
	"flyball/data/pipeline"
	"flyball/training/learner"
	"flyball/training/learner/learnertest"
)

// work is what all do.
type work struct {
	train, test learner.Data
	trees       int
	depth       int
	python      string
	script      string
	dir         string
}

// result is one run of one of them, in seconds of the processor.
type result struct {
	Fit, Batch, Row, AUC float64
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	rows := flag.Int("rows", 100_000, "rows to make and train on; 0: none are made")
	trees := flag.Int("trees", 200, "trees, of the rows that are made")
	depth := flag.Int("depth", 6, "depth of the trees, of the rows that are made")
	turns := flag.Int("turns", 3, "times that each trains; of made rows the fastest counts, of real ones the middle")
	splits := flag.Int("splits", 40, "splits of a real data set, at most; 0: no real data")
	only := flag.String("sets", "", "names of real data sets, apart by commas; empty: all twelve")
	python := flag.String("python", ".cache/boosting/bin/python", "a Python with the packages of scripts/requirements/boosting.txt")
	script := flag.String("script", "bench/training/peer.py", "the script that trains with XGBoost and LightGBM")
	flag.Parse()

	if *rows > 0 {
		dir, err := os.MkdirTemp("", "boosting")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		w := work{train: made(1, *rows), test: made(2, *rows/2), trees: *trees, depth: *depth, python: *python, script: *script, dir: dir}
		if err := w.run(*turns); err != nil {
			return err
		}
	}
	if *splits == 0 {
		return nil
	}
	return sets(os.Stdout, *python, *only, *turns, *splits)
}

// names are those that train, in the order of the tables.
var names = []string{"flyball", learnertest.XGBoost, learnertest.LightGBM}

// run trains the rows that were made.
func (w work) run(turns int) error {
	if err := w.write(); err != nil {
		return err
	}
	best := map[string]result{}
	for turn := range turns {
		for i := range names {
			name := names[(turn+i)%len(names)]
			do := func() (result, error) { return w.peer(name) }
			if name == names[0] {
				do = w.flyball
			}
			r, err := do()
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if b, ok := best[name]; ok {
				r = result{min(r.Fit, b.Fit), min(r.Batch, b.Batch), min(r.Row, b.Row), r.AUC}
			}
			best[name] = r
		}
	}
	report(os.Stdout, best)
	return nil
}

func report(out io.Writer, best map[string]result) {
	fmt.Fprintf(out, "%-12s %9s %9s %13s %13s\n", "", "fit, s", "AUC", "batch, µs/row", "one row, µs")
	f := best[names[0]]
	for _, name := range names {
		r := best[name]
		fmt.Fprintf(out, "%-12s %9.2f %9.5f %13.2f %13.2f\n", name, r.Fit, r.AUC, r.Batch*1e6, r.Row*1e6)
		if name != names[0] {
			fmt.Fprintf(out, "%-12s %9.2f %+9.5f %13.2f %13.3f\n", "  ours to it", f.Fit/r.Fit, f.AUC-r.AUC, f.Batch/r.Batch, f.Row/r.Row)
		}
	}
}

// made is 20 columns: codes, log-normal and normal values, 3 % of them missing, and a
// noisy label that depends on nine of them.
func made(seed uint64, rows int) learner.Data {
	const cols = 20
	r := rand.New(rand.NewPCG(seed, 20))
	d := learner.Data{Kind: dataset.Binary, X: pipeline.Matrix{Rows: rows, Cols: cols, Data: make([]float32, rows*cols)}, Y: make([]float64, rows)}
	for j := range cols {
		d.X.Names = append(d.X.Names, fmt.Sprint("f", j))
	}
	for i := range rows {
		row := d.X.Row(i)
		for j := range row {
			switch {
			case j < 4:
				row[j] = float32(r.IntN(4 + 6*j))
			case j < 7:
				row[j] = float32(math.Exp(r.NormFloat64()))
			default:
				row[j] = float32(r.NormFloat64())
			}
		}
		z := math.Sin(2*float64(row[7])) + 0.8*float64(row[8]*row[9]) + 0.6*math.Log(float64(row[4])) - 0.5*math.Abs(float64(row[10])) +
			0.3*float64(row[11]) + 0.2*float64(int(row[1])%3) - 0.4*float64(int(row[2])%2)
		if 1/(1+math.Exp(-z)) > r.Float64() {
			d.Y[i] = 1
		}
		for j := range row {
			if r.IntN(100) < 3 {
				row[j] = float32(math.NaN())
			}
		}
	}
	return d
}

// write gives the rows to the Python script as little-endian float32.
func (w work) write() error {
	for name, d := range map[string]learner.Data{"train": w.train, "test": w.test} {
		y := make([]float32, len(d.Y))
		for i, v := range d.Y {
			y[i] = float32(v)
		}
		for ending, v := range map[string][]float32{".x": d.X.Data, ".y": y} {
			var b bytes.Buffer
			if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(w.dir, name+ending), b.Bytes(), 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w work) flyball() (result, error) {
	l, err := learner.New("builtin/gbdt", map[string]any{"trees": w.trees, "depth": w.depth})
	if err != nil {
		return result{}, err
	}
	var r result
	start := processor()
	f, err := l.Fit(context.Background(), w.train, learner.Options{Seed: 1, Workers: 1})
	if err != nil {
		return result{}, err
	}
	r.Fit = (processor() - start).Seconds()
	e, err := learner.Decoders().Estimators[f.Name](f.Bytes)
	if err != nil {
		return result{}, err
	}
	scores := make([]float64, w.test.X.Rows)
	start = processor()
	e.Score(w.test.X, scores)
	r.Batch = (processor() - start).Seconds() / float64(len(scores))
	n := min(2000, w.test.X.Rows)
	begun := time.Now()
	for i := range n {
		e.Score(pipeline.Matrix{Names: w.test.X.Names, Rows: 1, Cols: w.test.X.Cols, Data: w.test.X.Row(i)}, scores[i:i+1])
	}
	r.Row = time.Since(begun).Seconds() / float64(n)
	r.AUC = learnertest.AUC(w.test.Y, scores)
	return r, nil
}

func (w work) peer(library string) (result, error) {
	c := exec.Command(w.python, w.script, library, w.dir, fmt.Sprint(w.train.X.Cols), fmt.Sprint(w.trees), fmt.Sprint(w.depth))
	c.Env = append(os.Environ(), "OMP_NUM_THREADS=1")
	c.Stderr = os.Stderr
	said, err := c.Output()
	if err != nil {
		return result{}, err
	}
	var r result
	if err := json.Unmarshal(said, &r); err != nil {
		return result{}, err
	}
	raw, err := os.ReadFile(filepath.Join(w.dir, "scores"))
	if err != nil {
		return result{}, err
	}
	scores := make([]float32, len(w.test.Y))
	if err := binary.Read(bytes.NewReader(raw), binary.LittleEndian, scores); err != nil {
		return result{}, err
	}
	wide := make([]float64, len(scores))
	for i, s := range scores {
		wide[i] = float64(s)
	}
	r.AUC = learnertest.AUC(w.test.Y, wide)
	return r, nil
}

// processor is the processor time that this process has used.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
