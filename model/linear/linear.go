// SPDX-License-Identifier: Apache-2.0

package linear

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"flyball/data/dataset"
	"flyball/data/pipeline"
	"flyball/fault"
	"flyball/model"
	"flyball/stat"
)

// Format is the format tag of linear.json; docs/formats/bundle.md describes it.
const Format = "flyball.linear/v1"

// Log is the link of a model of counts: the score is exp of the margin.
const Log = "log"

// Model is linear.json: a margin for each output is its intercept and the sum of
// coefficient times feature. A missing feature counts as its Fill.
type Model struct {
	Format       string       `json:"format"`
	Kind         dataset.Kind `json:"kind"`
	Link         string       `json:"link,omitempty"` // of a regression: Log; empty: the score is the margin
	Fill         []float64    `json:"fill"`           // by feature
	Coefficients [][]float64  `json:"coefficients"`   // by output and feature
	Intercepts   []float64    `json:"intercepts"`     // by output
}

// Encode is the model as a file. Equal models give equal bytes.
func (m Model) Encode() (model.File, error) {
	m.Format = Format
	raw, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return model.File{}, fmt.Errorf("encode linear.json: %w", err)
	}
	return model.File{Name: "linear.json", Bytes: raw}, nil
}

// Decode reads linear.json. The error is an Invalid fault.
func Decode(b []byte) (model.Estimator, error) {
	var m Model
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "this is not a linear model")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fault.New(fault.Invalid, "the linear model goes on after its end")
	}
	outputs := len(m.Coefficients)
	bad := m.Format != Format || outputs == 0 || outputs != len(m.Intercepts)
	switch m.Kind {
	case dataset.Binary, dataset.Regression:
		bad = bad || outputs != 1
	case dataset.Multiclass:
		bad = bad || outputs < 2
	default:
		bad = true
	}
	bad = bad || m.Link != "" && (m.Link != Log || m.Kind != dataset.Regression)
	for _, c := range m.Coefficients {
		bad = bad || len(c) != len(m.Fill)
	}
	if bad {
		return nil, fault.New(fault.Invalid, "the parts of the linear model do not fit together")
	}
	return &m, nil
}

// Features is how many columns a row must have.
func (m *Model) Features() int { return len(m.Fill) }

// Outputs is how many scores a row gets.
func (m *Model) Outputs() int { return len(m.Intercepts) }

// Score writes the scores of the rows: the margin, exp of it, its logistic, or the
// softmax of all margins.
func (m *Model) Score(x pipeline.Matrix, out []float64) {
	k := m.Outputs()
	for i := range x.Rows {
		row := out[i*k : (i+1)*k]
		for o := range row {
			row[o] = m.margin(o, x.Row(i))
		}
		switch m.Kind {
		case dataset.Binary:
			row[0] = stat.Logistic(row[0])
		case dataset.Multiclass:
			stat.Softmax(row)
		}
		if m.Link == Log {
			row[0] = stat.Exp(row[0])
		}
	}
}

func (m *Model) margin(o int, row []float32) float64 {
	sum := m.Intercepts[o]
	for j, c := range m.Coefficients[o] {
		v := float64(row[j])
		if math.IsNaN(v) {
			v = m.Fill[j]
		}
		// The conversion keeps a compiler from rounding the product and the sum at
		// once, as those for arm64 do: the scores would differ from machine to machine.
		sum += float64(c * v)
	}
	return sum
}
