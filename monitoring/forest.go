// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"cmp"
	"math"
	"slices"
)

const (
	trees     = 20
	treeDepth = 3
	treeRate  = 0.4
	treeLeast = 5.0           // curvature of a leaf: 20 rows
	treeRows  = 500           // of each side
	codes     = maxGroups + 1 // the last is missing
)

// tellApart is how well a small boosted classifier tells the rows of a from those of b,
// both by column: the area under the curve over rows that it was not fitted on (every
// other one, in turn), ½ where it cannot, and how much each column helped. Of either
// side it looks at 500 rows, evenly. It draws nothing: equal rows give equal numbers.
func tellApart(a, b [][]uint8) (auc float64, gain []float64) {
	gain = make([]float64, len(a))
	a, b = thinned(a, treeRows), thinned(b, treeRows)
	if len(a) == 0 || len(a[0]) < 4 || len(b[0]) < 4 {
		return 0.5, gain
	}
	now := len(a[0])
	n := now + len(b[0])
	x, y, even := make([][]uint8, len(a)), make([]float64, n), make([]bool, n)
	for c := range a {
		x[c] = slices.Concat(a[c], b[c])
	}
	for i := range n {
		if y[i] = 1; i >= now {
			y[i] = 0
		}
		even[i] = (i-now)&1 == 0
	}
	for _, fitted := range []bool{true, false} {
		m := boosted(x, y, func(i int) bool { return even[i] == fitted }, gain)
		auc += areaOf(m, y, func(i int) bool { return even[i] != fitted }) / 2
	}
	return auc, gain
}

// boosted is the log-odds of all rows by trees fitted on some: each level of a tree
// splits all its nodes at the best code of a column.
func boosted(x [][]uint8, y []float64, fit func(int) bool, gain []float64) []float64 {
	n := len(y)
	margin, node := make([]float64, n), make([]int, n)
	g, h := make([]float64, n), make([]float64, n)
	sums := make([][codes][2]float64, len(x)<<(treeDepth-1))
	var fitted []int
	for i := range n {
		if fit(i) {
			fitted = append(fitted, i)
		}
	}
	for range trees {
		clear(node)
		for _, i := range fitted {
			p := 1 / (1 + math.Exp(-margin[i]))
			g[i], h[i] = p-y[i], p*(1-p)
		}
		for depth := range treeDepth {
			nodes := 1 << depth
			clear(sums[:nodes*len(x)])
			for c, column := range x {
				for _, i := range fitted {
					s := &sums[node[i]*len(x)+c][column[i]]
					s[0] += g[i]
					s[1] += h[i]
				}
			}
			column, at := make([]int, nodes), make([]uint8, nodes)
			for k := range nodes {
				column[k], at[k] = bestSplit(sums[k*len(x):(k+1)*len(x)], gain)
			}
			for i := range n {
				k := node[i]
				node[i] = 2 * k
				if column[k] >= 0 && x[column[k]][i] > at[k] {
					node[i]++
				}
			}
		}
		var leaf [1 << treeDepth][2]float64
		for _, i := range fitted {
			leaf[node[i]][0] += g[i]
			leaf[node[i]][1] += h[i]
		}
		for i := range n {
			l := &leaf[node[i]]
			margin[i] -= treeRate * l[0] / (l[1] + 1)
		}
	}
	return margin
}

// bestSplit is the column and code after which a node's rows are best parted; column
// -1: nothing is gained.
func bestSplit(sums [][codes][2]float64, gain []float64) (column int, at uint8) {
	best, column := 0.0, -1
	for c := range sums {
		g, h := 0.0, 0.0
		for k := range sums[c] {
			g, h = g+sums[c][k][0], h+sums[c][k][1]
		}
		whole, left, low := g*g/(h+1), 0.0, 0.0
		for k := range codes - 1 {
			left, low = left+sums[c][k][0], low+sums[c][k][1]
			if low < treeLeast || h-low < treeLeast {
				continue
			}
			if v := left*left/(low+1) + (g-left)*(g-left)/(h-low+1) - whole; v > best {
				best, column, at = v, c, uint8(k)
			}
		}
	}
	if column >= 0 {
		gain[column] += best
	}
	return column, at
}

// areaOf is the area under the curve of some rows; ½ where they are of one kind.
func areaOf(score, y []float64, of func(int) bool) float64 {
	var at []int
	for i := range y {
		if of(i) {
			at = append(at, i)
		}
	}
	slices.SortFunc(at, func(a, b int) int { return cmp.Compare(score[a], score[b]) })
	yes, no, area := 0.0, 0.0, 0.0
	for i := 0; i < len(at); {
		p, m := 0.0, 0.0
		for first := score[at[i]]; i < len(at) && score[at[i]] == first; i++ {
			p, m = p+y[at[i]], m+1-y[at[i]]
		}
		area += p * (no + m/2)
		yes, no = yes+p, no+m
	}
	if yes == 0 || no == 0 {
		return 0.5
	}
	return area / (yes * no)
}
