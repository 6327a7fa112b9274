// SPDX-License-Identifier: Apache-2.0

package constant

import (
	"encoding/binary"
	"encoding/json"
	"math"

	"flyball/data/pipeline"
	"flyball/fault"
	"flyball/model"
)

// Format names the layout of constant.json.
const Format = "flyball.constant/1"

// Group is the scores of the rows whose columns equal Key. A nil part of the key is a
// missing value, which is a value of its own.
type Group struct {
	Key    []*float32 `json:"key"`
	Scores []float64  `json:"scores"`
}

// File is the content of constant.json. Overall has one score an output and answers
// for groups that the fit had not met.
type File struct {
	Format   string    `json:"format"`
	Features int       `json:"features"`
	Overall  []float64 `json:"overall"`
	Groups   []Group   `json:"groups"`
}

// estimator is immutable, so that many goroutines may score with it.
type estimator struct {
	features int
	overall  []float64
	groups   map[string][]float64
}

// Decode reads constant.json. A wrong format, length or repeated key is an Invalid
// fault. Its memory is bounded by a multiple of len(b).
func Decode(b []byte) (model.Estimator, error) {
	var f File
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "the constant model is not readable JSON")
	}
	if f.Format != Format {
		return nil, fault.New(fault.Invalid, "the constant model has format %q", f.Format).Do("write format %q", Format)
	}
	if f.Features < 0 || len(f.Overall) == 0 {
		return nil, fault.New(fault.Invalid, "the constant model has %d features and %d outputs", f.Features, len(f.Overall))
	}
	e := &estimator{features: f.Features, overall: f.Overall, groups: make(map[string][]float64, len(f.Groups))}
	for i, g := range f.Groups {
		if len(g.Key) != f.Features || len(g.Scores) != len(f.Overall) {
			return nil, fault.New(fault.Invalid, "group %d of the constant model has the wrong length", i)
		}
		var k []byte
		for _, v := range g.Key {
			x := float32(math.NaN())
			if v != nil {
				x = *v
			}
			k = appendKey(k, x)
		}
		if _, twice := e.groups[string(k)]; twice {
			return nil, fault.New(fault.Invalid, "group %d of the constant model repeats a key", i)
		}
		e.groups[string(k)] = g.Scores
	}
	return e, nil
}

// appendKey gives every NaN one form, and both zeros one form, so that equal values
// meet in one group.
func appendKey(k []byte, v float32) []byte {
	bits := math.Float32bits(v)
	switch {
	case v != v:
		bits = 0x7fc00000
	case v == 0:
		bits = 0
	}
	return binary.LittleEndian.AppendUint32(k, bits)
}

// Features is how many columns a row must have.
func (e *estimator) Features() int { return e.features }

// Outputs is how many scores a row gets.
func (e *estimator) Outputs() int { return len(e.overall) }

// Score writes the scores of each row's group, or the overall scores.
func (e *estimator) Score(x pipeline.Matrix, out []float64) {
	var room [64]byte
	n := len(e.overall)
	for i := range x.Rows {
		k := room[:0]
		for _, v := range x.Row(i) {
			k = appendKey(k, v)
		}
		s, ok := e.groups[string(k)]
		if !ok {
			s = e.overall
		}
		copy(out[i*n:(i+1)*n], s)
	}
}
