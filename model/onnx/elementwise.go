// SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"math"

	"flyball/fault"
	"flyball/stat"
)

// unary is an operator on each element by itself. Functions that are nil are of kinds it
// does not take. float32 elements are computed in float64 and rounded once.
type unary struct {
	real  func(float64) float64
	whole func(int64) int64
}

func (u unary) op() op {
	return func(e *session, in, out []*tensor) (err error) {
		x := in[0]
		switch {
		case x.kind == float32Kind && u.real != nil:
			out[0], err = mapped(e, x, func(v float32) float32 { return float32(u.real(float64(v))) })
		case x.kind == float64Kind && u.real != nil:
			out[0], err = mapped(e, x, u.real)
		case x.kind == int64Kind && u.whole != nil:
			out[0], err = mapped(e, x, u.whole)
		case x.kind == int32Kind && u.whole != nil:
			out[0], err = mapped(e, x, func(v int32) int32 { return int32(u.whole(int64(v))) })
		default:
			err = refuseKind(x.kind)
		}
		return err
	}
}

// mapped is f of each element.
func mapped[T, R element](e *session, x *tensor, f func(T) R) (*tensor, error) {
	out, to, err := make1[R](e, x.shape...)
	if err != nil {
		return nil, err
	}
	for i, v := range data[T](x) {
		to[i] = f(v)
	}
	return out, nil
}

func buildReal(f func(float64) float64) func(*site) (op, error) {
	return func(*site) (op, error) { return unary{real: f}.op(), nil }
}

func buildNumber(real func(float64) float64, whole func(int64) int64) func(*site) (op, error) {
	return func(*site) (op, error) { return unary{real: real, whole: whole}.op(), nil }
}

func negative(v float64) float64  { return -v }
func negativeWhole(v int64) int64 { return -v }
func absWhole(v int64) int64      { return max(v, -v) }

func sign(v float64) float64 {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return v
}

func signWhole(v int64) int64 { return int64(sign(float64(v))) }

// buildRelu is what is above 0, else 0; networks spend their time in it and in Add.
func buildRelu(*site) (op, error) {
	return func(e *session, in, out []*tensor) (err error) {
		switch x := in[0]; x.kind {
		case float32Kind:
			out[0], err = above0[float32](e, x)
		case float64Kind:
			out[0], err = above0[float64](e, x)
		case int64Kind:
			out[0], err = above0[int64](e, x)
		case int32Kind:
			out[0], err = above0[int32](e, x)
		default:
			err = refuseKind(x.kind)
		}
		return err
	}, nil
}

func above0[T number](e *session, x *tensor) (*tensor, error) {
	out, to, err := make1[T](e, x.shape...)
	if err != nil {
		return nil, err
	}
	for i, v := range data[T](x) {
		if v < 0 {
			v = 0
		}
		to[i] = v
	}
	return out, nil
}

// sigmoid is 1/(1+e^-v), with the exponential of a negative number in either case.
func sigmoid(v float64) float64 {
	if v < 0 {
		x := stat.Exp(v)
		return x / (1 + x)
	}
	return 1 / (1 + stat.Exp(-v))
}

// tanh is (1-e^-2v)/(1+e^-2v), and near 0, where the difference cancels, its series.
func tanh(v float64) float64 {
	a := math.Abs(v)
	if a < 0.05 {
		s := float64(v * v)
		return v * (1 - float64(s*(1.0/3-float64(s*(2.0/15-float64(s*(17.0/315-float64(s*62.0/2835))))))))
	}
	x := stat.Exp(-2 * a)
	return math.Copysign((1-x)/(1+x), v)
}

// softplus is ln(1+e^v).
func softplus(v float64) float64 { return math.Max(v, 0) + math.Log1p(stat.Exp(-math.Abs(v))) }

func reciprocal(v float64) float64 { return 1 / v }

func softsign(v float64) float64 { return v / (1 + math.Abs(v)) }

func buildLeakyRelu(n *site) (op, error) {
	alpha := float64(n.float("alpha", 0.01))
	return unary{real: func(v float64) float64 {
		if v < 0 {
			return alpha * v
		}
		return v
	}}.op(), nil
}

func buildElu(n *site) (op, error) {
	alpha := float64(n.float("alpha", 1))
	return unary{real: func(v float64) float64 {
		if v < 0 {
			return alpha * (stat.Exp(v) - 1)
		}
		return v
	}}.op(), nil
}

func buildSelu(n *site) (op, error) {
	alpha, gamma := float64(n.float("alpha", 1.67326319217681884765625)), float64(n.float("gamma", 1.05070102214813232421875))
	return unary{real: func(v float64) float64 {
		if v <= 0 {
			return gamma * (float64(alpha*stat.Exp(v)) - alpha)
		}
		return gamma * v
	}}.op(), nil
}

func buildGelu(n *site) (op, error) {
	if n.text("approximate", "none") == "tanh" {
		return unary{real: func(v float64) float64 {
			cube := float64(0.044715 * float64(v*float64(v*v)))
			return 0.5 * v * (1 + tanh(math.Sqrt(2/math.Pi)*(v+cube)))
		}}.op(), nil
	}
	return unary{real: func(v float64) float64 { return 0.5 * v * (1 + math.Erf(v/math.Sqrt2)) }}.op(), nil
}

func buildHardSigmoid(n *site) (op, error) {
	alpha, beta := float64(n.float("alpha", 0.2)), float64(n.float("beta", 0.5))
	return unary{real: func(v float64) float64 {
		return min(max(float64(alpha*v)+beta, 0), 1)
	}}.op(), nil
}

func buildHardSwish(*site) (op, error) {
	return unary{real: func(v float64) float64 { return v * min(max(v/6+0.5, 0), 1) }}.op(), nil
}

func buildThresholdedRelu(n *site) (op, error) {
	alpha := float64(n.float("alpha", 1))
	return unary{real: func(v float64) float64 {
		if v > alpha {
			return v
		}
		return 0
	}}.op(), nil
}

func buildIsNaN(*site) (op, error) {
	return func(e *session, in, out []*tensor) (err error) {
		switch in[0].kind {
		case float32Kind:
			out[0], err = mapped(e, in[0], func(v float32) bool { return v != v })
		case float64Kind:
			out[0], err = mapped(e, in[0], func(v float64) bool { return v != v })
		default:
			err = refuseKind(in[0].kind)
		}
		return err
	}, nil
}

func buildIsInf(n *site) (op, error) {
	positive, negative := n.int("detect_positive", 1) != 0, n.int("detect_negative", 1) != 0
	is := func(v float64) bool { return math.IsInf(v, 1) && positive || math.IsInf(v, -1) && negative }
	return func(e *session, in, out []*tensor) (err error) {
		switch in[0].kind {
		case float32Kind:
			out[0], err = mapped(e, in[0], func(v float32) bool { return is(float64(v)) })
		case float64Kind:
			out[0], err = mapped(e, in[0], is)
		default:
			err = refuseKind(in[0].kind)
		}
		return err
	}, nil
}

func buildNot(*site) (op, error) {
	return func(e *session, in, out []*tensor) (err error) {
		if in[0].kind != boolKind {
			return refuseKind(in[0].kind)
		}
		out[0], err = mapped(e, in[0], func(v bool) bool { return !v })
		return err
	}, nil
}

// buildClip holds values between bounds, which are attributes before version 11.
func buildClip(n *site) (op, error) {
	low, high := math.Inf(-1), math.Inf(1)
	if a := n.attr("min"); a != nil {
		low = float64(a.f)
	}
	if a := n.attr("max"); a != nil {
		high = float64(a.f)
	}
	return func(e *session, in, out []*tensor) (err error) {
		low, high, bounded := low, high, [2]*tensor{}
		copy(bounded[:], in[1:])
		for i, to := range []*float64{&low, &high} {
			if b := bounded[i]; b != nil {
				if b.kind != in[0].kind || b.kind == textKind || b.len() != 1 {
					return fault.New(fault.Invalid, "a bound of Clip is no single %s", in[0].kind)
				}
				*to = b.toFloat64()[0]
			}
		}
		clip := func(v float64) float64 {
			if v < low {
				v = low
			}
			if v > high {
				v = high
			}
			return v
		}
		return unary{real: clip, whole: func(v int64) int64 { return int64(clip(float64(v))) }}.op()(e, in, out)
	}, nil
}
