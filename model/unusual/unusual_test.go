// SPDX-License-Identifier: Apache-2.0

package unusual

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/internal/fuzzcheck"
)

// bed is 20 columns that go together by four hidden causes: 11 normal, 5 with heavy
// tails, 3 with five levels and one of two values. No column is near zero.
type bed struct {
	rng  *rand.Rand
	load [20][4]float64
}

func newBed(seed uint64) *bed {
	b := &bed{rng: rand.New(rand.NewPCG(seed, 7))}
	for k := range b.load {
		norm := 0.0
		for c := range b.load[k] {
			b.load[k][c] = b.rng.NormFloat64()
			norm += b.load[k][c] * b.load[k][c]
		}
		for c := range b.load[k] {
			b.load[k][c] *= math.Sqrt(0.88 / norm) // of the variance that causes explain
		}
	}
	return b
}

// hidden is a row of normal numbers of variance one.
func (b *bed) hidden() (z [20]float64) {
	var causes [4]float64
	for c := range causes {
		causes[c] = b.rng.NormFloat64()
	}
	for k := range z {
		for c, x := range causes {
			z[k] += b.load[k][c] * x
		}
		z[k] += math.Sqrt(0.12) * b.rng.NormFloat64()
	}
	return z
}

// seen is what a column shows of a hidden number.
func seen(k int, z float64) float64 {
	switch {
	case k < 11:
		return 50 + 5*z
	case k < 16:
		return 300 + 10*math.Sinh(1.5*z)
	case k < 19:
		return 2 + math.Floor(min(2, max(-2, z*1.3))+0.5)
	case z > 0.8:
		return 2
	}
	return 1
}

func (b *bed) row() (x [20]float64) {
	z := b.hidden()
	for k := range z {
		x[k] = seen(k, z[k])
	}
	return x
}

func framed(rows [][20]float64) (*frame.Frame, []frame.Field) {
	var cols []frame.Column
	var fields []frame.Field
	for k := range 20 {
		v := make([]float64, len(rows))
		for i := range rows {
			v[i] = rows[i][k]
		}
		cols = append(cols, frame.NumberColumn(fmt.Sprint("x", k), v))
		fields = append(fields, cols[k].Field)
	}
	return frame.New(cols...), fields
}

func (b *bed) rows(n int) [][20]float64 {
	out := make([][20]float64, n)
	for i := range out {
		out[i] = b.row()
	}
	return out
}

// flagged is the share of rows with a flag that is asked for.
func flagged(r *Reference, rows *frame.Frame, asked func(string) bool) float64 {
	l, n := r.On(rows), 0
	for i := range rows.Rows() {
		if slices.ContainsFunc(l.Flags(i, nil), asked) {
			n++
		}
	}
	return float64(n) / float64(rows.Rows())
}

func improbable(flag string) bool { return flag == Improbable }

func TestWhatIsWrongWithARowIsSeenAsOftenAsSaid(t *testing.T) {
	b := newBed(1)
	train, fields := framed(b.rows(25_000))
	r := New(fields, train, Held{})
	normal := func(k int) bool { return k < 11 }
	for _, c := range []struct {
		name          string
		spoil         func(x, other *[20]float64)
		atLeast, most float64
	}{
		{"usual rows", func(x, other *[20]float64) {}, 0.006, 0.014},
		{"a unit that is wrong by 100", func(x, other *[20]float64) { x[b.rng.IntN(16)] *= 100 }, 0.99, 1},
		{"one column five deviations off", func(x, other *[20]float64) { x[b.rng.IntN(11)] = 50 + 5*5.0 }, 0.97, 1},
		{"five columns of another row", func(x, other *[20]float64) {
			for _, k := range b.rng.Perm(20)[:5] {
				x[k] = other[k]
			}
		}, 0.60, 1},
		{"every column of another row", func(x, other *[20]float64) {
			for k := range x {
				x[k] = b.row()[k]
			}
		}, 0.95, 1},
		{"zero in every number", func(x, other *[20]float64) {
			for k := range x {
				if k < 16 {
					x[k] = 0
				}
			}
		}, 0.99, 1},
		{"a level that there is not", func(x, other *[20]float64) { x[16+b.rng.IntN(3)] = 9 }, 0.99, 1},
		{"all normal columns one deviation off, up or down", func(x, other *[20]float64) {
			for k := range x {
				if normal(k) {
					x[k] += 5 * float64(1-2*(k%2))
				}
			}
		}, 0.9, 1},
	} {
		rows := b.rows(2000)
		for i := range rows {
			other := b.row()
			c.spoil(&rows[i], &other)
		}
		f, _ := framed(rows)
		if got := flagged(r, f, improbable); got < c.atLeast || got > c.most {
			t.Errorf("%s: %.3f improbable, want %.3f to %.3f", c.name, got, c.atLeast, c.most)
		} else {
			t.Logf("%s: %.3f", c.name, got)
		}
	}
}

func TestOneUsualRowInAHundredIsImprobable(t *testing.T) {
	most := 0.0
	var all []float64
	for seed := range uint64(5) {
		b := newBed(10 + seed)
		train, fields := framed(b.rows(25_000))
		r := New(fields, train, Held{})
		rows, _ := framed(b.rows(8_000))
		all = append(all, flagged(r, rows, improbable))
		most = max(most, r.Joint.Worst)
	}
	mean := 0.0
	for _, x := range all {
		mean += x / float64(len(all))
	}
	if mean < 0.0085 || mean > 0.0115 || slices.Max(all) > 0.016 {
		t.Errorf("got %v, mean %.4f; want 0.0085 to 0.0115 on average", all, mean)
	} else {
		t.Logf("got %v, mean %.4f", all, mean)
	}
	if most > 0.03 {
		t.Errorf("got %v in the worst twentieth", most)
	}
}

func TestAReferenceComesBackTheSameAndFlagsTheSame(t *testing.T) {
	b := newBed(3)
	train, fields := framed(b.rows(4_000))
	r := New(fields, train, Held{})
	raw, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	if twice, _ := again.Encode(); !bytes.Equal(raw, twice) {
		t.Error("the bytes differ")
	}
	rows := b.rows(500)
	for i := range rows {
		rows[i][i%20] *= 1.2
	}
	f, _ := framed(rows)
	one, two := r.On(f), again.On(f)
	for i := range rows {
		if got, want := two.Flags(i, nil), one.Flags(i, nil); !slices.Equal(got, want) {
			t.Fatalf("row %d: %v, want %v", i, got, want)
		}
	}
}

func TestWhatIsMadeCanBeReadWhateverTheRowsAre(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for n := 0; n < 3000; n = n*3/2 + 1 {
		constant, rising, near, words := make([]float64, n), make([]float64, n), make([]float64, n), make([]string, n)
		for i := range n {
			constant[i], rising[i], near[i] = 7, float64(i), 1e9+1e-6*rng.NormFloat64()
			words[i] = []string{"a", "b", "", "\xff"}[rng.IntN(4)]
		}
		rows := frame.New(frame.NumberColumn("constant", constant), frame.NumberColumn("rising", rising),
			frame.NumberColumn("near", near), frame.TextColumn("words", words, nil))
		raw, err := New(rows.Fields(), rows, Held{Outputs: 1, Scores: near, Truth: rising}).Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(raw); err != nil {
			t.Errorf("%d rows: %v", n, err)
		}
	}
	for range 200 {
		v := make([]float64, 300)
		for i := range v {
			v[i] = 10 + 1e-4*rng.Float64()
		}
		if got := largest(v); !falling(got) {
			t.Fatalf("got %v", got)
		}
	}
}

func TestAMissingValueIsNotUnusualAndHidesNoOther(t *testing.T) {
	b := newBed(4)
	train, fields := framed(b.rows(25_000))
	r := New(fields, train, Held{})
	rows := b.rows(4_000)
	for i := range rows {
		for _, k := range b.rng.Perm(20)[:i%8] {
			rows[i][k] = math.NaN()
		}
	}
	f, _ := framed(rows)
	if got := flagged(r, f, improbable); got > 0.015 {
		t.Errorf("%.3f of usual rows with missing values", got)
	}
	for i := range rows {
		rows[i] = b.row()
		rows[i][1] = math.NaN()
		rows[i][2] = 5000
	}
	f, _ = framed(rows)
	if got := flagged(r, f, improbable); got < 0.99 {
		t.Errorf("%.3f of rows with a wrong value and a missing one", got)
	}
	for i := range rows {
		for k := range rows[i] {
			rows[i][k] = math.NaN()
		}
	}
	f, _ = framed(rows[:10])
	if got := flagged(r, f, func(string) bool { return true }); got != 0 {
		t.Errorf("%.3f of rows without any value", got)
	}
}

func TestTheDistanceWithoutAColumnIsThatOfTheOthersAlone(t *testing.T) {
	b := newBed(5)
	all := b.rows(8_000)
	train, fields := framed(all)
	r := New(fields, train, Held{})
	for i := range 50 {
		scores := make([]float64, 20)
		l := r.On(train)
		l.scores(i, scores)
		scores[19], scores[18] = math.NaN(), math.NaN() // the last two: the factor of the others is its beginning
		_, got := r.joint(scores)
		want := 0.0
		for k := range 18 {
			y := 0.0
			for c, w := range r.inverse[k*(k+1)/2 : k*(k+1)/2+k+1] {
				y += w * (scores[c] - r.Joint.Mean[c])
			}
			want += y * y
		}
		if math.Abs(got-want) > 1e-6*want {
			t.Fatalf("row %d: got %v, want %v", i, got, want)
		}
	}
}

func TestAStreamThatMovesOnIsNotOutOfRangeAtItsNextStep(t *testing.T) {
	const n = 4000
	year, day, id, city := make([]float64, n), make([]float64, n), make([]string, n), make([]string, n)
	for i := range year {
		year[i] = 2020 + float64(i*4/n)
		day[i] = float64(i)
		id[i] = fmt.Sprint("c", i)
		city[i] = []string{"a", "b", "c"}[i%3]
	}
	rows := frame.New(frame.NumberColumn("year", year), frame.NumberColumn("day", day), frame.TextColumn("id", id, nil), frame.TextColumn("city", city, nil))
	r := New(rows.Fields(), rows, Held{})
	next := frame.New(
		frame.NumberColumn("year", []float64{2024, 2027, 2023}), frame.NumberColumn("day", []float64{4500, 9000, 10}),
		frame.TextColumn("id", []string{"c9", "new", ""}, nil), frame.TextColumn("city", []string{"a", "d", ""}, []bool{false, false, true}),
	)
	l := r.On(next)
	for i, want := range [][]string{nil, {"out_of_range:year", "out_of_range:day", "unseen:city"}, nil} {
		if got := slices.DeleteFunc(l.Flags(i, nil), improbable); !slices.Equal(got, want) {
			t.Errorf("row %d: got %v, want %v", i, got, want)
		}
	}
}

func TestAColumnThatIsAbsentOrOfAnotherKindIsMissing(t *testing.T) {
	b := newBed(6)
	train, fields := framed(b.rows(2_000))
	r := New(fields, train, Held{})
	x := b.row()
	rows := frame.New(frame.TextColumn("x0", []string{"1e9"}, nil), frame.NumberColumn("x3", []float64{x[3]}))
	l := r.On(rows)
	if got := l.Flags(0, nil); len(got) > 0 {
		t.Errorf("got %v", got)
	}
}

func TestFewRowsTellRangesAlone(t *testing.T) {
	b := newBed(7)
	train, fields := framed(b.rows(300))
	r := New(fields, train, Held{})
	if r.Joint != nil {
		t.Error("combinations are judged by 75 rows")
	}
	x := b.row()
	x[0] = 1e6
	f, _ := framed([][20]float64{x})
	l := r.On(f)
	if got := l.Flags(0, nil); !slices.Contains(got, "out_of_range:x0") {
		t.Errorf("got %v", got)
	}
}

func TestAnAnswerIsUnsureWhereTheTruthMayBeSeveral(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	for _, c := range []struct {
		name                 string
		sharp                float64
		coverage, most, none float64
	}{
		{"a model that is nearly always right", 8, 0.9, 0.1, 1e-9},
		{"a model that is often wrong", 1, 0.5, 0.1, 1e-9},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := Held{Classes: 2, Outputs: 1}
			for range 5000 {
				p := 1 / (1 + math.Exp(-c.sharp*rng.NormFloat64()))
				h.Scores = append(h.Scores, p)
				y := 0.0
				if rng.Float64() < p {
					y = 1
				}
				h.Truth = append(h.Truth, y)
			}
			got := newConfidence(h)
			if got == nil || got.Coverage < c.coverage || got.Share > c.most {
				t.Fatalf("got %+v", got)
			}
			held := 0
			for i, p := range h.Scores {
				if truth := h.Truth[i]; truth == 1 && 1-p <= got.Limit || truth == 0 && p <= got.Limit {
					held++
				}
			}
			if share := float64(held) / 5000; math.Abs(share-got.Coverage) > 0.001 {
				t.Errorf("the classes left hold the truth in %.4f, want %.4f", share, got.Coverage)
			}
			t.Logf("%+v", got)
		})
	}
}

func TestANumberIsUnsureWhereErrorsAreTwiceAsWide(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 10))
	h := Held{Outputs: 1}
	for i := range 4000 {
		score := float64(i % 100)
		wide := 1.0
		if score >= 95 {
			wide = 10
		}
		h.Scores, h.Truth = append(h.Scores, score), append(h.Truth, score+wide*rng.NormFloat64())
	}
	c := newConfidence(h)
	if c == nil || c.Unsure([]float64{50}) || !c.Unsure([]float64{97}) || c.Apart(50, 50.5) || !c.Apart(50, 60) {
		t.Errorf("got %+v", c)
	}
	if few := newConfidence(Held{Outputs: 1, Scores: h.Scores[:50], Truth: h.Truth[:50]}); few != nil {
		t.Errorf("50 rows tell %+v", few)
	}
}

func FuzzDecode(f *testing.F) {
	b := newBed(9)
	train, fields := framed(b.rows(1_000))
	raw, _ := New(fields[14:17], train, Held{}).Encode()
	f.Add(raw)
	f.Add([]byte(`{"format":"flyball.unusual/v1","rows":3,"columns":[{"name":"c","kind":"text","at":0,"low":0,"high":0,"words":["a"],"counts":[2]}],"confidence":{"coverage":0.9,"share":0.1,"limit":0.5,"width":0}}`))
	f.Add([]byte(`{"format":"flyball.unusual/v1","rows":3,"columns":[{"name":"x","kind":"number","at":0,"low":0,"high":1}],"joint":{"columns":[0],"mean":[0],"factor":[1],"calibration":199,"tails":[3],"distances":[9],"worst":0.01}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		fuzzcheck.Within(t, len(raw), 1<<17, func() { _, _ = Decode(raw) })
		r, err := Decode(raw)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("got %v, want an Invalid fault", err)
			}
			return
		}
		l := r.On(train) // whatever decodes can be looked with
		for i := range 5 {
			l.Flags(i, nil)
		}
		r.Confidence.Unsure([]float64{0.3})
		r.Confidence.Unsure([]float64{0.3, 0.3, 0.4})
	})
}

func BenchmarkARowOf20Columns(b *testing.B) {
	bed := newBed(1)
	train, fields := framed(bed.rows(20_000))
	r := New(fields, train, Held{})
	rows, _ := framed(bed.rows(4_096))
	l := r.On(rows)
	var room [8]string
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		l.Flags(i%4096, room[:0])
	}
}
