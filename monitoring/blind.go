// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"math"
	"slices"
	"time"

	"flyball/data/frame"
	"flyball/stat"
)

const (
	blindWindows = 50   // of the reference that a change is tried on
	fewBins      = 12   // so few values are told of by the share of rows, not in sd
	farthest     = 10.0 // sd; what is not seen so far off is not seen
)

// Blind is the smallest change of one feature that the watch can see at its budget.
// Zero: not known, or never.
type Blind struct {
	PSI     float64 `json:"psi" doc:"at which a drift window ranks as the furthest"`
	SD      float64 `json:"sd,omitempty" doc:"of a number: the shift of its mean, in standard deviations, that half of the windows show"`
	Share   float64 `json:"share,omitempty" doc:"of words and of few values: the share of rows turning to the commonest one that half of the windows show"`
	Missing float64 `json:"missing,omitempty" doc:"share of rows without a value that is told"`
	Unseen  float64 `json:"unseen,omitempty" doc:"share of rows with a word, or a number far outside, that training did not hold"`
}

// Sight is what the watch of a version can see.
type Sight struct {
	Rows     int     `json:"rows" doc:"of a drift window"`
	Windows  int     `json:"windows" doc:"of the reference, that are compared with"`
	Needed   int     `json:"needed" doc:"windows of the reference; with fewer, drift is not judged"`
	Lasting  int     `json:"lasting,omitempty" doc:"windows that a change must last until it is told; 0: not known"`
	Features []Blind `json:"features" doc:"in the order of the profile"`
	Score    Blind   `json:"score"`
}

// Sees is what the watch of a version can see with its reference and budget: the
// reference's own windows are changed by so much and judged again. With a season those
// are that have a counterpart one season before.
func Sees(policy Policy, p *Profile) Sight {
	s := newStepper(Input{Policy: policy.withDefaults(), Profile: p})
	out := Sight{Rows: p.WindowRows, Windows: len(p.Windows), Features: make([]Blind, len(p.Features))}
	blocks := 1
	if p.Volume.Median > 0 {
		blocks += (s.Policy.AtLeast - 1) / p.Volume.Median
	}
	alpha := 1 / s.alarmAt(qualityMonitors*len(p.Features), time.Duration(blocks)*s.Policy.Every.D())
	for i := range p.Features {
		f, b := &p.Features[i], &out.Features[i]
		b.Missing = leastShare(s.Policy.AtLeast, s.missing(i), alpha)
		fresh := Share{Rows: p.Rows}
		if f.Kind == frame.Text {
			fresh = s.newShare(f)
		}
		b.Unseen = leastShare(s.Policy.AtLeast, fresh, alpha)
	}
	least := s.alarmAt(2, p.windowLength())
	out.Needed = int(math.Ceil(least)) - 1
	c := s.comparison(&Window{})
	if out.Windows = len(c.ends); out.Windows < max(3, out.Needed) {
		return out
	}
	out.Lasting = lasting(out.Windows, alarmLevel(least))
	inputs := crowd{s: s, comparison: c}
	for i := range p.Features {
		if p.Features[i].Fixed == "" {
			inputs.add(i)
		}
	}
	if pairs, apart, ok := s.jointReference(c); ok && len(inputs.features) > 0 {
		inputs.further(pairs)
		inputs.further(apart)
	}
	for n, i := range inputs.features {
		inputs.blind(n, &p.Features[i], &out.Features[i])
	}
	if p.Score != nil && p.Score.groups() > 1 && p.Windows[0].ScoreRow != nil {
		scores := crowd{s: s, comparison: c}
		if scores.add(scoreFeature); len(scores.features) > 0 {
			scores.blind(0, p.Score, &out.Score)
		}
	}
	return out
}

// windowLength is how long a drift window of the reference lasts: the mean.
func (p *Profile) windowLength() time.Duration {
	if n := len(p.Windows); n > 0 && !p.Windows[0].Start.IsZero() {
		return max(p.Every.D(), p.Windows[n-1].End.Sub(p.Windows[0].Start)/time.Duration(n))
	}
	return p.Every.D()
}

// missing is the reference's share of missing values, and the highest in a window.
func (s *stepper) missing(i int) Share {
	p := s.Profile
	out := Share{Hits: p.Features[i].Missing, Rows: p.Rows}
	for k := range p.Windows {
		if r := p.Windows[k].Rows; r > 0 {
			out.Worst = max(out.Worst, float64(p.Windows[k].Missing[i])/float64(r))
		}
	}
	return out
}

// leastShare is the smallest share of a window's rows that is a finding; 0: none is.
func leastShare(rows int, ref Share, alpha float64) float64 {
	low, high := 1, rows+1
	for low < high {
		if mid := (low + high) / 2; unusual(mid, rows, ref, alpha) {
			high = mid
		} else {
			low = mid + 1
		}
	}
	if low > rows {
		return 0
	}
	return float64(low) / float64(rows)
}

// lasting is how many windows, each the furthest, bring the evidence to its limit.
func lasting(windows int, limit float64) int {
	e := 0.0
	for n := 1; n <= 100; n++ {
		if e = stat.ShiryaevRoberts(e, 1/float64(windows+1)); e >= limit {
			return n
		}
	}
	return 0
}

// crowd is the features that a window is ranked by, and the distances of the reference's
// windows.
type crowd struct {
	s *stepper
	comparison
	features []int
	rows     []aspect  // of the reference's windows: by feature the distance, level and slow level, then of columns together
	top      []float64 // of the rows: the largest score
	of       []int     // by feature: its first among the rows
	rest     [][][]int // by feature, and window that is compared with: what it was held against
}

func (c *crowd) add(i int) {
	whole := c.s.whole(i)
	f := c.s.feature(i)
	scores, _ := f.levels()
	rest, distances := make([][]int, len(c.ends)), make([]float64, len(c.ends))
	var levels, slowly []float64
	e := slow{}
	for n, k := range c.ends {
		r := &c.s.Profile.Windows[k]
		rest[n] = c.s.against(c.comparison, i, k, whole)
		distances[n] = stat.PSI(r.of(i), rest[n])
		if scores != nil {
			levels = append(levels, levelOf(r.of(i), scores)-levelOf(rest[n], scores))
			e = e.with(levels[n])
			slowly = append(slowly, e.score())
		}
	}
	if len(whole) < 2 || sum(rest[0]) == 0 {
		return
	}
	c.features = append(c.features, i)
	c.of = append(c.of, len(c.rows))
	c.further(distances)
	c.rest = append(c.rest, rest)
	if scores != nil {
		c.rows = append(c.rows, aspect{values: levels, signed: true, least: leastSpread}, aspect{values: slowly, signed: true, least: leastSpread})
	}
}

func (c *crowd) further(distances []float64) { c.rows = append(c.rows, logDistances(distances)) }

func logged(v []float64) []float64 {
	out := make([]float64, len(v))
	for k, d := range v {
		out[k] = math.Log(d + 1e-4)
	}
	return out
}

// whole is the feature's rows a group over all windows.
func (s *stepper) whole(i int) []int {
	var out []int
	for k := range s.Profile.Windows {
		out = addInts(out, s.Profile.Windows[k].of(i))
	}
	return out
}

// restOf is the rows of all windows but one and its neighbours.
func (s *stepper) restOf(i, k int, whole []int) []int {
	out := slices.Clone(whole)
	for near := max(0, k-1); near <= min(k+1, len(s.Profile.Windows)-1); near++ {
		for g, v := range s.Profile.Windows[near].of(i) {
			out[g] -= v
		}
	}
	return out
}

// furthest reports whether a window at this value of a row, and as usual in the others,
// ranks before all windows of the reference.
func (c *crowd) furthest(row int, x float64) bool {
	scores := c.rows[row].and(x).scores()
	k := len(scores) - 1
	return slices.Max(scores[:k]) < scores[k] && c.highest(row) < scores[k]
}

// highest is the largest score of a window of the reference in any row but one.
func (c *crowd) highest(but int) float64 {
	out := math.Inf(-1)
	for o, x := range c.tops() {
		if o != but {
			out = max(out, x)
		}
	}
	return out
}

// tops are the largest score in each row.
func (c *crowd) tops() []float64 {
	for o := len(c.top); o < len(c.rows); o++ {
		c.top = append(c.top, slices.Max(c.rows[o].scores()))
	}
	return c.top
}

// least is the smallest value of a row, between two, at which the window ranks as the
// furthest; the high end where none does.
func (c *crowd) least(row int, low, high float64) float64 {
	for range 40 {
		if mid := (low + high) / 2; c.furthest(row, mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}

// blind finds the thresholds, then the smallest change that passes one in half of the
// windows.
func (c *crowd) blind(n int, f *Feature, out *Blind) {
	i := c.features[n]
	ref, rows, alpha := sum(c.rest[n][0]), c.s.Profile.WindowRows, floorAlpha/float64(len(c.features))
	const most = 100.0
	if !c.furthest(c.of[n], math.Log(most)) {
		return
	}
	out.PSI = max(math.Exp(c.least(c.of[n], math.Log(1e-4), math.Log(most)))-1e-4, floorPSI(f.groups(), rows, ref, alpha), 8*leastShift*leastShift)
	if f.Kind == frame.Number && len(f.Counts) > fewBins {
		scores, spread := f.levels()
		level := max(c.least(c.of[n]+1, 0, farthest), leastLevel, floorLevel(spread, rows, ref, alpha))
		sd := f.sd()
		out.SD = c.smallest(n, farthest, func(by float64) [][][]float64 {
			return [][][]float64{f.moved(by * sd), f.moved(-by * sd)}
		}, func(now, rest []int) bool {
			return stat.PSI(now, rest) >= out.PSI || math.Abs(levelOf(now, scores)-levelOf(rest, scores)) >= level
		})
		return
	}
	common := 0
	whole := c.s.whole(i)
	for g := range whole {
		if whole[g] > whole[common] {
			common = g
		}
	}
	out.Share = c.smallest(n, 1, func(by float64) [][][]float64 { return [][][]float64{turned(len(whole), common, by)} },
		func(now, rest []int) bool { return stat.PSI(now, rest) >= out.PSI })
}

// floorPSI is the distance that independent draws pass with probability alpha.
func floorPSI(groups, rows, ref int, alpha float64) float64 {
	low, high := 0.0, 100.0
	for range 50 {
		if mid := (low + high) / 2; stat.PSITail(mid, groups, rows, ref) <= alpha {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}

// floorLevel is the level that independent draws pass with probability alpha.
func floorLevel(spread float64, rows, ref int, alpha float64) float64 {
	return math.Sqrt2 * math.Erfinv(1-alpha) * spread * math.Sqrt(1/float64(max(1, rows))+1/float64(max(1, ref)))
}

// smallest is the smallest change of which all its ways show in half of the windows; 0:
// not even the largest does. A way says, of each group, to which its rows go.
func (c *crowd) smallest(n int, most float64, ways func(by float64) [][][]float64, far func(now, rest []int) bool) float64 {
	shows := func(by float64) bool {
		for _, to := range ways(by) {
			seen, tried := 0, 0
			step := max(1, len(c.rest[n])/blindWindows)
			for k := 0; k < len(c.rest[n]); k += step {
				tried++
				if far(changed(c.s.Profile.Windows[c.ends[k]].of(c.features[n]), to), c.rest[n][k]) {
					seen++
				}
			}
			if seen*2 < tried {
				return false
			}
		}
		return true
	}
	low, high := 0.0, most
	if !shows(high) {
		return 0
	}
	for range 10 {
		if mid := (low + high) / 2; shows(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}

func changed(rows []int, to [][]float64) []int {
	v := make([]float64, len(rows))
	for g, n := range rows {
		for h, share := range to[g] {
			v[h] += float64(n) * share
		}
	}
	out := make([]int, len(rows))
	for h := range v {
		out[h] = int(math.Round(v[h]))
	}
	return out
}

// turned is a share of all groups' rows going to one.
func turned(groups, common int, share float64) [][]float64 {
	out := make([][]float64, groups)
	for g := range out {
		out[g] = make([]float64, groups)
		out[g][g] += 1 - share
		out[g][common] += share
	}
	return out
}

// bounds are the ends of a number's bin; the outer ones reach to min and max.
func (f *Feature) bounds(bin int) (low, high float64) {
	low, high = f.Min, f.Max
	if bin > 0 {
		low = f.Edges[bin-1]
	}
	if bin < len(f.Edges) {
		high = f.Edges[bin]
	}
	return low, max(low, high)
}

// sd is the standard deviation of the reference, from the middles of its bins.
func (f *Feature) sd() float64 {
	n, mean, ss := float64(max(1, sum(f.Counts))), 0.0, 0.0
	middles := f.middles()
	for b, rows := range f.Counts {
		mean += float64(rows) * middles[b] / n
	}
	for b, rows := range f.Counts {
		ss += float64(rows) * (middles[b] - mean) * (middles[b] - mean) / n
	}
	return math.Sqrt(ss)
}

// moved is where the rows of each group go when each value moves by so much. Rows lie
// evenly in their bin.
func (f *Feature) moved(by float64) [][]float64 {
	groups := f.groups()
	out, held := make([][]float64, groups), make([]float64, groups)
	for g := range out {
		out[g] = make([]float64, groups)
	}
	for b, rows := range f.Counts {
		g := f.Groups[b]
		low, high := f.bounds(b)
		held[g] += float64(rows)
		const parts = 8
		for k := range parts {
			x := low + (high-low)*(float64(k)+0.5)/parts + by
			out[g][f.Groups[f.numberBin(x)]] += float64(rows) / parts
		}
	}
	for g := range out {
		for h := range out[g] {
			if held[g] > 0 {
				out[g][h] /= held[g]
			} else if g == h {
				out[g][h] = 1
			}
		}
	}
	return out
}
