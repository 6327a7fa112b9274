// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestWhatIsNoCallIsRefused(t *testing.T) {
	c := newClient(t, func(o *Options) { o.MaxBody = 1<<20 + 1<<18 })
	c.ask("POST runs/create", `{}`)
	const isJSON, log = "application/json", "POST /api/2.0/mlflow/runs/log-batch"
	deep := strings.Repeat(`{"a":`, 100_000)
	for _, e := range []struct {
		name, call, kind, body string
		status                 int
		code, want             string
	}{
		{"no content type", log, "", `{}`, 400, "INVALID_PARAMETER_VALUE", "Bad Request. Content-Type header is missing."},
		{"a form", log, "application/x-www-form-urlencoded", `{}`, 400, "INVALID_PARAMETER_VALUE", "Bad Request. Content-Type must be one of ['application/json']."},
		{"plain text, which a page of another site may send", log, "text/plain", `{"run_id":"$1"}`, 400, "INVALID_PARAMETER_VALUE", "Bad Request. Content-Type must be one of ['application/json']."},
		{"JSON by another name", log, "text/json", `{}`, 400, "INVALID_PARAMETER_VALUE", "Bad Request. Content-Type must be one of ['application/json']."},
		{"broken JSON", log, isJSON, `{"run_id":`, 400, "INVALID_PARAMETER_VALUE", "The request body is not JSON: a value is missing at byte 10."},
		{"two objects", log, isJSON, `{}{}`, 400, "INVALID_PARAMETER_VALUE", "The request body is not JSON: something follows the value at byte 2."},
		{"a list", log, isJSON, `[1]`, 400, "INVALID_PARAMETER_VALUE", "The request body must be a JSON object, not a list."},
		{"a number", log, isJSON, `1`, 400, "INVALID_PARAMETER_VALUE", "The request body must be a JSON object, not a int."},
		{"a text in a text", log, isJSON, `"\"{}\""`, 400, "INVALID_PARAMETER_VALUE", "The request body must be a JSON object, not a str."},
		{"both spellings", log, isJSON, `{"run_id":"1","runId":"2"}`, 400, "INVALID_PARAMETER_VALUE", "Request specifies both 'run_id' and 'runId'; provide only one of them."},
		{"both spellings inside", log, isJSON, `{"run_id":"1","metrics":[{"model_id":"1","modelId":"1"}]}`, 400, "INVALID_PARAMETER_VALUE", "Request specifies both 'model_id' and 'modelId'; provide only one of them."},
		{"camelCase alone is not understood where it is needed", log, isJSON, `{"runId":"$1"}`, 400, "INVALID_PARAMETER_VALUE", need("run_id")},
		{"too deep", log, isJSON, deep, 400, "INVALID_PARAMETER_VALUE", "The request is nested more than 32 deep."},
		{"too much", log, isJSON, `{"metrics":[` + strings.Repeat(`{},`, 60_000) + `{}]}`, 400, "INVALID_PARAMETER_VALUE", "The request holds more than 50000 values."},
		{"too many fields", log, isJSON, `{` + strings.Repeat(`"a":1,`, 60_000) + `"a":1}`, 400, "INVALID_PARAMETER_VALUE", "The request holds more than 50000 values."},
		{"too large", log, isJSON, `{"run_id":"` + strings.Repeat("x", 2<<20) + `"}`, 413, "BAD_REQUEST", "The request body is larger than 1310720 bytes."},
		{"NUL", log, isJSON, `{"run_id":"\u0000"}`, 400, "INVALID_PARAMETER_VALUE", "The request holds text with a NUL character."},
		{"no UTF-8", log, isJSON, "{\"run_id\":\"\xff\"}", 400, "INVALID_PARAMETER_VALUE", "The request holds text that is not UTF-8."},
		{"a query with NUL", "GET /api/2.0/mlflow/runs/get?run_id=%00", "", "", 400, "INVALID_PARAMETER_VALUE", "The request holds text with a NUL character."},
		{"a query without UTF-8", "GET /api/2.0/mlflow/runs/get?run_id=%ff", "", "", 400, "INVALID_PARAMETER_VALUE", "The request holds text that is not UTF-8."},
		{"a query with half an escape", "GET /api/2.0/mlflow/runs/get?run_id=%f", "", "", 400, "INVALID_PARAMETER_VALUE", "The query cannot be read."},
		{"a query with both spellings", "GET /api/2.0/mlflow/runs/get?run_id=1&runId=1", "", "", 400, "INVALID_PARAMETER_VALUE", "Request specifies both 'run_id' and 'runId'; provide only one of them."},
		{"a parameter a thousand times", "GET /api/2.0/mlflow/experiments/search?" + strings.Repeat("order_by=name&", 1000), "", "", 400, "INVALID_PARAMETER_VALUE", "The query holds more than 500 parameters."},
		{"too many runs", "GET /ajax-api/2.0/mlflow/metrics/get-history-bulk?metric_key=k&" + strings.Repeat("run_id=1&", 101), "", "", 400, "INVALID_PARAMETER_VALUE", "GetMetricHistoryBulk request cannot specify more than 100 run_ids. Received 101 run_ids."},

		{"the wrong verb", "GET /api/2.0/mlflow/runs/create", "", "", 405, "BAD_REQUEST", "The method is not allowed for the requested URL."},
		{"another wrong verb", "POST /api/2.0/mlflow/runs/get", isJSON, "{}", 405, "BAD_REQUEST", "The method is not allowed for the requested URL."},
		{"what a browser asks first", "OPTIONS /ajax-api/2.0/mlflow/runs/create", "", "", 405, "BAD_REQUEST", "The method is not allowed for the requested URL."},
		{"an unknown call", "POST /api/2.0/mlflow/runs/explode", isJSON, "{}", 404, "ENDPOINT_NOT_FOUND", "This server has no POST /api/2.0/mlflow/runs/explode"},
		{"traces", "POST /api/3.0/mlflow/traces", isJSON, "{}", 404, "ENDPOINT_NOT_FOUND", "This server has no POST /api/3.0/mlflow/traces"},
		{"traces of before", "GET /api/2.0/mlflow/traces?experiment_ids=0", "", "", 404, "ENDPOINT_NOT_FOUND", "This server has no GET /api/2.0/mlflow/traces"},
		{"gateway", "GET /api/2.0/gateway/routes", "", "", 404, "ENDPOINT_NOT_FOUND", "This server has no GET /api/2.0/gateway/routes"},
		{"webhooks", "GET /api/2.0/mlflow/webhooks", "", "", 404, "ENDPOINT_NOT_FOUND", "This server has no GET /api/2.0/mlflow/webhooks"},
		{"workspaces", "GET /api/3.0/mlflow/workspaces", "", "", 404, "ENDPOINT_NOT_FOUND", "This server has no GET /api/3.0/mlflow/workspaces"},
		{"features", "GET /api/3.0/mlflow/server-features", "", "", 404, "ENDPOINT_NOT_FOUND", "This server has no GET /api/3.0/mlflow/server-features"},
		{"jobs of the web page", "GET /ajax-api/3.0/jobs/1", "", "", 404, "ENDPOINT_NOT_FOUND", "This server has no GET /ajax-api/3.0/jobs/1"},
		{"a newer API", "POST /api/4.0/mlflow/runs/create", isJSON, "{}", 404, "ENDPOINT_NOT_FOUND", "This server has no POST /api/4.0/mlflow/runs/create"},
		{"traces of OpenTelemetry", "POST /v1/traces", "application/x-protobuf", "x", 404, "ENDPOINT_NOT_FOUND", "This server has no POST /v1/traces"},
		{"metrics of OpenTelemetry", "POST /v1/metrics", "application/x-protobuf", "x", 404, "ENDPOINT_NOT_FOUND", "This server has no POST /v1/metrics"},
		{"the web page's other language", "POST /graphql", isJSON, "{}", 404, "ENDPOINT_NOT_FOUND", "This server has no POST /graphql"},
		{"a model behind the gateway", "POST /gateway/chat/invocations", isJSON, "{}", 404, "ENDPOINT_NOT_FOUND", "This server has no POST /gateway/chat/invocations"},
		{"nothing", "GET /api/", "", "", 404, "ENDPOINT_NOT_FOUND", "This server has no GET /api/"},
		{"a long path", "GET /api/" + strings.Repeat("a", 500), "", "", 404, "ENDPOINT_NOT_FOUND", "This server has no GET /api/" + strings.Repeat("a", 195) + "…"},
	} {
		verb, path, _ := strings.Cut(e.call, " ")
		r := httptest.NewRequest(verb, path, strings.NewReader(strings.ReplaceAll(e.body, "$1", c.runs[0])))
		if e.kind != "" {
			r.Header.Set("Content-Type", e.kind)
		}
		begin := time.Now()
		w := c.do(r)
		var p problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Errorf("%s: %v in %s", e.name, err, short(w.Body.String()))
		}
		if w.Code != e.status || p.Code != e.code || p.Message != e.want {
			t.Errorf("%s: %d %s %q, want %d %s %q", e.name, w.Code, p.Code, p.Message, e.status, e.code, e.want)
		}
		if got := w.Header().Get("Content-Type"); got != "application/json" {
			t.Errorf("%s: the error is %s", e.name, got)
		}
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("%s took %v", e.name, took)
		}
	}
}

func TestABodyOfUnknownLengthIsBoundedToo(t *testing.T) {
	c := newClient(t, func(o *Options) { o.MaxBody = 1<<20 + 1<<18 })
	for n, want := range map[int]int{1<<20 + 1<<17: http.StatusBadRequest, 1<<20 + 1<<18: http.StatusRequestEntityTooLarge} {
		body := `{"run_id":"` + strings.Repeat("/", n) + `"}`
		r := httptest.NewRequest(http.MethodPost, "/api/2.0/mlflow/runs/log-batch", io.MultiReader(strings.NewReader(body)))
		r.Header.Set("Content-Type", "application/json")
		if w := c.do(r); w.Code != want {
			t.Errorf("%d bytes: %d %.200s, want %d", len(body), w.Code, w.Body, want)
		}
	}
}

func TestTheWrongVerbIsToldTheRightOnes(t *testing.T) {
	w := newClient(t).ask("DELETE experiments/search", "")
	if got := w.Header().Get("Allow"); w.Code != http.StatusMethodNotAllowed || got != "GET, POST" {
		t.Errorf("%d, Allow: %q", w.Code, got)
	}
}

func TestWhatCarelessClientsSendIsUnderstood(t *testing.T) {
	c := newClient(t)
	c.ask("POST runs/create", `{"run_name":"r"}`)
	log := func(name, body string) exchange {
		return exchange{name, "POST runs/log-batch", body, 200, `{}`}
	}
	metric := func(name, point string) exchange {
		return log(name, `{"run_id":"$1","metrics":[`+point+`]}`)
	}
	c.talk([]exchange{
		log("the body in a text", `"{\"run_id\":\"$1\",\"params\":[{\"key\":\"old\",\"value\":\"1\"}]}"`),
		log("unknown fields", `{"run_id":"$1","color":"red","nested":{"a":[1,2]}}`),
		log("null for nothing", `{"run_id":"$1","metrics":null,"params":null,"tags":null}`),
		log("both names of the run", `{"run_id":"$1","run_uuid":"$1"}`),
		log("the old name of the run", `{"run_uuid":"$1"}`),
		log("lists that are empty", `{"run_id":"$1","metrics":[],"params":[],"tags":[]}`),
		log("space around", "\r\n {\"run_id\":\"$1\"} \t"),
		metric("Java: whole numbers are texts", `{"key":"java","value":0.5,"timestamp":"1234567890123","step":"9007199254740993"}`),
		metric("R: everything is a text", `{"key":"r","value":"0.25","timestamp":"1e+12","step":"1"}`),
		metric("R: not a number", `{"key":"r_nan","value":"NaN","timestamp":"1","step":"0"}`),
		metric("R: infinite", `{"key":"r_inf","value":"Infinity","timestamp":"1","step":"0"}`),
		metric("R: infinite, in its own words", `{"key":"r_minus","value":"-Inf","timestamp":"1","step":"0"}`),
		metric("Python: bare NaN", `{"key":"nan","value":NaN,"timestamp":1}`),
		metric("Python: bare Infinity", `{"key":"inf","value":Infinity,"timestamp":1}`),
		metric("Python: bare -Infinity", `{"key":"minus","value":-Infinity,"timestamp":1}`),
		metric("more than there is", `{"key":"huge","value":1e999,"timestamp":1}`),
		metric("a whole number with a fraction of nothing", `{"key":"whole","value":1,"timestamp":1.0,"step":2e1}`),
		metric("camelCase where it is not needed", `{"key":"camel","value":1,"timestamp":1,"modelId":"m-1"}`),
		{"all of it is kept", "GET runs/get?run_id=$1", "", 200, `{"run":` + aRun("$1", "r", `"user_id":"","status":"RUNNING","start_time":0,`, `{"metrics":[
			{"key":"camel","value":1,"timestamp":1,"step":0},
			{"key":"huge","value":1.7976931348623157e+308,"timestamp":1,"step":0},
			{"key":"inf","value":1.7976931348623157e+308,"timestamp":1,"step":0},
			{"key":"java","value":0.5,"timestamp":1234567890123,"step":9007199254740993},
			{"key":"minus","value":-1.7976931348623157e+308,"timestamp":1,"step":0},
			{"key":"nan","value":"NaN","timestamp":1,"step":0},
			{"key":"r","value":0.25,"timestamp":1000000000000,"step":1},
			{"key":"r_inf","value":1.7976931348623157e+308,"timestamp":1,"step":0},
			{"key":"r_minus","value":-1.7976931348623157e+308,"timestamp":1,"step":0},
			{"key":"r_nan","value":"NaN","timestamp":1,"step":0},
			{"key":"whole","value":1,"timestamp":1,"step":20}],
			"params":[{"key":"old","value":"1"}],"tags":[{"key":"mlflow.runName","value":"r"}]}`, `,"outputs":{}`) + `}`},

		{
			"Java creates a run", "POST runs/create", `{"experiment_id":"0","user_id":"","run_name":"j","start_time":"123"}`, 200,
			`{"run":` + aRun("$2", "j", `"user_id":"","status":"RUNNING","start_time":123,`, `{"tags":[{"key":"mlflow.runName","value":"j"}]}`, "") + `}`,
		},
		{
			"R ends it", "POST runs/update", `{"run_uuid":"$2","run_id":"$2","status":"FINISHED","end_time":"456"}`, 200,
			`{"run_info":{"run_id":"$2","run_uuid":"$2","run_name":"j","experiment_id":"0","user_id":"","status":"FINISHED","start_time":123,"end_time":456,"artifact_uri":"mlflow-artifacts:/0/$2/artifacts","lifecycle_stage":"active"}}`,
		},
		{
			"a state as the text of its number", "POST runs/update", `{"run_id":"$2","status":"4"}`, 200,
			`{"run_info":{"run_id":"$2","run_uuid":"$2","run_name":"j","experiment_id":"0","user_id":"","status":"FAILED","start_time":123,"end_time":456,"artifact_uri":"mlflow-artifacts:/0/$2/artifacts","lifecycle_stage":"active"}}`,
		},
		{"R searches", "POST runs/search", `{"experiment_ids":["0"],"filter":"","run_view_type":"DELETED_ONLY","max_results":"1","order_by":["start_time DESC"]}`, 200, `{}`},
		{"a list of numbers for ids", "POST runs/search", `{"experiment_ids":[99]}`, 200, `{}`},
		{"a list of one as R writes it", "POST runs/search", `{"experiment_ids":"99"}`, 200, `{}`},
		{"no body", "POST runs/search", ``, 200, `{}`},
		{"null", "POST runs/search", `null`, 200, `{}`},
		{"an empty list", "POST runs/search", `[]`, 200, `{}`},
		{"a list with nothing but space", "POST runs/search", ` `, 200, `{}`},
	})
}

func TestContentTypesWithParametersAreJSON(t *testing.T) {
	c := newClient(t)
	for _, kind := range []string{"application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON", "application/json;"} {
		r := httptest.NewRequest(http.MethodPost, "/api/2.0/mlflow/runs/search", strings.NewReader(`{}`))
		r.Header.Set("Content-Type", kind)
		if w := c.do(r); w.Code != http.StatusOK {
			t.Errorf("%q: %d %s", kind, w.Code, w.Body)
		}
	}
}
