// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"math"
	"unicode/utf8"

	"flyball/fault"
	"flyball/ident"
	"flyball/serving/prediction"
)

// shipVersion is the first byte of a shipment.
const shipVersion = 1

// maxEntry is above every entry.
const maxEntry = math.MaxInt64

// entry is what one commit put into the outbox.
type entry struct {
	seq  int64
	rows int
	upTo int64 // microseconds
	body []byte
}

// entriesOf are the entries up to one, in order.
func entriesOf(ctx context.Context, db queryer, last int64) ([]entry, error) {
	rows, err := db.QueryContext(ctx, `SELECT seq, rows, upto, body FROM outbox WHERE seq <= ? ORDER BY seq`, last)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []entry
	for rows.Next() {
		var e entry
		if err := rows.Scan(&e.seq, &e.rows, &e.upTo, &e.body); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

// appendShipment appends a shipment: version, origin, seq, the moment up to which it is
// whole, and the entries with their numbers; at its end the CRC-32C of all before.
func appendShipment(b []byte, m Mark, entries []entry) []byte {
	size := 128
	for _, e := range entries {
		size += 24 + len(e.body)
	}
	b = append(make([]byte, 0, len(b)+size), b...)
	from := len(b)
	b = append(b, shipVersion)
	b = appendText(b, m.Origin)
	b = binary.AppendUvarint(b, uint64(m.Seq))
	b = binary.AppendVarint(b, m.UpTo.UnixMicro())
	for _, e := range entries {
		b = binary.AppendUvarint(b, uint64(e.seq))
		b = binary.AppendUvarint(b, uint64(len(e.body)))
		b = append(b, e.body...)
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[from:], castagnoli()))
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// decodeShipment reads what appendShipment wrote; the bodies of the entries are parts of b.
// Anything else is an Invalid fault; nothing larger than b is allocated for it.
func decodeShipment(b []byte) (Mark, []entry, error) {
	switch {
	case len(b) < 5:
		return Mark{}, nil, damagedShipment()
	case b[0] != shipVersion:
		return Mark{}, nil, fault.New(fault.Invalid, "the shipment was written by a newer version of Flyball").Do("upgrade this server first")
	}
	end := len(b) - 4
	if crc32.Checksum(b[:end], castagnoli()) != binary.LittleEndian.Uint32(b[end:]) {
		return Mark{}, nil, damagedShipment()
	}
	d := decoder{rest: b[1:end]}
	m := Mark{Origin: d.text(), Seq: d.count(), UpTo: moment(d.varint())}
	var out []entry
	for len(d.rest) > 0 && !d.bad {
		e := entry{seq: d.count(), body: d.view()}
		d.bad = d.bad || len(out) > 0 && e.seq <= out[len(out)-1].seq
		out = append(out, e)
	}
	if d.bad || m.Seq == 0 || len(m.Origin) != 32 || checkID(ident.PredictionID(m.Origin)) != nil {
		return Mark{}, nil, damagedShipment()
	}
	return m, out, nil
}

func damagedShipment() error {
	return fault.New(fault.Invalid, "a shipment of predictions is damaged").Do("restore the object from the bucket's versions, or remove it: what it held is lost then")
}

// The kinds of blocks of an entry.
const (
	chunkBlock = 1
	whyBlock   = 2
	labelBlock = 3
)

// appendBatch writes a batch: each chunk, with the groups of its rows, and each body of
// reasons under its model, day and hour, as they lie in the tables; then the labels.
func appendBatch(x *batch) []byte {
	size := 0
	for _, c := range x.chunks {
		size += 64 + len(c.model) + len(c.body) + len(c.audit)
	}
	b := make([]byte, 0, size)
	for _, c := range x.chunks {
		b = appendPlace(append(b, chunkBlock), c.part, c.hour)
		b = appendBytes(b, c.body)
		b = appendBytes(b, c.audit)
	}
	for _, w := range x.whys {
		b = appendPlace(append(b, whyBlock), w.part, w.hour)
		b = appendBytes(b, w.body)
	}
	for i := range x.labels {
		v := &x.labels[i]
		b = appendText(append(b, labelBlock), v.Model)
		b = appendText(b, nameOf(v))
		b = appendText(b, v.Value)
		b = binary.AppendVarint(b, v.At.UnixMicro())
		b = binary.AppendVarint(b, v.Received.UnixMicro())
	}
	return b
}

func appendPlace(b []byte, p part, hour int) []byte {
	b = appendText(b, p.model)
	b = binary.AppendVarint(b, p.day)
	return binary.AppendUvarint(b, uint64(hour))
}

func appendBytes(b, p []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(p)))
	return append(b, p...)
}

// gathered is a batch made of the entries of a shipment: what they hold for one hour is
// one chunk.
type gathered struct {
	batch
	chunkOf map[hourOf]*chunk
	whyOf   map[hourOf]*reasoned
}

type hourOf struct {
	part
	hour int
}

func newGathered() *gathered {
	return &gathered{chunkOf: map[hourOf]*chunk{}, whyOf: map[hourOf]*reasoned{}}
}

// add adds an entry. What appendBatch did not write is an Invalid fault: each record is
// walked over, so that what is kept can be read.
func (g *gathered) add(body []byte) error {
	d := decoder{rest: body}
	for len(d.rest) > 0 && !d.bad {
		kind := d.rest[0]
		d.rest = d.rest[1:]
		switch kind {
		case chunkBlock:
			g.addChunk(&d)
		case whyBlock:
			g.addWhy(&d)
		case labelBlock:
			g.addLabel(&d)
		default:
			d.fail()
		}
	}
	if d.bad {
		return damagedShipment()
	}
	return nil
}

// place reads where a block belongs.
func (d *decoder) place() hourOf {
	p := hourOf{part{d.text(), d.varint()}, int(d.count())}
	if d.bad || p.hour > 23 || ident.CheckModel(p.model) != nil {
		d.fail()
	}
	return p
}

func (g *gathered) addChunk(d *decoder) {
	at, body, audit := d.place(), d.view(), d.view()
	if d.bad || len(body) < 2 || body[0] != bodyVersion || len(audit) > 0 && (audit[0] != auditVersion || !wellFormed(audit[1:], (*decoder).skipGroups)) {
		d.fail()
		return
	}
	c := g.chunkOf[at]
	if c == nil {
		c = &chunk{part: at.part, hour: at.hour, body: []byte{bodyVersion}}
		g.chunkOf[at] = c
		g.chunks = append(g.chunks, c)
	}
	in := decoder{rest: body[1:]}
	for len(in.rest) > 0 && !in.bad {
		r := in.see()
		if p, hour := partOf(at.model, r.time); in.bad || p.day != at.day || hour != at.hour || checkID(ident.PredictionID(r.id)) != nil || !utf8.Valid(r.key) {
			in.fail()
			break
		}
		c.bounds = c.with(c.rows == 0, r.time, r.due, r.at)
		c.rows++
		c.names = append(c.names, hashBytes('i', r.id))
		if len(r.key) > 0 {
			c.names = append(c.names, hashBytes('k', r.key))
		}
	}
	d.bad = d.bad || in.bad
	c.body = append(c.body, body[1:]...)
	if len(audit) > 0 {
		if c.audit == nil {
			c.audit = []byte{auditVersion}
		}
		c.audit = append(c.audit, audit[1:]...)
	}
}

func (g *gathered) addWhy(d *decoder) {
	at, body := d.place(), d.view()
	if d.bad || len(body) == 0 || body[0] != whyVersion || !wellFormed(body[1:], (*decoder).skip) {
		d.fail()
		return
	}
	w := g.whyOf[at]
	if w == nil {
		w = &reasoned{part: at.part, hour: at.hour, body: []byte{whyVersion}}
		g.whyOf[at] = w
		g.whys = append(g.whys, w)
	}
	w.body = append(w.body, body[1:]...)
}

func (g *gathered) addLabel(d *decoder) {
	x := prediction.Label{Model: d.text()}
	name := d.text()
	x.Value, x.At, x.Received = d.text(), moment(d.varint()), moment(d.varint())
	switch {
	case d.bad || name == "":
	case name[0] == 'i':
		x.ID = ident.PredictionID(name[1:])
	case name[0] == 'k':
		x.Key = name[1:]
	}
	if d.bad || checkLabel(&x) != nil {
		d.fail()
		return
	}
	g.labels = append(g.labels, x)
}

// wellFormed reports whether entries follow one another to the end of a body: an id, and
// what rest skips.
func wellFormed(body []byte, rest func(*decoder)) bool {
	d := decoder{rest: body}
	for len(d.rest) > 0 && !d.bad {
		d.skip()
		rest(&d)
	}
	return !d.bad
}

// skipGroups leaves the groups of a record out.
func (d *decoder) skipGroups() {
	for range 2 * d.length(2) {
		d.skip()
	}
}

// seen is what of a record tells where it lies. The texts are parts of what is read.
type seen struct {
	id, key       []byte
	at, time, due int64
}

// see reads a record of the newest version and keeps little of it.
func (d *decoder) see() seen {
	s := seen{id: d.view(), key: d.view()}
	d.varint() // version
	d.varint() // generation
	s.at, s.time, s.due = d.varint(), d.varint(), d.varint()
	d.varint() // latency
	for range 3 {
		d.skip() // arm, decision, row
	}
	d.skipScores()
	for range d.length(1) {
		d.skip()
	}
	for range d.length(6) {
		d.skip()
		d.varint()
		d.skipScores()
		d.skip()
		d.skip()
		d.varint()
	}
	d.skip() // vector
	return s
}

func (d *decoder) skipScores() {
	n := d.length(8)
	d.rest = d.rest[8*n:]
}

// view is the next text, as a part of what is read.
func (d *decoder) view() []byte {
	n := d.length(1)
	out := d.rest[:n:n]
	d.rest = d.rest[n:]
	return out
}

// count is a number that is not negative.
func (d *decoder) count() int64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 || v > math.MaxInt64 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return int64(v)
}

// hashBytes is hashOf the letter and then the name.
func hashBytes(letter byte, name []byte) int64 {
	h := (uint64(fnvOffset) ^ uint64(letter)) * fnvPrime
	for _, c := range name {
		h = (h ^ uint64(c)) * fnvPrime
	}
	return int64(h)
}
