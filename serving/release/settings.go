// SPDX-License-Identifier: Apache-2.0

package release

import "flyball/unit"

// Plan is how a candidate gets traffic: the `release` section of a model file.
type Plan struct {
	Shadow   Shadow        `json:"shadow"`             // zero For: no shadow phase
	Canary   []Step        `json:"canary,omitempty"`   // the last step is 100%
	Bake     Bake          `json:"bake"`               //
	BackIf   BackIf        `json:"back_if,omitzero"`   //
	KeepWarm int           `json:"keep_warm"`          // former versions kept loaded after the bake
	Fallback *Fallback     `json:"fallback,omitempty"` // answers when no version can
	MaxHold  unit.Duration `json:"max_hold,omitempty"` // a pause longer than this is told (default 14d)
	Require  string        `json:"require,omitempty"`  // harm_only (default) or pass
}

// Shadow is the phase in which the candidate answers nobody but scores all.
type Shadow struct {
	For     unit.Duration `json:"for"`
	AtLeast int           `json:"at_least"` // requests scored before it may end
}

// Step is one share of live traffic, held for a time.
type Step struct {
	Share unit.Share    `json:"share"`
	For   unit.Duration `json:"for,omitempty"`
}

// Bake is the phase in which the candidate answers all and the former live version
// stays loaded and scores in its shadow.
type Bake struct {
	For unit.Duration `json:"for"`
}

// BackIf are the findings that take a candidate back, in any phase.
type BackIf struct {
	Errors         *Above `json:"errors,omitempty"`          // share of candidate answers that failed
	LatencyP99     *Above `json:"latency_p99,omitempty"`     // in seconds
	DecisionsShift *Above `json:"decisions_shift,omitempty"` // difference of the shares decided "then"
	Loss           string `json:"loss,omitempty"`            // worse: the sequential test on labels says HARM at the gate's margin
}

// Above is a limit: a share (1%) or a duration (50ms, kept in seconds).
type Above struct {
	Above Limit `json:"above"`
}

// Limit is a number: plain, a share, or a duration in seconds.
type Limit float64

// Fallback is the answer when no version can give one: a value, or the value of a
// column of the request (null there: the baseline answers, then Value).
type Fallback struct {
	Value  *float64 `json:"value,omitempty"`
	Column string   `json:"column,omitempty"`
}

// Forms are a number, a share (1%) or a duration (50ms).
func (l *Limit) Forms() unit.Forms {
	return unit.Forms{Words: []string{"0.1", "1%", "50ms"}, Word: func(text string) error {
		x, err := unit.ParseNumber(text)
		*l = Limit(x)
		return err
	}}
}

// UnmarshalJSON reads any of the Forms; MarshalJSON is that of a number.
func (l *Limit) UnmarshalJSON(text []byte) error { return unit.ReadJSON(text, l.Forms()) }
