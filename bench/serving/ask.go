// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"flyball/api/oip/inference"
)

// features is how many numbers a row has.
const features = 30

// rowsKept is how many different rows are asked for in turn.
const rowsKept = 1024

// near is how far an answer may lie from the model's, which some give as float32.
const near = 1e-5

// makeRows draws the rows.
func makeRows() [][]float64 {
	random := rand.New(rand.NewPCG(1, 2))
	out := make([][]float64, rowsKept)
	for i := range out {
		out[i] = make([]float64, features)
		for j := range out[i] {
			out[i][j] = float64(int(1e6*random.NormFloat64())) / 1e6
		}
	}
	return out
}

// names are those of the features.
func names() []string {
	out := make([]string, features)
	for i := range out {
		out[i] = fmt.Sprint("f", i)
	}
	return out
}

// asRows is a row as our API and the servers written by hand take it.
func asRows(row []float64) []byte {
	one := map[string]float64{}
	for i, name := range names() {
		one[name] = row[i]
	}
	return encode(map[string]any{"rows": []any{one}})
}

// asSplit is a row as MLflow's scoring server takes it.
func asSplit(row []float64) []byte {
	return encode(map[string]any{"dataframe_split": map[string]any{"columns": names(), "data": [][]float64{row}}})
}

// asTensor is a row as the Open Inference Protocol has it.
func asTensor(row []float64) []byte {
	return encode(map[string]any{"inputs": []any{map[string]any{"name": "x", "shape": []int{1, len(row)}, "datatype": "FP32", "data": row}}})
}

func encode(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // it is numbers and names
	}
	return raw
}

// overHTTP asks at url. want is the answers to the rows; nil: any.
func overHTTP(url string, body func(row []float64) []byte, rows [][]float64, want []float64, callers int) asker {
	bodies := make([][]byte, len(rows))
	for i, row := range rows {
		bodies[i] = body(row)
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers, DisableCompression: true}, Timeout: 30 * time.Second}
	return func(ctx context.Context, n int, check bool) error {
		n %= len(bodies)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(bodies[n]))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			return err
		}
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %.200s", res.Status, text)
		}
		if !check || want == nil {
			return nil
		}
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			return err
		}
		got, ok := number(v)
		if !ok {
			return fmt.Errorf("no number in %.200s", text)
		}
		return same(n, got, want[n])
	}
}

// number is the first number of an answer, in whatever form the server gives it.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case []any:
		if len(v) > 0 {
			return number(v[0])
		}
	case map[string]any:
		for _, key := range []string{"predictions", "outputs", "data", "value"} {
			if inner, ok := v[key]; ok {
				return number(inner)
			}
		}
	}
	return 0, false
}

func same(n int, got, want float64) error {
	if !(math.Abs(got-want) <= near) {
		return fmt.Errorf("row %d is answered by %v, want %v", n, got, want)
	}
	return nil
}

// overGRPC asks by the Open Inference Protocol over as many connections as callers. Who
// is done closes them.
func overGRPC(address, model string, rows [][]float64, want []float64, callers int) (_ asker, done func(), err error) {
	var open []*grpc.ClientConn
	done = func() {
		for _, c := range open {
			_ = c.Close()
		}
	}
	clients := make([]inference.GRPCInferenceServiceClient, callers)
	for i := range clients {
		c, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, done, err
		}
		open = append(open, c)
		clients[i] = inference.NewGRPCInferenceServiceClient(c)
	}
	asked := make([]*inference.ModelInferRequest, len(rows))
	for i, row := range rows {
		x := make([]float32, len(row))
		for j, v := range row {
			x[j] = float32(v)
		}
		asked[i] = &inference.ModelInferRequest{ModelName: model, Inputs: []*inference.ModelInferRequest_InferInputTensor{{
			Name: "x", Datatype: "FP32", Shape: []int64{1, int64(len(x))}, Contents: &inference.InferTensorContents{Fp32Contents: x},
		}}}
	}
	return func(ctx context.Context, n int, check bool) error {
		res, err := clients[n%len(clients)].ModelInfer(ctx, asked[n%len(asked)])
		if err != nil || !check || want == nil {
			return err
		}
		if len(res.GetOutputs()) == 0 || len(res.Outputs[0].GetContents().GetFp64Contents()) == 0 {
			return fmt.Errorf("no number in %.200s", res.String())
		}
		return same(n%len(asked), res.Outputs[0].Contents.Fp64Contents[0], want[n%len(asked)])
	}, done, nil
}
