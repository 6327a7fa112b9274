// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"math"
	"strings"
	"testing"

	"flyball/data/pipeline"
	"flyball/fault"
)

const small = `{"learner":{"gradient_booster":{"name":"gbtree","model":{"tree_info":[0],"trees":[{
"left_children":[1,-1,-1],"right_children":[2,-1,-1],"split_indices":[0,0,0],"split_conditions":[0.5,-1,2],
"default_left":[true,0,0],"split_type":[0,0,0],"tree_param":{"size_leaf_vector":"1"}}]}},
"learner_model_param":{"base_score":"[1E0]","num_class":"0","num_feature":"1","num_target":"1"},
"objective":{"name":"reg:squarederror"}}}`

func TestAModelAddsItsLeavesToTheBaseScore(t *testing.T) {
	e, err := Decode([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float64, 3)
	e.Score(pipeline.Matrix{Rows: 3, Cols: 1, Data: []float32{0, 1, float32(math.NaN())}}, out)
	if out[0] != 0 || out[1] != 3 || out[2] != 0 {
		t.Fatalf("got %v, want [0 3 0]", out)
	}
}

func TestWhatCannotBeScoredIsRefusedByName(t *testing.T) {
	for _, c := range []struct{ old, new, says string }{
		{"gbtree", "forest", "forest"},
		{"gbtree", "dart", "weight_drop"},
		{"gbtree", "gblinear", "weights"},
		{"reg:squarederror", "mine:own", "mine:own"},
		{"reg:squarederror", "multi:softprob", "num_class"},
		{`"size_leaf_vector":"1"`, `"size_leaf_vector":"3"`, "vector leaves"},
		{`"split_type":[0,`, `"split_type":[1,`, "categories"},
		{`"split_type":[0,`, `"split_type":[2,`, "categories"},
		{`"num_class":"0"`, `"num_class":"4000000"`, "outputs"},
		{`"num_feature":"1"`, `"num_feature":"1.5"`, "num_feature"},
		{"[1E0]", "[1E0,2E0]", "base_score"},
		{"[1E0]", "many", "base_score"},
		{`"left_children":[1,`, `"left_children":[0,`, "form a tree"},
		{`"default_left":[true`, `"default_left":[7`, "default_left"},
	} {
		_, err := Decode([]byte(strings.Replace(small, c.old, c.new, 1)))
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v", c.new, err)
		}
	}
}
