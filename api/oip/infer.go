// SPDX-License-Identifier: Apache-2.0

package oip

import (
	"context"
	"net/http"
	"strconv"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/ident"
)

// headerLength says how many bytes of a body are its JSON; what follows is binary.
const headerLength = "Inference-Header-Content-Length"

// inferREST answers a request as JSON, with binary tensors where it asks for them.
func (f *Face) inferREST(w http.ResponseWriter, r *http.Request) error {
	n, err := asksFor(r)
	if err != nil {
		return err
	}
	b, err := f.body(w, r)
	if err != nil {
		return err
	}
	defer b.free()
	req, err := f.request(r.Context(), n, b.bytes, r.Header.Get(headerLength))
	if err != nil {
		return err
	}
	got, err := f.infer(r.Context(), n, req)
	if err != nil {
		return err
	}
	out := f.buffer()
	defer (&body{buf: out, pool: &f.buffers}).free()
	text, head := got.encode(out.AvailableBuffer())
	out.Write(text) // so that the buffer is large enough the next time
	h := w.Header()
	h.Set("Content-Type", "application/json")
	if head > 0 {
		h.Set("Content-Type", "application/octet-stream")
		h.Set(headerLength, strconv.Itoa(head))
	}
	f.write(w, r, out.Bytes())
	return nil
}

// request reads a body whose header says how long its JSON is; empty: all of it is.
func (f *Face) request(ctx context.Context, n ident.Name, b []byte, header string) (*request, error) {
	if header == "" {
		return readJSON(b, nil)
	}
	head, err := strconv.Atoi(header)
	switch {
	case err != nil || head < 0:
		return nil, fault.New(fault.Invalid, "%s is %q, no length", headerLength, clip([]byte(header)))
	case head > len(b):
		return nil, fault.New(fault.Invalid, "%s is %d, and the body has %d bytes", headerLength, head, len(b)).
			Do("send the length of the JSON before it is compressed")
	case head == 0:
		return f.rawRequest(ctx, n, b)
	}
	return readJSON(b[:head:head], b[head:])
}

// rawRequest is a body that is the only input of a model and nothing else: numbers in
// FP64, or one text.
func (f *Face) rawRequest(ctx context.Context, n ident.Name, b []byte) (*request, error) {
	s, _, err := f.schema(ctx, n)
	if err != nil {
		return nil, err
	}
	if len(s.inputs)+len(s.meta) != 1 {
		return nil, fault.New(fault.Invalid, "the model has %d inputs, and a raw binary request is for a model of one", len(s.inputs)+len(s.meta)).
			Do("send JSON, with binary tensors after it")
	}
	in := append(append([]frame.Field{}, s.inputs...), s.meta...)[0]
	t := tensor{name: in.Name, datatype: wire(in.Kind), raw: b, shape: []int64{1}, alone: true}
	if t.datatype == fp64 {
		t.alone, t.shape[0] = false, int64(len(b)/8)
	}
	if t.raw == nil {
		t.raw = []byte{}
	}
	return &request{tensors: []tensor{t}, binary: true}, nil
}
