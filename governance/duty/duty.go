// SPDX-License-Identifier: Apache-2.0

// Package duty names who is responsible for a model: who feeds it data, monitors
// it, retrains it and fixes it, each with a backup and a time limit. It decides
// whose a finding is; it does not send anything.
package duty

import (
	"strings"

	"flyball/fault"
	"flyball/unit"
)

// Duty is one responsibility and the people who carry it.
type Duty struct {
	Owner  string        `json:"owner"`
	Backup string        `json:"backup"`
	Within unit.Duration `json:"within"`         // time to acknowledge before the backup is asked
	Rota   *Rota         `json:"rota,omitempty"` // who is the owner in turns, in the place of a named one
}

// Duties are the four that every live model has.
type Duties struct {
	Feed    Duty `json:"feed,omitzero"`
	Monitor Duty `json:"monitor,omitzero"`
	Retrain Duty `json:"retrain,omitzero"`
	Fix     Duty `json:"fix,omitzero"`
}

// Names are the four duties in their order.
func Names() []string { return []string{"feed", "monitor", "retrain", "fix"} }

// Of is the duty by its name; the zero Duty for an unknown name.
func (d Duties) Of(name string) Duty {
	switch name {
	case "feed":
		return d.Feed
	case "monitor":
		return d.Monitor
	case "retrain":
		return d.Retrain
	case "fix":
		return d.Fix
	}
	return Duty{}
}

// Check says whether a model may go live: each duty has an owner and a backup. The
// error is an Invalid fault that names every hole.
func (d Duties) Check() error {
	var holes []string
	for _, name := range Names() {
		if of := d.Of(name); of.Rota != nil {
			if err := of.Rota.Check(); err != nil {
				holes = append(holes, name+": "+err.Error())
			}
		} else if of.Owner == "" {
			holes = append(holes, name+" has no owner")
		} else if of.Backup == "" {
			holes = append(holes, name+" has no backup")
		}
	}
	if len(holes) == 0 {
		return nil
	}
	return fault.New(fault.Invalid, "no model goes live without its four duties: %s", strings.Join(holes, ", ")).
		Do("name an owner and a backup under duties in the model file")
}
