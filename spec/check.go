// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/ident"
	"flyball/unit"
)

// Problem is something that one part of a model file asks of another and does not get.
type Problem struct {
	Path    string // where, such as gate.metrics[1]; empty for the whole
	Text    string // a sentence without a period, which begins with the path
	Warning bool   // allowed, but worth a look
}

// checker gathers the problems of one model.
type checker struct {
	m      Model
	inputs pipeline.Fields
	known  bool // the inputs are known
	out    []Problem
}

// Check says what does not fit together in a model whose defaults are filled in, with
// the pipeline file that it names (nil when it has its steps in place; with a name
// and nil, what depends on the inputs is not checked). Problems come in the order of
// the file; without one that is no warning, the model can be trained. That the four
// duties are there is asked only when a version goes live.
func Check(m Model, p *Pipeline) []Problem {
	c := &checker{m: m, inputs: m.Pipeline.Inputs, known: m.Pipeline.Name == ""}
	steps := m.Pipeline.Steps
	if p != nil {
		c.inputs, steps, c.known = p.Inputs, p.Steps, true
	}
	c.head()
	c.predict()
	c.truth()
	c.data()
	c.pipeline(steps, p)
	c.command()
	c.executor()
	c.weights()
	c.search()
	c.again()
	c.costs()
	c.gate()
	c.release()
	c.watch()
	c.duties()
	return c.out
}

// CheckPipeline says what is wrong with a pipeline file by itself.
func CheckPipeline(p Pipeline) []Problem {
	c := &checker{}
	if err := ident.CheckModel(p.Name); err != nil {
		c.add("name", "%s", sentence(err))
	}
	if err := pipeline.Validate(pipeline.Spec{Inputs: p.Inputs, Steps: p.Steps}); err != nil {
		c.add("steps", "%s", sentence(err))
	}
	return c.out
}

func (c *checker) add(path, format string, args ...any) {
	c.out = append(c.out, Problem{Path: path, Text: path + ": " + fmt.Sprintf(format, args...)})
}

func (c *checker) warn(path, format string, args ...any) {
	c.out = append(c.out, Problem{Path: path, Text: path + ": " + fmt.Sprintf(format, args...), Warning: true})
}

// sentence is the message of an error with its cause and advice, on one line.
func sentence(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// word notes a text that is not one of the words of its key; empty is not one, but
// absent, and for others to note.
func (c *checker) word(path, rule, text string) {
	if words, ok := wordsAt(rule); ok && text != "" {
		if err := unit.OneOf(text, words...); err != nil {
			c.add(path, "%s", sentence(err))
		}
	}
}

func (c *checker) isInput(name string) bool {
	return slices.ContainsFunc(c.inputs, func(f frame.Field) bool { return f.Name == name })
}

func (c *checker) head() {
	if err := ident.CheckModel(c.m.Name); err != nil {
		c.add("name", "%s", sentence(err))
	}
	c.word("risk", "risk", c.m.Risk)
	if c.m.Risk == "high" && c.m.Explain.Keep != "all" {
		c.add("explain.keep", "a model of high risk keeps the reasons of every prediction: say all, not %s", c.m.Explain.Keep)
	}
	if missing := c.m.Card.Human(c.m.About, c.m.Risk, c.m.Duties).Missing(); (c.m.Risk == "medium" || c.m.Risk == "high") && len(missing) > 0 {
		c.add("card", "a model of risk %s says what only people know before it goes on: %s", c.m.Risk, strings.Join(missing, ", "))
	}
	c.word("explain.keep", "explain.keep", c.m.Explain.Keep)
	c.flip(c.m.Explain.Flip)
	c.word("log.when_full", "log.when_full", c.m.Log.WhenFull)
}

func (c *checker) pipeline(steps []pipeline.Step, p *Pipeline) {
	name := c.m.Pipeline.Name
	switch {
	case name == "none":
		return // command says who may
	case name != "" && p != nil && p.Name != name:
		c.add("pipeline", "%q is named, but the pipeline file is %q", name, p.Name)
	case name != "":
		if err := ident.CheckModel(name); err != nil {
			c.add("pipeline", "%s", sentence(err))
		}
	}
	if !c.known {
		return
	}
	if len(c.inputs) == 0 {
		c.add("pipeline", "there are no inputs; name the columns that the model may use, each with its kind")
		return
	}
	if err := pipeline.Validate(pipeline.Spec{Inputs: c.inputs, Steps: steps}); err != nil {
		c.add("pipeline", "%s", sentence(err))
	}
	for _, f := range c.inputs {
		switch f.Name {
		case c.m.Predict.Column:
			c.add("pipeline.inputs", "%s is what the model predicts; it cannot be an input", f.Name)
		case c.m.Predict.Truth.KnownAt:
			c.add("pipeline.inputs", "%s is known only with the truth; it cannot be an input", f.Name)
		}
		if slices.Contains(c.m.Predict.Never, f.Name) {
			c.add("pipeline.inputs", "%s stands under predict.never", f.Name)
		}
	}
}

func (c *checker) duties() {
	d := c.m.Duties
	none := true
	for _, name := range []string{"feed", "monitor", "retrain", "fix"} {
		of := d.Of(name)
		none = none && of.Owner == "" && of.Backup == "" && of.Within == 0 && of.Rota == nil
		if of.Rota != nil {
			if of.Owner != "" {
				c.add("duties."+name, "it has an owner and a rota; name one of them")
			}
			if err := of.Rota.Check(); err != nil {
				c.add("duties."+name+".rota", "%s", sentence(err))
			}
		}
		if of.Owner != "" && of.Owner == of.Backup {
			c.warn("duties."+name, "%s is the owner and the backup", of.Owner)
		}
	}
	if none {
		c.warn("duties", "no version goes live without the four duties; name who feeds, monitors, retrains and fixes")
		return
	}
	if err := d.Check(); err != nil {
		c.warn("duties", "%s", sentence(err))
	}
}

func (c *checker) release() {
	r := c.m.Release
	c.word("release.require", "release.require", r.Require)
	c.word("release.back_if.loss", "release.back_if.loss", r.BackIf.Loss)
	before := 0.0
	for i, s := range r.Canary {
		at, last := fmt.Sprintf("release.canary[%d]", i), i == len(r.Canary)-1
		switch share := float64(s.Share); {
		case share <= before:
			c.add(at, "a step must have more of the traffic than the one before")
		case last && share != 1:
			c.add(at, "the last step must be 100%%, not %s", s.Share)
		case !last && s.For == 0:
			c.add(at, "say how long the step lasts, such as for: 1d")
		}
		before = float64(s.Share)
	}
	if r.KeepWarm < 0 {
		c.add("release.keep_warm", "it cannot be negative")
	}
	if e := r.BackIf.Errors; e != nil && (e.Above < 0 || e.Above >= 1) {
		c.add("release.back_if.errors", "a share of answers lies from 0 to below 1")
	}
	if l := r.BackIf.LatencyP99; l != nil && l.Above <= 0 {
		c.add("release.back_if.latency_p99", "a time is above 0; write it with its unit, such as 50ms")
	}
	if s := r.BackIf.DecisionsShift; s != nil {
		switch {
		case c.m.Predict.Decide == nil:
			c.add("release.back_if.decisions_shift", "there are no decisions; say predict.decide")
		case s.Above <= 0 || s.Above >= 1:
			c.add("release.back_if.decisions_shift", "a shift of shares lies between 0 and 1")
		}
	}
	c.fallback()
}

func (c *checker) fallback() {
	f := c.m.Release.Fallback
	if f == nil {
		return
	}
	if f.Value == nil && f.Column == "" {
		c.add("release.fallback", "give a value or a column")
	}
	if f.Value != nil && c.m.Predict.Kind == "binary" && !(*f.Value >= 0 && *f.Value <= 1) {
		c.add("release.fallback.value", "a probability lies between 0 and 1")
	}
	if f.Column == "" || !c.known {
		return
	}
	switch i := slices.IndexFunc(c.inputs, func(in frame.Field) bool { return in.Name == f.Column }); {
	case i < 0:
		c.add("release.fallback.column", "%s is no input, so a request need not carry it", f.Column)
	case c.inputs[i].Kind != frame.Number:
		c.add("release.fallback.column", "%s is %s, not a number", f.Column, c.inputs[i].Kind)
	}
}

func (c *checker) watch() {
	w, r := c.m.Watch, c.m.Retrain
	if !(w.FalseAlarms > 0) {
		c.add("watch.false_alarms", "without a budget there is no threshold; write such as 1 per month")
	}
	if s := w.Score; s != nil {
		c.metric("watch.score.metric", s.Metric, false)
	}
	for i, when := range r.When {
		at := fmt.Sprintf("retrain.when[%d]", i)
		c.word(at, "retrain.when", when)
		if slices.Contains(r.When[:i], when) {
			c.add(at, "%s stands twice", when)
		}
	}
	c.word("retrain.hold_after", "retrain.hold_after", r.HoldAfter)
	c.word("retrain.release", "retrain.release", r.Release)
	if slices.Contains(r.When, "schedule") && r.Every < r.Wait {
		c.warn("retrain.wait", "a schedule of %s never comes to pass, as a training waits %s after the last", r.Every, r.Wait)
	}
	if slices.Contains(r.When, "score") && w.Score == nil {
		c.add("retrain.when", "score needs watch.score")
	}
}

// finite reports whether the number is one.
func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
