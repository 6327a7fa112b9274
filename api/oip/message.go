// SPDX-License-Identifier: Apache-2.0

package oip

import (
	"slices"

	"flyball/api/oip/inference"
	"flyball/fault"
)

// readMessage reads a request of gRPC, whose memory the result shares. It asks for raw
// contents where its own are. The error is an Invalid fault.
func readMessage(in *inference.ModelInferRequest) (*request, error) {
	raw := in.GetRawInputContents()
	out := &request{id: in.GetId(), tensors: make([]tensor, len(in.GetInputs())), binary: len(raw) > 0}
	if out.binary && len(raw) != len(out.tensors) {
		return nil, fault.New(fault.Invalid, "the request has %d inputs and %d raw_input_contents", len(out.tensors), len(raw)).
			Do("send one of raw_input_contents for each input, in their order, or none")
	}
	for i, from := range in.GetInputs() {
		t := &out.tensors[i]
		t.name, t.shape, t.typed = from.GetName(), from.GetShape(), from.GetContents()
		if t.name == "" {
			return nil, fault.New(fault.Invalid, "input %d has no name", i)
		}
		var ok bool
		if t.datatype, ok = parseDatatype([]byte(from.GetDatatype())); !ok {
			return nil, t.bad("%q is no datatype", clip([]byte(from.GetDatatype()))).
				Do("write BOOL, UINT8 to UINT64, INT8 to INT64, FP16, BF16, FP32, FP64 or BYTES")
		}
		if p := from.GetParameters()["shared_memory_region"]; p != nil {
			return nil, t.bad("tensors in shared memory are not read").Do("send the data in the request")
		}
		switch {
		case !out.binary && t.typed == nil:
			return nil, t.bad("it has no contents")
		case !out.binary:
		case t.typed != nil && !empty(t.typed):
			return nil, t.bad("it has contents, and the request raw_input_contents").Do("send one of the two")
		default:
			t.typed, t.raw = nil, raw[i]
		}
	}
	for _, o := range in.GetOutputs() {
		if o.GetParameters()["classification"].GetInt64Param() > 0 {
			return nil, fault.New(fault.Invalid, "the extension classification is not here").Do("ask for the outputs scores and decision")
		}
		out.outputs = append(out.outputs, asked{name: o.GetName()})
	}
	out.timeout = in.GetParameters()["timeout"].GetInt64Param()
	return out, nil
}

// message is the answer of gRPC, in raw contents or typed ones.
func (r *result) message(raw bool) *inference.ModelInferResponse {
	text := func(s string) *inference.InferParameter {
		return &inference.InferParameter{ParameterChoice: &inference.InferParameter_StringParam{StringParam: s}}
	}
	out := &inference.ModelInferResponse{
		ModelName: r.model, ModelVersion: itoa(r.version), Id: r.id,
		Parameters: map[string]*inference.InferParameter{"arm": text(r.arm)},
	}
	if r.generation != 0 {
		out.Parameters["generation"] = &inference.InferParameter{ParameterChoice: &inference.InferParameter_Int64Param{Int64Param: r.generation}}
	}
	if r.versions != "" {
		out.Parameters["versions"] = text(r.versions)
	}
	for i := range r.outputs {
		o := &r.outputs[i]
		t := &inference.ModelInferResponse_InferOutputTensor{Name: o.name, Datatype: o.datatype().String(), Shape: slices.Clone(o.shape)}
		out.Outputs = append(out.Outputs, t)
		if raw {
			out.RawOutputContents = append(out.RawOutputContents, o.raw(nil))
			continue
		}
		t.Contents = &inference.InferTensorContents{Fp64Contents: o.nums, Int64Contents: o.ints}
		for _, w := range o.words {
			t.Contents.BytesContents = append(t.Contents.BytesContents, []byte(w))
		}
	}
	return out
}
