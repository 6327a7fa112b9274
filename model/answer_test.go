// SPDX-License-Identifier: Apache-2.0

package model

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
)

func raw(texts ...string) []json.RawMessage {
	out := make([]json.RawMessage, len(texts))
	for i, s := range texts {
		out[i] = json.RawMessage(s)
	}
	return out
}

func TestScoresAreAnsweredAsMLflowWritesThem(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer *Answer
		rows   [][]float64
		want   string
	}{
		{"nobody said how: a number a row", nil, [][]float64{{0.25}, {3}}, `[0.25, 3.0]`},
		{"nobody said how: a list where there are several", nil, [][]float64{{0.25, 0.75}}, `[[0.25, 0.75]]`},
		{"float32 is widened", &Answer{Single: true}, [][]float64{{0.1}}, `[0.10000000149011612]`},
		{"a list of one", &Answer{Form: Lists}, [][]float64{{1e-7}}, `[[1e-07]]`},
		{"large, small and whole numbers", nil, [][]float64{{1e16}, {123456789}, {0.0001}, {-0.00001}}, `[1e+16, 123456789.0, 0.0001, -1e-05]`},
		{"what JSON cannot hold", nil, [][]float64{{math.NaN()}, {math.Inf(1)}, nil}, `[null, null, null]`},
		{"the class of two", &Answer{Form: Label, Classes: raw("0", "1")}, [][]float64{{0.5}, {0.51}}, `[0, 1]`},
		{"the class of two, by float32", &Answer{Form: Label, Single: true, Classes: raw("0", "1")}, [][]float64{{0.500000001}}, `[0]`},
		{"the first of the best classes", &Answer{Form: Label, Classes: raw(`"a"`, `"b"`, `"c"`)}, [][]float64{{0.2, 0.4, 0.4}}, `["b"]`},
		{"a member for each output", &Answer{Form: Records, Names: []string{"variable"}}, [][]float64{{2}}, `[{"variable": 2.0}]`},
		{"class and probabilities", &Answer{Form: Both, Names: []string{"label", "p"}, Classes: raw("0", "1")}, [][]float64{{0.75}}, `[{"label": 1, "p": {"0": 0.25, "1": 0.75}}]`},
		{"an object for each number of one output", &Answer{Form: Records, Names: []string{"y"}}, [][]float64{{2, 3}}, `[{"y": 2.0}, {"y": 3.0}]`},
		{"arrays", &Answer{Form: Arrays, Names: []string{"y"}}, [][]float64{{2}, {3}}, `{"y": [[2.0], [3.0]]}`},
		{"arrays of classes and probabilities", &Answer{Form: Arrays, Names: []string{"label", "p"}, Classes: raw("0", "1")}, [][]float64{{0.75}}, `{"label": [1], "p": [[0.25, 0.75]]}`},
		{"no rows", nil, nil, `[]`},
	} {
		if got := string(c.answer.Predictions(slices.Values(c.rows))); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}
