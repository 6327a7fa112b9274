// SPDX-License-Identifier: Apache-2.0

package oip

import (
	"bytes"
	"context"
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"flyball/api"
	"flyball/api/oip/inference"
)

// dial is a client of a gRPC server of the face.
func dial(t testing.TB, f *Face) *grpc.ClientConn {
	t.Helper()
	l := bufconn.Listen(1 << 20)
	s := f.GRPC(api.NewRoutes(nil))
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	c, err := grpc.NewClient("passthrough:///face", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close()
		s.Drain()
		s.GracefulStop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return c
}

// typed is an input of FP64.
func typed(name string, values ...float64) *inference.ModelInferRequest_InferInputTensor {
	return &inference.ModelInferRequest_InferInputTensor{
		Name: name, Datatype: "FP64", Shape: []int64{int64(len(values))},
		Contents: &inference.InferTensorContents{Fp64Contents: values},
	}
}

func TestGRPCAnswersInTheContentsOfTheRequest(t *testing.T) {
	c := inference.NewGRPCInferenceServiceClient(dial(t, made(t)))
	got, err := c.ModelInfer(t.Context(), &inference.ModelInferRequest{
		ModelName: "pair", Id: "q", Inputs: []*inference.ModelInferRequest_InferInputTensor{typed("a", 1, math.NaN()), typed("b", 2, 2)},
	}, grpc.UseCompressor(gzip.Name))
	if err != nil {
		t.Fatal(err)
	}
	if v := got.GetOutputs()[0].GetContents().GetFp64Contents(); v[0] != 21 || v[1] != 20.5 || got.GetId() != "q" || got.GetModelVersion() != "3" ||
		got.GetParameters()["generation"].GetInt64Param() != 7 || got.GetRawOutputContents() != nil {
		t.Errorf("got %v", got)
	}
	got, err = c.ModelInfer(t.Context(), &inference.ModelInferRequest{
		ModelName: "classes", ModelVersion: "champion", Inputs: []*inference.ModelInferRequest_InferInputTensor{{Name: "x", Datatype: "INT16", Shape: []int64{1, 1}}},
		RawInputContents: [][]byte{le(t, int16(5))},
	})
	if err != nil {
		t.Fatal(err)
	}
	raw := got.GetRawOutputContents()
	if len(raw) != 2 || !bytes.Equal(raw[0], le(t, 5.0, 6.0)) || !bytes.Equal(raw[1], le(t, "dög")) || got.GetOutputs()[0].GetContents() != nil {
		t.Errorf("got %v", got)
	}
}

func TestGRPCRefusesByTheKindOfFault(t *testing.T) {
	c := inference.NewGRPCInferenceServiceClient(dial(t, made(t)))
	ask := func(model string, raw [][]byte, inputs ...*inference.ModelInferRequest_InferInputTensor) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := c.ModelInfer(ctx, &inference.ModelInferRequest{ModelName: model, Inputs: inputs, RawInputContents: raw})
			return err
		}
	}
	short := typed("b", 1, 2)
	short.Shape = []int64{1}
	wide := &inference.ModelInferRequest_InferInputTensor{Name: "b", Datatype: "INT8", Shape: []int64{1}, Contents: &inference.InferTensorContents{IntContents: []int32{300}}}
	half := &inference.ModelInferRequest_InferInputTensor{Name: "b", Datatype: "FP16", Shape: []int64{1}, Contents: &inference.InferTensorContents{Fp32Contents: []float32{1}}}
	for _, x := range []struct {
		name string
		do   func(context.Context) error
		code codes.Code
		want string
	}{
		{"no model", ask("nobody", nil, typed("a", 1)), codes.NotFound, "nobody"},
		{"no name", ask("", nil, typed("a", 1)), codes.InvalidArgument, "the request names no model"},
		{"absent", ask("pair", nil, typed("a", 1)), codes.InvalidArgument, `input "b" is absent`},
		{"too many elements", ask("pair", nil, typed("a", 1), short), codes.InvalidArgument, `input "b": fp64_contents has 2 elements, its shape asks for 1`},
		{"out of range", ask("pair", nil, typed("a", 1), wide), codes.InvalidArgument, `input "b", row 0: 300 is no INT8`},
		{"half", ask("pair", nil, typed("a", 1), half), codes.InvalidArgument, `input "b"`},
		{"both contents", ask("pair", [][]byte{nil, nil}, typed("a", 1), typed("b", 1)), codes.InvalidArgument, "send one of the two"},
		{"fewer raw contents", ask("pair", [][]byte{nil}, typed("a", 1), typed("b", 1)), codes.InvalidArgument, "2 inputs and 1 raw_input_contents"},
		{"no time left", func(ctx context.Context) error {
			ctx, cancel := context.WithDeadline(ctx, time.Now().Add(-time.Second))
			defer cancel()
			return ask("pair", nil, typed("a", 1), typed("b", 1))(ctx)
		}, codes.DeadlineExceeded, ""},
		{"unload what serves", func(ctx context.Context) error {
			_, err := c.RepositoryModelUnload(ctx, &inference.RepositoryModelUnloadRequest{ModelName: "pair"})
			return err
		}, codes.FailedPrecondition, "route"},
		{"load with files", func(ctx context.Context) error {
			_, err := c.RepositoryModelLoad(ctx, &inference.RepositoryModelLoadRequest{ModelName: "classes", Parameters: map[string]*inference.ModelRepositoryParameter{"file:1/model": nil}})
			return err
		}, codes.InvalidArgument, "loaded as it was registered"},
	} {
		err := x.do(t.Context())
		if status.Code(err) != x.code || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: got %v, want %s %s", x.name, err, x.code, x.want)
		}
	}
}

func TestGRPCTellsWhatRESTTells(t *testing.T) {
	conn := dial(t, made(t))
	c := inference.NewGRPCInferenceServiceClient(conn)
	ctx := t.Context()
	m, err := c.ModelMetadata(ctx, &inference.ModelMetadataRequest{Name: "mixed"})
	if err != nil || len(m.GetInputs()) != 4 || m.GetOutputs()[1].GetName() != "decision" || m.GetVersions()[0] != "3" {
		t.Errorf("metadata: %v, %v", m, err)
	}
	cfg, err := c.ModelConfig(ctx, &inference.ModelConfigRequest{Name: "mixed"})
	if err != nil || cfg.GetConfig().GetInput()[1].GetDataType() != inference.DataType_TYPE_STRING {
		t.Errorf("config: %v, %v", cfg, err)
	}
	index, err := c.RepositoryIndex(ctx, &inference.RepositoryIndexRequest{})
	if err != nil || len(index.GetModels()) != 4 || index.GetModels()[0].GetReason() != "its file is not whole" {
		t.Errorf("index: %v, %v", index, err)
	}
	ready, err := c.ModelReady(ctx, &inference.ModelReadyRequest{Name: "broken"})
	if err != nil || ready.GetReady() {
		t.Errorf("broken is ready: %v, %v", ready, err)
	}
	h, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{Service: "inference.GRPCInferenceService"})
	if err != nil || h.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("health: %v, %v", h, err)
	}
	if _, err := c.ModelInfer(ctx, &inference.ModelInferRequest{ModelName: "pair", Inputs: []*inference.ModelInferRequest_InferInputTensor{typed("a", 1)}}); err == nil {
		t.Error("answered")
	}
	s, err := c.ModelStatistics(ctx, &inference.ModelStatisticsRequest{Name: "pair", Version: "3"})
	if err != nil || s.GetModelStats()[0].GetInferenceStats().GetFail().GetCount() != 1 {
		t.Errorf("statistics: %v, %v", s, err)
	}
}

func TestAStreamGoesOnAfterAWrongRequest(t *testing.T) {
	stream, err := inference.NewGRPCInferenceServiceClient(dial(t, made(t))).ModelStreamInfer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, inputs := range [][]*inference.ModelInferRequest_InferInputTensor{{typed("a", 1), typed("b", 1)}, {typed("a", 1)}, {typed("a", 2), typed("b", 1)}} {
		if err := stream.Send(&inference.ModelInferRequest{ModelName: "pair", Inputs: inputs}); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []float64{11, 0, 12} {
		got, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if want == 0 {
			if !strings.Contains(got.GetErrorMessage(), `input "b" is absent`) {
				t.Errorf("answer %d: %v", i, got)
			}
			continue
		}
		if v := got.GetInferResponse().GetOutputs()[0].GetContents().GetFp64Contents(); v[0] != want {
			t.Errorf("answer %d: %v", i, got)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Error(err)
	}
}
