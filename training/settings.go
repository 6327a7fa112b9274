// SPDX-License-Identifier: Apache-2.0

package training

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"flyball/fault"
	"flyball/unit"
)

// Settings say what makes the model: the `train` section of a model file.
type Settings struct {
	With     string         `json:"with,omitempty"`     // builtin/gbdt, builtin/linear, builtin/constant, builtin/last or command
	Settings map[string]any `json:"settings,omitempty"` // of the learner; unknown ones are errors. A command gets them as they are
	Weight   string         `json:"weight,omitempty"`   // column of row weights; empty: every row weighs one
	Seed     uint64         `json:"seed"`               //
	Refit    string         `json:"refit,omitempty"`    // after_gate (default) or never
	Limits   Limits         `json:"limits,omitzero"`    //

	// Of a command: a program with its arguments, the files it consists of (relative to
	// the model file; empty: the arguments that are files beside it), and the file that
	// locks its Python environment (one of them; empty: the interpreter as it is found).
	Command     []string `json:"command,omitempty"`
	Code        []string `json:"code,omitempty"`
	Environment string   `json:"environment,omitempty"`

	// Where it runs: local, slurm, kubernetes or ray, as the server has them. Empty: a
	// command on local or, where there is only one executor, on that; the rest in the
	// server itself.
	Executor string `json:"executor,omitempty"`

	// Search tries settings: Trials of them (default 20), a third of which goes on to
	// three times the trees at each step. Empty: none.
	Search map[string]Range `json:"search,omitempty"`
	Trials int              `json:"trials,omitempty"`

	// Expect is the grade that making a version again must reach: R3 (default of the
	// built-in learners), R2 or R1 (default of a command, within Tolerance).
	Expect    string  `json:"expect,omitempty"`
	Tolerance float64 `json:"tolerance,omitempty"` // of R1: how far predictions may lie apart; default 1e-6
}

// Range is what a search draws a setting from: one of Values, or a number between Low
// and High, uniform or, with Log, uniform in its logarithm; Whole: rounded.
type Range struct {
	Values    []any
	Low, High float64
	Log       bool
	Whole     bool
}

// Forms are a list of values, or log(0.01, 0.3), uniform(0, 1), whole(4, 12).
func (r *Range) Forms() unit.Forms {
	var list []any
	return unit.Forms{
		List: &list, Words: []string{"log(0.01, 0.3)", "uniform(0, 1)", "whole(4, 12)"},
		Word: func(text string) (err error) {
			*r, err = parseRange(text)
			return err
		},
		Done: func(form unit.Form) error {
			if form == unit.AsList {
				*r = Range{Values: append([]any{}, list...)} // an empty list is one
			}
			return nil
		},
	}
}

// UnmarshalJSON reads any of the Forms.
func (r *Range) UnmarshalJSON(text []byte) error { return unit.ReadJSON(text, r.Forms()) }

// MarshalJSON writes what Forms reads.
func (r Range) MarshalJSON() ([]byte, error) {
	if r.Values != nil {
		return json.Marshal(r.Values)
	}
	word := "uniform"
	switch {
	case r.Log:
		word = "log"
	case r.Whole:
		word = "whole"
	}
	return json.Marshal(fmt.Sprintf("%s(%v, %v)", word, r.Low, r.High))
}

// parseRange reads word(low, high).
func parseRange(text string) (Range, error) {
	word, rest, ok := strings.Cut(text, "(")
	low, high, two := strings.Cut(strings.TrimSuffix(rest, ")"), ",")
	r := Range{Log: word == "log", Whole: word == "whole"}
	var errs [2]error
	r.Low, errs[0] = strconv.ParseFloat(strings.TrimSpace(low), 64)
	r.High, errs[1] = strconv.ParseFloat(strings.TrimSpace(high), 64)
	known := r.Log || r.Whole || word == "uniform"
	if !ok || !two || !known || !strings.HasSuffix(text, ")") || errs[0] != nil || errs[1] != nil || !(r.Low < r.High) || math.IsInf(r.High-r.Low, 0) || r.Log && r.Low <= 0 {
		return Range{}, fault.New(fault.Invalid, "%q is not a range of a setting", text).Do("write a list, log(0.01, 0.3), uniform(0, 1) or whole(4, 12)")
	}
	return r, nil
}

// Limits bound one training, and say what it is given. Zero: no limit, and the
// executor's own default.
type Limits struct {
	Time   unit.Duration `json:"time,omitempty"`
	Memory unit.Bytes    `json:"memory,omitempty"`
	CPUs   int           `json:"cpus,omitempty"`

	// Of the executors of clusters alone.
	GPUs  int    `json:"gpus,omitempty"`
	Image string `json:"image,omitempty"` // of the container
	Queue string `json:"queue,omitempty"` // Slurm's partition, or a local queue of Kueue
}
