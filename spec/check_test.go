// SPDX-License-Identifier: Apache-2.0

package spec_test

import (
	"slices"
	"strings"
	"testing"

	"flyball/spec"
)

func check(t *testing.T, file string) (wrong, warnings []string) {
	t.Helper()
	f, err := spec.Parse("m.yaml", []byte(file))
	if err != nil {
		t.Fatalf("%v in\n%s", err, file)
	}
	for _, problem := range spec.Check(f.Model.WithDefaults(), nil) {
		if problem.Warning {
			warnings = append(warnings, problem.Text)
		} else {
			wrong = append(wrong, problem.Text)
		}
	}
	return wrong, warnings
}

func TestTheExamplesHaveNoProblem(t *testing.T) {
	for _, c := range []struct {
		name string
		p    *spec.Pipeline
	}{{"bike-demand.yaml", nil}, {"hotel-cancel.yaml", parse(t, "hotel-features.yaml").Pipeline}} {
		if got := spec.Check(parse(t, c.name).Model.WithDefaults(), c.p); len(got) != 0 {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
	if got := spec.CheckPipeline(*parse(t, "hotel-features.yaml").Pipeline); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

// whole is a file without problems; each case below adds one thing or changes one.
const whole = `apiVersion: flyball/v1
kind: Model
name: m
predict: {column: y, kind: binary, time: at, truth: {within: 30d}}
data: {source: a.csv}
pipeline: {inputs: {a: number, b: number}}
duties:
  feed: {owner: a, backup: b, within: 1h}
  monitor: {owner: a, backup: b, within: 1h}
  retrain: {owner: a, backup: b, within: 1h}
  fix: {owner: a, backup: b, within: 1h}
`

func TestAModelOfHighRiskKeepsTheReasonsOfEveryPrediction(t *testing.T) {
	const want = "explain.keep: a model of high risk keeps the reasons of every prediction: say all, not flagged"
	for risk, told := range map[string]bool{"high": true, "medium": false, "low": false} {
		wrong, _ := check(t, whole+"risk: "+risk+"\nexplain: {keep: flagged}\n")
		if got := slices.Contains(wrong, want); got != told {
			t.Errorf("%s: got %v", risk, wrong)
		}
	}
}

func TestARatioOfGroupsMayBeAskedFor(t *testing.T) {
	file := strings.Replace(whole, "truth:", "groups: [a], truth:", 1)
	for _, require := range []string{"report", "{at_least: 0.8}"} {
		if wrong, _ := check(t, file+"gate: {fairness: {metric: selection_ratio, require: "+require+"}}\n"); len(wrong) > 0 {
			t.Errorf("%s: %v", require, wrong)
		}
	}
}

func TestWhatDoesNotFitTogetherIsTold(t *testing.T) {
	if wrong, warnings := check(t, whole); len(wrong)+len(warnings) > 0 {
		t.Fatalf("the file without problems has %v, %v", wrong, warnings)
	}
	swap := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(whole) }
	regression := swap("binary", "regression")
	for _, c := range []struct{ name, file, want string }{
		{"a name that the registry refuses", swap("name: m", "name: My Model"), `name: "My Model" cannot name a model; use 1 to 63 of a-z, 0-9 and -, with a letter first`},
		{"the label as input", swap("{a:", "{y: number, a:"), "pipeline.inputs: y is what the model predicts; it cannot be an input"},
		{"a column that must never be one", swap("{within: 30d}", "{within: 30d}, never: [b]"), "pipeline.inputs: b stands under predict.never"},
		{"what is known only with the truth", swap("{within: 30d}", "{within: 30d, known_at: b}"), "pipeline.inputs: b is known only with the truth; it cannot be an input"},
		{"a wait without a time", swap("time: at, ", ""), "predict.truth.within: it counts from predict.time, which is not given"},
		{
			"a truth that comes later and is never due", swap("{within: 30d}", "{known_at: came}"),
			"predict.truth.known_at: the truth comes later than the row: say by when it is due, with due_at or within",
		},
		{
			"a truth that is due when it comes", swap("{within: 30d}", "{due_at: came, known_at: came}"),
			"predict.truth.known_at: came cannot say both when the truth was due and when it came",
		},
		{"two due dates", swap("{within: 30d}", "{within: 30d, due_at: due}"), "predict.truth: due_at and within both say when the truth is due; give one"},
		{
			"a no for a number", swap("binary", "regression", "{within: 30d}", "{within: 30d, missing: negative}") + "gate: {metrics: [{name: mae, require: superior}]}\n",
			"predict.truth.missing: only a binary model can take a missing label as a no",
		},
		{
			"a decision on a number", swap("binary", "regression", "{within: 30d}", "{within: 30d}, decide: {above: 0.5, then: x, else: y}") + "gate: {metrics: [{name: mae, require: superior}]}\n",
			"predict.decide: only a binary model decides",
		},
		{"one word for both decisions", swap("{within: 30d}", "{within: 30d}, decide: {above: 0.5, then: x, else: x}"), "predict.decide: give two different words, then and else"},
		{"blocks of one outcome", swap("{within: 30d}", "{within: 30d}, block: [y]"), "predict.block: y is what the model predicts; rows of one outcome are not one draw"},
		{
			"labels that hang on decisions that there are not", swap("{within: 30d}", "{within: 30d}, label_depends_on_decision: true"),
			"predict.label_depends_on_decision: only a binary model with predict.decide decides",
		},
		{
			"labels that hang on decisions without a cost", swap("{within: 30d}", "{within: 30d}, decide: {above: 0.5, then: x, else: y}, label_depends_on_decision: true"),
			"predict.label_depends_on_decision: what comes of a decision is compared by what it costs; say predict.cost, where a gain is a cost below 0",
		},
		{
			"labels that hang on decisions, and no share for the candidate",
			swap("{within: 30d}", "{within: 30d}, decide: {above: 0.5, then: x, else: y}, cost: {1: {0: 5}, 0: {1: 1}}, label_depends_on_decision: true") + "release: {canary: [{share: 100%}]}\n",
			"predict.label_depends_on_decision: candidate and live version are compared by what comes of their own decisions; give the candidate a share in release.canary, such as {share: 25%, for: 7d}",
		},
		{"groups of the rows kept apart", swap("{within: 30d}", "{within: 30d}, groups: [g], audit: [g]"), "predict.audit[0]: g is among predict.groups, whose values come with the rows; name it in one of them"},
		{"a group kept apart twice", swap("{within: 30d}", "{within: 30d}, audit: [g, {column: g, bins: [1]}]"), "predict.audit[1]: g stands twice"},
		{"the time kept apart", swap("{within: 30d}", "{within: 30d}, audit: [at]"), "predict.audit[0]: at is a column of the rows that predict needs"},
		{"groups of a number kept apart", swap("binary", "regression", "{within: 30d}", "{within: 30d}, audit: [g]") + "gate: {metrics: [{name: mae, require: superior}]}\n", "predict.audit: only of a binary model is told what it does for groups; what nobody looks at is better not kept"},
		{"falling bins", swap("{within: 30d}", "{within: 30d}, groups: [{column: a, bins: [3, 2]}]"), "predict.groups[0]: bins must rise"},
		{"a web page", swap("a.csv", "https://x/y.csv"), "data.source: https:// cannot be read; name files, s3://bucket/key or postgres://host/database"},
		{"a database without a query", swap("a.csv", "postgres://x/y"), "data.query: say which rows of the database, such as SELECT … FROM … ORDER BY …"},
		{"a query of a file", swap("a.csv", "a.csv, query: SELECT 1"), "data.query: it belongs to a source that is postgres://host/database"},
		{
			"a password", swap("a.csv", `"postgres://u:p@x/y", query: "SELECT 1 ORDER BY 1"`),
			"data.source: a password does not belong into a model file; whoever starts the server gives it in the environment",
		},
		{"a delimiter of two", swap("a.csv", `a.csv, csv: {delimiter: "::"}`), `data.csv: "::" is not a delimiter; write one character, such as ; or |, or tab`},
		{"a zone of nowhere", swap("a.csv", `a.csv, csv: {zone: Europe/Atlantis}`), `data.csv: "Europe/Atlantis" is not a time zone; write a name such as Europe/Berlin`},
		{"a GPU of this machine", swap("{source: a.csv}", "{source: a.csv}\ntrain: {limits: {gpus: 1}}"), "train.limits.gpus: this machine hands out none; name the executor of a cluster, such as train.executor: slurm"},
		{"a queue of this machine", swap("{source: a.csv}", "{source: a.csv}\ntrain: {executor: local, limits: {queue: long}}"), "train.limits.queue: this machine hands out none; name the executor of a cluster, such as train.executor: slurm"},
		{"more processors than there are", swap("{source: a.csv}", "{source: a.csv}\ntrain: {limits: {cpus: 5000}}"), "train.limits.cpus: it is a whole number up to 4096"},
		{"a queue that is an option", swap("{source: a.csv}", "{source: a.csv}\ntrain: {executor: slurm, limits: {queue: --uid=0}}"), `train.limits.queue: "--uid=0" is no name of one`},
		{"a Python environment on a cluster", swap("{source: a.csv}", "{source: a.csv}\ntrain: {with: command, command: [python], executor: slurm, environment: requirements.txt}"), "train.environment: it is made where the server runs, and slurm runs programs elsewhere; bring Python with the nodes or their image"},
		{"a command that is none", swap("{source: a.csv}", "{source: a.csv}\ntrain: {with: command}"), "train.command: there is none; write the program and its arguments, as in [python, train.py]"},
		{
			"code from elsewhere", swap("{source: a.csv}", "{source: a.csv}\ntrain: {with: command, command: [sh, a.sh], code: [../a.sh]}"),
			`train.code[0]: "../a.sh" does not lie beside the model file; code is named from there, with /`,
		},
		{
			"code by another system's path", swap("{source: a.csv}", "{source: a.csv}\ntrain: {with: command, command: [sh, a.sh], code: ['b\\a.sh']}"),
			`train.code[0]: "b\\a.sh" does not lie beside the model file; code is named from there, with /`,
		},
		{
			"code of a built-in trainer", swap("{source: a.csv}", "{source: a.csv}\ntrain: {code: [a.py]}"),
			"train.code: it is of a program of your own, and train.with is builtin/gbdt; write with: command",
		},
		{"a tolerance below nothing", swap("{source: a.csv}", "{source: a.csv}\ntrain: {expect: R1, tolerance: -1}"), "train.tolerance: how far two predictions may lie apart is a number from 0 on"},
		{"a search of nothing", swap("{source: a.csv}", "{source: a.csv}\ntrain: {trials: 5}"), "train.trials: there is nothing to try; give train.search"},
		{"too many trials", swap("{source: a.csv}", "{source: a.csv}\ntrain: {search: {depth: [3, 4]}, trials: 1001}"), "train.trials: a search has from 1 to 1000 trials"},
		{"a search without values", swap("{source: a.csv}", "{source: a.csv}\ntrain: {search: {depth: []}}"), "train.search.depth: the list is empty"},
		{"a check of nothing", swap("{source: a.csv}", "{source: a.csv, checks: [{column: a}]}"), "data.checks[0]: say what holds of a: type, min, max, missing or allowed"},
		{"two checks in one", swap("{source: a.csv}", "{source: a.csv, checks: [{column: a, min: 0, unique: [a]}]}"), "data.checks[0]: give exactly one of column, row, rows, unique, fresh, stuck, leaks and growth"},
		{
			"an expression of another type", swap("{source: a.csv}", `{source: a.csv, checks: [{row: "a + b"}]}`),
			`data.checks[0].row: the expression "a + b" cannot be read: expected bool, but got float64`,
		},
		{
			"an expression that ends early", swap("{source: a.csv}", `{source: a.csv, checks: [{row: "a >"}]}`),
			`data.checks[0].row: the expression cannot be read: unexpected token EOF (1:3) | a > | ..^`,
		},
		{"a pipeline without inputs", swap("{a: number, b: number}", "{}"), "pipeline: there are no inputs; name the columns that the model may use, each with its kind"},
		{
			"a metric of another kind", whole + "gate: {metrics: [{name: mae, require: superior}]}\n",
			"gate.metrics[0].name: mae does not measure a binary model; it has log_loss, brier, accuracy, auc, bias, mean_score, pr_auc, f1, precision, recall, balanced_accuracy, ece, cost, precision_at_k(5%), recall_at_k(5%), latency_p99, size, memory or mix",
		},
		{
			"a metric that lacks its parameter", whole + "gate: {metrics: [{name: recall_at_k, require: superior}]}\n",
			"gate.metrics[0].name: recall_at_k needs a parameter; write it as in recall_at_k(5%)",
		},
		{
			"a metric whose parameter is none", whole + "gate: {metrics: [{name: recall_at_k(500%), require: superior}]}\n",
			"gate.metrics[0].name: recall_at_k(500%) has no parameter that fits; write it as in recall_at_k(5%)",
		},
		{
			"a metric that has no parameter", whole + "gate: {metrics: [{name: auc(0.5), require: superior}]}\n",
			"gate.metrics[0].name: auc has no parameter; write auc alone",
		},
		{
			"a metric of no rows", whole + "gate: {metrics: [{name: recall_at_k(0), require: superior}]}\n",
			"gate.metrics[0].name: recall_at_k(0) has no parameter that fits; write it as in recall_at_k(5%)",
		},
		{
			"a cost that nobody said", whole + "gate: {metrics: [{name: cost, require: superior}]}\n",
			"gate.metrics[0].name: nothing says what a mistake costs; say it under predict.cost",
		},
		{
			"a cost of words", swap("kind: binary", "kind: binary, cost: {yes: {no: 5}}"),
			"predict.cost: the classes of a binary model are 0 and 1: write {1: {0: 5}} for a yes that is taken for a no",
		},
		{"only reports", whole + "gate: {metrics: [{name: auc, require: report}]}\n", "gate.metrics: nothing is required, so nothing would ever pass; require superior, noninferior or a limit of one"},
		{"a margin for nothing", whole + "gate: {metrics: [{name: auc, require: superior, margin: 1}]}\n", "gate.metrics[0]: margin belongs to noninferior"},
		{"a rule without a requirement", whole + "gate: {metrics: [{name: auc}]}\n", "gate.metrics[0]: say what is required: superior, noninferior, report, or a limit"},
		{"another baseline", whole + "gate: {baseline: builtin/gbdt}\n", `gate.baseline: "builtin/gbdt" cannot be a baseline in this version; write builtin/constant, builtin/linear or builtin/last`},
		{"a weight that is the label", swap("{source: a.csv}", "{source: a.csv}\ntrain: {weight: y}"), "train.weight: y is what the model predicts; it cannot be the weight of a row"},
		{"a weight of words", swap("b: number}", "b: text}, steps: [{op: ordinal, in: b}]", "{source: a.csv}", "{source: a.csv}\ntrain: {weight: b}"), "train.weight: b is no number"},
		{
			"the last value of a class", whole + "gate: {baseline: {with: builtin/last, column: a}}\n",
			"gate.baseline: builtin/last repeats a number, and a binary model predicts a class; write builtin/constant",
		},
		{
			"the last value of nothing", regression + "gate: {baseline: builtin/last, metrics: [{name: mae, require: superior}]}\n",
			"gate.baseline: builtin/last needs a column, whose value it repeats, such as column: sales_last_week",
		},
		{
			"the label as the last value", swap("binary", "regression", "{source: a.csv}", "{source: a.csv}\ntrain: {with: builtin/last, settings: {column: y}}") + "gate: {metrics: [{name: mae, require: superior}]}\n",
			"train.settings: y is what the model predicts; name a column with its value of an earlier time",
		},
		{"a baseline by the label", whole + "gate: {baseline: {by: [y]}}\n", "gate.baseline: y is what the model predicts; it cannot group the baseline"},
		{"groups that are not there", whole + "gate: {fairness: {metric: fpr_gap, require: report}}\n", "gate.fairness: there are no groups to compare; name them under predict.groups"},
		{"falling shares", whole + "release: {canary: [{share: 50%, for: 1d}, {share: 25%, for: 1d}, {share: 100%}]}\n", "release.canary[1]: a step must have more of the traffic than the one before"},
		{"a canary that stops halfway", whole + "release: {canary: [{share: 50%, for: 1d}]}\n", "release.canary[0]: the last step must be 100%, not 50%"},
		{"a step without an end", whole + "release: {canary: [{share: 50%}, {share: 100%}]}\n", "release.canary[0]: say how long the step lasts, such as for: 1d"},
		{"shifts of no decision", whole + "release: {back_if: {decisions_shift: {above: 10%}}}\n", "release.back_if.decisions_shift: there are no decisions; say predict.decide"},
		{"a fallback that may be absent", whole + "release: {fallback: {column: c}}\n", "release.fallback.column: c is no input, so a request need not carry it"},
		{"a probability above one", whole + "release: {fallback: {value: 2}}\n", "release.fallback.value: a probability lies between 0 and 1"},
		{
			"a score of another kind", regression + "gate: {metrics: [{name: mae, require: superior}]}\nwatch: {score: {metric: auc}}\n",
			"watch.score.metric: auc does not measure a regression model; it has mae, mse, rmse, r2, bias, mean_score, mape, poisson_deviance or pinball(0.9)",
		},
		{"a trigger twice", whole + "retrain: {when: [drift, drift]}\n", "retrain.when[1]: drift stands twice"},
	} {
		wrong, _ := check(t, c.file)
		if len(wrong) != 1 || wrong[0] != c.want {
			t.Errorf("%s:\ngot  %q\nwant %q", c.name, wrong, c.want)
		}
	}
}

func TestWhatIsAllowedButOddIsAWarning(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"no duties", whole[:strings.Index(whole, "duties")], "duties: no version goes live without the four duties; name who feeds, monitors, retrains and fixes"},
		{"a backup of oneself", strings.Replace(whole, "fix: {owner: a, backup: b", "fix: {owner: a, backup: a", 1), "duties.fix: a is the owner and the backup"},
		{
			"a query without an order", strings.Replace(whole, "a.csv", `"postgres://x/y", query: SELECT 1`, 1),
			"data.query: without ORDER BY the rows may come in another order each time, and the same rows are then another snapshot",
		},
		{"a column of the data that is no input", strings.Replace(whole, "a.csv", `a.csv, checks: [{row: "c > 0"}]`, 1), "data.checks[0].row: c is no input; the data must have a column of this name"},
		{
			"no margin", whole + "gate: {metrics: [{name: auc, require: noninferior}]}\n",
			"gate.metrics[0]: no margin is given, so a candidate must show that it is not worse at all; give one in the unit of auc",
		},
		{
			"rows with a time and nothing about their truth", strings.Replace(whole, ", truth: {within: 30d}", "", 1),
			"predict.truth: it is not given, so the truth is taken to be known at once; if labels come later, say by when they are due (within or due_at), or training favours those that come early",
		},
		{
			"a weight that requests do not send", strings.Replace(whole, "{source: a.csv}", "{source: a.csv}\ntrain: {weight: w}", 1),
			"train.weight: w is no input, so rows that were served have none and a training with them fails; write data.also: none, or make it an input",
		},
		{"a last value that requests may lack", strings.Replace(whole, "binary", "regression", 1) + "gate: {baseline: {with: builtin/last, column: c}, metrics: [{name: mae, require: superior}]}\n", "gate.baseline: c is no input; a request without it gets the mean"},
		{"a baseline by a column that requests may lack", whole + "gate: {baseline: {by: [c]}}\n", "gate.baseline: c is no input; a request without it gets no answer from the baseline"},
	} {
		wrong, warnings := check(t, c.file)
		if len(wrong) != 0 || len(warnings) != 1 || warnings[0] != c.want {
			t.Errorf("%s:\ngot  %q and %q\nwant %q", c.name, wrong, warnings, c.want)
		}
	}
}
