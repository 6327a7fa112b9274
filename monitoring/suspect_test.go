// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"slices"
	"testing"
)

func TestASuspicionBeginsAtHalfTheEvidenceAndEndsBelowAQuarter(t *testing.T) {
	var s Suspect
	for _, c := range []struct {
		evidence float64
		want     bool
	}{{40, false}, {49, false}, {50, true}, {26, true}, {24, false}, {40, false}, {180, true}} {
		if s.take(c.evidence, 100); s.On != c.want {
			t.Errorf("evidence %g of 100: got %t, want %t", c.evidence, s.On, c.want)
		}
	}
	got := State{Inputs: Detector{Suspect: s}}.Suspects()
	if want := []string{"inputs: 100% of the evidence that an alarm asks for"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
