// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"flyball/fault"
	"flyball/model"
	"flyball/model/tree"
)

// Decode reads a model that XGBoost 1.6 to 3.2 wrote, in JSON or UBJSON: trees (gbtree,
// dart) become a *tree.Ensemble, gblinear a *Linear. Scores are what Booster.predict
// answers, but for multi:softmax, which scores as multi:softprob does. What it cannot
// score exactly is an Invalid fault that names the part. Its memory is bounded by a
// multiple of len(b).
func Decode(b []byte) (model.Estimator, error) {
	d, err := read(b, true)
	if err != nil {
		return nil, err
	}
	s, err := d.shape()
	if err != nil {
		return nil, err
	}
	switch d.booster {
	case "gblinear":
		return s.linear(d.weights)
	case "gbtree", "dart":
	default:
		return nil, fault.New(fault.Invalid, "the XGBoost booster %q is not supported", d.booster).Do("train with booster gbtree")
	}
	if len(d.info) != len(d.trees) {
		return nil, fault.New(fault.Invalid, "the XGBoost tree_info does not match the trees")
	}
	for i := range d.trees {
		d.trees[i].Output = int(d.info[i])
		d.trees[i].Strays = !d.since(1, 7)
	}
	if d.booster == "dart" {
		if err := d.weigh(); err != nil {
			return nil, err
		}
	}
	e, err := tree.New(s.features, s.base, d.trees, s.link)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// weigh multiplies the leaves of dart with the weight of their tree.
func (d *document) weigh() error {
	if len(d.drop) != len(d.trees) {
		return fault.New(fault.Invalid, "the XGBoost weight_drop does not match the trees")
	}
	for i, t := range d.trees {
		for j := range t.Nodes {
			if n := &t.Nodes[j]; n.Left < 0 {
				n.Value = (0 + n.Value) * d.drop[i] // a leaf of -0 adds 0
			}
		}
	}
	return nil
}

// shape is how many numbers go in and come out, and what they mean.
type shape struct {
	objective
	features int
	base     []float32 // margins, by output
}

func (d *document) shape() (shape, error) {
	s := shape{}
	var known bool
	if s.objective, known = objectiveOf(d.objective); !known {
		return s, fault.New(fault.Invalid, "the XGBoost objective %q is not supported", d.objective).
			Do("train with one of XGBoost's own objectives, such as reg:squarederror, binary:logistic or multi:softprob")
	}
	var err error
	if s.features, err = count("num_feature", d.param.features); err != nil {
		return s, err
	}
	outputs, err := d.outputs()
	if err != nil {
		return s, err
	}
	if s.link == tree.Softmax && outputs < 2 {
		return s, fault.New(fault.Invalid, "the XGBoost num_class %q is not a count of classes", d.param.classes)
	}
	s.base, err = d.margins(s.objective.base, outputs)
	return s, err
}

// maxOutputs is more classes than anybody trains: each costs memory that the file need
// not have.
const maxOutputs = 1 << 16

func (d *document) outputs() (int, error) {
	classes, err := count("num_class", d.param.classes)
	if err != nil {
		return 0, err
	}
	targets, err := count("num_target", d.param.targets)
	if err != nil {
		return 0, err
	}
	if classes > 1 && targets > 1 {
		return 0, fault.New(fault.Invalid, "an XGBoost model of %d classes with %d targets is not supported", classes, targets)
	}
	n := max(classes, targets, 1)
	if n > maxOutputs || n > 16+len(d.trees)+len(d.weights) {
		return 0, fault.New(fault.Invalid, "the XGBoost model has %d outputs and %d trees", n, len(d.trees))
	}
	return n, nil
}

// margins reads base_score, a number or (since 3.1) a list of them, as starting margins.
func (d *document) margins(in scale, outputs int) ([]float32, error) {
	s := d.param.base
	parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"), ",")
	if len(parts) != 1 && len(parts) != outputs {
		return nil, fault.New(fault.Invalid, "the XGBoost base_score has %d numbers for %d outputs", len(parts), outputs)
	}
	base := make([]float32, outputs)
	for i := range base {
		v, err := strconv.ParseFloat(strings.TrimSpace(parts[i%len(parts)]), 32)
		x := float32(v)
		switch {
		case err != nil || math.IsNaN(v) || math.IsInf(v, 0):
			x = float32(math.NaN())
		case in == probability:
			x = d.logit(x)
		case in == mean:
			x = float32(math.Log(v))
		}
		if base[i] = x; x != x {
			return nil, fault.New(fault.Invalid, "the XGBoost base_score is not usable: entry %d", i)
		}
	}
	return base, nil
}

// logit is the margin of a probability, as ProbToMargin of XGBoost's LogisticRegression
// rounds it; NaN where there is none. Since 3.2 what is 0 or 1 is moved off by a
// millionth.
func (d *document) logit(p float32) float32 {
	if d.since(3, 2) {
		p = min(max(p, 1e-6), 1-1e-6)
	}
	if p <= 0 || p >= 1 {
		return float32(math.NaN())
	}
	return -float32(math.Log(float64(1/p - 1)))
}

// since says whether XGBoost of that version or a later one wrote the model, which is
// then scored as that version does. A model that does not say counts as new.
func (d *document) since(major, minor int32) bool {
	return len(d.version) == 0 || slices.Compare(d.version, []int32{major, minor}) >= 0
}
