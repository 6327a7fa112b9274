// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"context"
	"net/http"
	"strconv"

	"flyball/fault"
	"flyball/governance/access"
	"flyball/model/registry"
	"flyball/search"
)

// asker is who asks, for histories and the audit chain: the local user, while there
// are no others.
func asker(ctx context.Context) string { return access.Actor(ctx) }

// registeredModel is a model as MLflow writes it.
type registeredModel struct {
	Name        string         `json:"name"`
	Created     int64          `json:"creation_timestamp"`
	Updated     int64          `json:"last_updated_timestamp"`
	Description string         `json:"description,omitempty"`
	Latest      []modelVersion `json:"latest_versions,omitempty"`
	Tags        []pair         `json:"tags,omitempty"`
	Aliases     []modelAlias   `json:"aliases,omitempty"`
}

type modelAlias struct {
	Alias   string `json:"alias"`
	Version string `json:"version"`
}

func registeredModelOf(l registry.Listing) registeredModel {
	out := registeredModel{
		Name: l.Name, Created: l.CreatedAt.UnixMilli(), Updated: l.UpdatedAt.UnixMilli(), Description: l.About, Tags: registryPairs(l.Tags),
	}
	for _, v := range l.Latest {
		v.Aliases = nil // MLflow tells them beside the versions here
		out.Latest = append(out.Latest, modelVersionOf(v))
	}
	for _, a := range l.Aliases {
		out.Aliases = append(out.Aliases, modelAlias{Alias: a.Name, Version: strconv.Itoa(a.Version)})
	}
	return out
}

func registryPairs(tags []registry.Tag) []pair {
	out := make([]pair, len(tags))
	for i, t := range tags {
		out[i] = pair(t)
	}
	return out
}

// oneModel is the answer of the calls about one model.
type oneModel struct {
	Model registeredModel `json:"registered_model"`
}

func oneModelOf(l registry.Listing, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return oneModel{registeredModelOf(l)}, nil
}

// manyModels is the answer of a search.
type manyModels struct {
	Models []registeredModel `json:"registered_models,omitempty"`
	Next   string            `json:"next_page_token,omitempty"`
}

// registryRoutes adds the calls about registered models and aliases.
func (f *face) registryRoutes() {
	f.route(access.Track, http.MethodPost, "registered-models/create", func(ctx context.Context, in *args) (any, error) {
		name, about, tags := in.need("name"), in.text("description"), in.registryTags("tags")
		if err := in.err(); err != nil {
			return nil, err
		}
		return oneModelOf(f.Registry.CreateModel(ctx, name, about, tags))
	})
	f.route(access.Track, http.MethodPost, "registered-models/rename", func(ctx context.Context, in *args) (any, error) {
		name, to := in.need("name"), in.need("new_name")
		if err := in.err(); err != nil {
			return nil, err
		}
		return oneModelOf(f.Registry.RenameModel(ctx, name, to, asker(ctx)))
	})
	f.route(access.Track, http.MethodPatch, "registered-models/update", func(ctx context.Context, in *args) (any, error) {
		name, about := in.need("name"), in.optional("description")
		if err := in.err(); err != nil {
			return nil, err
		}
		return oneModelOf(f.Registry.DescribeModel(ctx, name, about))
	})
	f.route(access.Track, http.MethodDelete, "registered-models/delete", func(ctx context.Context, in *args) (any, error) {
		name := in.need("name")
		if err := in.err(); err != nil {
			return nil, err
		}
		return nil, f.Registry.DeleteModel(ctx, name, asker(ctx))
	})
	f.route(access.Read, http.MethodGet, "registered-models/get", func(ctx context.Context, in *args) (any, error) {
		name := in.need("name")
		if err := in.err(); err != nil {
			return nil, err
		}
		return oneModelOf(f.Registry.Model(ctx, name))
	})
	for _, verb := range []string{http.MethodGet, http.MethodPost} { // R searches models by POST
		f.route(access.Read, verb, "registered-models/search", f.searchModels)
		f.route(access.Read, verb, "registered-models/get-latest-versions", f.latestVersions)
	}
	f.route(access.Track, http.MethodPost, "registered-models/set-tag", func(ctx context.Context, in *args) (any, error) {
		name, tag := in.need("name"), registry.Tag{Key: in.need("key"), Value: in.text("value")}
		if err := in.err(); err != nil {
			return nil, err
		}
		return nil, f.Registry.SetModelTag(ctx, name, tag)
	})
	f.route(access.Track, http.MethodDelete, "registered-models/delete-tag", func(ctx context.Context, in *args) (any, error) {
		name, key := in.need("name"), in.need("key")
		if err := in.err(); err != nil {
			return nil, err
		}
		return nil, f.Registry.DeleteModelTag(ctx, name, key)
	})
	f.aliasRoutes()
}

// aliasRoutes adds the calls about aliases.
func (f *face) aliasRoutes() {
	const path = "registered-models/alias"
	f.route(access.Track, http.MethodPost, path, func(ctx context.Context, in *args) (any, error) {
		ref, alias := in.ref(), in.need("alias")
		if err := in.err(); err != nil {
			return nil, err
		}
		return nil, f.Registry.SetAlias(ctx, ref.Model, alias, ref.Version, asker(ctx))
	})
	f.route(access.Track, http.MethodDelete, path, func(ctx context.Context, in *args) (any, error) {
		name, alias := in.need("name"), in.need("alias")
		if err := in.err(); err != nil {
			return nil, err
		}
		return nil, f.Registry.DeleteAlias(ctx, name, alias, asker(ctx))
	})
	f.route(access.Read, http.MethodGet, path, func(ctx context.Context, in *args) (any, error) {
		name, alias := in.need("name"), in.need("alias")
		if err := in.err(); err != nil {
			return nil, err
		}
		return oneVersionOf(f.Registry.ByAlias(ctx, name, alias))
	})
}

// Bounds of pages: what is given unasked, and the most that may be asked for. Whoever
// asks for more than atOnce gets so many and a token.
const (
	someModels, mostModels     = 100, 1_000
	someVersions, mostVersions = 200_000, 200_000
	atOnce                     = 10_000
)

func (f *face) searchModels(ctx context.Context, in *args) (any, error) {
	q, err := in.registryQuery(search.Models, search.ModelsOrder, someModels, mostModels)
	if err != nil {
		return nil, err
	}
	found, next, err := f.Registry.SearchModels(ctx, q)
	if err != nil {
		return nil, err
	}
	out := manyModels{Next: next}
	for _, l := range found {
		out.Models = append(out.Models, registeredModelOf(l))
	}
	return out, nil
}

func (f *face) latestVersions(ctx context.Context, in *args) (any, error) {
	name, stages := in.need("name"), in.texts("stages")
	if err := in.err(); err != nil {
		return nil, err
	}
	found, err := f.Registry.Latest(ctx, name, stages)
	if err != nil {
		return nil, err
	}
	return manyVersionsOf(found, ""), nil
}

// registryQuery reads what the two searches of the registry share.
func (in *args) registryQuery(filter func(string) (search.Filter, error), order func([]string) ([]search.Order, error), some, most int64) (registry.Query, error) {
	text, by, limit, token := in.text("filter"), in.texts("order_by"), in.int64("max_results", some), in.text("page_token")
	if err := in.err(); err != nil {
		return registry.Query{}, err
	}
	switch {
	case limit < 1:
		return registry.Query{}, fault.New(fault.Invalid, "Invalid value for max_results. It must be a positive integer, but got %d", limit)
	case limit > most:
		return registry.Query{}, fault.New(fault.Invalid, "Invalid value for request parameter max_results. It must be at most %d, but got value %d", most, limit)
	}
	q := registry.Query{Limit: int(min(limit, atOnce)), Token: token}
	var err error
	if q.Filter, err = filter(text); err != nil {
		return q, err
	}
	q.Order, err = order(by)
	return q, err
}

// registryTags is a list of tags.
func (in *args) registryTags(name string) []registry.Tag {
	var out []registry.Tag
	for _, t := range in.list(name) {
		out = append(out, registry.Tag{Key: t.text("key"), Value: t.text("value")})
	}
	return out
}

// optional is a text field; nil when it is absent.
func (in *args) optional(name string) *string {
	if !in.has(name) {
		return nil
	}
	s := in.text(name)
	return &s
}
