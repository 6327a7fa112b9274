// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"flyball/api"
	"flyball/api/wire"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/serving"
)

// predictRoute is the one route that is asked thousands of times a second. It is served
// beside huma, and stands in the OpenAPI document like the others.
func (f *face) predictRoute(desk api.Face) {
	const path = "/v1/models/{model}/predict"
	pool := &sync.Pool{New: func() any { return &exchange{} }}
	desk.Handle(access.Predict, http.MethodPost+" "+path, func(w http.ResponseWriter, r *http.Request) {
		x, _ := pool.Get().(*exchange)
		defer x.back(pool)
		if err := f.predict(w, r, x); err != nil {
			f.writeProblem(w, r, err)
		}
	})
	schemas := f.api.OpenAPI().Components.Schemas
	body := func(t reflect.Type, hint string) map[string]*huma.MediaType {
		return map[string]*huma.MediaType{"application/json": {Schema: schemas.Schema(t, true, hint)}}
	}
	f.api.OpenAPI().AddOperation(&huma.Operation{
		OperationID: "predict", Method: http.MethodPost, Path: path, Summary: "Answer rows",
		Description: "The model is named alone, as its route decides, or with a version or an alias: churn@7, churn@champion. " +
			"The header X-Request-Timeout says how long the caller waits, in seconds or as 250ms.",
		Parameters: []*huma.Param{{
			Name: "model", In: "path", Required: true, Description: "the model's name", Schema: &huma.Schema{Type: huma.TypeString},
		}},
		RequestBody: &huma.RequestBody{Required: true, Content: body(reflect.TypeFor[wire.PredictRequest](), "PredictRequest")},
		Responses: map[string]*huma.Response{
			"200":     {Description: "OK", Content: body(reflect.TypeFor[wire.PredictResponse](), "PredictResponse")},
			"default": {Description: "Error", Content: map[string]*huma.MediaType{"application/problem+json": {Schema: schemas.Schema(reflect.TypeFor[huma.ErrorModel](), true, "")}}},
		},
		Metadata: map[string]any{"permission": access.Predict}, Extensions: map[string]any{"x-permission": access.Predict},
	})
}

// exchange is the memory of one request, used again by a later one.
type exchange struct {
	in   []byte
	rows []json.RawMessage
	out  []byte
}

// keptBytes is up to how many bytes are kept for the next request.
const keptBytes = 1 << 20

func (x *exchange) back(pool *sync.Pool) {
	clear(x.rows)
	if cap(x.in) <= keptBytes && cap(x.out) <= keptBytes && cap(x.rows) <= 10_000 {
		pool.Put(x)
	}
}

func (f *face) predict(w http.ResponseWriter, r *http.Request, x *exchange) error {
	if err := x.read(r, f.MaxBody); err != nil {
		return err
	}
	req := named(r.PathValue("model"))
	var plain bool
	x.rows, plain = splitRows(x.in, x.rows[:0])
	req.Rows = x.rows
	if !plain {
		var whole wire.PredictRequest
		if err := json.Unmarshal(x.in, &whole); err != nil {
			return notJSON(x.in, err)
		}
		req.Rows, req.Explain, req.Audit = whole.Rows, whole.Explain, whole.Audit
	}
	a, err := f.Serving.Predict(r.Context(), req)
	if err != nil {
		if plain && fault.Is(err, fault.Invalid) { // what is wrong may be the JSON itself
			if bad := json.Unmarshal(x.in, new(wire.PredictRequest)); bad != nil {
				return notJSON(x.in, bad)
			}
		}
		return err
	}
	if req.Explain {
		w.Header().Set("Content-Type", "application/json")
		return json.NewEncoder(w).Encode(response(a))
	}
	x.out = appendAnswer(x.out[:0], &a)
	h := w.Header()
	h["Content-Type"] = jsonType()
	h["Content-Length"] = []string{strconv.Itoa(len(x.out))}
	_, _ = w.Write(x.out) // the caller may have gone
	return nil
}

func jsonType() []string { return []string{"application/json"} }

// named is a request for the model that a path names: alone, or with a version or an
// alias behind an @.
func named(s string) serving.Request {
	at := strings.LastIndexByte(s, '@')
	if at <= 0 || at == len(s)-1 {
		return serving.Request{Model: s}
	}
	if n, err := strconv.Atoi(s[at+1:]); err == nil && n > 0 {
		return serving.Request{Model: s[:at], Version: n}
	}
	return serving.Request{Model: s[:at], Alias: s[at+1:]}
}

// read reads the body, of at most so many bytes.
func (x *exchange) read(r *http.Request, most int64) error {
	if r.ContentLength > most {
		return tooLarge(most)
	}
	if n := r.ContentLength; n >= 0 {
		if int64(cap(x.in)) < n {
			x.in = make([]byte, n)
		}
		x.in = x.in[:n]
		_, err := io.ReadFull(r.Body, x.in)
		return cut(err)
	}
	x.in = x.in[:0]
	for {
		if len(x.in) == cap(x.in) {
			x.in = append(x.in, 0)[:len(x.in)]
		}
		n, err := r.Body.Read(x.in[len(x.in):cap(x.in)])
		x.in = x.in[:len(x.in)+n]
		switch {
		case int64(len(x.in)) > most:
			return tooLarge(most)
		case err == io.EOF: //nolint:errorlint // as io.Reader says
			return nil
		case err != nil:
			return cut(err)
		}
	}
}

func tooLarge(most int64) error {
	return fault.New(fault.TooLarge, "the body has more than %d bytes", most).Do("send the rows in several requests")
}

func cut(err error) error {
	if err == nil {
		return nil
	}
	return fault.Wrap(err, fault.Invalid, "the body ended too early")
}

// splitRows finds the rows of a body that is nothing but {"rows": [{…}, …]}. It does not
// look at what is in a row: whoever reads it finds out whether that is JSON. Any other
// body is not plain.
func splitRows(b []byte, rows []json.RawMessage) (_ []json.RawMessage, plain bool) {
	at := 0
	next := func(want string) bool {
		for at < len(b) && (b[at] == ' ' || b[at] == '\n' || b[at] == '\t' || b[at] == '\r') {
			at++
		}
		if !strings.HasPrefix(string(b[at:min(at+len(want), len(b))]), want) {
			return false
		}
		at += len(want)
		return true
	}
	if !next("{") || !next(`"rows"`) || !next(":") || !next("[") {
		return rows, false
	}
	for {
		if !next("{") {
			return rows, false
		}
		from := at - 1
		if at = closing(b, at); at < 0 {
			return rows, false
		}
		rows = append(rows, b[from:at:at])
		if next(",") {
			continue
		}
		if !next("]") || !next("}") {
			return rows, false
		}
		next("")
		return rows, at == len(b)
	}
}

// closing is the place after the brace that closes the object in which at lies; -1: there
// is none.
func closing(b []byte, at int) int {
	depth := 1
	for at < len(b) {
		switch b[at] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return at + 1
			}
		case '"':
			for at++; at < len(b) && b[at] != '"'; at++ {
				if b[at] == '\\' {
					at++
				}
			}
		}
		at++
	}
	return -1
}
