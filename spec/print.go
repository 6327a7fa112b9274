// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"flyball/fault"
)

// wide is the longest line that a printed file has, where its values allow.
const wide = 110

// YAML prints the model as a file that Parse reads back the same. A number that is
// not finite is an Invalid fault.
func (m Model) YAML() ([]byte, error) { return print(m) }

// YAML prints the pipeline as a file that Parse reads back the same.
func (p Pipeline) YAML() ([]byte, error) { return print(p) }

// marshal is JSON without the escapes meant for HTML.
func marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

// print goes through JSON, whose order is that of the structs: what can be written as
// JSON can then be written as YAML, in one way.
func print(v any) ([]byte, error) {
	b, err := marshal(v)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "the settings cannot be printed")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	root, err := tree(d)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "the settings cannot be printed")
	}
	quantities(root)
	var out bytes.Buffer
	for i, k := range root.keys {
		if i > 0 && (root.values[i].nested() || root.values[i-1].nested()) {
			out.WriteByte('\n')
		}
		block(&out, "", k, root.values[i])
	}
	return out.Bytes(), nil
}

// branch is a value of JSON with its keys in order.
type branch struct {
	scalar any
	keys   []string  // of an object
	values []*branch // of an object or array
	array  bool
}

func (b *branch) nested() bool { return b.array || b.keys != nil || b.values != nil }

func tree(d *json.Decoder) (*branch, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	open, ok := t.(json.Delim)
	if !ok {
		return &branch{scalar: t}, nil
	}
	b := &branch{array: open == '['}
	for d.More() {
		if !b.array {
			k, err := d.Token()
			if err != nil {
				return nil, err
			}
			name, ok := k.(string)
			if !ok {
				return nil, errors.New("a key is not a text")
			}
			b.keys = append(b.keys, name)
		}
		v, err := tree(d)
		if err != nil {
			return nil, err
		}
		b.values = append(b.values, v)
	}
	_, err = d.Token()
	return b, err
}

// block prints key: value, in one line where the value is small and not a section.
func block(out *bytes.Buffer, indent, key string, v *branch) {
	out.WriteString(indent)
	out.WriteString(word(key))
	out.WriteByte(':')
	line := flow(v)
	section := indent == "" && len(v.keys) > 0
	if !v.nested() || len(v.values) == 0 || !section && len(indent)+len(key)+2+len(line) <= wide {
		out.WriteString(" " + line + "\n")
		return
	}
	out.WriteByte('\n')
	for i, child := range v.values {
		if v.array {
			out.WriteString(indent + "  - " + flow(child) + "\n")
		} else {
			block(out, indent+"  ", v.keys[i], child)
		}
	}
}

// flow prints a value in one line.
func flow(v *branch) string {
	var out strings.Builder
	switch {
	case v.array:
		out.WriteByte('[')
		for i, child := range v.values {
			if i > 0 {
				out.WriteString(", ")
			}
			out.WriteString(flow(child))
		}
		out.WriteByte(']')
	case v.nested():
		out.WriteByte('{')
		for i, child := range v.values {
			if i > 0 {
				out.WriteString(", ")
			}
			out.WriteString(word(v.keys[i]) + ": " + flow(child))
		}
		out.WriteByte('}')
	case v.scalar == nil:
		return "null"
	default:
		return atom(v.scalar)
	}
	return out.String()
}

func atom(v any) string {
	switch v := v.(type) {
	case bool:
		if v {
			return "true"
		}
		return "false"
	case json.Number:
		return v.String()
	case string:
		return word(v)
	case map[string]any:
		return "{}"
	}
	return "null"
}

// word prints a text, without quotes only where every reader of YAML, also one of
// version 1.1, takes it for a text.
func word(s string) string {
	if bare(s) {
		return s
	}
	b, err := marshal(s)
	if err != nil {
		return `""` // a string always has a JSON form
	}
	return string(b)
}

func bare(s string) bool {
	if s == "" || s[len(s)-1] == ' ' {
		return false
	}
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return false
	}
	first := s[0] | 0x20
	quantity := s[0] >= '0' && s[0] <= '9' && strings.ContainsAny(s[len(s)-1:], "smhdwy%B") && !strings.ContainsAny(s, ":_ xo")
	file := s[0] == '/' || strings.HasPrefix(s, "./") || strings.HasPrefix(s, "../")
	if rate := s[0] >= '0' && s[0] <= '9' && strings.Contains(s, " per "); !(first >= 'a' && first <= 'z') && !quantity && !rate && !file {
		return false
	}
	for i := range len(s) {
		c := s[i] | 0x20
		if !(c >= 'a' && c <= 'z' || s[i] >= '0' && s[i] <= '9' || strings.IndexByte(" _-./%+*()", s[i]) >= 0) {
			return false
		}
	}
	return true
}
