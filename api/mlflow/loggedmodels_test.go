// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

var loggedID = regexp.MustCompile(`m-[0-9a-f]{32}`)

// log makes a logged model and returns its id.
func (d *desk) log(send string) string {
	d.t.Helper()
	d.now.Add(1)
	status, answer := d.send(post, "logged-models", send)
	id := loggedID.FindString(answer)
	if status != 200 || id == "" {
		d.t.Fatalf("%s: got %d %s", send, status, answer)
	}
	return id
}

func TestLoggedModels(t *testing.T) {
	d := newDesk(t)
	d.furnish()
	id := d.log(`{"experiment_id":"0","name":"model","model_type":"sk","source_run_id":"` + runA + `","params":[{"key":"p","value":"1"}],"tags":[{"key":"t","value":"2"},{"key":"t","value":"3"}]}`)
	model := func(updated int64, status, tags, data string) string {
		return fmt.Sprintf(`{"model":{"info":{"model_id":"%s","experiment_id":"0","name":"model","creation_timestamp_ms":1001,"last_updated_timestamp_ms":%d,"artifact_uri":"mlflow-artifacts:/0/models/%s/artifacts","status":"%s","model_type":"sk","source_run_id":"%s"%s},"data":%s}}`,
			id, updated, id, status, runA, tags, data)
	}
	const (
		tags   = `,"tags":[{"key":"t","value":"3"}]`
		params = `{"params":[{"key":"p","value":"1"}]}`
		gone   = "m-" + unknown
	)
	one := "logged-models/" + id
	d.play([]step{
		{"M3 it is pending", get, one, "", 200, model(1001, "LOGGED_MODEL_PENDING", tags, params)},
		{"M3 no such model", get, "logged-models/" + gone, "", 404, notThere + "Logged model with ID '" + gone + "' not found."},
		{"M2 it is ready", patch, one, `{"model_id":"` + id + `","status":"LOGGED_MODEL_READY"}`, 200, model(1004, "LOGGED_MODEL_READY", tags, params)},
		{"M2 by number", patch, one, `{"status":3}`, 200, model(1005, "LOGGED_MODEL_UPLOAD_FAILED", tags, params)},
		{"M2 by number in a text", patch, one, `{"status":"2"}`, 200, model(1006, "LOGGED_MODEL_READY", tags, params)},
		{"M2 back to pending", patch, one, `{"status":1}`, 400, wrongValue + "Invalid model status: 1. Expected statuses are: LOGGED_MODEL_READY, LOGGED_MODEL_UPLOAD_FAILED"},
		{"M2 a status that is none", patch, one, `{"status":"DONE"}`, 400, wrongValue + `Invalid value "DONE" for parameter 'status' supplied:  Hint: Value was of type 'str'.` + needed},
		{"M2 no status", patch, one, `{}`, 400, wrongValue + "Missing value for required parameter 'status'." + needed},
		{"M2 no such model", patch, "logged-models/" + gone, `{"status":2}`, 404, notThere + "Logged model with ID '" + gone + "' not found."},
		{"M6 tags", patch, one + "/tags", `{"tags":[{"key":"t","value":"4"},{"key":"a/b","value":""}]}`, 200, `{}`},
		{"M3 with tags", get, one, "", 200, model(1006, "LOGGED_MODEL_READY", `,"tags":[{"key":"a/b","value":""},{"key":"t","value":"4"}]`, params)},
		{"M6 a tag without a key", patch, one + "/tags", `{"tags":[{"value":"4"}]}`, 400, wrongValue + "Missing value for required parameter 'tags[0].key'." + needed},
		{"M6 no such model", patch, "logged-models/" + gone + "/tags", `{"tags":[{"key":"t","value":"4"}]}`, 404, notThere + "Logged model with ID '" + gone + "' not found."},
		{"M7 a tag goes", del, one + "/tags/t", ``, 200, `{}`},
		{"M7 a tag with a slash goes", del, one + "/tags/a%2Fb", ``, 200, `{}`},
		{"M7 a tag that is not there", del, one + "/tags/a", ``, 404, notThere + "No tag with key 'a' found for model with ID '" + id + "'."},
		{"M9 params", post, one + "/params", `{"params":[{"key":"q","value":"2"}]}`, 200, `{}`},
		{"M9 a param again", post, one + "/params", `{"params":[{"key":"r","value":"2"},{"key":"q","value":"2"}]}`, 400, wrongValue + "Changing param values is not allowed. Param with key='q' was already logged for model with ID '" + id + "'."},
		{"M9 a param twice", post, one + "/params", `{"params":[{"key":"r","value":"2"},{"key":"r","value":"2"}]}`, 400, wrongValue + "Duplicate parameter keys have been submitted: ['r']. Please ensure the request contains only one param value per param key."},
		{"M9 all or nothing", get, one, "", 200, model(1006, "LOGGED_MODEL_READY", "", `{"params":[{"key":"p","value":"1"},{"key":"q","value":"2"}]}`)},
		{"M9 no such model", post, "logged-models/" + gone + "/params", `{"params":[{"key":"q","value":"2"}]}`, 404, notThere + "Logged model with ID '" + gone + "' not found."},
		{"M4 it goes", del, one, ``, 200, `{}`},
		{"M4 again", del, one, ``, 404, notThere + "Logged model with ID '" + id + "' not found."},
		{"M3 it is gone", get, one, "", 404, notThere + "Logged model with ID '" + id + "' not found."},
		{"M3 unless deleted ones are allowed", get, one, "allow_deleted=true", 200, model(1023, "LOGGED_MODEL_READY", "", `{"params":[{"key":"p","value":"1"},{"key":"q","value":"2"}]}`)},
		{"M4 deleting a run keeps its models", post, "runs/delete", `{"run_id":"` + runA + `"}`, 200, `{}`},
	})
	if status, answer := d.send(get, "logged-models/"+modelA, ""); status != 200 {
		t.Errorf("got %d %s, want the model of the deleted run", status, answer)
	}
}

func TestLoggedModelsThatAreRefused(t *testing.T) {
	d := newDesk(t)
	const bad = `') provided. Model name must be a non-empty string and cannot contain the following characters: ('/', ':', '.', '%', '"', "'")`
	d.play([]step{
		{"no experiment", post, "logged-models", `{"name":"m"}`, 400, wrongValue + "Missing value for required parameter 'experiment_id'." + needed},
		{"an experiment that is none", post, "logged-models", `{"experiment_id":"abc"}`, 400, wrongValue + "Invalid experiment ID 'abc'. Experiment ID must be a valid integer."},
		{"an experiment that is not there", post, "logged-models", `{"experiment_id":"99"}`, 404, notThere + "No Experiment with id=99 exists"},
		{"a slash", post, "logged-models", `{"experiment_id":"0","name":"a/b"}`, 400, wrongValue + "Invalid model name ('a/b" + bad},
		{"a colon", post, "logged-models", `{"experiment_id":"0","name":"a:b"}`, 400, wrongValue + "Invalid model name ('a:b" + bad},
		{"a dot", post, "logged-models", `{"experiment_id":"0","name":"a.b"}`, 400, wrongValue + "Invalid model name ('a.b" + bad},
		{"a percent sign", post, "logged-models", `{"experiment_id":"0","name":"a%b"}`, 400, wrongValue + "Invalid model name ('a%b" + bad},
		{"a quote", post, "logged-models", `{"experiment_id":"0","name":"a'b"}`, 400, wrongValue + "Invalid model name ('a'b" + bad},
		{"a long name", post, "logged-models", `{"experiment_id":"0","name":"` + strings.Repeat("n", 501) + `"}`, 400, wrongValue + "'name' exceeds the maximum length of 500 characters"},
		{"a long tag key", post, "logged-models", `{"experiment_id":"0","tags":[{"key":"` + strings.Repeat("n", 251) + `","value":""}]}`, 400, wrongValue + "'tags[0].key' exceeds the maximum length of 250 characters"},
		{"many tags", post, "logged-models", `{"experiment_id":"0","tags":[` + strings.Repeat(`{"key":"k","value":""},`, 1000) + `{"key":"k","value":""}]}`, 400, wrongValue + "A request about a logged model can contain at most 1000 tags. Got 1001."},
		{"many params", post, "logged-models", `{"experiment_id":"0","params":[` + strings.Repeat(`{"key":"k","value":""},`, 1000) + `{"key":"k","value":""}]}`, 400, wrongValue + "A request about a logged model can contain at most 1000 params. Got 1001."},
		{"the experiment goes", post, "experiments/delete", `{"experiment_id":"0"}`, 200, `{}`},
		{"a deleted experiment", post, "logged-models", `{"experiment_id":"0"}`, 400, wrongValue + "The experiment 0 must be in the 'active' state. Current state is deleted."},
		{"a search without experiments", post, "logged-models/search", `{}`, 400, wrongValue + "Missing value for required parameter 'experiment_ids'." + needed},
		{"a search in one that is none", post, "logged-models/search", `{"experiment_ids":["x"]}`, 400, wrongValue + "Invalid experiment ID 'x'. Experiment ID must be a valid integer."},
		{"a page of nothing", post, "logged-models/search", `{"experiment_ids":["0"],"max_results":0}`, 400, wrongValue + "Invalid value 0 for parameter 'max_results' supplied. It must be a positive integer"},
		{"an order that is none", post, "logged-models/search", `{"experiment_ids":["0"],"order_by":[{"field_name":"zzz"}]}`, 400, wrongValue + "Invalid order by field name: zzz"},
		{"a status that is none", post, "logged-models/search", `{"experiment_ids":["0"],"filter":"status = '2'"}`, 400, wrongValue + "Unknown model status in filter: '2'"},
		{"a dataset without a name", post, "logged-models/search", `{"experiment_ids":["0"],"datasets":[{"dataset_digest":"d"}]}`, 400, wrongValue + "`dataset_name` in the `datasets` clause must be specified."},
	})
}

func TestALoggedModelWithoutANameGetsOne(t *testing.T) {
	d := newDesk(t)
	id := d.log(`{"experiment_id":0}`)
	_, answer := d.send(get, "logged-models/"+id, "")
	if !regexp.MustCompile(`"name":"[a-z]+-[a-z]+-[0-9]+"`).MatchString(answer) {
		t.Errorf("got %s, want a random name", answer)
	}
}

func TestLoggedModelsAreFound(t *testing.T) {
	d := newDesk(t)
	d.furnish()
	name := map[string]string{modelA: "A"}
	for _, n := range []string{"B", "C", "D"} {
		name[d.log(`{"experiment_id":"0","name":"`+n+`","model_type":"sk","tags":[{"key":"n","value":"`+n+`"}],"params":[{"key":"p","value":"`+n+`"}]}`)] = n
	}
	byName := map[string]string{}
	for id, n := range name {
		byName[n] = id
	}
	if status, answer := d.send(patch, "logged-models/"+byName["C"], `{"status":"LOGGED_MODEL_READY"}`); status != 200 {
		t.Fatal(answer)
	}
	for n, value := range map[string]string{"B": "0.5", "C": "0.7", "D": "NaN"} {
		body := `{"run_id":"` + runA + `","key":"acc","value":"` + value + `","timestamp":1,"model_id":"` + byName[n] + `","dataset_name":"d` + n + `","dataset_digest":"x"}`
		if status, answer := d.send(post, "runs/log-metric", body); status != 200 {
			t.Fatal(answer)
		}
	}
	if status, answer := d.send(del, "logged-models/"+d.log(`{"experiment_id":"0","name":"E"}`), ""); status != 200 {
		t.Fatal(answer)
	}
	search := func(send string) (string, string) {
		t.Helper()
		status, answer := d.send(post, "logged-models/search", send)
		var got struct {
			Models []struct {
				Info struct {
					ID string `json:"model_id"`
				} `json:"info"`
			} `json:"models"`
			Next string `json:"next_page_token"`
		}
		if err := json.Unmarshal([]byte(answer), &got); err != nil || status != 200 {
			t.Fatalf("%s: got %d %s, %v", send, status, answer, err)
		}
		out := ""
		for _, m := range got.Models {
			out += name[m.Info.ID]
		}
		return out, got.Next
	}
	for _, c := range []struct{ name, more, want string }{
		{"the newest first", ``, "DCBA"},
		{"by name", `,"filter":"name = 'model'"`, "A"},
		{"by attribute", `,"filter":"attributes.model_type = 'sk'"`, "DCB"},
		{"by source run", `,"filter":"source_run_id = '` + runA + `'"`, "A"},
		{"by status", `,"filter":"status = 'READY'"`, "CA"},
		{"by status, in long", `,"filter":"status = 'LOGGED_MODEL_PENDING'"`, "DB"},
		{"by tag", `,"filter":"tags.n = 'C'"`, "C"},
		{"by param", `,"filter":"params.p = 'B'"`, "B"},
		{"by metric", `,"filter":"metrics.acc > 0.6"`, "C"},
		{"by metric on a dataset", `,"filter":"metrics.acc > 0","datasets":[{"dataset_name":"dB"}]`, "B"},
		{"ordered", `,"order_by":[{"field_name":"name"}]`, "BCDA"},
		{"ordered backwards", `,"order_by":[{"field_name":"name","ascending":false}]`, "ADCB"},
		{"ordered by a metric, the missing last", `,"order_by":[{"field_name":"metrics.acc","ascending":false}]`, "CBDA"},
		{"ordered by a metric on a dataset", `,"order_by":[{"field_name":"metrics.acc","dataset_name":"dB","dataset_digest":"x"}]`, "BDCA"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, next := search(`{"experiment_ids":["0"]` + c.more + `}`); got != c.want || next != "" {
				t.Errorf("got %s %q, want %s", got, next, c.want)
			}
		})
	}
	if got, _ := search(`{"experiment_ids":[]}`); got != "" {
		t.Errorf("in no experiment: got %s", got)
	}
	var all, token string
	for range 2 {
		got, next := search(`{"experiment_ids":["0"],"max_results":"2","page_token":"` + token + `"}`)
		all, token = all+got+" ", next
	}
	if all != "DC BA " || token != "" {
		t.Errorf("pages: got %s%q", all, token)
	}
	_, answer := d.send(get, "logged-models/"+byName["D"], "")
	if want := `"data":{"params":[{"key":"p","value":"D"}],"metrics":[{"key":"acc","value":"NaN","timestamp":1,"step":0,"dataset_name":"dD","dataset_digest":"x","model_id":"` + byName["D"] + `","run_id":"` + runA + `"}]}}}`; !strings.HasSuffix(answer, want) {
		t.Errorf("got %s\nwant at its end %s", answer, want)
	}
}
