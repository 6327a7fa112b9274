// SPDX-License-Identifier: Apache-2.0

package training

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"math"
	"sync"

	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/model"
)

// Fits remembers what fits of the built-in learners came to, by all that went into them,
// and so makes no fit twice. The zero value is empty. It grows by a model a fit, and may be
// used at once: who asks for a fit that is under way waits for it.
type Fits struct {
	mu   sync.Mutex
	made map[[sha256.Size]byte]*madeOnce
}

// madeOnce is one fit; file has no name before it was made.
type madeOnce struct {
	mu     sync.Mutex
	fitted *pipeline.Fitted
	file   model.File
}

// once is what fit makes of the inputs, made now or before. A fit that failed is made
// again. A nil Fits remembers nothing.
func (f *Fits) once(in inputs, fit func() (*pipeline.Fitted, model.File, error)) (*pipeline.Fitted, model.File, error) {
	if f == nil {
		return fit()
	}
	key, err := in.digest()
	if err != nil {
		return nil, model.File{}, err
	}
	f.mu.Lock()
	if f.made == nil {
		f.made = map[[sha256.Size]byte]*madeOnce{}
	}
	m := f.made[key]
	if m == nil {
		m = &madeOnce{}
		f.made[key] = m
	}
	f.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.file.Name != "" {
		return m.fitted, m.file, nil
	}
	fitted, file, err := fit()
	if err == nil {
		m.fitted, m.file = fitted, file
	}
	return fitted, file, err
}

// inputs are all that a fit depends on. The number of workers is not among it.
type inputs struct {
	kind    string
	classes int
	train   Settings
	steps   pipeline.Spec
	rows    *frame.Frame // in the order in which they are fitted
	y       []float64
	weights []float64
	times   []int64
}

// digest is the same for the same inputs alone.
func (in inputs) digest() (key [sha256.Size]byte, err error) {
	settings, err := json.Marshal([]any{in.kind, in.classes, in.train, in.steps})
	if err != nil {
		return key, fmt.Errorf("encode what is fitted: %w", err)
	}
	d := digester{hash: sha256.New()}
	d.text(string(settings))
	d.numbers(in.y)
	d.numbers(in.weights)
	d.times(in.times)
	for _, f := range in.steps.Inputs {
		if c := in.rows.Column(f.Name); c != nil {
			d.column(c)
		}
	}
	d.flush()
	return [sha256.Size]byte(d.hash.Sum(nil)), nil
}

// digester hashes columns, each after its length.
type digester struct {
	hash hash.Hash
	buf  bytes.Buffer
}

func (d *digester) flush() {
	d.hash.Write(d.buf.Bytes())
	d.buf.Reset()
}

func (d *digester) number(x uint64) {
	var raw [8]byte
	for i := range raw {
		raw[i] = byte(x >> (8 * i))
	}
	d.buf.Write(raw[:])
	if d.buf.Len() > 1<<16 {
		d.flush()
	}
}

func (d *digester) text(s string) {
	d.number(uint64(len(s)))
	d.buf.WriteString(s)
}

func (d *digester) numbers(v []float64) {
	d.number(uint64(len(v)))
	for _, x := range v {
		d.number(math.Float64bits(x))
	}
}

func (d *digester) times(v []int64) {
	d.number(uint64(len(v)))
	for _, t := range v {
		d.number(uint64(t))
	}
}

// column hashes a column by its values: what is missing has a mark that no value has.
func (d *digester) column(c *frame.Column) {
	d.text(c.Name + " " + string(c.Kind))
	switch c.Kind {
	case frame.Number:
		d.numbers(c.Num)
	case frame.Time:
		d.times(c.Time)
	default:
		d.number(uint64(c.Len()))
		for i := range c.Len() {
			if c.Missing(i) {
				d.number(math.MaxUint64)
			} else {
				d.text(c.Format(i))
			}
		}
	}
}
