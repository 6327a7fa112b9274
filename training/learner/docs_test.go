// SPDX-License-Identifier: Apache-2.0

package learner

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of settings in docs/trainers.md anew")

// TestTheDocumentTellsEverySetting holds the tables to what the learners ask for.
func TestTheDocumentTellsEverySetting(t *testing.T) {
	const file = "../../docs/trainers.md"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for _, with := range []string{"builtin/gbdt", "builtin/linear", "builtin/last"} {
		r := reader{with: with}
		r.learner()
		var table strings.Builder
		table.WriteString("| setting | when left out | range | what it is |\n|---|---|---|---|\n")
		for _, s := range r.asked {
			fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", s.name, s.or, s.within, s.what)
		}
		begin, end := "<!-- settings of "+with+" -->\n", "<!-- end of settings -->"
		before, rest, ok := strings.Cut(text, begin)
		have, after, ok2 := strings.Cut(rest, end)
		switch {
		case !ok || !ok2:
			t.Fatalf("the marks of the table of %s are gone", with)
		case have != table.String() && !*update:
			t.Errorf("%s tells otherwise of %s: go test ./training/learner -run TheDocument -update writes\n%s", file, with, table.String())
		}
		text = before + begin + table.String() + end + after
	}
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
