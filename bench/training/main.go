// SPDX-License-Identifier: Apache-2.0

// Command training trains the same rows with the built-in boosting and with XGBoost's
// hist, one thread each, in turns in one run, and prints processor seconds, AUC on rows
// that neither saw, and the ratios. It also scores those rows with both. Only the
// ratios travel from one machine to another.
//
//	go run ./bench/training -python .cache/venv/bin/python
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
	"slices"
	"syscall"
	"time"

	"flyball/data/dataset"
	"flyball/data/pipeline"
	"flyball/training/learner"
)

// work is what both do.
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
	rows := flag.Int("rows", 100_000, "rows to train on")
	trees := flag.Int("trees", 200, "trees")
	depth := flag.Int("depth", 6, "depth of the trees")
	turns := flag.Int("turns", 3, "times that each trains; the fastest counts")
	python := flag.String("python", ".cache/venv/bin/python", "a Python with xgboost and numpy")
	script := flag.String("script", "bench/training/hist.py", "the script that trains with XGBoost")
	flag.Parse()

	dir, err := os.MkdirTemp("", "boosting")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	w := work{train: made(1, *rows), test: made(2, *rows/2), trees: *trees, depth: *depth, python: *python, script: *script, dir: dir}
	if err := w.write(); err != nil {
		return err
	}
	best := map[string]result{}
	for range *turns {
		for name, do := range map[string]func() (result, error){"flyball": w.flyball, "xgboost": w.xgboost} {
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
	report(os.Stdout, best["flyball"], best["xgboost"])
	return nil
}

func report(out io.Writer, f, x result) {
	fmt.Fprintf(out, "%-9s %9s %9s %13s %13s\n", "", "fit, s", "AUC", "batch, µs/row", "one row, µs")
	for _, l := range []struct {
		name string
		r    result
	}{{"flyball", f}, {"xgboost", x}} {
		fmt.Fprintf(out, "%-9s %9.2f %9.5f %13.2f %13.2f\n", l.name, l.r.Fit, l.r.AUC, l.r.Batch*1e6, l.r.Row*1e6)
	}
	fmt.Fprintf(out, "%-9s %9.2f %+9.5f %13.2f %13.3f\n", "ratio", f.Fit/x.Fit, f.AUC-x.AUC, f.Batch/x.Batch, f.Row/x.Row)
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
	r.AUC = auc(w.test.Y, scores)
	return r, nil
}

func (w work) xgboost() (result, error) {
	c := exec.Command(w.python, w.script, w.dir, fmt.Sprint(w.train.X.Cols), fmt.Sprint(w.trees), fmt.Sprint(w.depth))
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
	r.AUC = auc(w.test.Y, wide)
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

// auc is the share of pairs of unlike labels in which the score of the 1 is higher;
// equal scores count half.
func auc(truth, scores []float64) float64 {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case scores[a] < scores[b]:
			return -1
		case scores[a] > scores[b]:
			return 1
		}
		return 0
	})
	var pairs, below, ones float64
	for i := 0; i < len(order); {
		j, pos, neg := i, 0.0, 0.0
		for ; j < len(order) && scores[order[j]] == scores[order[i]]; j++ {
			pos += truth[order[j]]
			neg += 1 - truth[order[j]]
		}
		pairs += pos * (below + neg/2)
		below, ones = below+neg, ones+pos
		i = j
	}
	return pairs / (below * ones)
}
