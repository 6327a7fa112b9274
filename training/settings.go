// SPDX-License-Identifier: Apache-2.0

package training

import "flyball/unit"

// Settings say what makes the model: the `train` section of a model file.
type Settings struct {
	With     string         `json:"with,omitempty"`     // builtin/gbdt, builtin/linear or builtin/constant
	Settings map[string]any `json:"settings,omitempty"` // of the learner; unknown ones are errors
	Seed     uint64         `json:"seed"`               //
	Refit    string         `json:"refit,omitempty"`    // after_gate (default) or never
	Limits   Limits         `json:"limits,omitzero"`    //
}

// Limits bound one training. Zero: no limit.
type Limits struct {
	Time   unit.Duration `json:"time,omitempty"`
	Memory unit.Bytes    `json:"memory,omitempty"`
}
