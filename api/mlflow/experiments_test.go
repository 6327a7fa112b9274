// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"strings"
	"testing"
)

const missing = "Missing value for required parameter '%s'. See the API docs for more information about request parameters."

func TestExperiments(t *testing.T) {
	newClient(t).talk([]exchange{
		{"the default one is there", "POST experiments/create", `{"name":"Default"}`, 400, "Experiment(name=Default) already exists."},
		{"create", "POST experiments/create", `{"name":"e1","tags":[{"key":"team","value":"ml"},{"key":"team","value":"ops"}]}`, 200, `{"experiment_id":"1"}`},
		{"get", "GET experiments/get?experiment_id=1", "", 200, `{"experiment":` + anExperiment("1", "e1", "active", `{"key":"team","value":"ops"}`) + `}`},
		{"get by name", "GET experiments/get-by-name?experiment_name=e1", "", 200, `{"experiment":` + anExperiment("1", "e1", "active", `{"key":"team","value":"ops"}`) + `}`},
		{"the twin for web pages", "GET /ajax-api/2.0/mlflow/experiments/get-by-name?experiment_name=e1", "", 200, `{"experiment":` + anExperiment("1", "e1", "active", `{"key":"team","value":"ops"}`) + `}`},
		{"a name that is taken", "POST experiments/create", `{"name":"e1"}`, 400, "Experiment(name=e1) already exists."},
		{"an id that is not there", "GET experiments/get?experiment_id=9999", "", 404, "No Experiment with id=9999 exists"},
		{"an id that is no number", "GET experiments/get?experiment_id=abc", "", 400, "Invalid experiment ID 'abc'. Experiment ID must be a valid integer."},
		{"the same everywhere", "POST experiments/delete", `{"experiment_id":"abc"}`, 400, "Invalid experiment ID 'abc'. Experiment ID must be a valid integer."},
		{"a name that is not there", "GET experiments/get-by-name?experiment_name=zz", "", 404, "Could not find experiment with name 'zz'"},
		{"no name", "POST experiments/create", `{}`, 400, strings.Replace(missing, "%s", "name", 1)},
		{"a blank name", "POST experiments/create", `{"name":"   "}`, 400, "Invalid experiment name: '   '"},
		{"a long name", "POST experiments/create", `{"name":"` + strings.Repeat("ż", 501) + `"}`, 400, "'name' exceeds the maximum length of 500 characters"},
		{"the longest name", "POST experiments/create", `{"name":"` + strings.Repeat("ż", 500) + `"}`, 200, `{"experiment_id":"2"}`},
		{
			"a tag with a bad key", "POST experiments/create", `{"name":"e3","tags":[{"key":"a$","value":""}]}`, 400,
			`Invalid value "a$" for parameter 'key' supplied: Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).`,
		},

		{"set a tag", "POST experiments/set-experiment-tag", `{"experiment_id":"1","key":"k","value":""}`, 200, `{}`},
		{"set it again", "POST experiments/set-experiment-tag", `{"experiment_id":"1","key":"k","value":"v"}`, 200, `{}`},
		{"a tag without a value", "POST experiments/set-experiment-tag", `{"experiment_id":"1","key":"k"}`, 400, strings.Replace(missing, "%s", "value", 1)},
		{"a tag without a key", "POST experiments/set-experiment-tag", `{"experiment_id":"1","value":"v"}`, 400, strings.Replace(missing, "%s", "key", 1)},
		{"a long tag", "POST experiments/set-experiment-tag", `{"experiment_id":"1","key":"k","value":"` + strings.Repeat("x", 20001) + `"}`, 400, "'value' exceeds the maximum length of 20000 characters"},
		{"a long key", "POST experiments/set-experiment-tag", `{"experiment_id":"1","key":"` + strings.Repeat("k", 251) + `","value":"v"}`, 400, "'key' exceeds the maximum length of 250 characters"},
		{"delete a tag", "POST experiments/delete-experiment-tag", `{"experiment_id":"1","key":"team"}`, 200, `{}`},
		{"delete it twice", "POST experiments/delete-experiment-tag", `{"experiment_id":"1","key":"team"}`, 404, "No tag with name: team in experiment with id 1"},

		{"rename", "POST experiments/update", `{"experiment_id":"1","new_name":"e1b"}`, 200, `{}`},
		{"rename to a name that is taken", "POST experiments/update", `{"experiment_id":"1","new_name":"Default"}`, 400, "Experiment(name=Default) already exists."},
		{"rename to nothing", "POST experiments/update", `{"experiment_id":"1","new_name":""}`, 400, strings.Replace(missing, "%s", "new_name", 1)},
		{"rename to blanks", "POST experiments/update", `{"experiment_id":"1","new_name":" "}`, 400, "Invalid experiment name: ' '"},

		{"delete", "POST experiments/delete", `{"experiment_id":"1"}`, 200, `{}`},
		{"a deleted one is still found", "GET experiments/get-by-name?experiment_name=e1b", "", 200, `{"experiment":` + anExperiment("1", "e1b", "deleted", `{"key":"k","value":"v"}`) + `}`},
		{"delete twice", "POST experiments/delete", `{"experiment_id":"1"}`, 404, "No Experiment with id=1 exists"},
		{"its name stays taken", "POST experiments/create", `{"name":"e1b"}`, 400, "Experiment(name=e1b) already exists."},
		{"rename a deleted one", "POST experiments/update", `{"experiment_id":"1","new_name":"z"}`, 400, "Cannot rename a non-active experiment."},
		{"tag a deleted one", "POST experiments/set-experiment-tag", `{"experiment_id":"1","key":"k","value":"v"}`, 400, "The experiment 1 must be in the 'active' state. Current state is deleted."},
		{"a run of a deleted one", "POST runs/create", `{"experiment_id":"1"}`, 400, "The experiment 1 must be in the 'active' state. Current state is deleted."},
		{"restore", "POST experiments/restore", `{"experiment_id":"1"}`, 200, `{}`},
		{"restore an active one", "POST experiments/restore", `{"experiment_id":"1"}`, 404, "No Experiment with id=1 exists"},
		{"the default one may go", "POST experiments/delete", `{"experiment_id":0}`, 200, `{}`},
	})
}

func anExperiment(id, name, stage, tag string) string {
	tags := ""
	if tag != "" {
		tags = `,"tags":[` + tag + `]`
	}
	times := `"last_update_time":1800000000000,"creation_time":1800000000000`
	return `{"experiment_id":"` + id + `","name":"` + name + `","artifact_location":"mlflow-artifacts:/` + id + `","lifecycle_stage":"` + stage + `",` + times + tags + `,"workspace":"default"}`
}

func TestWhereArtifactsOfAnExperimentMayLie(t *testing.T) {
	const elsewhere = "'artifact_location' cannot be '%s': artifacts lie at mlflow-artifacts:/ or where flyball serve --artifact-location allows it."
	host := func(scheme string) string {
		return strings.ReplaceAll("'artifact_location' cannot use the '%s' scheme: the '%s' scheme addresses a host other than the tracking server's configured artifact storage, so the server would connect to the host named in the URI. Leave artifact_location out, or start the server with flyball serve --artifact-location and a prefix of it.", "%s", scheme)
	}
	c := newClient(t, func(o *Options) { o.Tracker.Locations = []string{"s3://ours/mlflow", "gs://ours/"} })
	for i, e := range []struct{ location, want string }{
		{"", ""},
		{"mlflow-artifacts:/mine", ""},
		{"mlflow-artifacts:/", ""},
		{"s3://ours/mlflow", ""},
		{"s3://ours/mlflow/a", ""},
		{"gs://ours/a/b", ""},
		{"s3://ours/mlflow-of-others", strings.Replace(elsewhere, "%s", "s3://ours/mlflow-of-others", 1)},
		{"s3://ours/mlflow/../x", strings.Replace(elsewhere, "%s", "s3://ours/mlflow/../x", 1)},
		{"s3://b/../k", strings.Replace(elsewhere, "%s", "s3://b/../k", 1)},
		{"mlflow-artifacts:/../x", strings.Replace(elsewhere, "%s", "mlflow-artifacts:/../x", 1)},
		{"mlflow-artifacts:/a/%2e%2e/x", strings.Replace(elsewhere, "%s", "mlflow-artifacts:/a/%2e%2e/x", 1)},
		{"mlflow-artifacts:mine", strings.Replace(elsewhere, "%s", "mlflow-artifacts:mine", 1)},
		{"/etc", strings.Replace(elsewhere, "%s", "/etc", 1)},
		{"file:///etc", strings.Replace(elsewhere, "%s", "file:///etc", 1)},
		{"relative/path", strings.Replace(elsewhere, "%s", "relative/path", 1)},
		{"C:/x", strings.Replace(elsewhere, "%s", "C:/x", 1)},
		{"http://h/x", host("http")},
		{"https://h/x", host("https")},
		{"ftp://h/x", host("ftp")},
		{"sftp://h/x", host("sftp")},
		{"hdfs://h/x", host("hdfs")},
		{"viewfs://h/x", host("viewfs")},
		{"r2://h/x", host("r2")},
		{"b2://h/x", host("b2")},
		{"abfss://h/x", host("abfss")},
		{"mlflow-artifacts://h:1/x", host("mlflow-artifacts")},
		{"mlflow-artifacts:/a#b", "'artifact_location' URL can't include fragments or params."},
		{"mlflow-artifacts:/a;b", "'artifact_location' URL can't include fragments or params."},
		{"s3://ours/mlflow?x=../y", "Invalid query string"},
		{"runs:/1/a", "Artifact location cannot be a runs:/ URI. Given: 'runs:/1/a'"},
		{"mlflow-artifacts:/" + strings.Repeat("a", 2048), "Invalid artifact path length. The length of the artifact path cannot be greater than 2048 characters."},
	} {
		name := strings.Repeat("e", i+1)
		w := c.ask("POST experiments/create", `{"name":"`+name+`","artifact_location":"`+e.location+`"}`)
		got := w.Body.String()
		if e.want == "" {
			if w.Code != 200 {
				t.Errorf("%s: %d %s, want it taken", e.location, w.Code, got)
			}
			continue
		}
		if m, _ := readJSON(t, got).(map[string]any)["message"].(string); w.Code != 400 || m != e.want {
			t.Errorf("%s: %d\n got %q\nwant %q", e.location, w.Code, m, e.want)
		}
	}
}

func TestExperimentsAreSearched(t *testing.T) {
	c := newClient(t)
	for _, name := range []string{"a", "b", "c"} {
		c.ask("POST experiments/create", `{"name":"`+name+`"}`)
	}
	c.ask("POST experiments/delete", `{"experiment_id":"3"}`)
	a, b := anExperiment("1", "a", "active", ""), anExperiment("2", "b", "active", "")
	c.talk([]exchange{
		{"by POST", "POST experiments/search", `{"max_results":10,"filter":"name != 'Default'","order_by":["name DESC"]}`, 200, `{"experiments":[` + b + `,` + a + `]}`},
		{"by GET", "GET experiments/search?max_results=10&filter=name+!%3D+'Default'&order_by=name", "", 200, `{"experiments":[` + a + `,` + b + `]}`},
		{"deleted ones", "POST experiments/search", `{"max_results":"10","view_type":2}`, 200, `{"experiments":[` + anExperiment("3", "c", "deleted", "") + `]}`},
		{"none", "POST experiments/search", `{"max_results":10,"filter":"name = 'zz'"}`, 200, `{}`},
		{"a page that is exactly full is the last", "POST experiments/search", `{"max_results":2,"filter":"name != 'Default'","order_by":["name"]}`, 200, `{"experiments":[` + a + `,` + b + `]}`},
		{"no length", "POST experiments/search", `{}`, 400, "Invalid value 0 for parameter 'max_results' supplied. It must be a positive integer"},
		{"a length of 0", "POST experiments/search", `{"max_results":0}`, 400, "Invalid value 0 for parameter 'max_results' supplied. It must be a positive integer"},
		{"too long a page", "POST experiments/search", `{"max_results":50001}`, 400, "Invalid value 50001 for parameter 'max_results' supplied. It must be at most 50000"},
		{"a token that is none", "POST experiments/search", `{"max_results":1,"page_token":"?"}`, 400, "Invalid page token, could not base64-decode"},
		{
			"an unknown view", "POST experiments/search", `{"max_results":1,"view_type":"SOME"}`, 400,
			`Invalid value "SOME" for parameter 'view_type' supplied:  Hint: Value was of type 'str'. See the API docs for more information about request parameters.`,
		},
		{"datasets of no experiment", "POST experiments/search-datasets", `{}`, 400, "SearchDatasets request must specify at least one experiment_id."},
		{"datasets of too many", "POST experiments/search-datasets", `{"experiment_ids":[` + strings.Repeat(`"1",`, 20) + `"1"]}`, 400, "SearchDatasets request cannot specify more than 20 experiment_ids. Received 21 experiment_ids."},
		{"no datasets", "POST experiments/search-datasets", `{"experiment_ids":["1"]}`, 200, `{}`},
	})
	w := c.ask("POST experiments/search", `{"max_results":1,"filter":"name != 'Default'","order_by":["name"]}`)
	next, _ := readJSON(t, w.Body.String()).(map[string]any)["next_page_token"].(string)
	if next == "" {
		t.Fatal("a page with more to come has no token")
	}
	c.talk([]exchange{{"the next page", "POST experiments/search", `{"max_results":1,"filter":"name != 'Default'","order_by":["name"],"page_token":"` + next + `"}`, 200, `{"experiments":[` + b + `]}`}})
}
