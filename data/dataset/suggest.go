// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"flyball/data/frame"
)

// mostAllowed is up to how many values of a text are proposed as the allowed ones.
const mostAllowed = 12

// Suggest writes the checks: section of a model file that the snapshot passes: what its
// columns hold, which are never missing, bounds where a number has them by nature (0
// below, 1 above), the values of texts that have few, keys that are unique, and what
// holds of any data. It is YAML to be read and mended by a person: data that was wrong
// when it was looked at teaches wrong checks.
func Suggest(s Snapshot, task Task) string {
	var b strings.Builder
	b.WriteString("  checks:\n")
	say := func(format string, args ...any) { fmt.Fprintf(&b, "    - "+format+"\n", args...) }
	if task.ID != "" {
		say("unique: [%s]", quoted(task.ID))
	}
	say("rows: {at_least: %d}", max(1, s.Count/2))
	say("growth: {at_least: 90%%}")
	say("stuck: {}")
	say("leaks: {}")
	for _, c := range s.Columns {
		kind := kindIn(s.Schema, c.Name)
		parts := []string{"column: " + quoted(c.Name), "type: " + kind.String()}
		if c.Name == task.Column || s.Count == 0 {
			parts = append(parts, bounds(c, kind, s.Count)...)
		} else {
			most := min(1, share(c.Missing, s.Count)*1.5+0.01)
			if c.Missing == 0 {
				most = 0
			}
			parts = append(parts, fmt.Sprintf("missing: {at_most: %s%%}", strconv.FormatFloat(float64(int(100*most+0.999)), 'f', -1, 64)))
			parts = append(parts, bounds(c, kind, s.Count)...)
		}
		say("{%s}", strings.Join(parts, ", "))
	}
	return b.String()
}

// bounds are what the values of a column keep to.
func bounds(c ColumnProfile, kind frame.Kind, rows int) (out []string) {
	switch {
	case kind == frame.Number && len(c.Quantiles) > 0 && c.Infinite == 0:
		if c.Min >= 0 {
			out = append(out, "min: 0")
		}
		if c.Min >= 0 && c.Max <= 1 {
			out = append(out, "max: 1")
		}
	case kind == frame.Text && c.Distinct > 0 && c.Distinct <= mostAllowed && len(c.Top) == c.Distinct && rows >= 20*c.Distinct:
		var words []string
		for _, t := range c.Top {
			words = append(words, quoted(t.Value))
		}
		slices.Sort(words)
		out = append(out, "allowed: ["+strings.Join(words, ", ")+"]", "severity: warn")
	}
	return out
}

// quoted is a text as YAML reads it back whatever it is: JSON is YAML, once the characters
// from 7F to 9F, which it leaves as they are, are escaped too. Bytes that are no UTF-8
// become U+FFFD.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || 0x7f <= r && r <= 0x9f || r == 0x2028 || r == 0x2029 || r == 0xfeff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
