// SPDX-License-Identifier: Apache-2.0

package oip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // the compression that clients may ask for
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	oldreflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"

	"flyball/api"
	"flyball/api/oip/inference"
	"flyball/governance/access"
	"flyball/ident"
)

// permissions are what each method of the gRPC server asks for.
func permissions() map[string]access.Permission {
	return map[string]access.Permission{
		inference.GRPCInferenceService_ServerLive_FullMethodName:            access.Open,
		inference.GRPCInferenceService_ServerReady_FullMethodName:           access.Open,
		inference.GRPCInferenceService_ServerMetadata_FullMethodName:        access.Open,
		inference.GRPCInferenceService_ModelReady_FullMethodName:            access.Read,
		inference.GRPCInferenceService_ModelMetadata_FullMethodName:         access.Read,
		inference.GRPCInferenceService_ModelConfig_FullMethodName:           access.Read,
		inference.GRPCInferenceService_ModelStatistics_FullMethodName:       access.Read,
		inference.GRPCInferenceService_RepositoryIndex_FullMethodName:       access.Read,
		inference.GRPCInferenceService_ModelInfer_FullMethodName:            access.Predict,
		inference.GRPCInferenceService_ModelStreamInfer_FullMethodName:      access.Predict,
		inference.GRPCInferenceService_RepositoryModelLoad_FullMethodName:   access.Operate,
		inference.GRPCInferenceService_RepositoryModelUnload_FullMethodName: access.Operate,

		healthpb.Health_Check_FullMethodName:                                 access.Open,
		healthpb.Health_List_FullMethodName:                                  access.Open,
		healthpb.Health_Watch_FullMethodName:                                 access.Open,
		reflectionpb.ServerReflection_ServerReflectionInfo_FullMethodName:    access.Open,
		oldreflectionpb.ServerReflection_ServerReflectionInfo_FullMethodName: access.Open,
	}
}

// GRPC is the gRPC server of a face. Stop it by GracefulStop or Stop, after Drain.
type GRPC struct {
	*grpc.Server
	health *health.Server
}

// Drain has health say from now on that the server does not serve.
func (g *GRPC) Drain() { g.health.Shutdown() }

// GRPC makes the gRPC server: the protocol, grpc.health.v1 and reflection. who finds out
// who asks; options add to how it serves, such as over TLS. A method without a permission
// is a defect that shows here.
func (f *Face) GRPC(who *api.Routes, options ...grpc.ServerOption) *GRPC {
	known := permissions()
	s := grpc.NewServer(append(options,
		grpc.UnaryInterceptor(func(ctx context.Context, in any, about *grpc.UnaryServerInfo, do grpc.UnaryHandler) (any, error) {
			ctx, err := f.allow(ctx, who, known[about.FullMethod], in)
			if err != nil {
				return nil, err
			}
			return do(ctx, in)
		}),
		grpc.StreamInterceptor(func(srv any, s grpc.ServerStream, about *grpc.StreamServerInfo, do grpc.StreamHandler) error {
			p := known[about.FullMethod]
			ctx, err := f.identify(s.Context(), who, p)
			if err != nil {
				return err
			}
			return do(srv, &guarded{ServerStream: s, ctx: ctx, face: f, needs: p})
		}),
		grpc.MaxRecvMsgSize(f.MaxBody), grpc.MaxSendMsgSize(f.MaxBody), grpc.MaxConcurrentStreams(1000),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 20 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
	)...)
	h := health.NewServer()
	inference.RegisterGRPCInferenceServiceServer(s, &service{f: f})
	healthpb.RegisterHealthServer(s, h)
	reflection.Register(s)
	for name, info := range s.GetServiceInfo() {
		h.SetServingStatus(name, healthpb.HealthCheckResponse_SERVING)
		for _, m := range info.Methods {
			if known["/"+name+"/"+m.Name] == "" {
				panic(fmt.Sprintf("oip: %s/%s has no permission", name, m.Name))
			}
		}
	}
	return &GRPC{Server: s, health: h}
}

// service is the protocol's methods.
type service struct {
	inference.UnimplementedGRPCInferenceServiceServer
	f *Face
}

// failed is err as gRPC answers it.
func (s *service) failed(ctx context.Context, what string, err error) error {
	if cause := ctx.Err(); cause != nil { // whatever came of it, the caller sees its own deadline
		err = cause
	}
	p := problemOf(err)
	s.f.log(ctx, what, err, p)
	return status.Error(p.code, p.message)
}

func (s *service) ServerLive(context.Context, *inference.ServerLiveRequest) (*inference.ServerLiveResponse, error) {
	return &inference.ServerLiveResponse{Live: true}, nil
}

func (s *service) ServerReady(ctx context.Context, _ *inference.ServerReadyRequest) (*inference.ServerReadyResponse, error) {
	return &inference.ServerReadyResponse{Ready: s.f.ready(ctx) == nil}, nil
}

func (s *service) ServerMetadata(context.Context, *inference.ServerMetadataRequest) (*inference.ServerMetadataResponse, error) {
	return &inference.ServerMetadataResponse{Name: name, Version: s.f.Version, Extensions: extensions()}, nil
}

func (s *service) ModelReady(ctx context.Context, in *inference.ModelReadyRequest) (*inference.ModelReadyResponse, error) {
	n, err := nameOf(in.GetName(), in.GetVersion())
	var ok bool
	if err == nil {
		ok, _, err = s.f.modelReady(ctx, n)
	}
	if err != nil {
		return nil, s.failed(ctx, "ModelReady", err)
	}
	return &inference.ModelReadyResponse{Ready: ok}, nil
}

func (s *service) ModelMetadata(ctx context.Context, in *inference.ModelMetadataRequest) (*inference.ModelMetadataResponse, error) {
	n, err := nameOf(in.GetName(), in.GetVersion())
	var m metadata
	if err == nil {
		m, err = s.f.describe(ctx, n)
	}
	if err != nil {
		return nil, s.failed(ctx, "ModelMetadata", err)
	}
	part := func(in []tensorInfo) []*inference.ModelMetadataResponse_TensorMetadata {
		var out []*inference.ModelMetadataResponse_TensorMetadata
		for _, t := range in {
			out = append(out, &inference.ModelMetadataResponse_TensorMetadata{Name: t.Name, Datatype: t.Datatype, Shape: t.Shape})
		}
		return out
	}
	return &inference.ModelMetadataResponse{
		Name: m.Name, Versions: m.Versions, Platform: m.Platform, Inputs: part(m.Inputs), Outputs: part(m.Outputs),
	}, nil
}

func (s *service) ModelConfig(ctx context.Context, in *inference.ModelConfigRequest) (*inference.ModelConfigResponse, error) {
	n, err := nameOf(in.GetName(), in.GetVersion())
	var sc schema
	if err == nil {
		sc, _, err = s.f.schema(ctx, n)
	}
	if err != nil {
		return nil, s.failed(ctx, "ModelConfig", err)
	}
	out := &inference.ModelConfig{Name: n.Model, Platform: sc.platform(), Backend: name}
	for _, t := range sc.columns() {
		out.Input = append(out.Input, &inference.ModelInput{Name: t.Name, DataType: configType(t.Datatype), Dims: t.Shape})
	}
	for _, t := range sc.outputs() {
		out.Output = append(out.Output, &inference.ModelOutput{Name: t.Name, DataType: configType(t.Datatype), Dims: t.Shape})
	}
	return &inference.ModelConfigResponse{Config: out}, nil
}

func (s *service) ModelStatistics(ctx context.Context, in *inference.ModelStatisticsRequest) (*inference.ModelStatisticsResponse, error) {
	all, err := s.f.statisticsOf(ctx, in.GetName(), in.GetVersion())
	if err != nil {
		return nil, s.failed(ctx, "ModelStatistics", err)
	}
	of := func(d *duration) *inference.StatisticDuration {
		return &inference.StatisticDuration{Count: d.count.Load(), Ns: d.ns.Load()}
	}
	out := &inference.ModelStatisticsResponse{}
	for _, c := range all {
		out.ModelStats = append(out.ModelStats, &inference.ModelStatistics{
			Name: c.Model, Version: strconv.Itoa(c.Version), LastInference: uint64(c.last.Load()),
			InferenceCount: c.rows.Load(), ExecutionCount: c.requests.Load(),
			InferenceStats: &inference.InferStatistics{
				Success: of(&c.success), Fail: of(&c.fail), Queue: &inference.StatisticDuration{},
				ComputeInput: of(&c.input), ComputeInfer: of(&c.infer), ComputeOutput: &inference.StatisticDuration{},
			},
		})
	}
	return out, nil
}

func (s *service) RepositoryIndex(ctx context.Context, in *inference.RepositoryIndexRequest) (*inference.RepositoryIndexResponse, error) {
	all, err := s.f.held(ctx, in.GetReady())
	if err != nil {
		return nil, s.failed(ctx, "RepositoryIndex", err)
	}
	out := &inference.RepositoryIndexResponse{}
	for _, h := range all {
		out.Models = append(out.Models, &inference.RepositoryIndexResponse_ModelIndex{
			Name: h.Model, Version: strconv.Itoa(h.Version), State: h.State, Reason: h.Reason,
		})
	}
	return out, nil
}

func (s *service) RepositoryModelLoad(ctx context.Context, in *inference.RepositoryModelLoadRequest) (*inference.RepositoryModelLoadResponse, error) {
	err := s.move(ctx, in.GetModelName(), in.GetParameters(), s.f.Serving.Load)
	if err != nil {
		return nil, s.failed(ctx, "RepositoryModelLoad", err)
	}
	return &inference.RepositoryModelLoadResponse{}, nil
}

func (s *service) RepositoryModelUnload(ctx context.Context, in *inference.RepositoryModelUnloadRequest) (*inference.RepositoryModelUnloadResponse, error) {
	err := s.move(ctx, in.GetModelName(), in.GetParameters(), s.f.Serving.Unload)
	if err != nil {
		return nil, s.failed(ctx, "RepositoryModelUnload", err)
	}
	return &inference.RepositoryModelUnloadResponse{}, nil
}

// move loads or unloads a model.
func (s *service) move(
	ctx context.Context, model string, parameters map[string]*inference.ModelRepositoryParameter,
	do func(context.Context, ident.Name) error,
) error {
	in := loading{Parameters: map[string]any{}}
	for key := range parameters {
		in.Parameters[key] = nil
	}
	if err := in.check(); err != nil {
		return err
	}
	n, err := nameOf(model, "")
	if err != nil {
		return err
	}
	return do(ctx, n)
}

func (s *service) ModelInfer(ctx context.Context, in *inference.ModelInferRequest) (*inference.ModelInferResponse, error) {
	out, err := s.infer(ctx, in)
	if err != nil {
		return nil, s.failed(ctx, "ModelInfer", err)
	}
	return out, nil
}

func (s *service) infer(ctx context.Context, in *inference.ModelInferRequest) (*inference.ModelInferResponse, error) {
	n, err := nameOf(in.GetModelName(), in.GetModelVersion())
	if err != nil {
		return nil, err
	}
	req, err := readMessage(in)
	if err != nil {
		return nil, err
	}
	got, err := s.f.infer(ctx, n, req)
	if err != nil {
		return nil, err
	}
	return got.message(req.binary), nil
}

// ModelStreamInfer answers each request of a stream, in their order. What is wrong with
// one is told in its answer, as Triton does, and the stream goes on.
func (s *service) ModelStreamInfer(stream inference.GRPCInferenceService_ModelStreamInferServer) error {
	ctx := stream.Context()
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		out := &inference.ModelStreamInferResponse{}
		if out.InferResponse, err = s.infer(ctx, in); err != nil {
			if ctx.Err() != nil {
				return s.failed(ctx, "ModelStreamInfer", err)
			}
			p := problemOf(err)
			s.f.log(ctx, "ModelStreamInfer", err, p)
			out.ErrorMessage = p.message
			out.InferResponse = &inference.ModelInferResponse{ModelName: in.GetModelName(), ModelVersion: in.GetModelVersion(), Id: in.GetId()}
		}
		if err := stream.Send(out); err != nil {
			return err
		}
	}
}
