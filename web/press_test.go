// SPDX-License-Identifier: Apache-2.0

package web

import "testing"

func TestAnAnswerIsCompressedForWhoTakesIt(t *testing.T) {
	for accepts, want := range map[string]bool{
		"":                    false,
		"gzip":                true,
		"gzip, deflate, br":   true,
		"br;q=1.0, gzip;q=.5": true,
		"deflate":             false,
		"gzip;q=0":            false,
		"gzip; q=0.000":       false,
		"*":                   false,
	} {
		if got := takesGzip(accepts); got != want {
			t.Errorf("%q: got %v", accepts, got)
		}
	}
}
