// SPDX-License-Identifier: Apache-2.0

package scoring

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"flyball/model/mlmodel"
)

// enforceParams is the params of a request as the signature lets them through, with its
// defaults where the caller says nothing. Those that it does not name are dropped, and
// all where it names none.
func enforceParams(r *request, want []mlmodel.Param) (json.RawMessage, error) {
	given := map[string]span{}
	if r.params != (span{}) {
		if r.src.kind(r.params) != '{' {
			return nil, badParams("Parameters must be a dictionary. Got type '%s'.", r.src.python(r.params))
		}
		maps.Insert(given, r.src.members(r.params))
	}
	if len(want) == 0 {
		return nil, nil
	}
	var bad []string
	b := []byte{'{'}
	for i, p := range want {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, p.Name), ':')
		value, there := given[p.Name]
		if !there {
			b = append(b, p.Default...)
			continue
		}
		var why string
		if b, why = appendParam(b, r.src, value, p); why != "" {
			bad = append(bad, fmt.Sprintf("('%s', \"%s\")", clip(p.Name), why))
		}
	}
	if len(bad) > 0 {
		return nil, badParams("Invalid parameters found: {%s}", strings.Join(bad, ", "))
	}
	return append(b, '}'), nil
}

// appendParam writes a value, or says what is wrong with it.
func appendParam(b []byte, src text, value span, p mlmodel.Param) ([]byte, string) {
	about := fmt.Sprintf("'%s': %s (default: %s)", p.Name, p.Type, python(p.Default))
	if !p.List {
		b, ok := appendScalar(b, src, value, p.Type)
		if !ok {
			return b, fmt.Sprintf("Failed to validate type and shape for %s, error: Can not safely convert `<class '%s'>` to `DataType.%s`", about, src.python(value), p.Type)
		}
		return b, ""
	}
	if src.kind(value) != '[' {
		return b, fmt.Sprintf("Value must be a 1D array with shape (-1,) for param %s (shape: (-1,)), received %s with ndim 0", about, src.python(value))
	}
	b = append(b, '[')
	n := 0
	for item := range src.items(value) {
		if n > 0 {
			b = append(b, ',')
		}
		n++
		var ok bool
		if b, ok = appendScalar(b, src, item, p.Type); !ok {
			return b, fmt.Sprintf("Failed to validate type and shape for %s (shape: (-1,)), error: Can not safely convert `<class '%s'>` to `DataType.%s`", about, src.python(item), p.Type)
		}
	}
	return append(b, ']'), ""
}

// appendScalar writes a value of a type, if it is one: a whole number is a float too.
func appendScalar(b []byte, src text, s span, kind string) ([]byte, bool) {
	is := src.python(s)
	raw := src.bytes(s)
	switch kind {
	case "double", "float":
		x, why := floatOf(src, s)
		if is != "int" && is != "float" || why != "" || kind == "float" && math.IsInf(float64(float32(x)), 0) && !math.IsInf(x, 0) {
			return b, false
		}
		if math.IsNaN(x) {
			return append(b, "NaN"...), true
		}
		return appendFloat(b, x), true
	case "integer", "long":
		v := values{Column: mlmodel.Column{Type: mlmodel.Type{Name: kind}}, src: src, cells: []span{s}}
		return append(b, raw...), is == "int" && v.convert() == nil
	case "boolean":
		return append(b, raw...), is == "bool"
	case "string":
		return append(b, raw...), is == "str"
	case "datetime":
		v := values{Column: mlmodel.Column{Type: mlmodel.Type{Name: kind}}, src: src, cells: []span{s}}
		return append(b, raw...), is == "str" && v.convert() == nil
	}
	return append(b, raw...), slices.Contains([]string{"object", "any"}, kind)
}

// python is a JSON value as Python prints it.
func python(raw json.RawMessage) string {
	s := strings.ReplaceAll(string(raw), `"`, "'")
	switch s {
	case "null":
		return "None"
	case "true":
		return "True"
	case "false":
		return "False"
	}
	return s
}
