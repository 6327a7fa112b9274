// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"math"
	"strconv"
	"strings"

	"flyball/fault"
)

// buildCast converts to another kind. Numbers that do not fit a whole kind are cut as
// numpy cuts them on amd64; texts that are no number are an Invalid fault.
func buildCast(n *site) (op, error) {
	n.ignore("saturate", "round_mode")
	to, err := kindOf(n.int("to", 0))
	if err != nil {
		return nil, err
	}
	return func(e *session, in, out []*tensor) (err error) {
		out[0], err = cast(e, in[0], to)
		return err
	}, nil
}

func buildCastLike(n *site) (op, error) {
	n.ignore("saturate", "round_mode")
	return func(e *session, in, out []*tensor) (err error) {
		out[0], err = cast(e, in[0], in[1].kind)
		return err
	}, nil
}

func cast(e *session, x *tensor, to kind) (*tensor, error) {
	if x.kind == to {
		return x, nil
	}
	switch x.kind {
	case float32Kind:
		return castReal[float32](e, x, to, 32)
	case float64Kind:
		return castReal[float64](e, x, to, 64)
	case int64Kind:
		return castWhole[int64](e, x, to)
	case int32Kind:
		return castWhole[int32](e, x, to)
	case boolKind:
		return castBool(e, x, to)
	}
	return castText(e, x, to)
}

func castReal[T float32 | float64](e *session, x *tensor, to kind, bits int) (*tensor, error) {
	switch to {
	case float32Kind:
		return mapped(e, x, func(v T) float32 { return float32(v) })
	case float64Kind:
		return mapped(e, x, func(v T) float64 { return float64(v) })
	case int64Kind:
		return mapped(e, x, func(v T) int64 { return wholeOf(float64(v)) })
	case int32Kind:
		return mapped(e, x, func(v T) int32 { return int32(wholeOf(float64(v))) })
	case boolKind:
		return mapped(e, x, func(v T) bool { return v != 0 })
	}
	return mapped(e, x, func(v T) string { return textOf(float64(v), bits) })
}

// wholeOf cuts towards zero; what does not fit is the smallest number.
func wholeOf(v float64) int64 {
	if v >= -9.223372036854775808e18 && v < 9.223372036854775808e18 {
		return int64(v)
	}
	return math.MinInt64
}

// textOf is a number as onnxruntime writes it: eight digits of a float, seventeen of a
// double, and no more than it needs.
func textOf(v float64, bits int) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "INF"
	case math.IsInf(v, -1):
		return "-INF"
	}
	digits := 8
	if bits == 64 {
		digits = 17
	}
	return shortG(v, digits)
}

// shortG is C's %.{digits}g.
func shortG(v float64, digits int) string {
	s := strconv.FormatFloat(v, 'e', digits-1, 64)
	mantissa, exponent, _ := strings.Cut(s, "e")
	n, _ := strconv.Atoi(exponent)
	if n >= -4 && n < digits {
		s = strconv.FormatFloat(v, 'f', digits-1-n, 64)
		if strings.Contains(s, ".") {
			s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
		}
		return s
	}
	if strings.Contains(mantissa, ".") {
		mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
	}
	return mantissa + "e" + exponent
}

func castWhole[T int64 | int32](e *session, x *tensor, to kind) (*tensor, error) {
	switch to {
	case float32Kind:
		return mapped(e, x, func(v T) float32 { return float32(v) })
	case float64Kind:
		return mapped(e, x, func(v T) float64 { return float64(v) })
	case int64Kind:
		return mapped(e, x, func(v T) int64 { return int64(v) })
	case int32Kind:
		return mapped(e, x, func(v T) int32 { return int32(v) })
	case boolKind:
		return mapped(e, x, func(v T) bool { return v != 0 })
	}
	return mapped(e, x, func(v T) string { return strconv.FormatInt(int64(v), 10) })
}

func castBool(e *session, x *tensor, to kind) (*tensor, error) {
	switch to {
	case float32Kind:
		return mapped(e, x, func(v bool) float32 { return one[float32](v) })
	case float64Kind:
		return mapped(e, x, func(v bool) float64 { return one[float64](v) })
	case int64Kind:
		return mapped(e, x, func(v bool) int64 { return one[int64](v) })
	case int32Kind:
		return mapped(e, x, func(v bool) int32 { return one[int32](v) })
	}
	return mapped(e, x, func(v bool) string {
		if v {
			return "1"
		}
		return "0"
	})
}

func one[T number](v bool) T {
	if v {
		return 1
	}
	return 0
}

func castText(e *session, x *tensor, to kind) (*tensor, error) {
	if to == boolKind {
		return nil, refuse("texts read as truth values")
	}
	bits := 64
	if to == float32Kind {
		bits = 32
	}
	t, v, err := make1[float64](e, x.shape...)
	if err != nil {
		return nil, err
	}
	for i, s := range x.texts {
		if to == int64Kind || to == int32Kind {
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil || int64(float64(n)) != n {
				return nil, notANumber(s)
			}
			v[i] = float64(n)
			continue
		}
		if v[i], err = strconv.ParseFloat(s, bits); err != nil && !math.IsInf(v[i], 0) {
			return nil, notANumber(s)
		}
	}
	return cast(e, t, to)
}

func notANumber(s string) error {
	if len(s) > 40 {
		s = s[:40]
	}
	return fault.New(fault.Invalid, "the text %q is read as a number, and is none", s)
}
