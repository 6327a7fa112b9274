// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"fmt"
	"slices"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/unit"
)

// metric notes a metric that is none, or none for the kind of prediction.
func (c *checker) metric(at, name string, speed bool) {
	kind := c.m.Predict.Kind
	known := evaluation.ForKind(kind)
	for _, m := range evaluation.WithParameter(kind) {
		if !slices.Contains(known, evaluation.Name(m)) {
			known = append(known, m)
		}
	}
	if speed {
		known = append(known, speeds()...)
	}
	if len(known) == 0 || speed && slices.Contains(speeds(), name) {
		return
	}
	switch err := evaluation.Check(name, kind); {
	case name == "cost" && !speed:
		c.add(at, "cost is judged at the gate alone; watch %s", known[0])
	case err == nil && name == "cost" && len(c.m.Predict.Cost) == 0:
		c.add(at, "nothing says what a mistake costs; say it under predict.cost")
	case err == nil:
	case slices.ContainsFunc(known, func(m string) bool { return evaluation.Name(m) == evaluation.Name(name) }):
		c.add(at, "%s", sentence(err)) // it is known, and its parameter is not
	case evaluation.Known(name), slices.Contains(speeds(), name):
		c.add(at, "%s does not measure a %s model; it has %s", name, kind, unit.List(known))
	default:
		if err := unit.OneOf(name, known...); err != nil {
			c.add(at, "%s", sentence(err))
		}
	}
}

// costs notes a table of costs that is not one of the kind's classes. Those of several
// classes are known when there are rows.
func (c *checker) costs() {
	const at = "predict.cost"
	table := c.m.Predict.Cost
	if len(table) > 0 && c.m.Predict.Kind == dataset.Regression {
		c.add(at, "a number has no classes to mistake; leave cost out, or weigh errors by pinball(0.9)")
		return
	}
	for truth, row := range table {
		for said, v := range row {
			if c.m.Predict.Kind == dataset.Binary && (truth != "0" && truth != "1" || said != "0" && said != "1") {
				c.add(at, "the classes of a binary model are 0 and 1: write {1: {0: 5}} for a yes that is taken for a no")
				return
			}
			if !finite(v) {
				c.add(at, "the cost of %s for %s is not a number", said, truth)
				return
			}
		}
	}
}

func (c *checker) gate() {
	g := c.m.Gate
	c.baseline(g.Baseline)
	required := false
	for i, r := range g.Metrics {
		at := fmt.Sprintf("gate.metrics[%d]", i)
		c.rule(at, r)
		required = required || r.Require.Word != "report"
		if slices.ContainsFunc(g.Metrics[:i], func(o gate.Rule) bool {
			return o.Name == r.Name && o.Against == r.Against && o.Require.Word == r.Require.Word && r.Require.Word != ""
		}) {
			c.add(at, "%s stands twice", r.Name)
		}
	}
	if len(g.Metrics) > 0 && !required {
		c.add("gate.metrics", "nothing is required, so nothing would ever pass; require superior, noninferior or a limit of one")
	}
	c.slices("gate.slices", g.Slices)
	c.fairness(g.Fairness)
	for i, t := range g.Tests {
		c.test(fmt.Sprintf("gate.tests[%d]", i), t)
	}
	c.word("gate.reproduce", "gate.reproduce", g.Reproduce)
}

func (c *checker) baseline(b gate.Baseline) {
	const at = "gate.baseline"
	switch b.With {
	case "builtin/constant", "builtin/linear":
	case "builtin/last":
		c.last(at, b.Settings)
	default:
		c.add(at, "%q cannot be a baseline in this version; write builtin/constant, builtin/linear or builtin/last", b.With)
		return
	}
	by, ok := b.Settings["by"]
	if !ok {
		return
	}
	if b.With != "builtin/constant" {
		c.add(at, "by belongs to builtin/constant")
		return
	}
	columns, ok := by.([]any)
	if one, text := by.(string); text {
		columns, ok = []any{one}, true
	}
	if !ok || len(columns) == 0 {
		c.add(at, "by is a list of columns")
		return
	}
	for _, column := range columns {
		name, text := column.(string)
		switch {
		case !text:
			c.add(at, "by is a list of columns, and %v is none", column)
		case name == c.m.Predict.Column:
			c.add(at, "%s is what the model predicts; it cannot group the baseline", name)
		case slices.Contains(c.m.Predict.Never, name):
			c.add(at, "%s stands under predict.never", name)
		case c.known && !c.isInput(name):
			c.warn(at, "%s is no input; a request without it gets no answer from the baseline", name)
		}
	}
}

func (c *checker) rule(at string, r gate.Rule) {
	c.metric(at+".name", r.Name, true)
	c.word(at+".against", "gate.metrics.against", r.Against)
	q := r.Require
	limit := q.AtMost != nil || q.AtLeast != nil || q.Within != nil
	speed := slices.Contains(speeds(), r.Name)
	switch {
	case q.Word == "" && !limit:
		c.add(at, "say what is required: superior, noninferior, report, or a limit")
	case q.Word != "" && q.Word != "superior" && q.Word != "noninferior" && q.Word != "report":
		c.add(at+".require", "%q is not known here; write superior, noninferior, report, or a limit", q.Word)
	case speed && q.AtMost == nil && q.Word != "report":
		c.add(at, "%s takes only a limit, such as {at_most: %s}, or report", r.Name,
			map[string]string{"latency_p99": "20ms", "size": "50MB", "memory": "500MB", "mix": "0.2"}[r.Name])
	case limit && r.Against == "baseline":
		c.add(at, "a limit is not against anything; leave against out")
	case r.Margin != nil && q.Word != "noninferior":
		c.add(at, "margin belongs to noninferior")
	case r.Margin != nil && !(*r.Margin >= 0 && finite(*r.Margin)):
		c.add(at, "a margin is 0 or more")
	case r.Margin == nil && q.Word == "noninferior":
		c.warn(at, "no margin is given, so a candidate must show that it is not worse at all; give one in the unit of %s", r.Name)
	}
}

func (c *checker) fairness(f *gate.Fairness) {
	if f == nil {
		return
	}
	const at = "gate.fairness"
	kinds := map[dataset.Kind][]string{
		dataset.Binary:     {"selection_gap", "selection_ratio", "tpr_gap", "fpr_gap"},
		dataset.Regression: {"mae_gap", "bias_gap"},
	}
	if len(c.m.Predict.Groups) == 0 {
		c.add(at, "there are no groups to compare; name them under predict.groups")
	}
	if known := kinds[c.m.Predict.Kind]; !slices.Contains(known, f.Metric) {
		if len(known) == 0 {
			c.add(at, "groups of a %s model are not compared", c.m.Predict.Kind)
		} else {
			c.add(at+".metric", "%q does not compare groups of a %s model; write %s", f.Metric, c.m.Predict.Kind, unit.List(known))
		}
	}
	ratio := f.Metric == "selection_ratio"
	switch r := f.Require; {
	case r.Word == "" && r.AtMost == nil && r.WidensAtMost == nil && r.AtLeast == nil:
		c.add(at, "say what is required: report, at_most or widens_at_most; of selection_ratio report or at_least")
	case ratio && r.Word == "" && r.AtLeast == nil:
		c.add(at, "a ratio has a least: write at_least, such as 0.8")
	case !ratio && r.AtLeast != nil:
		c.add(at, "a gap has a most: write at_most or widens_at_most")
	case ratio && r.AtLeast != nil && !(*r.AtLeast > 0 && *r.AtLeast <= 1):
		c.add(at, "at_least of a ratio is above 0 and at most 1")
	}
}
