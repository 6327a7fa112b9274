// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"flyball/training"
)

// command checks what a program of one's own asks for.
func (c *checker) command() {
	t := c.m.Train
	if t.With == training.Command {
		if len(t.Command) == 0 || slices.Contains(t.Command, "") {
			c.add("train.command", "there is none; write the program and its arguments, as in [python, train.py]")
		}
		for i, name := range t.Code {
			if !filepath.IsLocal(name) || strings.Contains(name, `\\`) {
				c.add(fmt.Sprintf("train.code[%d]", i), "%q does not lie beside the model file; code is named from there, with /", name)
			}
		}
		if t.Environment != "" && !filepath.IsLocal(t.Environment) {
			c.add("train.environment", "%q does not lie beside the model file", t.Environment)
		}
		return
	}
	for _, k := range []struct {
		key   string
		given bool
	}{{"command", len(t.Command) > 0}, {"code", len(t.Code) > 0}, {"environment", t.Environment != ""}} {
		if k.given {
			c.add("train."+k.key, "it is of a program of your own, and train.with is %s; write with: command", t.With)
		}
	}
	if c.m.Pipeline.Name == "none" {
		c.add("pipeline", "none is for programs of your own; write train.with: command, or name the columns")
	}
}

// maxTrials bounds a search: each trial is a training.
const maxTrials = 1000

// search checks the settings that are searched; whether a learner knows them is the
// learner's to say.
func (c *checker) search() {
	t := c.m.Train
	for _, name := range slices.Sorted(maps.Keys(t.Search)) {
		r := t.Search[name]
		switch {
		case r.Values != nil && len(r.Values) == 0:
			c.add("train.search."+name, "the list is empty")
		case r.Values == nil && r.Low == 0 && r.High == 0:
			c.add("train.search."+name, "it is empty; write a list, log(0.01, 0.3), uniform(0, 1) or whole(4, 12)")
		}
		if _, both := t.Settings[name]; both {
			c.warn("train.search."+name, "train.settings gives it too; that value is tried as one of the trials")
		}
	}
	switch {
	case t.Trials < 0 || t.Trials > maxTrials:
		c.add("train.trials", "a search has from 1 to %d trials", maxTrials)
	case t.Trials > 0 && len(t.Search) == 0:
		c.add("train.trials", "there is nothing to try; give train.search")
	}
}
