// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"math/bits"
	"unicode/utf8"
)

// hash sets one of the columns to 1 or -1 by the category's hash, as scikit-learn's
// FeatureHasher does with input_type "string"; a missing value is zero in all.
func (s *step) hash(b *batch) {
	outs := s.outs
	for k := range s.in {
		in := &s.in[k]
		words := b.words[in.slot]
		n := s.spec.Features
		if !s.direct {
			for _, slot := range outs[:n] {
				clear(b.nums[slot][:b.n])
			}
		}
		for row := range b.n {
			word, ok := words.at(row, in.fill)
			if !ok {
				continue
			}
			if !utf8.ValidString(word) {
				word = valid(word)
			}
			at, sign := bucket(word, n)
			s.write(b, k, row, at, outs, sign)
		}
		outs = outs[n:]
	}
}

// write puts x where the feature at of the k-th column stands: in the matrix, where no
// step reads it, or in its slot of outs.
func (s *step) write(b *batch, k, row, at int, outs []int, x float64) {
	if !s.direct {
		b.nums[outs[at]][row] = x
	} else if f := s.at[k][at]; f >= 0 {
		b.to[row*b.cols+f] = float32(x)
	}
}

// bucket is the place of a token among n, and the sign of its hash.
func bucket[T string | []byte](token T, n int) (at int, sign float64) {
	h := int64(int32(murmur3(token)))
	if h < 0 {
		return int(-h % int64(n)), -1
	}
	return int(h % int64(n)), 1
}

// murmur3 is MurmurHash3_x86_32 with seed 0, by Austin Appleby (public domain), which
// scikit-learn hashes tokens with.
func murmur3[T string | []byte](s T) uint32 {
	const c1, c2 = 0xcc9e2d51, 0x1b873593
	var h uint32
	n := len(s)
	i := 0
	for ; i+4 <= n; i += 4 {
		k := uint32(s[i]) | uint32(s[i+1])<<8 | uint32(s[i+2])<<16 | uint32(s[i+3])<<24
		h ^= bits.RotateLeft32(k*c1, 15) * c2
		h = bits.RotateLeft32(h, 13)*5 + 0xe6546b64
	}
	var k uint32
	for j := n - 1; j >= i; j-- {
		k = k<<8 | uint32(s[j])
	}
	h ^= bits.RotateLeft32(k*c1, 15) * c2
	h ^= uint32(n)
	h ^= h >> 16
	h *= 0x85ebca6b
	h ^= h >> 13
	h *= 0xc2b2ae35
	return h ^ h>>16
}
