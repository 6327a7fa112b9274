// SPDX-License-Identifier: Apache-2.0

package search

import (
	"slices"
	"strings"

	"flyball/fault"
)

// OrderBy is a key to sort logged models by, as clients send it.
type OrderBy struct {
	Field string // an attribute, or metrics.<key>
	Desc  bool

	DatasetName, DatasetDigest string // limit which metrics count; both empty: any
}

// RunsOrder reads the order_by clauses of runs. A field that is named twice is refused.
func RunsOrder(clauses []string) ([]Order, error) {
	return runs().order(clauses, false)
}

// ExperimentsOrder reads the order_by clauses of experiments. A field that is named
// again says nothing new and is left out.
func ExperimentsOrder(clauses []string) ([]Order, error) {
	return experiments().order(clauses, true)
}

// ModelsOrder reads the order_by clauses of registered models. A field that is named
// twice is refused.
func ModelsOrder(clauses []string) ([]Order, error) {
	return models().order(clauses, false)
}

// VersionsOrder reads the order_by clauses of model versions. A field that is named
// twice is refused.
func VersionsOrder(clauses []string) ([]Order, error) {
	return versions().order(clauses, false)
}

// LoggedModelsOrder reads the order_by fields of logged models. A field that is named
// again says nothing new and is left out.
func LoggedModelsOrder(by []OrderBy) ([]Order, error) {
	known := loggedModels().orders
	var out []Order
	for _, b := range by {
		o := Order{Desc: b.Desc, DatasetName: b.DatasetName, DatasetDigest: b.DatasetDigest}
		entity, key, dotted := strings.Cut(b.Field, ".")
		switch {
		case !dotted:
			at := slices.IndexFunc(known, func(f field) bool { return slices.Contains(f.names, strings.TrimSpace(b.Field)) })
			if at < 0 {
				return nil, fault.New(fault.Invalid, "Invalid order by field name: %s", clip(b.Field))
			}
			o.Key = known[at].key()
		case entity != "metrics" || key == "":
			return nil, fault.New(fault.Invalid, "Invalid order by field name: %s. Only metrics are supported.", clip(b.Field))
		default:
			o.Entity, o.Key = Metric, strings.Trim(key, "`")
		}
		if b.DatasetDigest != "" && b.DatasetName == "" {
			return nil, fault.New(fault.Invalid, "`dataset_digest` can only be specified if `dataset_name` is also specified.")
		}
		if !slices.ContainsFunc(out, o.same) {
			out = append(out, o)
		}
	}
	return out, nil
}

// same says whether two orders look at the same value.
func (o Order) same(other Order) bool {
	other.Desc = o.Desc
	return o == other
}

func (s *subject) order(clauses []string, again bool) ([]Order, error) {
	var out []Order
	for _, src := range clauses {
		o, err := s.orderBy(src)
		if err != nil {
			return nil, err
		}
		switch {
		case !slices.ContainsFunc(out, o.same):
			out = append(out, o)
		case !again:
			return nil, fault.New(fault.Invalid, "`order_by` contains duplicate fields: %s", clip(pythonList(clauses)))
		}
	}
	return out, nil
}

// orderBy reads one clause: a name, then perhaps ASC or DESC.
func (s *subject) orderBy(src string) (Order, error) {
	l := lexer{src: src}
	name, way, rest := l.next(), l.next(), l.next()
	if name.form != word && name.form != quoted || name.is("ASC") || name.is("DESC") || way.form != end && way.form != word || rest.form != end {
		return Order{}, fault.New(fault.Invalid, "Invalid order_by clause '%s'. Could not be parsed.", clip(src))
	}
	if way.form == word && !way.is("ASC") && !way.is("DESC") {
		return Order{}, fault.New(fault.Invalid, "Invalid ordering key in order_by clause '%s'.", clip(src))
	}
	if _, _, _, ok := split(name.raw); !ok {
		return Order{}, fault.New(fault.Invalid, "Invalid order_by clause '%s'. Could not be parsed.", clip(src))
	}
	e, key, _, err := s.name(name.raw, s.orders)
	switch {
	case s.noun == "registered model" && (err != nil || e != Attribute): // MLflow has its own words here
		return Order{}, fault.New(fault.Invalid, "Invalid order by key '%s' specified. Valid keys are '{'name', 'timestamp'}'", clip(name.raw))
	case err != nil:
		return Order{}, err
	case e == Attribute:
	case s.tables:
		return Order{}, fault.New(fault.Invalid, "Invalid order by key '%s' specified. Valid keys are %s", clip(key), set(s.orders))
	case e == Dataset:
		return Order{}, fault.New(fault.Invalid, "Invalid identifier type 'dataset'")
	case !s.quotes:
		return Order{}, fault.New(fault.Invalid, "Invalid order_by entity: %s", singular(e))
	}
	return Order{Entity: e, Key: key, Desc: way.is("DESC")}, nil
}
