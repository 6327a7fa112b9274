// SPDX-License-Identifier: Apache-2.0

package release

import (
	"slices"
	"strconv"
	"testing"
)

func TestAReleaseWhoseComparisonIsNotValidStaysWhereItIsAndIsStillWatched(t *testing.T) {
	broken := func(h int, s State) Facts {
		f := good(h, s)
		if s.Phase == Canary {
			f.Online, f.OnlineText = Invalid, "the candidate answered 300 of 10,000 units, 25% were meant"
		}
		return f
	}
	_, held := story(begin(3), 24*60, broken)
	if held.Phase != Canary || held.Step != 0 || held.Paused != "the comparison is not valid: the candidate answered 300 of 10,000 units, 25% were meant" {
		t.Fatalf("got %s, step %d, paused for %q", held.Phase, held.Step, held.Paused)
	}
	failing := func(h int, s State) Facts { f := broken(h, s); f.ErrorsHigh = true; return f }
	if _, end := story(held, 1, failing); end.Phase != Aborted {
		t.Errorf("it fails and stays %s", end.Phase)
	}
	next, changed := Next(held, good(1, held), start)
	if !changed || next.Paused != "" || next.Route().Share != held.Route().Share {
		t.Errorf("valid again, it is paused for %q with a share of %g", next.Paused, next.Route().Share)
	}
}

func TestAPassIsWaitedForWhereThePlanAsksForOne(t *testing.T) {
	for _, c := range []struct {
		name  string
		split bool
		pass  bool
		want  Phase
	}{
		{"without one it stays in shadow", false, false, ShadowPhase},
		{"with one it ends", false, true, Succeeded},
		{"what comes of answers is not known before the canary", true, false, Canary},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := begin(3)
			s.Plan.Require = "pass"
			_, end := story(s, 24*60, func(h int, s State) Facts {
				f := good(h, s)
				if f.Split = c.split; c.pass {
					f.Online = Pass
				}
				return f
			})
			if end.Phase != c.want {
				t.Errorf("got %s, want %s", end.Phase, c.want)
			}
		})
	}
}

func TestTheShareOfEachGenerationIsKept(t *testing.T) {
	_, end := story(begin(3), 24*20, good)
	var shares []float64
	for _, x := range end.Shares {
		shares = append(shares, x.Share)
	}
	if !slices.Equal(shares, []float64{0.25, 0.5, 1, 0}) {
		t.Fatalf("got shares %v", shares)
	}
	for i, x := range end.Shares {
		if share, at := end.ShareAt(x.Generation); share != x.Share || at != i {
			t.Errorf("generation %d: share %g at %d, want %g at %d", x.Generation, share, at, x.Share, i)
		}
	}
	if _, at := end.ShareAt(end.Shares[0].Generation - 1); at != -1 {
		t.Error("a share before the canary")
	}
}

func TestTheControlGroupIsAsLargeAsTheCandidatesAndApartFromIt(t *testing.T) {
	const units = 20000
	for _, share := range []float64{0.01, 0.05, 0.25, 0.5, 0.8} {
		candidate, control := 0, 0
		for i := range units {
			a, b := Assign("s", strconv.Itoa(i), share), Control("s", strconv.Itoa(i), share)
			if a && b {
				t.Fatalf("unit %d is in both", i)
			}
			if a {
				candidate++
			}
			if b {
				control++
			}
		}
		want := min(share, 1-share) * units
		if d := float64(control) - want; d > 4*80 || d < -4*80 {
			t.Errorf("share %g: %d control units, about %.0f wanted, %d with the candidate", share, control, want, candidate)
		}
	}
}
