// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"math"
	"testing"

	"flyball/serving/prediction"
)

func TestAPageShowsHowFarEachFeatureMoved(t *testing.T) {
	w := newWorld(3, 480)
	p := profileOf(t, simPolicy(), w.days(date(2021, 1, 1), 60))
	rows := w.days(date(2021, 3, 2), 4)
	for i := range rows {
		rows[i].level += 2
		if i%4 == 0 {
			rows[i].level = math.NaN()
		}
	}
	got := Shifts(p, Count(p, served(rows), func(j *prediction.Joined) (float64, bool) { return j.Scores[0], true }))
	if len(got) != 4 || got[3].Feature != "prediction" {
		t.Fatalf("got %d features, want three and the prediction", len(got))
	}
	level, shop := got[1], got[2]
	if level.W1 < 1.7 || level.W1 > 2.3 || level.KS < 0.6 || level.PSI < 2 || level.JS < 0.4 {
		t.Errorf("got %+v for a feature two standard deviations off", level)
	}
	if level.Missing != 0.25 || level.Usual != 0 {
		t.Errorf("got %g missing, usually %g, want 0.25 and 0", level.Missing, level.Usual)
	}
	if shop.PSI > 0.02 || shop.KS != 0 || shop.New != 0 {
		t.Errorf("got %+v for a feature that did not move", shop)
	}
	if other := Shifts(p, Window{}); other != nil {
		t.Errorf("got %v for a window of another profile, want none", other)
	}
}
