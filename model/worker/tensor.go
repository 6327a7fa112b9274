// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"encoding/binary"
	"fmt"
	"math"

	"flyball/data/frame"
)

// appendRows writes the fields of rows after b, as INFER has them: one tensor a column
// (FP64, BYTES or INT64), then one BOOL tensor for each column of text that misses
// values. null are the numbers of those columns. Every frame of rows has the fields.
func appendRows(b []byte, fields []frame.Field, rows []*frame.Frame) (out []byte, null []int) {
	for k, f := range fields {
		misses := false
		for _, r := range rows {
			c := r.Column(f.Name)
			switch f.Kind {
			case frame.Number:
				for _, v := range c.Num {
					b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
				}
			case frame.Text:
				for _, s := range c.Text {
					b = binary.LittleEndian.AppendUint32(b, uint32(len(s)))
					b = append(b, s...)
				}
				misses = misses || c.Null != nil
			case frame.Time:
				for _, v := range c.Time {
					b = binary.LittleEndian.AppendUint64(b, uint64(v))
				}
			}
		}
		if misses {
			null = append(null, k)
		}
	}
	for _, k := range null {
		for _, r := range rows {
			c := r.Column(fields[k].Name)
			for i := range r.Rows() {
				b = append(b, bit(c.Missing(i)))
			}
		}
	}
	return b, null
}

func bit(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// rowBytes is how many bytes appendRows needs for rows, near enough.
func rowBytes(fields []frame.Field, rows []*frame.Frame) int {
	n := 0
	for _, r := range rows {
		n += 9 * len(fields) * r.Rows()
	}
	return n
}

// readScores reads the FP64 tensor of a RESULT: want numbers.
func readScores(f message, want int) ([]float64, error) {
	if f.tensors != 1 || len(f.body) != 8*want {
		return nil, fmt.Errorf("%w: an answer of %d bytes in %d tensors, not %d in one", errGarbage, len(f.body), f.tensors, 8*want)
	}
	out := make([]float64, want)
	for i := range out {
		out[i] = math.Float64frombits(binary.LittleEndian.Uint64(f.body[8*i:]))
	}
	return out, nil
}

// readTexts reads the BYTES tensor of a RESULT: want texts, which share its memory.
func readTexts(f message, want int) ([][]byte, error) {
	if f.tensors != 1 || want > len(f.body)/4 {
		return nil, fmt.Errorf("%w: an answer of %d bytes in %d tensors, not %d texts in one", errGarbage, len(f.body), f.tensors, want)
	}
	out := make([][]byte, want)
	b := f.body
	for i := range out {
		if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
			return nil, fmt.Errorf("%w: text %d of %d ends too early", errGarbage, i, want)
		}
		n := binary.LittleEndian.Uint32(b)
		out[i], b = b[4:4+n:4+n], b[4+n:]
	}
	if len(b) != 0 {
		return nil, fmt.Errorf("%w: %d bytes after the last text", errGarbage, len(b))
	}
	return out, nil
}
