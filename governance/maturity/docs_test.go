// SPDX-License-Identifier: Apache-2.0

package maturity

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the table of checks in docs/maturity.md")

func TestTheDocumentTellsEveryCheck(t *testing.T) {
	const path, begin, end = "../../docs/maturity.md", "<!-- go test ./governance/maturity -run Document -update -->\n", "<!-- end -->"
	var b strings.Builder
	for level := 1; level <= Levels; level++ {
		fmt.Fprintf(&b, "\n### Level %d\n\n| check | area | what must hold | what to do |\n|---|---|---|---|\n", level)
		for _, c := range Checks() {
			if c.Level != level {
				continue
			}
			mark := ""
			if c.Kind == Mixed {
				mark = " *"
			}
			fmt.Fprintf(&b, "| `%s`%s | %s | %s | `%s` |\n", c.ID, mark, c.Area, c.Rule, strings.ReplaceAll(c.Next, "|", "\\|"))
		}
	}
	b.WriteString("\n")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(raw), begin)
	got, after, ok := strings.Cut(rest, end)
	if !ok {
		t.Fatal("docs/maturity.md has no table of checks")
	}
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+b.String()+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if got != b.String() {
		t.Error("docs/maturity.md tells of other checks: go test ./governance/maturity -run Document -update writes them")
	}
}
