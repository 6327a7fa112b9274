// SPDX-License-Identifier: Apache-2.0

package pipeline

import "math/bits"

const (
	fewWords = 256 // a lookup of so many has a table of its own before the map
	probes   = 4   // places where a word of the table may stand
)

// lookup is the place of each category. Most columns have few, and then a table whose
// hash reads the ends of a word answers faster than a map; where words collide in it, and
// where there are many, the map does.
type lookup struct {
	table []entry // a power of two, and probes more; nil: there is none
	shift int
	all   map[string]int
}

type entry struct {
	word  string
	place int // one more than the place; 0: nothing stands here
}

// lookupOf makes the lookup of a map, which it keeps.
func lookupOf(all map[string]int) lookup {
	l := lookup{all: all}
	if len(all) == 0 || len(all) > fewWords {
		return l
	}
	size := bits.Len(uint(2 * len(all)))
	l.shift = 64 - size
	table := make([]entry, 1<<size+probes)
words:
	for word, place := range all {
		at := ends(word) >> l.shift
		for k := range table[at : at+probes] {
			if e := &table[at+uint64(k)]; e.place == 0 {
				*e = entry{word, place + 1}
				continue words
			}
		}
		return l // too many of them have one hash
	}
	l.table = table
	return l
}

// at is the word's place, if it has one.
func (l *lookup) at(word string) (int, bool) {
	if l.table == nil {
		place, ok := l.all[word]
		return place, ok
	}
	at := ends(word) >> l.shift
	for i := range l.table[at : at+probes] {
		e := &l.table[at+uint64(i)]
		if e.word == word && e.place != 0 {
			return e.place - 1, true
		}
		if e.place == 0 {
			break
		}
	}
	return 0, false
}

// ends is a hash of a word's length, first eight bytes and last eight.
func ends(s string) uint64 {
	var a, b uint64
	switch n := len(s); {
	case n >= 8:
		a, b = eight(s), eight(s[n-8:])
	default:
		for i := range n {
			a = a<<8 | uint64(s[i])
		}
	}
	h := (a^uint64(len(s)))*0x9e3779b97f4a7c15 ^ b
	h ^= h >> 29
	return h * 0xbf58476d1ce4e5b9
}

func eight(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
