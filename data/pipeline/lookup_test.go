// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"fmt"
	"strings"
	"testing"
)

func TestALookupFindsWhatItsMapFindsAndNothingElse(t *testing.T) {
	for name, word := range map[string]func(i int) string{
		"short":                   func(i int) string { return fmt.Sprint(i) },
		"long":                    func(i int) string { return fmt.Sprint("category ", i) },
		"alike at both ends":      func(i int) string { return "beginning " + fmt.Sprint(i+1000) + " and its end" },
		"of nothing but a length": func(i int) string { return strings.Repeat("\x00", i) },
	} {
		for _, n := range []int{0, 1, 2, 40, 256, 257, 1000} {
			all := map[string]int{}
			for i := range n {
				all[word(i)] = i
			}
			l := lookupOf(all)
			for i := range n + 50 {
				got, ok := l.at(word(i))
				want, known := all[word(i)]
				if got != want || ok != known {
					t.Fatalf("%s, %d words: %q is at %d, %v; want %d, %v", name, n, word(i), got, ok, want, known)
				}
			}
			if at, ok := l.at(""); name == "long" && ok {
				t.Errorf("%d words: the empty one is at %d", n, at)
			}
		}
	}
}
