// SPDX-License-Identifier: Apache-2.0

package release

import "hash/fnv"

// Route is how traffic is split while the release is as it is. Taken back, the
// candidate has no share at once. The former live version stays named, and so
// loaded, until the bake is over, and as Previous after that.
func (s State) Route() Route {
	r := Route{
		Model: s.Model, Generation: s.Generation, Live: s.Live, Candidate: s.Candidate, Baseline: s.Baseline,
		Seed: s.Seed, Fallback: s.Plan.Fallback, Floor: s.Floor,
	}
	switch s.Phase {
	case ShadowPhase:
		r.Both = true
	case Canary:
		r.Both = true
		r.Share = float64(s.Plan.Canary[s.Step].Share)
	case Full, BakePhase:
		r.Both, r.Share = true, 1
	case Succeeded:
		r.Live, r.Candidate = s.Candidate, 0
		if s.Plan.KeepWarm > 0 {
			r.Previous = s.Live
		}
	case Aborting, RollingBack, Aborted, RolledBack:
		r.Candidate = 0
	}
	return r
}

// Aliases are the aliases of the model as the release stands; 0 takes one away.
// live moves when the candidate answers all traffic, and back when it is taken back;
// previous, which moved with it, is taken away then: it would name the live version.
func (s State) Aliases() map[string]int {
	out := map[string]int{"live": s.Live, "candidate": s.Candidate}
	switch s.Phase {
	case Full, BakePhase, Succeeded:
		out["live"], out["previous"], out["candidate"] = s.Candidate, s.Live, 0
	case Aborting, Aborted:
		out["candidate"] = 0
	case RollingBack, RolledBack:
		out["candidate"], out["previous"] = 0, 0
	}
	return out
}

// Assign reports whether the candidate answers for the unit: its place on the
// interval from 0 to 1 is below share. The place depends on seed and unit alone, so
// a unit that the candidate has stays with it as the share grows, on every replica.
func Assign(seed, unit string, share float64) bool { return place(seed, unit) < share }

// Control reports whether the unit is one of those that a candidate with the share is
// held against: as many as it answers for, at the other end of the interval, and at the
// same time. Above a half it is all that the candidate does not answer for.
func Control(seed, unit string, share float64) bool {
	return place(seed, unit) >= max(share, 1-share)
}

// place is FNV-1a of seed and unit, finished as in SplitMix64 so that every bit of
// the sum counts, as a number in [0, 1).
func place(seed, unit string) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(seed)) // a hash never fails to write
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(unit))
	x := h.Sum64()
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	x ^= x >> 31
	return float64(x>>11) / (1 << 53)
}
