// SPDX-License-Identifier: Apache-2.0

package unit_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"flyball/fault"
	"flyball/unit"
)

func TestADurationIsReadAndPrinted(t *testing.T) {
	for _, c := range []struct {
		text  string
		want  time.Duration
		print string // empty: the text
	}{
		{"90s", 90 * time.Second, ""},
		{"10m", 10 * time.Minute, ""},
		{"1.5h", 90 * time.Minute, "90m"},
		{"45d", 45 * 24 * time.Hour, ""},
		{"2w", 14 * 24 * time.Hour, "14d"},
		{"1y", 365 * 24 * time.Hour, ""},
		{"20ms", 20 * time.Millisecond, ""},
		{"0s", 0, ""},
	} {
		got, err := unit.ParseDuration(c.text)
		if err != nil || got.D() != c.want {
			t.Errorf("%s: got %v, %v", c.text, got.D(), err)
		}
		if c.print == "" {
			c.print = c.text
		}
		if got.String() != c.print {
			t.Errorf("%s is printed as %s", c.text, got)
		}
	}
	for _, text := range []string{"", "d", "1", "1 day", "-1d", "NaNd", "1e3d", "0x1d", "infh", "0.1ms", "999999y", "1..2d"} {
		if got, err := unit.ParseDuration(text); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
}

func TestAShareComesBackTheSameAfterItWasPrinted(t *testing.T) {
	for _, c := range []struct {
		text  string
		want  float64
		print string
	}{
		{"5%", 0.05, "5%"}, {"0.05", 0.05, "5%"}, {"100%", 1, "100%"}, {"0.1%", 0.001, "0.1%"}, {"7%", 0.07, "7%"}, {"0", 0, "0%"},
	} {
		got, err := unit.ParseShare(c.text)
		if err != nil || float64(got) != c.want || got.String() != c.print {
			t.Errorf("%s: got %v printed as %s, %v", c.text, float64(got), got, err)
		}
	}
	for i := range 1000 {
		want := unit.Share(float64(i) / 999)
		if got, err := unit.ParseShare(want.String()); err != nil || got != want {
			t.Errorf("%v is printed as %s, which is %v, %v", float64(want), want, float64(got), err)
		}
	}
	for _, text := range []string{"", "%", "101%", "-1%", "NaN", "half"} {
		if got, err := unit.ParseShare(text); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
}

func TestALimitIsANumberAShareOrATimeInSeconds(t *testing.T) {
	for text, want := range map[string]float64{"0.1": 0.1, "-3": -3, "5%": 0.05, "20ms": 0.02, "2s": 2, "1m": 60, "1e-3": 0.001} {
		if got, err := unit.ParseNumber(text); err != nil || got != want {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "x", "NaN", "inf", "ms"} {
		if got, err := unit.ParseNumber(text); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
}

func TestASizeIsReadAndPrinted(t *testing.T) {
	for _, c := range []struct {
		text, print string
		want        unit.Bytes
	}{{"4GB", "4GB", 4e9}, {"500MB", "500MB", 5e8}, {"1GiB", "1073741824B", 1 << 30}, {"1.5 kB", "1500B", 1500}, {"0B", "0B", 0}} {
		if got, err := unit.ParseBytes(c.text); err != nil || got != c.want || got.String() != c.print {
			t.Errorf("%s: got %d printed as %s, %v", c.text, int64(got), got, err)
		}
	}
	for _, text := range []string{"4", "GB", "-1GB", "NaNB", "9999999999TB"} {
		if got, err := unit.ParseBytes(text); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
}

func TestTheNearestWordIsTheOneThatWasMeant(t *testing.T) {
	words := []string{"column", "kind", "at_least", "inputs"}
	for text, want := range map[string]string{"colum": "column", "Kind": "kind", "at-least": "at_least", "input": "inputs", "zebra": "", "": ""} {
		if got := unit.Nearest(text, words); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// either is a text or a mapping, for the test below.
type either struct{ word, key string }

func (e *either) Forms() unit.Forms {
	var m struct {
		Key string `json:"key"`
	}
	return unit.Forms{
		Map: &m,
		Word: func(text string) error {
			e.word = text
			return nil
		},
		Done: func(form unit.Form) error {
			if form == unit.AsMap {
				e.key = m.Key
			}
			return nil
		},
	}
}

func (e *either) UnmarshalJSON(b []byte) error { return unit.ReadJSON(b, e.Forms()) }

func TestAValueOfSeveralFormsIsReadFromJSONStrictly(t *testing.T) {
	for text, want := range map[string]either{`"a"`: {word: "a"}, `7`: {word: "7"}, `true`: {word: "true"}, `{"key": "b"}`: {key: "b"}, `null`: {}} {
		var got either
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{`{"other": 1}`, `["a"]`, `{"key": 1}`} {
		var got either
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s is taken as %+v", text, got)
		}
	}
}

func FuzzQuantities(f *testing.F) {
	for _, s := range []string{"90s", "1.5d", "5%", "0.33", "4GB", "20ms", "33.3%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := unit.ParseDuration(s); err == nil {
			if again, err := unit.ParseDuration(d.String()); err != nil || again != d {
				t.Errorf("duration %q: %s is %s, %v", s, d, again, err)
			}
		}
		if x, err := unit.ParseShare(s); err == nil {
			if again, err := unit.ParseShare(x.String()); err != nil || again != x {
				t.Errorf("share %q: %s is %s, %v", s, x, again, err)
			}
		}
		if b, err := unit.ParseBytes(s); err == nil {
			if again, err := unit.ParseBytes(b.String()); err != nil || again != b {
				t.Errorf("size %q: %s is %s, %v", s, b, again, err)
			}
		}
		if x, err := unit.ParseNumber(s); err == nil && (math.IsNaN(x) || math.IsInf(x, 0)) {
			t.Errorf("limit %q is %v", s, x)
		}
	})
}

func TestAFactorMayBeAboveOne(t *testing.T) {
	for text, want := range map[string]unit.Factor{"300%": 3, "90%": 0.9, "2.5": 2.5, "0": 0} {
		if got, err := unit.ParseFactor(text); err != nil || got != want {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
	if got := unit.Factor(3).String(); got != "300%" {
		t.Errorf("got %s", got)
	}
	for _, text := range []string{"", "-1", "NaN", "Inf", "2e6", "much"} {
		if _, err := unit.ParseFactor(text); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: got %v", text, err)
		}
	}
}
