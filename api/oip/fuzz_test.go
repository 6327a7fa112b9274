// SPDX-License-Identifier: Apache-2.0

package oip

import (
	"encoding/json"
	"testing"

	"google.golang.org/protobuf/proto"

	"flyball/api/oip/inference"
	"flyball/data/frame"
	"flyball/fault"
	"flyball/internal/fuzzcheck"
)

// wide is a schema that takes every kind of column.
func wideSchema() schema {
	return schema{inputs: []frame.Field{{Name: "a", Kind: frame.Number}, {Name: "w", Kind: frame.Text}, {Name: "t", Kind: frame.Time}}}
}

// reads checks what came of a request: columns of as many rows as its tensors have, or an
// Invalid fault.
func reads(t *testing.T, req *request, err error, size int) {
	t.Helper()
	for _, s := range []schema{wideSchema(), {inputs: numbers("a", "b")}, {inputs: numbers("a"), meta: []frame.Field{{Name: "w", Kind: frame.Text}}}} {
		var f *frame.Frame
		err := err
		if err == nil {
			f, err = s.frame(req.tensors)
		}
		switch {
		case err != nil && !fault.Is(err, fault.Invalid):
			t.Fatalf("another error than Invalid: %v", err)
		case err == nil && (f.Rows() < 1 || f.Rows() > size || len(f.Columns()) != len(s.inputs)+len(s.meta)):
			t.Fatalf("%d rows of %d columns from %d bytes", f.Rows(), len(f.Columns()), size)
		}
	}
}

func FuzzJSONRequest(f *testing.F) {
	f.Add([]byte(in(one("a", "FP64", "[2]", "[1,null]"), one("w", "BYTES", "[2,1]", `[["x"],["\u00e4"]]`), one("t", "BYTES", "[2]", `["2012-01-01",""]`))))
	f.Add([]byte(in(one("x", "FP32", "[2,2]", "[[1,1e3],[-0.5,2]]"))))
	f.Add([]byte(`{"id":"1","parameters":{"binary_data_output":true,"timeout":5},"inputs":[` + one("a", "UINT64", "[1]", "[18446744073709551615]") + `,` + one("b", "BOOL", "[1]", "[true]") + `],"outputs":[{"name":"value","parameters":{"binary_data":false}}]}`))
	f.Add([]byte(in(one("a", "INT8", "[1]", "[-128]"), one("w", "INT64", "[1]", "[9007199254740993]"))))
	f.Fuzz(func(t *testing.T, b []byte) {
		var req *request
		var err error
		fuzzcheck.Within(t, len(b), 1<<16, func() { req, err = readJSON(b, nil) })
		reads(t, req, err, len(b))
	})
}

func FuzzBinaryRequest(f *testing.F) {
	head := heads("", [3]any{"a", "FP64", 16}, [3]any{"w", "BYTES", 9}, [3]any{"t", "BYTES", 8})
	f.Add([]byte(head), append(append(make([]byte, 16), "\x01\x00\x00\x00x\x00\x00\x00\x00"...), make([]byte, 8)...))
	f.Add([]byte(heads("", [3]any{"a", "FP16", 4}, [3]any{"b", "BF16", 4})), make([]byte, 8))
	f.Add([]byte(heads("", [3]any{"a", "BOOL", 2}, [3]any{"w", "UINT64", 16})), make([]byte, 18))
	f.Fuzz(func(t *testing.T, head, tail []byte) {
		var req *request
		var err error
		fuzzcheck.Within(t, len(head)+len(tail), 1<<16, func() { req, err = readJSON(head, tail) })
		reads(t, req, err, len(head)+len(tail))
	})
}

func FuzzMessage(f *testing.F) {
	add := func(m *inference.ModelInferRequest) {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	type inputs = []*inference.ModelInferRequest_InferInputTensor
	add(&inference.ModelInferRequest{ModelName: "m", Inputs: inputs{typed("a", 1, 2), typed("b", 1, 2)}})
	add(&inference.ModelInferRequest{ModelName: "m", Inputs: inputs{{Name: "x", Datatype: "FP32", Shape: []int64{1, 2}}}, RawInputContents: [][]byte{make([]byte, 8)}})
	add(&inference.ModelInferRequest{ModelName: "m", Inputs: inputs{typed("a", 1), {
		Name: "w", Datatype: "BYTES", Shape: []int64{1}, Contents: &inference.InferTensorContents{BytesContents: [][]byte{[]byte("x")}},
	}}})
	f.Fuzz(func(t *testing.T, b []byte) {
		var req *request
		var err error
		fuzzcheck.Within(t, len(b), 1<<16, func() {
			var m inference.ModelInferRequest
			if err = proto.Unmarshal(b, &m); err == nil {
				req, err = readMessage(&m)
			}
		})
		if req == nil && !fault.Is(err, fault.Invalid) {
			return // no message
		}
		reads(t, req, err, len(b))
	})
}

func FuzzWholeJSONIsJSON(f *testing.F) {
	f.Add([]byte(`{"inputs":[{"name":"a","datatype":"FP64","shape":[1],"data":[1]}],"x":{"y":[1,"\u00e4",null,true]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		req, err := readJSON(b, nil)
		if err != nil {
			return
		}
		for i := range req.tensors {
			if s := (&schema{inputs: numbers(req.tensors[i].name)}); req.tensors[i].json != nil {
				if _, err := s.frame(req.tensors[i : i+1]); err != nil {
					return
				}
			}
		}
		if !json.Valid(b) {
			t.Errorf("taken for JSON: %q", b)
		}
	})
}
