// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"flyball/api"
	"flyball/fault"
	"flyball/governance/access"
)

// argsOf reads a JSON body, or else a query.
func argsOf(t testing.TB, body, query string) *args {
	t.Helper()
	in := &args{request: &request{http: httptest.NewRequest(http.MethodGet, "/", nil)}, fields: map[string]any{}}
	var err error
	if body != "" {
		if in.fields, err = object([]byte(body)); err == nil {
			err = in.spelledOnce()
		}
	} else {
		err = in.query(query)
	}
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestGettersGiveWhatIsThere(t *testing.T) {
	for _, c := range []struct {
		name        string
		body, query string
		get         func(in *args) any
		want        any
	}{
		{"a text", `{"a":"x"}`, "", func(in *args) any { return in.text("a") }, "x"},
		{"no text", `{}`, "", func(in *args) any { return in.text("a") }, ""},
		{"null is no text", `{"a":null}`, "", func(in *args) any { return in.text("a") }, ""},
		{"a text in camelCase", `{"someThing":"x"}`, "", func(in *args) any { return in.text("some_thing") }, "x"},
		{"a text of a query", "", "a=x&a=y", func(in *args) any { return in.text("a") }, "x"},
		{"a whole number", `{"a":-7}`, "", func(in *args) any { return in.int64("a", 1) }, int64(-7)},
		{"its text", `{"a":"-7"}`, "", func(in *args) any { return in.int64("a", 1) }, int64(-7)},
		{"the largest", `{"a":9223372036854775807}`, "", func(in *args) any { return in.int64("a", 1) }, int64(9223372036854775807)},
		{"the smallest", `{"a":"-9223372036854775808"}`, "", func(in *args) any { return in.int64("a", 1) }, int64(-9223372036854775808)},
		{"one with an exponent", `{"a":"1e+05"}`, "", func(in *args) any { return in.int64("a", 1) }, int64(100000)},
		{"none", `{}`, "", func(in *args) any { return in.int64("a", 5) }, int64(5)},
		{"one of a query", "", "a=3", func(in *args) any { return in.int64("a", 5) }, int64(3)},
		{"an empty one", "", "a=", func(in *args) any { return in.int64("a", 5) }, int64(5)},
		{"an empty truth", "", "a=", func(in *args) any { return in.bool("a") }, false},
		{"an empty enum", `{"a":""}`, "", func(in *args) any { return in.enum("a", "X") }, 0},
		{"a number", `{"a":0.5}`, "", func(in *args) any { return in.float("a") }, 0.5},
		{"its text", `{"a":"5e-1"}`, "", func(in *args) any { return in.float("a") }, 0.5},
		{"no number", `{}`, "", func(in *args) any { return in.float("a") }, 0.0},
		{"true", `{"a":true}`, "", func(in *args) any { return in.bool("a") }, true},
		{"R's true", `{"a":"TRUE"}`, "", func(in *args) any { return in.bool("a") }, true},
		{"R's false", `{"a":"FALSE"}`, "", func(in *args) any { return in.bool("a") }, false},
		{"a query's true", "", "a=true", func(in *args) any { return in.bool("a") }, true},
		{"no truth", `{}`, "", func(in *args) any { return in.bool("a") }, false},
		{"a name of an enum", `{"a":"Y"}`, "", func(in *args) any { return in.enum("a", "X", "Y") }, 2},
		{"a number of an enum", `{"a":1}`, "", func(in *args) any { return in.enum("a", "X", "Y") }, 1},
		{"no enum", `{}`, "", func(in *args) any { return in.enum("a", "X", "Y") }, 0},
		{"texts", `{"a":["x","y"]}`, "", func(in *args) any { return in.texts("a") }, []string{"x", "y"}},
		{"texts of a query", "", "a=x&a=y", func(in *args) any { return in.texts("a") }, []string{"x", "y"}},
		{"one text of a query", "", "a=x", func(in *args) any { return in.texts("a") }, []string{"x"}},
		{"no texts", `{}`, "", func(in *args) any { return in.texts("a") }, []string{}},
		{"objects", `{"a":[{"b":"x"},{"b":"y"}]}`, "", func(in *args) any { return in.list("a")[1].text("b") }, "y"},
		{"an object", `{"a":{"b":"x"}}`, "", func(in *args) any { return in.object("a").text("b") }, "x"},
		{"no object", `{}`, "", func(in *args) any { return in.object("a") == nil }, true},
		{"something", `{"a":""}`, "", func(in *args) any { return in.has("a") }, true},
		{"nothing", `{"a":null}`, "", func(in *args) any { return in.has("a") }, false},
	} {
		in := argsOf(t, c.body, c.query)
		if got := c.get(in); !reflect.DeepEqual(got, c.want) || in.err() != nil {
			t.Errorf("%s: %s%s gives %#v, %v; want %#v", c.name, c.body, c.query, got, in.err(), c.want)
		}
	}
}

func TestGettersSayWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		body string
		get  func(in *args)
		want string
	}{
		{`{"a":1}`, func(in *args) { in.text("a") }, wrong("1", "a", "int")},
		{`{"a":1.5}`, func(in *args) { in.text("a") }, wrong("1.5", "a", "float")},
		{`{"a":true}`, func(in *args) { in.need("a") }, wrong("true", "a", "bool")},
		{`{"a":[]}`, func(in *args) { in.text("a") }, wrong("[…]", "a", "list")},
		{`{"a":{}}`, func(in *args) { in.text("a") }, wrong("{…}", "a", "dict")},
		{`{"a":"` + strings.Repeat("x", 200) + `"}`, func(in *args) { in.int64("a", 0) }, wrong(`"`+strings.Repeat("x", 100)+`…"`, "a", "str")},
		{`{"a":"1.5"}`, func(in *args) { in.int64("a", 0) }, wrong(`"1.5"`, "a", "str")},
		{`{"a":" 1"}`, func(in *args) { in.int64("a", 0) }, wrong(`" 1"`, "a", "str")},
		{`{"a":NaN}`, func(in *args) { in.int64("a", 0) }, wrong(`NaN`, "a", "float")},
		{`{"a":9223372036854775808}`, func(in *args) { in.int64("a", 0) }, wrong(`9223372036854775808`, "a", "int")},
		{`{"a":"0x10"}`, func(in *args) { in.float("a") }, wrong(`"0x10"`, "a", "str")},
		{`{"a":"1_000"}`, func(in *args) { in.float("a") }, wrong(`"1_000"`, "a", "str")},
		{`{"a":1}`, func(in *args) { in.bool("a") }, wrong(`1`, "a", "int")},
		{`{"a":"yes"}`, func(in *args) { in.bool("a") }, wrong(`"yes"`, "a", "str")},
		{`{"a":"Z"}`, func(in *args) { in.enum("a", "X", "Y") }, wrong(`"Z"`, "a", "str")},
		{`{"a":0}`, func(in *args) { in.enum("a", "X", "Y") }, wrong(`0`, "a", "int")},
		{`{"a":[{}]}`, func(in *args) { in.texts("a") }, wrong("{…}", "a[0]", "dict")},
		{`{"a":{"b":1}}`, func(in *args) { in.texts("a") }, wrong("{…}", "a", "dict")},
		{`{"a":["x"]}`, func(in *args) { in.list("a") }, wrong(`"x"`, "a[0]", "str")},
		{`{"a":[{"b":1}]}`, func(in *args) { in.list("a")[0].text("b") }, wrong(`1`, "a[0].b", "int")},
		{`{"a":[]}`, func(in *args) { in.object("a") }, wrong("[…]", "a", "list")},
		{`{"a":{"b":1}}`, func(in *args) { in.object("a").text("b") }, wrong(`1`, "a.b", "int")},
		{`{"a":1,"b":2}`, func(in *args) { in.text("b"); in.text("a") }, wrong("2", "b", "int")},
	} {
		in := argsOf(t, c.body, "")
		c.get(in)
		if err := in.err(); !fault.Is(err, fault.Invalid) || err.Error() != c.want {
			t.Errorf("%s:\n got %v\nwant %s", short(c.body), err, c.want)
		}
	}
}

func TestADeleteIsReadFromItsBodyAndItsQuery(t *testing.T) {
	mux := api.NewRoutes(nil)
	f := bare(mux, Options{})
	f.route(access.Track, http.MethodDelete, "things/{id}", func(_ context.Context, in *args) (any, error) {
		return map[string]string{"id": in.path("id"), "body": in.text("body"), "query": in.text("query")}, in.err()
	})
	f.mount()
	for _, c := range []struct {
		name, target, kind, body string
		status                   int
		want                     string
	}{
		{"both", "/things/7?query=q&body=no", "application/json", `{"body":"b"}`, 200, `{"body":"b","id":"7","query":"q"}`},
		{"no body needs no type", "/things/a%2Fb?query=q", "", "", 200, `{"body":"","id":"a/b","query":"q"}`},
		{"a body needs one", "/things/7", "", `{"body":"b"}`, 400, "Bad Request. Content-Type header is missing."},
		{"a path without UTF-8", "/things/%ff", "", "", 400, "The request holds text that is not UTF-8."},
	} {
		r := httptest.NewRequest(http.MethodDelete, "/api/2.0/mlflow"+c.target, strings.NewReader(c.body))
		if c.kind != "" {
			r.Header.Set("Content-Type", c.kind)
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s: %d %s, want %d %s", c.name, w.Code, w.Body, c.status, c.want)
		}
	}
}

func TestReadingTakesMemoryByWhatIsSent(t *testing.T) {
	const n = 1 << 20
	for _, c := range []struct{ name, body string }{
		{"many values", "[" + strings.Repeat("0,", n/2) + "0]"},
		{"many keys", "{" + strings.Repeat(`"a":0,`, n/6) + `"a":0}`},
		{"many different keys", manyKeys(n)},
		{"deep", strings.Repeat("[", n)},
		{"one text", `{"a":"` + strings.Repeat("x", n) + `"}`},
		{"one text of escapes", `{"a":"` + strings.Repeat(`é`, n/6) + `"}`},
		{"one number", `{"a":` + strings.Repeat("9", n) + `}`},
		{"one key", `{"` + strings.Repeat("k", n) + `":1}`},
	} {
		body := []byte(c.body)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		in := &args{request: &request{}}
		if fields, err := object(body); err == nil {
			in.fields = fields
			in.fail(in.spelledOnce())
			_, _, _ = in.int64("a", 0), in.float("a"), in.text("a")
		}
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 8*n {
			t.Errorf("%s: %d MiB for %d MiB", c.name, took>>20, n>>20)
		}
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	b.WriteString(`{"a":0`)
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, `,"k_%d":0`, i)
	}
	return b.String() + "}"
}

// FuzzRequest sends any body to a call that reads everything of it.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		`{"run_id":"1","metrics":[{"key":"k","value":NaN,"timestamp":"1"}],"params":[{"key":"a"}],"tags":[]}`, `"{\"run_id\":\"1\"}"`, `[]`, `null`, ``,
		`{"run_id":1,"runId":2}`, `{"metrics":{"a":[]}}`, `{"max_results":1e400,"experiment_id":{}}`,
	} {
		f.Add([]byte(s))
	}
	mux := api.NewRoutes(nil)
	face := bare(mux, Options{MaxBody: 1 << 20})
	face.route(access.Track, http.MethodPost, "all", func(_ context.Context, in *args) (any, error) {
		_, _, _, _ = in.runID(), in.tags(), in.params(), in.page(10)
		_, _, _ = in.experimentID(), in.experimentIDs(), in.curves("run_ids", 5)
		for _, m := range in.list("metrics") {
			m.metric()
		}
		_, _ = in.bool("flag"), in.enum("status", runStatuses...)
		if o := in.object("dataset"); o != nil {
			o.need("name")
		}
		return nil, in.err()
	})
	face.mount()
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest(http.MethodPost, "/api/2.0/mlflow/all", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
			t.Errorf("%q: %d %s", body, w.Code, w.Body)
		}
	})
}

func BenchmarkReadBatch(b *testing.B) {
	var body strings.Builder
	body.WriteString(`{"run_id":"0123456789abcdef0123456789abcdef","metrics":[`)
	for i := range 1000 {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"key":"metric/%d","value":%g,"timestamp":1800000000000,"step":%d}`, i, float64(i)/7, i)
	}
	body.WriteString("]}")
	b.SetBytes(int64(body.Len()))
	b.ReportAllocs()
	for b.Loop() {
		in := argsOf(b, body.String(), "")
		for _, m := range in.list("metrics") {
			m.metric()
		}
		if err := in.err(); err != nil {
			b.Fatal(err)
		}
	}
}
