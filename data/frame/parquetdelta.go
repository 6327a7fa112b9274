// SPDX-License-Identifier: Apache-2.0

package frame

import "encoding/binary"

// deltas walks want numbers that are written by their differences (DELTA_BINARY_PACKED of
// Parquet's Encodings.md) and gives what stands behind them. Each number goes to each, where
// there is one; then none may differ by more than 32 bits.
func (p *pages) deltas(b []byte, want int64, each func(int64) error) (rest []byte, err error) {
	var head [3]uint64 // numbers in a block, parts of a block, numbers in all
	for i := range head {
		n := 0
		if head[i], n = uvarint(b); n <= 0 {
			return nil, p.wrong("a page is cut off")
		}
		b = b[n:]
	}
	block, parts, total := head[0], head[1], head[2]
	if parts == 0 || block == 0 || block > 1<<16 || block%parts != 0 || block/parts%32 != 0 || total != uint64(want) {
		return nil, p.wrong("%d differences in a page of %d values", total, want)
	}
	if err := p.take(want+int64(block), 8); err != nil {
		return nil, err
	}
	x, n := binary.Varint(b)
	if n <= 0 {
		return nil, p.wrong("a page is cut off")
	}
	b = b[n:]
	if want > 0 && each != nil {
		if err := each(x); err != nil {
			return nil, err
		}
	}
	for left := want - 1; left > 0; {
		least, n := binary.Varint(b)
		if n <= 0 || uint64(len(b)-n) < parts {
			return nil, p.wrong("a page is cut off")
		}
		widths := b[n : n+int(parts)]
		b = b[n+int(parts):]
		for _, width := range widths {
			if left <= 0 {
				break
			}
			long := int(block/parts) * int(width) / 8
			if width > 64 || width > 32 && each != nil || long > len(b) {
				return nil, p.wrong("a page is cut off")
			}
			use := min(left, int64(block/parts))
			for i := range use {
				if each == nil {
					break
				}
				x += least + int64(bitsAt(b, uint(i)*uint(width), uint(width)))
				if err := each(x); err != nil {
					return nil, err
				}
			}
			b = b[long:]
			left -= use
		}
	}
	return b, nil
}

// lengths checks that b holds the lengths of n texts and then the texts
// (DELTA_LENGTH_BYTE_ARRAY).
func (p *pages) lengths(b []byte, n int64) error {
	sum, size := int64(0), int64(len(b))
	rest, err := p.deltas(b, n, func(x int64) error {
		if x < 0 || x > size {
			return p.wrong("a text of %d bytes in a page of %d", x, size)
		}
		sum += x
		return nil
	})
	if err == nil && sum > int64(len(rest)) {
		return p.wrong("texts of %d bytes in %d", sum, len(rest))
	}
	return err
}
