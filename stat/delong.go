// SPDX-License-Identifier: Apache-2.0

package stat

import (
	"cmp"
	"math"
	"slices"
)

// AUCs are the areas under the curves of two scores on the same rows, with their
// covariance matrix after DeLong.
type AUCs struct {
	A, B              float64
	VarA, VarB, Covar float64
}

// DeLong compares the areas of scores a and b for the truth (above 0.5: positive)
// by the midranks of Sun and Xu (2014), in O(n log n). ok is false when the lengths
// differ or a class has fewer than two rows.
func DeLong(truth, a, b []float64) (out AUCs, ok bool) {
	if len(a) != len(truth) || len(b) != len(truth) {
		return AUCs{}, false
	}
	pos := 0
	for _, y := range truth {
		if y > 0.5 {
			pos++
		}
	}
	if pos < 2 || len(truth)-pos < 2 {
		return AUCs{}, false
	}
	pa, na := placements(truth, a, pos)
	pb, nb := placements(truth, b, pos)
	m, n := float64(len(pa)), float64(len(na))
	out.A, out.B = MeanOf(pa).Value, MeanOf(pb).Value
	out.VarA = covariance(pa, pa)/m + covariance(na, na)/n
	out.VarB = covariance(pb, pb)/m + covariance(nb, nb)/n
	out.Covar = covariance(pa, pb)/m + covariance(na, nb)/n
	return out, true
}

// HanleyMcNeil is the standard error to plan with of an area of auc over pos
// positives and neg negatives (Hanley and McNeil 1982). Without rows of both classes
// it is infinite.
func HanleyMcNeil(auc float64, pos, neg int) float64 {
	if pos < 1 || neg < 1 {
		return math.Inf(1)
	}
	m, n, square := float64(pos), float64(neg), auc*auc
	q1, q2 := auc/(2-auc)-square, 2*square/(1+auc)-square
	return math.Sqrt(max(0, (auc*(1-auc)+(m-1)*q1+(n-1)*q2)/(m*n)))
}

// placements is, for each positive, the share of negatives below it and, for each
// negative, the share of positives above it; a tie counts half.
func placements(truth, score []float64, pos int) (positives, negatives []float64) {
	neg := len(truth) - pos
	var p, n []float64
	for i, y := range truth {
		if y > 0.5 {
			p = append(p, score[i])
		} else {
			n = append(n, score[i])
		}
	}
	all, rp, rn := midranks(append(slices.Clone(p), n...)), midranks(p), midranks(n)
	for i := range p {
		positives = append(positives, (all[i]-rp[i])/float64(neg))
	}
	for i := range n {
		negatives = append(negatives, 1-(all[pos+i]-rn[i])/float64(pos))
	}
	return positives, negatives
}

func midranks(x []float64) []float64 {
	order := ascending(x)
	rank := make([]float64, len(x))
	for i := 0; i < len(order); {
		j := i + 1
		for j < len(order) && cmp.Compare(x[order[j]], x[order[i]]) == 0 {
			j++
		}
		for k := i; k < j; k++ {
			rank[order[k]] = float64(i+j+1) / 2
		}
		i = j
	}
	return rank
}

func covariance(a, b []float64) float64 {
	ma, mb, s := MeanOf(a).Value, MeanOf(b).Value, 0.0
	for i := range a {
		s += (a[i] - ma) * (b[i] - mb)
	}
	return s / float64(len(a)-1)
}
