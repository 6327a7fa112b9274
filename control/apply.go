// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/fault"
	"flyball/loop"
	"flyball/model/registry"
	"flyball/spec"
	"flyball/training"
	"flyball/training/executor"
	"flyball/training/learner"
	"flyball/unit"
)

// Application is a model file to apply, with what it depends on.
type Application struct {
	Name         string                       // of the file, for messages
	File         string                       // its YAML
	PipelineName string                       //
	Pipeline     string                       // the YAML of the shared pipeline it names; empty: it has its steps in place
	Data         map[string]registry.DataFile // the source's files by name; their bytes are kept already
	Code         map[string]registry.DataFile // the files of its command by path, in the same way
	Commit       *registry.Commit             // the commit they lie in; nil: not known
	Repin        bool                         // forget what the columns of the source were
}

// Applied is what an apply did.
type Applied struct {
	Model    registry.Model
	Changed  bool
	Warnings []string
}

// Apply makes the file the model's policy from now on. With dry, it only checks.
// A file that is wrong is an Invalid fault with every problem, and changes nothing.
func (s *Service) Apply(ctx context.Context, by string, a Application, dry bool) (Applied, error) {
	m, warnings, err := Read(a)
	if err != nil {
		return Applied{}, err
	}
	train := m.Recipe.Train
	on, err := executor.On(s.opts.Executor, train.Executor)
	if err != nil && (train.With == training.Command || train.Executor != "") {
		return Applied{}, err
	}
	if train.With != training.Command && train.Executor != "" && on == nil {
		return Applied{}, fault.New(fault.Refused, "%s trains on %s, and this server has no executor", m.Name, train.Executor).
			Do("leave train.executor out: %s trains in the server itself; or start it with flyball serve --executor %s", train.With, train.Executor)
	}
	if train.With == training.Command && on == nil {
		return Applied{}, fault.New(fault.Refused, "%s trains by a command, and this server runs no programs of others: whoever may apply a model file could run code here", m.Name).
			Do("start it with flyball serve --executor local, if all who may apply are trusted with that")
	}
	if err := named(a.Data); err != nil {
		return Applied{}, err
	}
	for _, files := range []map[string]registry.DataFile{a.Data, a.Code} {
		if err := s.here(ctx, files, dry); err != nil {
			return Applied{}, err
		}
	}
	if err := s.handover(ctx, &m); err != nil {
		return Applied{}, err
	}
	taken, err := s.takenOver(ctx, m.Name)
	if err != nil {
		return Applied{}, err
	}
	rm := registry.Model{Name: m.Name, File: a.File, Pipeline: a.Pipeline, Data: a.Data, Code: a.Code, Commit: a.Commit, AppliedAt: s.now(ctx), AppliedBy: by}
	var pinned []string
	if rm.Columns, pinned, err = s.pin(ctx, m.Recipe, rm, a.Repin, dry); err != nil {
		return Applied{}, err
	}
	if err := repeats(m.Recipe, rm.Columns); err != nil {
		return Applied{}, err
	}
	sharing, err := s.sharing(ctx, rm, pipelineOf(a))
	if err != nil {
		return Applied{}, err
	}
	warnings = slices.Concat(warnings, taken, pinned, sharing)
	if dry {
		old, err := s.opts.Store.Model(ctx, m.Name)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return Applied{}, err
		}
		rm.Generation = old.Generation
		return Applied{Model: rm, Changed: !old.Same(rm), Warnings: warnings}, nil
	}
	one, err := s.applied(rm, by, "model file applied")
	if err != nil {
		return Applied{}, err
	}
	if name := pipelineOf(a); name != "" { // before the model: who finds the model finds the version
		p := registry.Pipeline{Name: name, File: rm.Pipeline, AppliedAt: one.Model.AppliedAt, AppliedBy: by}
		if _, _, err := s.opts.Store.AddPipeline(ctx, p); err != nil {
			return Applied{}, err
		}
	}
	kept, changed, err := s.opts.Store.ApplyModel(ctx, one.Model, one.Record, one.Event)
	return Applied{Model: kept, Changed: changed, Warnings: warnings}, err
}

// here refuses files whose bytes were not uploaded, but for a dry run.
func (s *Service) here(ctx context.Context, files map[string]registry.DataFile, dry bool) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		ok, err := s.opts.Blobs.Keep(ctx, files[name].Digest)
		if err != nil {
			return err
		}
		if !ok && !dry {
			return fault.New(fault.Invalid, "the bytes of %s are not here", name).Do("upload the file before applying")
		}
	}
	return nil
}

// pipelineOf is the name of the pipeline that an application came with; empty: none.
// The application was read before.
func pipelineOf(a Application) string {
	if a.Pipeline == "" {
		return ""
	}
	f, err := spec.Parse(a.Name, []byte(a.File))
	if err != nil || f.Model == nil {
		return ""
	}
	return f.Model.Pipeline.Name
}

// takenOver is a sentence about the versions that clients registered under the name
// before there was a model file.
func (s *Service) takenOver(ctx context.Context, name string) ([]string, error) {
	m, err := s.opts.Store.Model(ctx, name)
	if fault.Is(err, fault.NotFound) || err == nil && m.Cared() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	vs, err := s.opts.Store.Versions(ctx, name)
	if err != nil || len(vs) == 0 {
		return nil, err
	}
	how := "have one judged by flyball gate"
	if vs[0].Verdict == "pass" { // it came in an archive
		how = "release one that passed by flyball promote"
	}
	return []string{fmt.Sprintf("%s was registered before: its versions are kept, and none of them answers yet; %s %s", name, how, vs[0].Ref)}, nil
}

// Read reads and checks a model file with its pipeline and gives what the loop needs
// of it. Warnings are sentences about what is allowed but worth a look. A file that is
// wrong is an Invalid fault with every problem on a line as model.yaml:12:3: what is wrong.
func Read(a Application) (loop.Model, []string, error) {
	f, err := spec.Parse(a.Name, []byte(a.File))
	if err != nil {
		return loop.Model{}, nil, err
	}
	if f.Model == nil {
		return loop.Model{}, nil, fault.New(fault.Invalid, "%s is not a model file", a.Name).Do("apply the file that says kind: Model")
	}
	var p *spec.Pipeline
	if name := f.Model.Pipeline.Name; name != "" && name != "none" {
		if a.Pipeline == "" {
			return loop.Model{}, nil, fault.New(fault.Invalid, "%s names the pipeline %q, which did not come with it", a.Name, name)
		}
		pf, err := spec.Parse(a.PipelineName, []byte(a.Pipeline))
		if err != nil {
			return loop.Model{}, nil, err
		}
		if pf.Pipeline == nil || pf.Pipeline.Name != name {
			return loop.Model{}, nil, fault.New(fault.Invalid, "%s is not the pipeline %q", a.PipelineName, name)
		}
		p = pf.Pipeline
	}
	m := f.Model.WithDefaults()
	var wrong []string
	warnings := uncarded(*f.Model)
	for _, problem := range spec.Check(m, p) {
		if problem.Warning {
			warnings = append(warnings, problem.Text)
		} else {
			wrong = append(wrong, f.Position(problem.Path)+": "+problem.Text)
		}
	}
	if t := m.Train; strings.HasPrefix(t.With, "builtin/") {
		for _, settings := range append([]map[string]any{t.Settings}, t.Ends()...) {
			_, err := learner.New(t.With, settings)
			if err == nil && len(wrong) == 0 {
				err = features(stepsOf(m, p), t.With, settings)
			}
			if err != nil {
				wrong = append(wrong, f.Position("train.settings")+": "+err.Error()) // better now than when the training fails
				break
			}
		}
	}
	if len(wrong) > 0 {
		return loop.Model{}, nil, fault.New(fault.Invalid, "%s", strings.Join(wrong, "\n"))
	}
	return modelOf(m, p, a.Data, a.Code), warnings, nil
}

// repeats refuses a column that builtin/last cannot repeat, as the model or as the
// baseline: one that the source does not have, or has as something else than numbers.
func repeats(r training.Recipe, columns []frame.Field) error {
	const last = "builtin/last"
	at, settings := "train.settings", r.Train.Settings
	if r.Gate.Baseline.With == last {
		at, settings = "gate.baseline", r.Gate.Baseline.Settings
	} else if r.Train.With != last {
		return nil
	}
	name, _ := settings["column"].(string)
	i := slices.IndexFunc(columns, func(f frame.Field) bool { return f.Name == name })
	switch {
	case len(columns) == 0: // of a source that was not looked at
	case i < 0 && at == "gate.baseline":
		return fault.New(fault.Invalid, "%s takes the column %q, which the data does not have", at, name).Do("name one of its columns, or use builtin/constant")
	case i >= 0 && columns[i].Kind != frame.Number:
		return fault.New(fault.Invalid, "%s takes the column %q, which is a %s, and builtin/last repeats a number", at, name, columns[i].Kind).
			Do("name a column of numbers, or use builtin/constant with by: [%s]", name)
	}
	return nil
}

// features refuses a setting that names a feature which the pipeline cannot make.
func features(steps pipeline.Spec, with string, settings map[string]any) error {
	for _, n := range learner.Features(with, settings) {
		may, known, err := pipeline.MayMake(steps, n.Feature)
		if err != nil {
			return err
		}
		if may {
			continue
		}
		f := fault.New(fault.Invalid, "train.settings.%s names %q, which is no feature", n.Setting, n.Feature)
		if near := unit.Nearest(n.Feature, known); near != "" {
			return f.Do("did you mean %q? features are what the pipeline makes", near)
		}
		return f.Do("features are what the pipeline makes: %s", unit.List(known[:min(len(known), 12)]))
	}
	return nil
}
