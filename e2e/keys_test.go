// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"strings"
	"testing"
)

// TestThePagesAreReadByKeysAlone goes from page to page without a pointer.
func TestThePagesAreReadByKeysAlone(t *testing.T) {
	t.Parallel()
	w := settles(t, 5)
	r := browses(t, w.url)
	r.signsIn("chen", password)
	r.opens("/release?model=" + bike)
	goes := func(keys, to string) {
		t.Helper()
		before := r.born()
		r.key(keys)
		until[bool](r, keys+" leads on", `performance.timeOrigin !== `+before+` || null`)
		r.born()
		if got := until[string](r, "the address", `location.pathname + location.search`); got != to {
			t.Errorf("%s leads to %s, want %s", keys, got, to)
		}
		if r.heading() == "" {
			t.Errorf("%s has no heading", to)
		}
	}
	goes("gm", "/monitors?model="+bike)
	goes("gv", "/model?model="+bike)
	goes("gb", "/inbox")
	goes("gl", "/")
	r.key("?")
	r.reads("compare marked")
	r.key("\x1b")
	until[bool](r, "Esc closes", `!document.querySelector("dialog[open]") || null`)
	r.opens("/runs?experiment=" + bike)
	r.key("jx")
	marked := until[[]string](r, "what is marked", `[...document.querySelectorAll("#runs input:checked")].map((e) => e.getAttribute("aria-label"))`)
	if len(marked) != 1 || !strings.HasPrefix(marked[0], "Mark run ") {
		t.Errorf("j and x mark %v", marked)
	}
	r.key("o")
	r.reads("Params", "trees")
}
