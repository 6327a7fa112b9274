// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"encoding/json"
	"strconv"

	"flyball/fault"
)

// About is what a model file says of itself besides how it scores.
type About struct {
	Features  []string // names of the columns, in order; none where it was trained on rows without names
	Objective string
	Best      int // with early stopping: how many iterations were best; 0: it says nothing
}

// ReadAbout reads what a model in JSON says of itself. The error is an Invalid fault.
func ReadAbout(b []byte) (About, error) {
	var d struct {
		Learner struct {
			Attributes map[string]string `json:"attributes"`
			Features   []string          `json:"feature_names"`
			Objective  struct {
				Name string `json:"name"`
			} `json:"objective"`
		} `json:"learner"`
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return About{}, unreadable(err)
	}
	out := About{Features: d.Learner.Features, Objective: d.Learner.Objective.Name}
	if text, ok := d.Learner.Attributes["best_iteration"]; ok {
		best, err := strconv.Atoi(text)
		if err != nil || best < 0 {
			return About{}, fault.New(fault.Invalid, "the XGBoost best_iteration %q is not a count", text)
		}
		out.Best = best + 1
	}
	return out, nil
}

func unreadable(err error) error {
	return fault.Wrap(err, fault.Invalid, "the XGBoost model is not readable JSON")
}

// Cut is the model in JSON with its first iterations alone: what XGBoost's
// scikit-learn classes answer with after an early stop, while a Booster takes all. A
// model that has no more is returned as it is.
func Cut(b []byte, iterations int) ([]byte, error) {
	return edit(b, []string{"learner", "gradient_booster", "model"}, func(m object) error {
		var trees []json.RawMessage
		var info []int
		for key, to := range map[string]any{"trees": &trees, "tree_info": &info} {
			if err := json.Unmarshal(m[key], to); err != nil {
				return fault.Wrap(err, fault.Invalid, "the XGBoost model has no %s that can be read", key)
			}
		}
		ends, err := m.iterations(info)
		if err != nil || iterations+1 >= len(ends) {
			return err
		}
		n := ends[iterations]
		if n < 0 || n > len(trees) || n > len(info) {
			return fault.New(fault.Invalid, "the XGBoost iteration_indptr does not match the trees")
		}
		for key, to := range map[string]any{"trees": trees[:n], "tree_info": info[:n], "iteration_indptr": ends[:iterations+1]} {
			if m[key], err = json.Marshal(to); err != nil {
				return unreadable(err)
			}
		}
		m["gbtree_model_param"], err = edit(m["gbtree_model_param"], nil, func(p object) error {
			p["num_trees"] = json.RawMessage(strconv.Quote(strconv.Itoa(n)))
			return nil
		})
		return err
	})
}

// iterations are where the trees of each iteration end, from zero on. XGBoost 1 does
// not say; there each has as many trees as outputs and trees side by side.
func (m object) iterations(info []int) (ends []int, err error) {
	if raw, told := m["iteration_indptr"]; told {
		err = json.Unmarshal(raw, &ends)
		return ends, fault.Wrap(err, fault.Invalid, "the XGBoost iteration_indptr cannot be read")
	}
	var param struct {
		Parallel string `json:"num_parallel_tree"`
	}
	if err := json.Unmarshal(m["gbtree_model_param"], &param); err != nil {
		return nil, unreadable(err)
	}
	each, err := strconv.Atoi(param.Parallel)
	if err != nil || each < 1 {
		return nil, fault.New(fault.Invalid, "the XGBoost num_parallel_tree %q is not a count", param.Parallel)
	}
	outputs := 0
	for _, o := range info {
		outputs = max(outputs, o+1)
	}
	step := each * max(outputs, 1)
	for n := 0; n <= len(info) && step > 0; n += step {
		ends = append(ends, n)
	}
	return ends, nil
}

// object is a JSON object whose members are not read.
type object map[string]json.RawMessage

// edit changes the object that lies under the keys, one inside the other.
func edit(raw json.RawMessage, keys []string, change func(object) error) (json.RawMessage, error) {
	var o object
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, unreadable(err)
	}
	if o == nil {
		return nil, fault.New(fault.Invalid, "the XGBoost model has a part that is no object")
	}
	if len(keys) == 0 {
		if err := change(o); err != nil {
			return nil, err
		}
	} else {
		var err error
		if o[keys[0]], err = edit(o[keys[0]], keys[1:], change); err != nil {
			return nil, err
		}
	}
	out, err := json.Marshal(o)
	return out, unreadable(err)
}
