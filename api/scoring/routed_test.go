// SPDX-License-Identifier: Apache-2.0

package scoring

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"flyball/api"
	"flyball/blob"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/model"
	"flyball/model/constant"
	"flyball/model/formats"
	"flyball/serving"
	"flyball/serving/prediction"
	"flyball/serving/release"
)

// keeper keeps records.
type keeper struct {
	noLog
	records []prediction.Record
}

func (k *keeper) Append(_ context.Context, _, _ bool, rs ...prediction.Record) error {
	k.records = append(k.records, rs...)
	return nil
}

func TestAModelWithARouteAnswersByItAndIsLogged(t *testing.T) {
	rows := frame.New(frame.NumberColumn("x", []float64{1, 2}))
	p, err := pipeline.Fit(t.Context(), pipeline.Spec{Inputs: rows.Fields()}, rows, pipeline.Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	x, _, err := p.Transform(rows)
	if err != nil {
		t.Fatal(err)
	}
	file, err := constant.Fit(x, []float64{10, 10}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	task := dataset.Task{Column: "y", Kind: dataset.Regression, ID: "id"}
	b, err := model.Make(t.Context(), blob.Memory(), formats.Decoders(nil), model.Parts{Model: "m", Task: task, Pipeline: p, Estimator: file, Rows: rows})
	if err != nil {
		t.Fatal(err)
	}
	log := &keeper{}
	s := serving.New(serving.Options{Log: log, Now: time.Now})
	if err := s.Publish("m", serving.Entry{Task: task, Route: release.Route{Live: 1, Generation: 1}, Versions: map[int]*model.Bundle{1: b}}); err != nil {
		t.Fatal(err)
	}
	mux := api.NewRoutes(nil)
	New(mux, Options{Serving: s})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	for _, c := range []struct {
		name, kind, body string
		status           int
		says             string
	}{
		{"records", jsonType, `{"dataframe_records":[{"id":"a","x":"1.5"},{"id":7,"x":null}]}`, 200, `{"predictions": [10.0, 10.0]}`},
		{"CSV", csvType, "id,x\nb,2\n", 200, `{"predictions": [10.0]}`},
		{"no key", jsonType, `{"dataframe_records":[{"x":1}]}`, 400, `Model is missing inputs ['id']`},
		{"no column", jsonType, `{"dataframe_records":[{"id":"a"}]}`, 400, `Model is missing inputs ['x']`},
		{"a wrong value", jsonType, `{"dataframe_records":[{"id":"a","x":1},{"id":"a","x":"secret"}]}`, 400, `Failed to convert column x to type 'float64'. Error: 'row 1: could not`},
	} {
		status, got := send(t, srv.URL+"/models/m/invocations", c.kind, c.body)
		if status != c.status || !strings.Contains(got, c.says) || strings.Contains(got, "secret") {
			t.Errorf("%s: got %d %s", c.name, status, got)
		}
	}
	res, err := srv.Client().Post(srv.URL+"/models/m/invocations", csvType, strings.NewReader("id,x\nc,2\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if v, g := res.Header.Get("X-Flyball-Version"), res.Header.Get("X-Flyball-Generation"); v != "1" || g != "1" {
		t.Errorf("the headers say version %q, generation %q", v, g)
	}
	var keys []string
	for _, r := range log.records {
		keys = append(keys, r.Key)
	}
	if got := strings.Join(keys, " "); got != "a 7 b c" {
		t.Errorf("the log has the keys %q", got)
	}
}
