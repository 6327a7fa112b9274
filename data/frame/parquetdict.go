// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"encoding/binary"
	"hash/maphash"
)

// A dictionary is given up when it has more values than mostNamed, texts of more than
// pageBytes, or, after provenAfter values, more than half as many as it was asked for.
const (
	mostNamed   = 1 << 14
	provenAfter = 2048
)

// dictionary gives each value of a column its place, in the order in which they were met.
type dictionary struct {
	kind  Kind
	asked int
	words []uint64
	texts []string
	bytes int      // of texts
	slots []uint32 // a table of open places: 1 + a place
	seed  maphash.Seed
}

func newDictionary(kind Kind) *dictionary {
	return &dictionary{kind: kind, slots: make([]uint32, 64), seed: maphash.MakeSeed()}
}

func (d *dictionary) len() int { return len(d.words) + len(d.texts) }

// find appends the places of values to to; false where the dictionary is to be given up.
func (d *dictionary) find(to []uint32, words []uint64, texts []string) ([]uint32, bool) {
	for _, x := range words {
		at := wordHash(x) & uint64(len(d.slots)-1)
		for d.slots[at] != 0 && d.words[d.slots[at]-1] != x {
			at = (at + 1) & uint64(len(d.slots)-1)
		}
		if d.slots[at] == 0 {
			d.words = append(d.words, x)
			if !d.room(at) {
				return to, false
			}
			to = append(to, uint32(len(d.words)-1))
		} else {
			to = append(to, d.slots[at]-1)
		}
		d.asked++
	}
	for _, s := range texts {
		at := maphash.String(d.seed, s) & uint64(len(d.slots)-1)
		for d.slots[at] != 0 && d.texts[d.slots[at]-1] != s {
			at = (at + 1) & uint64(len(d.slots)-1)
		}
		if d.slots[at] == 0 {
			d.texts = append(d.texts, s)
			d.bytes += len(s)
			if !d.room(at) {
				return to, false
			}
			to = append(to, uint32(len(d.texts)-1))
		} else {
			to = append(to, d.slots[at]-1)
		}
		d.asked++
	}
	return to, true
}

// room notes the newest value at a slot, and makes the table larger where it is half full;
// false where there are too many values.
func (d *dictionary) room(at uint64) bool {
	n := d.len()
	if n > mostNamed || d.bytes > pageBytes || d.asked >= provenAfter && n > d.asked/2 {
		return false
	}
	d.slots[at] = uint32(n)
	if 2*n > len(d.slots) {
		d.slots = make([]uint32, 2*len(d.slots))
		for i := range n {
			d.slot(i)
		}
	}
	return true
}

// slot notes a value that is new to the table.
func (d *dictionary) slot(place int) {
	var h uint64
	if d.kind == Text {
		h = maphash.String(d.seed, d.texts[place])
	} else {
		h = wordHash(d.words[place])
	}
	at := h & uint64(len(d.slots)-1)
	for d.slots[at] != 0 {
		at = (at + 1) & uint64(len(d.slots)-1)
	}
	d.slots[at] = uint32(place + 1)
}

// wordHash spreads the bits of a word: the finisher of MurmurHash3.
func wordHash(x uint64) uint64 {
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	return x ^ x>>33
}

// cut takes away the values from n on; the dictionary is asked no more.
func (d *dictionary) cut(n int) {
	d.slots = nil
	if d.kind == Text {
		d.texts = d.texts[:n]
	} else {
		d.words = d.words[:n]
	}
}

// append writes the values one after the other.
func (d *dictionary) append(b []byte) []byte {
	for _, x := range d.words {
		b = binary.LittleEndian.AppendUint64(b, x)
	}
	for _, s := range d.texts {
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...)
	}
	return b
}
