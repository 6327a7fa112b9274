// SPDX-License-Identifier: Apache-2.0

package unit_test

import (
	"testing"

	"flyball/unit"
)

func TestFiguresAreShownWithThreeDigitsThatCount(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.0", 1e-12: "0.0", 0.01819: "0.0182", -0.003711: "−0.00371", 1.234: "1.23", 12.34: "12.3", -1234567.8: "−1,234,567.8",
	} {
		if got := unit.Fixed(v, unit.Digits(v)); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
	if got := unit.Signed(0.5, 1) + " " + unit.Signed(-0.5, 1) + " " + unit.Signed(-0.0001, 2); got != "+0.5 −0.5 0.00" {
		t.Errorf("got %s", got)
	}
	if got := unit.FineDigits(0.8336, 0.0097, 0.0268); got != 3 {
		t.Errorf("an end of 0.0268 beside 0.834 has %d digits", got)
	}
	if got := unit.Count(3535) + " " + unit.Count(7); got != "3,535 7" {
		t.Errorf("got %s", got)
	}
	for n, want := range map[float64]float64{3012: 3100, 37: 37, 9999: 10000, 0: 0} {
		if got := unit.RoundUp(n); got != want {
			t.Errorf("%v: got %v, want %v", n, got, want)
		}
	}
}
