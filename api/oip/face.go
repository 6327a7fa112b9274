// SPDX-License-Identifier: Apache-2.0

// Package oip is the Open Inference Protocol v2, over REST and gRPC: what clients of
// KServe, Triton and MLServer speak. It reads tensors into columns, refuses what the
// model does not take before anything is scored, and writes scores as tensors. It holds
// no rule: package serving says which version answers. Shared memory, sequences,
// generation of text and settings of a server are refused by name.
package oip

import (
	"context"
	"log/slog"
	"sync"

	"flyball/ident"
	"flyball/serving"
)

// Server answers predictions and knows the models. Package serving implements it; its
// methods are described there.
type Server interface {
	Predict(ctx context.Context, req serving.Request) (serving.Answer, error)
	Lend(ctx context.Context, name ident.Name) (serving.Loan, error)
	Entry(name string) (serving.Entry, bool)
	Describe(ctx context.Context, name ident.Name) (serving.Description, error)
	State(ctx context.Context, name ident.Name) (serving.Held, error)
	Load(ctx context.Context, name ident.Name) error
	Unload(ctx context.Context, name ident.Name) error
	Index(ctx context.Context) ([]serving.Held, error)
}

// Options are what the face is built from.
type Options struct {
	Serving Server
	Ready   func(ctx context.Context) error // why the server is not ready; nil: it always is
	Version string
	Logger  *slog.Logger // nil: silent
	MaxBody int          // bytes of a request, before and after it is decompressed; 0: 64 MiB
}

// Face is both protocols of one server. All methods may be called at once.
type Face struct {
	Options
	stats   statistics
	buffers sync.Pool // of *bytes.Buffer
}

// New makes the face.
func New(o Options) *Face {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxBody == 0 {
		o.MaxBody = 64 << 20
	}
	return &Face{Options: o}
}

// name is what the server calls itself.
const name = "flyball"

// extensions are what this server has beyond the protocol's core.
func extensions() []string {
	return []string{"binary_tensor_data", "model_configuration", "model_repository", "model_repository(unload_dependents)", "statistics"}
}

// ready says whether the server can answer.
func (f *Face) ready(ctx context.Context) error {
	if f.Ready == nil {
		return nil
	}
	return f.Ready(ctx)
}

// modelReady says whether the model would answer; one that is not there is an error. A
// version that is loaded when it is asked for is ready.
func (f *Face) modelReady(ctx context.Context, n ident.Name) (ok bool, why string, err error) {
	h, err := f.Serving.State(ctx, n)
	if err != nil {
		return false, "", err
	}
	return h.State == serving.Ready || h.Reason == serving.Idle, h.Reason, nil
}

// tensorInfo is a tensor as metadata has it.
type tensorInfo struct {
	Name     string  `json:"name"`
	Datatype string  `json:"datatype"`
	Shape    []int64 `json:"shape"`
}

// columns are the inputs as metadata has them: a tensor each.
func (s *schema) columns() []tensorInfo {
	out := []tensorInfo{}
	for _, f := range s.inputs {
		out = append(out, tensorInfo{f.Name, wire(f.Kind).String(), []int64{-1}})
	}
	for _, f := range s.meta {
		out = append(out, tensorInfo{f.Name, wire(f.Kind).String(), []int64{-1}})
	}
	return out
}

// outputs are those that metadata lists: the usual ones.
func (s *schema) outputs() []tensorInfo {
	out := []tensorInfo{}
	for _, name := range s.usual() {
		t := tensorInfo{name, fp64.String(), []int64{-1}}
		switch name {
		case scoresOutput:
			t.Shape = append(t.Shape, int64(s.scores))
		case decisionOutput:
			t.Datatype = texts.String()
		}
		out = append(out, t)
	}
	return out
}
