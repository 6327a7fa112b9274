// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"flyball/api"
	"flyball/blob"
	"flyball/event"
	"flyball/experiment"
	"flyball/governance/audit"
	"flyball/ident"
	"flyball/model/registry"
	"flyball/serving/release"
	"flyball/store"
)

// desk is a face on a store of its own, at a clock that the test moves.
type desk struct {
	t   *testing.T
	db  *store.DB
	mux *api.Routes
	now atomic.Int64 // ms since 1970
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "flyball.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	d := &desk{t: t, db: db, mux: api.NewRoutes(nil)}
	d.now.Store(1000)
	now := func() time.Time { return time.UnixMilli(d.now.Load()).UTC() }
	New(d.mux, Options{
		Tracker: experiment.NewTracker(experiment.TrackerOptions{Experiments: db, Runs: db, LoggedModels: db, Now: now}),
		Registry: registry.New(registry.Options{Store: db, Now: now, Folder: func(_ context.Context, v registry.Version) (string, error) {
			return "flyball/" + v.Model + "/" + string(v.Bundle), nil
		}}),
		Now: now,
	})
	return d
}

// send makes a call: send is a JSON body, or a query when the verb is GET.
func (d *desk) send(verb, path, send string) (status int, body string) {
	d.t.Helper()
	r := httptest.NewRequest(verb, "/api/2.0/mlflow/"+path, strings.NewReader(send))
	if verb == http.MethodGet {
		r = httptest.NewRequest(verb, "/api/2.0/mlflow/"+path+"?"+send, nil)
	} else {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	d.mux.ServeHTTP(w, r)
	raw, err := io.ReadAll(w.Result().Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return w.Code, strings.TrimSpace(string(raw))
}

// step is a call and its answer: of one that is refused, the error code and message.
type step struct {
	name, verb, path, send string
	status                 int
	want                   string
}

func (d *desk) play(steps []step) {
	d.t.Helper()
	for _, s := range steps {
		d.now.Add(1)
		status, body := d.send(s.verb, s.path, s.send)
		if status != http.StatusOK {
			var p problem
			if err := json.Unmarshal([]byte(body), &p); err != nil {
				d.t.Errorf("%s: the answer %s is no error of MLflow's: %v", s.name, body, err)
			}
			body = p.Code + ": " + p.Message
		}
		if status != s.status || body != s.want {
			d.t.Errorf("%s\n%s %s %s\n got %d %s\nwant %d %s", s.name, s.verb, s.path, s.send, status, body, s.status, s.want)
		}
	}
}

const (
	post, get, patch, del = http.MethodPost, http.MethodGet, http.MethodPatch, http.MethodDelete

	runA    = "a0000000000000000000000000000008"
	runB    = "a0000000000000000000000000000009"
	modelA  = "m-b0000000000000000000000000000001"
	unknown = "f0000000000000000000000000000001"

	wrongValue = "INVALID_PARAMETER_VALUE: "
	notThere   = "RESOURCE_DOES_NOT_EXIST: "
	taken      = "RESOURCE_ALREADY_EXISTS: "
	denied     = "PERMISSION_DENIED: "

	needed = " See the API docs for more information about request parameters."
)

// furnish makes two runs and a logged model of the first, in experiment 0.
func (d *desk) furnish() {
	d.t.Helper()
	ctx := d.t.Context()
	for _, id := range []ident.RunID{runA, runB} {
		err := d.db.CreateRun(ctx, experiment.Run{ID: id, Name: "n", Status: experiment.Running, Location: "mlflow-artifacts:/0/" + string(id) + "/artifacts"})
		if err != nil {
			d.t.Fatal(err)
		}
	}
	err := d.db.CreateLoggedModel(ctx, experiment.LoggedModel{
		ID: modelA, Name: "model", SourceRun: runA, Status: experiment.ModelReady, Location: "mlflow-artifacts:/0/models/" + modelA + "/artifacts",
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

// apply puts a model under Flyball's care, with two versions that it made, of which
// the second is live.
func (d *desk) apply(name string) {
	d.t.Helper()
	ctx := d.t.Context()
	at := time.UnixMilli(500).UTC()
	if _, _, err := d.db.ApplyModel(ctx, registry.Model{Name: name, File: "kind: Model\n", AppliedAt: at}, audit.Record{At: at, Actor: "ana", Action: "apply"}, event.Event{At: at}); err != nil {
		d.t.Fatal(err)
	}
	for _, bundle := range []string{"aa", "bb"} {
		if _, err := d.db.AddVersion(ctx, registry.Version{Ref: ident.Ref{Model: name}, Bundle: blob.Digest("sha256-" + bundle), CreatedAt: at}); err != nil {
			d.t.Fatal(err)
		}
	}
	if _, err := d.db.AddVersion(ctx, registry.Version{Ref: ident.Ref{Model: registry.BaselineOf(name)}, Bundle: "sha256-cc", CreatedAt: at}); err != nil {
		d.t.Fatal(err)
	}
	s := release.State{ID: name + "/2/1", Model: name, Live: 1, Candidate: 2, Generation: 1, EnteredAt: at, By: "flyball"}
	if err := d.db.SaveRelease(ctx, 0, s, map[string]int{"live": 2, "previous": 1, "baseline": 1}, nil); err != nil {
		d.t.Fatal(err)
	}
}

func TestRegisteredModels(t *testing.T) {
	d := newDesk(t)
	const (
		p  = "registered-models/"
		iv = `{"name":"R","version":"1","creation_timestamp":1020,"last_updated_timestamp":1020,"current_stage":"None","description":"","source":"s3://b/m","run_id":"","status":"READY","run_link":""}`
	)
	d.play([]step{
		{"R1 a name is needed", post, p + "create", `{}`, 400, wrongValue + "Missing value for required parameter 'name'." + needed},
		{"R1 a blank name", post, p + "create", `{"name":"  "}`, 400, wrongValue + "Missing value for required parameter 'name'."},
		{"R1 a model", post, p + "create", `{"name":"R","description":"d","tags":[{"key":"t","value":"1"},{"key":"t","value":"2"}]}`, 200, `{"registered_model":{"name":"R","creation_timestamp":1003,"last_updated_timestamp":1003,"description":"d","tags":[{"key":"t","value":"2"}]}}`},
		{"R1 a name that is taken", post, p + "create", `{"name":"R"}`, 400, taken + "Registered Model (name=R) already exists."},
		{"R1 a slash", post, p + "create", `{"name":"a/b"}`, 400, wrongValue + "Invalid model name 'a/b'. Names cannot contain '/' or ':'."},
		{"R1 a colon", post, p + "create", `{"name":"a:b"}`, 400, wrongValue + "Invalid model name 'a:b'. Names cannot contain '/' or ':'."},
		{"R1 a dot", post, p + "create", `{"name":"."}`, 400, wrongValue + `Invalid value "." for parameter 'name' supplied: Names may be treated as files in certain cases, and must not resolve to other names when treated as such. This name would resolve to '.'`},
		{"R1 two dots", post, p + "create", `{"name":".."}`, 400, wrongValue + `Invalid value ".." for parameter 'name' supplied: Names may be treated as files in certain cases, and must not resolve to other names when treated as such. This name would resolve to '..'`},
		{"R1 a long name", post, p + "create", `{"name":"` + strings.Repeat("x", 256) + `"}`, 400, wrongValue + "'name' exceeds the maximum length of 255 characters"},
		{"R1 a control character", post, p + "create", `{"name":"a\u0007"}`, 400, wrongValue + `Invalid model name "a\a". Names cannot contain control or invisible characters.`},
		{"R1 the name of a baseline", post, p + "create", `{"name":"a.baseline"}`, 400, wrongValue + "Invalid model name 'a.baseline'. Names cannot end in '.baseline': Flyball counts the baselines of models there."},
		{"R1 a tag key that is too long", post, p + "create", `{"name":"x","tags":[{"key":"` + strings.Repeat("k", 251) + `","value":""}]}`, 400, wrongValue + "'key' exceeds the maximum length of 250 characters"},
		{"R1 a number for a name", post, p + "create", `{"name":123}`, 400, wrongValue + "Invalid value 123 for parameter 'name' supplied:  Hint: Value was of type 'int'." + needed},
		{"R1 many tags", post, p + "create", `{"name":"x","tags":[` + strings.Repeat(`{"key":"k","value":""},`, 1000) + `{"key":"k","value":""}]}`, 400, wrongValue + "A model or version can have at most 1000 tags at once. Got 1001."},
		{"R3 a description", patch, p + "update", `{"name":"R","description":"d2"}`, 200, `{"registered_model":{"name":"R","creation_timestamp":1003,"last_updated_timestamp":1015,"description":"d2","tags":[{"key":"t","value":"2"}]}}`},
		{"R3 no description keeps it", patch, p + "update", `{"name":"R"}`, 200, `{"registered_model":{"name":"R","creation_timestamp":1003,"last_updated_timestamp":1015,"description":"d2","tags":[{"key":"t","value":"2"}]}}`},
		{"R3 an empty one clears it", patch, p + "update", `{"name":"R","description":""}`, 200, `{"registered_model":{"name":"R","creation_timestamp":1003,"last_updated_timestamp":1017,"tags":[{"key":"t","value":"2"}]}}`},
		{"R3 no such model", patch, p + "update", `{"name":"Z","description":""}`, 404, notThere + "Registered Model with name=Z not found"},
		{"R5 the model", get, p + "get", "name=R", 200, `{"registered_model":{"name":"R","creation_timestamp":1003,"last_updated_timestamp":1017,"tags":[{"key":"t","value":"2"}]}}`},
		{"R13 a version", post, "model-versions/create", `{"name":"R","source":"s3://b/m"}`, 200, `{"model_version":` + iv + `}`},
		{"R10 an alias", post, p + "alias", `{"name":"R","alias":"best","version":"1"}`, 200, `{}`},
		{"R5 with everything", get, p + "get", "name=R", 200, `{"registered_model":{"name":"R","creation_timestamp":1003,"last_updated_timestamp":1020,"latest_versions":[` + iv + `],"tags":[{"key":"t","value":"2"}],"aliases":[{"alias":"best","version":"1"}]}}`},
		{"R5 no such model", get, p + "get", "name=Z", 404, notThere + "Registered Model with name=Z not found"},
		{"R5 no name", get, p + "get", "", 400, wrongValue + "Missing value for required parameter 'name'." + needed},
		{"R8 a tag", post, p + "set-tag", `{"name":"R","key":"team","value":"x"}`, 200, `{}`},
		{"R8 the same tag", post, p + "set-tag", `{"name":"R","key":"team","value":"y"}`, 200, `{}`},
		{"R8 a long value", post, p + "set-tag", `{"name":"R","key":"team","value":"` + strings.Repeat("v", 100_001) + `"}`, 400, wrongValue + "'value' exceeds the maximum length of 100000 characters"},
		{"R8 no such model", post, p + "set-tag", `{"name":"Z","key":"team","value":"y"}`, 404, notThere + "Registered Model with name=Z not found"},
		{"R9 the tag goes", del, p + "delete-tag", `{"name":"R","key":"t"}`, 200, `{}`},
		{"R9 a tag that is not there", del, p + "delete-tag", `{"name":"R","key":"t"}`, 200, `{}`},
		{"R9 no such model", del, p + "delete-tag", `{"name":"Z","key":"t"}`, 404, notThere + "Registered Model with name=Z not found"},
		{"R2 another name", post, p + "rename", `{"name":"R","new_name":"S"}`, 200, `{"registered_model":{"name":"S","creation_timestamp":1003,"last_updated_timestamp":1032,"latest_versions":[` + strings.Replace(strings.Replace(iv, `"R"`, `"S"`, 1), `"last_updated_timestamp":1020`, `"last_updated_timestamp":1032`, 1) + `],"tags":[{"key":"team","value":"y"}],"aliases":[{"alias":"best","version":"1"}]}}`},
		{"R2 the old name", get, p + "get", "name=R", 404, notThere + "Registered Model with name=R not found"},
		{"R1 another model", post, p + "create", `{"name":"T"}`, 200, `{"registered_model":{"name":"T","creation_timestamp":1034,"last_updated_timestamp":1034}}`},
		{"R2 a name that is taken", post, p + "rename", `{"name":"S","new_name":"T"}`, 400, taken + "Registered Model (name=T) already exists."},
		{"R2 a name that is none", post, p + "rename", `{"name":"S","new_name":"a/b"}`, 400, wrongValue + "Invalid model name 'a/b'. Names cannot contain '/' or ':'."},
		{"R2 no name", post, p + "rename", `{"name":"S"}`, 400, wrongValue + "Missing value for required parameter 'new_name'." + needed},
		{"R2 no such model", post, p + "rename", `{"name":"Z","new_name":"Y"}`, 404, notThere + "Registered Model with name=Z not found"},
		{"R4 the model goes", del, p + "delete", `{"name":"S"}`, 200, `{}`},
		{"R4 again", del, p + "delete", `{"name":"S"}`, 404, notThere + "Registered Model with name=S not found"},
		{"R4 its versions are gone", get, "model-versions/get", "name=S&version=1", 404, notThere + "Model Version (name=S, version=1) not found"},
	})
}

func TestAliases(t *testing.T) {
	d := newDesk(t)
	const p = "registered-models/"
	v := func(n, aliases string) string {
		return `{"model_version":{"name":"R","version":"` + n + `","creation_timestamp":100` + map[string]string{"1": "2", "2": "3"}[n] + `,"last_updated_timestamp":100` + map[string]string{"1": "2", "2": "3"}[n] +
			`,"current_stage":"None","description":"","source":"s3://b/` + n + `","run_id":"","status":"READY","run_link":""` + aliases + `}}`
	}
	d.play([]step{
		{"a model", post, p + "create", `{"name":"R"}`, 200, `{"registered_model":{"name":"R","creation_timestamp":1001,"last_updated_timestamp":1001}}`},
		{"a version", post, "model-versions/create", `{"name":"R","source":"s3://b/1"}`, 200, v("1", "")},
		{"another", post, "model-versions/create", `{"name":"R","source":"s3://b/2"}`, 200, v("2", "")},
		{"R10 an alias", post, p + "alias", `{"name":"R","alias":"best","version":"1"}`, 200, `{}`},
		{"R10 it moves", post, p + "alias", `{"name":"R","alias":"best","version":"2"}`, 200, `{}`},
		{"R12 where it points", get, p + "alias", "name=R&alias=best", 200, v("2", `,"aliases":["best"]`)},
		{"R10 letters that are not for aliases", post, p + "alias", `{"name":"R","alias":"a b","version":"1"}`, 400, wrongValue + "Invalid alias name: 'a b'. Names may only contain alphanumerics, underscores (_), and dashes (-)."},
		{"R10 an alias that is too long", post, p + "alias", `{"name":"R","alias":"` + strings.Repeat("a", 256) + `","version":"1"}`, 400, wrongValue + "'Registered model alias name' exceeds the maximum length of 255 characters"},
		{"R10 latest", post, p + "alias", `{"name":"R","alias":"Latest","version":"1"}`, 400, wrongValue + "'latest' alias name (case insensitive) is reserved."},
		{"R10 a number", post, p + "alias", `{"name":"R","alias":"v1","version":"1"}`, 400, wrongValue + "Version alias name 'v1' is reserved."},
		{"R10 no such version", post, p + "alias", `{"name":"R","alias":"best","version":"9"}`, 404, notThere + "Model Version (name=R, version=9) not found"},
		{"R10 a version that is none", post, p + "alias", `{"name":"R","alias":"best","version":"x"}`, 400, wrongValue + "Parameter 'version' must be an integer, got 'x'."},
		{"R10 version 0", post, p + "alias", `{"name":"R","alias":"best","version":"0"}`, 404, notThere + "Model Version (name=R, version=0) not found"},
		{"R10 no such model", post, p + "alias", `{"name":"Z","alias":"best","version":"1"}`, 404, notThere + "Registered Model with name=Z not found"},
		{"R10 no alias", post, p + "alias", `{"name":"R","version":"1"}`, 400, wrongValue + "Missing value for required parameter 'alias'." + needed},
		{"R12 an alias that is not there", get, p + "alias", "name=R&alias=zz", 400, wrongValue + "Registered model alias zz not found."},
		{"R12 no such model", get, p + "alias", "name=Z&alias=zz", 404, notThere + "Registered Model with name=Z not found"},
		{"R12 the latest", get, p + "alias", "name=R&alias=latest", 200, v("2", `,"aliases":["best"]`)},
		{"R12 the latest in capitals", get, p + "alias", "name=R&alias=LATEST", 200, v("2", `,"aliases":["best"]`)},
		{"R12 letters that are not for aliases", get, p + "alias", "name=R&alias=a%20b", 400, wrongValue + "Invalid alias name: 'a b'. Names may only contain alphanumerics, underscores (_), and dashes (-)."},
		{"R11 letters that are not for aliases", del, p + "alias", `{"name":"R","alias":"a b"}`, 400, wrongValue + "Invalid alias name: 'a b'. Names may only contain alphanumerics, underscores (_), and dashes (-)."},
		{"R11 it goes", del, p + "alias", `{"name":"R","alias":"best"}`, 200, `{}`},
		{"R11 again", del, p + "alias", `{"name":"R","alias":"best"}`, 200, `{}`},
		{"R11 no such model", del, p + "alias", `{"name":"Z","alias":"best"}`, 404, notThere + "Registered Model with name=Z not found"},
		{"R12 it is gone", get, p + "alias", "name=R&alias=best", 400, wrongValue + "Registered model alias best not found."},
		{"R10 an alias again", post, p + "alias", `{"name":"R","alias":"best","version":"2"}`, 200, `{}`},
		{"R16 with its version the alias goes", del, "model-versions/delete", `{"name":"R","version":"2"}`, 200, `{}`},
		{"R12 it went", get, p + "alias", "name=R&alias=best", 400, wrongValue + "Registered model alias best not found."},
		{"another model", post, p + "create", `{"name":"E"}`, 200, `{"registered_model":{"name":"E","creation_timestamp":1029,"last_updated_timestamp":1029}}`},
		{"R12 the latest of none", get, p + "alias", "name=E&alias=latest", 404, notThere + "Latest version not found for model E."},
		{"R10 live of a model without a file moves freely", post, p + "alias", `{"name":"R","alias":"live","version":"1"}`, 200, `{}`},
	})
	moves, err := d.db.AliasHistory(t.Context(), "R")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range moves {
		raw, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(raw))
	}
	want := `{"model":"R","alias":"live","at":"1970-01-01T00:00:01.031Z","by":"local","from":0,"to":1}
{"model":"R","alias":"best","at":"1970-01-01T00:00:01.027Z","by":"local","from":2,"to":0}
{"model":"R","alias":"best","at":"1970-01-01T00:00:01.026Z","by":"local","from":0,"to":2}
{"model":"R","alias":"best","at":"1970-01-01T00:00:01.022Z","by":"local","from":2,"to":0}
{"model":"R","alias":"best","at":"1970-01-01T00:00:01.005Z","by":"local","from":1,"to":2}
{"model":"R","alias":"best","at":"1970-01-01T00:00:01.004Z","by":"local","from":0,"to":1}`
	if strings.Join(got, "\n") != want {
		t.Errorf("the history is\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
}

// What decides traffic moves only through a release; the rest of such a model is a
// registered model like any other.
func TestAModelUnderFlyballsCare(t *testing.T) {
	d := newDesk(t)
	d.apply("hotel")
	const p = "registered-models/"
	made := func(n, more string) string {
		return `{"name":"hotel","version":"` + n + `","creation_timestamp":500,"last_updated_timestamp":500,"current_stage":"None","description":"","source":"models:/hotel/` + n + `","run_id":"","status":"READY","run_link":""` + more + `}`
	}
	decides := func(alias, way string) string {
		return denied + "The alias '" + alias + "' of hotel decides which version answers, so only a release moves it: " + way
	}
	d.play([]step{
		{"it is a registered model", get, p + "get", "name=hotel", 200, `{"registered_model":{"name":"hotel","creation_timestamp":500,"last_updated_timestamp":500,"latest_versions":[` + made("2", "") + `],"aliases":[{"alias":"live","version":"2"},{"alias":"previous","version":"1"}]}}`},
		{"its live version", get, p + "alias", "name=hotel&alias=live", 200, `{"model_version":` + made("2", `,"aliases":["live"]`) + `}`},
		{"its files", get, "model-versions/get-download-uri", "name=hotel&version=2", 200, `{"artifact_uri":"mlflow-artifacts:/flyball/hotel/sha256-bb"}`},
		{"its baseline is counted apart", get, p + "alias", "name=hotel&alias=baseline", 400, wrongValue + "Registered model alias baseline not found."},
		{"and is in no list", get, "model-versions/search", "filter=", 200, `{"model_versions":[` + made("2", "") + `,` + made("1", "") + `]}`},
		{"but is found by its name", get, "model-versions/get-download-uri", "name=hotel.baseline&version=1", 200, `{"artifact_uri":"mlflow-artifacts:/flyball/hotel.baseline/sha256-cc"}`},
		{"and stays", del, "model-versions/delete", `{"name":"hotel.baseline","version":"1"}`, 404, notThere + "Model Version (name=hotel.baseline, version=1) not found"},
		{"live", post, p + "alias", `{"name":"hotel","alias":"live","version":"1"}`, 403, decides("live", "flyball promote hotel@1")},
		{"candidate", post, p + "alias", `{"name":"hotel","alias":"candidate","version":"1"}`, 403, decides("candidate", "flyball promote hotel@1")},
		{"previous", post, p + "alias", `{"name":"hotel","alias":"previous","version":"2"}`, 403, decides("previous", "flyball promote hotel@2")},
		{"baseline", post, p + "alias", `{"name":"hotel","alias":"baseline","version":"2"}`, 403, decides("baseline", "flyball promote hotel@2")},
		{"live by deletion", del, p + "alias", `{"name":"hotel","alias":"live"}`, 403, decides("live", "flyball rollback hotel")},
		{"another alias", post, p + "alias", `{"name":"hotel","alias":"champion","version":"1"}`, 200, `{}`},
		{"a new name", post, p + "rename", `{"name":"hotel","new_name":"inn"}`, 403, denied + "hotel has a model file, which says its name: apply the file under the new name with flyball apply"},
		{"deletion", del, p + "delete", `{"name":"hotel"}`, 403, denied + "hotel has a model file and is under Flyball's care, so its versions are kept: stop its trainings with flyball hold hotel"},
		{"the live version", del, "model-versions/delete", `{"name":"hotel","version":"2"}`, 400, "INVALID_STATE: hotel@2 is live of hotel: release another version first, see flyball releases hotel"},
		{"the previous version", del, "model-versions/delete", `{"name":"hotel","version":"1"}`, 400, "INVALID_STATE: hotel@1 is previous of hotel: release another version first, see flyball releases hotel"},
		{"a client's version is welcome", post, "model-versions/create", `{"name":"hotel","source":"s3://b/m"}`, 200, `{"model_version":{"name":"hotel","version":"3","creation_timestamp":1018,"last_updated_timestamp":1018,"current_stage":"None","description":"","source":"s3://b/m","run_id":"","status":"READY","run_link":""}}`},
		{"live is not for it either", post, p + "alias", `{"name":"hotel","alias":"live","version":"3"}`, 403, decides("live", "flyball promote hotel@3")},
		{"it may go", del, "model-versions/delete", `{"name":"hotel","version":"3"}`, 200, `{}`},
		{"a copy", post, p + "create", `{"name":"copy"}`, 200, `{"registered_model":{"name":"copy","creation_timestamp":1021,"last_updated_timestamp":1021}}`},
		{"of what is live", post, "model-versions/create", `{"name":"copy","source":"models:/hotel@live"}`, 200, `{"model_version":{"name":"copy","version":"1","creation_timestamp":1022,"last_updated_timestamp":1022,"current_stage":"None","description":"","source":"models:/hotel/2","run_id":"","status":"READY","run_link":""}}`},
		{"has its files", get, "model-versions/get-download-uri", "name=copy&version=1", 200, `{"artifact_uri":"mlflow-artifacts:/flyball/hotel/sha256-bb"}`},
	})
}
