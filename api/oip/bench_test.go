// SPDX-License-Identifier: Apache-2.0

package oip

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"flyball/api/oip/inference"
)

// thirty is a schema of thirty numbers, and a request for one row of it.
func thirty(b *testing.B) (schema, []byte, []byte, []byte) {
	b.Helper()
	var names, values, ins []string
	var raw []byte
	for i := range 30 {
		names = append(names, "x"+strconv.Itoa(i))
		values = append(values, fmt.Sprint(float32(i)*1.37))
		raw = append(raw, le(b, float32(i)*1.37)...)
		ins = append(ins, one(names[i], "FP32", "[1,1]", "["+values[i]+"]"))
	}
	head := `{"inputs":[{"name":"x","shape":[1,30],"datatype":"FP32","parameters":{"binary_data_size":120}}],"parameters":{"binary_data_output":true}}`
	matrix := in(one("x", "FP32", "[1,30]", "["+strings.Join(values, ",")+"]"))
	return schema{inputs: numbers(names...), scores: 1}, append([]byte(head), raw...), []byte(matrix), []byte(in(ins...))
}

func BenchmarkOneRowToColumns(b *testing.B) {
	s, binary, matrix, columns := thirty(b)
	head := len(binary) - 120
	for name, read := range map[string]func() (*request, error){
		"binary":  func() (*request, error) { return readJSON(binary[:head], binary[head:]) },
		"matrix":  func() (*request, error) { return readJSON(matrix, nil) },
		"columns": func() (*request, error) { return readJSON(columns, nil) },
		"grpc": func() (*request, error) {
			return readMessage(&inference.ModelInferRequest{
				ModelName: "m", Inputs: []*inference.ModelInferRequest_InferInputTensor{{Name: "x", Datatype: "FP32", Shape: []int64{1, 30}}},
				RawInputContents: [][]byte{binary[head:]},
			})
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				req, err := read()
				if err != nil {
					b.Fatal(err)
				}
				if _, err := s.frame(req.tensors); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOneRowOverREST(b *testing.B) {
	h := web(made(b))
	head := `{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}],"parameters":{"binary_data_output":true}}`
	for _, c := range []struct {
		name    string
		body    []byte
		headers []string
	}{
		{"binary", append([]byte(head), le(b, float32(1), float32(2))...), []string{headerLength, strconv.Itoa(len(head))}},
		{"JSON", []byte(in(one("x", "FP32", "[1,2]", "[1,2]"))), nil},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if w := send(b, h, "POST", "/v2/models/pair/infer", c.body, c.headers...); w.Code != 200 {
					b.Fatal(w.Body)
				}
			}
		})
	}
}
