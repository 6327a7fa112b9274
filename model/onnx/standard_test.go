// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"testing"

	"flyball/fault"
)

// TestEachOperatorDoesWhatTheStandardSays runs the cases of the ONNX package.
func TestEachOperatorDoesWhatTheStandardSays(t *testing.T) {
	var names []string
	for _, o := range operators() {
		names = append(names, o.name)
	}
	// Of known operators, what is refused.
	refused := []string{
		"test_batchnorm_example_training_mode", "test_batchnorm_epsilon_training_mode", "test_dropout_default_mask",
		"test_dropout_default_mask_ratio", "test_training_dropout_default", "test_training_dropout_default_mask",
		"test_training_dropout", "test_training_dropout_mask", "test_training_dropout_zero_ratio",
		"test_training_dropout_zero_ratio_mask", "test_reduce_max_bool_inputs", "test_reduce_max_empty_set_bool",
		"test_reduce_min_bool_inputs",
	}
	lines := bufio.NewScanner(bytes.NewReader(scripted(t, "testdata/standard.py", names...)))
	lines.Buffer(nil, 1<<26)
	tried := map[string]int{}
	for lines.Scan() {
		var c struct {
			Name            string
			ONNX            []byte
			Inputs, Outputs [][]byte
			Ops             []string
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		t.Run(c.Name, func(t *testing.T) {
			got, err := once(t, c.ONNX, c.Inputs)
			if fault.Is(err, fault.Refused) && slices.Contains(refused, c.Name) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for i, b := range c.Outputs {
				sameTensor(t, got[i], tensorOf(t, b))
			}
			for _, o := range c.Ops {
				tried[o]++
			}
		})
	}
	for _, n := range names {
		if tried[n] == 0 {
			t.Logf("the standard has no case for %s", n)
		}
	}
}

// once runs a graph as it stands.
func once(t *testing.T, raw []byte, inputs [][]byte) ([]*tensor, error) {
	t.Helper()
	m, err := parse(raw)
	if err != nil {
		return nil, err
	}
	var outputs []string
	for _, o := range m.graph.outputs {
		outputs = append(outputs, o.name)
	}
	p, err := newPlan(m, outputs, 1<<16)
	if err != nil {
		return nil, err
	}
	var in, out []*tensor
	for _, b := range inputs {
		in = append(in, tensorOf(t, b))
	}
	err = p.run(func(*session) ([]*tensor, error) { return in, nil }, 1, func(ts []*tensor) error {
		for _, t := range ts {
			c := *t
			out = append(out, &c)
		}
		return nil
	})
	return out, err
}

func tensorOf(t *testing.T, b []byte) *tensor {
	t.Helper()
	p, err := parseTensor(b)
	if err != nil {
		t.Fatal(err)
	}
	v, err := p.decode()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func sameTensor(t *testing.T, got, want *tensor) {
	t.Helper()
	if got.kind != want.kind || !slices.Equal(got.shape, want.shape) {
		t.Errorf("got %s%v, want %s%v", got.kind, got.shape, want.kind, want.shape)
		return
	}
	if want.kind == textKind {
		if !slices.Equal(got.texts, want.texts) {
			t.Errorf("got %q, want %q", got.texts, want.texts)
		}
		return
	}
	g, w := got.toFloat64(), want.toFloat64()
	for i := range w {
		d := math.Abs(g[i] - w[i])
		if g[i] != w[i] && !(d <= 1e-7+1e-5*math.Abs(w[i])) && !(g[i] != g[i] && w[i] != w[i]) {
			t.Errorf("element %d of %v: got %v, want %v", i, want.shape, g[i], w[i])
			return
		}
	}
}
