// SPDX-License-Identifier: Apache-2.0

// Package learnertest has twelve real data sets on which the built-in boosting is
// compared with XGBoost and LightGBM: the same numbers, rows and settings for each. A
// Python process reads the sets and trains the other two (sets.py, which names sources
// and licences). It is for tests and bench/training, and judges nothing.
package learnertest

import (
	"bufio"
	"bytes"
	"context"
	_ "embed" // sets.py
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"flyball/data/dataset"
	"flyball/data/pipeline"
	"flyball/training/learner"
)

//go:embed sets.py
var script []byte

// The libraries that Fit knows.
const (
	XGBoost  = "xgboost"
	LightGBM = "lightgbm"
)

// Set is a data set with the settings that each library takes.
type Set struct {
	Name        string
	Missing     string // why the set is not there; else empty
	Rows        int
	Classes     int // 0: the label is a number; 2: it is 0 or 1
	Columns     []string
	Categorical []string // columns whose values are codes of categories
	Splits      int      // ways to choose the quarter of the rows that is tested on

	Trees, Depth int
	Rate         float64
}

// Kind is what the label is.
func (s Set) Kind() dataset.Kind {
	switch s.Classes {
	case 0:
		return dataset.Regression
	case 2:
		return dataset.Binary
	}
	return dataset.Multiclass
}

// Settings are those of builtin/gbdt.
func (s Set) Settings() map[string]any {
	return map[string]any{"trees": s.Trees, "depth": s.Depth, "learning_rate": s.Rate, "categorical": s.Categorical}
}

// Peers is a Python process with the sets and the other libraries. One goroutine uses it.
type Peers struct {
	Sets []Set // those that were asked for, in their order

	dir    string
	stop   context.CancelFunc
	cmd    *exec.Cmd
	ask    io.WriteCloser
	answer *bufio.Reader
}

// Open starts the process with the sets of these names; none: all twelve. python has
// the packages of scripts/requirements/boosting.txt, and root is the folder of the
// sources. Close ends it.
func Open(ctx context.Context, python, root string, names ...string) (*Peers, error) {
	dir, err := os.MkdirTemp("", "sets")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "sets.py")
	if err := os.WriteFile(file, script, 0o600); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	p := &Peers{dir: dir, stop: stop, cmd: exec.CommandContext(ctx, python, append([]string{file, root, dir}, names...)...)}
	p.cmd.Env = append(os.Environ(), "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1")
	p.cmd.Stderr = os.Stderr
	if err := p.start(); err != nil {
		p.Close()
		return nil, fmt.Errorf("%s: %w", python, err)
	}
	return p, nil
}

func (p *Peers) start() error {
	var err error
	if p.ask, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	p.answer = bufio.NewReader(out)
	for {
		line, err := p.answer.ReadBytes('\n')
		if err != nil {
			return fmt.Errorf("it told of no sets: %w", err)
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			return nil
		}
		var s Set
		if err := json.Unmarshal(line, &s); err != nil {
			return err
		}
		p.Sets = append(p.Sets, s)
	}
}

// Close ends the process and removes its files.
func (p *Peers) Close() {
	p.stop()
	if p.cmd.Process != nil {
		_ = p.cmd.Wait() // it was killed
	}
	os.RemoveAll(p.dir)
}

// Data is a split of a set: the rows to train on, and those to test on.
func (p *Peers) Data(s Set, split int) (train, test learner.Data, err error) {
	x, y := make([]float32, s.Rows*len(s.Columns)), make([]float32, s.Rows)
	splits := make([]uint8, s.Rows*s.Splits)
	for ending, to := range map[string]any{".x": x, ".y": y, ".splits": splits} {
		if err := p.read(s.Name+ending, to); err != nil {
			return train, test, err
		}
	}
	cols := len(s.Columns)
	both := [2]learner.Data{}
	for i := range both {
		both[i] = learner.Data{Kind: s.Kind(), Classes: s.Classes, X: pipeline.Matrix{Names: s.Columns, Cols: cols}}
	}
	for i, part := range splits[split*s.Rows:][:s.Rows] {
		d := &both[part]
		d.X.Data = append(d.X.Data, x[i*cols:(i+1)*cols]...)
		d.X.Rows++
		d.Y = append(d.Y, float64(y[i]))
	}
	return both[0], both[1], nil
}

// read reads little-endian numbers.
func (p *Peers) read(name string, to any) error {
	raw, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		return err
	}
	return binary.Read(bytes.NewReader(raw), binary.LittleEndian, to)
}

// Fit has a library train on a split of a set. It returns the processor time of the
// fit, with that of putting the rows into bins, and the scores of the rows to test on:
// one a row, or one a class, row by row.
func (p *Peers) Fit(s Set, split int, library string) (took time.Duration, scores []float64, err error) {
	if _, err := fmt.Fprintln(p.ask, s.Name, split, library); err != nil {
		return 0, nil, err
	}
	line, err := p.answer.ReadString('\n')
	if err != nil {
		return 0, nil, fmt.Errorf("%s on %s: %w", library, s.Name, err)
	}
	seconds, err := strconv.ParseFloat(strings.TrimSpace(line), 64)
	if err != nil {
		return 0, nil, err
	}
	few := make([]float32, s.Rows/4*outputs(s.Classes))
	if err := p.read("scores", few); err != nil {
		return 0, nil, err
	}
	for _, v := range few {
		scores = append(scores, float64(v))
	}
	return time.Duration(seconds * float64(time.Second)), scores, nil
}

func outputs(classes int) int {
	if classes > 2 {
		return classes
	}
	return 1
}

// Quality is the root of the mean squared error of scores where the label is a number,
// and else the area under the curve: the mean over the classes, each against all
// others.
func (s Set) Quality(truth, scores []float64) float64 {
	if s.Classes == 0 {
		sum := 0.0
		for i, y := range truth {
			sum += (y - scores[i]) * (y - scores[i])
		}
		return math.Sqrt(sum / float64(len(truth)))
	}
	if s.Classes == 2 {
		return AUC(truth, scores)
	}
	sum := 0.0
	one, of := make([]float64, len(truth)), make([]float64, len(truth))
	for c := range s.Classes {
		for i, y := range truth {
			of[i], one[i] = scores[i*s.Classes+c], 0
			if int(y) == c {
				one[i] = 1
			}
		}
		sum += AUC(one, of)
	}
	return sum / float64(s.Classes)
}
