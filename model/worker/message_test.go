// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"testing"

	"flyball/data/frame"
	"flyball/internal/fuzzcheck"
)

func TestAFrameHasTheBytesOfItsDescription(t *testing.T) {
	m := message{op: opInfer, id: 7, meta: []byte(`{}`), tensors: 3, body: []byte{9}}
	var out bytes.Buffer
	if err := m.write(&out); err != nil {
		t.Fatal(err)
	}
	want := "01f10400" + "00000000" + "0700000000000000" + "02000000" + "03000000" + "0100000000000000" + "7b7d" + "09"
	if got := hex.EncodeToString(out.Bytes()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	back, err := readMessage(&out)
	if err != nil || !reflect.DeepEqual(back, m) {
		t.Errorf("got %v, %v", back, err)
	}
}

func TestRowsOfSeveralCallersBecomeOneTensorAColumn(t *testing.T) {
	fields := []frame.Field{{Name: "n", Kind: frame.Number}, {Name: "s", Kind: frame.Text}, {Name: "t", Kind: frame.Time}}
	a := frame.New(frame.NumberColumn("n", []float64{1}), frame.TextColumn("s", []string{"ab"}, nil), frame.TimeColumn("t", []int64{5}))
	b := frame.New(frame.TimeColumn("t", []int64{frame.NoTime}), frame.TextColumn("s", []string{""}, []bool{true}), frame.NumberColumn("n", []float64{-2}))
	got, null := appendRows(nil, fields, []*frame.Frame{a, b})
	want := "000000000000f03f" + "00000000000000c0" + "020000006162" + "00000000" + "0500000000000000" + "0000000000000080" + "0001"
	if hex.EncodeToString(got) != want || !slices.Equal(null, []int{1}) {
		t.Errorf("got  %x, %v\nwant %s, [1]", got, null, want)
	}
}

func TestAnAnswerOfAnotherLengthIsGarbage(t *testing.T) {
	one := []byte{1, 0, 0, 0, 'x'}
	for name, c := range map[string]struct {
		texts   int
		message message
	}{
		"a number too few":       {-1, message{tensors: 1, body: make([]byte, 8)}},
		"a number too many":      {-1, message{tensors: 1, body: make([]byte, 24)}},
		"no tensor":              {-1, message{body: make([]byte, 16)}},
		"a text too few":         {2, message{tensors: 1, body: one}},
		"a text too many":        {0, message{tensors: 1, body: one}},
		"a text that ends early": {1, message{tensors: 1, body: []byte{255, 255, 255, 255, 'x'}}},
	} {
		var err error
		if c.texts < 0 {
			_, err = readScores(c.message, 2)
		} else {
			_, err = readTexts(c.message, c.texts)
		}
		if !errors.Is(err, errGarbage) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// FuzzReadMessage feeds what a worker may send. Whatever comes, the memory is bounded by
// it, and what is read is what was written.
func FuzzReadMessage(f *testing.F) {
	for _, m := range []message{
		{op: opHello, meta: []byte(`{"protocol":1}`)},
		{op: opResult, id: 3, tensors: 1, body: make([]byte, 16)},
		{op: opResult, id: 3, tensors: 1, body: []byte{1, 0, 0, 0, 'x', 0, 0, 0, 0}},
		{op: opError, id: 1 << 60, meta: []byte(`{"kind":"model","error":"no"}`)},
	} {
		f.Add(append(m.append(nil), m.body...), 2)
	}
	long := message{op: opResult, meta: make([]byte, 10)}
	head := long.append(nil)
	head[30] = 0xff
	f.Add(head, 1)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		var m message
		var err error
		fuzzcheck.Within(t, len(b), 1<<18, func() { m, err = readMessage(bytes.NewReader(b)) })
		if err == nil {
			var again bytes.Buffer
			if err := m.write(&again); err != nil || len(b) < again.Len() {
				t.Fatalf("%v, %d bytes of %d", err, again.Len(), len(b))
			}
			if back, err := readMessage(&again); err != nil || !reflect.DeepEqual(back, m) {
				t.Fatalf("got %v, %v; want %v", back, err, m)
			}
			n = int(uint(n) % 1024)
			if v, err := readScores(m, n); err == nil && len(v) != n {
				t.Fatal(v)
			}
			if v, err := readTexts(m, n); err == nil && len(v) != n {
				t.Fatal(v)
			}
		}
	})
}

// FuzzDecode feeds worker.json and MLmodel, which come with a model.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"format":"flyball.worker/v1","inputs":[{"name":"x","kind":"number","type":"long"}],"outputs":2,"kind":"multiclass","classes":["a","b"]}`))
	f.Add([]byte("flavors: {a: &a {b: c}, d: *a}"))
	f.Add([]byte("flavors:\n  sklearn: {pickled_model: model.pkl}\nsignature:\n  inputs: '[{\"type\":\"tensor\",\"tensor-spec\":{\"dtype\":\"float32\"}}]'\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzzcheck.Within(t, len(b), 1<<20, func() { _, _ = describe(b) })
		fuzzcheck.Within(t, len(b), 1<<16, func() { _, _ = Decode(b) })
		if file, err := Decode(b); err == nil {
			again, err := file.Encode()
			if err != nil {
				t.Fatal(err)
			}
			back, err := Decode(again)
			if err != nil {
				t.Fatal(err)
			}
			if third, err := back.Encode(); err != nil || !bytes.Equal(third, again) {
				t.Fatalf("got %s, %v; want %s", third, err, again)
			}
		}
	})
}
