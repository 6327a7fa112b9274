// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"fmt"
	"slices"
	"time"

	"flyball/data/dataset"
	"flyball/experiment/gate"
	"flyball/monitoring"
	"flyball/serving/release"
	"flyball/training"
	"flyball/unit"
)

const day = unit.Duration(24 * time.Hour)

// phases are the parts of a release plan in which zero means none, with their
// defaults; Parse starts from them.
func phases() release.Plan {
	return release.Plan{
		Shadow:   release.Shadow{For: 3 * day, AtLeast: 200},
		Bake:     release.Bake{For: 14 * day},
		KeepWarm: 1,
	}
}

// WithDefaults is the model with every default filled in. It does not change m, and
// filling in twice is filling in once.
func (m Model) WithDefaults() Model {
	set(&m.APIVersion, APIVersion)
	set(&m.Kind, KindModel)
	set(&m.Risk, "low")
	set(&m.Predict.Truth.Missing, "count")
	m.Data = dataDefaults(m.Data)
	if len(m.Train.Command) > 0 {
		set(&m.Train.With, training.Command)
	}
	set(&m.Train.With, "builtin/gbdt")
	set(&m.Train.Refit, "after_gate")
	m.Gate = gateDefaults(m.Gate, primary(m.Predict.Kind, m.Train))
	m.Release = releaseDefaults(m.Release)
	set(&m.Watch.Every, day)
	set(&m.Watch.FalseAlarms, 1)
	set(&m.Watch.AtLeast, 200)
	if primary := primary(m.Predict.Kind, m.Train); m.Watch.Score == nil && primary != "" {
		m.Watch.Score = &monitoring.ScorePolicy{Metric: primary}
	}
	if len(m.Retrain.When) == 0 {
		m.Retrain.When = []string{"schedule", "drift", "score"}
	}
	set(&m.Retrain.Every, 28*day)
	set(&m.Retrain.Wait, 14*day)
	set(&m.Retrain.Budget, 4)
	set(&m.Retrain.HoldAfter, "rollback")
	set(&m.Retrain.Release, "better")
	set(&m.Explain.Keep, "all")
	set(&m.Log.WhenFull, "drop")
	return m
}

// set gives to a value where it has none.
func set[T comparable](to *T, v T) {
	var zero T
	if *to == zero {
		*to = v
	}
}

func dataDefaults(d dataset.Settings) dataset.Settings {
	set(&d.Also, "predictions")
	set(&d.Test.Window, 28*day)
	set(&d.Test.AtLeast, 300)
	d.Checks = slices.Clone(d.Checks)
	for i := range d.Checks {
		set(&d.Checks[i].Severity, "stop")
		if d.Checks[i].Row != "" && d.Checks[i].Share == nil {
			d.Checks[i].Share = &dataset.AtLeast{AtLeast: 1}
		}
	}
	return d
}

// primary is the loss by which a kind of model is judged: that of the quantile where it
// predicts one.
func primary(kind dataset.Kind, train training.Settings) string {
	switch kind {
	case dataset.Binary, dataset.Multiclass:
		return "log_loss"
	case dataset.Regression:
		if train.Settings["objective"] == "quantile" {
			level := 0.5
			if v, ok := train.Settings["quantile"].(float64); ok {
				level = v
			}
			return fmt.Sprintf("pinball(%g)", level)
		}
		return "mae"
	}
	return ""
}

func gateDefaults(p gate.Policy, name string) gate.Policy {
	set(&p.Baseline.With, "builtin/constant")
	p.Metrics = slices.Clone(p.Metrics)
	if len(p.Metrics) == 0 && name != "" {
		against := gate.Rule{Name: name, Require: gate.Requirement{Word: "noninferior"}}
		if name == "log_loss" {
			margin := 0.005
			against.Margin = &margin // an error of a number has a unit, so its margin is the owner's to give
		}
		p.Metrics = []gate.Rule{against, {Name: name, Against: "baseline", Require: gate.Requirement{Word: "superior"}}}
	}
	for i := range p.Metrics {
		if p.Metrics[i].Require.Word != "" { // a limit is a limit, whatever is live
			set(&p.Metrics[i].Against, "live")
		}
	}
	return p
}

func releaseDefaults(p release.Plan) release.Plan {
	if p.Shadow == (release.Shadow{}) && p.Bake == (release.Bake{}) && p.KeepWarm == 0 && len(p.Canary) == 0 {
		all := phases() // nothing was said
		p.Shadow, p.Bake, p.KeepWarm = all.Shadow, all.Bake, all.KeepWarm
	}
	if len(p.Canary) == 0 {
		p.Canary = []release.Step{{Share: 0.05, For: day}, {Share: 0.25, For: 2 * day}, {Share: 1}}
	}
	if p.BackIf == (release.BackIf{}) {
		p.BackIf = release.BackIf{Errors: &release.Above{Above: 0.01}, Loss: "worse"}
	}
	set(&p.MaxHold, 14*day)
	set(&p.Require, "harm_only")
	return p
}
