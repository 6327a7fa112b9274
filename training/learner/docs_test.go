// SPDX-License-Identifier: Apache-2.0

package learner

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestTheDocumentTellsEverySetting(t *testing.T) {
	raw, err := os.ReadFile("../../docs/trainers.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\|")
	for with, read := range map[string]func(*reader){
		"builtin/gbdt":     func(r *reader) { r.gbdt() },
		"builtin/linear":   func(r *reader) { r.linear() },
		"builtin/last":     func(r *reader) { r.name("column") },
		"builtin/constant": func(*reader) {},
	} {
		r := reader{with: with}
		read(&r)
		_, part, ok := strings.Cut(string(raw), "\n## "+with+"\n")
		if !ok {
			t.Errorf("docs/trainers.md does not tell of %s", with)
		}
		part, _, _ = strings.Cut(part, "\n## ")
		var told []string
		for _, m := range row.FindAllStringSubmatch(part, -1) {
			told = append(told, m[1])
		}
		slices.Sort(told)
		slices.Sort(r.known)
		if !slices.Equal(told, r.known) {
			t.Errorf("docs/trainers.md tells of %s the settings %v; it has %v", with, told, r.known)
		}
	}
}
