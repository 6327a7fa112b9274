// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"flyball/data/frame"
)

// budgetRows are 6 numbers and 5 texts; budgetSpec makes 50 columns of them.
func budgetRows(n int) *frame.Frame {
	r := rand.New(rand.NewPCG(9, 9))
	var cols []frame.Column
	for k := range 6 {
		v := make([]float64, n)
		for i := range v {
			if v[i] = r.NormFloat64(); r.IntN(30) == 0 {
				v[i] = math.NaN()
			}
		}
		cols = append(cols, frame.NumberColumn(fmt.Sprintf("n%d", k), v))
	}
	for k, categories := range []int{8, 9, 10, 12, 40} {
		v := make([]string, n)
		for i := range v {
			v[i] = fmt.Sprintf("category %d", r.IntN(categories))
		}
		cols = append(cols, frame.TextColumn(fmt.Sprintf("t%d", k), v, nil))
	}
	return frame.New(cols...)
}

func budgetSpec(inputs []frame.Field) Spec {
	numbers := []string{"n0", "n1", "n2", "n3", "n4", "n5"}
	return Spec{Inputs: inputs, Steps: []Step{
		{Op: "impute", In: numbers, Strategy: "median"},
		{Op: "scale", In: numbers},
		{Op: "one_hot", In: []string{"t0", "t1", "t2", "t3"}},
		{Op: "ordinal", In: []string{"t4"}},
	}}
}

// The budget is 500 ns a row online and 250 ns in a batch.
func BenchmarkTransform(b *testing.B) {
	rows := budgetRows(1 << 16)
	plain := budgetSpec(rows.Fields())
	withExpr := plain
	withExpr.Steps = append([]Step{{Op: "expr", As: "sum", Expr: "n0 + n1"}, {Op: "expr", As: "ratio", Expr: "n2 / max(1, n3 + n4)"}}, plain.Steps...)
	for _, c := range []struct {
		name string
		spec Spec
	}{{"11 to 50", plain}, {"with two expressions", withExpr}} {
		f := mustFit(b, c.spec, rows)
		for _, n := range []int{1, 1 << 16} {
			some := rows.Slice(0, n)
			b.Run(fmt.Sprintf("%s/rows=%d", c.name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, _, err := f.Transform(some); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/row")
			})
		}
	}
}

func BenchmarkFit(b *testing.B) {
	rows := budgetRows(1 << 16)
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Fit(b.Context(), budgetSpec(rows.Fields()), rows, Options{Workers: workers}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
