// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"flyball/data/pipeline"
	"flyball/event"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/model/registry"
	"flyball/spec"
)

// PipelineUse is one version of a pipeline file, and who uses it.
type PipelineUse struct {
	registry.Pipeline
	Newest bool     `json:"newest"`
	Models []string `json:"models,omitempty"` // whose model file was applied with this text, by name
}

// PipelineChange is what a pipeline file would change, or did.
type PipelineChange struct {
	Name     string                `json:"name"`
	Version  int                   `json:"version"`            // that the file is, or would be
	Changed  bool                  `json:"changed"`            // the file, or a model
	Models   []string              `json:"models,omitempty"`   // that take it up
	Changes  []pipeline.Difference `json:"changes,omitempty"`  // against the newest version
	Features []ModelFeatures       `json:"features,omitempty"` // what it means for each model
	Warnings []string              `json:"warnings,omitempty"`
}

// ModelFeatures is what another pipeline means for a model that uses it.
type ModelFeatures struct {
	Model   string                `json:"model"`
	Version int                   `json:"version"` // of the pipeline that it has now; 0: a text that is no version
	Changes []pipeline.Difference `json:"changes,omitempty"`
}

// Pipelines are the pipeline files that were applied, with all their versions where a
// name is given, else the newest and those in use.
func (s *Service) Pipelines(ctx context.Context, name string) ([]PipelineUse, error) {
	all, err := s.opts.Store.Pipelines(ctx, name)
	if err != nil {
		return nil, err
	}
	if name != "" && len(all) == 0 {
		return nil, fault.New(fault.NotFound, "there is no pipeline %s", name).Do("flyball pipelines lists those that there are")
	}
	models, err := s.opts.Store.Models(ctx)
	if err != nil {
		return nil, err
	}
	using := map[string][]string{}
	for _, m := range models {
		if m.Pipeline != "" {
			key := registry.PipelineDigest(m.Pipeline)
			using[key] = append(using[key], m.Name)
		}
	}
	var out []PipelineUse
	before := ""
	for _, p := range all {
		use := PipelineUse{Pipeline: p, Newest: p.Name != before}
		before = p.Name
		if use.Models = using[p.Digest]; use.Models != nil {
			delete(using, p.Digest) // an older version may have the same text
		}
		if name != "" || use.Newest || len(use.Models) > 0 {
			out = append(out, use)
		}
	}
	return out, nil
}

// DiffPipelines says what the second version of a pipeline has that the first had not.
// Zero is the newest.
func (s *Service) DiffPipelines(ctx context.Context, name string, from, to int) ([]pipeline.Difference, error) {
	all, err := s.Pipelines(ctx, name)
	if err != nil {
		return nil, err
	}
	var specs [2]pipeline.Spec
	for i, version := range []int{from, to} {
		at := slices.IndexFunc(all, func(p PipelineUse) bool { return p.Version == version || version == 0 && p.Newest })
		if at < 0 {
			return nil, fault.New(fault.NotFound, "there is no version %d of the pipeline %s", version, name)
		}
		if specs[i], err = readPipeline(name, all[at].File); err != nil {
			return nil, err
		}
	}
	return pipeline.Diff(specs[0], specs[1]), nil
}

func readPipeline(name, file string) (pipeline.Spec, error) {
	f, err := spec.Parse(name, []byte(file))
	if err != nil {
		return pipeline.Spec{}, err
	}
	if f.Pipeline == nil {
		return pipeline.Spec{}, fault.New(fault.Invalid, "%s is not a pipeline file", name).Do("apply the file that says kind: Pipeline")
	}
	return pipeline.Spec{Inputs: f.Pipeline.Inputs, Steps: f.Pipeline.Steps}, nil
}

// ApplyPipeline makes the file the newest version of its pipeline, and has every model
// that names it train with it from now on; what serves goes on as it is. With dry, it
// only says what would change. A file that is wrong, or that one of the models cannot
// use, is an Invalid fault with every problem, and changes nothing.
func (s *Service) ApplyPipeline(ctx context.Context, by, name, file string, dry bool) (PipelineChange, error) {
	f, err := spec.Parse(name, []byte(file))
	if err != nil {
		return PipelineChange{}, err
	}
	if f.Pipeline == nil {
		return PipelineChange{}, fault.New(fault.Invalid, "%s is not a pipeline file", name).Do("apply the file that says kind: Pipeline")
	}
	var wrong []string
	for _, p := range spec.CheckPipeline(*f.Pipeline) {
		wrong = append(wrong, p.Text)
	}
	out := PipelineChange{Name: f.Pipeline.Name}
	apply, err := s.takers(ctx, by, file, f.Pipeline, &out, &wrong)
	if err != nil {
		return PipelineChange{}, err
	}
	if len(wrong) > 0 {
		return PipelineChange{}, fault.Wrap(errors.New(strings.Join(wrong, "\n")), fault.Invalid, "%s", name)
	}
	if err := s.newer(ctx, file, f.Pipeline, &out); err != nil || dry {
		return out, err
	}
	p := registry.Pipeline{Name: out.Name, File: file, AppliedAt: s.now(ctx), AppliedBy: by}
	kept, added, changed, err := s.opts.Store.ApplyPipeline(ctx, p, apply)
	out.Version, out.Changed, out.Models = kept.Version, added || len(changed) > 0, changed
	return out, err
}

// takers are the models that name the pipeline and do not have this text, as they would
// be applied. It fills in what the text means for each, and what is wrong with it there.
func (s *Service) takers(ctx context.Context, by, file string, to *spec.Pipeline, out *PipelineChange, wrong *[]string) ([]registry.Applied, error) {
	models, err := s.opts.Store.Models(ctx)
	if err != nil {
		return nil, err
	}
	versions, err := s.opts.Store.Pipelines(ctx, to.Name)
	if err != nil {
		return nil, err
	}
	var apply []registry.Applied
	for _, m := range models {
		parsed, err := spec.Parse(m.Name, []byte(m.File))
		if err != nil || parsed.Model == nil || parsed.Model.Pipeline.Name != to.Name || m.Pipeline == file {
			continue // a file that cannot be read any more is told of where models are read
		}
		_, warnings, err := Read(Application{Name: m.Name, File: m.File, PipelineName: to.Name, Pipeline: file, Data: m.Data, Code: m.Code})
		if err != nil {
			*wrong = append(*wrong, err.Error())
			continue
		}
		for _, w := range warnings {
			out.Warnings = append(out.Warnings, m.Name+": "+w)
		}
		was, err := readPipeline(to.Name, m.Pipeline)
		if err != nil {
			return nil, err
		}
		mean := ModelFeatures{Model: m.Name, Changes: pipeline.Diff(was, pipeline.Spec{Inputs: to.Inputs, Steps: to.Steps})}
		if i := slices.IndexFunc(versions, func(p registry.Pipeline) bool { return p.File == m.Pipeline }); i >= 0 {
			mean.Version = versions[i].Version
		}
		out.Features, out.Models = append(out.Features, mean), append(out.Models, m.Name)
		m.Pipeline = file
		one, err := s.applied(m, by, fmt.Sprintf("pipeline %s applied", to.Name))
		if err != nil {
			return nil, err
		}
		apply = append(apply, one)
	}
	return apply, nil
}

// newer fills in which version the file is or would be, and how it differs from the
// newest.
func (s *Service) newer(ctx context.Context, file string, to *spec.Pipeline, out *PipelineChange) error {
	all, err := s.opts.Store.Pipelines(ctx, to.Name)
	if err != nil {
		return err
	}
	out.Version, out.Changed = 1, true
	if len(all) == 0 {
		return nil
	}
	out.Version, out.Changed = all[0].Version, len(out.Models) > 0
	if all[0].File == file {
		return nil
	}
	out.Version, out.Changed = all[0].Version+1, true
	was, err := readPipeline(to.Name, all[0].File)
	out.Changes = pipeline.Diff(was, pipeline.Spec{Inputs: to.Inputs, Steps: to.Steps})
	return err
}

// applied is a model as it will be applied, with its audit record and event.
func (s *Service) applied(m registry.Model, by, text string) (registry.Applied, error) {
	m.AppliedAt, m.AppliedBy = s.opts.Now(), by
	data, err := json.Marshal(map[string]any{"data": m.Data, "pipeline": registry.PipelineDigest(m.Pipeline)})
	if err != nil {
		return registry.Applied{}, fmt.Errorf("encode the audit record: %w", err)
	}
	return registry.Applied{
		Model:  m,
		Record: audit.Record{At: m.AppliedAt, Actor: by, Action: "apply", Object: m.Name, Data: data},
		Event: event.Event{
			At: m.AppliedAt, Model: m.Name, By: by, Mark: event.OK, Kind: "apply", Text: text, Command: "flyball status " + m.Name,
		},
	}, nil
}

// sharing are the other models that have another text of the pipeline that a model is
// applied with, as a warning.
func (s *Service) sharing(ctx context.Context, m registry.Model, name string) ([]string, error) {
	models, err := s.opts.Store.Models(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, o := range models {
		if o.Name == m.Name || o.Pipeline == "" || o.Pipeline == m.Pipeline {
			continue
		}
		if f, err := spec.Parse(o.Name, []byte(o.File)); err == nil && f.Model != nil && f.Model.Pipeline.Name == name {
			out = append(out, o.Name)
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return []string{fmt.Sprintf("%s has another text of the pipeline %s; flyball apply of the pipeline's own file gives it to all", strings.Join(out, ", "), name)}, nil
}
