// SPDX-License-Identifier: Apache-2.0

package scoring

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"testing"

	"flyball/data/frame"
	"flyball/internal/fuzzcheck"
	"flyball/model/mlmodel"
)

// fields are the columns of the models of the fuzz tests.
func fields() []frame.Field {
	return []frame.Field{{Name: "a", Kind: frame.Number}, {Name: "s", Kind: frame.Text}, {Name: "t", Kind: frame.Time}}
}

const signed = `[{"type":"double","name":"a"},{"type":"string","name":"s"},{"type":"datetime","name":"t","required":false},` +
	`{"type":"long","name":"l","required":false},{"type":"boolean","name":"b","required":false},{"type":"binary","name":"x","required":false},` +
	`{"type":"array","items":{"type":"double"},"name":"r","required":false},{"type":"map","values":{"type":"integer"},"name":"m","required":false}]`

func FuzzJSON(f *testing.F) {
	for _, body := range []string{
		`{"dataframe_split":{"columns":["a","s","t"],"data":[[1,"x","2026-01-02"],[null,"y",null]],"index":[1,2]}}`,
		`{"dataframe_records":[{"a":1,"s":"x","t":1700000000,"l":9007199254740993,"b":"true","x":"aGk=","r":[1,2],"m":{"k":1}}]}`,
		`{"instances":[{"a":"1.5","s":2},{"s":"x"}],"params":{"p":[1,2]}}`,
		`{"inputs":{"a":[1,NaN],"s":["x","y"]}}`, `{"inputs":[[1,2],[3,4]]}`, `{"instances":[1,2,3]}`, `{"inputs":{"a":1,"s":"x"}}`,
		`{`, `[1]`, `{"a":1}`, `{"dataframe_split":{"data":[[1],[1,2]]}}`, "{\"inputs\":\"\\ud800\"}", `{"inputs":[[[[]]]]}`,
	} {
		for _, signature := range []string{"", signed, `[{"type":"tensor","tensor-spec":{"dtype":"float64","shape":[-1,2]}}]`} {
			f.Add([]byte(body), signature, true)
			f.Add([]byte(body), signature, false)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, signature string, own bool) {
		s, err := mlmodel.ParseSchema(signature)
		if err != nil {
			return
		}
		_ = s.String()
		var req *request
		fuzzcheck.Within(t, len(body), 1<<16, func() { req, err = readJSON(body) })
		if err != nil {
			return
		}
		if valid := json.Valid(body); !valid && !words(body) {
			t.Fatalf("%q is not JSON", body)
		}
		if _, err := enforceParams(req, []mlmodel.Param{{Name: "p", Type: "double", Default: json.RawMessage("0.5")}}); err != nil {
			_ = problemOf(err)
		}
		checked(t, req, s, own)
	})
}

// words reports whether a text holds a number that only Python's JSON has.
func words(body []byte) bool {
	for _, w := range []string{"NaN", "Infinity"} {
		for at := range body {
			if text(body).at(at, w) {
				return true
			}
		}
	}
	return false
}

// checked enforces a signature and looks at what comes out.
func checked(t *testing.T, req *request, s mlmodel.Schema, own bool) {
	t.Helper()
	q, err := enforceRequest(req, s, fields(), own)
	if err != nil {
		if p := problemOf(err); p.status >= 500 {
			t.Fatalf("got %v", err)
		}
		return
	}
	switch {
	case q.frame != nil && q.frame.Rows() != q.rows:
		t.Fatalf("%d rows in the frame, %d asked", q.frame.Rows(), q.rows)
	case q.frame == nil && q.rows > 0 && text(q.body).check() != nil:
		t.Fatalf("the body %q is not JSON", q.body)
	}
}

func FuzzCSV(f *testing.F) {
	for _, body := range []string{"a,s,t\n1,x,2026-01-02\n,NA,\n", "a\n\"1\n2\"\n", "a,a\n1,2\n", "", "\xef\xbb\xbfa\n1", "a,b\n1\n", "a\n007\nTrue\n"} {
		f.Add([]byte(body), signed, true)
		f.Add([]byte(body), `[{"type":"double","name":"a"}]`, false)
		f.Add([]byte(body), "", false)
	}
	f.Fuzz(func(t *testing.T, body []byte, signature string, own bool) {
		s, err := mlmodel.ParseSchema(signature)
		if err != nil {
			return
		}
		var req *request
		fuzzcheck.Within(t, len(body)+len(signature), 1<<18, func() { req, err = readCSV(body, s) })
		if err != nil {
			return
		}
		for _, cells := range req.table.cells {
			for _, c := range cells {
				if text(req.src[c.from:c.to]).check() != nil {
					t.Fatalf("%q is no value", req.src[c.from:c.to])
				}
			}
		}
		checked(t, req, s, own)
	})
}

// FuzzParquet gives bodies of Parquet. The memory that a good one may take is above what
// one process of a fuzz test should, so here it is less.
func FuzzParquet(f *testing.F) {
	rows := frame.New(frame.NumberColumn("a", []float64{1, 2, 2}), frame.TextColumn("s", []string{"x", "", "y"}, []bool{false, true, false}),
		frame.TimeColumn("t", []int64{0, 1, frame.NoTime}))
	var b bytes.Buffer
	w, err := frame.NewParquetWriter(&b, rows.Fields())
	if err != nil {
		f.Fatal(err)
	}
	if err := errors.Join(w.Write(rows), w.Close()); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes(), signed, true)
	f.Add(b.Bytes(), "", false)
	f.Fuzz(func(t *testing.T, body []byte, signature string, own bool) {
		s, err := mlmodel.ParseSchema(signature)
		if err != nil {
			return
		}
		var req *request
		fuzzcheck.Within(t, len(body), 8<<20, func() { req, err = readParquet(body, 4<<20) })
		if err == nil {
			checked(t, req, s, own)
		}
	})
}

func TestPythonsNumbersAreWrittenAsItReadsThem(t *testing.T) {
	for _, c := range []struct {
		x    float64
		want string
	}{{1, "1.0"}, {0.1, "0.1"}, {1e300, "1e+300"}, {math.NaN(), "null"}, {math.Inf(-1), "-Infinity"}} {
		if got := string(appendFloat(nil, c.x)); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}
