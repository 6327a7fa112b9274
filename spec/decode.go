// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"flyball/fault"
	"flyball/unit"
)

// most is how many mistakes are told at once.
const most = 20

// Parse reads a model or pipeline file. name is used in messages only. The error is
// an Invalid fault (TooLarge beyond MaxSize) with every mistake found, each on a line
// as file.yaml:12:3: what is wrong. Keys that the file leaves out stay zero, but for
// the release phases and keep_warm, where zero means something: there the default
// stands.
func Parse(name string, b []byte) (File, error) {
	if len(b) > MaxSize {
		return File{}, fault.New(fault.TooLarge, "%s is larger than 1 MiB", name)
	}
	if !utf8.Valid(b) {
		return File{}, fault.New(fault.Invalid, "%s is not UTF-8 text", name)
	}
	root, err := read(b)
	if err != nil {
		return File{}, tell(name, []wrong{asWrong(err, place{1, 1})})
	}
	d := &decoder{places: map[string]place{}}
	f := File{Name: name, places: d.places}
	switch kind := d.kindOf(root); kind {
	case KindModel:
		m := Model{Release: phases()}
		d.value(root, reflect.ValueOf(&m).Elem(), path{})
		d.needed(root, kind)
		f.Model = &m
	case KindPipeline:
		var p Pipeline
		d.value(root, reflect.ValueOf(&p).Elem(), path{rule: "pipeline"})
		d.needed(root, kind)
		f.Pipeline = &p
	}
	if len(d.wrong) > 0 {
		return File{}, tell(name, d.wrong)
	}
	return f, nil
}

// Strict reads another YAML file than a model's, such as a server's own settings, into
// the struct that to points at, as strictly: every key is one of its json tags, and the
// error is that of Parse.
func Strict(name string, b []byte, to any) error {
	if len(b) > MaxSize {
		return fault.New(fault.TooLarge, "%s is larger than 1 MiB", name)
	}
	if !utf8.Valid(b) {
		return fault.New(fault.Invalid, "%s is not UTF-8 text", name)
	}
	root, err := read(b)
	if err != nil {
		return tell(name, []wrong{asWrong(err, place{1, 1})})
	}
	d := &decoder{places: map[string]place{}}
	d.value(root, reflect.ValueOf(to).Elem(), path{})
	if len(d.wrong) > 0 {
		return tell(name, d.wrong)
	}
	return nil
}

// tell is the fault that lists the mistakes in the order of the file.
func tell(name string, all []wrong) error {
	slices.SortStableFunc(all, func(a, b wrong) int {
		if a.line != b.line {
			return a.line - b.line
		}
		return a.col - b.col
	})
	var lines []string
	for i, w := range all {
		if i == most {
			lines = append(lines, fmt.Sprintf("and %d more", len(all)-most))
			break
		}
		lines = append(lines, w.in(name)+": "+w.text)
	}
	return fault.New(fault.Invalid, "%s", strings.Join(lines, "\n"))
}

// path is where a value stands: as a Problem names it, and without indices, as the
// rules on words and keys name it.
type path struct{ name, rule string }

func (p path) key(k string) path {
	return path{strings.TrimPrefix(p.name+"."+k, "."), strings.TrimPrefix(p.rule+"."+k, ".")}
}

func (p path) item(i int) path {
	return path{p.name + "[" + strconv.Itoa(i) + "]", p.rule}
}

// parent is the path without its last part.
func parent(name string) string {
	return name[:max(0, strings.LastIndexAny(name, ".["))]
}

type decoder struct {
	wrong  []wrong
	places map[string]place
}

func (d *decoder) add(p place, format string, args ...any) {
	d.wrong = append(d.wrong, wrong{p, fmt.Sprintf(format, args...)})
}

// fail keeps an error that reading a value gave.
func (d *decoder) fail(p place, err error) {
	w := asWrong(err, p)
	d.wrong = append(d.wrong, w)
}

func asWrong(err error, p place) wrong {
	if w, ok := errors.AsType[wrong](err); ok {
		return w
	}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		text := f.What
		if f.Advice != "" {
			text += "; " + f.Advice
		}
		return wrong{p, text}
	}
	return wrong{p, err.Error()}
}

// kindOf is the kind of file, empty when it cannot be told, with the mistake noted.
func (d *decoder) kindOf(root *node) string {
	if root.shape != mapping {
		d.add(root.place, "the file is %s, not a mapping of keys", root.what())
		return ""
	}
	version, kind := root.child("apiVersion"), root.child("kind")
	switch {
	case version == nil:
		d.add(place{1, 1}, "there is no apiVersion; write apiVersion: %s", APIVersion)
	case version.text != APIVersion:
		d.add(version.place, "apiVersion is %s; this program reads %s", version.what(), APIVersion)
	}
	if kind == nil {
		d.add(place{1, 1}, "there is no kind; write kind: Model or kind: Pipeline")
		return ""
	}
	if err := unit.OneOf(kind.text, KindModel, KindPipeline); err != nil {
		d.fail(kind.place, err)
		return ""
	}
	return kind.text
}

func (n *node) child(name string) *node {
	for i, k := range n.keys {
		if k.name == name {
			return n.items[i]
		}
	}
	return nil
}

// need is a key that must be there, where what holds it is there.
type need struct{ in, name, advice string }

func needs(kind string) []need {
	if kind == KindPipeline {
		return []need{{"", "name", ""}, {"", "inputs", ""}}
	}
	return []need{
		{"", "name", ""},
		{"", "predict", ""},
		{"", "data", ""},
		{"predict", "column", "name the column to predict"},
		{"predict", "kind", "write binary, multiclass or regression"},
		{"data", "source", "name the file that holds the rows"},
	}
}

func (d *decoder) needed(root *node, kind string) {
	for _, k := range needs(kind) {
		in, at, name := root, place{1, 1}, k.name
		if k.in != "" {
			if in = root.child(k.in); in == nil || in.shape != mapping {
				continue
			}
			at, name = in.place, k.in+"."+k.name
		}
		if v := in.child(k.name); v != nil && v.shape != null {
			continue
		}
		if k.advice == "" {
			d.add(at, "there is no %s", name)
		} else {
			d.add(at, "there is no %s; %s", name, k.advice)
		}
	}
}

// value reads n into v, which is settable.
func (d *decoder) value(n *node, v reflect.Value, p path) {
	d.places[p.name] = n.place
	if n.shape == null {
		return // a key with nothing behind it is as if it were not there
	}
	switch to := v.Addr().Interface().(type) {
	case unit.Choice:
		d.choice(n, to.Forms(), p)
		return
	case encoding.TextUnmarshaler:
		if n.shape == list || n.shape == mapping {
			d.add(n.place, "%s does not take %s", p.last(), n.what())
		} else if err := to.UnmarshalText([]byte(n.text)); err != nil {
			d.fail(n.place, err)
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), p)
	case reflect.Struct:
		d.structure(n, v, p)
	case reflect.Slice:
		d.list(n, v, p)
	case reflect.Map:
		d.mapping(n, v, p)
	case reflect.Interface:
		d.free(n, v, p)
	default:
		d.plain(n, v, p)
	}
}

// last is the key that the path ends in, for messages.
func (p path) last() string {
	if i := strings.LastIndexByte(p.rule, '.'); i >= 0 {
		return p.rule[i+1:]
	}
	if p.rule == "" {
		return "the file"
	}
	return p.rule
}

func (d *decoder) choice(n *node, f unit.Forms, p path) {
	before, form := len(d.wrong), unit.AsWord
	switch {
	case n.shape == list && f.List != nil:
		form = unit.AsList
		d.list(n, reflect.ValueOf(f.List).Elem(), p)
	case n.shape == mapping && f.Map != nil:
		form = unit.AsMap
		d.structure(n, reflect.ValueOf(f.Map).Elem(), p)
	case n.shape == mapping && f.Entry != nil:
		form = unit.AsMap
		d.entries(n, f.Entry, p)
	case n.shape != list && n.shape != mapping && f.Word != nil:
		if err := f.Word(n.text); err != nil {
			d.fail(n.place, err)
		}
	default:
		d.add(n.place, "%s does not take %s; %s", p.last(), n.what(), f.Want())
	}
	if len(d.wrong) == before && f.Done != nil {
		if err := f.Done(form); err != nil {
			d.fail(n.place, err)
		}
	}
}

func (d *decoder) entries(n *node, entry func(string) (any, error), p path) {
	for i, k := range n.keys {
		to, err := entry(k.name)
		if err != nil {
			d.fail(k.place, err)
			continue
		}
		d.value(n.items[i], reflect.ValueOf(to).Elem(), p.key(k.name))
	}
}

func (d *decoder) structure(n *node, v reflect.Value, p path) {
	if n.shape != mapping {
		d.add(n.place, "%s wants keys, not %s", p.last(), n.what())
		return
	}
	fields := keysOf(v.Type())
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	seen := map[string]place{}
	for i, k := range n.keys {
		if first, twice := seen[k.name]; twice {
			d.add(k.place, "the key %q stands twice; the first is in line %d", k.name, first.line)
			continue
		}
		seen[k.name] = k.place
		at := slices.Index(names, k.name)
		if reason, ok := laterKey(p.key(k.name).rule); ok {
			if reason != "" {
				d.add(k.place, "%s", reason)
			}
			continue
		}
		if at < 0 {
			d.unknown(k, names)
			continue
		}
		d.value(n.items[i], v.Field(fields[at].index), p.key(k.name))
	}
}

func (d *decoder) unknown(k key, names []string) {
	advice := "known here: " + unit.List(names)
	if near := unit.Nearest(k.name, names); near != "" {
		advice = fmt.Sprintf("did you mean %q?", near)
	}
	d.add(k.place, "unknown key %q; %s", shorten(k.name), advice)
}

type field struct {
	name  string
	index int
}

// keysOf are the keys of a struct, by its json tags.
func keysOf(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name != "" && name != "-" {
			out = append(out, field{name, i})
		}
	}
	return out
}

func (d *decoder) list(n *node, v reflect.Value, p path) {
	if n.shape != list {
		d.add(n.place, "%s wants a list, not %s; write [%s]", p.last(), n.what(), hint(n))
		return
	}
	if len(n.items) == 0 {
		v.SetZero()
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.items), len(n.items))
	for i, item := range n.items {
		if item.shape == null {
			d.add(item.place, "%s has an empty item", p.last())
			continue
		}
		d.value(item, out.Index(i), p.item(i))
	}
	v.Set(out)
}

func hint(n *node) string {
	if n.shape == mapping {
		return "{…}"
	}
	return shorten(n.text)
}

// mapping reads a mapping whose keys are the user's, each of whose values has the same
// type; of any shape where that is any.
func (d *decoder) mapping(n *node, v reflect.Value, p path) {
	if v.Type().Elem().Kind() == reflect.Interface || n.shape != mapping {
		d.free(n, v, p)
		return
	}
	n = rejoin(n)
	out := reflect.MakeMapWithSize(v.Type(), len(n.keys))
	for i, k := range n.keys {
		key := reflect.ValueOf(k.name)
		if out.MapIndex(key).IsValid() {
			d.add(k.place, "the key %q stands twice", k.name)
			continue
		}
		one := reflect.New(v.Type().Elem()).Elem()
		d.value(n.items[i], one, p.key(k.name))
		out.SetMapIndex(key, one)
	}
	if out.Len() > 0 {
		v.Set(out)
	}
}

// rejoin puts a word with arguments together again, such as log(0.01, 0.3), of which
// YAML takes the comma for the end of the value where the mapping stands in one line.
func rejoin(n *node) *node {
	out := *n
	out.keys, out.items = nil, nil
	for i, k := range n.keys {
		if last := len(out.items) - 1; last >= 0 && n.items[i].shape == null && strings.HasSuffix(k.name, ")") {
			if before := out.items[last]; before.shape == text && strings.Contains(before.text, "(") && !strings.Contains(before.text, ")") {
				whole := *before
				whole.text += ", " + k.name
				out.items[last] = &whole
				continue
			}
		}
		out.keys, out.items = append(out.keys, k), append(out.items, n.items[i])
	}
	return &out
}

// free reads what the file may shape as it likes: numbers are float64, as in JSON.
func (d *decoder) free(n *node, v reflect.Value, p path) {
	if v.Kind() == reflect.Map && n.shape != mapping {
		d.add(n.place, "%s wants keys, not %s", p.last(), n.what())
		return
	}
	if x := d.any(n); x != nil {
		if m, ok := x.(map[string]any); ok && len(m) == 0 && v.Kind() == reflect.Map {
			return
		}
		v.Set(reflect.ValueOf(x))
	}
}

func (d *decoder) any(n *node) any {
	switch n.shape {
	case text:
		return n.text
	case number:
		return n.num
	case boolean:
		return n.truth
	case list:
		out := make([]any, len(n.items))
		for i, item := range n.items {
			out[i] = d.any(item)
		}
		return out
	case mapping:
		out := make(map[string]any, len(n.items))
		for i, k := range n.keys {
			if _, twice := out[k.name]; twice {
				d.add(k.place, "the key %q stands twice", k.name)
			}
			out[k.name] = d.any(n.items[i])
		}
		return out
	}
	return nil
}

// plain reads a scalar into a text, number or boolean.
func (d *decoder) plain(n *node, v reflect.Value, p path) {
	switch k := v.Kind(); {
	case n.shape == list || n.shape == mapping:
		d.add(n.place, "%s does not take %s", p.last(), n.what())
	case k == reflect.String:
		d.text(n, v, p)
	case k == reflect.Bool && n.shape == boolean:
		v.SetBool(n.truth)
	case k == reflect.Bool:
		d.add(n.place, "%s wants true or false, not %s", p.last(), n.what())
	case n.shape != number:
		d.add(n.place, "%s wants a number, not %s", p.last(), n.what())
	case k == reflect.Float64:
		v.SetFloat(n.num)
	case k == reflect.Int:
		if n.num != math.Trunc(n.num) || math.Abs(n.num) > 1e15 {
			d.add(n.place, "%s wants a whole number, not %s", p.last(), n.text)
			return
		}
		if n.num < 0 {
			d.add(n.place, "%s cannot be negative", p.last())
			return
		}
		v.SetInt(int64(n.num))
	case k == reflect.Uint64:
		x, err := strconv.ParseUint(n.text, 10, 64)
		if err != nil {
			d.add(n.place, "%s wants a whole number from 0, not %s", p.last(), n.text)
			return
		}
		v.SetUint(x)
	default:
		d.add(n.place, "%s cannot be read", p.last())
	}
}

func (d *decoder) text(n *node, v reflect.Value, p path) {
	if n.shape != text {
		d.add(n.place, "%s wants a text, not %s; put it in quotes: %q", p.last(), n.what(), shorten(n.text))
		return
	}
	if words, ok := wordsAt(p.rule); ok {
		if err := unit.OneOf(n.text, words...); err != nil && !parameterised(n.text, words) {
			d.fail(n.place, err)
			return
		}
	}
	v.SetString(n.text)
}

// parameterised reports whether a word is one that takes a parameter, whatever that is:
// Check says whether it fits.
func parameterised(text string, words []string) bool {
	name, _, _ := strings.Cut(text, "(")
	return slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, name+"(") }) || slices.Contains(words, name)
}
