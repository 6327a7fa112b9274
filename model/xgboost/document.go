// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"strconv"

	"flyball/fault"
	"flyball/model/tree"
)

// document is a model as it is written, whichever way it is spelled ("doc/model.schema"
// of XGBoost, and what its versions 1.6 to 3.2 write). What it does not name is not
// read: nothing there changes a score.
type document struct {
	booster            string // gbtree, dart or gblinear
	param              param
	objective          string
	best               string // attribute best_iteration
	features, types    []string
	version            []int32
	trees              []tree.Tree
	info, ends         []int32 // which output a tree adds to; where the trees of each iteration end
	parallel, numTrees string
	drop               []float32  // dart: by tree
	weights            []float32  // gblinear
	categories         [][]string // names, by feature; since 3.1
	spans              spans
}

// param is learner_model_param, as text.
type param struct{ base, classes, features, targets string }

// span is where a value lies in the bytes.
type span struct{ from, to int }

// spans are those that Cut writes anew.
type spans struct {
	trees                      []span // each
	all, info, ends, num, drop span
}

// reader reads a document.
type reader struct {
	source
	d       document
	scoring bool // read the trees, too
	lists   lists
	err     error // what was read and makes no sense
}

// read reads a model; without scoring not its trees. The error is an Invalid fault.
func read(b []byte, scoring bool) (*document, error) {
	r := &reader{source: open(b), scoring: scoring}
	r.object(func(key string) {
		switch key {
		case "learner":
			r.learner()
		case "version":
			r.d.version = r.ints(nil)
		default:
			r.skip()
		}
	})
	if err := r.end(); err != nil {
		return nil, err
	}
	return &r.d, r.err
}

// refuse keeps the first thing that makes no sense.
func (r *reader) refuse(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *reader) learner() {
	r.object(func(key string) {
		switch key {
		case "attributes":
			r.texts(map[string]*string{"best_iteration": &r.d.best})
		case "feature_names":
			r.list(func() { r.d.features = append(r.d.features, r.text()) })
		case "feature_types":
			r.list(func() { r.d.types = append(r.d.types, r.text()) })
		case "gradient_booster":
			r.booster(true)
		case "learner_model_param":
			p := &r.d.param
			r.texts(map[string]*string{"base_score": &p.base, "num_class": &p.classes, "num_feature": &p.features, "num_target": &p.targets})
		case "objective":
			r.texts(map[string]*string{"name": &r.d.objective})
		default:
			r.skip()
		}
	})
}

// texts reads those members of an object that are asked for.
func (r *reader) texts(to map[string]*string) {
	r.object(func(key string) {
		if p, ok := to[key]; ok {
			*p = r.text()
		} else {
			r.skip()
		}
	})
}

// booster reads gradient_booster; that of dart has one of gbtree inside.
func (r *reader) booster(outer bool) {
	r.object(func(key string) {
		switch {
		case key == "name" && outer:
			r.d.booster = r.text()
		case key == "gbtree" && outer:
			r.booster(false)
		case key == "weight_drop" && outer:
			r.d.spans.drop = r.within(func() { r.d.drop = r.floats(nil) })
		case key == "model":
			r.model()
		default:
			r.skip()
		}
	})
}

// within says where what is read lies.
func (r *reader) within(read func()) span {
	from := r.place()
	read()
	return span{from, r.place()}
}

func (r *reader) model() {
	s := &r.d.spans
	r.object(func(key string) {
		switch key {
		case "gbtree_model_param":
			r.object(func(key string) {
				switch key {
				case "num_trees":
					s.num = r.within(func() { r.d.numTrees = r.text() })
				case "num_parallel_tree":
					r.d.parallel = r.text()
				default:
					r.skip()
				}
			})
		case "trees":
			s.all = r.within(r.trees)
		case "tree_info":
			s.info = r.within(func() { r.d.info = r.ints(nil) })
		case "iteration_indptr":
			s.ends = r.within(func() { r.d.ends = r.ints(nil) })
		case "weights":
			r.d.weights = r.floats(nil)
		case "cats":
			r.d.categories = r.categories()
		default:
			r.skip()
		}
	})
}

func (r *reader) trees() {
	r.d.trees, r.d.spans.trees = nil, nil
	r.list(func() {
		at := r.within(func() {
			if !r.scoring || r.err != nil {
				r.skip()
				return
			}
			r.d.trees = append(r.d.trees, r.tree(len(r.d.trees)))
		})
		if !r.scoring {
			r.d.spans.trees = append(r.d.spans.trees, at)
		}
	})
}

// count reads a count that is written as text. Empty is 0.
func count(name, text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		return 0, fault.New(fault.Invalid, "the XGBoost %s %q is not a count", name, text)
	}
	return int(n), nil
}
