// SPDX-License-Identifier: Apache-2.0

package spec_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"flyball/spec"
	"flyball/training"
)

func TestTheRangesOfASearchAreReadInOneLineAndInSeveral(t *testing.T) {
	const head = "apiVersion: flyball/v1\nkind: Model\nname: m\npredict: {column: y, kind: binary}\ndata: {source: a.csv}\ntrain:\n"
	want := map[string]training.Range{
		"depth": {Values: []any{4.0, 6.0}}, "learning_rate": {Low: 0.01, High: 0.3, Log: true}, "subsample": {Low: 0.5, High: 1},
	}
	for _, text := range []string{
		"  search: {depth: [4, 6], learning_rate: log(0.01, 0.3), subsample: uniform(0.5, 1)}\n",
		"  search: {learning_rate: 'log(0.01, 0.3)', subsample: \"uniform(0.5,1)\", depth: [4, 6]}\n",
		"  search:\n    depth: [4, 6]\n    learning_rate: log(0.01, 0.3)\n    subsample: uniform(0.5, 1)\n",
	} {
		f, err := spec.Parse("m.yaml", []byte(head+text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, f.Model.Train.Search); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
		printed, err := f.Model.YAML()
		if err != nil {
			t.Fatal(err)
		}
		again, err := spec.Parse("m.yaml", printed)
		if err != nil || cmp.Diff(want, again.Model.Train.Search) != "" {
			t.Errorf("printed and read again: %v\n%s", err, printed)
		}
	}
	f, err := spec.Parse("m.yaml", []byte(head+"  search: {depth: [4], 3): }\n"))
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, p := range spec.Check(f.Model.WithDefaults(), nil) {
		found = found || p.Path == "train.search.3)"
	}
	if !found {
		t.Error("a stray bracket is not told")
	}
}
