// SPDX-License-Identifier: Apache-2.0

package shap

import "math"

// gauss gives the nodes and weights of the Gauss-Legendre rule of n nodes over 0…1,
// which takes polynomials up to degree 2n-1 exactly. The nodes are the roots of the
// Legendre polynomial, found by Newton's method (Abramowitz and Stegun, 25.4.30).
func gauss(n int) (nodes, weights []float64) {
	nodes, weights = make([]float64, n), make([]float64, n)
	for i := range n {
		x := math.Cos(math.Pi * (float64(i) + 0.75) / (float64(n) + 0.5))
		slope := 0.0
		for range 100 {
			var value float64
			value, slope = legendre(n, x)
			step := value / slope
			x -= step
			if math.Abs(step) < 1e-16 {
				break
			}
		}
		_, slope = legendre(n, x)
		nodes[i] = (1 - x) / 2
		weights[i] = 1 / ((1 - x*x) * slope * slope)
	}
	return nodes, weights
}

// legendre is the Legendre polynomial of degree n at x, and its slope.
func legendre(n int, x float64) (value, slope float64) {
	before, value := 1.0, x
	for k := 2; k <= n; k++ {
		before, value = value, (float64(2*k-1)*x*value-float64(k-1)*before)/float64(k)
	}
	return value, float64(n) * (x*value - before) / (x*x - 1)
}
