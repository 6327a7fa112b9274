// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"cmp"
	"slices"
	"time"

	"flyball/unit"
)

const (
	jointSeasonKept  = 8000 // rows of the reference with a season, of which each window sees a part
	jointSeasonRows  = 500  // that a window is held against, where the season is that rich
	jointSeasonLeast = 100  // below so many nothing is said
	jointSeasonPart  = 6    // windows further off than this part of a season are not alike
)

// kept is how many rows of so many columns are sampled.
func (j *Joint) kept() int {
	most := jointKept
	if j.Season > 0 {
		most = jointSeasonKept
	}
	return min(most, jointBytes/len(j.Columns))
}

// against is the sampled rows that the rows of a stretch of time are held against: all of
// them, or with a season those of the reference windows nearest to the stretch one season
// before, or two and so on, until they are enough. nil: the reference holds too few.
func (j *Joint) against(p *Profile, start, end time.Time) [][]uint8 {
	if j.Season == 0 {
		return j.columns()
	}
	type near struct {
		window int
		off    time.Duration
	}
	season, mid := j.Season.D(), start.Add(end.Sub(start)/2)
	if end.Add(-season).Before(p.From) {
		return nil
	}
	var order []near
	for k := range j.Held {
		w := &p.Windows[k]
		ago := mid.Sub(w.Start.Add(w.End.Sub(w.Start) / 2))
		seasons := max(1, (ago+season/2)/season)
		if off := (ago - seasons*season).Abs(); off <= season/jointSeasonPart {
			order = append(order, near{k, off})
		}
	}
	slices.SortStableFunc(order, func(a, b near) int { return cmp.Compare(a.off, b.off) })
	rows := 0
	var windows []int
	for _, n := range order {
		if rows >= jointSeasonRows {
			break
		}
		rows += j.Held[n.window]
		windows = append(windows, n.window)
	}
	if rows < jointSeasonLeast {
		return nil
	}
	slices.Sort(windows)
	out := make([][]uint8, len(j.Columns))
	for c, codes := range j.columns() {
		for from, k := 0, 0; k < len(j.Held); k++ {
			if _, in := slices.BinarySearch(windows, k); in {
				out[c] = append(out[c], codes[from:from+j.Held[k]]...)
			}
			from += j.Held[k]
		}
	}
	return out
}

// jointReference is what the reference's windows that are compared with say of columns
// together; false where the profile does not hold that, or holds it of another season.
func (s *stepper) jointReference(c comparison) (pairs, apart []float64, ok bool) {
	j := s.Profile.Joint
	if j == nil || j.Season != s.season() || len(c.ends) == 0 {
		return nil, nil, false
	}
	for _, k := range c.ends {
		if j.Apart[k] == 0 { // it had nothing to be held against
			return nil, nil, false
		}
		pairs, apart = append(pairs, j.Pairs[k]), append(apart, apartDistance(j.Apart[k]))
	}
	return pairs, apart, true
}

// season is that which windows are held against; zero where rows have no time.
func (s *stepper) season() unit.Duration {
	if s.Profile.From.IsZero() {
		return 0
	}
	return max(0, s.Policy.Season)
}

// jointUnknown is why columns are not looked at together; empty: they are.
func (s *stepper) jointUnknown(start, end time.Time) string {
	switch j := s.Profile.Joint; {
	case j == nil:
		return "columns together: the profile keeps no rows to compare with"
	case j.Season != s.season():
		return "columns together: the version was trained with another season; train it again"
	case j.against(s.Profile, start, end) == nil:
		return "columns together: the reference holds too few rows of this season"
	}
	return ""
}
