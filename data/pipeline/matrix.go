// SPDX-License-Identifier: Apache-2.0

package pipeline

// Matrix is rows of features, ready for an estimator: row-major float32, NaN where
// missing.
type Matrix struct {
	Names []string // of the columns; len Cols
	Rows  int
	Cols  int
	Data  []float32 // len Rows*Cols; row i is Data[i*Cols:(i+1)*Cols]
}

// Row is row i, sharing the matrix's memory.
func (m Matrix) Row(i int) []float32 { return m.Data[i*m.Cols : (i+1)*m.Cols : (i+1)*m.Cols] }

// Unseen is a category that the fit had not met, at one row of a batch.
type Unseen struct {
	Row    int
	Column string
}
