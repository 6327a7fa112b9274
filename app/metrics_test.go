// SPDX-License-Identifier: Apache-2.0

package app

import (
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

var update = flag.Bool("update", false, "write the table of metrics in docs/operations.md anew")

// printed is how the library prints a metric that is registered.
var printed = regexp.MustCompile(`^Desc\{fqName: "([^"]+)", help: "((?:[^"\\]|\\.)*)", (?:unit: "[^"]*", )?constLabels: \{([^}]*)\}, variableLabels: \{([^}]*)\}\}$`)

type metric struct{ name, help, labels string }

// described are all metrics of a server, by name.
func described(t *testing.T) []metric {
	t.Helper()
	a, err := New(t.Context(), Config{Data: t.TempDir(), Listen: "127.0.0.1:0", Python: "python3", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	a.handler() // the faces have theirs
	ch := make(chan *prometheus.Desc)
	go func() { a.metrics.Describe(ch); close(ch) }()
	var out []metric
	for d := range ch {
		m := printed.FindStringSubmatch(d.String())
		if m == nil {
			t.Errorf("a metric is described as %s", d)
			continue
		}
		labels := m[4]
		if name, _, ok := strings.Cut(m[3], "="); ok {
			labels = name // of several metrics, told apart by it
		}
		out = append(out, metric{m[1], m[2], strings.ReplaceAll(labels, ",", ", ")})
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(out, func(a, b metric) int { return strings.Compare(a.name, b.name) })
	return slices.CompactFunc(out, func(a, b metric) bool { return a.name == b.name })
}

func TestTheDocumentTellsEveryMetric(t *testing.T) {
	var table strings.Builder
	table.WriteString("| metric | labels | what |\n|---|---|---|\n")
	for _, m := range described(t) {
		if strings.HasPrefix(m.name, "flyball_") {
			fmt.Fprintf(&table, "| `%s` | %s | %s |\n", m.name, m.labels, m.help)
		}
	}
	const file, begin, end = "../docs/operations.md", "<!-- metrics -->\n", "<!-- end of metrics -->"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(raw), begin)
	have, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("the marks of the table are gone")
	}
	if have == table.String() {
		return
	}
	if !*update {
		t.Fatalf("%s tells other metrics than the server has: go test ./app -run TheDocumentTellsEveryMetric -update writes\n%s", file, table.String())
	}
	if err := os.WriteFile(file, []byte(before+begin+table.String()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestTheDashboardAsksForMetricsThatTheServerHas(t *testing.T) {
	names := map[string]bool{}
	for _, m := range described(t) {
		names[m.name] = true
	}
	raw, err := os.ReadFile("../deploy/grafana/flyball.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(raw, &board); err != nil {
		t.Fatal(err)
	}
	asked := regexp.MustCompile(`\b(?:flyball|process|go)_[a-z_]+`)
	seen := 0
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			for _, name := range asked.FindAllString(target.Expr, -1) {
				seen++
				base := name
				for _, suffix := range []string{"_bucket", "_count", "_sum"} {
					base = strings.TrimSuffix(base, suffix)
				}
				if !names[name] && !names[base] {
					t.Errorf("%s asks for %s, which the server does not have", p.Title, name)
				}
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d metrics are asked for", seen)
	}
}
