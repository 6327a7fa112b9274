// SPDX-License-Identifier: Apache-2.0

package evaluation

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"flyball/data/dataset"
)

// made is n rows in blocks of each, scored by a candidate and a live version; with
// each 0 every row is a draw of its own.
func made(kind dataset.Kind, n, each int) Sample {
	r := rand.New(rand.NewPCG(1, 2))
	s := Sample{Kind: kind, Scores: map[string][]float64{}}
	groups := make([]string, n)
	for i := range n {
		y := float64(r.IntN(2))
		if kind == dataset.Regression {
			y = 50 + 20*r.NormFloat64()
		}
		s.Truth = append(s.Truth, y)
		for _, role := range []string{"candidate", "live"} {
			score := y + 10*r.NormFloat64()
			if kind == dataset.Binary {
				score = min(max(0.3*y+0.35+0.2*r.NormFloat64(), 0.01), 0.99)
			}
			s.Scores[role] = append(s.Scores[role], score)
		}
		if each > 0 {
			s.Block = append(s.Block, uint64(i/each))
		}
		groups[i] = fmt.Sprint(i % 5)
	}
	s.Slices = []SliceColumn{{Name: "group", Values: groups}}
	return s
}

func BenchmarkCompareOf50000Rows(b *testing.B) {
	for _, c := range []struct {
		metric string
		kind   dataset.Kind
		each   int
	}{
		{"log_loss", dataset.Binary, 20},
		{"auc", dataset.Binary, 0},
		{"auc", dataset.Binary, 20},
		{"pr_auc", dataset.Binary, 0},
		{"f1", dataset.Binary, 0},
		{"rmse", dataset.Regression, 0},
		{"rmse", dataset.Regression, 20},
	} {
		s := made(c.kind, 50_000, c.each)
		b.Run(fmt.Sprintf("%s in blocks of %d", c.metric, c.each), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Compare(c.metric, s, "candidate", "live", 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	s := made(dataset.Binary, 50_000, 20)
	b.Run("fpr_gap in blocks of 20", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Widening("fpr_gap", s, "group", "candidate", "live", 1); err != nil {
				b.Fatal(err)
			}
		}
	})
}
