// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"encoding/hex"
	"math"
	"math/big"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"flyball/fault"
)

// dayMicros is a day in microseconds.
const dayMicros = 86_400_000_000

// maxDecimalBytes bounds a decimal: 76 digits fit.
const maxDecimalBytes = 32

// leaf is how the values of one column of a file are read. One of the functions is set,
// that of its kind; it returns false for a value that the kind does not have.
type leaf struct {
	name string
	kind Kind
	num  func(parquet.Value) (float64, bool)
	text func(parquet.Value) (string, bool)
	time func(parquet.Value) (int64, bool)

	direct bool // values lie in the file as they are in the column: DOUBLE, microseconds, text

	whole bool                       // 64-bit whole numbers, some of which no float64 holds
	plain func(parquet.Value) string // a Number as text, with all its digits
}

// leafOf says how a column is read:
//
//	BOOLEAN                                Number, 1 and 0
//	INT32, INT64, FLOAT, DOUBLE, FLOAT16   Number; whole numbers beyond 2^53 are Text (see open)
//	DECIMAL                                Number, the float64 nearest to it
//	TIME of any unit                       Number, seconds since midnight
//	DATE, TIMESTAMP of any unit, INT96     Time, rounded down to microseconds; a timestamp without zone is UTC
//	STRING, ENUM, JSON, BYTE_ARRAY         Text, which must be UTF-8
//	UUID                                   Text, 36 characters in lower case
//
// and anything else is an Invalid fault that names the column.
func leafOf(name string, c *parquet.Column, means format.LogicalTypeValue) (leaf, error) {
	t := c.Type()
	l := leaf{name: name, kind: Number}
	switch of := means.(type) {
	case *format.DateType:
		return l.times(func(v parquet.Value) (int64, bool) { return int64(v.Int32()) * dayMicros, true }), nil
	case *format.TimestampType:
		l.direct = unitOf(of.Unit) == time.Microsecond
		return l.times(moments(of)), nil
	case *format.TimeType:
		l.num = ofDay(of, t.Kind())
		return l, nil
	case *format.DecimalType:
		if k := t.Kind(); k == parquet.ByteArray || k == parquet.FixedLenByteArray {
			scale := int(of.Scale)
			l.num = func(v parquet.Value) (float64, bool) { return decimal(v.ByteArray(), scale), true }
			return l, nil
		}
		by := math.Pow10(int(of.Scale)) // divided, as 1/100 has no exact float64 and 100 has
		if t.Kind() == parquet.Int32 {
			l.num = func(v parquet.Value) (float64, bool) { return float64(v.Int32()) / by, true }
		} else {
			l.num = func(v parquet.Value) (float64, bool) { return float64(v.Int64()) / by, true }
		}
		return l, nil
	case *format.Float16Type:
		l.num = func(v parquet.Value) (float64, bool) { return half(v.ByteArray()) }
		return l, nil
	case *format.UUIDType:
		return l.texts(func(v parquet.Value) (string, bool) { return uuid(v.ByteArray()) }), nil
	case *format.IntType:
		if !of.IsSigned {
			return l.unsigned(t.Kind() == parquet.Int32), nil
		}
	case *format.BsonType, *format.VariantType, *format.GeometryType, *format.GeographyType, *format.ListType, *format.MapType:
		return leaf{}, fault.New(fault.Invalid, "column %q has the type %s, which is not read", name, t)
	}
	return l.physical(t)
}

// physical is how a column without a meaning beyond its bytes is read.
func (l leaf) physical(t parquet.Type) (leaf, error) {
	switch t.Kind() {
	case parquet.Boolean:
		l.num = func(v parquet.Value) (float64, bool) {
			if v.Boolean() {
				return 1, true
			}
			return 0, true
		}
	case parquet.Int32:
		l.num = func(v parquet.Value) (float64, bool) { return float64(v.Int32()), true }
	case parquet.Int64:
		l.whole = true
		l.num = func(v parquet.Value) (float64, bool) {
			i := v.Int64()
			return float64(i), i <= 1<<53 && i >= -(1<<53)
		}
		l.plain = func(v parquet.Value) string { return strconv.FormatInt(v.Int64(), 10) }
	case parquet.Int96: // what Spark and Impala wrote before there was a type for times
		return l.times(func(v parquet.Value) (int64, bool) {
			i := v.Int96() // nanoseconds of the day, and the Julian day
			nanos := int64(i[1])<<32 | int64(i[0])
			return (int64(i[2])-2_440_588)*dayMicros + floor(nanos, 1000), true
		}), nil
	case parquet.Float:
		l.num = func(v parquet.Value) (float64, bool) { return float64(v.Float()), true }
	case parquet.Double:
		l.direct = true
		l.num = func(v parquet.Value) (float64, bool) { return v.Double(), true }
	case parquet.ByteArray:
		l.direct = true
		return l.texts(func(v parquet.Value) (string, bool) {
			b := v.ByteArray()
			return string(b), utf8.Valid(b)
		}), nil
	default:
		return leaf{}, fault.New(fault.Invalid, "column %q has the type %s, which is not read", l.name, t)
	}
	return l, nil
}

func (l leaf) times(read func(parquet.Value) (int64, bool)) leaf {
	l.kind, l.time = Time, read
	return l
}

func (l leaf) texts(read func(parquet.Value) (string, bool)) leaf {
	l.kind, l.text = Text, read
	return l
}

func (l leaf) unsigned(narrow bool) leaf {
	if narrow {
		l.num = func(v parquet.Value) (float64, bool) { return float64(v.Uint32()), true }
		return l
	}
	l.whole = true
	l.num = func(v parquet.Value) (float64, bool) { return float64(v.Uint64()), v.Uint64() <= 1<<53 }
	l.plain = func(v parquet.Value) string { return strconv.FormatUint(v.Uint64(), 10) }
	return l
}

// as reads the column as another kind, if that can be: everything as text, text as
// numbers or times where each value is one, as in a CSV file.
func (l leaf) as(kind Kind, how *dialect) (leaf, error) {
	from := l
	l.kind, l.num, l.text, l.time, l.direct = kind, nil, nil, nil, false
	p := parser{how: how}
	switch {
	case kind == from.kind:
		return from, nil
	case kind == Text && from.plain != nil:
		l.text = func(v parquet.Value) (string, bool) { return from.plain(v), true }
	case kind == Text && from.kind == Number:
		l.text = func(v parquet.Value) (string, bool) {
			x, _ := from.num(v)
			return strconv.FormatFloat(x, 'g', -1, 64), true
		}
	case kind == Text:
		l.text = func(v parquet.Value) (string, bool) {
			at, ok := from.time(v)
			return time.UnixMicro(at).UTC().Format(time.RFC3339Nano), ok
		}
	case from.kind == Text && kind == Number:
		l.num = func(v parquet.Value) (float64, bool) { return p.number(v.ByteArray()) }
	case from.kind == Text && kind == Time:
		l.time = func(v parquet.Value) (int64, bool) { return p.moment(v.ByteArray()) }
	default:
		return leaf{}, fault.New(fault.Invalid, "column %q is of kind %s, and %s is wanted", l.name, from.kind, kind).
			Do("write the column as %s, or say kinds: {%s: %s}", kind, l.name, from.kind)
	}
	return l, nil
}

// logical is what a column's type means beyond its bytes; nil: nothing.
func logical(t parquet.Type) format.LogicalTypeValue {
	if l := t.LogicalType(); l != nil {
		return l.Value
	}
	return nil
}

// unitOf is a unit of time; microseconds where the file says none.
func unitOf(u format.TimeUnit) time.Duration {
	if u.Value == nil {
		return time.Microsecond
	}
	return u.Value.Duration()
}

// moments is how a timestamp of the type's unit becomes microseconds; finer ones
// round down, as time does.
func moments(l *format.TimestampType) func(parquet.Value) (int64, bool) {
	each := unitOf(l.Unit)
	if each < time.Microsecond {
		return func(v parquet.Value) (int64, bool) { return floor(v.Int64(), 1000), true }
	}
	by := each.Microseconds()
	return func(v parquet.Value) (int64, bool) {
		i := v.Int64()
		return i * by, i <= math.MaxInt64/by && i > math.MinInt64/by
	}
}

// ofDay is how a time of day becomes seconds since midnight.
func ofDay(l *format.TimeType, kind parquet.Kind) func(parquet.Value) (float64, bool) {
	by := float64(time.Second / unitOf(l.Unit))
	if kind == parquet.Int32 {
		return func(v parquet.Value) (float64, bool) { return float64(v.Int32()) / by, true }
	}
	return func(v parquet.Value) (float64, bool) { return float64(v.Int64()) / by, true }
}

// half is a number of 16 bits (IEEE 754 binary16), the lower byte first.
func half(b []byte) (float64, bool) {
	if len(b) != 2 {
		return 0, false
	}
	bits := uint16(b[0]) | uint16(b[1])<<8
	sign, exp, fraction := 1.0, int(bits>>10&31), float64(bits&1023)
	if bits>>15 != 0 {
		sign = -1
	}
	switch exp {
	case 0:
		return sign * math.Ldexp(fraction, -24), true
	case 31:
		if fraction != 0 {
			return nan, true
		}
		return math.Inf(int(sign)), true
	}
	return sign * math.Ldexp(1024+fraction, exp-25), true
}

// uuid is 16 bytes in the form of RFC 9562.
func uuid(b []byte) (string, bool) {
	if len(b) != 16 {
		return "", false
	}
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], true
}

// decimal is the nearest float64 to a big-endian number in two's complement with
// scale digits behind the point; NaN where it is longer than any decimal.
func decimal(b []byte, scale int) float64 {
	if len(b) == 0 || len(b) > maxDecimalBytes || scale < 0 || scale > 8*maxDecimalBytes {
		return nan
	}
	n := new(big.Int).SetBytes(b)
	if b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	x, _ := new(big.Rat).SetFrac(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)).Float64()
	return x
}

// floor divides and rounds down.
func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
