// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"flyball/data/pipeline"
	"flyball/fault"
	"flyball/internal/fuzzcheck"
)

// seeds are recorded models, the shortest first few of each version, in both spellings.
func seeds(f *testing.F, add func(m recorded)) {
	files, err := filepath.Glob("testdata/xgboost-*.json.gz")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		b, err := os.Open(name)
		if err != nil {
			f.Fatal(err)
		}
		defer b.Close()
		z, err := gzip.NewReader(b)
		if err != nil {
			f.Fatal(err)
		}
		var all []recorded
		if err := json.NewDecoder(z).Decode(&all); err != nil {
			f.Fatal(err)
		}
		for _, m := range all {
			add(m)
		}
	}
}

// cheap is what reading may allocate in all, garbage too, for an input of n bytes.
func cheap(n int) uint64 { return 1<<16 + 16*uint64(n) }

// spent is how many bytes do allocates.
func spent(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// try reads a model in every way and scores a row with it.
func try(t *testing.T, b []byte) {
	var err error
	fuzzcheck.Within(t, len(b), 1<<16, func() { _, err = Decode(b) })
	if err != nil && !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v, want an Invalid fault", err)
	}
	if _, err := ReadAbout(b); err != nil && !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v, want an Invalid fault", err)
	}
	cut, err := Cut(b, 1)
	if err != nil && !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v, want an Invalid fault", err)
	}
	for _, raw := range [][]byte{b, cut} {
		e, err := Decode(raw)
		if err != nil || e.Features() > 1000 {
			continue
		}
		out := make([]float64, e.Outputs())
		e.Score(pipeline.Matrix{Rows: 1, Cols: e.Features(), Data: make([]float32, e.Features())}, out)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"learner":{"attributes":{"best_iteration":"0"},"feature_types":["c"]}}`))
	seeds(f, func(m recorded) {
		if len(m.JSON) < 12_000 {
			f.Add(m.JSON)
		}
	})
	f.Fuzz(try)
}

func FuzzUBJSON(f *testing.F) {
	f.Add([]byte("{#i\x01i\x01a[$d#i\x02\x3f\x80\x00\x00\xbe\xcc\xcc\xcd"))
	f.Add([]byte("[ZFI\xff\x38ND\x3f\xf8\x00\x00\x00\x00\x00\x00[]]"))
	f.Add([]byte("{i\x07learner{i\x10gradient_booster{i\x05model{i\x05trees[#i\x01{i\x0dleft_children[$U#i\x03\x01\xff\xff}}}}}"))
	seeds(f, func(m recorded) {
		if len(m.UBJ) > 0 && len(m.UBJ) < 20_000 {
			f.Add(m.UBJ)
		}
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		out, err := FromUBJSON(b)
		if err != nil {
			return
		}
		if len(out) > 64+32*len(b) {
			t.Errorf("%d bytes became %d", len(b), len(out))
		}
		try(t, b)
	})
}

// bushy is a model of many small trees, or one big, that is spelled as short as it can
// be: the most nodes a byte.
func bushy(trees, depth int) []byte {
	n := 1<<(depth+1) - 1
	var left, right, zero []string
	for i := range n {
		l, r := "-1", "-1"
		if 2*i+2 < n {
			l, r = jsonNumber(2*i+1), jsonNumber(2*i+2)
		}
		left, right, zero = append(left, l), append(right, r), append(zero, "0")
	}
	list := func(s []string) string { return "[" + strings.Join(s, ",") + "]" }
	one := `{"left_children":` + list(left) + `,"right_children":` + list(right) + `,"split_indices":` + list(zero) +
		`,"split_conditions":` + list(zero) + `,"default_left":` + list(zero) + `}`
	all, info := make([]string, trees), make([]string, trees)
	for i := range all {
		all[i], info[i] = one, "0"
	}
	return []byte(`{"learner":{"gradient_booster":{"name":"gbtree","model":{"tree_info":` + list(info) + `,"trees":` + list(all) + `}},
"learner_model_param":{"base_score":"1","num_feature":"1"},"objective":{"name":"reg:squarederror"}}}`)
}

func jsonNumber(n int) string {
	b, _ := json.Marshal(n)
	return string(b)
}

func TestReadingAllocatesAMultipleOfTheInput(t *testing.T) {
	for _, c := range []struct{ trees, depth int }{{1, 0}, {20_000, 0}, {3000, 3}, {1, 15}, {40, 9}} {
		b := bushy(c.trees, c.depth)
		if _, err := Decode(b); err != nil {
			t.Fatal(err)
		}
		if n := spent(func() { _, _ = Decode(b) }); n > cheap(len(b)) {
			t.Errorf("%d trees of depth %d: reading %d bytes allocates %d", c.trees, c.depth, len(b), n)
		} else {
			t.Logf("%d trees of depth %d: %d bytes allocate %.1f times as much", c.trees, c.depth, len(b), float64(n)/float64(len(b)))
		}
	}
}
