// SPDX-License-Identifier: Apache-2.0

package search

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"flyball/fault"
)

// subject is what one kind of thing lets itself be asked by.
type subject struct {
	entities map[string]Entity // by the words before the dot
	fields   []field           // attributes that a filter may name
	orders   []field           // attributes that an order may name

	listed   string // attributes that take lists, as MLflow tells them; empty: all texts do
	text     string // how MLflow tells that an attribute needs a text
	loose    bool   // words and numbers without quotes are texts too
	quotes   bool   // MLflow tells what it cannot read between quotes
	tables   bool   // the registry's words for wrong entities, operators and NULL
	noun     string // of things in the registry
	nullable string // what may be NULL, in MLflow's words
	numeric  string // what may be compared with numbers, in MLflow's words; empty: all numbers
}

// field is an attribute: how it may be written, what it is, and how to compare it.
type field struct {
	names         []string // the first is canonical
	number, whole bool     // compared with numbers; with whole ones only
	list          bool     // IN and NOT IN
	id            bool     // no LIKE: a number in the clothes of a text
}

func (f field) key() string { return f.names[0] }

func tagged(more map[string]Entity) map[string]Entity {
	all := map[string]Entity{"attribute": Attribute, "attributes": Attribute, "tag": Tag, "tags": Tag}
	maps.Copy(all, more)
	return all
}

func logged() map[string]Entity {
	return tagged(map[string]Entity{"metric": Metric, "metrics": Metric, "param": Param, "params": Param, "parameter": Param, "parameters": Param})
}

func runs() *subject {
	entities := logged()
	entities["attr"], entities["run"] = Attribute, Attribute
	entities["dataset"], entities["datasets"] = Dataset, Dataset
	fields := []field{
		{names: []string{"artifact_uri"}},
		{names: []string{"run_id"}, list: true},
		{names: []string{"status"}},
		{names: []string{"user_id"}},
		{names: []string{"run_name", "run name", "Run name", "Run Name"}},
		{names: []string{"start_time", "created", "Created"}, number: true},
		{names: []string{"end_time"}, number: true},
	}
	orders := slices.Clone(fields)
	orders[4].names = orders[4].names[:1]
	return &subject{
		entities: entities, fields: fields, orders: orders, listed: "['run_id']", quotes: true,
		text: "Expected a quoted string value for attributes. Got value %s", nullable: "tags and params",
	}
}

func experiments() *subject {
	fields := []field{
		{names: []string{"name"}},
		{names: []string{"experiment_id"}, list: true, id: true},
		{names: []string{"creation_time"}, number: true, whole: true},
		{names: []string{"last_update_time"}, number: true, whole: true},
	}
	return &subject{
		entities: tagged(nil), fields: fields, orders: fields, listed: "['experiment_id']",
		text: "Expected a quoted string value for attributes. Got value %s", nullable: "tags",
	}
}

func models() *subject {
	return &subject{
		entities: tagged(nil), fields: []field{{names: []string{"name"}, list: true}},
		orders: []field{
			{names: []string{"name"}},
			{names: []string{"last_updated_timestamp", "timestamp"}, number: true},
			{names: []string{"creation_timestamp"}, number: true},
		},
		listed: "['name']", tables: true, noun: "registered model",
		text: "Expected a quoted string value or a list of quoted string values for attributes. Got value %s",
	}
}

func versions() *subject {
	return &subject{
		entities: tagged(nil),
		fields: []field{
			{names: []string{"name"}, list: true},
			{names: []string{"run_id"}, list: true},
			{names: []string{"source_path"}},
			{names: []string{"version_number"}, number: true, whole: true},
		},
		orders: []field{
			{names: []string{"name"}},
			{names: []string{"version_number"}, number: true},
			{names: []string{"creation_timestamp"}, number: true},
			{names: []string{"last_updated_timestamp"}, number: true},
		},
		listed: "['name', 'run_id']", tables: true, noun: "model version", numeric: "{'version_number'}",
		text: "Expected a quoted string value or a list of quoted string values for attributes. Got value %s",
	}
}

func loggedModels() *subject {
	fields := []field{
		{names: []string{"name"}, list: true},
		{names: []string{"model_id"}, list: true},
		{names: []string{"model_type"}, list: true},
		{names: []string{"status"}, list: true},
		{names: []string{"source_run_id"}, list: true},
		{names: []string{"experiment_id"}, list: true},
		{names: []string{"creation_timestamp", "creation_time", "creation_timestamp_ms"}, number: true},
		{names: []string{"last_updated_timestamp", "last_updated_time", "last_updated_timestamp_ms"}, number: true},
	}
	return &subject{
		entities: logged(), fields: fields, orders: fields, quotes: true, loose: true,
		text: "Expected a quoted string value for attributes. Got value %s", nullable: "tags and params",
	}
}

// junk is the fault for what cannot be read.
func (s *subject) junk(src string, what []token) error {
	if s.loose {
		return fault.New(fault.Invalid, "Invalid filter string: %s. Expected a list of comparisons separated by 'AND' (e.g. 'metrics.loss > 0.1 AND params.lr = 0.01').", python(clip(src)))
	}
	told := make([]string, len(what))
	for i, t := range what {
		told[i] = clip(t.raw)
		if s.quotes {
			told[i] = "'" + told[i] + "'"
		}
	}
	f := fault.New(fault.Invalid, "Invalid clause(s) in filter string: %s", strings.Join(told, ", "))
	if len(what) > 0 {
		return f.Do("look at column %d; comparisons are joined by AND, and a key with other characters than letters, digits, _ and dots stands between back quotes", column(src, what[0].at))
	}
	return f
}

// column counts characters, from 1.
func column(src string, at int) int { return len([]rune(src[:at])) + 1 }

// name reads a name: its entity, its key, and what is known of an attribute.
func (s *subject) name(raw string, known []field) (Entity, string, *field, error) {
	before, key, dotted, ok := split(raw)
	if !ok {
		return 0, "", nil, s.junk(raw, []token{{raw: raw}})
	}
	e := Attribute
	if dotted {
		if e, ok = s.entities[before]; !ok {
			return 0, "", nil, s.unknownEntity(clip(before))
		}
	}
	switch e {
	case Attribute:
		for i := range known {
			if slices.Contains(known[i].names, key) {
				return e, known[i].key(), &known[i], nil
			}
		}
		return 0, "", nil, fault.New(fault.Invalid, "Invalid attribute key '%s' specified. Valid keys are '%s'", clip(key), set(known))
	case Dataset:
		if key != "name" && key != "digest" && key != "context" {
			return 0, "", nil, fault.New(fault.Invalid, "Invalid dataset key '%s' specified. Valid keys are '{'name', 'digest', 'context'}'", clip(key))
		}
	}
	return e, key, nil, nil
}

func (s *subject) unknownEntity(name string) error {
	switch {
	case s.loose:
		return fault.New(fault.Invalid, "Invalid entity type: %s. Expected one of ['attributes', 'metrics', 'params', 'tags'].", python(name))
	case s.quotes:
		return fault.New(fault.Invalid, "Invalid entity type '%s'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']", name)
	}
	return fault.New(fault.Invalid, "Invalid entity type '%s'. Valid entity types are ('attribute', 'tag', 'tags')", name)
}

// set writes what may be written, as Python writes a set of texts.
func set(known []field) string {
	var b strings.Builder
	for _, f := range known {
		for _, name := range f.names {
			if b.Len() > 0 {
				b.WriteString(", ")
			}
			b.WriteString("'" + name + "'")
		}
	}
	return "{" + b.String() + "}"
}

// python writes a text as Python's repr does, for texts without backslashes.
func python(s string) string {
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		return `"` + s + `"`
	}
	return "'" + strings.ReplaceAll(s, "'", `\'`) + "'"
}

func pythonList(all []string) string {
	told := make([]string, len(all))
	for i, s := range all {
		told[i] = python(s)
	}
	return fmt.Sprintf("[%s]", strings.Join(told, ", "))
}
