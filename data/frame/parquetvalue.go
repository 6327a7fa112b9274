// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"math"
	"math/big"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"flyball/fault"
)

// dayMicros is a day in microseconds.
const dayMicros = 86_400_000_000

// maxDecimalBytes bounds a decimal: 76 digits fit.
const maxDecimalBytes = 32

func kindOf(c *parquet.Column) (Kind, error) {
	t := c.Type()
	switch logical(t).(type) {
	case *format.TimestampType, *format.DateType:
		return Time, nil
	case *format.DecimalType:
		return Number, nil
	}
	switch t.Kind() {
	case parquet.Boolean, parquet.Int32, parquet.Int64, parquet.Float, parquet.Double:
		return Number, nil
	case parquet.Int96:
		return Time, nil // what Spark and Impala wrote before there was a type for times
	case parquet.ByteArray:
		return Text, nil
	}
	return 0, fault.New(fault.Invalid, "column %q has the type %s, which is not read", c.Name(), t)
}

// logical is what a column's type means beyond its bytes; nil: nothing.
func logical(t parquet.Type) format.LogicalTypeValue {
	if l := t.LogicalType(); l != nil {
		return l.Value
	}
	return nil
}

// converter is how a value of the column becomes a float64, a string or
// microseconds.
func converter(c *parquet.Column) func(parquet.Value) any {
	t := c.Type()
	scale, unsigned := 0, false
	switch l := logical(t).(type) {
	case *format.DateType:
		return func(v parquet.Value) any { return int64(v.Int32()) * dayMicros }
	case *format.TimestampType:
		return moments(l)
	case *format.DecimalType:
		scale = int(l.Scale)
	case *format.IntType:
		unsigned = !l.IsSigned
	}
	switch t.Kind() {
	case parquet.Boolean:
		return func(v parquet.Value) any {
			if v.Boolean() {
				return 1.0
			}
			return 0.0
		}
	case parquet.Int32, parquet.Int64:
		return whole(t.Kind() == parquet.Int32, unsigned, scale)
	case parquet.Int96:
		return func(v parquet.Value) any {
			i := v.Int96() // nanoseconds of the day, and the Julian day
			nanos := int64(i[1])<<32 | int64(i[0])
			return (int64(i[2])-2_440_588)*dayMicros + floor(nanos, 1000)
		}
	case parquet.Float:
		return func(v parquet.Value) any { return float64(v.Float()) }
	case parquet.Double:
		return func(v parquet.Value) any { return v.Double() }
	}
	if _, ok := logical(t).(*format.DecimalType); ok {
		return func(v parquet.Value) any { return decimal(v.ByteArray(), scale) }
	}
	return func(v parquet.Value) any { return string(v.ByteArray()) }
}

// moments is how a timestamp of the type's unit becomes microseconds; finer ones
// round down, as time does.
func moments(l *format.TimestampType) func(parquet.Value) any {
	each := time.Microsecond
	if l.Unit.Value != nil {
		each = l.Unit.Value.Duration()
	}
	if each < time.Microsecond {
		return func(v parquet.Value) any { return floor(v.Int64(), 1000) }
	}
	return func(v parquet.Value) any { return v.Int64() * each.Microseconds() }
}

// whole is how a whole number, or a decimal in one, becomes a float64.
func whole(narrow, unsigned bool, scale int) func(parquet.Value) any {
	by := math.Pow10(scale) // divided, as 1/100 has no exact float64 and 100 has
	switch {
	case narrow && unsigned:
		return func(v parquet.Value) any { return float64(v.Uint32()) }
	case narrow:
		return func(v parquet.Value) any { return float64(v.Int32()) / by }
	case unsigned:
		return func(v parquet.Value) any { return float64(v.Uint64()) }
	}
	return func(v parquet.Value) any { return float64(v.Int64()) / by }
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
