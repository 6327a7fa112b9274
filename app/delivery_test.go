// SPDX-License-Identifier: Apache-2.0

package app

import (
	"testing"
	"time"
)

func TestDeliveryTellsTheWaitForLeaveAndWhatAnIncidentIsHeldAgainst(t *testing.T) {
	o := opens(t)
	ctx, mia := t.Context(), o.people["mia"]
	o.apply(t, "ana", "medium")
	o.pass(t, time.Hour)
	o.pass(t, 3*time.Hour) // the gate has judged, and nobody answers
	if err := o.says(t, "vera", "approve", "it holds"); err != nil {
		t.Fatal(err)
	}
	o.pass(t, time.Hour)
	figures := func(failed int) {
		t.Helper()
		d, err := mia.Delivery(ctx, "demand", "")
		if err != nil || d.Lead.Count != 1 || d.Answered != 1 || d.Failed != failed {
			t.Fatalf("got %+v, %v", d, err)
		}
		var sum time.Duration
		for _, s := range d.Stages {
			if s.Name == "gate to leave" && s.Median.D() != 3*time.Hour {
				t.Errorf("the wait for leave: got %+v", s)
			}
			sum += s.Median.D()
		}
		if sum != d.Lead.Median.D() {
			t.Errorf("the stages are %s, the lead time %s", sum, d.Lead.Median.D())
		}
	}
	figures(0)
	o.pass(t, 6*24*time.Hour)
	if _, err := mia.OpenIncident(ctx, "demand", "the desk orders too much"); err != nil {
		t.Fatal(err)
	}
	figures(1)
}
