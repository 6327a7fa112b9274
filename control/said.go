// SPDX-License-Identifier: Apache-2.0

package control

import (
	"flyball/event"
	"flyball/governance/incident"
	"flyball/loop"
	"flyball/monitoring"
	"flyball/serving/release"
)

// Changed says what a change by hand did.
type Changed struct {
	Text string `json:"text"`
	Job  string `json:"job,omitempty"`
}

// Status is a model as it stands: one row of the loop's table.
type Status struct {
	Model    string               `json:"model"`
	About    string               `json:"about,omitempty"`
	Live     int                  `json:"live"`
	Aliases  map[string]int       `json:"aliases"`
	Phase    string               `json:"phase" doc:"of the loop: steady, training, judging, releasing"`
	Glass    *incident.Incident   `json:"glass,omitempty" doc:"somebody broke the glass, and needs nobody's leave until it ends"`
	Held     string               `json:"held,omitempty"`
	Stand    loop.Stand           `json:"stand" doc:"between a first sign and what is done about it"`
	Cells    []Cell               `json:"cells" doc:"data, training, gate, release, serving, watch, retraining"`
	Owner    string               `json:"owner,omitempty"`
	Backup   string               `json:"backup,omitempty"`
	Release  *release.State       `json:"release,omitempty"`
	Route    *release.Route       `json:"route,omitempty"`
	Findings []monitoring.Finding `json:"findings,omitempty" doc:"open ones"`
}

// Cell is one stage of the loop for one model: a mark, a word and a detail.
type Cell struct {
	Stage  string     `json:"stage"`
	Mark   event.Mark `json:"mark"`
	Word   string     `json:"word"`
	Detail string     `json:"detail,omitempty"`
}

// Reproduced says how equal a version made again came out.
type Reproduced struct {
	Ref      string     `json:"ref"`
	Grade    string     `json:"grade" doc:"R3 bytes equal, R2 golden predictions equal, R1 within tolerance, R0 different"`
	Expected string     `json:"expected" doc:"the grade that the model file asks for"`
	Apart    *float64   `json:"apart,omitempty" doc:"the largest difference of two golden scores; absent: they cannot be compared"`
	Seconds  float64    `json:"seconds"`
	Table    []Compared `json:"table"`
}

// Compared is one input or output of a version, or a field of the machine, recorded and
// made again.
type Compared struct {
	Part     string `json:"part" doc:"input, output or machine"`
	What     string `json:"what"`
	Recorded string `json:"recorded"`
	Again    string `json:"again"`
	Equal    bool   `json:"equal"`
}
