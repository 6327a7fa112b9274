// SPDX-License-Identifier: Apache-2.0

package scoring

import (
	"strings"
	"testing"
)

// TestJSONThatIsNestedDeepIsRefused has bodies that a reader which calls itself for each
// bracket would end the process on.
func TestJSONThatIsNestedDeepIsRefused(t *testing.T) {
	for name, open := range map[string]string{"lists": "[", "objects": `{"a":`, "both": `[{"a":`} {
		deep := strings.Repeat(open, 8<<20/len(open))
		for _, body := range []string{deep, `{"inputs":` + deep, `{"instances":` + deep, `{"dataframe_records":` + deep, `{"dataframe_split":{"data":` + deep} {
			if _, err := readJSON([]byte(body)); err == nil {
				t.Errorf("%s: it was read", name)
			}
		}
	}
}
