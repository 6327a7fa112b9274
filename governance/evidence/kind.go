// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"fmt"

	"flyball/governance/card"
	"flyball/unit"
)

// kind is a kind of record.
type kind int

const (
	intended kind = iota
	outOfScope
	affected
	limits
	risk
	owner
	version
	data
	provenance
	environment
	performance
	parted
	groups
	tests
	reproduced
	releases
	monitors
	findings
	predictions
	reasons
	truths
	chain
	duties
)

// line says whether a kind of record is held, and what it is or what would give it.
func (f Facts) line(k kind) Line {
	if l, ok := f.ofModel(k); ok {
		return l
	}
	if f.Card == nil {
		return Line{What: named(k), Text: "the model has no version: flyball train " + f.Model}
	}
	if l, ok := f.said(k); ok {
		return l
	}
	return f.ofVersion(k, f.Card)
}

// yes or no: held with what it is, or missing with what would give it.
func when(held bool, what, is, otherwise string) Line {
	if held {
		return Line{true, what, is}
	}
	return Line{false, what, otherwise}
}

func (f Facts) ofModel(k kind) (Line, bool) {
	what := named(k)
	switch k {
	case monitors:
		return when(f.Monitored, what, "what arrives is compared with the data of training, and scores with truths: flyball drift, flyball score", "apply a model file, so that it is watched"), true
	case findings:
		return when(f.Monitored, what, fmt.Sprintf("%s of its monitors: flyball alerts %s", unit.Count(f.Findings), f.Model), "apply a model file, so that it is watched"), true
	case predictions:
		return when(!f.Predicted.IsZero(), what, fmt.Sprintf("the newest of %s: flyball predictions %s", card.Moment(f.Predicted), f.Model), "none was asked for"), true
	case reasons:
		return when(f.Reasoned, what, "kept with the predictions: flyball explain, flyball dossier", "the newest prediction has none; write explain: {keep: all} in the model file"), true
	case truths:
		return when(!f.Labelled.IsZero(), what, fmt.Sprintf("the newest prediction with one is of %s", card.Moment(f.Labelled)), "no truth was told: flyball label "+f.Model), true
	case chain:
		return when(f.Records > 0, what, fmt.Sprintf("%s records of the model in a hash chain: flyball audit", unit.Count(f.Records)), "nothing was changed through Flyball"), true
	case duties:
		err := f.Duties.Check()
		return when(err == nil, what, fmt.Sprintf("feed %s, monitor %s, retrain %s, fix %s, each with a backup", f.Duties.Feed.Owner, f.Duties.Monitor.Owner, f.Duties.Retrain.Owner, f.Duties.Fix.Owner), "name an owner and a backup of all four under duties in the model file"), true
	}
	return Line{}, false
}

// said are the fields that only people know.
func (f Facts) said(k kind) (Line, bool) {
	h, what := f.Card.Human, named(k)
	write := func(text, key string) (Line, bool) {
		return when(text != "", what, text, "write "+key+" in the model file"), true
	}
	switch k {
	case intended:
		return write(h.IntendedUse, "card.intended_use")
	case outOfScope:
		return write(h.OutOfScope, "card.out_of_scope")
	case affected:
		return write(h.Affected, "card.affected")
	case limits:
		return write(h.Limits, "card.limits")
	case risk:
		return write(h.Risk, "risk")
	case owner:
		return write(h.Owner, "card.owner")
	}
	return Line{}, false
}

func (f Facts) ofVersion(k kind, c *card.Card) Line {
	what := named(k)
	judge := "flyball gate " + c.Ref
	switch k {
	case version:
		return when(c.Bundle != "", what, fmt.Sprintf("%s, bundle sha256:%s", c.Ref, c.Bundle), "the version has no bundle: "+judge)
	case data:
		return when(c.Data.Snapshot != "", what, fmt.Sprintf("snapshot sha256:%s, and %s in all of the model: flyball data", c.Data.Snapshot, unit.Count(f.Snapshots)), "the version was made from no snapshot")
	case provenance:
		text := fmt.Sprintf("record.json sha256:%s names %s things that went in", c.Record, unit.Count(len(c.Origin.Ingredients)))
		if c.Origin.Commit != "" {
			text += ", and commit " + c.Origin.Commit
		}
		return when(c.Record != "", what, text, "the version has no record.json")
	case environment:
		return when(c.Origin.Machine != "", what, fmt.Sprintf("%s; %s %s %s", c.Origin.Machine, c.Origin.Flyball, c.Origin.Go, c.Origin.Python), "record.json does not say where it was trained")
	case performance:
		return when(c.Verdict != "", what, fmt.Sprintf("verdict %s on %s rows: %s", c.Verdict, unit.Count(c.Rows), judge), judge)
	case parted:
		return when(len(parts(c)) > 0, what, fmt.Sprintf("%s figures: flyball card %s", unit.Count(len(parts(c))), c.Ref), "name slices under gate in the model file")
	case groups:
		return when(f.Groups, what, "flyball groups "+c.Ref, "name columns under predict.groups or predict.audit in the model file")
	case tests:
		return when(len(c.Tests) > 0, what, fmt.Sprintf("%s tests of the model: %s", unit.Count(len(c.Tests)), judge), "write gate.tests in the model file")
	case reproduced:
		text := "flyball reproduce " + c.Ref
		if len(c.Remade) > 0 {
			return Line{true, what, fmt.Sprintf("%s on %s: %s", c.Remade[0].Grade, card.Moment(c.Remade[0].At), text)}
		}
		return Line{false, what, text}
	case releases:
		return when(len(c.Steps) > 0, what, fmt.Sprintf("%s steps of its releases, each with its reason: flyball releases %s", unit.Count(len(c.Steps)), c.Model), "it was never released")
	}
	return Line{What: what, Text: "not recorded"}
}

// parts are the figures by slice.
func parts(c *card.Card) (out []string) {
	for _, e := range c.Estimates {
		if e.Slice != "" && e.Role == "candidate" {
			out = append(out, e.Slice)
		}
	}
	return out
}

func named(k kind) string {
	return [...]string{
		"Intended use", "What it is not for", "Who is affected", "Known limits", "Risk tier", "Owner", "The version", "The data it was made from",
		"How it was made, and from what", "Where it was made", "How good it is, with intervals", "How good it is for parts of the rows", "What it does for groups",
		"Tests of its behaviour", "That it can be made again", "Every release, and who decided it", "Monitoring", "What monitoring found", "Every prediction",
		"Why a prediction was what it was", "What became true", "Who changed what", "Who is responsible",
	}[k]
}
