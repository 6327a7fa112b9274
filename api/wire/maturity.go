// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"flyball/governance/maturity"
	"flyball/unit"
)

// Maturity is how far the work on a model has come.
type Maturity = maturity.Standing

// Organisation is how far the work on all models has come.
type Organisation = maturity.Organisation

// Delivery is the delivery figures of a model.
type Delivery = maturity.Figures

// Attest says that a check of maturity holds.
type Attest struct {
	Check string        `json:"check" doc:"such as L1.app-tests; only one that may be decided elsewhere"`
	Model string        `json:"model,omitempty" doc:"absent: all models"`
	Why   string        `json:"why" minLength:"1" maxLength:"2000"`
	For   unit.Duration `json:"for,omitempty" doc:"how long it is good; absent: 180d, which is the longest"`
}

// Attestation is what was kept of it.
type Attestation = maturity.Attestation

// ReportTest tells what ran elsewhere.
type ReportTest struct {
	Suite   string `json:"suite" minLength:"1" maxLength:"2000" doc:"unit, integration, build, deploy, or what else it is called"`
	Target  string `json:"target" doc:"app, pipeline or scoring"`
	Status  string `json:"status" doc:"pass or fail"`
	Model   string `json:"model,omitempty" doc:"absent: all models"`
	Version int    `json:"version,omitempty" minimum:"0" doc:"that it ran on; absent: on none"`
	Link    string `json:"link,omitempty" maxLength:"2000" doc:"where its log lies"`
}

// TestReport is what was kept of it.
type TestReport = maturity.Report

// Drill is what came of trying the way back.
type Drill = maturity.Drill
