// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"encoding/binary"
	"math"

	"flyball/data/pipeline"
	"flyball/ident"
)

// maxSampled is how many features a row may have to be sampled: the log keeps them.
const maxSampled = 4096

// sample is the features of row i, as the log keeps them, of one row in 128, which its id
// draws; nil for the others, and where there are none. Monitoring makes the features of
// these rows again, and looks whether they are the same.
func sample(id ident.PredictionID, features pipeline.Matrix, i int) []byte {
	if n := len(id); n < 2 || id[n-1] != '0' || id[n-2] != '0' && id[n-2] != '8' || features.Cols > maxSampled || i >= features.Rows {
		return nil
	}
	out := make([]byte, 0, 4*features.Cols)
	for _, x := range features.Row(i) {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(x))
	}
	return out
}
