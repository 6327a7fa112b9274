// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"cmp"
	"math"
	"slices"
	"time"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/fault"
	"flyball/stat"
)

// NewProfile makes the reference of a version from its raw training rows (with the
// column task.Time where there is one), the first output of each row (nil: not
// known) and what the judged model did on held-out rows (zero: not known). inputs
// are the columns that the pipeline asks for; one that is absent is an Invalid
// fault. The rows are not changed.
func NewProfile(policy Policy, task dataset.Task, inputs []frame.Field, rows *frame.Frame, scores []float64, heldOut Residuals) (*Profile, error) {
	policy = policy.withDefaults()
	switch {
	case rows == nil || rows.Rows() == 0:
		return nil, fault.New(fault.Invalid, "there are no rows to make a profile of")
	case len(inputs) > maxColumns:
		return nil, fault.New(fault.TooLarge, "%d input columns; a profile holds %d", len(inputs), maxColumns)
	case scores != nil && len(scores) != rows.Rows():
		return nil, fault.New(fault.Invalid, "%d scores for %d rows", len(scores), rows.Rows())
	}
	p := &Profile{
		Format: Format, Every: policy.Every, AtLeast: policy.AtLeast, Rows: rows.Rows(), Kind: task.Kind, Classes: heldOut.Classes,
		WindowRows: max(driftRows, policy.AtLeast, rows.Rows()/min(maxWindows, max(20, allWindows/max(1, len(inputs))))+1),
	}
	texts := 0
	for _, in := range inputs {
		if in.Kind == frame.Text {
			texts++
		}
	}
	vocabulary := min(maxWords, max(50, allWords/max(1, texts)))
	cols := make([]*frame.Column, len(inputs))
	for i, in := range inputs {
		cols[i] = rows.Column(in.Name)
		if c := cols[i]; c != nil && c.Kind == frame.Text && in.Kind == frame.Time { // a key that is also a time
			at, err := dataset.Times(rows, in.Name)
			if err != nil {
				return nil, err
			}
			t := frame.TimeColumn(in.Name, at)
			cols[i] = &t
		}
		if cols[i] == nil || cols[i].Kind != in.Kind {
			return nil, fault.New(fault.Invalid, "the training rows have no column %q of kind %s", in.Name, in.Kind)
		}
		p.Features = append(p.Features, newFeature(cols[i], vocabulary))
	}
	var score *frame.Column
	if scores != nil {
		c := frame.NumberColumn("prediction", scores)
		score = &c
		f := newFeature(score, 0)
		p.Score = &f
	}
	times, err := timesOf(task, rows)
	if err != nil {
		return nil, err
	}
	windows := stretchesOf(p, times, rows.Rows())
	p.stretches(windows, cols, score)
	p.Joint = p.newJoint(windows, cols, policy.Season)
	p.HeldOut = newHeldOut(policy, task.Kind, heldOut)
	p.heldGroups(heldOut)
	p.Attribution = attributed(heldOut.Added)
	p.Unlabelled = newUnlabelled(p.HeldOut.Metric, task.Kind, heldOut)
	return p, nil
}

// newFeature counts a column into bins of its own quantiles, or of so many words.
func newFeature(c *frame.Column, vocabulary int) Feature {
	f := Feature{Name: c.Name, Kind: c.Kind}
	switch c.Kind {
	case frame.Number:
		f.numbers(c.Num)
	case frame.Text:
		f.texts(c, vocabulary)
	default:
		for i := range c.Len() {
			if c.Missing(i) {
				f.Missing++
			}
		}
	}
	f.group()
	return f
}

func (f *Feature) numbers(v []float64) {
	sorted := make([]float64, 0, len(v))
	for _, x := range v {
		if finite(x) {
			sorted = append(sorted, x)
		}
	}
	f.Missing = len(v) - len(sorted)
	if len(sorted) > 0 {
		slices.Sort(sorted)
		f.Min, f.Max = sorted[0], sorted[len(sorted)-1]
		f.Edges = quantileEdges(sorted)
	}
	f.Counts = make([]int, len(f.Edges)+1)
	for _, x := range sorted {
		f.Counts[f.numberBin(x)]++
	}
}

// quantileEdges are the inner edges of right-closed bins over sorted values: every
// distinct value its own while they are few; else 32 quantiles, where a value that
// fills a bin by itself is cut off from what is below it.
func quantileEdges(sorted []float64) []float64 {
	if d := slices.Compact(slices.Clone(sorted)); len(d) <= maxBins {
		return d[:len(d)-1]
	}
	const quantiles = maxBins / 2
	n := len(sorted)
	var edges []float64
	for q := 1; q < quantiles; q++ {
		v := sorted[(n*q-1)/quantiles]
		first, _ := slices.BinarySearch(sorted, v)
		after, _ := slices.BinarySearchFunc(sorted, v, func(x, v float64) int {
			if x <= v {
				return -1
			}
			return 1
		})
		if (after-first)*quantiles >= n && first > 0 {
			edges = append(edges, sorted[first-1])
		}
		edges = append(edges, v)
	}
	slices.Sort(edges)
	edges = slices.Compact(edges)
	if edges[len(edges)-1] >= sorted[n-1] {
		edges = edges[:len(edges)-1]
	}
	return edges
}

func (f *Feature) numberBin(x float64) int {
	i, _ := slices.BinarySearch(f.Edges, x) // the first edge that is not below x
	return i
}

func (f *Feature) texts(c *frame.Column, vocabulary int) {
	counts := map[string]int{}
	for i, s := range c.Text {
		if c.Missing(i) {
			f.Missing++
		} else {
			counts[s]++
		}
	}
	words := make([]string, 0, len(counts))
	for w := range counts {
		if len(w) <= maxWord {
			words = append(words, w)
		}
	}
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b)) })
	f.Words = slices.Clone(words[:min(len(words), vocabulary)])
	f.Counts = make([]int, len(f.Words)+1)
	rest := len(c.Text) - f.Missing
	for i, w := range f.Words {
		f.Counts[i] = counts[w]
		rest -= counts[w]
	}
	f.Counts[len(f.Words)] = rest
}

// group puts neighbouring bins of a number together until each group has a tenth
// of the rows, and the rare words of a text: a distance on 64 bins of 500 rows would
// be mostly noise.
func (f *Feature) group() {
	f.Groups = make([]int, len(f.Counts))
	if f.Kind == frame.Text {
		for i := range f.Groups {
			f.Groups[i] = min(i, 11)
		}
		return
	}
	n := 0
	for _, c := range f.Counts {
		n += c
	}
	g, held := 0, 0
	for i, c := range f.Counts {
		if held > 0 && (held*10 >= n || held*20 >= n && c*10 >= n) && g < maxGroups-1 {
			g, held = g+1, 0
		}
		f.Groups[i] = g
		held += c
	}
}

// timesOf is the event time of each row in microseconds; nil where rows have none.
func timesOf(task dataset.Task, rows *frame.Frame) ([]int64, error) {
	if task.Time == "" || rows.Column(task.Time) == nil {
		return nil, nil
	}
	return dataset.Times(rows, task.Time)
}

// stretch is the rows of one reference window.
type stretch struct {
	start, end time.Time
	rows       []int
}

// stretchesOf cuts the rows into windows as Step grows them: whole blocks, until
// there are enough rows. Without times the windows are the rows in their order.
func stretchesOf(p *Profile, times []int64, n int) []stretch {
	if times == nil {
		var out []stretch
		for from := 0; from+p.WindowRows <= n; from += p.WindowRows {
			s := stretch{}
			for i := range p.WindowRows {
				s.rows = append(s.rows, from+i)
			}
			out = append(out, s)
		}
		return out
	}
	order := make([]int, 0, n)
	for i, t := range times {
		if t != frame.NoTime {
			order = append(order, i)
		}
	}
	if len(order) == 0 {
		return nil
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(times[a], times[b]) })
	at := func(k int) time.Time { return time.UnixMicro(times[order[k]]).UTC() }
	p.From, p.To = at(0), at(len(order)-1)
	every := p.Every.D()
	var out []stretch
	var blocks []int
	open := stretch{start: p.From.Truncate(every)}
	for k := 0; k < len(order); {
		block := at(k).Truncate(every)
		first := k
		for k < len(order) && at(k).Before(block.Add(every)) {
			open.rows = append(open.rows, order[k])
			k++
		}
		blocks = append(blocks, k-first)
		if len(blocks) > 1 && len(blocks) < 1<<16 { // days without rows count as blocks of none
			for gap := at(first).Truncate(every).Sub(at(first-1).Truncate(every)) / every; gap > 1 && len(blocks) < 1<<16; gap-- {
				blocks = append(blocks, 0)
			}
		}
		if len(open.rows) >= p.WindowRows {
			open.end = block.Add(every)
			out = append(out, open)
			open = stretch{start: open.end}
		}
	}
	p.Volume = volumeOf(blocks)
	return out
}

// volumeOf leaves the first block out, and the last, which may be cut.
func volumeOf(blocks []int) Volume {
	if len(blocks) < 3 {
		return Volume{}
	}
	whole := slices.Sorted(slices.Values(blocks[1 : len(blocks)-1]))
	sum := 0
	for _, b := range whole {
		sum += b
	}
	return Volume{Blocks: len(whole), Min: whole[0], Median: whole[len(whole)/2], Max: whole[len(whole)-1], Mean: float64(sum) / float64(len(whole))}
}

// stretches counts the windows, and finds which features drift cannot be judged on.
func (p *Profile) stretches(windows []stretch, cols []*frame.Column, score *frame.Column) {
	p.Windows = make([]Stretch, len(windows))
	for w, s := range windows {
		p.Windows[w] = Stretch{Start: s.start, End: s.end, Rows: len(s.rows), Groups: make([][]int, len(cols)), Missing: make([]int, len(cols))}
	}
	for i, c := range cols {
		f := &p.Features[i]
		seen := newSeen(c.Kind)
		f.Varies = len(windows) >= 8
		for w, s := range windows {
			var v valueCounts
			fresh := v.count(f, c, s.rows, seen)
			p.Windows[w].Groups[i], p.Windows[w].Missing[i] = v.groups, v.missing
			f.Varies = f.Varies && v.varies
			if w >= (len(windows)+1)/2 && v.rows > 0 {
				f.New.Hits += fresh
				f.New.Rows += v.rows
				f.New.Worst = max(f.New.Worst, float64(fresh)/float64(v.rows))
			}
		}
		f.Fixed = p.fixed(i)
	}
	if score == nil {
		return
	}
	for w, s := range windows {
		var v valueCounts
		v.count(p.Score, score, s.rows, newSeen(frame.Number))
		p.Windows[w].ScoreRow = v.groups
	}
}

// seen is what earlier windows held.
type seen struct {
	low, high float64
	words     map[string]bool
}

func newSeen(k frame.Kind) *seen {
	s := &seen{low: math.Inf(1), high: math.Inf(-1)}
	if k == frame.Text {
		s.words = map[string]bool{}
	}
	return s
}

// valueCounts is one feature over one reference window.
type valueCounts struct {
	groups  []int
	rows    int // with a value
	missing int
	varies  bool
}

// count counts the rows, and tells how many lie outside what was seen before them.
func (v *valueCounts) count(f *Feature, c *frame.Column, rows []int, s *seen) (fresh int) {
	v.groups = make([]int, f.groups())
	word := map[string]int{}
	for i, w := range f.Words {
		word[w] = i
	}
	low, high, first, words := s.low, s.high, -1, []string{}
	for _, r := range rows {
		switch {
		case c.Missing(r) || c.Kind == frame.Number && !finite(c.Num[r]):
			v.missing++
			continue
		case c.Kind == frame.Number:
			x := c.Num[r]
			v.groups[f.Groups[f.numberBin(x)]]++
			if x < s.low || x > s.high {
				fresh++
			}
			low, high = min(low, x), max(high, x)
			v.varies = v.varies || first >= 0 && c.Num[first] != x
		case c.Kind == frame.Text:
			b, ok := word[c.Text[r]]
			if !ok {
				b = len(f.Words)
			}
			v.groups[f.Groups[b]]++
			if !s.words[c.Text[r]] {
				fresh++
				words = append(words, c.Text[r])
			}
			v.varies = v.varies || first >= 0 && c.Text[first] != c.Text[r]
		}
		first = r
		v.rows++
	}
	s.low, s.high = low, high
	for _, w := range words {
		s.words[w] = true
	}
	return fresh
}

// fixed says why feature i moves, or stands still, by design: the hour of the day
// is spread over every window as over any other, nearer than draws would be; a
// counter shares no value with any other window.
func (p *Profile) fixed(i int) string {
	f := &p.Features[i]
	bins := f.groups()
	if f.Kind == frame.Time {
		return "a time"
	}
	if bins < 2 {
		return "one value"
	}
	k := len(p.Windows)
	if k < 4 {
		return ""
	}
	noise, df, apart := 0.0, 0, 0
	for w := range k {
		ref, n := p.without(i, w)
		rows := sum(p.Windows[w].Groups[i])
		if rows == 0 || n == 0 {
			continue
		}
		d := stat.PSI(p.Windows[w].Groups[i], ref)
		noise += min(d/(1/float64(rows)+1/float64(n)), 2*float64(bins-1))
		df += bins - 1
		if d > 3 {
			apart++
		}
	}
	switch {
	case 1-stat.PSITail(noise, df+1, 2, 2) < 1e-4: // as chi-square: nearer than draws come
		return "its windows never vary"
	case apart*10 >= k*9:
		return "each window has values of its own"
	}
	return ""
}

// without is the rows of the reference's windows of feature i, but for window w.
func (p *Profile) without(i, w int) ([]int, int) {
	var out []int
	for k := range p.Windows {
		if k != w {
			out = addInts(out, p.Windows[k].of(i))
		}
	}
	return out, sum(out)
}

// of is the groups of feature i; -1 is the score.
func (s *Stretch) of(i int) []int {
	if i < 0 {
		return s.ScoreRow
	}
	return s.Groups[i]
}

func addInts(to, v []int) []int {
	if to == nil {
		return slices.Clone(v)
	}
	for i := range v {
		to[i] += v[i]
	}
	return to
}

func sum(v []int) int {
	n := 0
	for _, x := range v {
		n += x
	}
	return n
}
