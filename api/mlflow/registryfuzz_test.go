// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"flyball/api"
	"flyball/experiment"
	"flyball/model/registry"
	"flyball/store"
)

// FuzzRegistry wants that no body makes a call of the registry fail: a mistake of the
// caller is told as one.
func FuzzRegistry(f *testing.F) {
	db, err := store.Open(f.Context(), filepath.Join(f.TempDir(), "flyball.db"))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = db.Close() })
	mux := api.NewRoutes(nil)
	New(mux, Options{
		Tracker:  experiment.NewTracker(experiment.TrackerOptions{Experiments: db, Runs: db, LoggedModels: db}),
		Registry: registry.New(registry.Options{Store: db, Now: time.Now}),
	})
	calls := [][2]string{
		{post, "registered-models/create"},
		{post, "model-versions/create"},
		{post, "registered-models/alias"},
		{del, "registered-models/alias"},
		{post, "registered-models/search"},
		{post, "registered-models/get-latest-versions"},
		{patch, "registered-models/update"},
		{post, "registered-models/rename"},
		{post, "registered-models/set-tag"},
		{del, "registered-models/delete-tag"},
		{patch, "model-versions/update"},
		{post, "model-versions/transition-stage"},
		{post, "model-versions/set-tag"},
		{del, "model-versions/delete"},
		{del, "registered-models/delete"},
		{post, "logged-models"},
		{post, "logged-models/search"},
		{patch, "logged-models/m-1"},
		{patch, "logged-models/m-1/tags"},
		{post, "logged-models/m-1/params"},
	}
	for i, s := range []string{
		`{"name":"R","tags":[{"key":"a","value":"b"}]}`, `{"name":"R","source":"s3://b/m","run_id":"r","model_id":"m-1"}`, `{"name":"R","alias":"a","version":"1"}`,
		`{"name":"R","alias":"a"}`, `{"filter":"name = 'R' AND tags.a = 'b'","order_by":["name DESC"],"max_results":"2","page_token":"x"}`, `{"name":"R","stages":["None"]}`,
		`{"name":"R","description":"\u0000"}`, `{"name":"R","new_name":"S"}`, `{"name":"S","key":"k","value":"v"}`, `{"name":"S","key":"k"}`,
		`{"name":"S","version":"1","description":null}`, `{"name":"S","version":"01","stage":"production","archive_existing_versions":"TRUE"}`,
		`{"name":"S","version":"99999999999","key":"k"}`, `{"name":"S","version":"-1"}`, `[]`,
		`{"experiment_id":0,"name":"m","params":[{"key":"p","value":"1"}]}`, `{"experiment_ids":["0"],"filter":"metrics.a > NaN","order_by":[{"field_name":"metrics.a"}]}`,
		`{"status":2}`, `{"tags":[{"key":"t"}]}`, `{"params":[{"key":"t","value":"\ud800"}]}`,
	} {
		f.Add(i, []byte(s))
	}
	f.Fuzz(func(t *testing.T, call int, body []byte) {
		c := calls[uint(call)%uint(len(calls))]
		r := httptest.NewRequest(c[0], "/api/2.0/mlflow/"+c[1], bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if w.Code >= http.StatusInternalServerError {
			t.Errorf("%s %s %q: got %d %s", c[0], c[1], body, w.Code, w.Body)
		}
	})
}
