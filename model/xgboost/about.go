// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"strconv"

	"flyball/data/dataset"
	"flyball/fault"
)

// About is what a model file says of itself besides how it scores.
type About struct {
	// Features are the names of the columns, in order; none where it was trained on
	// rows without names. Types, if there are any, has for each XGBoost's own word:
	// float, int, i (yes or no), q, or c for a category.
	Features, Types []string

	// Count is how many columns a row has.
	Count int

	// Categories are, by feature, the names of its categories in the order of their
	// numbers; none where the file has none (before XGBoost 3.1 it never has). Scored
	// rows hold the numbers.
	Categories [][]string

	Booster   string // gbtree, dart or gblinear
	Objective string

	// Kind is what Decode's scores are: the probability of the second class (with
	// binary:hinge 0 or 1), the probabilities of the classes, or numbers. Empty where
	// the objective is not known; then Decode refuses.
	Kind dataset.Kind

	// Outputs is how many scores a row has: classes, targets or quantiles, else 1.
	Outputs int

	// Label says that Booster.predict answers with the number of a class, and not with
	// scores: multi:softmax, binary:hinge.
	Label bool

	// Iterations is how many there are (0 for gblinear), Best how many were best where
	// training stopped early; 0: it says nothing. Booster.predict takes all, XGBoost's
	// scikit-learn classes the best alone: see Cut.
	Iterations, Best int
}

// ReadAbout reads what a model in JSON or UBJSON says of itself. The error is an
// Invalid fault.
func ReadAbout(b []byte) (About, error) {
	d, err := read(b, false)
	if err != nil {
		return About{}, err
	}
	o, _ := objectiveOf(d.objective)
	out := About{
		Features: d.features, Types: d.types, Categories: d.categories,
		Booster: d.booster, Objective: d.objective, Kind: o.kind, Label: o.label,
	}
	if out.Count, err = count("num_feature", d.param.features); err != nil {
		return About{}, err
	}
	classes, err := count("num_class", d.param.classes)
	if err != nil {
		return About{}, err
	}
	targets, err := count("num_target", d.param.targets)
	if err != nil {
		return About{}, err
	}
	out.Outputs = max(classes, targets, 1)
	if d.best != "" {
		best, err := strconv.ParseInt(d.best, 10, 32)
		if err != nil || best < 0 {
			return About{}, fault.New(fault.Invalid, "the XGBoost best_iteration %q is not a count", d.best)
		}
		out.Best = int(best) + 1
	}
	if d.booster == "gbtree" || d.booster == "dart" {
		ends, err := d.iterations()
		if err != nil {
			return About{}, err
		}
		out.Iterations = max(len(ends)-1, 0)
	}
	return out, nil
}

// iterations are where the trees of each iteration end, from zero on. XGBoost 1 does
// not say; there each has as many trees as outputs and trees side by side.
func (d *document) iterations() ([]int32, error) {
	if len(d.ends) > 0 {
		return d.ends, nil
	}
	each, err := count("num_parallel_tree", d.parallel)
	if err != nil {
		return nil, err
	}
	outputs := int32(1)
	for _, o := range d.info {
		outputs = max(outputs, o+1)
	}
	step := int64(max(each, 1)) * int64(outputs)
	var ends []int32
	for n := int64(0); n <= int64(len(d.info)); n += step {
		ends = append(ends, int32(n))
	}
	return ends, nil
}
