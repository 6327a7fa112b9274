// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
)

func uvarint(b []byte) (uint64, int) { return binary.Uvarint(b) }

// footerLen is how long a footed file's description is.
func footerLen(b []byte) int { return int(binary.LittleEndian.Uint32(b[len(b)-8:])) }

// plainDictionary is what old writers call both a dictionary and the places in it.
const plainDictionary format.Encoding = 2

// pages walks the pages of a chunk, as
// https://github.com/apache/parquet-format/blob/master/README.md#data-pages lays them out.
type pages struct {
	*weigher
	c     *format.SchemaElement
	codec format.CompressionCodec
	dict  int64 // values in the dictionary; -1: there is none
	rows  int64
}

func (p *pages) page(h *format.PageHeader, body []byte, first bool) error {
	if err := p.take(int64(len(body))+2*int64(h.UncompressedPageSize), 1); err != nil {
		return err
	}
	switch {
	case h.Type == format.DictionaryPage && h.DictionaryPageHeader.Valid && first:
		return p.dictionary(h, body)
	case h.Type == format.DataPage && h.DataPageHeader.Valid:
		return p.one(h, body)
	case h.Type == format.DataPageV2 && h.DataPageHeaderV2.Valid:
		return p.two(h, body)
	}
	return p.wrong("a page of kind %v where none may stand", h.Type)
}

// head looks at what a page says of itself, and at the size that its compressed body says.
func (p *pages) head(h *format.PageHeader, body []byte, _ bool) error {
	if err := p.take(int64(len(body))+2*int64(h.UncompressedPageSize), 1); err != nil {
		return err
	}
	var z zstd.Header
	if err := z.Decode(body); p.codec == format.Zstd && (err != nil || !z.HasFCS) { // a few bytes, or another writer's
		if _, err := p.unpacked(body, h.UncompressedPageSize, true); err != nil {
			return err
		}
	} else if p.codec == format.Zstd && z.FrameContentSize > uint64(h.UncompressedPageSize) {
		return p.wrong("a page of %d bytes says that it has %d", z.FrameContentSize, h.UncompressedPageSize)
	}
	switch {
	case h.Type == format.DictionaryPage:
		return p.values(h.DictionaryPageHeader.V.NumValues)
	case h.Type == format.DataPage:
		p.rows += int64(h.DataPageHeader.V.NumValues)
		return p.values(h.DataPageHeader.V.NumValues)
	case h.Type == format.DataPageV2:
		p.rows += int64(h.DataPageHeaderV2.V.NumValues)
		return p.values(h.DataPageHeaderV2.V.NumValues)
	}
	return p.wrong("a page of kind %v where none may stand", h.Type)
}

// values takes the room of n values.
func (p *pages) values(n int32) error {
	if n < 0 {
		return p.wrong("a page of %d values", n)
	}
	if err := p.take(int64(n), perValue); err != nil || p.c.Type.V != format.FixedLenByteArray {
		return err
	}
	return p.take(int64(n), int64(max(0, p.c.TypeLength.V)))
}

func (p *pages) optional() bool {
	return p.c.RepetitionType.Valid && p.c.RepetitionType.V == format.Optional
}

func (p *pages) dictionary(h *format.PageHeader, body []byte) error {
	d := &h.DictionaryPageHeader.V
	if err := p.values(d.NumValues); err != nil {
		return err
	}
	if d.Encoding != format.Plain && d.Encoding != plainDictionary {
		return p.wrong("its dictionary is encoded by %v", d.Encoding)
	}
	body, err := p.unpacked(body, h.UncompressedPageSize, true)
	if err != nil {
		return err
	}
	p.dict = int64(d.NumValues)
	return p.plain(body, p.dict)
}

// one is a data page of the first form: levels and values are compressed together.
func (p *pages) one(h *format.PageHeader, body []byte) error {
	d := &h.DataPageHeader.V
	if err := p.values(d.NumValues); err != nil {
		return err
	}
	body, err := p.unpacked(body, h.UncompressedPageSize, true)
	if err != nil {
		return err
	}
	there := int64(d.NumValues)
	if p.optional() {
		if d.DefinitionLevelEncoding != format.RLE {
			return p.wrong("its levels are encoded by %v", d.DefinitionLevelEncoding)
		}
		levels, rest, err := p.prefixed(body)
		if err != nil {
			return err
		}
		if there, err = p.runs(levels, 1, there, 2); err != nil {
			return err
		}
		body = rest
	}
	p.rows += int64(d.NumValues)
	return p.data(body, d.Encoding, there)
}

// two is a data page of the second form: its levels are not compressed.
func (p *pages) two(h *format.PageHeader, body []byte) error {
	d := &h.DataPageHeaderV2.V
	if err := p.values(d.NumValues); err != nil {
		return err
	}
	rep, def := int64(d.RepetitionLevelsByteLength), int64(d.DefinitionLevelsByteLength)
	if rep != 0 || def < 0 || def > int64(len(body)) || d.NumRows != d.NumValues {
		return p.wrong("its levels are not in their page")
	}
	there := int64(d.NumValues)
	if p.optional() {
		var err error
		if there, err = p.runs(body[:def], 1, there, 2); err != nil {
			return err
		}
	} else if def != 0 {
		return p.wrong("it has levels, and no value may be missing")
	}
	if int64(d.NumNulls) != int64(d.NumValues)-there {
		return p.wrong("a page says that it lacks %d values, and it lacks %d", d.NumNulls, int64(d.NumValues)-there)
	}
	packed := !d.IsCompressed.Valid || d.IsCompressed.V
	body, err := p.unpacked(body[def:], h.UncompressedPageSize, packed)
	if err != nil {
		return err
	}
	p.rows += int64(d.NumValues)
	return p.data(body, d.Encoding, there)
}

// data checks that a page holds n values.
func (p *pages) data(b []byte, encoding format.Encoding, n int64) error {
	switch encoding {
	case format.Plain:
		return p.plain(b, n)
	case format.ByteStreamSplit:
		if t := p.c.Type.V; t != format.ByteArray && t != format.Boolean {
			return p.plain(b, n)
		}
	case format.RLEDictionary, plainDictionary:
		if n == 0 && len(b) == 0 {
			return nil
		}
		if len(b) == 0 || p.dict < 0 {
			return p.wrong("a page of places in a dictionary that is not there")
		}
		_, err := p.runs(b[1:], uint(b[0]), n, uint64(p.dict))
		return err
	case format.DeltaBinaryPacked:
		if t := p.c.Type.V; t == format.Int32 || t == format.Int64 {
			_, err := p.deltas(b, n, nil)
			return err
		}
	case format.DeltaLengthByteArray:
		if p.c.Type.V == format.ByteArray {
			return p.lengths(b, n)
		}
	case format.RLE:
		if p.c.Type.V == format.Boolean {
			levels, _, err := p.prefixed(b)
			if err != nil {
				return err
			}
			_, err = p.runs(levels, 1, n, 2)
			return err
		}
	}
	return p.wrong("its pages are encoded by %v, which is not read from what is sent; encode them plainly or by dictionary", encoding)
}

// plain checks that n values stand in b one after the other.
func (p *pages) plain(b []byte, n int64) error {
	each := int64(0)
	switch p.c.Type.V {
	case format.Boolean:
		n, each = (n+7)/8, 1
	case format.Int32, format.Float:
		each = 4
	case format.Int64, format.Double:
		each = 8
	case format.Int96:
		each = 12
	case format.FixedLenByteArray:
		each = int64(max(0, p.c.TypeLength.V))
	default:
		for range n {
			var err error
			if _, b, err = p.prefixed(b); err != nil {
				return err
			}
		}
		return nil
	}
	if int64(len(b)) < n*each {
		return p.wrong("%d bytes in a page of %d values", len(b), n)
	}
	return nil
}

// prefixed are the bytes whose number stands before them, and the rest.
func (p *pages) prefixed(b []byte) (out, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, p.wrong("a page is cut off")
	}
	n := int64(binary.LittleEndian.Uint32(b))
	if b = b[4:]; n > int64(len(b)) {
		return nil, nil, p.wrong("a page is cut off")
	}
	return b[:n], b[n:], nil
}

// runs walks numbers of width bits in runs and packs (the hybrid encoding of Parquet's
// Encodings.md). There are want of them at least, each below limit; it gives how many of
// those are not 0.
func (p *pages) runs(b []byte, width uint, want int64, limit uint64) (some int64, err error) {
	if width > 32 {
		return 0, p.wrong("numbers of %d bits", width)
	}
	seen := int64(0)
	for len(b) > 0 {
		head, n := uvarint(b)
		if n <= 0 || head>>1 > 1<<31 {
			return 0, p.wrong("a run is cut off")
		}
		b = b[n:]
		count, long := int64(head>>1), int64(width+7)/8
		if head&1 == 1 {
			long, count = count*int64(width), count*8
		}
		if long > int64(len(b)) {
			return 0, p.wrong("a run is cut off")
		}
		if err := p.take(count, 4); err != nil {
			return 0, err
		}
		use := min(count, want-seen)
		if head&1 == 1 {
			for i := range use {
				x := bitsAt(b, uint(i)*width, width)
				if x >= limit {
					return 0, p.wrong("the number %d where all are below %d", x, limit)
				}
				if x != 0 {
					some++
				}
			}
		} else if use > 0 {
			var word [8]byte
			copy(word[:], b[:long])
			x := binary.LittleEndian.Uint64(word[:])
			if x >= limit {
				return 0, p.wrong("the number %d where all are below %d", x, limit)
			}
			if x != 0 {
				some += use
			}
		}
		seen += use
		b = b[long:]
	}
	if seen < want {
		return 0, p.wrong("%d numbers in a page of %d", seen, want)
	}
	return some, nil
}

// bitsAt are the width bits from a bit on.
func bitsAt(b []byte, from, width uint) uint64 {
	var word [8]byte
	copy(word[:], b[min(uint(len(b)), from/8):])
	return binary.LittleEndian.Uint64(word[:]) >> (from % 8) & (1<<width - 1)
}

// unpacked is a page's text, which has size bytes at most.
func (p *pages) unpacked(b []byte, size int32, packed bool) ([]byte, error) {
	if !packed || p.codec == format.Uncompressed {
		return b, nil
	}
	out, err := p.decompress(b, int64(size))
	if err != nil {
		return nil, err
	}
	if len(out) > int(size) {
		return nil, p.wrong("a page of %d bytes says that it has %d", len(out), size)
	}
	return out, nil
}

func (p *pages) decompress(b []byte, size int64) ([]byte, error) {
	var err error
	switch p.codec {
	case format.Snappy:
		if n, err := snappy.DecodedLen(b); err != nil || int64(n) > size {
			return nil, p.wrong("a page of %d bytes says that it has %d (%v)", n, size, err)
		}
		p.buf, err = snappy.Decode(p.buf[:cap(p.buf)], b)
	case format.Gzip:
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, p.wrong("a page is not compressed by gzip: %v", err)
		}
		out := bytes.NewBuffer(p.buf[:0])
		if _, err := io.Copy(out, io.LimitReader(z, size+1)); err != nil {
			return nil, p.wrong("a page is not compressed by gzip: %v", err)
		}
		p.buf = out.Bytes()
	case format.Zstd:
		var h zstd.Header
		if err := h.Decode(b); err == nil && h.HasFCS && h.FrameContentSize > uint64(size) {
			return nil, p.wrong("a page of %d bytes says that it has %d", h.FrameContentSize, size)
		}
		if p.zstd == nil {
			if p.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(uint64(max(1, p.most)))); err != nil {
				return nil, p.wrong("Zstandard: %v", err)
			}
		}
		p.buf, err = p.zstd.DecodeAll(b, p.buf[:0])
	default:
		return nil, p.wrong("it is compressed by %v, which is not read from what is sent; compress it by Snappy, gzip or Zstandard", p.codec)
	}
	if err != nil {
		return nil, p.wrong("a page cannot be decompressed: %v", err)
	}
	return p.buf, nil
}
