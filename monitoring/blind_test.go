// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"math"
	"testing"
	"time"

	"flyball/data/dataset"
	"flyball/unit"
)

func TestTheSmallestShiftThatIsSeenIsSeenAndHalfOfItIsNot(t *testing.T) {
	start := date(2022, 1, 1)
	p := togetherProfile(t, 5, start.AddDate(0, 0, -280), 0)
	policy := Policy{AtLeast: 100}
	sight := Sees(policy, p)
	b := sight.Features[2]
	if sight.Rows != 500 || sight.Windows != 40 || sight.Needed != 25 || b.SD < 0.1 || b.SD > 0.6 || b.PSI <= 0 || sight.Lasting < 1 {
		t.Fatalf("got %+v", sight)
	}
	in := Input{Policy: policy, Task: dataset.Task{Kind: dataset.Regression}, Profile: p, Model: "m", Version: 3}
	for _, c := range []struct {
		by   float64
		want bool
	}{{b.SD / 3, false}, {b.SD * 1.5, true}} {
		rows := together(6, start, 60, 0)
		for i := range rows {
			rows[i].Row = shifted(rows[i].Row, c.by)
		}
		_, findings, _ := run(t, in, rows, start, start.AddDate(0, 0, 14), 24*time.Hour) // two windows: a small shift that stays is seen later
		found := false
		for _, f := range findings {
			found = found || f.Kind == Drift && f.Subject == "c"
		}
		if found != c.want {
			t.Errorf("shift of %.2f sd, blind below %.2f: found %v, want %v; %v", c.by, b.SD, found, c.want, opened(findings))
		}
	}
}

func TestTheSmallestShareThatIsSeenIsThatOfTheMonitor(t *testing.T) {
	for _, c := range []struct {
		rows int
		ref  Share
		want float64
	}{
		{200, Share{Rows: 10_000}, 0.015},                        // three rows
		{200, Share{Hits: 500, Rows: 10_000, Worst: 0.08}, 0.15}, // scipy.stats.binom.sf(29, 200, 0.08) is 7e-4, of 28 above 1e-3
		{2, Share{Rows: 10}, 0},
	} {
		if got := leastShare(c.rows, c.ref, 1e-3); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%+v of %d rows: got %g, want %g", c.ref, c.rows, got, c.want)
		}
	}
}

func TestWithTooFewWindowsNothingIsSaidOfDrift(t *testing.T) {
	w := newWorld(4, 60)
	sight := Sees(simPolicy(), profileOf(t, simPolicy(), w.days(date(2021, 1, 1), 120)))
	if sight.Windows != 13 || sight.Needed != 19 || sight.Features[0].SD != 0 || sight.Features[0].Missing == 0 {
		t.Errorf("got %+v, want that of drift nothing is known, and of missing values it is", sight)
	}
}

func TestWithASeasonTheSmallestShiftIsThatAgainstTheSameSeason(t *testing.T) {
	p := simPolicy()
	p.Season = unit.Duration(365 * 24 * time.Hour)
	rows := newWorld(4, 60).days(date(2020, 1, 1), 2*365)
	with := Sees(p, profileOf(t, p, rows))
	p.Season = 0
	without := Sees(p, profileOf(t, p, rows))
	if a, b := with.Features[0].SD, without.Features[0].SD; a == 0 || b == 0 || a >= b || with.Windows >= without.Windows {
		t.Errorf("got blind below %.2f sd with the season and %.2f without, of %d and %d windows: x moves with the season", a, b, with.Windows, without.Windows)
	}
}
