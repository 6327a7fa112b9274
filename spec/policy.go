// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"flyball/fault"
)

// policySections are the sections of a model file that say how a model is kept good, and
// not what it is: where the policies of a rehearsal may differ.
var policySections = []string{"data", "train", "gate", "release", "watch", "retrain"}

// WithPolicy is the model file base with the policy of another file in the place of its
// own. A part of a model file (without kind) changes the keys that it names, at any
// depth, and a list whole. A model file replaces the sections whole: what it leaves out
// has its default, and its other sections must be those of base. The result has no
// comments. The error is an Invalid fault.
func WithPolicy(base []byte, name string, policy []byte) ([]byte, error) {
	if len(policy) > MaxSize {
		return nil, fault.New(fault.Invalid, "%s is larger than 1 MiB", name)
	}
	from, err := asMap(base)
	if err != nil {
		return nil, err
	}
	over, err := asMap(policy)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "%s", name)
	}
	whole := valueOf(over, "kind") != nil
	for _, item := range over {
		key, _ := item.Key.(string)
		if slices.Contains(policySections, key) || whole && (key == "about" || key == "card" || key == "duties" || key == "explain" || key == "log" || key == "risk") {
			continue
		}
		if !whole || !equal(valueOf(from, key), item.Value) {
			return nil, fault.New(fault.Invalid, "%s: %s differs from the model file's, and a policy may not change it", name, key).
				Do("keep to %s", strings.Join(policySections, ", "))
		}
	}
	for _, section := range policySections {
		given := valueOf(over, section)
		switch {
		case whole:
			from = with(from, section, given)
		case given != nil:
			from = with(from, section, merge(valueOf(from, section), given))
		}
	}
	out, err := yaml.Marshal(from)
	return out, fault.Wrap(err, fault.Invalid, "%s cannot be put into the model file", name)
}

func asMap(b []byte) (yaml.MapSlice, error) {
	if _, err := read(b); err != nil { // which bounds what it takes to read it
		return nil, fault.Wrap(err, fault.Invalid, "it is no part of a model file")
	}
	var out yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(b, &out, yaml.UseOrderedMap()); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "it is no part of a model file")
	}
	return out, nil
}

func valueOf(m yaml.MapSlice, key string) any {
	for _, item := range m {
		if item.Key == key {
			return item.Value
		}
	}
	return nil
}

// with is m with another value of a key; nil: without it.
func with(m yaml.MapSlice, key string, value any) yaml.MapSlice {
	out := slices.Clone(m)
	at := slices.IndexFunc(out, func(i yaml.MapItem) bool { return i.Key == key })
	switch {
	case at < 0 && value != nil:
		return append(out, yaml.MapItem{Key: key, Value: value})
	case at >= 0 && value == nil:
		return slices.Delete(out, at, at+1)
	case at >= 0:
		out[at].Value = value
	}
	return out
}

// merge is have with the keys of over in the place of its own.
func merge(have, over any) any {
	a, okA := have.(yaml.MapSlice)
	b, okB := over.(yaml.MapSlice)
	if !okA || !okB {
		return over
	}
	for _, item := range b {
		key, ok := item.Key.(string)
		if !ok {
			continue
		}
		a = with(a, key, merge(valueOf(a, key), item.Value))
	}
	return a
}

func equal(a, b any) bool {
	x, errX := yaml.Marshal(a)
	y, errY := yaml.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}
