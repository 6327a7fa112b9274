// SPDX-License-Identifier: Apache-2.0

package training

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/experiment/gate"
	"flyball/fault"
)

// weighed is rows of two labels, 0 and 10, in turn; w is the weight of the second.
func weighed(n int, w func(i int) string) []byte {
	var b bytes.Buffer
	b.WriteString("id,at,x,y,w\n")
	for i := range n {
		weight := "1"
		if i%2 == 1 {
			weight = w(i)
		}
		fmt.Fprintf(&b, "%d,%s,%d,%d,%s\n", i, start.Add(time.Duration(i)*time.Hour).Format(time.RFC3339), i%7, 10*(i%2), weight)
	}
	return b.Bytes()
}

func weighedRecipe() Recipe {
	r := recipe()
	r.Data.Also = "none"
	r.Train = Settings{With: "builtin/constant", Weight: "w", Seed: 7}
	r.Gate.Metrics = []gate.Rule{{Name: "mean_score", Require: gate.Requirement{AtLeast: limit(7.49)}}, {Name: "mean_score", Require: gate.Requirement{AtMost: limit(7.51)}}}
	return r
}

func limit(x float64) *gate.Limit { l := gate.Limit(x); return &l }

func TestARowCountsInTrainingWhatItsWeightSays(t *testing.T) {
	tr, files := trainer(t, weighed(1000, func(int) string { return "3" }))
	res, err := tr.Run(t.Context(), Request{Recipe: weighedRecipe(), Files: files, Now: start.Add(1100 * time.Hour), Key: "m/1"}, nil, nil)
	if err != nil || !res.Verdict.Pass { // (0 + 3·10) / 4
		t.Fatalf("got %+v, %v", res.Verdict, err)
	}
}

func TestARowWithoutAWeightOrBelowZeroIsTold(t *testing.T) {
	for value, want := range map[string]string{
		"":   `row 4, column "w": the row has no weight`,
		"-1": `row 4, column "w": -1 is not a weight`,
	} {
		tr, files := trainer(t, weighed(1000, func(i int) string {
			if i == 3 {
				return value
			}
			return "3"
		}))
		_, err := tr.Run(t.Context(), Request{Recipe: weighedRecipe(), Files: files, Now: start.Add(1100 * time.Hour), Key: "m/1"}, nil, nil)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", value, err, want)
		}
	}
}

func TestTheNewestRowsTellWhenMoreTreesDoNotHelp(t *testing.T) {
	tr, files := trainer(t, table(t, 1000))
	r := recipe()
	r.Train.Settings = map[string]any{"trees": 300, "depth": 3, "learning_rate": 0.3, "early_stopping": 3}
	res, err := tr.Run(t.Context(), Request{Recipe: r, Files: files, Now: start.Add(1005 * time.Hour), Key: "m/1"}, nil, nil)
	if err != nil || !res.Verdict.Pass {
		t.Fatalf("got %+v, %v", res.Verdict, err)
	}
	w := &work{due: []int64{5, 7, 6}}
	if got := w.times([]int{2, 0}); len(got) != 2 || got[0] != 6 || got[1] != 5 {
		t.Errorf("the times of rows 2 and 0 are %v, not [6 5]", got)
	}
}

func TestABaselineRepeatsTheValueOfAColumn(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("id,at,x,before,y\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "%d,%s,%d,%d,%d\n", i, start.Add(time.Duration(i)*time.Hour).Format(time.RFC3339), i%7, (i-1)%24, i%24)
	}
	tr, files := trainer(t, b.Bytes())
	r := recipe()
	r.Task = dataset.Task{Column: "y", Kind: dataset.Regression, ID: "id", Time: "at", Block: dataset.Block{Each: day}}
	r.Pipeline = pipeline.Spec{Inputs: []frame.Field{{Name: "x", Kind: frame.Number}}}
	r.Gate.Baseline = gate.Baseline{With: "builtin/last", Settings: map[string]any{"column": "before"}}
	r.Gate.Metrics = []gate.Rule{{Name: "mae", Against: "baseline", Require: gate.Requirement{Word: "superior"}}}
	res, err := tr.Run(t.Context(), Request{Recipe: r, Files: files, Now: start.Add(1005 * time.Hour), Key: "m/1"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.Verdict.Pass || res.Floor == "" { // the hour before is off by two at most; x says nothing
		t.Errorf("got %+v", res.Verdict)
	}
}
