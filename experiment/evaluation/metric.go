// SPDX-License-Identifier: Apache-2.0

package evaluation

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"flyball/data/dataset"
	"flyball/fault"
	"flyball/unit"
)

// ForKind is the metrics of a kind of prediction that need no parameter, the most
// telling first. They are what scikit-learn calls by these names; pr_auc is its
// average_precision_score, ece the expected calibration error over tenths of the
// scores (of several classes, of the highest one's score), auc_ovr and auc_ovo its
// roc_auc_score of several classes, brier of several classes the sum over them.
// cost is the mean of what the owner's table says a decision costs.
func ForKind(kind dataset.Kind) []string {
	switch kind {
	case dataset.Binary:
		return []string{
			"log_loss", "brier", "accuracy", "auc", "bias", "mean_score",
			"pr_auc", "f1", "precision", "recall", "balanced_accuracy", "ece", "cost",
		}
	case dataset.Multiclass:
		return []string{
			"log_loss", "brier", "accuracy", "balanced_accuracy", "auc_ovr", "auc_ovo", "pr_auc_macro",
			"f1_macro", "f1_weighted", "precision_macro", "precision_weighted", "recall_macro", "ece", "cost",
		}
	case dataset.Regression:
		return []string{"mae", "mse", "rmse", "r2", "bias", "mean_score", "mape", "poisson_deviance"}
	}
	return nil
}

// WithParameter is the metrics of a kind that have a parameter, each with one as an
// example: the k highest rows, as a share or a count, the classes among which the
// true one must be, the quantile that is predicted, or the score above which a binary
// prediction is a yes in place of the model's own.
func WithParameter(kind dataset.Kind) []string {
	switch kind {
	case dataset.Binary:
		return []string{
			"precision_at_k(5%)", "recall_at_k(5%)", "accuracy(0.5)", "f1(0.5)", "precision(0.5)", "recall(0.5)", "balanced_accuracy(0.5)",
		}
	case dataset.Multiclass:
		return []string{"top_k_accuracy(2)"}
	case dataset.Regression:
		return []string{"pinball(0.9)"}
	}
	return nil
}

// kinds are the kinds of prediction.
func kinds() []dataset.Kind {
	return []dataset.Kind{dataset.Binary, dataset.Multiclass, dataset.Regression}
}

// Known reports whether the metric is one that Measure can compute for some kind.
func Known(metric string) bool {
	return slices.ContainsFunc(kinds(), func(kind dataset.Kind) bool { return Check(metric, kind) == nil })
}

// Name is a metric without its parameter: recall_at_k of recall_at_k(5%).
func Name(metric string) string {
	name, _, _ := strings.Cut(metric, "(")
	return name
}

// Check says whether the metric, with its parameter if it has one, measures a kind of
// prediction. The error is an Invalid fault that names what does.
func Check(metric string, kind dataset.Kind) error {
	_, err := parse(metric, kind)
	return err
}

// term is a metric as it is computed.
type term struct {
	name  string
	at    float64 // its parameter; NaN: it has none
	share bool    // of an at_k metric: at is a share of the rows, not a count
}

// parse reads a metric such as log_loss, pinball(0.9) or recall_at_k(5%).
func parse(metric string, kind dataset.Kind) (term, error) {
	name, inside, given := strings.Cut(metric, "(")
	t := term{name: name, at: math.NaN()}
	if !given {
		if slices.Contains(ForKind(kind), metric) {
			return t, nil
		}
		if as := example(metric, kind); as != "" {
			return t, fault.New(fault.Invalid, "%s needs a parameter", metric).Do("write it as in %s", as)
		}
		return t, unknown(metric, kind)
	}
	if example(name, kind) == "" {
		if slices.Contains(ForKind(kind), name) {
			return t, fault.New(fault.Invalid, "%s has no parameter", name).Do("write %s alone", name)
		}
		return t, unknown(metric, kind)
	}
	text, closed := strings.CutSuffix(inside, ")")
	t.share = strings.HasSuffix(text, "%")
	at, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if t.share {
		at /= 100
	}
	t.at = at
	if !closed || err != nil || !t.fits() {
		return t, fault.New(fault.Invalid, "%s has no parameter that fits", metric).Do("write it as in %s", example(name, kind))
	}
	return t, nil
}

// example is the metric with a parameter; empty where it has none.
func example(name string, kind dataset.Kind) string {
	for _, m := range WithParameter(kind) {
		if Name(m) == name {
			return m
		}
	}
	return ""
}

// fits reports whether the parameter is one that the metric can have.
func (t term) fits() bool {
	switch whole := t.at >= 1 && t.at == math.Floor(t.at) && t.at < 1<<40; t.name {
	case "pinball":
		return t.at > 0 && t.at < 1
	case "top_k_accuracy":
		return whole && !t.share
	case "precision_at_k", "recall_at_k":
		return t.share && t.at > 0 && t.at <= 1 || !t.share && whole
	}
	return t.at >= 0 && t.at <= 1
}

func unknown(metric string, kind dataset.Kind) error {
	for _, other := range kinds() {
		if other == kind {
			continue
		}
		known := append(ForKind(other), WithParameter(other)...)
		if slices.ContainsFunc(known, func(m string) bool { return Name(m) == Name(metric) }) {
			return fault.New(fault.Invalid, "%s is no metric of a %s model", metric, kind)
		}
	}
	return unit.OneOf(metric, append(ForKind(kind), WithParameter(kind)...)...)
}

// LowerIsBetter reports whether a smaller value of the metric is better. For bias
// that holds of its distance from zero.
func LowerIsBetter(metric string) bool {
	switch Name(metric) {
	case "accuracy", "auc", "r2", "pr_auc", "f1", "precision", "recall", "balanced_accuracy",
		"precision_at_k", "recall_at_k", "top_k_accuracy", "auc_ovr", "auc_ovo", "pr_auc_macro",
		"f1_macro", "f1_weighted", "precision_macro", "precision_weighted", "recall_macro":
		return false
	}
	return true
}

// ByClass reports whether the metric counts the rows of each class, so that a class of
// few rows makes it uncertain however many there are of the others.
func ByClass(metric string) bool {
	switch name := Name(metric); name {
	case "auc", "pr_auc", "f1", "precision", "recall", "balanced_accuracy", "precision_at_k", "recall_at_k":
		return true
	default:
		return strings.HasSuffix(name, "_macro") || strings.HasSuffix(name, "_weighted") || strings.HasPrefix(name, "auc_")
	}
}

// Resampled reports whether the metric's interval comes from the bootstrap, whose time
// grows with the rows: it has kinks, so that its changes are not in proportion.
func Resampled(metric string) bool {
	switch Name(metric) {
	case "bias", "ece", "precision_at_k", "recall_at_k":
		return true
	}
	return false
}

// IsMean reports whether the metric is a mean over rows, whose interval holds from two
// draws on.
func IsMean(metric string) bool {
	return !ByClass(metric) && !Resampled(metric) && !slices.Contains([]string{"rmse", "r2"}, metric)
}

// within cuts an interval to the values that the metric can have.
func (t term) within(low, high float64) (float64, float64) {
	switch {
	case t.name == "rmse":
		return max(0, low), high
	case t.name == "r2":
		return low, min(1, high)
	}
	return max(0, low), min(1, high) // a share or an area
}
