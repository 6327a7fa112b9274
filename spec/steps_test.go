// SPDX-License-Identifier: Apache-2.0

package spec_test

import (
	"slices"
	"strings"
	"testing"

	"flyball/spec"
)

const everyStep = `apiVersion: flyball/v1
kind: Pipeline
name: p
inputs: {a: number, b: number, c: text, d: text, e: text, f: text, at: time}
steps:
  - {op: impute, in: [a, b], strategy: median}
  - {op: interactions, in: [a, b]}
  - {op: log, in: a, strategy: log1p}
  - {op: scale, in: b, strategy: robust}
  - {op: target_encode, in: c, smooth: 2.5, folds: 4}
  - {op: hash, in: d, features: 8}
  - {op: text, in: e, features: 16, ngrams: [1, 2]}
  - {op: one_hot, in: f, at_least: 5}
  - {op: datetime, in: at, parts: [hour, weekday], cyclic: true}
`

func TestAPipelineFileMayTakeEveryStep(t *testing.T) {
	f, err := spec.Parse("p.yaml", []byte(everyStep))
	if err != nil {
		t.Fatal(err)
	}
	if got := spec.CheckPipeline(*f.Pipeline); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	steps := f.Pipeline.Steps
	if s := steps[4]; s.Smooth != 2.5 || s.Folds != 4 {
		t.Errorf("target_encode: got %+v", s)
	}
	if s := steps[6]; s.Features != 16 || !slices.Equal(s.Words, []int{1, 2}) {
		t.Errorf("text: got %+v", s)
	}
	if s := steps[8]; !s.Cyclic || len(s.Parts) != 2 {
		t.Errorf("datetime: got %+v", s)
	}
}

func TestAStepThatIsWrittenWrongIsToldWithItsPlace(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"op: target_encode", "op: target_encoder", `p.yaml:10:10: "target_encoder" is not known here; did you mean "target_encode"?`},
		{"strategy: log1p", "strategy: log2", `log2`},
		{"smooth: 2.5", "smoothing: 2.5", `p.yaml:10:32: unknown key "smoothing"; did you mean "smooth"?`},
		{"features: 8", "features: 0", `hash needs features`},
	} {
		f, err := spec.Parse("p.yaml", []byte(strings.Replace(everyStep, c.from, c.to, 1)))
		if err == nil {
			var all []string
			for _, p := range spec.CheckPipeline(*f.Pipeline) {
				all = append(all, p.Text)
			}
			if got := strings.Join(all, "\n"); !strings.Contains(got, c.want) {
				t.Errorf("%s: got %q, want %q", c.to, got, c.want)
			}
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.to, err, c.want)
		}
	}
}
