// SPDX-License-Identifier: Apache-2.0

package compare_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"flyball/experiment/compare"
)

// file is predictions of n rows with two slice columns.
func file(n int, seed uint64) []byte {
	random := rand.New(rand.NewPCG(seed, 1))
	var b bytes.Buffer
	b.WriteString("key,label,prediction,hotel,segment\n")
	for i := range n {
		z := rand.New(rand.NewPCG(uint64(i), 2)).Float64()
		label := 0
		if z > 0.7 {
			label = 1
		}
		fmt.Fprintf(&b, "b%08d,%d,%.6f,%d,%d\n", i, label, 0.5*z+0.5*random.Float64(), i%2, i%7)
	}
	return b.Bytes()
}

func BenchmarkRead(b *testing.B) {
	for _, n := range []int{3_500, 100_000} {
		raw := file(n, 1)
		m, err := compare.ReadManifest([]byte(plainBinary))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := compare.Read(m, compare.PredictionsFile, bytes.NewReader(raw)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompare(b *testing.B) {
	for _, n := range []int{3_500, 100_000} {
		x, err := read(plainBinary, string(file(n, 1)))
		if err != nil {
			b.Fatal(err)
		}
		y, err := read(plainBinary, string(file(n, 3)))
		if err != nil {
			b.Fatal(err)
		}
		subjects := []compare.Subject{{Name: "a", Evaluation: x}, {Name: "b", Evaluation: y}}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if r := compare.Compare(subjects, compare.Options{Slices: true, Curves: true}); r.Pairs[0].Rows != n {
					b.Fatal(r.Sentence)
				}
			}
		})
	}
}
