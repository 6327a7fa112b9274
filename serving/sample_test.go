// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"bytes"
	"math"
	"testing"
	"time"

	"flyball/data/pipeline"
	"flyball/ident"
)

func TestOneRowInAHundredAndTwentyEightIsSampled(t *testing.T) {
	m := pipeline.Matrix{Rows: 1, Cols: 2, Data: []float32{1, float32(math.NaN())}}
	hits, n := 0, 100_000
	for range n {
		if got := sample(ident.NewPredictionID(time.Unix(1, 0)), m, 0); got != nil {
			hits++
			if want := []byte{0, 0, 0x80, 0x3f, 0, 0, 0xc0, 0x7f}; !bytes.Equal(got, want) {
				t.Fatalf("the sample is %x, not %x", got, want)
			}
		}
	}
	if hits < n/128*8/10 || hits > n/128*12/10 {
		t.Errorf("%d of %d rows are sampled", hits, n)
	}
	if got := sample("0199f1c2-0000-7000-8000-000000000000", pipeline.Matrix{}, 0); got != nil {
		t.Errorf("a model without features gives %x", got)
	}
}
