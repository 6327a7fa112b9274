// SPDX-License-Identifier: Apache-2.0

package source

import (
	"encoding/csv"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"flyball/data/frame"
	"flyball/fault"
)

// nothing is the name of a folder of rows without a value, as Hive, Spark and DuckDB write it.
const nothing = "__HIVE_DEFAULT_PARTITION__"

// Key is a column that stands in the name of a folder: year=2026.
type Key struct{ Column, Value string }

// keysOf are the keys of the folders that a name goes through.
func keysOf(name string) []Key {
	var out []Key
	for folder := range strings.SplitSeq(path.Dir(name), "/") {
		column, value, ok := strings.Cut(folder, "=")
		if !ok || column == "" {
			continue
		}
		if plain, err := url.PathUnescape(value); err == nil { // as Hive escapes: %3A
			value = plain
		}
		if value == nothing {
			value = ""
		}
		out = append(out, Key{column, value})
	}
	return out
}

// keys are the columns that the folders name, with a value for each part. Their kinds are
// found as those of a CSV file, so that 2026 is a number and 01 is text.
func (s *Set) keys(given map[string]frame.Kind) ([]frame.Column, error) {
	if len(s.Parts) == 0 || !slices.ContainsFunc(s.Parts, func(p Part) bool { return len(p.Keys) > 0 }) {
		return nil, nil
	}
	first := s.Parts[0]
	head := []string{"part"}
	for _, k := range first.Keys {
		if slices.Contains(head[1:], k.Column) {
			return nil, fault.New(fault.Invalid, "%s: two folders give the column %q", first.Name, k.Column)
		}
		head = append(head, k.Column)
	}
	head[0] = unused(head[1:])
	var text strings.Builder
	w := csv.NewWriter(&text)
	if err := w.Write(head); err != nil {
		return nil, err
	}
	for i, p := range s.Parts {
		row := []string{strconv.Itoa(i)}
		for _, k := range p.Keys {
			row = append(row, k.Value)
		}
		if !slices.EqualFunc(first.Keys, p.Keys, func(a, b Key) bool { return a.Column == b.Column }) {
			return nil, fault.New(fault.Invalid, "the folders of %s and of %s give different columns", first.Name, p.Name).
				Do("lay all files in folders of the same names, such as year=2026/month=1")
		}
		if err := w.Write(row); err != nil {
			return nil, err
		}
	}
	w.Flush()
	kinds := map[string]frame.Kind{}
	for _, name := range head[1:] {
		if kind, ok := given[name]; ok {
			kinds[name] = kind
		}
	}
	in, err := frame.OpenBytes("the names of the folders", []byte(text.String()), frame.CSVOptions{Kinds: kinds, Delimiter: ",", Decimal: "."})
	if err != nil {
		return nil, err
	}
	f, err := frame.ReadAll(in)
	if err != nil {
		return nil, err
	}
	return f.Columns()[1:], nil
}

// unused is a name that no column has.
func unused(names []string) string {
	out := "part"
	for slices.Contains(names, out) {
		out += "_"
	}
	return out
}

// repeat is a column of n times the value i of c.
func repeat(c *frame.Column, i, n int) frame.Column {
	out := frame.Column{Field: c.Field}
	switch c.Kind {
	case frame.Number:
		out.Num = slices.Repeat(c.Num[i:i+1], n)
	case frame.Text:
		out.Text = slices.Repeat(c.Text[i:i+1], n)
		if c.Null != nil && c.Null[i] {
			out.Null = slices.Repeat([]bool{true}, n)
		}
	case frame.Time:
		out.Time = slices.Repeat(c.Time[i:i+1], n)
	}
	return out
}
