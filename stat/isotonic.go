// SPDX-License-Identifier: Apache-2.0

package stat

// Isotonic is the rising line (never falling) through values in their order that is
// nearest to them in squares weighted by w: neighbours that fall are pooled to their
// mean (pool adjacent violators, as scikit-learn's isotonic regression). A nil w weighs
// all alike; a w of another length, or with one that is not above zero, gives nil.
func Isotonic(values, w []float64) []float64 {
	if w != nil && len(w) != len(values) {
		return nil
	}
	type pool struct {
		mean, weight float64
		n            int
	}
	var pools []pool
	for i, v := range values {
		p := pool{v, 1, 1}
		if w != nil {
			p.weight = w[i]
		}
		if !(p.weight > 0) {
			return nil
		}
		for len(pools) > 0 && pools[len(pools)-1].mean >= p.mean {
			last := pools[len(pools)-1]
			pools = pools[:len(pools)-1]
			all := last.weight + p.weight
			p = pool{(last.mean*last.weight + p.mean*p.weight) / all, all, last.n + p.n}
		}
		pools = append(pools, p)
	}
	out := make([]float64, 0, len(values))
	for _, p := range pools {
		for range p.n {
			out = append(out, p.mean)
		}
	}
	return out
}
