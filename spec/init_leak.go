// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"flyball/data/dataset"
	"flyball/data/frame"
)

// suspicious is how well a single column may predict the label before it is left out:
// AUC, R², or the part of the errors of a constant answer that it avoids.
const suspicious = 0.98

// leaks notes the columns that know the answer.
func (g *guess) leaks() {
	var numbers []*frame.Column
	for i := range g.rows.Columns() {
		c := &g.rows.Columns()[i]
		if c.Name == g.target {
			continue
		}
		if same(c, g.rows.Column(g.target)) {
			g.reasons[c.Name] = "equal to " + g.target
			continue
		}
		score, measure := g.alone(c)
		switch {
		case score >= suspicious:
			g.reasons[c.Name] = fmt.Sprintf("predicts %s almost alone (%s %.3f); use it only if it is known when asked", g.target, measure, score)
		case c.Kind == frame.Number && c.Name != g.id:
			numbers = append(numbers, c)
		}
	}
	if g.kind != dataset.Multiclass {
		g.sums(numbers)
	}
}

// same reports whether two columns hold the same in 99 of 100 rows and more.
func same(a, b *frame.Column) bool {
	if a.Kind != b.Kind {
		return false
	}
	differ, n := 0, a.Len()
	for i := range n {
		if a.Format(i) != b.Format(i) {
			if differ++; differ*100 > n {
				return false
			}
		}
	}
	return true
}

// alone is how well the column predicts the label by itself, out of sample: each half
// of the rows is told the means of the other half's groups.
func (g *guess) alone(c *frame.Column) (score float64, measure string) {
	group, groups := grouping(c)
	if groups > 1000 || groups*4 > len(group) {
		return 0, "" // too many to say anything
	}
	switch g.kind {
	case dataset.Multiclass:
		return g.avoided(group, groups), "of the errors avoided"
	case dataset.Binary:
		return auc(g.means(group, groups), g.y), "AUC"
	}
	return max(determination(g.means(group, groups), g.y), linear(c, g.y)), "R²"
}

// grouping cuts a column into groups: values where they are few, else a hundred
// parts of equal size; a missing value is a group.
func grouping(c *frame.Column) ([]int, int) {
	if c.Kind == frame.Text || len(distinct(c)) <= 200 {
		at := codes(c)
		out, most := make([]int, len(at)), 0
		for i, x := range at {
			out[i] = int(x)
			most = max(most, out[i]+1)
		}
		return out, most
	}
	var sorted []float64
	value := func(i int) float64 {
		if c.Kind == frame.Time {
			return float64(c.Time[i])
		}
		return c.Num[i]
	}
	for i := range c.Len() {
		if !c.Missing(i) {
			sorted = append(sorted, value(i))
		}
	}
	slices.Sort(sorted)
	var edges []float64
	for k := 1; k < 100; k++ {
		edges = append(edges, sorted[k*len(sorted)/100])
	}
	edges = slices.Compact(edges)
	out := make([]int, c.Len())
	for i := range out {
		out[i] = len(edges) + 1
		if !c.Missing(i) {
			out[i] = sort.SearchFloat64s(edges, value(i))
		}
	}
	return out, len(edges) + 2
}

// means gives each row the mean label of its group in the other half of the rows.
func (g *guess) means(group []int, groups int) []float64 {
	sum, count, total := make([]float64, 2*groups), make([]float64, 2*groups), 0.0
	for i, at := range group {
		sum[i%2*groups+at] += g.y[i]
		count[i%2*groups+at]++
		total += g.y[i]
	}
	total /= float64(len(group))
	out := make([]float64, len(group))
	for i, at := range group {
		other := (1-i%2)*groups + at
		out[i] = (sum[other] + total) / (count[other] + 1)
	}
	return out
}

// avoided is the part of the errors of always answering the most frequent class that
// answering the most frequent class of the group avoids.
func (g *guess) avoided(group []int, groups int) float64 {
	count := make([]int, 2*groups*g.n)
	all := make([]int, g.n)
	for i, at := range group {
		count[(i%2*groups+at)*g.n+int(g.y[i])]++
		all[int(g.y[i])]++
	}
	most := func(v []int) int { return slices.Index(v, slices.Max(v)) }
	wrong, base := 0, len(group)-slices.Max(all)
	for i, at := range group {
		other := ((1-i%2)*groups + at) * g.n
		if most(count[other:other+g.n]) != int(g.y[i]) {
			wrong++
		}
	}
	return 1 - float64(wrong)/float64(base)
}

// auc is the area under the ROC curve of scores against labels of 0 and 1, with
// midranks.
func auc(score, y []float64) float64 {
	order := make([]int, len(score))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case score[a] < score[b]:
			return -1
		case score[a] > score[b]:
			return 1
		}
		return 0
	})
	ranks, yes := 0.0, 0.0
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && score[order[j]] == score[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			if y[k] == 1 {
				ranks += float64(i+j+1) / 2
				yes++
			}
		}
		i = j
	}
	no := float64(len(y)) - yes
	if yes == 0 || no == 0 {
		return 0
	}
	return (ranks - yes*(yes+1)/2) / (yes * no)
}

// determination is R² of the answers.
func determination(answer, y []float64) float64 {
	mean := 0.0
	for _, v := range y {
		mean += v
	}
	mean /= float64(len(y))
	left, all := 0.0, 0.0
	for i, v := range y {
		left += (v - answer[i]) * (v - answer[i])
		all += (v - mean) * (v - mean)
	}
	return 1 - left/all
}

// linear is R² of the best line through the column, over its rows with a value, when
// these are at least half.
func linear(c *frame.Column, y []float64) float64 {
	if c.Kind != frame.Number {
		return 0
	}
	n, sx, sy := 0.0, 0.0, 0.0
	for i, x := range c.Num {
		if !math.IsNaN(x) {
			n, sx, sy = n+1, sx+x, sy+y[i]
		}
	}
	if n*2 < float64(len(y)) {
		return 0
	}
	xx, xy, yy := 0.0, 0.0, 0.0
	for i, x := range c.Num {
		if !math.IsNaN(x) {
			dx, dy := x-sx/n, y[i]-sy/n
			xx, xy, yy = xx+dx*dx, xy+dx*dy, yy+dy*dy
		}
	}
	if !(xx*yy > 0) {
		return 0
	}
	return xy * xy / (xx * yy)
}

// sums finds two or three columns that add up to the label, one of them perhaps with
// a minus. Three are looked for only among the first 60 columns.
func (g *guess) sums(numbers []*frame.Column) {
	for i, a := range numbers {
		for j, b := range numbers {
			if j > i && g.adds(a.Num, b.Num, nil, 1) {
				g.blame("%s + %s = %s", a, b, nil)
			}
			if j != i && g.adds(a.Num, b.Num, nil, -1) {
				g.blame("%s - %s = %s", a, b, nil)
			}
		}
	}
	numbers = slices.DeleteFunc(numbers, func(c *frame.Column) bool { return g.reasons[c.Name] != "" })
	numbers = numbers[:min(len(numbers), 60)]
	for i, a := range numbers {
		for j, b := range numbers[i+1:] {
			for _, c := range numbers[i+j+2:] {
				if g.adds(a.Num, b.Num, c.Num, 1) {
					g.blame("%s + %s + %s = %s", a, b, c)
				}
			}
		}
	}
}

// blame leaves out the columns of a sum; what already has a reason keeps it.
func (g *guess) blame(format string, a, b, c *frame.Column) {
	names := []any{a.Name, b.Name}
	of := []*frame.Column{a, b}
	if c != nil {
		names, of = append(names, c.Name), append(of, c)
	}
	text := fmt.Sprintf(format, append(names, g.target)...)
	for _, o := range of {
		if g.reasons[o.Name] == "" {
			g.reasons[o.Name] = "adds up to the answer: " + text
		}
	}
}

// adds reports whether a + sign·b (+ c) is the label in 99 of 100 rows and more, and
// not only because a part of it is nearly always zero. It stops at the first rows
// that say no.
func (g *guess) adds(a, b, c []float64, sign float64) bool {
	bad, n := 0, len(g.y)
	var empty [3]int
	for i, y := range g.y {
		sum := a[i] + sign*b[i]
		if c != nil {
			sum += c[i]
			if c[i] == 0 {
				empty[2]++
			}
		}
		if a[i] == 0 {
			empty[0]++
		}
		if b[i] == 0 {
			empty[1]++
		}
		if !(math.Abs(sum-y) <= 1e-9*max(1, math.Abs(y))) {
			if bad++; bad*100 > n {
				return false
			}
		}
	}
	return slices.Max(empty[:])*100 <= n*95
}
