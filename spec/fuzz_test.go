// SPDX-License-Identifier: Apache-2.0

package spec_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"flyball/spec"
)

func FuzzParse(f *testing.F) {
	for _, name := range []string{"bike-demand.yaml", "hotel-cancel.yaml", "hotel-features.yaml"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, s := range []string{
		whole,
		head + "train: {settings: {a: [1e300, -0.0, x, null, {b: \"\\u0001\"}], c: &d [1], e: *d}, seed: 18446744073709551615}\n",
		head + "data: {source: a.csv, train: [all, {window: 1.5d}], checks: [{column: a, allowed: [1, x, true]}]}\n",
		head + "gate: {baseline: {by: [a]}, metrics: [{name: auc, require: {within: 3%}}], fairness: {metric: fpr_gap, require: {at_most: 0.1}}}\n",
		head + "watch: {false_alarms: 2 per week, score: {metric: auc, page_if: worse by 7%}}\nretrain: {budget: 0.3 per day}\n",
		head + "about: |\n  two\n  lines\nname: 'a''b'\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := spec.Parse("m.yaml", b)
		if err != nil {
			return
		}
		if p := file.Pipeline; p != nil {
			spec.CheckPipeline(*p)
			text, err := p.YAML()
			if err != nil {
				t.Fatal(err)
			}
			again, err := spec.Parse("p.yaml", text)
			if err != nil {
				t.Fatalf("%v in\n%s", err, text)
			}
			if diff := cmp.Diff(p, again.Pipeline, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("-want +got\n%s", diff)
			}
			return
		}
		same(t, *file.Model)
		full := file.Model.WithDefaults()
		same(t, full)
		spec.Check(full, nil)
	})
}
