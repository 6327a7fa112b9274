// SPDX-License-Identifier: Apache-2.0

package store

import (
	"math"
	"strings"
	"testing"

	"flyball/fault"
)

func FuzzAPlaceInAHistoryIsReadAsItWasWrittenOrRefused(f *testing.F) {
	for _, p := range []point{{}, {at: math.MaxInt64, step: math.MinInt64, nan: 1}, {at: -1, step: 1, value: -5e-324}, {value: math.MaxFloat64}} {
		f.Add(p.place())
	}
	f.Add("")
	f.Add("eyJvZmZzZXQiOiAwfQ")
	f.Add("MSAyIDAgN2ZmODAwMDAwMDAwMDAwMQ")
	f.Fuzz(func(t *testing.T, token string) {
		p, err := readPlace(token)
		if err != nil {
			if !fault.Is(err, fault.Invalid) || len(err.Error()) > 600 {
				t.Errorf("got %v", err)
			}
			return
		}
		if again, err := readPlace(p.place()); err != nil || again != p {
			t.Errorf("%q: got %v, %v; want %v", token, again, err, p)
		}
	})
}

func TestSamplesAreThoseOfNtile(t *testing.T) {
	for count := 1; count < 60; count++ {
		for n := 1; n < 70; n++ {
			var want []int
			buckets := min(n, count)
			for at, bucket := 0, 0; bucket < buckets; bucket++ { // as the standard says of NTILE
				want = append(want, at)
				at += count / buckets
				if bucket < count%buckets {
					at++
				}
			}
			want[len(want)-1] = count - 1
			got := firsts(count, n)
			for i := range want {
				if len(got) != len(want) || got[i] != want[i] {
					t.Fatalf("%d of %d: got %v, want %v", n, count, got, want)
				}
			}
		}
	}
}

func TestTheHeadOfATextIsWhatAnIndexHolds(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"short", "short"},
		{strings.Repeat("x", 64), strings.Repeat("x", 64)},
		{strings.Repeat("x", 65), strings.Repeat("x", 64)},
		{strings.Repeat("日", 65), strings.Repeat("日", 64)},
		{strings.Repeat("🦊", 6000), strings.Repeat("🦊", 64)},
	} {
		if got := head(c.text); got != c.want {
			t.Errorf("of %d bytes: got %d bytes, want %d", len(c.text), len(got), len(c.want))
		}
	}
}
