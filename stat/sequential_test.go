// SPDX-License-Identifier: Apache-2.0

package stat

import "testing"

func TestSequentialTestsAgreeWithReferences(t *testing.T) {
	near(t, "n100", SequenceHalfWidth(100, 1, 1000, 0.05), 0.385505, 1e-6)
	near(t, "n5000", SequenceHalfWidth(5000, 1, 5000, 0.05), 0.042924, 1e-6)
	near(t, "5 of 100", RateEvidence(5, 100, 0.01), 1.238174, 1e-6)
	near(t, "0 of 20", RateEvidence(0, 20, 0.05), -3.044522, 1e-6)
}
