// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"flyball/data/pipeline"
	"flyball/fault"
	"flyball/model/tree"
)

// Linear is a model of booster gblinear: a margin is the sum of bias, base score and
// weight times feature, in the order of the features and in float32. A missing value
// adds nothing. It is immutable and safe for concurrent use.
type Linear struct {
	features int
	base     []float32
	weights  []float32 // by feature and output, then the bias by output
	link     tree.Link
}

func (s shape) linear(weights []float32) (*Linear, error) {
	if n := (int64(s.features) + 1) * int64(len(s.base)); int64(len(weights)) != n {
		return nil, fault.New(fault.Invalid, "the XGBoost model has %d weights, %d features with %d outputs need %d", len(weights), s.features, len(s.base), n)
	}
	for o := range s.base {
		s.base[o] = s.base[0] // since 3.1 there is one for each class, and gblinear takes the first
	}
	return &Linear{features: s.features, base: s.base, weights: weights, link: s.link}, nil
}

// Features is how many columns a row must have.
func (l *Linear) Features() int { return l.features }

// Outputs is how many scores a row gets.
func (l *Linear) Outputs() int { return len(l.base) }

// Link is how margins become scores.
func (l *Linear) Link() tree.Link { return l.link }

// Size is how many bytes of memory the model takes.
func (l *Linear) Size() int64 { return 4 * int64(cap(l.base)+cap(l.weights)) }

// Weight is what one unit of a feature adds to the margin of an output.
func (l *Linear) Weight(feature, output int) float32 { return l.weights[feature*len(l.base)+output] }

// Start is the margin of an output where every value is missing: bias and base score.
func (l *Linear) Start(output int) float32 {
	return l.weights[l.features*len(l.base)+output] + l.base[output]
}

// Margins writes the raw margins of row (Features long) into out (Outputs long). It
// does not allocate.
func (l *Linear) Margins(row, out []float32) {
	for o := range out[:len(l.base)] {
		sum := l.Start(o)
		for f, x := range row[:l.features] {
			if x == x {
				// Converted, so that no compiler rounds the product and the sum at once.
				sum += float32(x * l.Weight(f, o))
			}
		}
		out[o] = sum
	}
}

// Score writes Outputs scores a row of x into out, row after row.
func (l *Linear) Score(x pipeline.Matrix, out []float64) {
	k := len(l.base)
	m := make([]float32, k)
	for i := range x.Rows {
		l.Margins(x.Row(i), m)
		row := out[i*k : (i+1)*k]
		for o, v := range m {
			row[o] = float64(v)
		}
		l.link.Apply(row)
	}
}
