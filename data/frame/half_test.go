// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"math"
	"testing"
)

func TestAHalfIsReadAsIEEE754HasIt(t *testing.T) {
	for _, c := range []struct {
		bits uint16
		want float64
	}{
		{0x0000, 0},
		{0x3c00, 1},
		{0xc100, -2.5},
		{0x0001, 0x1p-24},
		{0x03ff, 0x3ffp-24},
		{0x7bff, 65504},
		{0x7c00, math.Inf(1)},
		{0xfc00, math.Inf(-1)},
		{0x7e00, math.NaN()},
	} {
		got, ok := half([]byte{byte(c.bits), byte(c.bits >> 8)})
		if !ok || got != c.want && !(math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("%04x: got %v, want %v", c.bits, got, c.want)
		}
	}
	if _, ok := half([]byte{1}); ok {
		t.Error("one byte is no half")
	}
}
