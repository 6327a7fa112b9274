// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"slices"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
)

// wordsAt are the words that may stand at a key, where there is a closed set; an
// empty text is none of them. The rule is the path without indices.
func wordsAt(rule string) ([]string, bool) {
	switch rule {
	case "kind", "pipeline.kind":
		return []string{KindModel, KindPipeline}, true
	case "risk":
		return []string{"low", "medium", "high"}, true
	case "predict.kind":
		return []string{"binary", "multiclass", "regression"}, true
	case "predict.truth.missing":
		return []string{"count", "negative"}, true
	case "data.also":
		return []string{"predictions", "none"}, true
	case "data.checks.severity":
		return []string{"stop", "warn"}, true
	case "data.checks.type":
		return []string{"number", "text", "time"}, true
	case "train.with":
		return []string{"builtin/gbdt", "builtin/linear", "builtin/last", "builtin/constant", "command"}, true
	case "train.executor":
		return []string{"local", "slurm", "kubernetes", "ray"}, true
	case "train.expect":
		return []string{"R3", "R2", "R1"}, true
	case "train.refit":
		return []string{"after_gate", "never"}, true
	case "gate.metrics.name":
		return metrics(), true
	case "watch.score.metric":
		return scores(), true
	case "gate.metrics.against":
		return []string{"live", "baseline"}, true
	case "gate.reproduce":
		return []string{"required"}, true
	case "gate.fairness.metric":
		return []string{"selection_gap", "selection_ratio", "tpr_gap", "fpr_gap", "mae_gap", "bias_gap"}, true
	case "gate.tests.direction.must":
		return []string{"not_lower", "not_raise"}, true
	case "gate.tests.expectation.metric":
		return scores(), true
	case "gate.tests.severity":
		return []string{"stop", "warn"}, true
	case "release.require":
		return []string{"harm_only", "pass"}, true
	case "release.back_if.loss":
		return []string{"worse"}, true
	case "retrain.when":
		return []string{"schedule", "drift", "score"}, true
	case "retrain.hold_after":
		return []string{"rollback", "never"}, true
	case "retrain.release":
		return []string{"better", "passed"}, true
	case "explain.keep":
		return []string{"all", "flagged", "none"}, true
	case "log.when_full":
		return []string{"drop", "wait"}, true
	}
	return stepWords(rule)
}

func stepWords(rule string) ([]string, bool) {
	switch rule {
	case "pipeline.steps.op":
		return []string{"impute", "scale", "one_hot", "ordinal", "target_encode", "bucketize", "hash", "datetime", "text", "clip", "log", "interactions", "expr", "select"}, true
	case "pipeline.steps.strategy":
		return []string{"mean", "median", "most_frequent", "constant", "standard", "minmax", "robust", "quantile", "uniform", "log", "log1p"}, true
	case "pipeline.steps.by":
		return []string{"value", "frequency"}, true
	case "pipeline.steps.parts":
		return []string{"year", "month", "day", "weekday", "hour", "minute", "yearday"}, true
	}
	return nil, false
}

// scores are the metrics of any kind of prediction, those with a parameter with one as
// an example.
func scores() []string {
	var out []string
	for _, kind := range []dataset.Kind{dataset.Binary, dataset.Multiclass, dataset.Regression} {
		for _, m := range slices.Concat(evaluation.ForKind(kind), evaluation.WithParameter(kind)) {
			if !slices.Contains(out, m) {
				out = append(out, m)
			}
		}
	}
	return out
}

// speeds are the metrics of a gate that no score gives.
func speeds() []string { return []string{"latency_p99", "size", "memory", "mix"} }

func metrics() []string { return append(scores(), speeds()...) }

// laterKey says whether a key belongs to what this version does not do, and why the
// file is refused; with an empty reason the key may stand, since its value is what
// happens anyway.
func laterKey(rule string) (reason string, ok bool) {
	const not = " in this version"
	switch rule {
	case "predict.truth.train_at":
		return "truth.train_at does not work" + not + "; only mature rows train", true
	}
	return "", false
}
