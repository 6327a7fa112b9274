// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Most records of most files are plain: no quotes, as many values as columns, numbers of
// few digits. Here these are read in one touch of each byte. Whatever is not plain is left
// to the cursor, and so is every error.

// plain reads records from the start of b, which ends in \n, into cols from row on. It
// stops before the first that is not plain. It returns how many it read, and their bytes.
func (p *parser) plain(cols []Column, row int, b []byte) (rows, end int) {
	delim, last := p.how.delim, len(cols)-1
	point := p.how.point
	if p.how.numeric || delim == point { // then numbers are in quotes
		return 0, 0
	}
	for i := 0; i < len(b); {
		for k := range cols {
			c := &cols[k]
			from := i
			if c.Kind == Number {
				var x float64
				if x, i = plainNumber(b, i, point); i > from {
					c.Num[row] = x
				} else if b[i] == delim || b[i] == '\n' {
					c.Num[row] = nan
				}
			} else {
				i = plainEnd(b, i, delim)
			}
			to := i
			if k < last {
				if b[i] != delim {
					return rows, end
				}
			} else {
				if b[i] == '\r' && b[i+1] == '\n' { // b ends in \n
					i++
				} else if b[i] == '\n' && to > from && b[to-1] == '\r' {
					to--
				}
				if b[i] != '\n' {
					return rows, end
				}
			}
			i++
			if c.Kind != Number && p.put(c, k, row, b[from:to]) != nil {
				return rows, end
			}
		}
		if last == 0 && i-end <= 2 && (b[end] == '\n' || b[end] == '\r') { // an empty line is no record
			return rows, end
		}
		rows, row, end = rows+1, row+1, i
	}
	return rows, end
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// zeros has the high bit of each byte of v that is zero, exactly up to the first of them.
func zeros(v uint64) uint64 { return (v - ones) &^ v & highs }

// plainEnd is where the first delimiter, quote or \n stands from i on; there is one.
func plainEnd(b []byte, i int, delim byte) int {
	delims := uint64(delim) * ones
	for i+8 <= len(b) {
		v := binary.LittleEndian.Uint64(b[i:])
		if hit := zeros(v^delims) | zeros(v^'\n'*ones) | zeros(v^'"'*ones); hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
		i += 8
	}
	for b[i] != delim && b[i] != '\n' && b[i] != '"' {
		i++
	}
	return i
}

// run is how many of the next eight bytes are digits before the first that is none.
func run(v uint64) int {
	t := v ^ 0x3030303030303030
	return bits.TrailingZeros64(((t+0x7676767676767676)|t)&highs) / 8
}

// eight is the number that eight digits write, the first in the lowest byte; a byte of zero
// is the digit 0 (https://kholdstare.github.io/technical/2020/05/26/faster-integer-parsing.html).
func eight(v uint64) uint64 {
	v = v & 0x0F0F0F0F0F0F0F0F * 2561 >> 8
	v = v & 0x00FF00FF00FF00FF * 6553601 >> 16
	return v & 0x0000FFFF0000FFFF * 42949672960001 >> 32
}

// tens are the powers of ten that runs need.
var tens = [...]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8}

// plainNumber reads a number from i on, and where it ends; i itself where there is none
// that is plain. It gives what parseNumber gives.
func plainNumber(b []byte, i int, point byte) (float64, int) {
	from := i
	var minus uint64
	if b[i] == '-' {
		minus = 1 // without a jump: signs are hard to foretell
	}
	i += int(minus) // b ends in \n
	m, start, behind := uint64(0), i, 0
	for n := 8; n == 8; {
		if i+8 > len(b) {
			return 0, from
		}
		v := binary.LittleEndian.Uint64(b[i:])
		n = run(v)
		m = m*tens[n] + eight(v<<(64-8*n))
		i += n
	}
	digits := i - start
	if b[i] == point {
		i++
		at := i
		for n := 8; n == 8; {
			if i+8 > len(b) {
				return 0, from
			}
			v := binary.LittleEndian.Uint64(b[i:])
			n = run(v)
			m = m*tens[n] + eight(v<<(64-8*n))
			i += n
		}
		behind = i - at
		digits += behind
	}
	if digits == 0 || b[i]|0x20 == 'e' {
		return 0, from
	}
	var x float64
	if m < 1<<53 && digits <= 19 {
		x = float64(m) / exact[behind]
	} else {
		ok := digits-leading(b[start:i], point) <= 19 // else m has lost its first digits
		if ok {
			x, ok = nearest(m, -behind)
		}
		if !ok {
			y, is := parseNumber(b[start:i], point)
			if is == 0 {
				return 0, from
			}
			x = y
		}
	}
	return math.Float64frombits(math.Float64bits(x) | minus<<63), i
}

// leading is how many zeros a number begins with.
func leading(b []byte, point byte) int {
	n := 0
	for _, c := range b {
		switch c {
		case '0':
			n++
		case point:
		default:
			return n
		}
	}
	return n
}

// plain looks at records from the start of b as parser.plain reads them.
func (l *looker) plain(all []evidence, skip []bool, b []byte) (rows, end int) {
	delim, last := l.how.delim, len(all)-1
	if l.how.numeric || l.how.point == ',' {
		return 0, 0
	}
	line := l.c.line
	for i := 0; i < len(b); {
		l.c.record = line + rows
		for k := range all {
			from, known := i, skip[k]
			if known {
				i = plainEnd(b, i, delim)
			} else if i, known = l.quantity(&all[k], b, i); !known {
				i = plainEnd(b, i, delim)
			}
			to := i
			if k < last {
				if b[i] != delim {
					return rows, end
				}
			} else {
				if b[i] == '\r' && b[i+1] == '\n' { // b ends in \n
					i++
				} else if b[i] == '\n' && to > from && b[to-1] == '\r' {
					to--
				}
				if b[i] != '\n' {
					return rows, end
				}
			}
			i++
			if !known {
				l.value(&all[k], b[from:to])
				skip[k] = all[k].text()
			}
		}
		if last == 0 && i-end <= 2 && (b[end] == '\n' || b[end] == '\r') {
			return rows, end
		}
		rows, end = rows+1, i
	}
	return rows, end
}

// quantity goes over a quantity of few digits, which a delimiter or an end follows, and
// takes it for evidence; i itself where there is none.
func (l *looker) quantity(e *evidence, b []byte, i int) (end int, ok bool) {
	from, minus := i, 0
	if b[i] == '-' {
		minus = 1
	}
	i += minus
	start := i
	for n := 8; n == 8; i += n {
		if i+8 > len(b) {
			return from, false
		}
		n = run(binary.LittleEndian.Uint64(b[i:]))
	}
	whole, point := i-start, b[i] == '.'
	digits := whole
	if point {
		i++
		at := i
		for n := 8; n == 8; i += n {
			if i+8 > len(b) {
				return from, false
			}
			n = run(binary.LittleEndian.Uint64(b[i:]))
		}
		digits += i - at
	}
	if digits == 0 || whole > 15 || digits > 300 || whole > 1 && b[start] == '0' || e.notPoint ||
		b[i] != l.how.delim && b[i] != '\n' && (b[i] != '\r' || b[i+1] != '\n') {
		return from, false
	}
	e.filled, e.notTime = true, true
	if point {
		e.notComma = true
		if e.point == 0 {
			e.point = l.c.record
		}
	}
	return i, true
}
