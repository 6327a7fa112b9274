// SPDX-License-Identifier: Apache-2.0

package scoring

import (
	"bytes"
	"encoding/base64"
	"math"
	"strconv"
	"strings"

	"flyball/data/frame"
	"flyball/model/mlmodel"
)

// values is a column of the signature with the values of a request, converted.
type values struct {
	mlmodel.Column
	src   text
	cells []span // nil: the column is absent

	num   []float64 // numbers and truth values; NaN is missing
	whole []int64   // integer and long
	time  []int64   // datetime, in microseconds
	words []string  // string
	null  []bool    // of words

	// loose says that a frame cannot hold the values as they are, such as whole numbers
	// above 2^53 and parts of a microsecond.
	loose bool
}

// pandas is the word for a type in MLflow's messages.
func pandas(t mlmodel.Type) string {
	switch t.Name {
	case "double":
		return "float64"
	case "float":
		return "float32"
	case "long":
		return "int64"
	case "integer":
		return "int32"
	case "boolean":
		return "bool"
	case "datetime":
		return "datetime64[ns]"
	case "string", "binary":
		return "object"
	}
	return t.String()
}

// convert reads the cells as the column's type. An error names the column and the row,
// and does not repeat the value.
func (v *values) convert() error {
	n := len(v.cells)
	var cell func(i int, s span) string
	switch v.Type.Name {
	case "double", "float":
		v.num = make([]float64, n)
		cell = v.float
	case "integer", "long":
		v.whole = make([]int64, n)
		cell = v.integer
	case "boolean":
		v.num = make([]float64, n)
		cell = v.boolean
	case "string":
		v.words = make([]string, n)
		cell = v.word
	case "datetime":
		v.time = make([]int64, n)
		cell = v.datetime
	case "binary":
		v.words = make([]string, n)
		cell = v.binary
	default:
		v.loose = true
		cell = func(_ int, s span) string { return nested(v.src, s, v.Type, v.Required) }
	}
	for i, s := range v.cells {
		if why := cell(i, s); why != "" {
			return invalidInput("Data is not compatible with model signature. Failed to convert column %s to type '%s'. Error: 'row %d: %s'",
				clip(v.Name), pandas(v.Type), i, why)
		}
	}
	return nil
}

// float reads a number, a truth value, or a text that is a number.
func (v *values) float(i int, s span) string {
	x, why := floatOf(v.src, s)
	if why != "" {
		return why
	}
	if v.Type.Name == "float" {
		single := float64(float32(x))
		if math.IsInf(single, 0) && !math.IsInf(x, 0) {
			return "the number is too large for a float32"
		}
		x = single
	}
	v.num[i] = x
	return ""
}

// floatOf is a value as a number.
func floatOf(src text, s span) (x float64, why string) {
	if src.null(s) {
		return math.NaN(), ""
	}
	raw := src.bytes(s)
	switch raw[0] {
	case 't':
		return 1, ""
	case 'f':
		return 0, ""
	case '[', '{':
		return 0, "float() argument must be a string or a real number, not '" + src.python(s) + "'"
	case '"':
		word := strings.TrimSpace(src.string(s))
		x, err := strconv.ParseFloat(word, 64)
		if err != nil || strings.ContainsAny(word, "xXpP_") {
			return 0, "could not convert string to float"
		}
		return x, ""
	}
	x, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return 0, "the number is too large for a float64"
	}
	return x, ""
}

// integer reads a whole number. A fraction is cut off, as MLflow does.
func (v *values) integer(i int, s span) string {
	if v.src.null(s) {
		return "a whole number cannot be missing"
	}
	raw := v.src.bytes(s)
	word := string(raw)
	switch raw[0] {
	case 't', 'f':
		if raw[0] == 't' {
			v.whole[i] = 1
		}
		return ""
	case '[', '{':
		return "int() argument must be a string or a real number, not '" + v.src.python(s) + "'"
	case '"':
		word = strings.TrimSpace(v.src.string(s))
		if strings.ContainsAny(word, "_.eE") {
			return "invalid literal for int() with base 10"
		}
	}
	x, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		f, ferr := strconv.ParseFloat(word, 64)
		switch {
		case raw[0] == '"':
			return "invalid literal for int() with base 10"
		case ferr != nil || math.Abs(f) >= 1<<63 || !strings.ContainsAny(word, ".eE"):
			return "the number is too large for an " + pandas(v.Type)
		}
		x = int64(f)
	}
	if v.Type.Name == "integer" && x != int64(int32(x)) { //nolint:gosec // the question is whether it fits
		return "the number is too large for an int32"
	}
	v.loose = v.loose || x != int64(float64(x)) || x > 1<<53 || x < -1<<53
	v.whole[i] = x
	return ""
}

// boolean reads true, false, 0, 1 and the texts of the two words.
func (v *values) boolean(i int, s span) string {
	if v.src.null(s) {
		v.num[i] = math.NaN()
		return ""
	}
	switch word := v.src.string(s); {
	case v.src.kind(s) == '[' || v.src.kind(s) == '{':
	case word == "true" || word == "1" || word == "1.0" || word == "True":
		v.num[i] = 1
		return ""
	case word == "false" || word == "0" || word == "0.0" || word == "False":
		return ""
	}
	return "it is not true, false, 0 or 1"
}

// word reads a text. A number or a truth value passes as it is.
func (v *values) word(i int, s span) string {
	if v.src.null(s) {
		if v.null == nil {
			v.null = make([]bool, len(v.cells))
		}
		v.null[i] = true
		return ""
	}
	switch v.src.kind(s) {
	case '[', '{':
		return "it is a " + v.src.python(s) + ", not a text"
	case '"':
	default:
		v.loose = true
	}
	v.words[i] = v.src.string(s)
	return ""
}

// datetime reads a time: ISO text, or nanoseconds since 1970 in UTC.
func (v *values) datetime(i int, s span) string {
	if v.src.null(s) {
		v.time[i] = frame.NoTime
		return ""
	}
	switch v.src.kind(s) {
	case '"':
		word := v.src.string(s)
		us, err := frame.ParseTime(word)
		if err != nil {
			return "Unknown datetime string format, unable to parse"
		}
		if dot := strings.LastIndexByte(word, '.'); dot >= 0 && len(strings.TrimRight(word[dot:], "Z0")) > 7 {
			v.loose = true
		}
		v.time[i] = us
		return ""
	case '[', '{', 't', 'f':
		return "a " + v.src.python(s) + " is not a time"
	}
	x, why := floatOf(v.src, s)
	if why != "" || math.IsNaN(x) || math.Abs(x) >= 1<<63 {
		return "the number is no time in nanoseconds"
	}
	ns, err := strconv.ParseInt(string(v.src.bytes(s)), 10, 64)
	if err != nil {
		ns = int64(x)
	}
	v.loose = v.loose || ns%1000 != 0
	v.time[i] = floorDiv(ns, 1000)
	return ""
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// binary reads bytes in base64.
func (v *values) binary(i int, s span) string {
	if v.src.null(s) && !v.Required {
		if v.null == nil {
			v.null = make([]bool, len(v.cells))
		}
		v.null[i] = true
		v.loose = true
		return ""
	}
	if v.src.kind(s) != '"' {
		return "bytes come as a text in base64"
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(v.src.string(s)), ""))
	if err != nil {
		return "the text is not base64"
	}
	v.words[i] = string(raw)
	return ""
}

// nested checks a value that may hold others; what it returns is what is wrong.
func nested(src text, s span, t mlmodel.Type, required bool) string {
	if t.Name == "any" {
		return ""
	}
	if src.null(s) {
		if required {
			return "a value that is required is missing"
		}
		return ""
	}
	kind := src.kind(s)
	switch t.Name {
	case "array":
		if kind != '[' {
			return "Expected data to be list or numpy array, got " + src.python(s)
		}
		for item := range src.items(s) {
			if why := nested(src, item, *t.Items, false); why != "" {
				return why
			}
		}
		return ""
	case "map", "object":
		if kind != '{' {
			return "Expected data to be a dictionary, got " + src.python(s)
		}
		return members(src, s, t)
	}
	one := values{Column: mlmodel.Column{Type: t}, src: src, cells: []span{s}}
	if kind == '"' && t.Name != "string" && t.Name != "binary" && t.Name != "datetime" || kind != '"' && t.Name == "string" {
		return "Incompatible input types. Can not safely convert a " + src.python(s) + " to " + pandas(t)
	}
	if one.convert() != nil {
		return "Incompatible input types. Can not convert a " + src.python(s) + " to " + pandas(t)
	}
	return ""
}

// members checks the members of an object or a map.
func members(src text, s span, t mlmodel.Type) string {
	seen := map[string]bool{}
	for name, value := range src.members(s) {
		seen[name] = true
		if t.Name == "map" {
			if why := nested(src, value, *t.Items, false); why != "" {
				return why
			}
			continue
		}
		at := -1
		for i, p := range t.Properties {
			if p.Name == name {
				at = i
			}
		}
		if at < 0 {
			return "Invalid properties not defined in the schema found: " + clip(name)
		}
		if why := nested(src, value, t.Properties[at].Type, t.Properties[at].Required); why != "" {
			return why
		}
	}
	for _, p := range t.Properties {
		if p.Required && !seen[p.Name] {
			return "Missing required property: " + clip(p.Name)
		}
	}
	return ""
}

// appendJSON writes row i as MLflow reads it without a doubt: whole numbers whole, and
// with a point where the type has one.
func (v *values) appendJSON(b []byte, i int) []byte {
	s := v.cells[i]
	switch {
	case v.Type.Name == "integer" || v.Type.Name == "long":
		return strconv.AppendInt(b, v.whole[i], 10)
	case v.Type.Name == "any" && s != span{}:
		return append(b, v.src.bytes(s)...)
	case v.src.null(s):
		return append(b, "null"...)
	case v.Type.Name == "boolean":
		return strconv.AppendBool(b, v.num[i] != 0)
	case v.num != nil:
		return appendFloat(b, v.num[i])
	case v.Type.Name == "array" || v.Type.Name == "map" || v.Type.Name == "object":
		return appendNested(b, v.src, s, v.Type)
	}
	return append(b, v.src.bytes(s)...)
}

func appendFloat(b []byte, x float64) []byte {
	switch {
	case math.IsNaN(x):
		return append(b, "null"...)
	case math.IsInf(x, 1):
		return append(b, "Infinity"...)
	case math.IsInf(x, -1):
		return append(b, "-Infinity"...)
	}
	from := len(b)
	b = strconv.AppendFloat(b, x, 'g', -1, 64)
	if !bytes.ContainsAny(b[from:], ".e") {
		b = append(b, ".0"...)
	}
	return b
}

// appendNested writes a value that may hold others, with whole numbers where the type
// is a float made floats.
func appendNested(b []byte, src text, s span, t mlmodel.Type) []byte {
	kind := src.kind(s)
	switch {
	case src.null(s):
		return append(b, "null"...)
	case t.Name == "array" && kind == '[':
		b = append(b, '[')
		first := true
		for item := range src.items(s) {
			if !first {
				b = append(b, ',')
			}
			first = false
			b = appendNested(b, src, item, *t.Items)
		}
		return append(b, ']')
	case (t.Name == "map" || t.Name == "object") && kind == '{':
		b = append(b, '{')
		first := true
		for name, value := range src.members(s) {
			if !first {
				b = append(b, ',')
			}
			first = false
			b = append(appendText(b, name), ':')
			inner := t.Items
			for i, p := range t.Properties {
				if p.Name == name {
					inner = &t.Properties[i].Type
				}
			}
			if inner == nil {
				b = append(b, src.bytes(value)...)
				continue
			}
			b = appendNested(b, src, value, *inner)
		}
		return append(b, '}')
	case t.Name == "double" || t.Name == "float":
		x, _ := floatOf(src, s)
		return appendFloat(b, x)
	}
	return append(b, src.bytes(s)...)
}
