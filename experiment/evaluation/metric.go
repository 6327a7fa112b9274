// SPDX-License-Identifier: Apache-2.0

package evaluation

import (
	"math"
	"slices"

	"flyball/data/dataset"
)

// ForKind is the metrics of a kind of prediction, the most telling first. They are
// what scikit-learn calls by these names; pr_auc is its average_precision_score, ece
// the expected calibration error over tenths of the scores.
func ForKind(kind dataset.Kind) []string {
	switch kind {
	case dataset.Binary:
		return []string{
			"log_loss", "brier", "accuracy", "auc", "bias", "mean_score",
			"pr_auc", "f1", "precision", "recall", "balanced_accuracy", "ece",
		}
	case dataset.Multiclass:
		return []string{"log_loss", "accuracy", "balanced_accuracy"}
	case dataset.Regression:
		return []string{"mae", "mse", "rmse", "r2", "bias", "mean_score", "mape"}
	}
	return nil
}

// Known reports whether the metric is one that Measure can compute for some kind.
func Known(metric string) bool {
	for _, kind := range []dataset.Kind{dataset.Binary, dataset.Multiclass, dataset.Regression} {
		if slices.Contains(ForKind(kind), metric) {
			return true
		}
	}
	return false
}

// LowerIsBetter reports whether a smaller value of the metric is better. For bias
// that holds of its distance from zero.
func LowerIsBetter(metric string) bool {
	switch metric {
	case "accuracy", "auc", "r2", "pr_auc", "f1", "precision", "recall", "balanced_accuracy":
		return false
	}
	return true
}

// Loss is one row's part of a mean-type metric: the metric is its mean over rows
// (for accuracy, 1 where the score decides rightly at 0.5). ok is false for a metric
// that is no mean, for another kind, for scores of the wrong length, or where the
// result is not finite (mape of a truth of zero). Log loss clips as scikit-learn
// does, at the spacing of float64 numbers at one.
func Loss(metric string, kind dataset.Kind, truth float64, scores []float64) (loss float64, ok bool) {
	return rowLoss(metric, kind, truth, scores, 0.5)
}

func rowLoss(metric string, kind dataset.Kind, truth float64, scores []float64, above float64) (float64, bool) {
	if !slices.Contains(ForKind(kind), metric) || len(scores) == 0 || kind != dataset.Multiclass && len(scores) != 1 {
		return 0, false
	}
	var v float64
	s := scores[0]
	switch {
	case kind == dataset.Multiclass:
		return classLoss(metric, truth, scores)
	case metric == "log_loss":
		v = -math.Log(clip(s))
		if truth <= 0.5 {
			v = -math.Log1p(-clip(s))
		}
	case metric == "brier", metric == "mse":
		v = (s - truth) * (s - truth)
	case metric == "accuracy":
		if (s > above) == (truth > 0.5) {
			v = 1
		}
	case metric == "mae":
		v = math.Abs(s - truth)
	case metric == "mape":
		v = math.Abs(s-truth) / math.Abs(truth)
	case metric == "bias":
		v = s - truth
	case metric == "mean_score":
		v = s
	default:
		return 0, false
	}
	return v, finite(v) && finite(s) && finite(truth)
}

func classLoss(metric string, truth float64, scores []float64) (float64, bool) {
	k := int(truth)
	if !(truth >= 0) || k >= len(scores) || float64(k) != truth {
		return 0, false
	}
	sum, best := 0.0, 0
	for i, s := range scores {
		if !finite(s) {
			return 0, false
		}
		sum += clip(s)
		if s > scores[best] {
			best = i
		}
	}
	switch {
	case metric == "log_loss":
		return -math.Log(clip(scores[k]) / sum), true
	case metric != "accuracy":
		return 0, false
	case best == k:
		return 1, true
	}
	return 0, true
}

func clip(p float64) float64 {
	const eps = 0x1p-52
	return min(max(p, eps), 1-eps)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
