// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"cmp"
	"context"
	"net/http"
	"strconv"

	"flyball/governance/access"
	"flyball/ident"
	"flyball/model/registry"
	"flyball/search"
)

// modelVersion is a version as MLflow writes it.
type modelVersion struct {
	Name        string   `json:"name"`
	Version     string   `json:"version"`
	Created     int64    `json:"creation_timestamp"`
	Updated     int64    `json:"last_updated_timestamp"`
	Stage       string   `json:"current_stage"`
	Description string   `json:"description"`
	Source      string   `json:"source"`
	RunID       string   `json:"run_id"`
	Status      string   `json:"status"`
	Tags        []pair   `json:"tags,omitempty"`
	RunLink     string   `json:"run_link"`
	Aliases     []string `json:"aliases,omitempty"`
}

func modelVersionOf(v registry.Version) modelVersion {
	return modelVersion{
		Name: v.Model, Version: strconv.Itoa(v.Version), Created: v.CreatedAt.UnixMilli(), Updated: v.UpdatedAt.UnixMilli(),
		Stage: string(cmp.Or(v.Stage, registry.None)), Description: v.About,
		Source: cmp.Or(v.Source, registry.VersionURI(v.Ref)), // what Flyball made is found by its own name
		RunID:  string(v.RunID), Status: "READY", Tags: registryPairs(v.Tags), RunLink: v.RunLink, Aliases: v.Aliases,
	}
}

// oneVersion is the answer of the calls about one version.
type oneVersion struct {
	Version modelVersion `json:"model_version"`
}

func oneVersionOf(v registry.Version, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return oneVersion{modelVersionOf(v)}, nil
}

// manyVersions is the answer of a search.
type manyVersions struct {
	Versions []modelVersion `json:"model_versions,omitempty"`
	Next     string         `json:"next_page_token,omitempty"`
}

func manyVersionsOf(vs []registry.Version, next string) manyVersions {
	out := manyVersions{Next: next}
	for _, v := range vs {
		out.Versions = append(out.Versions, modelVersionOf(v))
	}
	return out
}

// ref is the version that the fields name and version name.
func (in *args) ref() ident.Ref {
	ref := ident.Ref{Model: in.need("name")}
	text := in.need("version")
	if in.err() == nil {
		n, err := registry.ParseVersion(text)
		in.fail(err)
		ref.Version = n
	}
	return ref
}

// versionRoutes adds the calls about versions.
func (f *face) versionRoutes() {
	f.route(access.Track, http.MethodPost, "model-versions/create", f.createVersion)
	f.route(access.Read, http.MethodGet, "model-versions/search", f.searchVersions)
	f.versionRoute(access.Read, http.MethodGet, "get", func(ctx context.Context, ref ident.Ref, _ *args) (any, error) {
		return oneVersionOf(f.Registry.Version(ctx, ref))
	})
	f.versionRoute(access.Track, http.MethodPatch, "update", func(ctx context.Context, ref ident.Ref, in *args) (any, error) {
		about := in.optional("description")
		if err := in.err(); err != nil {
			return nil, err
		}
		return oneVersionOf(f.Registry.DescribeVersion(ctx, ref, about))
	})
	f.versionRoute(access.Track, http.MethodPost, "transition-stage", func(ctx context.Context, ref ident.Ref, in *args) (any, error) {
		stage, archive := in.need("stage"), in.bool("archive_existing_versions")
		if err := in.err(); err != nil {
			return nil, err
		}
		return oneVersionOf(f.Registry.SetStage(ctx, ref, stage, archive))
	})
	f.versionRoute(access.Track, http.MethodDelete, "delete", func(ctx context.Context, ref ident.Ref, _ *args) (any, error) {
		return nil, f.Registry.DeleteVersion(ctx, ref, asker(ctx))
	})
	f.versionRoute(access.Read, http.MethodGet, "get-download-uri", func(ctx context.Context, ref ident.Ref, _ *args) (any, error) {
		uri, err := f.Registry.DownloadURI(ctx, ref)
		if err != nil {
			return nil, err
		}
		return map[string]string{"artifact_uri": uri}, nil
	})
	f.versionRoute(access.Track, http.MethodPost, "set-tag", func(ctx context.Context, ref ident.Ref, in *args) (any, error) {
		tag := registry.Tag{Key: in.need("key"), Value: in.text("value")}
		if err := in.err(); err != nil {
			return nil, err
		}
		return nil, f.Registry.SetVersionTag(ctx, ref, tag)
	})
	f.versionRoute(access.Track, http.MethodDelete, "delete-tag", func(ctx context.Context, ref ident.Ref, in *args) (any, error) {
		key := in.need("key")
		if err := in.err(); err != nil {
			return nil, err
		}
		return nil, f.Registry.DeleteVersionTag(ctx, ref, key)
	})
}

// versionRoute adds a call about the version that its arguments name.
func (f *face) versionRoute(p access.Permission, verb, call string, do func(ctx context.Context, ref ident.Ref, in *args) (any, error)) {
	f.route(p, verb, "model-versions/"+call, func(ctx context.Context, in *args) (any, error) {
		ref := in.ref()
		if err := in.err(); err != nil {
			return nil, err
		}
		return do(ctx, ref, in)
	})
}

func (f *face) createVersion(ctx context.Context, in *args) (any, error) {
	v := registry.Version{
		Ref: ident.Ref{Model: in.need("name")}, Source: in.need("source"), RunID: ident.RunID(in.text("run_id")), ModelID: ident.ModelID(in.text("model_id")),
		RunLink: in.text("run_link"), About: in.text("description"), Tags: in.registryTags("tags"), CreatedBy: asker(ctx),
	}
	if err := in.err(); err != nil {
		return nil, err
	}
	return oneVersionOf(f.Registry.CreateVersion(ctx, v))
}

func (f *face) searchVersions(ctx context.Context, in *args) (any, error) {
	q, err := in.registryQuery(search.Versions, search.VersionsOrder, someVersions, mostVersions)
	if err != nil {
		return nil, err
	}
	found, next, err := f.Registry.SearchVersions(ctx, q)
	if err != nil {
		return nil, err
	}
	for i := range found {
		found[i].Aliases = nil // MLflow does not tell them here
	}
	return manyVersionsOf(found, next), nil
}
