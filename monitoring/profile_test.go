// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/fault"
	"flyball/internal/fuzzcheck"
	"flyball/serving/prediction"
)

func TestANumberIsCutAtItsQuantilesAndAnAtomHasItsOwnBin(t *testing.T) {
	var v []float64
	for i := range 1000 {
		v = append(v, float64(i))
		if i%2 == 0 {
			v = append(v, 500) // a third of the rows
		}
	}
	v = append(v, math.NaN(), math.Inf(1))
	c := frame.NumberColumn("x", v)
	f := newFeature(&c, 0)
	if f.Missing != 2 || f.Min != 0 || f.Max != 999 {
		t.Errorf("got missing %d, range %g…%g, want 2, 0…999", f.Missing, f.Min, f.Max)
	}
	if got, want := f.Counts[f.numberBin(500)], 501; got != want {
		t.Errorf("got %d rows in the bin of the atom, want %d", got, want)
	}
	if got, want := sum(f.Counts), 1500; got != want {
		t.Errorf("got %d rows in all, want %d", got, want)
	}
	if f.numberBin(499) == f.numberBin(500) || f.numberBin(501) == f.numberBin(500) {
		t.Error("the atom shares its bin")
	}
	if len(f.Counts) > maxBins || f.groups() > maxGroups {
		t.Errorf("got %d bins in %d groups", len(f.Counts), f.groups())
	}
}

func TestFewDistinctNumbersEachHaveABin(t *testing.T) {
	c := frame.NumberColumn("x", []float64{3, 1, 1, 2, 2, 2})
	f := newFeature(&c, 0)
	if want := []int{2, 3, 1}; !slices.Equal(f.Counts, want) {
		t.Errorf("got %v, want %v", f.Counts, want)
	}
	if want := []float64{1, 2}; !slices.Equal(f.Edges, want) {
		t.Errorf("got edges %v, want %v", f.Edges, want)
	}
}

func TestAVocabularyIsBoundedAndTheRestIsOther(t *testing.T) {
	var v []string
	for i := range 2000 {
		v = append(v, fmt.Sprint("word", i), "common")
	}
	v = append(v, strings.Repeat("long", 100))
	c := frame.TextColumn("x", v, nil)
	f := newFeature(&c, maxWords)
	if len(f.Words) != 1000 || f.Words[0] != "common" || f.Counts[0] != 2000 {
		t.Errorf("got %d words, the first %q in %d rows", len(f.Words), f.Words[0], f.Counts[0])
	}
	if got, want := f.Counts[1000], 2001-999; got != want {
		t.Errorf("got %d other, want %d", got, want)
	}
}

func TestRowsWithoutTimesHaveWindowsInTheirOrder(t *testing.T) {
	v := make([]float64, 2600)
	for i := range v {
		v[i] = float64(i % 90)
	}
	p, err := NewProfile(Policy{}, dataset.Task{Kind: dataset.Binary}, []frame.Field{{Name: "x", Kind: frame.Number}}, frame.New(frame.NumberColumn("x", v)), nil, Residuals{})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Windows) != 5 || !p.Windows[0].Start.IsZero() || !p.From.IsZero() {
		t.Errorf("got %d windows from %v, want 5 without a time", len(p.Windows), p.From)
	}
}

func TestBadRowsMakeNoProfile(t *testing.T) {
	one := frame.New(frame.NumberColumn("x", []float64{1}))
	for name, c := range map[string]struct {
		rows   *frame.Frame
		inputs []frame.Field
		scores []float64
		want   string
	}{
		"no rows":               {frame.New(), nil, nil, "there are no rows"},
		"an absent column":      {one, []frame.Field{{Name: "y", Kind: frame.Number}}, nil, `no column "y" of kind number`},
		"a column of text":      {one, []frame.Field{{Name: "x", Kind: frame.Text}}, nil, `no column "x" of kind text`},
		"scores of other rows":  {one, nil, []float64{1, 2}, "2 scores for 1 rows"},
		"more columns than fit": {one, make([]frame.Field, maxColumns+1), nil, "4097 input columns"},
	} {
		_, err := NewProfile(Policy{}, dataset.Task{}, c.inputs, c.rows, c.scores, Residuals{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestAProfileReadsBackTheSame(t *testing.T) {
	p := profileOf(t, simPolicy(), newWorld(1, 20).days(date(2021, 1, 1), 365))
	a, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	q, err := DecodeProfile(a)
	if err != nil {
		t.Fatal(err)
	}
	b, err := q.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Error("encoding, decoding and encoding again gives other bytes")
	}
	if len(a) > 30_000 {
		t.Errorf("got %d bytes for 7,300 rows of three columns, want fewer than 30,000", len(a))
	}
}

func TestAProfileThatDoesNotHoldTogetherIsRefused(t *testing.T) {
	p := profileOf(t, simPolicy(), newWorld(1, 20).days(date(2021, 1, 1), 365))
	good, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"another format":           {"flyball.profile/v1", "flyball.profile/v9", "format"},
		"an unknown key":           {`"at_least"`, `"at_most"`, "cannot be read"},
		"a column twice":           {`"name":"level"`, `"name":"x"`, "twice"},
		"a bin of minus rows":      {`"counts":[`, `"counts":[-1,`, "does not hold together"},
		"a window of other groups": {`"groups":[[`, `"groups":[[1,`, "does not fit"},
		"a metric of nobody's":     {`"metric":"mae"`, `"metric":"mood"`, "not known"},
		"windows of no length":     {`"every":"1d"`, `"every":"0s"`, "no size"},
		"something behind it":      {"}\n", "} {}\n", "followed"},
	} {
		bad := strings.Replace(string(good), c.old, c.new, 1)
		if bad == string(good) {
			t.Fatalf("%s: the case changes nothing", name)
		}
		_, err := DecodeProfile([]byte(bad))
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestCountsOfHoursMakeADay(t *testing.T) {
	w := newWorld(3, 48)
	p := profileOf(t, simPolicy(), w.days(date(2021, 1, 1), 100))
	rows := served(w.day(date(2021, 6, 1)))
	rows[3].Row = []byte(`{"x":-1000,"level":null,"shop":"new"}`)
	first := func(j *prediction.Joined) (float64, bool) { return j.Scores[0], true }
	whole := Count(p, rows, first)
	parts := Add(Count(p, rows[:20], first), Count(p, rows[20:], first))
	if a, b := fmt.Sprintf("%+v %+v", whole, *whole.Score), fmt.Sprintf("%+v %+v", parts, *parts.Score); whole.Rows != 48 || stripPointer(a) != stripPointer(b) {
		t.Errorf("got\n%s\nwant\n%s", b, a)
	}
	x, level, shop := whole.Features[0], whole.Features[1], whole.Features[2]
	if x.Far != 1 || x.Sample != "-1000" || level.Missing != 1 || shop.New != 1 || shop.Sample != "new" {
		t.Errorf("got far %d (%s), missing %d, unseen %d (%s); want 1 (-1000), 1, 1 (new)", x.Far, x.Sample, level.Missing, shop.New, shop.Sample)
	}
}

// stripPointer takes the address of the score's counts out of a print.
func stripPointer(s string) string {
	i := strings.Index(s, "Score:0x")
	j := strings.Index(s[i:], "}")
	return s[:i] + s[i+j:]
}

// wholeProfile has every key.
const wholeProfile = `{"format":"flyball.profile/v1","every":"1d","at_least":2,"window_rows":4,"rows":6,"kind":"regression","features":[{"name":"x","kind":"number","edges":[1],"counts":[3,3],"missing":0,"min":1,"max":2,"groups":[0,1],"held_out":[{"rows":3,"sum":2},{"rows":3,"sum":9},{"rows":0,"sum":0}]},{"name":"shop","kind":"text","words":["a"],"counts":[2,4],"missing":0,"min":0,"max":0,"groups":[0,1]}],"score":{"name":"prediction","kind":"number","edges":[10],"counts":[3,3],"missing":0,"min":1,"max":20,"groups":[0,1]},"windows":[{"rows":3,"groups":[[1,2],[1,2]],"missing":[0,0],"score":[1,2]},{"rows":3,"groups":[[2,1],[1,2]],"missing":[0,0],"score":[2,1]},{"rows":3,"groups":[[0,3],[0,3]],"missing":[0,0],"score":[1,2]}],"held_out":{"rows":9,"blocks":3,"metric":"mae","value":1,"sd":1,"bias":0,"bias_sd":0,"truth":1},"unlabelled":{"rows":300,"metrics":[{"metric":"mae","value":1}],"curves":[{"at":[1,2],"value":[1,2]}]},"joint":{"columns":[0,1],"rows":4,"codes":"AAEBAAABAgI=","pairs":[0.1,0.2,0.3],"apart":[0.5,0.6,0.4]},"attribution":{"rows":100,"columns":[{"name":"x","share":0.7}]}}`

func TestAProfileWithAllKeysIsReadAndWhatAnOldOneLacksIsNotKnown(t *testing.T) {
	whole, err := DecodeProfile([]byte(wholeProfile))
	if err != nil {
		t.Fatal(err)
	}
	if whole.Unlabelled == nil || whole.Joint == nil || whole.Attribution == nil || whole.Features[0].HeldOut == nil {
		t.Errorf("got %+v, want all keys read", whole)
	}
	whole.Unlabelled, whole.Joint, whole.Attribution, whole.Features[0].HeldOut = nil, nil, nil, nil
	raw, err := whole.Encode()
	if err != nil {
		t.Fatal(err)
	}
	old, err := DecodeProfile(raw)
	if err != nil {
		t.Fatal(err)
	}
	rows := served(newWorld(1, 2).days(date(2022, 1, 1), 3))
	got := Stand(StandingInput{Task: simTask, Profile: old, Model: "m", Version: 3, Newest: rows, Due: rows, Now: date(2022, 1, 4)})
	text := strings.Join(got.Unknown, "\n")
	for _, want := range []string{"estimated performance", "columns together", "by which columns"} {
		if !strings.Contains(text, want) {
			t.Errorf("got %q, want %q among what is not known", text, want)
		}
	}
	if got.Cause != nil || got.Together != nil || got.Attributed != nil || len(got.Performance) == 0 || got.Performance[0].Estimated != nil {
		t.Errorf("got %+v, want what an old profile can tell, and no more", got)
	}
}

func FuzzDecodeProfile(f *testing.F) {
	f.Add([]byte(`{"format":"flyball.profile/v1","every":"1d","at_least":24,"window_rows":500,"rows":3,"kind":"regression","features":[{"name":"x","kind":"number","edges":[1],"counts":[1,2],"missing":0,"min":1,"max":2,"groups":[0,1]}],"windows":[{"rows":3,"groups":[[1,2]],"missing":[0]}]}`))
	f.Add([]byte(`{"format":"flyball.profile/v1","every":"1h","at_least":1,"window_rows":1,"rows":1,"kind":"binary","features":[{"name":"t","kind":"text","words":["a"],"counts":[1,0],"missing":0,"min":0,"max":0,"groups":[0,1]}],"held_out":{"rows":9,"blocks":3,"metric":"log_loss","value":1,"sd":1,"bias":0,"bias_sd":0,"truth":1}}`))
	f.Add([]byte(wholeProfile))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzzcheck.Within(t, len(b), 1<<16, func() { _, _ = DecodeProfile(b) })
		p, err := DecodeProfile(b)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("got %v, want an Invalid fault", err)
			}
			return
		}
		rows := served(newWorld(1, 2).days(date(2022, 1, 1), 3)) // whatever decodes can be stepped with
		out := Step(Input{Profile: p, Model: "m", Version: 3, State: Start(Policy{}, date(2022, 1, 1)), Rows: rows, Now: date(2022, 1, 4)})
		if len(out.Windows) != 3 {
			t.Fatalf("got %d windows, want 3", len(out.Windows))
		}
		Stand(StandingInput{Policy: Policy{FalseAlarms: 1000}, Task: dataset.Task{Kind: p.Kind}, Profile: p, Model: "m", Version: 3, Newest: rows, Due: rows, Now: date(2022, 1, 4)})
	})
}
