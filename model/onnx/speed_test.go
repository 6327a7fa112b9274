// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"bytes"
	"encoding/json"
	"testing"

	"flyball/data/dataset"
	"flyball/model"
)

// BenchmarkScore scores one row and a thousand; beside it stands what onnxruntime took
// for the same in the same run, with one thread.
func BenchmarkScore(b *testing.B) {
	names := []string{"random_forest", "gradient_boosting", "mlp", "logistic_regression"}
	for line := range bytes.Lines(scripted(b, "testdata/speed.py", names...)) {
		var x struct {
			example
			One, Many float64
		}
		if err := json.Unmarshal(line, &x); err != nil {
			b.Fatal(err)
		}
		m, err := read(x.ONNX, model.Manifest{Kind: dataset.Kind(x.Kind)})
		if err != nil {
			b.Fatal(err)
		}
		rows := x.frame()
		b.Run(x.Name+"/one", func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, err := m.Score(b.Context(), rows.Slice(i, i+1)); err != nil {
					b.Fatal(err)
				}
				i = (i + 1) % rows.Rows()
			}
			b.ReportMetric(x.One, "onnxruntime-ns/op")
		})
		b.Run(x.Name+"/many", func(b *testing.B) {
			for b.Loop() {
				if _, err := m.Score(b.Context(), rows); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows.Rows()), "ns/row")
			b.ReportMetric(x.Many, "onnxruntime-ns/row")
		})
	}
}
