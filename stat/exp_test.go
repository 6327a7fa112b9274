// SPDX-License-Identifier: Apache-2.0

package stat_test

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"flyball/stat"
)

// reference is e^x to about 80 bits: k·ln 2 is taken off x, what is left is divided by
// 256, and the sum of its powers over factorials is squared eight times.
type reference struct {
	ln2, k, r, y *big.Float
	terms        []*big.Float // 1/n!, from 1/9! to 1/0!
}

func newReference() *reference {
	const precision = 128
	f := func() *big.Float { return new(big.Float).SetPrec(precision) }
	e := &reference{k: f(), r: f(), y: f()}
	e.ln2, _ = f().SetString("0.693147180559945309417232121458176568075500134360255254")
	for n := int64(9); n >= 0; n-- {
		e.terms = append(e.terms, f().Quo(f().SetInt64(1), f().SetInt(new(big.Int).MulRange(1, n))))
	}
	return e
}

func (e *reference) exp(x float64) *big.Float {
	k := math.Round(x / math.Ln2)
	e.k.SetFloat64(k).Mul(e.k, e.ln2)
	e.r.SetFloat64(x).Sub(e.r, e.k)
	e.r.SetMantExp(e.r, -8)
	e.y.SetInt64(0)
	for _, t := range e.terms {
		e.y.Mul(e.y, e.r).Add(e.y, t)
	}
	for range 8 {
		e.y.Mul(e.y, e.y)
	}
	return e.y.SetMantExp(e.y, int(k))
}

// off is by how many units in the last place got differs from e^x.
func (e *reference) off(x, got float64) float64 {
	want := e.exp(x)
	near, _ := want.Float64()
	e.r.SetFloat64(got).Sub(e.r, want)
	off, _ := e.r.SetMantExp(e.r, -max(math.Ilogb(near)-52, -1074)).Float64()
	return math.Abs(off)
}

// points are n numbers of all sizes: those that scores are made of, those whose
// e^x is hardly a number, and those that are hardly there.
func points(n int) []float64 {
	r := rand.New(rand.NewPCG(4, 2))
	out := make([]float64, n)
	for i := range out {
		switch i % 8 {
		case 0, 1, 2, 3:
			out[i] = 5 * r.NormFloat64()
		case 4:
			out[i] = -746 + 1456*r.Float64()
		case 5:
			out[i] = -746 + 38*r.Float64() // e^x is subnormal
		case 6:
			out[i] = math.Ldexp(2*r.Float64()-1, -r.IntN(1074))
		case 7:
			out[i] = (float64(r.IntN(2000)-1075) + 0.5) * math.Ln2 // between two k
		}
	}
	return out
}

func TestExpIsLessThanAUnitInTheLastPlaceOff(t *testing.T) {
	n := 100_000
	if os.Getenv("FLYBALL_LONG") != "" {
		n = 1_000_000
	}
	e := newReference()
	for _, x := range points(n) {
		got := stat.Exp(x)
		if x > 709.78 || x < -745.13 {
			continue // the bounds have a test of their own
		}
		if off := e.off(x, got); !(off < 1) {
			t.Fatalf("e^%v: got %v, which is %.2f units off", x, got, off)
		}
	}
}

func TestExpAndTheStandardLibraryAgree(t *testing.T) {
	differ, n := 0, 0
	for _, x := range points(1_000_000) {
		if x > 709.4 {
			continue // there math.Exp gives +Inf too early on some processors
		}
		n++
		switch d := int64(math.Float64bits(stat.Exp(x)) - math.Float64bits(math.Exp(x))); {
		case d < -2 || d > 2: // each may be almost a unit off
			t.Fatalf("e^%v: got %v, the standard library says %v", x, stat.Exp(x), math.Exp(x))
		case d != 0:
			differ++
		}
	}
	if differ > n/5 {
		t.Errorf("%d of %d differ in a last place: more than rounding makes", differ, n)
	}
}

// bits are what every processor must give: these are from amd64, and the compiler of
// another machine that rounds once where the source says twice is found by them.
var bits = []struct{ x, exp, logistic uint64 }{
	{0x0000000000000000, 0x3ff0000000000000, 0x3fe0000000000000}, // 0
	{0x8000000000000000, 0x3ff0000000000000, 0x3fe0000000000000}, // -0
	{0x0000000000000001, 0x3ff0000000000000, 0x3fe0000000000000}, // 5e-324: the smallest number
	{0x01a56e1fc2f8f359, 0x3ff0000000000000, 0x3fe0000000000000}, // 1e-300
	{0x3c90000000000000, 0x3ff0000000000000, 0x3fe0000000000000}, // 5.551115123125783e-17: 2^-54
	{0x3ca0000000000000, 0x3ff0000000000000, 0x3fe0000000000000}, // 1.1102230246251565e-16
	{0xbc90000000000000, 0x3ff0000000000000, 0x3fe0000000000000}, // -5.551115123125783e-17
	{0x3e30000000000000, 0x3ff0000001000000, 0x3fe0000000800000}, // 3.725290298461914e-09
	{0x3ee4f8b588e368f1, 0x3ff0000a7c5e340e, 0x3fe000053e2d6238}, // 1e-05
	{0x3fb999999999999a, 0x3ff1aec7b35a00d4, 0x3fe0cca12729afb8}, // 0.1
	{0xbfb999999999999a, 0x3fecf46d99d52b3a, 0x3fde66bdb1aca090}, // -0.1
	{0x3fe0000000000000, 0x3ffa61298e1e069c, 0x3fe3eb2fd4d34391}, // 0.5
	{0x3fd62e42fefa39ef, 0x3ff6a09e667f3bcc, 0x3fe2bec333018867}, // 0.34657359027997264: ln(2)/2, between two k
	{0xbfd62e42fefa39ef, 0x3fe6a09e667f3bcc, 0x3fda827999fcef33}, // -0.34657359027997264
	{0x3fe62e42fefa39ef, 0x4000000000000000, 0x3fe5555555555555}, // 0.6931471805599453
	{0x3ff0000000000000, 0x4005bf0a8b14576a, 0x3fe764d4f5d5a2bd}, // 1
	{0xbff0000000000000, 0x3fd78b56362cef38, 0x3fd136561454ba86}, // -1
	{0x4000000000000000, 0x401d8e64b8d4ddae, 0x3fec2f7d5a8a79c9}, // 2
	{0xc000000000000000, 0x3fc152aaa3bf81cc, 0x3fbe84152bac31ae}, // -2
	{0x400921fb54442d18, 0x403724046eb09339, 0x3feeaca7ed72415c}, // 3.141592653589793
	{0xc01201cadab1c2f7, 0x3f86b620af30b8b0, 0x3f86765bd2404392}, // -4.501750390147882
	{0x4022b4e24febd97a, 0x40c6885a77c63446, 0x3fefff4a3c24d47b}, // 9.353289125004029
	{0xc014b74c43e014a8, 0x3f77134928977ed6, 0x3f76f23159218cdd}, // -5.1790018659132
	{0x4034800000000000, 0x41c7d6c4f0bcdd5c, 0x3fefffffff542e28}, // 20.5
	{0xc04259999999999a, 0x3ca0998b04bdd190, 0x3ca0998b04bdd18f}, // -36.7
	{0x4042666666666666, 0x43410b3852412553, 0x3ff0000000000000}, // 36.8
	{0x4059100000000000, 0x48f8c39b9134bac4, 0x3ff0000000000000}, // 100.25
	{0xc064ea7d7fd6b5e0, 0x30d833692edc950a, 0x30d833692edc950b}, // -167.32781974731097
	{0x407a0f07099ef45c, 0x6586e1cbefcd2e86, 0x3ff0000000000000}, // 416.9392181595956
	{0xc0844ee2db50cd32, 0x0555d7c5d7db1312, 0x0555d7c5d7db1311}, // -649.860769873869
	{0x40862d360a14d5d2, 0x7fec0fd2805a3833, 0x3ff0000000000000}, // 709.6513864162209: +Inf by math.Exp on amd64
	{0x40862e42fefa39ef, 0x7fefffffffffff2a, 0x3ff0000000000000}, // 709.782712893384: the last that is a number
	{0x40862e42fefa39f0, 0x7ff0000000000000, 0x3ff0000000000000}, // 709.7827128933841
	{0xc086226666666666, 0x00119e98b83de7a3, 0x00119e98b83de7a3}, // -708.3
	{0xc086233333333333, 0x000ff15b469edf89, 0x000ff15b469edf89}, // -708.4: subnormal from here
	{0xc08680fbe76c8b44, 0x0000000877f47855, 0x0000000000000000}, // -720.123
	{0xc087200000000000, 0x0000000000000055, 0x0000000000000000}, // -740
	{0xc087433333333333, 0x0000000000000001, 0x0000000000000000}, // -744.4
	{0xc087490a3d70a3d7, 0x0000000000000001, 0x0000000000000000}, // -745.13: half the smallest number, and more
	{0xc0874910d52d3051, 0x0000000000000001, 0x0000000000000000}, // -745.1332191019411
	{0xc0874910d52d3052, 0x0000000000000000, 0x0000000000000000}, // -745.1332191019412
	{0x7e37e43c8800759c, 0x7ff0000000000000, 0x3ff0000000000000}, // 1e+300
	{0xfe37e43c8800759c, 0x0000000000000000, 0x0000000000000000}, // -1e+300
	{0x7ff0000000000000, 0x7ff0000000000000, 0x3ff0000000000000}, // +Inf
	{0xfff0000000000000, 0x0000000000000000, 0x0000000000000000}, // -Inf
	{0x7ff8000000000001, 0x7ff8000000000001, 0xfff8000000000001}, // NaN
}

func TestExpHasTheSameBitsOnEveryProcessor(t *testing.T) {
	for _, c := range bits {
		x := math.Float64frombits(c.x)
		if got := math.Float64bits(stat.Exp(x)); got != c.exp {
			t.Errorf("e^%v: got %#016x, want %#016x", x, got, c.exp)
		}
		if got := math.Float64bits(stat.Logistic(x)); got != c.logistic {
			t.Errorf("the logistic of %v: got %#016x, want %#016x", x, got, c.logistic)
		}
	}
	h := fnv.New64a()
	for i := range uint64(100_000) {
		// Numbers from ±2^-31 to ±2^10, by whole arithmetic alone.
		mixed := (i + 1) * 0x9E3779B97F4A7C15
		x := math.Float64frombits(mixed&(1<<63|1<<52-1) | (992+mixed>>52%41)<<52)
		_ = binary.Write(h, binary.LittleEndian, stat.Exp(x)) // a hash returns no error
	}
	if got := h.Sum64(); got != 0xf573d90ca890f0b9 {
		t.Errorf("the hash of 100,000 values is %#x", got)
	}
}

func TestSoftmaxOfMarginsOfAnySizeIsOneInSum(t *testing.T) {
	for _, c := range []struct{ margins, want []float64 }{
		{[]float64{0}, []float64{1}},
		{[]float64{1000, 1000}, []float64{0.5, 0.5}},
		{[]float64{-1000, 1000, 0}, []float64{0, 1, 0}},
		{[]float64{math.Ln2, 0}, []float64{2.0 / 3, 1.0 / 3}},
		{nil, nil},
	} {
		got := slices.Clone(c.margins)
		stat.Softmax(got)
		for i := range got {
			if math.Abs(got[i]-c.want[i]) > 1e-16 {
				t.Errorf("%v: got %v, want %v", c.margins, got, c.want)
			}
		}
	}
}

func BenchmarkExp(b *testing.B) {
	xs := points(4096)
	for _, c := range []struct {
		name string
		of   func(float64) float64
	}{{"ours", stat.Exp}, {"the standard library's", math.Exp}} {
		b.Run(c.name, func(b *testing.B) {
			i, sum := 0, 0.0
			for b.Loop() {
				sum += c.of(xs[i&4095])
				i++
			}
			_ = sum
		})
	}
}
