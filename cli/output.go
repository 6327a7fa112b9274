// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/goccy/go-yaml"
)

// table is what a command shows of a list: a head, rows of text, and how many of
// the columns are shown unless all are asked for.
type table struct {
	head  []string
	short int // columns without -o wide; 0: all
	rows  [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// show prints t, or whole as JSON or YAML, as -o asks.
func (e *env) show(whole any, t table) error {
	switch e.format {
	case "json":
		enc := json.NewEncoder(e.out)
		enc.SetIndent("", "  ")
		return enc.Encode(whole)
	case "yaml":
		raw, err := yaml.MarshalWithOptions(whole, yaml.UseJSONMarshaler())
		if err != nil {
			return fmt.Errorf("write YAML: %w", err)
		}
		_, err = e.out.Write(raw)
		return err
	case "csv":
		w := csv.NewWriter(e.out)
		if err := w.Write(t.head); err != nil {
			return err
		}
		return w.WriteAll(t.rows)
	case "name":
		for _, r := range t.rows {
			fmt.Fprintln(e.out, r[0])
		}
		return nil
	case "table", "wide":
		n := len(t.head)
		if e.format == "table" && t.short > 0 {
			n = min(n, t.short)
		}
		w := tabwriter.NewWriter(e.out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, strings.ToUpper(strings.Join(t.head[:n], "\t")))
		for _, r := range t.rows {
			fmt.Fprintln(w, tidy(r[:n]))
		}
		return w.Flush()
	}
	return fmt.Errorf("invalid argument %q for -o: table, wide, json, yaml, csv or name", e.format)
}

// tidy is cells on one line: what a user wrote may break no line and send nothing to the
// terminal.
func tidy(cells []string) string {
	out := make([]string, len(cells))
	for i, c := range cells {
		out[i] = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return ' '
			}
			return r
		}, c)
	}
	return strings.Join(out, "\t")
}

// when is a moment as tables show it: UTC, to the minute.
func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04")
}

// number is a figure with four significant digits.
func number(x float64) string { return fmt.Sprintf("%.4g", x) }
