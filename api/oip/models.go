// SPDX-License-Identifier: Apache-2.0

package oip

import (
	"context"
	"strconv"

	"flyball/api/oip/inference"
	"flyball/ident"
	"flyball/serving"
)

// metadata is a model as both protocols describe it.
type metadata struct {
	Name     string       `json:"name"`
	Versions []string     `json:"versions"`
	Platform string       `json:"platform"`
	Inputs   []tensorInfo `json:"inputs"`
	Outputs  []tensorInfo `json:"outputs"`
}

// describe is the metadata of the version that the name means. It may load it.
func (f *Face) describe(ctx context.Context, n ident.Name) (metadata, error) {
	s, _, err := f.schema(ctx, n)
	if err != nil {
		return metadata{}, err
	}
	d, err := f.Serving.Describe(ctx, n)
	if err != nil {
		return metadata{}, err
	}
	m := metadata{Name: n.Model, Versions: []string{}, Platform: s.platform(), Inputs: s.columns(), Outputs: s.outputs()}
	for _, v := range d.Versions {
		m.Versions = append(m.Versions, strconv.Itoa(v))
	}
	return m, nil
}

// held is what the repository has, by model and version.
func (f *Face) held(ctx context.Context, ready bool) ([]serving.Held, error) {
	all, err := f.Serving.Index(ctx)
	if err == nil && ready {
		all = onlyReady(all)
	}
	return all, err
}

// statisticsOf are the calls of a model ("": of all) and its version ("": of all). A
// model that is not there is an error; one that nobody asked has none.
func (f *Face) statisticsOf(ctx context.Context, model, version string) ([]counted, error) {
	if model == "" {
		return f.stats.all("", 0), nil
	}
	n, err := nameOf(model, version)
	if err != nil {
		return nil, err
	}
	h, err := f.Serving.State(ctx, n)
	if err != nil {
		return nil, err
	}
	if version == "" {
		return f.stats.all(model, 0), nil
	}
	return f.stats.all(model, h.Version), nil
}

// configType is a datatype in the words of Triton's model configuration.
func configType(d string) inference.DataType {
	if d == texts.String() {
		return inference.DataType_TYPE_STRING
	}
	return inference.DataType(inference.DataType_value["TYPE_"+d])
}
