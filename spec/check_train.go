// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/training"
	"flyball/training/executor"
)

// command checks what a program of one's own asks for.
func (c *checker) command() {
	t := c.m.Train
	if t.With == training.Command {
		if len(t.Command) == 0 || slices.Contains(t.Command, "") {
			c.add("train.command", "there is none; write the program and its arguments, as in [python, train.py]")
		}
		for i, name := range t.Code {
			if !filepath.IsLocal(name) || strings.Contains(name, `\`) {
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

// executor checks where the training runs, and what it asks for there.
func (c *checker) executor() {
	t := c.m.Train
	here := t.Executor == "" || t.Executor == executor.Local
	if t.Executor != "" {
		c.word("train.executor", "train.executor", t.Executor)
	}
	for _, n := range []struct {
		key  string
		n    int
		most int
	}{{"cpus", t.Limits.CPUs, 4096}, {"gpus", t.Limits.GPUs, 1024}} {
		if n.n < 0 || n.n > n.most {
			c.add("train.limits."+n.key, "it is a whole number up to %d", n.most)
		}
	}
	for _, w := range []struct{ key, text string }{{"image", t.Limits.Image}, {"queue", t.Limits.Queue}} {
		if strings.HasPrefix(w.text, "-") || len(w.text) > 500 || strings.ContainsFunc(w.text, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"'\;,`, r) }) {
			c.add("train.limits."+w.key, "%q is no name of one", w.text)
		}
	}
	for _, k := range []struct {
		key   string
		given bool
	}{{"gpus", t.Limits.GPUs > 0}, {"image", t.Limits.Image != ""}, {"queue", t.Limits.Queue != ""}} {
		if k.given && here {
			c.add("train.limits."+k.key, "this machine hands out none; name the executor of a cluster, such as train.executor: slurm")
		}
	}
	if t.Environment != "" && !here {
		c.add("train.environment", "it is made where the server runs, and %s runs programs elsewhere; bring Python with the nodes or their image", t.Executor)
	}
}

// weights checks the column of row weights.
func (c *checker) weights() {
	t, task := c.m.Train, c.m.Predict
	switch {
	case t.Weight == "":
	case t.Weight == task.Column:
		c.add("train.weight", "%s is what the model predicts; it cannot be the weight of a row", t.Weight)
	case c.known && slices.ContainsFunc(c.inputs, func(f frame.Field) bool { return f.Name == t.Weight && f.Kind != frame.Number }):
		c.add("train.weight", "%s is no number", t.Weight)
	case c.m.Data.Also != "none" && c.known && !c.isInput(t.Weight):
		c.warn("train.weight", "%s is no input, so rows that were served have none and a training with them fails; write data.also: none, or make it an input", t.Weight)
	}
	if t.With == "builtin/last" {
		c.last("train.settings", t.Settings)
	}
}

// last checks what builtin/last asks for, as the model or as the baseline.
func (c *checker) last(at string, settings map[string]any) {
	task := c.m.Predict
	if task.Kind != "" && task.Kind != dataset.Regression {
		c.add(at, "builtin/last repeats a number, and a %s model predicts a class; write builtin/constant", task.Kind)
		return
	}
	name, _ := settings["column"].(string)
	switch {
	case name == "":
		c.add(at, "builtin/last needs a column, whose value it repeats, such as column: sales_last_week")
	case name == task.Column:
		c.add(at, "%s is what the model predicts; name a column with its value of an earlier time", name)
	case slices.Contains(task.Never, name):
		c.add(at, "%s stands under predict.never", name)
	case slices.ContainsFunc(c.inputs, func(f frame.Field) bool { return f.Name == name && f.Kind != frame.Number }):
		c.add(at, "%s is no number, and builtin/last repeats one", name)
	case c.known && !c.isInput(name):
		c.warn(at, "%s is no input; a request without it gets the mean", name)
	}
}

// again checks what is asked of making a version again.
func (c *checker) again() {
	t := c.m.Train
	c.word("train.expect", "train.expect", t.Expect)
	if !(t.Tolerance >= 0) || !finite(t.Tolerance) {
		c.add("train.tolerance", "how far two predictions may lie apart is a number from 0 on")
	}
	if t.Tolerance > 0 && (t.Expect == "R2" || t.Expect == "R3" || t.Expect == "" && t.With != training.Command) {
		c.warn("train.tolerance", "it is for train.expect: R1, and more is expected")
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
