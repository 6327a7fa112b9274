// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"flyball/fault"
	"flyball/ident"
	"flyball/search"
)

// CreateVersion registers a version of v.Model. Source, RunID, ModelID, RunLink, About,
// Tags and CreatedBy of v count; what the source says is settled by CheckSource.
func (r *Registrar) CreateVersion(ctx context.Context, v Version) (Version, error) {
	tags, err := checkTexts(v.About, v.Tags)
	if err != nil {
		return Version{}, err
	}
	if utf8.RuneCountInString(v.RunLink) > maxSource {
		return Version{}, tooLong("run_link", maxSource)
	}
	prompt := slices.ContainsFunc(tags, func(t Tag) bool { return t.Key == PromptTag && strings.EqualFold(t.Value, "true") })
	origin, err := r.settle(ctx, Claim{Source: v.Source, RunID: v.RunID, ModelID: v.ModelID, Prompt: prompt})
	if err != nil {
		return Version{}, err
	}
	now := r.opts.Now()
	return r.opts.Store.RegisterVersion(ctx, Version{
		Ref: ident.Ref{Model: v.Model}, CreatedAt: now, UpdatedAt: now, CreatedBy: v.CreatedBy,
		Source: origin.Source, Location: origin.Location, RunID: origin.RunID, ModelID: origin.ModelID,
		RunLink: v.RunLink, About: v.About, Stage: None, Tags: tags,
	})
}

// settle looks up what a claim names, and decides on it.
func (r *Registrar) settle(ctx context.Context, c Claim) (Origin, error) {
	s, err := ParseSource(c, r.opts.Schemes)
	if err != nil {
		return Origin{}, err
	}
	k := Known{Runs: map[ident.RunID]Resource{}, Models: map[ident.ModelID]Resource{}}
	if s.Version != nil {
		if k.Version, err = r.named(ctx, *s.Version); err != nil {
			return Origin{}, err
		}
	}
	for _, id := range []ident.RunID{s.RunID, s.Run} {
		if res, there, err := r.opts.Store.RunRoot(ctx, id); err != nil {
			return Origin{}, err
		} else if there {
			k.Runs[id] = res
		}
	}
	if s.Run != "" && s.Name != "" {
		if k.Logged, err = r.opts.Store.LoggedByRun(ctx, s.Run, s.Name); err != nil {
			return Origin{}, err
		}
	}
	for _, id := range []ident.ModelID{s.ModelID, s.Model, k.Logged} {
		if res, there, err := r.opts.Store.ModelRoot(ctx, id); err != nil {
			return Origin{}, err
		} else if there {
			k.Models[id] = res
		}
	}
	return CheckSource(s, k)
}

// named is the version that a models:/ URI names.
func (r *Registrar) named(ctx context.Context, n VersionName) (Version, error) {
	switch {
	case n.Alias != "":
		return r.ByAlias(ctx, n.Model, n.Alias)
	case n.Stage != "":
		latest, err := r.Latest(ctx, n.Model, []string{string(n.Stage)})
		if err == nil && len(latest) == 0 {
			err = fault.New(fault.NotFound, "No versions of model with name '%s' and stage '%s' found", n.Model, n.Stage)
		}
		if err != nil {
			return Version{}, err
		}
		return latest[0], nil
	}
	return r.Version(ctx, ident.Ref{Model: n.Model, Version: n.Number})
}

// Version is one version with its tags and aliases.
func (r *Registrar) Version(ctx context.Context, ref ident.Ref) (Version, error) {
	v, err := r.opts.Store.Version(ctx, ref)
	if fault.Is(err, fault.NotFound) {
		return Version{}, NoVersion(ref)
	}
	return v, err
}

// DescribeVersion says what a version is; nil leaves that as it is.
func (r *Registrar) DescribeVersion(ctx context.Context, ref ident.Ref, about *string) (Version, error) {
	if about != nil {
		if _, err := checkTexts(*about, nil); err != nil {
			return Version{}, err
		}
		if err := r.opts.Store.DescribeVersion(ctx, ref, *about, r.opts.Now()); err != nil {
			return Version{}, err
		}
	}
	return r.Version(ctx, ref)
}

// SetStage sets the stage of a version; archive also archives the others of that
// stage, which must be Staging or Production.
func (r *Registrar) SetStage(ctx context.Context, ref ident.Ref, stage string, archive bool) (Version, error) {
	st, err := ParseStage(stage)
	if err != nil {
		return Version{}, err
	}
	if archive && st != Staging && st != Production {
		return Version{}, fault.New(fault.Invalid, "Model version transition cannot archive existing model versions because '%s' is not an Active stage. Valid stages are ['Staging', 'Production']", st)
	}
	if err := r.opts.Store.SetStage(ctx, ref, st, archive, r.opts.Now()); err != nil {
		return Version{}, err
	}
	return r.Version(ctx, ref)
}

// DeleteVersion deletes a version with the aliases at it.
func (r *Registrar) DeleteVersion(ctx context.Context, ref ident.Ref, by string) error {
	return r.opts.Store.DeleteVersion(ctx, ref, by, r.opts.Now())
}

// SetVersionTag sets a tag.
func (r *Registrar) SetVersionTag(ctx context.Context, ref ident.Ref, t Tag) error {
	if err := CheckTag(t); err != nil {
		return err
	}
	return r.opts.Store.SetVersionTag(ctx, ref, t)
}

// DeleteVersionTag removes a tag; one that is not there is no error.
func (r *Registrar) DeleteVersionTag(ctx context.Context, ref ident.Ref, key string) error {
	return r.opts.Store.DeleteVersionTag(ctx, ref, key)
}

// maxCopies bounds how far a copy of a copy is followed.
const maxCopies = 16

// DownloadURI is what a client is told of where the files of a version are: their
// Location, but for a path of a run, which clients follow themselves, the source as it
// was said, as in MLflow.
func (r *Registrar) DownloadURI(ctx context.Context, ref ident.Ref) (string, error) {
	uri, of, err := r.locate(ctx, ref)
	if err == nil && strings.HasPrefix(of.Source, "runs:") {
		return of.Source, nil
	}
	return uri, err
}

// Location is where the files of a version are: what its source was resolved to when
// it was registered, else the folder of what Flyball made. Where neither is known it is
// the source as it was said. A copy's files are those of its original.
func (r *Registrar) Location(ctx context.Context, ref ident.Ref) (string, error) {
	uri, _, err := r.locate(ctx, ref)
	return uri, err
}

// locate also gives the version whose files they are.
func (r *Registrar) locate(ctx context.Context, ref ident.Ref) (string, Version, error) {
	v, err := r.Version(ctx, ref)
	if err != nil {
		return "", v, err
	}
	of := v
	for range maxCopies {
		if of.Location != "" {
			return of.Location, of, nil
		}
		if of.Made() && r.opts.Folder != nil {
			path, err := r.opts.Folder(ctx, of)
			return "mlflow-artifacts:/" + strings.TrimPrefix(path, "/"), of, err
		}
		original, ok := copied(of)
		if !ok {
			break
		}
		of, err = r.opts.Store.Version(ctx, original)
		if fault.Is(err, fault.NotFound) {
			break // it was deleted since
		}
		if err != nil {
			return "", v, err
		}
	}
	if v.Source == "" {
		return VersionURI(v.Ref), v, nil
	}
	return v.Source, v, nil
}

// copied is the version of which v is a copy.
func copied(v Version) (ident.Ref, bool) {
	s, err := ParseSource(Claim{Source: v.Source}, nil)
	if err != nil || s.Version == nil || s.Version.Number == 0 {
		return ident.Ref{}, false
	}
	return ident.Ref{Model: s.Version.Model, Version: s.Version.Number}, true
}

// withoutPrompts is a filter that leaves prompts out, unless it asks for them.
func withoutPrompts(f search.Filter) search.Filter {
	out := make(search.Filter, 0, len(f)+1)
	asked := false
	for _, c := range f {
		if c.Entity != search.Tag || c.Key != PromptTag {
			out = append(out, c)
			continue
		}
		is := strings.EqualFold(c.Text, "true")
		if c.Op == search.Equal && is || c.Op == search.NotEqual && strings.EqualFold(c.Text, "false") {
			asked = true
			c.Op, c.Text = search.Equal, "true"
			out = append(out, c)
		}
	}
	if !asked {
		out = append(out, search.Comparison{Entity: search.Tag, Key: PromptTag, Op: search.NotEqual, Text: "true"})
	}
	return out
}
