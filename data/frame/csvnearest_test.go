// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"testing"
)

func TestThePowersOfTenAreCutTo128Bits(t *testing.T) {
	for i, got := range powers {
		exp := int64(i + leastPower)
		ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(max(exp, -exp)), nil)
		want := new(big.Int).Lsh(ten, 512)
		if exp < 0 {
			want.Quo(new(big.Int).Lsh(big.NewInt(1), 512), ten)
		}
		want.Rsh(want, uint(want.BitLen()-128))
		if is := new(big.Int).SetUint64(got[0]); is.Lsh(is, 64).Add(is, new(big.Int).SetUint64(got[1])).Cmp(want) != 0 {
			t.Errorf("1e%d: got %x, want %x", exp, got, want)
		}
	}
}

func TestTheNearestFloatIsThatOfTheStandardLibrary(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	known := 0
	const n = 300_000
	for i := range n {
		m, exp := r.Uint64()>>r.UintN(64), leastPower+r.IntN(len(powers))
		switch i % 3 {
		case 1: // what programs write of a float64
			m = math.Float64bits(r.Float64())%9e16 + 1e16
		case 2: // the middle between two of them, and next to it
			m = 1<<63 + 1<<10 + r.Uint64()&^(1<<11-1)>>1 + r.Uint64N(3) - 1
			exp %= 4
		}
		got, ok := nearest(m, exp)
		if !ok {
			continue
		}
		known++
		want, err := strconv.ParseFloat(strconv.FormatUint(m, 10)+"e"+strconv.Itoa(exp), 64)
		if err != nil || math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("%de%d: got %v, want %v", m, exp, got, want)
		}
	}
	if known < n*9/10 {
		t.Errorf("%d of %d are known", known, n)
	}
	if _, ok := nearest(1, mostPower+1); ok {
		t.Error("a power beyond the table is known")
	}
}
