// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"time"

	"flyball/fault"
	"flyball/ident"
	"flyball/serving/prediction"
)

// bodyVersion is the first byte of a chunk's body; records follow one after another.
// Those of version 1 have no vector.
const bodyVersion = 2

// appendRecord appends a staged record: its fields in order, text and lists with
// their length before them as a varint, times as varints of microseconds. The model
// is the part's.
func appendRecord(b []byte, r *prediction.Record) []byte {
	b = appendText(b, string(r.ID))
	b = appendText(b, r.Key)
	for _, v := range []int64{int64(r.Version), r.Generation, r.At.UnixMicro(), r.Time.UnixMicro(), r.Due.UnixMicro(), int64(r.Latency)} {
		b = binary.AppendVarint(b, v)
	}
	b = appendText(b, r.Arm)
	b = appendText(b, r.Decision)
	b = binary.AppendUvarint(b, uint64(len(r.Row)))
	b = append(b, r.Row...)
	b = appendScores(b, r.Scores)
	b = binary.AppendUvarint(b, uint64(len(r.Flags)))
	for _, f := range r.Flags {
		b = appendText(b, f)
	}
	b = binary.AppendUvarint(b, uint64(len(r.Others)))
	for i := range r.Others {
		o := &r.Others[i]
		b = appendText(b, o.Role)
		b = binary.AppendVarint(b, int64(o.Version))
		b = appendScores(b, o.Scores)
		b = appendText(b, o.Error)
		b = appendText(b, o.Decision)
		b = binary.AppendVarint(b, int64(o.Latency))
	}
	b = binary.AppendUvarint(b, uint64(len(r.Vector)))
	return append(b, r.Vector...)
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendScores(b []byte, s []float64) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	for _, v := range s {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

// decodeBody reads the records of a chunk. A body that appendRecord did not write is
// an Invalid fault; nothing larger than the body is allocated for it. Records keep
// no hold on body.
func decodeBody(model string, body []byte) ([]prediction.Record, error) {
	if len(body) == 0 || body[0] == 0 || body[0] > bodyVersion {
		return nil, fault.New(fault.Invalid, "a staged chunk of %s is of an unknown format", model)
	}
	d := decoder{rest: body[1:]}
	var out []prediction.Record
	for len(d.rest) > 0 && !d.bad {
		r := d.record()
		if body[0] > 1 {
			r.Vector = d.bytes()
		}
		r.Model = model
		out = append(out, r)
	}
	if d.bad {
		return nil, fault.New(fault.Invalid, "a staged chunk of %s is damaged", model).Do("restore staged.db from a backup")
	}
	return out, nil
}

// decoder takes values off the front of rest. After a wrong one it is bad, and gives
// zeros.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) record() prediction.Record {
	r := prediction.Record{ID: ident.PredictionID(d.text()), Key: d.text()}
	r.Version, r.Generation = int(d.varint()), d.varint()
	r.At, r.Time, r.Due = moment(d.varint()), moment(d.varint()), moment(d.varint())
	r.Latency = time.Duration(d.varint())
	r.Arm, r.Decision = d.text(), d.text()
	if row := d.text(); row != "" {
		r.Row = json.RawMessage(row)
	}
	r.Scores = d.scores()
	for range d.length(1) {
		r.Flags = append(r.Flags, d.text())
	}
	for range d.length(6) {
		o := prediction.Other{Role: d.text(), Version: int(d.varint()), Scores: d.scores(), Error: d.text(), Decision: d.text()}
		o.Latency = time.Duration(d.varint())
		r.Others = append(r.Others, o)
	}
	return r
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// length is how many things of at least size bytes follow; what is left bounds it.
func (d *decoder) length(size int) int {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 || v > uint64(len(d.rest)-n)/uint64(size) {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return int(v)
}

func (d *decoder) text() string {
	n := d.length(1)
	s := string(d.rest[:n])
	d.rest = d.rest[n:]
	return s
}

// skip leaves a text out.
func (d *decoder) skip() {
	n := d.length(1)
	d.rest = d.rest[n:]
}

// bytes are nil where there are none.
func (d *decoder) bytes() []byte {
	n := d.length(1)
	out := append([]byte(nil), d.rest[:n]...)
	d.rest = d.rest[n:]
	return out
}

func (d *decoder) scores() []float64 {
	n := d.length(8)
	if n == 0 {
		return nil
	}
	out := make([]float64, n)
	for i := range out {
		out[i] = math.Float64frombits(binary.LittleEndian.Uint64(d.rest[8*i:]))
	}
	d.rest = d.rest[8*n:]
	return out
}

func (d *decoder) fail() { d.rest, d.bad = nil, true }

// moment is the time of microseconds, in UTC.
func moment(us int64) time.Time { return time.UnixMicro(us).UTC() }
