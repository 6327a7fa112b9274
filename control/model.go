// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"

	"flyball/data/pipeline"
	"flyball/fault"
	"flyball/governance/approval"
	"flyball/loop"
	"flyball/model/registry"
	"flyball/spec"
	"flyball/training"
)

// modelOf hands each part of a model file to the package that owns it.
func modelOf(m spec.Model, p *spec.Pipeline, data, code map[string]registry.DataFile) loop.Model {
	return loop.Model{
		Name: m.Name, About: m.About,
		Recipe: training.Recipe{
			Model: m.Name, Task: m.Predict, Data: m.Data, Pipeline: stepsOf(m, p),
			Train: m.Train, Gate: m.Gate, Watch: m.Watch,
		},
		Files: data, Code: code, Plan: m.Release, Risk: approval.Risk(m.Risk), Policy: m.Retrain, Duties: m.Duties,
		Durable: m.Log.Durable, Wait: m.Log.WhenFull == "wait", Explain: m.Explain.Keep, Flip: m.Explain.Flip,
	}
}

// stepsOf are the model's own steps, or those of the pipeline that it names.
func stepsOf(m spec.Model, p *spec.Pipeline) pipeline.Spec {
	if p != nil {
		return pipeline.Spec{Inputs: p.Inputs, Steps: p.Steps}
	}
	return pipeline.Spec{Inputs: m.Pipeline.Inputs, Steps: m.Pipeline.Steps}
}

// Models are all models that have a model file, as the loop needs them, in the order
// of their names, each with its duties as they are carried now. The loop asks at every turn; a file is read again only when it was
// applied again.
func (s *Service) Models(ctx context.Context) ([]loop.Model, error) {
	all, err := s.opts.Store.Models(ctx)
	if err != nil {
		return nil, err
	}
	away, err := s.opts.Store.Absences(ctx)
	if err != nil {
		return nil, err
	}
	now := s.now(ctx)
	out := make([]loop.Model, 0, len(all))
	for _, rm := range all {
		m, err := s.parse(rm)
		if err != nil {
			s.opts.Logger.Error("a model file that was applied cannot be read", "model", rm.Name, "error", err)
			continue
		}
		m.Duties = m.Duties.At(now, away)
		out = append(out, m)
	}
	return out, nil
}

// Model is one model as the loop needs it; a NotFound fault when there is none, or none
// that has a model file.
func (s *Service) Model(ctx context.Context, name string) (loop.Model, error) {
	rm, err := s.opts.Store.Model(ctx, name)
	if err != nil {
		return loop.Model{}, err
	}
	if !rm.Cared() {
		return loop.Model{}, noFile(name)
	}
	m, err := s.parse(rm)
	if err != nil {
		return m, err
	}
	away, err := s.opts.Store.Absences(ctx)
	m.Duties = m.Duties.At(s.now(ctx), away)
	return m, err
}

// noFile is the fault for a model that only a client registered.
func noFile(name string) error {
	return fault.New(fault.NotFound, "%s is registered and has no model file", name).
		Do("to have Flyball release and watch its versions, write a model file of that name and flyball apply it")
}

func (s *Service) parse(rm registry.Model) (loop.Model, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if have, ok := s.parsed[rm.Name]; ok && have.generation == rm.Generation {
		return have.model, nil
	}
	m, _, err := Read(Application{Name: rm.Name, File: rm.File, PipelineName: rm.Name + " pipeline", Pipeline: rm.Pipeline, Data: rm.Data, Code: rm.Code})
	if err != nil {
		return loop.Model{}, err
	}
	m.Generation, m.Columns, m.Commit = rm.Generation, rm.Columns, rm.Commit
	s.parsed[rm.Name] = parsed{generation: rm.Generation, model: m}
	return m, nil
}
