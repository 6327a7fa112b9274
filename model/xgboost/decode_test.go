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
		{"gbtree", "dart", "dart"},
		{"reg:squarederror", "rank:ndcg", "rank:ndcg"},
		{`"split_type":[0,`, `"split_type":[1,`, "categorical"},
		{`"left_children":[1,`, `"left_children":[0,`, "form a tree"},
		{`"default_left":[true`, `"default_left":[7`, "default_left"},
	} {
		_, err := Decode([]byte(strings.Replace(small, c.old, c.new, 1)))
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v", c.new, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Decode(b)
		if err != nil || e.Features() > 1000 {
			return
		}
		out := make([]float64, e.Outputs())
		e.Score(pipeline.Matrix{Rows: 1, Cols: e.Features(), Data: make([]float32, e.Features())}, out)
	})
}
