// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// made is a version of R in an answer.
func made(n int, created, updated int64, stage, about, source, more string) string {
	return fmt.Sprintf(`{"name":"R","version":"%d","creation_timestamp":%d,"last_updated_timestamp":%d,"current_stage":"%s","description":"%s","source":"%s","run_id":"","status":"READY"%s`,
		n, created, updated, stage, about, source, more) + `}`
}

const (
	noLink = `,"run_link":""`
	best   = `,"run_link":"","aliases":["best"]`
)

func one(v string) string      { return `{"model_version":` + v + `}` }
func many(vs ...string) string { return `{"model_versions":[` + strings.Join(vs, ",") + `]}` }

func TestModelVersions(t *testing.T) {
	d := newDesk(t)
	const p = "model-versions/"
	v1 := made(1, 1003, 1003, "None", "dd", "s3://b/1", `,"tags":[{"key":"a","value":"b"}],"run_link":"http://ci/7"`)
	v2 := made(2, 1004, 1004, "None", "", "s3://b/2", noLink)
	d.play([]step{
		{"R13 no such model", post, p + "create", `{"name":"R","source":"s3://b/1"}`, 404, notThere + "Registered Model with name=R not found"},
		{"a model", post, "registered-models/create", `{"name":"R"}`, 200, `{"registered_model":{"name":"R","creation_timestamp":1002,"last_updated_timestamp":1002}}`},
		{"R13 a version", post, p + "create", `{"name":"R","source":"s3://b/1","tags":[{"key":"a","value":"b"}],"run_link":"http://ci/7","description":"dd"}`, 200, one(v1)},
		{"R13 another", post, p + "create", `{"name":"R","source":"s3://b/2"}`, 200, one(v2)},
		{"R13 no source", post, p + "create", `{"name":"R"}`, 400, wrongValue + "Missing value for required parameter 'source'." + needed},
		{"R13 no name", post, p + "create", `{"source":"s3://b/1"}`, 400, wrongValue + "Missing value for required parameter 'name'." + needed},
		{"R17 one", get, p + "get", "name=R&version=1", 200, one(v1)},
		{"R17 with a zero in front", get, p + "get", "name=R&version=01", 200, one(v1)},
		{"R17 a version that is no number", get, p + "get", "name=R&version=x", 400, wrongValue + "Parameter 'version' must be an integer, got 'x'."},
		{"R17 no version", get, p + "get", "name=R", 400, wrongValue + "Missing value for required parameter 'version'." + needed},
		{"R17 no such version", get, p + "get", "name=R&version=7", 404, notThere + "Model Version (name=R, version=7) not found"},
		{"R17 no such model", get, p + "get", "name=Z&version=7", 404, notThere + "Model Version (name=Z, version=7) not found"},
		{"R10 an alias", post, "registered-models/alias", `{"name":"R","alias":"best","version":"2"}`, 200, `{}`},
		{"R17 with its alias", get, p + "get", "name=R&version=2", 200, one(made(2, 1004, 1004, "None", "", "s3://b/2", best))},
		{"R14 a description", patch, p + "update", `{"name":"R","version":"2","description":"hi"}`, 200, one(made(2, 1004, 1015, "None", "hi", "s3://b/2", best))},
		{"R14 no description keeps it", patch, p + "update", `{"name":"R","version":"2"}`, 200, one(made(2, 1004, 1015, "None", "hi", "s3://b/2", best))},
		{"R14 no such version", patch, p + "update", `{"name":"R","version":"7","description":"hi"}`, 404, notThere + "Model Version (name=R, version=7) not found"},
		{"R20 a tag", post, p + "set-tag", `{"name":"R","version":"2","key":"k","value":"v"}`, 200, `{}`},
		{"R20 no such version", post, p + "set-tag", `{"name":"R","version":"7","key":"k","value":"v"}`, 404, notThere + "Model Version (name=R, version=7) not found"},
		{"R20 no key", post, p + "set-tag", `{"name":"R","version":"2","value":"v"}`, 400, wrongValue + "Missing value for required parameter 'key'." + needed},
		{"R17 with its tag", get, p + "get", "name=R&version=2", 200, one(made(2, 1004, 1015, "None", "hi", "s3://b/2", `,"tags":[{"key":"k","value":"v"}]`+best))},
		{"R21 the tag goes", del, p + "delete-tag", `{"name":"R","version":"2","key":"k"}`, 200, `{}`},
		{"R21 a tag that is not there", del, p + "delete-tag", `{"name":"R","version":"2","key":"k"}`, 200, `{}`},
		{"R21 no such version", del, p + "delete-tag", `{"name":"R","version":"7","key":"k"}`, 404, notThere + "Model Version (name=R, version=7) not found"},
		{"R16 it goes", del, p + "delete", `{"name":"R","version":"2"}`, 200, `{}`},
		{"R16 again", del, p + "delete", `{"name":"R","version":"2"}`, 404, notThere + "Model Version (name=R, version=2) not found"},
		{"the model changed with it, not with its alias", get, "registered-models/get", "name=R", 200, `{"registered_model":{"name":"R","creation_timestamp":1002,"last_updated_timestamp":1025,"latest_versions":[` + v1 + `]}}`},
		{"R13 the number is not used again", post, p + "create", `{"name":"R","source":"s3://b/3"}`, 200, one(made(3, 1028, 1028, "None", "", "s3://b/3", noLink))},
		{"R19 where it lies", get, p + "get-download-uri", "name=R&version=3", 200, `{"artifact_uri":"s3://b/3"}`},
		{"R19 no such version", get, p + "get-download-uri", "name=R&version=2", 404, notThere + "Model Version (name=R, version=2) not found"},
	})
}

func TestStages(t *testing.T) {
	d := newDesk(t)
	const p = "model-versions/"
	v := func(n int, created, updated int64, stage string) string {
		return made(n, created, updated, stage, "", fmt.Sprintf("s3://b/%d", n), noLink)
	}
	d.play([]step{
		{"a model", post, "registered-models/create", `{"name":"R"}`, 200, `{"registered_model":{"name":"R","creation_timestamp":1001,"last_updated_timestamp":1001}}`},
		{"R7 of a model without versions", post, "registered-models/get-latest-versions", `{"name":"R"}`, 200, `{}`},
		{"a version", post, p + "create", `{"name":"R","source":"s3://b/1"}`, 200, one(v(1, 1003, 1003, "None"))},
		{"a version", post, p + "create", `{"name":"R","source":"s3://b/2"}`, 200, one(v(2, 1004, 1004, "None"))},
		{"a version", post, p + "create", `{"name":"R","source":"s3://b/3"}`, 200, one(v(3, 1005, 1005, "None"))},
		{"R15 in small letters", post, p + "transition-stage", `{"name":"R","version":"1","stage":"production","archive_existing_versions":false}`, 200, one(v(1, 1003, 1006, "Production"))},
		{"R15 as R writes truth", post, p + "transition-stage", `{"name":"R","version":"2","stage":"Production","archive_existing_versions":"TRUE"}`, 200, one(v(2, 1004, 1007, "Production"))},
		{"R17 the one before is archived, at the same moment", get, p + "get", "name=R&version=1", 200, one(v(1, 1003, 1007, "Archived"))},
		{"R15 a stage that is none", post, p + "transition-stage", `{"name":"R","version":"1","stage":"x"}`, 400, wrongValue + "Invalid Model Version stage: x. Value must be one of None, Staging, Production, Archived."},
		{"R15 nothing to archive for None", post, p + "transition-stage", `{"name":"R","version":"1","stage":"none","archive_existing_versions":true}`, 400, wrongValue + "Model version transition cannot archive existing model versions because 'None' is not an Active stage. Valid stages are ['Staging', 'Production']"},
		{"R15 nothing to archive for Archived", post, p + "transition-stage", `{"name":"R","version":"1","stage":"Archived","archive_existing_versions":true}`, 400, wrongValue + "Model version transition cannot archive existing model versions because 'Archived' is not an Active stage. Valid stages are ['Staging', 'Production']"},
		{"R15 no such version", post, p + "transition-stage", `{"name":"R","version":"9","stage":"None"}`, 404, notThere + "Model Version (name=R, version=9) not found"},
		{"R15 no stage", post, p + "transition-stage", `{"name":"R","version":"1"}`, 400, wrongValue + "Missing value for required parameter 'stage'." + needed},
		{"R10 an alias", post, "registered-models/alias", `{"name":"R","alias":"best","version":"2"}`, 200, `{}`},
		{"R7 of all stages", post, "registered-models/get-latest-versions", `{"name":"R"}`, 200, many(v(1, 1003, 1007, "Archived"), made(2, 1004, 1007, "Production", "", "s3://b/2", best), v(3, 1005, 1005, "None"))},
		{"R7 of some", post, "registered-models/get-latest-versions", `{"name":"R","stages":["None","ARCHIVED"]}`, 200, many(v(1, 1003, 1007, "Archived"), v(3, 1005, 1005, "None"))},
		{"R7 by GET", get, "registered-models/get-latest-versions", "name=R&stages=Production&stages=None", 200, many(made(2, 1004, 1007, "Production", "", "s3://b/2", best), v(3, 1005, 1005, "None"))},
		{"R7 a stage that has none", post, "registered-models/get-latest-versions", `{"name":"R","stages":["Staging"]}`, 200, `{}`},
		{"R7 a stage that is none", post, "registered-models/get-latest-versions", `{"name":"R","stages":["x"]}`, 400, wrongValue + "Invalid Model Version stage: x. Value must be one of None, Staging, Production, Archived."},
		{"R7 no such model", post, "registered-models/get-latest-versions", `{"name":"Z"}`, 404, notThere + "Registered Model with name=Z not found"},
		{"R15 with its alias", post, p + "transition-stage", `{"name":"R","version":"2","stage":"Staging"}`, 200, one(made(2, 1004, 1021, "Staging", "", "s3://b/2", best))},
		{"the model changed with it", get, "registered-models/get", "name=R", 200, `{"registered_model":{"name":"R","creation_timestamp":1001,"last_updated_timestamp":1021,"latest_versions":[` +
			v(1, 1003, 1007, "Archived") + `,` + v(2, 1004, 1021, "Staging") + `,` + v(3, 1005, 1005, "None") + `],"aliases":[{"alias":"best","version":"2"}]}}`},
	})
}

// Each row of the table of sources, through the wire: what is kept, and where the
// files are then found.
func TestSourcesOfVersions(t *testing.T) {
	const (
		inRun   = "mlflow-artifacts:/0/" + runA + "/artifacts"
		inModel = "mlflow-artifacts:/0/models/" + modelA + "/artifacts"
		invalid = wrongValue + "Invalid model version source: '"
		asked   = " request parameter must identify the resource that contains the source."
	)
	for _, c := range []struct {
		name, send string
		source     string // as it is kept
		run        string
		uri        string // for download
		refused    string
	}{
		{name: "a host", send: `"source":"http://evil/m"`, refused: wrongValue + "'source' cannot use the 'http' scheme: the 'http' scheme addresses a host other than the tracking server's configured artifact storage, so the server would connect to the host named in the URI. Log the files to a run or a logged model, and name that."},
		{name: "artifacts of a host", send: `"source":"mlflow-artifacts://evil/m"`, refused: wrongValue + "'source' cannot use the 'mlflow-artifacts' scheme: the 'mlflow-artifacts' scheme addresses a host other than the tracking server's configured artifact storage, so the server would connect to the host named in the URI. Log the files to a run or a logged model, and name that."},
		{name: "a logged model", send: `"source":"models:/` + modelA + `","model_id":"` + modelA + `"`, source: "models:/" + modelA, run: runA, uri: inModel},
		{name: "a logged model of another run", send: `"source":"models:/` + modelA + `","model_id":"` + modelA + `","run_id":"` + runB + `"`, source: "models:/" + modelA, run: runB, uri: inModel},
		{name: "a logged model without model_id", send: `"source":"models:/` + modelA + `"`, source: "models:/" + modelA, run: runA, uri: inModel},
		{name: "a logged model that is not here", send: `"source":"models:/m-` + unknown + `"`, source: "models:/m-" + unknown, uri: "models:/m-" + unknown},
		{name: "a logged model with another's id", send: `"source":"models:/` + modelA + `","model_id":"m-` + unknown + `"`, refused: invalid + "models:/" + modelA + "'. The model_id" + asked},
		{name: "a copy", send: `"source":"models:/orig/1"`, source: "models:/orig/1", run: runA, uri: inRun + "/model"},
		{name: "a copy as clients send it", send: `"source":"models:/orig/1","run_id":"` + runA + `","run_link":"","description":"hi"`, source: "models:/orig/1", run: runA, uri: inRun + "/model"},
		{name: "a copy by alias", send: `"source":"models:/orig@champion"`, source: "models:/orig/1", run: runA, uri: inRun + "/model"},
		{name: "a copy of no version", send: `"source":"models:/orig/9"`, refused: notThere + "Model Version (name=orig, version=9) not found"},
		{name: "a copy of no model", send: `"source":"models:/none/1"`, refused: notThere + "Model Version (name=none, version=1) not found"},
		{name: "a copy by an alias that is not there", send: `"source":"models:/orig@zz"`, refused: wrongValue + "Registered model alias zz not found."},
		{name: "a copy by an alias of no model", send: `"source":"models:/none@zz"`, refused: notThere + "Registered Model with name=none not found"},
		{name: "a copy by stage", send: `"source":"models:/orig/Production"`, refused: notThere + "No versions of model with name 'orig' and stage 'Production' found"},
		{name: "a copy with another run", send: `"source":"models:/orig/1","run_id":"` + runB + `"`, refused: invalid + "models:/orig/1'. The run_id and model_id request parameters must match the referenced model version."},
		{name: "a run", send: `"source":"runs:/` + runA + `/model","run_id":"` + runA + `"`, source: "runs:/" + runA + "/model", run: runA, uri: "runs:/" + runA + "/model"},
		{name: "a run without run_id", send: `"source":"runs:/` + runA + `/model"`, source: "runs:/" + runA + "/model", run: runA, uri: "runs:/" + runA + "/model"},
		{name: "a run that is not here", send: `"source":"runs:/` + unknown + `/model"`, source: "runs:/" + unknown + "/model", uri: "runs:/" + unknown + "/model"},
		{name: "a run with another's id", send: `"source":"runs:/` + runA + `/model","run_id":"` + runB + `"`, refused: invalid + "runs:/" + runA + "/model'. The run_id" + asked},
		{name: "artifacts of a run", send: `"source":"` + inRun + `/model","run_id":"` + runA + `"`, source: inRun + "/model", run: runA, uri: inRun + "/model"},
		{name: "artifacts of another run", send: `"source":"` + inRun + `/model","run_id":"` + runB + `"`, refused: invalid + inRun + "/model'. The run_id" + asked},
		{name: "artifacts of a logged model", send: `"source":"` + inModel + `","model_id":"` + modelA + `"`, source: inModel, run: runA, uri: inModel},
		{name: "artifacts of no logged model's", send: `"source":"` + inRun + `","model_id":"` + modelA + `"`, refused: invalid + inRun + "'. The model_id" + asked},
		{name: "artifacts of a run that is not here", send: `"source":"mlflow-artifacts:/0/` + unknown + `/artifacts/m","run_id":"` + unknown + `"`, source: "mlflow-artifacts:/0/" + unknown + "/artifacts/m", run: unknown, uri: "mlflow-artifacts:/0/" + unknown + "/artifacts/m"},
		{name: "a path of this machine", send: `"source":"/etc/passwd","run_id":"` + runA + `"`, refused: invalid + "/etc/passwd'. To use a local path as a model version source, the run_id request parameter has to be specified and the local path has to be contained within the artifact directory of the run specified by the run_id."},
		{name: "a file", send: `"source":"file:///etc/passwd"`, refused: invalid + "file:///etc/passwd'. To use a local path as a model version source, the run_id request parameter has to be specified and the local path has to be contained within the artifact directory of the run specified by the run_id."},
		{name: "a bucket", send: `"source":"s3://b/m"`, source: "s3://b/m", uri: "s3://b/m"},
		{name: "a bucket left by encoded dots", send: `"source":"s3://b/%252e%252e/k"`, refused: invalid + "s3://b/%252e%252e/k'. If supplying a source as an http, https, local file path, ftp, objectstore, or mlflow-artifacts uri, an absolute path must be provided without relative path references present. Please provide an absolute path."},
		{name: "a prompt", send: `"source":"dummy-source","tags":[{"key":"mlflow.prompt.is_prompt","value":"true"}]`, source: "dummy-source", uri: "dummy-source"},
		{name: "a prompt with files", send: `"source":"s3://b/m","tags":[{"key":"mlflow.prompt.is_prompt","value":"True"}]`, refused: wrongValue + "Invalid prompt source: 's3://b/m'. Prompt sources must use an MLflow placeholder."},
		{name: "an id that is none", send: `"source":"s3://b/m","model_id":"x"`, refused: wrongValue + `Invalid value "x" for parameter 'model_id' supplied.`},
		{name: "a bucket with a logged model that is not here", send: `"source":"s3://b/m","model_id":"m-` + unknown + `"`, refused: notThere + "Logged model with ID 'm-" + unknown + "' not found."},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			d.furnish()
			for _, s := range []string{
				`registered-models/create {"name":"R"}`, `registered-models/create {"name":"orig"}`,
				`model-versions/create {"name":"orig","source":"` + inRun + `/model"}`, `registered-models/alias {"name":"orig","alias":"champion","version":"1"}`,
			} {
				path, body, _ := strings.Cut(s, " ")
				if status, answer := d.send(post, path, body); status != 200 {
					t.Fatalf("%s: %d %s", s, status, answer)
				}
			}
			send := `{"name":"R",` + c.send + `}`
			if c.refused != "" {
				status := 400
				if strings.HasPrefix(c.refused, notThere) {
					status = 404
				}
				d.play([]step{{"it is refused", post, "model-versions/create", send, status, c.refused}})
				return
			}
			status, answer := d.send(post, "model-versions/create", send)
			if want := `"source":"` + c.source + `","run_id":"` + c.run + `"`; status != 200 || !strings.Contains(answer, want) {
				t.Errorf("got %d %s\nwant %s", status, answer, want)
			}
			d.play([]step{{"R19", get, "model-versions/get-download-uri", "name=R&version=1", 200, `{"artifact_uri":"` + c.uri + `"}`}})
		})
	}
}

func TestACopyOutlivesWhatItWasCopiedFrom(t *testing.T) {
	d := newDesk(t)
	d.furnish()
	for _, s := range []string{
		`registered-models/create {"name":"orig"}`, `registered-models/create {"name":"R"}`,
		`model-versions/create {"name":"orig","source":"models:/` + modelA + `"}`, `model-versions/create {"name":"R","source":"models:/orig/1"}`,
	} {
		path, body, _ := strings.Cut(s, " ")
		if status, answer := d.send(post, path, body); status != 200 {
			t.Fatalf("%s: %d %s", s, status, answer)
		}
	}
	d.play([]step{
		{"the original goes", del, "registered-models/delete", `{"name":"orig"}`, 200, `{}`},
		{"the copy is found", get, "model-versions/get-download-uri", "name=R&version=1", 200, `{"artifact_uri":"mlflow-artifacts:/0/models/` + modelA + `/artifacts"}`},
	})
}

func TestACopyOfACopyIsFollowedToItsOriginalWithinBounds(t *testing.T) {
	d := newDesk(t)
	d.apply("hotel")
	if status, answer := d.send(post, "registered-models/create", `{"name":"R"}`); status != 200 {
		t.Fatal(answer)
	}
	for n := range 17 {
		source := "models:/hotel@live"
		if n > 0 {
			source = fmt.Sprintf("models:/R/%d", n)
		}
		if status, answer := d.send(post, "model-versions/create", `{"name":"R","source":"`+source+`"}`); status != 200 {
			t.Fatal(answer)
		}
	}
	d.play([]step{
		{"fifteen copies away", get, "model-versions/get-download-uri", "name=R&version=15", 200, `{"artifact_uri":"mlflow-artifacts:/flyball/hotel/sha256-bb"}`},
		{"too far", get, "model-versions/get-download-uri", "name=R&version=17", 200, `{"artifact_uri":"models:/R/16"}`},
		{"a copy goes", del, "model-versions/delete", `{"name":"R","version":"3"}`, 200, `{}`},
		{"before it", get, "model-versions/get-download-uri", "name=R&version=2", 200, `{"artifact_uri":"mlflow-artifacts:/flyball/hotel/sha256-bb"}`},
		{"after it, the trail ends", get, "model-versions/get-download-uri", "name=R&version=4", 200, `{"artifact_uri":"models:/R/3"}`},
	})
}

func TestVersionsThatAreRegisteredAtOnceGetDifferentNumbers(t *testing.T) {
	d := newDesk(t)
	if status, answer := d.send(post, "registered-models/create", `{"name":"R"}`); status != 200 {
		t.Fatal(answer)
	}
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if status, answer := d.send(post, "model-versions/create", `{"name":"R","source":"s3://b/m"}`); status != 200 {
				t.Error(answer)
			}
		})
	}
	all.Wait()
	for n := 1; n <= 16; n++ {
		if status, _ := d.send(get, "model-versions/get", fmt.Sprintf("name=R&version=%d", n)); status != 200 {
			t.Errorf("there is no version %d", n)
		}
	}
}
