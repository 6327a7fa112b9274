// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// magic begins each frame: two bytes, the lower one the version of the protocol.
const magic = 0xF100 | version

const version = 1

// headerSize is the length of a header. docs/formats/worker.md has its layout.
const headerSize = 32

// op is the type of a frame.
type op uint16

// The types of frames.
const (
	opHello    op = iota + 1 // worker: who it is
	opLoad                   // server: which model to load
	opWarmUp                 // server: score a row of zeros
	opInfer                  // server: rows
	opCancel                 // server: an answer is not needed any more
	opResult                 // worker: the answer
	opError                  // worker: why there is none
	opPing                   // server: are you there
	opPong                   // worker: yes
	opShutdown               // server: end
)

// Bounds of what a worker may send.
const (
	maxMeta   = 1 << 20
	maxAnswer = 256 << 20
)

// message is one frame of either side.
type message struct {
	op      op
	id      uint64
	meta    []byte // JSON; empty: none
	tensors uint32 // how many are in body
	body    []byte
}

// errGarbage says that the other side does not speak the protocol.
var errGarbage = errors.New("what it sent is no frame")

// append writes the header and the meta of f after b.
func (f *message) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, magic)
	b = binary.LittleEndian.AppendUint16(b, uint16(f.op))
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint64(b, f.id)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(f.meta)))
	b = binary.LittleEndian.AppendUint32(b, f.tensors)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(f.body)))
	return append(b, f.meta...)
}

// write sends f.
func (f *message) write(w io.Writer) error {
	const small = 64 << 10
	b := f.append(make([]byte, 0, headerSize+len(f.meta)+min(len(f.body), small)))
	if len(f.body) <= small {
		_, err := w.Write(append(b, f.body...))
		return err
	}
	if _, err := w.Write(b); err != nil {
		return err
	}
	_, err := w.Write(f.body)
	return err
}

// readMessage reads one frame. Its memory grows with what comes, not with what the header
// claims.
func readMessage(r io.Reader) (message, error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return message{}, err
	}
	if m := binary.LittleEndian.Uint16(h[0:]); m != magic {
		return message{}, fmt.Errorf("%w: it begins with %#x", errGarbage, m)
	}
	f := message{
		op:      op(binary.LittleEndian.Uint16(h[2:])),
		id:      binary.LittleEndian.Uint64(h[8:]),
		tensors: binary.LittleEndian.Uint32(h[20:]),
	}
	meta, body := binary.LittleEndian.Uint32(h[16:]), binary.LittleEndian.Uint64(h[24:])
	switch {
	case f.op < opHello || f.op > opShutdown:
		return message{}, fmt.Errorf("%w: it has the type %d", errGarbage, f.op)
	case meta > maxMeta:
		return message{}, fmt.Errorf("%w: its meta has %d bytes", errGarbage, meta)
	case body > maxAnswer:
		return message{}, fmt.Errorf("%w: its body has %d bytes", errGarbage, body)
	}
	var err error
	if f.meta, err = readBytes(r, int(meta)); err != nil {
		return message{}, err
	}
	if f.body, err = readBytes(r, int(body)); err != nil {
		return message{}, err
	}
	return f, nil
}

// readBytes reads n bytes, and makes room as they come.
func readBytes(r io.Reader, n int) ([]byte, error) {
	const step = 1 << 16
	b := make([]byte, 0, min(n, step))
	for len(b) < n {
		if len(b) == cap(b) {
			b = append(make([]byte, 0, min(n, 2*cap(b))), b...)
		}
		k, err := io.ReadFull(r, b[len(b):min(n, cap(b))])
		b = b[:len(b)+k]
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}
