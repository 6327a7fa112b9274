// SPDX-License-Identifier: Apache-2.0

package oip

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flyball/api"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/fault"
	"flyball/ident"
	"flyball/model"
	"flyball/serving"
	"flyball/serving/prediction"
	"flyball/serving/release"
	"flyball/unit"
)

func TestMain(m *testing.M) { os.Exit(leaks(m)) }

func leaks(m *testing.M) int {
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		println(err.Error())
		return 1
	}
	return code
}

// sum scores a row with the sum of its numbers, each times ten to its place, a missing
// one as 0.5, and adds the length of its texts. With outputs it gives as many of them.
type sum struct {
	in      []frame.Field
	outputs int
}

func (s sum) Inputs() []frame.Field { return s.in }
func (s sum) Outputs() int          { return s.outputs }

func (s sum) Score(ctx context.Context, rows *frame.Frame) (model.Scores, error) {
	if ctx.Err() != nil {
		return model.Scores{}, fault.Wrap(ctx.Err(), fault.Unavailable, "too late")
	}
	out := model.Scores{Outputs: s.outputs}
	for i := range rows.Rows() {
		total, place := 0.0, 1.0
		for _, f := range s.in {
			switch c := rows.Column(f.Name); {
			case c.Missing(i):
				total += 0.5 * place
			case f.Kind == frame.Number:
				total += c.Num[i] * place
			case f.Kind == frame.Text:
				total += float64(len(c.Text[i])) * place
			}
			place *= 10
		}
		for k := range s.outputs {
			out.Values = append(out.Values, total+float64(k))
		}
	}
	return out, nil
}

// hold is a bundle that scores by s.
func hold(t testing.TB, m model.Manifest, s sum) *model.Bundle {
	t.Helper()
	m.Estimator = "model.txt"
	read := func(context.Context, model.Manifest, model.Files) (model.Scorer, error) { return s, nil }
	b, err := model.Hold(t.Context(), model.Decoders{
		Scorers: map[string]func(context.Context, model.Manifest, model.Files) (model.Scorer, error){"model.txt": read},
	}, m, noFiles{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type noFiles struct{}

func (noFiles) Names() []string { return nil }
func (noFiles) Read(name string) ([]byte, error) {
	return nil, fault.New(fault.NotFound, "there is no %s", name)
}

// quiet is a log that keeps nothing.
type quiet struct{ prediction.Log }

func (quiet) Append(context.Context, bool, bool, ...prediction.Record) error { return nil }

// shelf holds one model that has no route.
type shelf struct {
	serving.Shelf
	b *model.Bundle
}

func (s shelf) Use(_ context.Context, n ident.Name) (*model.Bundle, int, func(), error) {
	if n.Model != "classes" || n.Version > 4 {
		return nil, 0, nil, fault.New(fault.NotFound, "no model %q", n.Model)
	}
	return s.b, 4, func() {}, nil
}

func (s shelf) Find(_ context.Context, n ident.Name) (serving.Held, error) {
	switch n.Model {
	case "classes":
		return serving.Held{Model: n.Model, Version: 4, State: serving.Ready}, nil
	case "idle":
		return serving.Held{Model: n.Model, Version: 1, State: serving.Unavailable, Reason: serving.Idle}, nil
	case "broken":
		return serving.Held{Model: n.Model, Version: 1, State: serving.Unavailable, Reason: "its file is not whole"}, nil
	}
	return serving.Held{}, fault.New(fault.NotFound, "no model %q", n.Model)
}

func (s shelf) Index(context.Context) ([]serving.Held, error) {
	return []serving.Held{
		{Model: "broken", Version: 1, State: serving.Unavailable, Reason: "its file is not whole"},
		{Model: "classes", Version: 4, State: serving.Ready},
	}, nil
}

func (s shelf) Load(_ context.Context, n ident.Name) error {
	if n.Model == "broken" {
		return fault.New(fault.Invalid, "its file is not whole")
	}
	return nil
}

func (s shelf) Unload(context.Context, ident.Name) error { return nil }
func (s shelf) Close() error                             { return nil }

func numbers(names ...string) []frame.Field {
	var out []frame.Field
	for _, n := range names {
		out = append(out, frame.Field{Name: n, Kind: frame.Number})
	}
	return out
}

// made is a face of three models: pair takes the numbers a and b, mixed besides a text
// and a time and has a key, classes is on the shelf and gives two scores.
func made(t testing.TB) *Face {
	t.Helper()
	pair := hold(t, model.Manifest{Kind: dataset.Regression}, sum{numbers("a", "b"), 1})
	mixed := hold(t, model.Manifest{Kind: dataset.Binary, Decide: &dataset.Decision{Above: 100, Then: "yes", Else: "no"}}, sum{
		append(numbers("a"), frame.Field{Name: "word", Kind: frame.Text}, frame.Field{Name: "when", Kind: frame.Time}), 1,
	})
	classes := hold(t, model.Manifest{Kind: dataset.Multiclass, Classes: []string{"cat", "dög"}}, sum{numbers("a"), 2})
	s := serving.New(serving.Options{Log: quiet{}, Now: time.Now, Shelf: shelf{b: classes}})
	publish := func(name string, b *model.Bundle, task dataset.Task) {
		task.Truth = dataset.Truth{Within: unit.Duration(time.Hour)}
		err := s.Publish(name, serving.Entry{Task: task, Route: release.Route{Generation: 7, Live: 3}, Versions: map[int]*model.Bundle{3: b}})
		if err != nil {
			t.Fatal(err)
		}
	}
	publish("pair", pair, dataset.Task{Kind: dataset.Regression})
	publish("mixed", mixed, dataset.Task{Kind: dataset.Binary, ID: "key", Time: "when"})
	return New(Options{Serving: s, Version: "test", MaxBody: 1 << 20})
}

// web is the face behind HTTP.
func web(f *Face) http.Handler {
	mux := api.NewRoutes(nil)
	f.Mount(mux)
	return mux
}

// send asks a handler, headers given as name, value and so on.
func send(t testing.TB, h http.Handler, verb, path string, body []byte, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), verb, path, bytes.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestWhatEachPathAnswers(t *testing.T) {
	h := web(made(t))
	for _, c := range []struct {
		verb, path, body string
		status           int
		want             string // all of the body
	}{
		{"GET", "/v2/health/live", "", 200, `{"live":true}`},
		{"GET", "/v2/health/ready", "", 200, `{"live":true,"ready":true}`},
		{"POST", "/v2/health/ready", "", 405, `{"error":"the path takes GET"}`},
		{"GET", "/v2", "", 200, `{"extensions":["binary_tensor_data","model_configuration","model_repository","model_repository(unload_dependents)","statistics"],"name":"flyball","version":"test"}`},
		{"GET", "/v2/models", "", 200, `{"models":["broken","classes","mixed","pair"]}`},
		{"GET", "/v2/models/pair/ready", "", 200, `{"name":"pair","ready":true}`},
		{"GET", "/v2/models/pair/versions/3/ready", "", 200, `{"name":"pair","ready":true}`},
		{"GET", "/v2/models/idle/ready", "", 200, `{"name":"idle","ready":true}`},
		{"GET", "/v2/models/broken/ready", "", 503, `{"error":"the model is not ready: its file is not whole","name":"broken","ready":false}`},
		{"GET", "/v2/models/nobody/ready", "", 404, `{"error":"no model \"nobody\""}`},
		{"GET", "/v2/models/mixed", "", 200, `{"name":"mixed","versions":["3"],"platform":"flyball_lightgbm","inputs":[` +
			`{"name":"a","datatype":"FP64","shape":[-1]},{"name":"word","datatype":"BYTES","shape":[-1]},{"name":"when","datatype":"BYTES","shape":[-1]},{"name":"key","datatype":"BYTES","shape":[-1]}],` +
			`"outputs":[{"name":"value","datatype":"FP64","shape":[-1]},{"name":"decision","datatype":"BYTES","shape":[-1]}]}`},
		{"GET", "/v2/models/classes/versions/champion", "", 200, `{"name":"classes","versions":["4"],"platform":"flyball_lightgbm","inputs":[{"name":"a","datatype":"FP64","shape":[-1]}],` +
			`"outputs":[{"name":"scores","datatype":"FP64","shape":[-1,2]},{"name":"decision","datatype":"BYTES","shape":[-1]}]}`},
		{"GET", "/v2/models/pair/config", "", 200, `{"backend":"flyball","input":[{"name":"a","data_type":"TYPE_FP64","dims":[-1]},{"name":"b","data_type":"TYPE_FP64","dims":[-1]}],` +
			`"max_batch_size":0,"name":"pair","output":[{"name":"value","data_type":"TYPE_FP64","dims":[-1]}],"platform":"flyball_lightgbm"}`},
		{"GET", "/v2/models/pair/stats", "", 200, `{"model_stats":[]}`},
		{"POST", "/v2/repository/index", `{"ready":true}`, 200, `[{"name":"classes","version":"4","state":"READY","reason":""},{"name":"mixed","version":"3","state":"READY","reason":""},{"name":"pair","version":"3","state":"READY","reason":""}]`},
		{"POST", "/v2/repository/models/classes/load", ``, 200, `{"load":true,"name":"classes"}`},
		{"POST", "/v2/repository/models/broken/load", `{"parameters":{}}`, 400, `{"error":"its file is not whole"}`},
		{"POST", "/v2/repository/models/classes/load", `{"parameters":{"config":"{}"}}`, 400, `{"error":"a model is loaded as it was registered; config cannot be given"}`},
		{"POST", "/v2/repository/models/classes/unload", `{"parameters":{"unload_dependents":true}}`, 200, `{"name":"classes","unload":true}`},
		{"POST", "/v2/repository/models/pair/unload", ``, 400, `{"error":"pair@3 is named by the model's route; roll it back or release another version: flyball status pair"}`},
		{"GET", "/v2/systemsharedmemory/status", "", 501, `{"error":"this server has no /v2/systemsharedmemory/status"}`},
		{"POST", "/v2/models/pair/generate", "", 501, `{"error":"this server has no /v2/models/pair/generate"}`},
		{"GET", "/v2/else", "", 404, `{"error":"this server has no /v2/else"}`},
	} {
		w := send(t, h, c.verb, c.path, []byte(c.body))
		if got := strings.TrimSpace(w.Body.String()); w.Code != c.status || got != c.want {
			t.Errorf("%s %s: got %d %s\nwant %d %s", c.verb, c.path, w.Code, got, c.status, c.want)
		}
	}
}

func TestAServerThatIsNotReadySaysSo(t *testing.T) {
	f := made(t)
	f.Ready = func(context.Context) error { return fault.New(fault.Unavailable, "the store does not answer") }
	w := send(t, web(f), "GET", "/v2/health/ready", nil)
	if w.Code != 503 || !strings.Contains(w.Body.String(), `"ready":false`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// in is the JSON of an inference request of these inputs.
func in(inputs ...string) string { return `{"inputs":[` + strings.Join(inputs, ",") + `]}` }

// one is the JSON of an input.
func one(name, datatype, shape, data string) string {
	return `{"name":"` + name + `","datatype":"` + datatype + `","shape":` + shape + `,"data":` + data + `}`
}

func TestTensorsAreReadIntoRows(t *testing.T) {
	h := web(made(t))
	b := one("b", "FP64", "[2]", "[1,2]")
	for _, c := range []struct{ name, model, body, want string }{
		{"a column each", "pair", in(one("a", "FP64", "[2]", "[1,2]"), b), "[11,22]"},
		{"in any order", "pair", in(b, one("a", "FP64", "[2]", "[1,2]")), "[11,22]"},
		{"of one column, flat", "pair", in(one("a", "FP64", "[2,1]", "[1,2]"), b), "[11,22]"},
		{"of one column, nested", "pair", in(one("a", "FP64", "[2,1]", "[[1],[2]]"), b), "[11,22]"},
		{"side by side, flat", "pair", in(one("x", "FP32", "[2,2]", "[1,1,2,2]")), "[11,22]"},
		{"side by side, nested", "pair", in(one("x", "FP32", "[2,2]", "[[1,1],\n[2, 2] ]")), "[11,22]"},
		{"side by side, named as a column", "pair", in(one("a", "FP64", "[2,2]", "[[1,1],[2,2]]")), "[11,22]"},
		{"null is missing", "pair", in(one("a", "FP64", "[2]", "[null,2]"), b), "[10.5,22]"},
		{"a float32 stays one", "pair", in(one("a", "FP32", "[2]", "[0.1,2]"), b), "[10.100000001490116,22]"},
		{"integers", "pair", in(one("a", "INT8", "[2]", "[-128,2.0]"), one("b", "UINT64", "[2]", "[1e1,18446744073709551615]")), "[-28,1.844674407370955e+20]"},
		{"truths", "pair", in(one("a", "BOOL", "[2]", "[true,false]"), one("b", "BOOL", "[2]", "[1,0]")), "[11,0]"},
		{"keys before data", "pair", `{"id":"x","parameters":{"content_type":"pd","z":[{}]},"inputs":[{"data":[1],"shape":[1],"parameters":{"content_type":"np"},"datatype":"FP64","name":"a"},` + one("b", "FP64", "[1]", "[1]") + `],"outputs":null,"more":[1]}`, "[11]"},
		{"text, time and key", "mixed", in(one("a", "FP64", "[1]", "[1]"), one("word", "BYTES", "[1]", `["zw\u00f6lf\n"]`), one("when", "BYTES", "[1]", `["2012-01-01"]`), one("key", "BYTES", "[1]", `["k"]`)), `[71]`},
		{"a key that is a number", "mixed", in(one("a", "FP64", "[1]", "[1]"), one("word", "BYTES", "[1]", `[null]`), one("when", "BYTES", "[1]", `["2012-01-01"]`), one("key", "INT64", "[1]", `[7]`)), `[6]`},
	} {
		w := send(t, h, "POST", "/v2/models/"+c.model+"/infer", []byte(c.body))
		var got struct {
			Outputs []struct{ Data json.RawMessage }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 || string(got.Outputs[0].Data) != c.want {
			t.Errorf("%s: got %d %s, want %s", c.name, w.Code, w.Body, c.want)
		}
	}
}

func TestAWrongRequestIsRefusedWithItsPlace(t *testing.T) {
	h := web(made(t))
	a, b := one("a", "FP64", "[2]", "[1,2]"), one("b", "FP64", "[2]", "[1,2]")
	for _, c := range []struct{ name, body, want string }{
		{"no inputs", `{"inputs":[]}`, "the request has no inputs"},
		{"an input is absent", in(a), `input \"b\" is absent; send it`},
		{"an input is misspelt", in(a, one("B", "FP64", "[2]", "[1,2]")), `input \"b\" is absent, and the model has no input \"B\"`},
		{"one too many", in(a, b, one("c", "FP64", "[2]", "[1,2]")), `input \"c\": the model has no such input`},
		{"one twice", in(a, b, a), `input \"a\": it stands twice`},
		{"rows differ", in(a, one("b", "FP64", "[3]", "[1,2,3]")), `input \"b\": it has 3 rows, and input \"a\" has 2`},
		{"no rows", in(one("a", "FP64", "[0]", "[]"), one("b", "FP64", "[0]", "[]")), `input \"a\": its shape [0] holds nothing`},
		{"a negative shape", in(one("a", "FP64", "[-1]", "[1]")), `input \"a\": its shape [-1] has a negative number`},
		{"a product that overflows", in(one("a", "FP64", "[4294967296,4294967296,4294967296]", "[1]")), "too many elements"},
		{"more rows than data", in(one("a", "FP64", "[2000000000]", "[1]"), one("b", "FP64", "[2000000000]", "[1]")), "asks for more elements than its data has"},
		{"too few elements", in(one("a", "FP64", "[3]", "[100,2]"), one("b", "FP64", "[3]", "[1,2,3]")), `input \"a\": its data has 2 elements, its shape asks for 3`},
		{"too many elements", in(one("a", "FP64", "[2]", "[1,2,3]"), b), `input \"a\": its data has 3 elements or more, its shape asks for 2`},
		{"ragged rows", in(one("x", "FP64", "[2,2]", "[[1,2],[3]]")), `input \"x\", row 1: there are 1 elements, its shape asks for 2`},
		{"rows of the wrong width", in(one("x", "FP64", "[2,3]", "[[1,2,3],[3,2,1]]")), `one for all has the shape [rows,2]`},
		{"nested too deep", in(one("a", "FP64", "[2]", "[1,[2]]"), b), `input \"a\", row 1: the data is nested deeper than its shape [2]`},
		{"a word among numbers", in(one("a", "FP64", "[2]", `[1,"x"]`), b), `input \"a\", row 1: at byte 3 of the JSON is`},
		{"numbers as BYTES", in(one("a", "BYTES", "[2]", `["1","2"]`), b), `input \"a\": it is BYTES, and numbers are asked for; send FP64`},
		{"a bare NaN", in(one("a", "FP64", "[2]", `[NaN,1]`), b), `input \"a\", row 0: NaN is not JSON; send null`},
		{"an infinity", in(one("a", "FP64", "[2]", `[1,-Infinity]`), b), `input \"a\", row 1: -Infinity is not JSON`},
		{"an integer out of range", in(one("a", "INT8", "[2]", `[1,128]`), b), `input \"a\", row 1: 128 is no INT8`},
		{"a fraction", in(one("a", "INT64", "[2]", `[1,1.5]`), b), `input \"a\", row 1: 1.5 is no INT64`},
		{"null where there is none", in(one("a", "INT64", "[2]", `[1,null]`), b), `input \"a\", row 1: null is no INT64`},
		{"half in JSON", in(one("a", "FP16", "[2]", `[1,2]`), b), `input \"a\": FP16 has no form in JSON`},
		{"no such datatype", in(one("a", "float", "[2]", `[1,2]`), b), `input \"a\": \"float\" is no datatype`},
		{"no data", `{"inputs":[{"name":"a","datatype":"FP64","shape":[1]}]}`, `input \"a\": it has no data`},
		{"no JSON", `{"inputs":[`, "the JSON ends where an object should be"},
		{"something after it", in(a, b) + "x", `is x, not the end`},
		{"an output that is not there", `{"inputs":[` + a + `,` + b + `],"outputs":[{"name":"decision"}]}`, `the model has no output \"decision\"; ask for value`},
		{"shared memory", `{"inputs":[{"name":"a","shape":[1],"datatype":"FP64","parameters":{"shared_memory_region":"r"}}]}`, "shared memory are not read"},
	} {
		w := send(t, h, "POST", "/v2/models/pair/infer", []byte(c.body))
		if w.Code != 400 || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s: got %d %s\nwant %s", c.name, w.Code, w.Body, c.want)
		}
	}
	for _, c := range []struct {
		path, want string
		status     int
	}{
		{"nobody/infer", "nobody", 404},
		{"classes/versions/9/infer", "classes", 404},
		{"pair/versions/0/infer", "0 is no version", 400},
	} {
		w := send(t, h, "POST", "/v2/models/"+c.path, []byte(in(a, b)))
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s: got %d %s", c.path, w.Code, w.Body)
		}
	}
}

func TestTheAnswerNamesWhoGaveIt(t *testing.T) {
	h := web(made(t))
	for _, c := range []struct{ path, body, want string }{
		{
			"pair", `{"id":"q\"1","inputs":[` + one("x", "FP64", "[1,2]", "[1,1]") + `]}`,
			`{"model_name":"pair","model_version":"3","id":"q\"1","parameters":{"arm":"live","generation":7},"outputs":[{"name":"value","datatype":"FP64","shape":[1],"data":[11]}]}`,
		},
		{
			"classes/versions/4", in(one("a", "FP64", "[2]", "[1,null]")),
			`{"model_name":"classes","model_version":"4","parameters":{"arm":"asked"},"outputs":[{"name":"scores","datatype":"FP64","shape":[2,2],"data":[1,2,0.5,1.5]},{"name":"decision","datatype":"BYTES","shape":[2],"data":["dög","dög"]}]}`,
		},
		{
			"pair", `{"inputs":[` + one("x", "FP64", "[1,2]", "[1,1]") + `],"outputs":[{"name":"version"},{"name":"arm"}]}`,
			`{"model_name":"pair","model_version":"3","parameters":{"arm":"live","generation":7},"outputs":[{"name":"version","datatype":"INT64","shape":[1],"data":[3]},{"name":"arm","datatype":"BYTES","shape":[1],"data":["live"]}]}`,
		},
	} {
		w := send(t, h, "POST", "/v2/models/"+c.path+"/infer", []byte(c.body))
		if got := w.Body.String(); got != c.want {
			t.Errorf("got %d %s\nwant %s", w.Code, got, c.want)
		}
	}
	w := send(t, h, "GET", "/v2/models/pair/stats", nil)
	if !strings.Contains(w.Body.String(), `"inference_count":2,`) {
		t.Errorf("statistics: %s", w.Body)
	}
}

func TestInfinityIsNullInJSON(t *testing.T) {
	o := output{nums: []float64{math.NaN(), math.Inf(1), 1e300}}
	if got := string(o.json(nil)); got != "null,null,1e+300" {
		t.Errorf("got %s", got)
	}
}
