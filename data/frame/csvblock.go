// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"unicode/utf8"

	"flyball/fault"
)

const (
	firstBlock = 16 << 10  // bytes of a file that are read at first
	fullBlock  = 512 << 10 // bytes that one worker takes at once
	maxRecord  = 16 << 20  // bytes of one record; longer ones are quotes that never close
)

// block is some whole records of a file, the last of which ends in \n. It may be written
// to, by whoever has it.
type block struct {
	b    []byte
	line int // of its first byte, from 1
	last bool
}

// splitter cuts a text into blocks of whole records. Where a block is cut depends on the
// text alone. It allocates what the text is long, up to a few blocks.
type splitter struct {
	name string
	in   *text
	rest []byte // of the block before: the beginning of a record
	size int    // of the next block
	line int    // of rest
	mac  bool   // lines end in a carriage return alone
	some bool   // a block was given
	end  bool
}

func newSplitter(name string, in *text) *splitter {
	return &splitter{name: name, in: in, size: firstBlock, line: 1}
}

// next gives the next block, in buf where that is large enough. After the last it returns
// io.EOF. A block holds at least one record, unless the text has none.
func (s *splitter) next(buf []byte) (block, error) {
	if s.end {
		return block{}, io.EOF
	}
	b := append(buf[:0], s.rest...)
	for {
		var err error
		if b, err = s.fill(b); err != nil {
			return block{}, err
		}
		if s.end {
			if len(b) > 0 && b[len(b)-1] != '\n' {
				b = append(b, '\n')
			}
			return s.cut(b, len(b))
		}
		if at := recordEnd(b); at > 0 {
			return s.cut(b, at)
		}
		if s.size >= maxRecord {
			return block{}, fault.New(fault.Invalid, "%s:%d: the record that begins here is longer than %d MB", s.name, s.line, maxRecord>>20).
				Do("look for a quote that is never closed")
		}
		s.size *= 2
	}
}

// fill reads until b is as long as a block is to be, or the text ends.
func (s *splitter) fill(b []byte) ([]byte, error) {
	from := len(b)
	if cap(b) < s.size {
		b = slices.Grow(b, s.size-len(b))
	}
	b = b[:max(s.size, from)]
	n, err := io.ReadFull(s.in.in, b[from:])
	b = b[:from+n]
	switch {
	case errors.Is(err, io.EOF) && n == 0, errors.Is(err, io.ErrUnexpectedEOF) && s.ended():
		s.end = true
	case err != nil:
		return nil, unreadable(s.name, err)
	}
	if !s.some && from == 0 && bytes.IndexByte(b, '\n') < 0 && bytes.IndexByte(b, '\r') >= 0 {
		s.mac = true
	}
	if s.mac {
		for i := from; i < len(b); i++ {
			if b[i] == '\r' {
				b[i] = '\n'
			}
		}
	}
	return b, s.check(b, from)
}

// ended tells the end of a text from a packed text that was cut off: both are the same
// error of io.ReadFull.
func (s *splitter) ended() bool {
	_, err := s.in.in.Peek(1)
	return errors.Is(err, io.EOF)
}

// cut gives the first n bytes of b and keeps the others.
func (s *splitter) cut(b []byte, n int) (block, error) {
	s.rest = append(s.rest[:0], b[n:]...)
	out := block{b[:n], s.line, s.end}
	s.line += bytes.Count(out.b, []byte{'\n'})
	s.size = min(2*s.size, max(fullBlock, 2*len(s.rest)))
	s.some = true
	return out, nil
}

// check sees that the bytes after from are text.
func (s *splitter) check(b []byte, from int) error {
	if at := bytes.IndexByte(b[from:], 0); at >= 0 {
		return fault.New(fault.Invalid, "%s:%d: a byte that is zero; text has none", s.name, s.lineOf(b, from+at)).
			Do("if the file is UTF-16, write encoding: utf-16; else take the byte out")
	}
	if s.in.decoded {
		if at := bytes.Index(b[from:], []byte("\uFFFD")); at >= 0 {
			return fault.New(fault.Invalid, "%s:%d: bytes that its encoding does not have", s.name, s.lineOf(b, from+at)).
				Do("say the encoding in which the file is written")
		}
		return nil
	}
	if utf8.Valid(b[from:]) {
		return nil
	}
	at := from
	for at > 0 && from-at < utf8.UTFMax && !utf8.RuneStart(b[at]) { // a letter that the bytes before began
		at--
	}
	for at < len(b) {
		r, n := utf8.DecodeRune(b[at:])
		if r == utf8.RuneError && n == 1 {
			if !s.end && len(b)-at < utf8.UTFMax && !utf8.FullRune(b[at:]) {
				return nil // the bytes to come may end the letter
			}
			return fault.New(fault.Invalid, "%s:%d: %q is not UTF-8", s.name, s.lineOf(b, at), clip(string(around(b, at)))).
				Do("say the encoding in which the file is written, such as encoding: windows-1252")
		}
		at += n
	}
	return nil
}

// around is the value about a place.
func around(b []byte, at int) []byte {
	stop := func(r rune) bool { return r == '\n' || r == ',' || r == ';' || r == '\t' || r == '"' }
	from := bytes.LastIndexFunc(b[:at], stop) + 1
	to := bytes.IndexFunc(b[at:], stop)
	if to < 0 {
		to = len(b) - at
	}
	return b[max(from, at-20):min(at+to, at+20)]
}

func (s *splitter) lineOf(b []byte, at int) int { return s.line + bytes.Count(b[:at], []byte{'\n'}) }

// recordEnd is where the last whole record of b ends, which begins with a record; 0 where
// none ends. Quotes come in pairs in a record, so that a line's end is a record's end
// where the number of quotes before it is even.
func recordEnd(b []byte) int {
	open := bytes.Count(b, []byte{'"'})%2 == 1
	for end := len(b); end > 0; {
		at := bytes.LastIndexByte(b[:end], '\n')
		if at < 0 {
			return 0
		}
		if bytes.Count(b[at:end], []byte{'"'})%2 == 1 {
			open = !open
		}
		if !open {
			return at + 1
		}
		end = at
	}
	return 0
}
