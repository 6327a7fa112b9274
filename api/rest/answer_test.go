// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"

	"flyball/api/wire"
	"flyball/ident"
	"flyball/serving"
	"flyball/serving/prediction"
)

func FuzzRowsAreSplitAsJSONHasThem(f *testing.F) {
	for _, s := range []string{
		`{"rows":[{"a":1}]}`, ` { "rows" : [ { "a" : "}" } , {"b":{"c":"\\\"}"}} ] } `, `{"rows":[]}`, `{"rows":[{}],"explain":true}`,
		`{"rows":[{"a":1},]}`, `{"rows":[{"a":1}}`, `{"rows":[{"a":1}]}x`, `{"rows":[1]}`, `{"Rows":[{}]}`, `{"rows":[{"a":[}]}]}`, `{"rows":[{"\`, `{"rows":null}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		rows, plain := splitRows(body, nil)
		if !plain {
			return
		}
		valid := true
		for _, r := range rows {
			valid = valid && json.Valid(r)
		}
		var want wire.PredictRequest
		err := json.Unmarshal(body, &want)
		if valid != (err == nil) {
			t.Fatalf("rows valid: %v, the body: %v", valid, err)
		}
		if !valid {
			return
		}
		if len(rows) != len(want.Rows) || want.Explain {
			t.Fatalf("got %d rows, want %d", len(rows), len(want.Rows))
		}
		for i := range rows {
			if !bytes.Equal(rows[i], want.Rows[i]) {
				t.Fatalf("row %d: got %s, want %s", i, rows[i], want.Rows[i])
			}
		}
	})
}

func FuzzAnAnswerIsWrittenAsEncodingJSONDoes(f *testing.F) {
	f.Add("churn", "k-1", "yes", "unseen:é", 0.25, 1e-9)
	f.Add("a<b>", "\x00\xff", "\"", "", math.Pi*1e300, math.Copysign(0, -1))
	f.Add("", "", "", "x", 1e21, 123456789.0)
	f.Fuzz(func(t *testing.T, model, key, decision, flag string, x, y float64) {
		if math.IsNaN(x) || math.IsInf(x, 0) || math.IsNaN(y) || math.IsInf(y, 0) {
			return
		}
		a := serving.Answer{Model: model, Generation: 7, Records: []prediction.Record{
			{ID: ident.PredictionID(key), Version: 3, Arm: "live", Key: key, Scores: []float64{x}, Decision: decision, Flags: []string{flag, "b"}},
			{Arm: "fallback"},
			{Version: 2, Arm: "candidate", Scores: []float64{y, x, 0}},
		}}
		var want bytes.Buffer
		if err := json.NewEncoder(&want).Encode(response(a)); err != nil {
			t.Fatal(err)
		}
		if got := appendAnswer(nil, &a); !bytes.Equal(got, want.Bytes()) {
			t.Errorf("got  %s\nwant %s", got, want.Bytes())
		}
	})
}

func TestAModelIsNamedAloneOrWithAVersionOrAnAlias(t *testing.T) {
	for path, want := range map[string]serving.Request{
		"churn": {Model: "churn"}, "churn@7": {Model: "churn", Version: 7}, "churn@champion": {Model: "churn", Alias: "champion"},
		"@7": {Model: "@7"}, "churn@": {Model: "churn@"}, "a@b@3": {Model: "a@b", Version: 3}, "churn@-1": {Model: "churn", Alias: "-1"},
	} {
		if got := named(path); got.Model != want.Model || got.Version != want.Version || got.Alias != want.Alias {
			t.Errorf("%s: got %+v, want %+v", path, got, want)
		}
	}
}
