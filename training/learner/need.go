// SPDX-License-Identifier: Apache-2.0

package learner

import "math"

// Need is about how many bytes a fit holds at once: the features, what the learner makes
// of them, and what it keeps of each row. It errs to the high side where trees are deep.
// It is 0 for settings that New refuses.
func Need(with string, settings map[string]any, rows, cols, outputs int) float64 {
	l, err := New(with, settings)
	if err != nil {
		return 0
	}
	n, m, k := float64(rows), float64(cols), float64(outputs)
	features := 4*n*m + 24*n // and label, weight and time
	switch l := l.(type) {
	case *gbdt:
		const histogram = 256 * 16 // of a feature
		nodes := math.Min(math.Exp2(float64(l.depth-1)), n/2+1)
		return features + n*m + n*(64+12*k) + nodes*m*histogram
	case *linearModel:
		size := math.Min(k*(m+1), densest)
		return features + 8*n*(m+1) + 8*n*(2+2*k) + 8*size*size
	}
	return features + 8*n
}
