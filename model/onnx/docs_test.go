// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the list of operators in docs/onnx.md")

func TestTheListOfOperatorsIsThatOfTheDocument(t *testing.T) {
	const path, begin, end = "../../docs/onnx.md", "TestTheListOfOperatorsIsThatOfTheDocument -->\n", "<!-- end -->"
	by := map[string][]string{"": nil, domainML: {"ZipMap"}}
	for _, o := range operators() {
		by[o.domain] = append(by[o.domain], o.name)
	}
	list := func(domain, title string) string {
		slices.Sort(by[domain])
		return "**" + title + "**: " + strings.Join(by[domain], ", ") + ".\n"
	}
	want := list("", "ai.onnx") + "\n" + list(domainML, domainML)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(b), begin)
	got, after, ok := strings.Cut(rest, end)
	if !ok {
		t.Fatal("docs/onnx.md has no list of operators")
	}
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if got != want {
		t.Errorf("docs/onnx.md lists other operators; go test ./model/onnx -run Document -update rewrites it")
	}
}
