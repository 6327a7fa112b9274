// SPDX-License-Identifier: Apache-2.0

package oip

import "flyball/fault"

// readJSON reads a request's JSON; what follows it in the body is tail: the binary
// tensors, one after the other. The request shares the memory of both. The error is an
// Invalid fault.
func readJSON(head, tail []byte) (*request, error) {
	r := &reader{scanner: scanner{b: head}, tail: tail}
	if err := r.each(r.key); err != nil {
		return nil, err
	}
	if r.peek() != 0 || r.at != len(head) {
		return nil, r.broken("the end")
	}
	if len(r.tail) > 0 {
		return nil, fault.New(fault.Invalid, "%d bytes follow the tensors that the request names", len(r.tail)).
			Do("check binary_data_size of each input")
	}
	return &r.out, nil
}

type reader struct {
	scanner
	tail []byte  // binary data that no tensor has taken yet
	dims []int64 // of all shapes
	out  request
}

// key reads one key of the request.
func (r *reader) key(key []byte) (err error) {
	switch string(key) {
	case "id":
		var id []byte
		id, err = r.text()
		r.out.id = string(id)
		return err
	case "parameters":
		return r.parameters(func(key []byte) (bool, error) {
			switch string(key) {
			case "binary_data_output":
				r.out.binary, err = r.truth()
				return true, err
			case "timeout":
				r.out.timeout, err = r.whole()
				return true, err
			}
			return false, nil
		})
	case "inputs":
		return r.items(func(int) error { return r.input() })
	case "outputs":
		if r.word("null") {
			return nil
		}
		r.out.outputs = []asked{}
		return r.items(func(int) error { return r.output() })
	}
	return r.skip(1)
}

// parameters reads an object of parameters: known reads those that mean something here.
func (r *reader) parameters(known func(key []byte) (bool, error)) error {
	if r.word("null") {
		return nil
	}
	return r.each(func(key []byte) error {
		ok, err := known(key)
		if !ok && err == nil {
			err = r.skip(1)
		}
		return err
	})
}

// input reads one tensor.
func (r *reader) input() error {
	var t tensor
	if err := r.open(); err != nil {
		return err
	}
	size := int64(-1) // of its binary data; -1: it is in the JSON
	for read := 0; ; read++ {
		key, ok, err := r.field(read)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		switch string(key) {
		case "name":
			if key, err = r.text(); err == nil {
				t.name = string(key)
			}
		case "datatype":
			err = r.datatype(&t)
		case "shape":
			err = r.shape(&t)
		case "data":
			if !r.word("null") {
				t.json, err = r.span()
			}
		case "parameters":
			err = r.inputParameters(&size)
		default:
			err = r.skip(1)
		}
		if err != nil {
			return err
		}
	}
	if err := r.data(&t, size); err != nil {
		return err
	}
	r.out.tensors = append(r.out.tensors, t)
	return nil
}

// shape reads the dimensions, all tensors' into one piece of memory. A negative one is
// refused when the shape is measured.
func (r *reader) shape(t *tensor) error {
	if !r.take('[') {
		return r.broken("an array")
	}
	from := len(r.dims)
	for !r.take(']') {
		if len(r.dims) > from && !r.take(',') {
			return r.broken("a comma or the end of the array")
		}
		n, err := r.whole()
		if err != nil {
			return err
		}
		if len(r.dims)-from > maxDims {
			return t.bad("its shape has more than %d dimensions", maxDims)
		}
		r.dims = append(r.dims, n)
	}
	t.shape = r.dims[from:len(r.dims):len(r.dims)]
	return nil
}

func (r *reader) datatype(t *tensor) error {
	word, err := r.text()
	if err != nil {
		return err
	}
	var ok bool
	if t.datatype, ok = parseDatatype(word); !ok {
		return fault.New(fault.Invalid, "%s: %q is no datatype", quoted("input", t.name), clip(word)).
			Do("write BOOL, UINT8 to UINT64, INT8 to INT64, FP16, BF16, FP32, FP64 or BYTES")
	}
	return nil
}

func (r *reader) inputParameters(size *int64) error {
	if r.word("null") {
		return nil
	}
	if err := r.open(); err != nil {
		return err
	}
	for read := 0; ; read++ {
		key, ok, err := r.field(read)
		if err != nil || !ok {
			return err
		}
		switch string(key) {
		case "binary_data_size":
			if *size, err = r.whole(); err == nil && *size < 0 {
				err = fault.New(fault.Invalid, "binary_data_size is %d", *size)
			}
		case "content_type":
			if key, err = r.text(); err == nil && string(key) == "base64" {
				err = fault.New(fault.Invalid, "content_type base64 is not read").Do("send BYTES as text, or as a binary tensor")
			}
		case "shared_memory_region":
			err = fault.New(fault.Invalid, "tensors in shared memory are not read").Do("send the data in the request")
		default:
			err = r.skip(1)
		}
		if err != nil {
			return err
		}
	}
}

// data gives the tensor its part of the binary data, where it has one.
func (r *reader) data(t *tensor, size int64) error {
	switch {
	case t.name == "":
		return fault.New(fault.Invalid, "input %d has no name", len(r.out.tensors))
	case t.datatype == 0:
		return t.bad("it has no datatype")
	case size < 0 && t.json == nil:
		return t.bad("it has no data")
	case size < 0:
		return nil
	case t.json != nil:
		return t.bad("it has data in the JSON and binary_data_size").Do("send one of the two")
	case size > int64(len(r.tail)):
		return t.bad("its binary data has %d bytes, and %d are left in the body", size, len(r.tail)).
			Do("send the header Inference-Header-Content-Length with the length of the JSON")
	}
	t.raw, r.tail = r.tail[:size:size], r.tail[size:]
	return nil
}

// output reads one output that is asked for.
func (r *reader) output() error {
	var o asked
	err := r.each(func(key []byte) (err error) {
		switch string(key) {
		case "name":
			var name []byte
			name, err = r.text()
			o.name = string(name)
		case "parameters":
			err = r.parameters(func(key []byte) (bool, error) {
				switch string(key) {
				case "binary_data":
					o.said = true
					o.binary, err = r.truth()
					return true, err
				case "classification":
					n, err := r.whole()
					if err == nil && n > 0 {
						err = fault.New(fault.Invalid, "the extension classification is not here").Do("ask for the outputs scores and decision")
					}
					return true, err
				}
				return false, nil
			})
		default:
			err = r.skip(1)
		}
		return err
	})
	if err != nil {
		return err
	}
	r.out.outputs = append(r.out.outputs, o)
	return nil
}
