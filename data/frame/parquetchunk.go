// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"flyball/fault"
)

// A page ends after pageRows rows, fewer in wide tables, or after pageBytes of text.
const (
	pageRows  = 1 << 14
	pageBytes = 1 << 20
)

// chunkWriter is one column of the row group under way. Its pages end where the rows say,
// not the chunks in which they come.
type chunkWriter struct {
	field Field
	most  int // rows of a page
	pack  *zstd.Encoder

	// Of the page under way.
	rows   int
	bytes  int      // of texts
	levels []byte   // a bit for each row that has a value, the first in the lowest
	words  []uint64 // the values that are there: of Number their bits, of Time microseconds
	texts  []string
	places []uint32 // of values in the dictionary
	raw    []byte
	packed []byte

	// Of the chunk.
	dict     *dictionary
	asks     bool         // the dictionary is not given up
	named    bool         // some page is of places
	head     bytes.Buffer // the dictionary's page, when the chunk has ended
	body     bytes.Buffer
	valued   bool // some page is of values
	split    bool // such numbers are written by bytes
	total    int64
	missing  int64
	unpacked int64
	least    float64
	largest  float64
	from, to int64
}

func newChunkWriter(f Field, columns int, pack *zstd.Encoder) *chunkWriter {
	c := &chunkWriter{field: f, pack: pack, most: min(pageRows, max(1024, (1<<18)/max(1, columns)))}
	c.levels = make([]byte, (c.most+7)/8)
	c.begin()
	return c
}

// begin goes to a new chunk.
func (c *chunkWriter) begin() {
	c.dict, c.asks = newDictionary(c.field.Kind), true
	c.head.Reset()
	c.body.Reset()
	c.named, c.valued, c.split, c.total, c.missing, c.unpacked = false, false, false, 0, 0, 0
	c.least, c.largest, c.from, c.to = math.Inf(1), math.Inf(-1), math.MaxInt64, math.MinInt64
}

// add takes the values of more rows.
func (c *chunkWriter) add(col *Column) error {
	for at, n := 0, col.Len(); at < n; {
		to := min(n, at+c.most-c.rows)
		switch c.field.Kind {
		case Number:
			c.addNumbers(col.Num[at:to])
			at = to
		case Time:
			c.addTimes(col.Time[at:to])
			at = to
		case Text:
			at += c.addTexts(col, at, to)
		}
		if c.rows == c.most || c.bytes >= pageBytes {
			if err := c.page(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *chunkWriter) addNumbers(values []float64) {
	row := c.rows
	for _, x := range values {
		if x == x {
			c.levels[row>>3] |= 1 << (row & 7)
			c.words = append(c.words, math.Float64bits(x))
			c.least, c.largest = min(c.least, x), max(c.largest, x)
		}
		row++
	}
	c.rows = row
}

func (c *chunkWriter) addTimes(values []int64) {
	for _, us := range values {
		if us != NoTime {
			c.levels[c.rows>>3] |= 1 << (c.rows & 7)
			c.words = append(c.words, uint64(us))
			c.from, c.to = min(c.from, us), max(c.to, us)
		}
		c.rows++
	}
}

// addTexts takes texts until the page is long enough, and returns how many rows.
func (c *chunkWriter) addTexts(col *Column, at, to int) int {
	for i := at; i < to; i++ {
		if col.Null == nil || !col.Null[i] {
			c.levels[c.rows>>3] |= 1 << (c.rows & 7)
			c.texts = append(c.texts, col.Text[i])
			c.bytes += len(col.Text[i])
		}
		c.rows++
		if c.bytes >= pageBytes {
			return i + 1 - at
		}
	}
	return to - at
}

// page ends the page under way.
func (c *chunkWriter) page() error {
	there := len(c.words) + len(c.texts)
	c.raw = appendLevels(c.raw[:0], c.levels, c.rows, there)
	encoding := c.values()
	err := c.write(format.PageHeader{Type: format.DataPage, DataPageHeader: thrift.New(format.DataPageHeader{
		NumValues: int32(c.rows), Encoding: encoding, DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE,
		Statistics: format.Statistics{NullCount: int64(c.rows - there)},
	})}, &c.body)
	c.total += int64(c.rows)
	c.missing += int64(c.rows - there)
	clear(c.levels)
	clear(c.texts) // they may hold a whole chunk in memory
	c.rows, c.bytes, c.words, c.texts = 0, 0, c.words[:0], c.texts[:0]
	return err
}

// values appends the page's values to raw.
func (c *chunkWriter) values() format.Encoding {
	if c.asks {
		before := c.dict.len()
		if c.places, c.asks = c.dict.find(c.places[:0], c.words, c.texts); c.asks {
			c.named = true
			c.raw = appendPlaces(c.raw, c.places, c.dict.len())
			return format.RLEDictionary
		}
		c.dict.cut(before)
		if c.field.Kind == Number {
			c.split = c.splits()
		}
	}
	c.valued = true
	if c.split {
		c.raw = appendSplit(c.raw, c.words)
		return format.ByteStreamSplit
	}
	c.raw = appendWords(c.raw, c.words)
	for _, s := range c.texts {
		c.raw = append(binary.LittleEndian.AppendUint32(c.raw, uint32(len(s))), s...)
	}
	return format.Plain
}

// splits reports whether the page's numbers get smaller by bytes than as they are. They do
// where all have many digits; where they have few, the same numbers come again.
func (c *chunkWriter) splits() bool {
	b := appendWords(nil, c.words)
	whole := len(c.pack.EncodeAll(b, c.packed[:0]))
	b = appendSplit(b[:0], c.words)
	return len(c.pack.EncodeAll(b, c.packed[:0])) < whole
}

// write writes the page in raw under its head.
func (c *chunkWriter) write(h format.PageHeader, to *bytes.Buffer) error {
	if len(c.raw) > math.MaxInt32 {
		return fault.New(fault.TooLarge, "column %q has a text of %d bytes, which no Parquet file holds", c.field.Name, len(c.raw))
	}
	c.packed = c.pack.EncodeAll(c.raw, c.packed[:0])
	h.UncompressedPageSize, h.CompressedPageSize = int32(len(c.raw)), int32(len(c.packed))
	before := to.Len()
	var protocol thrift.CompactProtocol
	if err := thrift.NewEncoder(protocol.NewWriter(to)).Encode(&h); err != nil {
		return fault.Wrap(err, fault.Internal, "the head of a Parquet page")
	}
	c.unpacked += int64(to.Len() - before + len(c.raw))
	to.Write(c.packed)
	return nil
}

// end ends the chunk, which is then head and body.
func (c *chunkWriter) end() error {
	if c.rows > 0 {
		if err := c.page(); err != nil {
			return err
		}
	}
	if !c.named {
		return nil
	}
	c.raw = c.dict.append(c.raw[:0])
	return c.write(format.PageHeader{Type: format.DictionaryPage, DictionaryPageHeader: thrift.New(format.DictionaryPageHeader{
		NumValues: int32(c.dict.len()), Encoding: format.Plain,
	})}, &c.head)
}

// meta describes the chunk that has ended and stands in the file from at on.
func (c *chunkWriter) meta(at int64) format.ColumnMetaData {
	m := format.ColumnMetaData{
		Type: schemaOf(c.field).Type.V, Encoding: []format.Encoding{format.RLE}, PathInSchema: []string{c.field.Name}, Codec: format.Zstd,
		NumValues: c.total, TotalUncompressedSize: c.unpacked, TotalCompressedSize: int64(c.head.Len() + c.body.Len()),
		DataPageOffset: at + int64(c.head.Len()), Statistics: format.Statistics{NullCount: c.missing},
	}
	if c.named {
		m.DictionaryPageOffset = at
		m.Encoding = append(m.Encoding, format.Plain, format.RLEDictionary)
	}
	if c.split {
		m.Encoding = append(m.Encoding, format.ByteStreamSplit)
	} else if c.valued && !c.named {
		m.Encoding = append(m.Encoding, format.Plain)
	}
	if c.least <= c.largest {
		if c.least == 0 { // of the two zeros the one that bounds the other, as the format asks for
			c.least = math.Copysign(0, -1)
		}
		if c.largest == 0 {
			c.largest = 0
		}
		m.Statistics.MinValue, m.Statistics.MaxValue = word(math.Float64bits(c.least)), word(math.Float64bits(c.largest))
	}
	if c.from <= c.to {
		m.Statistics.MinValue, m.Statistics.MaxValue = word(uint64(c.from)), word(uint64(c.to))
	}
	return m
}

func word(x uint64) []byte { return binary.LittleEndian.AppendUint64(nil, x) }

// appendLevels writes which of the rows have a value, as a run of equal ones where all are
// equal, with its length before it.
func appendLevels(b, levels []byte, rows, there int) []byte {
	from := len(b)
	b = append(b, 0, 0, 0, 0)
	if there == 0 || there == rows {
		b = append(binary.AppendUvarint(b, uint64(rows)<<1), byte(min(1, there)))
	} else {
		groups := (rows + 7) / 8
		b = append(binary.AppendUvarint(b, uint64(groups)<<1|1), levels[:groups]...)
	}
	binary.LittleEndian.PutUint32(b[from:], uint32(len(b)-from-4))
	return b
}

// appendPlaces writes places below n, after the number of bits that each has.
func appendPlaces(b []byte, places []uint32, n int) []byte {
	width := bits.Len32(uint32(max(1, n) - 1))
	b = append(b, byte(width))
	if width == 0 {
		return binary.AppendUvarint(b, uint64(len(places))<<1)
	}
	groups := (len(places) + 7) / 8
	b = binary.AppendUvarint(b, uint64(groups)<<1|1)
	var wait uint64
	have := 0
	for i := range groups * 8 {
		if i < len(places) {
			wait |= uint64(places[i]) << have
		}
		if have += width; have >= 32 {
			b = binary.LittleEndian.AppendUint32(b, uint32(wait))
			wait >>= 32
			have -= 32
		}
	}
	for ; have > 0; have -= 8 {
		b = append(b, byte(wait))
		wait >>= 8
	}
	return b
}

// appendWords writes the values one after the other, the lowest byte first.
func appendWords(b []byte, words []uint64) []byte {
	b = slices.Grow(b, 8*len(words))
	for _, x := range words {
		b = binary.LittleEndian.AppendUint64(b, x)
	}
	return b
}

// appendSplit writes the first bytes of all values, then their second bytes, and so on
// (BYTE_STREAM_SPLIT): signs and exponents are alike, and the last digits are what does not
// get smaller.
func appendSplit(b []byte, words []uint64) []byte {
	from, n := len(b), len(words)
	b = slices.Grow(b, 8*n)[:from+8*n]
	for k := range 8 {
		to := b[from+k*n : from+(k+1)*n]
		for i, x := range words {
			to[i] = byte(x >> (8 * k))
		}
	}
	return b
}
