// SPDX-License-Identifier: Apache-2.0

package oip

import (
	"strings"
	"testing"

	"flyball/fault"
)

// TestJSONThatIsNestedDeepIsRefused has bodies that a reader which calls itself for each
// bracket would end the process on.
func TestJSONThatIsNestedDeepIsRefused(t *testing.T) {
	for name, open := range map[string]string{"lists": "[", "objects": `{"a":`, "both": `[{"a":`} {
		deep := strings.Repeat(open, 8<<20/len(open))
		for _, body := range []string{deep, `{"inputs":` + deep, `{"x":` + deep, in(one("a", "FP64", "[1]", deep))} {
			if req, err := readJSON([]byte(body), nil); err == nil {
				s := wideSchema()
				if _, err = s.frame(req.tensors); !fault.Is(err, fault.Invalid) {
					t.Errorf("%s: got %v", name, err)
				}
			} else if !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: got %v", name, err)
			}
		}
	}
}
