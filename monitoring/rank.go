// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"fmt"
	"math"
	"slices"

	"flyball/data/frame"
)

const (
	leastSpread = 1e-6 // of levels: columns that never vary are left out
	leastLevel  = 0.05 // of a mean normal score, about sd, below which no change of level counts
	slowly      = 0.25 // weight of the newest window in the slow level
)

// The places of a number's aspects; other features have the first only.
const (
	distanceAspect = iota
	levelAspect
	slowAspect
)

// aspect is one way in which a feature can be off: the values of the reference's windows
// and last the window's own, so that all are exchangeable where nothing has changed.
type aspect struct {
	values []float64
	signed bool    // off to either side; else only upwards
	least  float64 // spread that is never gone below
	beyond bool    // the window is further than independent draws and than a trifle
}

// scores are how far each value is off: the value less the mean of the others, over
// their spread, as a normal number of the same probability as that t has (Wallace 1959).
// Leaving each value out of its own measure keeps one far value from hiding itself.
func (a aspect) scores() []float64 {
	n := float64(len(a.values))
	mean, ss := 0.0, 0.0
	for _, v := range a.values {
		mean += v / n
	}
	for _, v := range a.values {
		ss += (v - mean) * (v - mean)
	}
	out := make([]float64, len(a.values))
	if n < 3 {
		return out
	}
	for k, v := range a.values {
		d := v - mean
		rest := max(0, ss-d*d*n/(n-1)) // of the others about their own mean
		df := n - 2
		t := d * n / (n - 1) / (max(a.least, math.Sqrt(rest/df)) * math.Sqrt(1+1/(n-1)))
		u := math.Copysign(math.Sqrt(df*math.Log1p(t*t/df))*(8*df+1)/(8*df+3), t)
		if a.signed {
			u = math.Abs(u)
		}
		out[k] = u
	}
	return out
}

// and is the aspect with the window's value.
func (a aspect) and(now float64) aspect {
	a.values = append(slices.Clip(a.values), now)
	return a
}

// logDistances is the aspect of distances, without the window's own.
func logDistances(reference []float64) aspect { return aspect{values: logged(reference), least: 0.05} }

// distance is the aspect of a shift's distances.
func (sh *shift) distance() aspect {
	a := logDistances(append(slices.Clip(sh.reference), sh.psi))
	a.beyond = sh.beyond
	return a
}

// standardised is, by feature, how far each reference window is off and last the window:
// the most of its aspects. Of the window only those count that are beyond the floors,
// where one is.
func standardised(shifts []shift) [][]float64 {
	out := make([][]float64, len(shifts))
	for j, sh := range shifts {
		out[j] = slices.Repeat([]float64{math.Inf(-1)}, len(sh.aspects[0].values))
		last := len(out[j]) - 1
		for _, a := range sh.aspects {
			for k, u := range a.scores() {
				if k < last || a.beyond || !sh.beyond {
					out[j][k] = max(out[j][k], u)
				}
			}
		}
	}
	return out
}

// rank is the conformal p-value of the window's largest score: the share of windows,
// itself among them, that are as far. A window further than all others goes on from
// there: see tail. A feature within the floors is not counted for the window, which can
// only make p larger.
func rank(z [][]float64, shifts []shift) float64 {
	now := math.Inf(-1)
	for j := range z {
		if shifts[j].beyond {
			now = max(now, z[j][len(z[j])-1])
		}
	}
	if math.IsInf(now, -1) {
		return 1
	}
	far := slices.Repeat([]float64{math.Inf(-1)}, len(z[0])-1)
	for j := range z {
		for k := range min(len(far), len(z[j])-1) {
			far[k] = max(far[k], z[j][k])
		}
	}
	as := 1
	for _, x := range far {
		if x >= now {
			as++
		}
	}
	p := float64(as) / float64(len(far)+1)
	if as == 1 {
		p *= tail(far, now)
	}
	return p
}

// tail is the probability of a value as far beyond the furthest, given that it is further,
// where values fall off exponentially from the upper quarter on. The k-th spacing from the
// top, k times over, then has the same distribution for each k (Rényi 1953): that of the
// value itself against the r below it gives (1+excess/sum of them)^−r. Scores fall off
// faster, as normal numbers do, so it is on the careful side. What a rank says stays valid;
// this lets one window say more than 1 in so many.
func tail(far []float64, now float64) float64 {
	sorted := slices.Sorted(slices.Values(far))
	n := len(sorted)
	r := n / 4
	if r < 1 {
		return 1
	}
	spacings := sorted[n-1] - sorted[n-r-1] // with the value on top, each counts once more
	for _, x := range sorted[n-r:] {
		spacings += x - sorted[n-r-1]
	}
	if !(spacings > 0) || math.IsInf(spacings, 1) {
		return 1
	}
	return math.Pow(1+(now-sorted[n-1])/spacings, -float64(r))
}

// alarmLevel is the evidence at which p-values that are independent and evenly spread cry
// wolf once in so many windows. The bound that holds for any evidence, a level of that many
// windows, is several times too careful: their mean time to reach level c is
// c·(2.4+0.62·ln c), within 5 % from 2 to 300, by 8 million draws for each of nine levels.
func alarmLevel(windows float64) float64 {
	low, high := 1.0, max(2, windows)
	for range 50 {
		if c := (low + high) / 2; c*(2.4+0.62*math.Log(c)) >= windows {
			high = c
		} else {
			low = c
		}
	}
	return high
}

// words say in which of its aspects a shift is furthest off.
func (sh *shift) words(w *Window, than string) string {
	best, most := 0, math.Inf(-1)
	for k, a := range sh.aspects {
		if u := a.scores(); a.beyond && u[len(u)-1] > most {
			best, most = k, u[len(u)-1]
		}
	}
	a := sh.aspects[best]
	last := len(a.values) - 1
	there := 0.0
	for _, v := range a.values[:last] {
		there = max(there, math.Abs(v))
	}
	switch best {
	case levelAspect:
		return fmt.Sprintf("its level is %+.2f sd from %s over %s, there at most %.2f", a.values[last], than, plural(w.Rows, "row"), there)
	case slowAspect:
		mean, _ := sh.to.mean()
		return fmt.Sprintf("its level is %+.2f sd from %s in the mean of the newest windows", mean, than)
	}
	return fmt.Sprintf("%s PSI from %s over %s, there at most %s", psi(sh.psi), than, plural(w.Rows, "row"), psi(largest(sh.reference)))
}

// levels are the normal scores of a number's groups by their ranks in the reference, and
// the spread of them over its rows; nil for what has no order.
func (f *Feature) levels() (scores []float64, sd float64) {
	if f.Kind != frame.Number || f.groups() < 2 {
		return nil, 0
	}
	whole := Counts{Bins: f.Counts}
	counts := whole.grouped(f)
	scores = normalScores(counts)
	mean := levelOf(counts, scores)
	for g, rows := range counts {
		sd += float64(rows) * (scores[g] - mean) * (scores[g] - mean)
	}
	return scores, math.Sqrt(sd / float64(max(1, sum(counts))))
}

// normalScores are the normal scores of the middle ranks of groups with so many rows.
func normalScores(counts []int) []float64 {
	out := make([]float64, len(counts))
	below, n := 0.0, float64(max(1, sum(counts)))
	for g, rows := range counts {
		mid := (below + float64(rows)/2) / n
		out[g] = math.Sqrt2 * math.Erfinv(2*min(max(mid, 1e-6), 1-1e-6)-1)
		below += float64(rows)
	}
	return out
}

// levelOf is the mean score of rows.
func levelOf(counts []int, scores []float64) float64 {
	v := 0.0
	for g, rows := range counts {
		v += float64(rows) * scores[g]
	}
	return v / float64(max(1, sum(counts)))
}

// level adds how a number's mean score differs from that of what the window is held
// against: a shift of all values is seen far sooner in it than in a distance, which
// looks everywhere at once. slow is the weighted mean over windows, which sees a small one
// that stays; before is its value up to now, after so many windows.
func (sh *shift) level(f *Feature, now, ref []int, reference []float64, alpha float64, before slow) {
	scores, sd := f.levels()
	if scores == nil || !(sd > 0) {
		return
	}
	v := levelOf(now, scores) - levelOf(ref, scores)
	n, m := float64(sum(now)), float64(sum(ref))
	far := func(v, share float64) bool { // of a mean of so much of a window's spread
		return math.Abs(v) >= leastLevel && 2*normalTail(math.Abs(v)/(sd*math.Sqrt(share/n+1/m))) <= alpha
	}
	sh.to = before.with(v)
	e := slow{}
	slowly := make([]float64, 0, len(reference)+1)
	for _, x := range reference {
		e = e.with(x)
		slowly = append(slowly, e.score())
	}
	mean, share := sh.to.mean()
	quick := aspect{values: append(slices.Clone(reference), v), signed: true, least: leastSpread, beyond: far(v, 1)}
	lasting := aspect{values: append(slowly, sh.to.score()), signed: true, least: leastSpread, beyond: far(mean, share)}
	sh.aspects = append(sh.aspects, quick, lasting)
	sh.beyond = sh.beyond || quick.beyond || lasting.beyond
}

// slow is a mean over windows in which each counts less by a quarter than the next.
type slow struct {
	Value   float64 `json:"value"`
	Windows int     `json:"windows"`
}

func (s slow) with(v float64) slow {
	return slow{s.Value + slowly*(v-s.Value), min(s.Windows+1, 1000)}
}

// mean is the weighted mean, and its variance in those of one window.
func (s slow) mean() (value, share float64) {
	left := math.Pow(1-slowly, float64(s.Windows))
	return s.Value / max(1e-9, 1-left), slowly / (2 - slowly) * (1 - left*left) / max(1e-9, (1-left)*(1-left))
}

// score is the value over what it varies by, in the spread of one window.
func (s slow) score() float64 {
	left := math.Pow(1-slowly, float64(s.Windows))
	return s.Value / math.Sqrt(max(1e-9, slowly/(2-slowly)*(1-left*left)))
}
