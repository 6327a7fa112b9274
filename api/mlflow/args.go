// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"flyball/fault"
)

// args are the arguments of a call, or of one object inside them. A getter of
// something that is absent or null gives the zero value or the default; one that
// cannot read what is there remembers the first such error for err and goes on.
// Names are snake_case; an optional field is found in camelCase too.
type args struct {
	*request
	where  string // before the name in messages: "", "metrics[0]."
	fields map[string]any
	mixed  bool // some name has a capital, so it may be camelCase; spelledOnce finds out
}

// request is what all arguments of a call share.
type request struct {
	http  *http.Request
	first error
}

const (
	smallBody = 1 << 20 // bytes; bigger bodies are read a few at a time
	maxParams = 500     // in a query, repetitions counted
)

// read reads the arguments of a request: a JSON body of POST, PUT and PATCH, the query
// of GET, both of DELETE.
func (f *face) read(w http.ResponseWriter, r *http.Request) (*args, error) {
	in := &args{request: &request{http: r}, fields: map[string]any{}}
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodDelete {
		if err := in.query(r.URL.RawQuery); err != nil {
			return nil, err
		}
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return in, nil
	}
	body, err := f.body(w, r)
	if err != nil {
		return nil, err
	}
	if len(body) > 0 || r.Method != http.MethodDelete {
		if err := contentType(r.Header.Get("Content-Type")); err != nil {
			return nil, err
		}
	}
	fields, err := object(body)
	if err != nil {
		return nil, err
	}
	maps.Copy(in.fields, fields)
	return in, in.spelledOnce()
}

// contentType wants JSON, because a browser sends that to another site only after
// asking it.
func contentType(s string) error {
	if s == "" {
		return fault.New(fault.Invalid, "Bad Request. Content-Type header is missing.")
	}
	if media, _, err := mime.ParseMediaType(s); err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) || media != "application/json" {
		return fault.New(fault.Invalid, "Bad Request. Content-Type must be one of ['application/json'].")
	}
	return nil
}

// patience is how long a body of a JSON request may take, and hold a place meanwhile.
const patience = time.Minute

// body reads the whole body. One that is not small waits for its turn before the rest
// is read, so that many at once cannot fill the memory.
func (f *face) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > f.MaxBody {
		return nil, tooLarge(f.MaxBody)
	}
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Now().Add(patience))       // tests read from memory, which has no deadline
	defer func() { _ = c.SetReadDeadline(time.Time{}) }() // the next request has its own
	limited := http.MaxBytesReader(w, r.Body, f.MaxBody)
	b, err := io.ReadAll(io.LimitReader(limited, smallBody))
	if err == nil && len(b) == smallBody {
		leave, err := f.large.enter(r.Context())
		if err != nil {
			return nil, err
		}
		defer leave()
		rest, err := io.ReadAll(limited)
		if err != nil {
			return nil, bodyFault(err)
		}
		return append(b, rest...), nil
	}
	if err != nil {
		return nil, bodyFault(err)
	}
	return b, nil
}

func bodyFault(err error) error {
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge(e.Limit)
	}
	return fault.Wrap(err, fault.Invalid, "The request body ended before its end.")
}

func tooLarge(limit int64) error {
	return fault.New(fault.TooLarge, "The request body is larger than %d bytes.", limit)
}

// object reads a body: an object, or what old clients and careless ones send for it:
// nothing, null, [], or the object written into a JSON string.
func object(body []byte) (map[string]any, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	v, err := decode(body)
	if err != nil {
		return nil, err
	}
	if s, ok := v.(string); ok {
		if v, err = decode([]byte(s)); err != nil {
			return nil, err
		}
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return v, nil
	case []any:
		if len(v) == 0 {
			return nil, nil
		}
	}
	return nil, fault.New(fault.Invalid, "The request body must be a JSON object, not a %s.", typeName(v))
}

// repeated is what a query says of a key: one value, or a list.
type repeated []string

// query reads a query string.
func (in *args) query(raw string) error {
	if strings.Count(raw, "&") >= maxParams {
		return fault.New(fault.Invalid, "The query holds more than %d parameters.", maxParams)
	}
	q, err := url.ParseQuery(raw)
	if err != nil {
		return fault.New(fault.Invalid, "The query cannot be read.")
	}
	for name, values := range q {
		for _, v := range values {
			if _, err := checkText(v); err != nil {
				return err
			}
		}
		in.fields[name] = repeated(values)
	}
	return in.spelledOnce()
}

// spelledOnce refuses arguments that give one field under both of its names: which of
// them counts would depend on who reads.
func (in *args) spelledOnce() error {
	for name := range in.fields {
		in.mixed = in.mixed || strings.ContainsFunc(name, func(r rune) bool { return r >= 'A' && r <= 'Z' })
	}
	if !in.mixed {
		return nil
	}
	for name := range in.fields {
		if other := camel(name); other != name {
			if _, both := in.fields[other]; both {
				return fault.New(fault.Invalid, "Request specifies both '%s' and '%s'; provide only one of them.", cut(name, 80), cut(other, 80))
			}
		}
	}
	return nil
}

// camel is a snake_case name in camelCase, as Protocol Buffers spell it in JSON.
func camel(name string) string {
	if !strings.Contains(name, "_") {
		return name
	}
	var b strings.Builder
	up := false
	for i := range len(name) {
		switch c := name[i]; {
		case c == '_':
			up = true
		case up && c >= 'a' && c <= 'z':
			b.WriteByte(c - 'a' + 'A')
			up = false
		default:
			b.WriteByte(c)
			up = false
		}
	}
	return b.String()
}

func (in *args) value(name string) any {
	v, ok := in.fields[name]
	if !ok && in.mixed {
		return in.fields[camel(name)]
	}
	return v
}

// scalar is the value of a field that is no list. A query may repeat it; then the
// first counts.
func (in *args) scalar(name string) any {
	v := in.value(name)
	if r, ok := v.(repeated); ok {
		return r[0]
	}
	return v
}

// filled is the value of a field that is no text: an empty one says nothing.
func (in *args) filled(name string) any {
	if v := in.scalar(name); v != "" {
		return v
	}
	return nil
}

// has says whether a field is given and not null.
func (in *args) has(name string) bool { return in.value(name) != nil }

// path is a variable of the path.
func (in *args) path(name string) string {
	s, err := checkText(in.http.PathValue(name))
	in.fail(err)
	return s
}

// text is a text field; "" when it is absent.
func (in *args) text(name string) string {
	switch v := in.scalar(name).(type) {
	case nil:
	case string:
		return v
	default:
		in.wrong(name, v)
	}
	return ""
}

// need is a text field that must be there and not be empty.
func (in *args) need(name string) string {
	in.must(name)
	return in.text(name)
}

// given says that a field must be there; "" is a value.
func (in *args) given(name string) {
	if in.fields[name] == nil {
		in.missing(name)
	}
}

// must says that a field must be there, and under its own name; "" is not there.
func (in *args) must(name string) {
	v := in.fields[name]
	if r, ok := v.(repeated); ok {
		v = r[0]
	}
	if v == nil || v == "" {
		in.missing(name)
	}
}

func (in *args) missing(name string) {
	in.fail(fault.New(fault.Invalid, "Missing value for required parameter '%s'. See the API docs for more information about request parameters.", in.where+name))
}

// int64 is a whole number, or the text of one: Java sends texts, and R may write
// 1e+05.
func (in *args) int64(name string, def int64) int64 {
	v := in.filled(name)
	if v == nil {
		return def
	}
	n, ok := wholeOf(v)
	if !ok {
		in.wrong(name, v)
		return def
	}
	return n
}

func wholeOf(v any) (int64, bool) {
	s, ok := literal(v)
	if !ok || !isNumber(s) {
		return 0, false
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	if !strings.ContainsAny(s, ".eE") {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != math.Trunc(f) || f < -(1<<63) || f >= 1<<63 {
		return 0, false
	}
	return int64(f), true
}

// float is a number, or the text of one; both may be NaN, Infinity and -Infinity.
func (in *args) float(name string) float64 {
	v := in.filled(name)
	if v == nil {
		return 0
	}
	s, ok := literal(v)
	switch {
	case !ok:
	case isNotFinite(s), s == "Inf", s == "-Inf": // the last two are R's
		f, _ := strconv.ParseFloat(s, 64)
		return f
	case isNumber(s):
		f, _ := strconv.ParseFloat(s, 64) // too large is infinite, as Python has it
		return f
	}
	in.wrong(name, v)
	return 0
}

func literal(v any) (string, bool) {
	switch v := v.(type) {
	case number:
		return string(v), true
	case string:
		return v, true
	}
	return "", false
}

// bool is true or false, or R's texts for them; absent is false.
func (in *args) bool(name string) bool {
	switch v := in.filled(name).(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		if strings.EqualFold(v, "true") {
			return true
		}
		if !strings.EqualFold(v, "false") {
			in.wrong(name, v)
		}
	default:
		in.wrong(name, v)
	}
	return false
}

// enum is one of names, by name or by number, which counts from 1; absent is 0.
func (in *args) enum(name string, names ...string) int {
	v := in.filled(name)
	if v == nil {
		return 0
	}
	for i, n := range names {
		if v == n {
			return i + 1
		}
	}
	if n, ok := wholeOf(v); ok && n >= 1 && n <= int64(len(names)) {
		return int(n)
	}
	in.wrong(name, v)
	return 0
}

// list is a list of objects.
func (in *args) list(name string) []*args {
	items := in.items(name)
	out := make([]*args, 0, len(items))
	for i, item := range items {
		at := in.where + name + "[" + strconv.Itoa(i) + "]"
		fields, ok := item.(map[string]any)
		if !ok {
			in.fail(wrongType(at, item))
			continue
		}
		of := &args{request: in.request, where: at + ".", fields: fields}
		in.fail(of.spelledOnce())
		out = append(out, of)
	}
	return out
}

// object is an object field; nil when it is absent.
func (in *args) object(name string) *args {
	switch v := in.value(name).(type) {
	case nil:
	case map[string]any:
		of := &args{request: in.request, where: in.where + name + ".", fields: v}
		in.fail(of.spelledOnce())
		return of
	default:
		in.wrong(name, v)
	}
	return nil
}

// texts is a list of texts. A query may give it once.
func (in *args) texts(name string) []string {
	items := in.items(name)
	out := make([]string, 0, len(items))
	for i, item := range items {
		switch v := item.(type) {
		case string:
			out = append(out, v)
		case number: // ids of experiments, from clients that take them for numbers
			out = append(out, string(v))
		default:
			in.fail(wrongType(in.where+name+"["+strconv.Itoa(i)+"]", v))
		}
	}
	return out
}

func (in *args) items(name string) []any {
	switch v := in.value(name).(type) {
	case nil:
	case []any:
		return v
	case repeated:
		out := make([]any, len(v))
		for i := range v {
			out[i] = v[i]
		}
		return out
	case string: // R's text for a list of one
		return []any{v}
	default:
		in.wrong(name, v)
	}
	return nil
}

// err is the first thing that was wrong with the arguments that were asked for.
func (in *args) err() error { return in.first }

func (in *args) fail(err error) {
	if in.first == nil {
		in.first = err
	}
}

func (in *args) wrong(name string, v any) { in.fail(wrongType(in.where+name, v)) }

func wrongType(where string, v any) error {
	return fault.New(fault.Invalid, "Invalid value %s for parameter '%s' supplied:  Hint: Value was of type '%s'. See the API docs for more information about request parameters.",
		written(v), where, typeName(v))
}

// written is a value as it stands in a message, cut short.
func written(v any) string {
	switch v := v.(type) {
	case number:
		return cut(string(v), 100)
	case []any:
		return "[…]"
	case map[string]any:
		return "{…}"
	case string:
		b, _ := json.Marshal(cut(v, 100))
		return string(b)
	default:
		b, _ := json.Marshal(v)
		return string(b)
	}
}

// typeName is the type of a value as MLflow's messages name it, which is Python's.
func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case number:
		if isNotFinite(string(v)) || strings.ContainsAny(string(v), ".eE") {
			return "float"
		}
		return "int"
	case string:
		return "str"
	case []any:
		return "list"
	}
	return "dict"
}
