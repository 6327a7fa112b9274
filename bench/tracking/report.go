// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// table prints what both servers did on one engine, as Markdown.
func table(out io.Writer, s settings, engine string, results map[string]map[string]result, memory map[string]int64) {
	title := map[string]string{"sqlite": "SQLite", "postgres": "PostgreSQL"}[engine]
	fmt.Fprintf(out, "\n%s; %d clients at once, %s runs of 20 metrics and 20 params to search in, a history of %s points\n\n",
		title, s.clients, grouped(int64(s.runs)), grouped(int64(s.points)))
	fmt.Fprintln(out, "| requests a core-second | MLflow | Flyball | ratio | ratio of the servers without the database | MLflow, one takes | Flyball, one takes |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|---|")
	for _, op := range (&bench{}).operations() {
		m, ok := results["mlflow"][op.name]
		f, also := results["flyball"][op.name]
		if !ok || !also {
			continue
		}
		clients := s.clients
		if op.clients > 0 {
			clients = op.clients
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s × | %s × | %s | %s |\n", op.name+failures(m, f), short(m.rate()), short(f.rate()),
			times(f.rate()/m.rate()), times(f.ownRate()/m.ownRate()),
			took(m.latency(clients)), took(f.latency(clients)))
	}
	fmt.Fprintf(out, "| the most memory of the server | %d MB | %d MB | %.2f × | | | |\n", memory["mlflow"]>>20, memory["flyball"]>>20,
		float64(memory["flyball"])/float64(memory["mlflow"]))
}

// failures names requests that failed: a rate without them would flatter.
func failures(m, f result) string {
	var out []string
	if m.failed > 0 {
		out = append(out, fmt.Sprintf("%d of MLflow's failed", m.failed))
	}
	if f.failed > 0 {
		out = append(out, fmt.Sprintf("%d of Flyball's failed", f.failed))
	}
	if out == nil {
		return ""
	}
	return " (" + strings.Join(out, ", ") + ")"
}

func transferTable(out io.Writer, s settings, got map[string]transfer, memory map[string]int64) {
	fmt.Fprintf(out, "\nAn artifact of %d MB, the best of three turns\n\n", s.bytes>>20)
	fmt.Fprintln(out, "| | MLflow | Flyball | plain file server | Flyball to MLflow | Flyball to plain |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|")
	for _, l := range []struct {
		name string
		of   func(transfer) time.Duration
	}{
		{"upload", func(t transfer) time.Duration { return t.up }},
		{"download", func(t transfer) time.Duration { return t.down }},
		{"upload, processor", func(t transfer) time.Duration { return t.upCPU }},
		{"download, processor", func(t transfer) time.Duration { return t.downCPU }},
	} {
		m, f, p := l.of(got["mlflow"]), l.of(got["flyball"]), l.of(got["files"])
		fmt.Fprintf(out, "| %s | %s | %s | %s | %.1f × faster | takes %.2f × |\n", l.name, took(m), took(f), took(p),
			m.Seconds()/f.Seconds(), f.Seconds()/p.Seconds())
	}
	fmt.Fprintf(out, "| the most memory | %d MB | %d MB | %d MB | | |\n", memory["mlflow"]>>20, memory["flyball"]>>20, memory["files"]>>20)
}

func took(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func short(x float64) string {
	if x < 10 {
		return fmt.Sprintf("%.2f", x)
	}
	return grouped(int64(x + 0.5))
}

// times is a ratio: whole, but for small ones.
func times(x float64) string {
	if x < 10 {
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

// grouped is a number with a comma before each three digits.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
