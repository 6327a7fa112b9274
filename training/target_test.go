// SPDX-License-Identifier: Apache-2.0

package training

import (
	"testing"
	"time"

	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/model/registry"
)

// The key of each row is another, so a mean of its rows is its label. A model that was
// trained on that would look at nothing else, and know no new row.
func TestAPipelineThatReadsTheTargetDoesNotLeakIt(t *testing.T) {
	tr, files := trainer(t, table(t, 1000))
	r := recipe()
	r.Pipeline = pipeline.Spec{
		Inputs: []frame.Field{{Name: "id", Kind: frame.Text}, {Name: "x", Kind: frame.Number}},
		Steps:  []pipeline.Step{{Op: "target_encode", In: pipeline.Columns{"id"}}},
	}
	res, err := tr.Run(t.Context(), Request{Recipe: r, Files: files, Now: start.Add(1005 * time.Hour), Cause: "first", Key: "m/1"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !res.Verdict.Pass {
		t.Errorf("the gate refuses it: %s", res.Verdict.Summary)
	}
	got, err := tr.Reproduce(t.Context(), registry.Version{Bundle: res.Bundle, Judged: res.Judged, Snapshot: res.Snapshot, Record: res.Record}, nil)
	if err != nil || got.Grade != R3 || len(got.Outputs) < 6 {
		t.Fatalf("got %v, %v", got, err)
	}
	for _, c := range got.Outputs {
		if !c.Equal() {
			t.Errorf("%s: recorded %s, again %s", c.What, c.Recorded, c.Again)
		}
	}
}
