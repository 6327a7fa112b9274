// SPDX-License-Identifier: Apache-2.0

package learnertest

import (
	"cmp"
	"slices"
)

// AUC is the share of pairs of unlike labels, of 0 and 1, in which the score of the 1 is
// higher; equal scores count half. It is NaN without a pair.
func AUC(truth, scores []float64) float64 {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
	var pairs, below, ones float64
	for i := 0; i < len(order); {
		j, pos, neg := i, 0.0, 0.0
		for ; j < len(order) && scores[order[j]] == scores[order[i]]; j++ {
			pos += truth[order[j]]
			neg += 1 - truth[order[j]]
		}
		pairs += pos * (below + neg/2)
		below, ones = below+neg, ones+pos
		i = j
	}
	return pairs / (below * ones)
}
