// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"fmt"
	"strings"
	"testing"
)

// aRun is a run of experiment 0 as it is answered.
func aRun(id, name, more, data, rest string) string {
	return `{"info":{"run_id":"` + id + `","run_uuid":"` + id + `","run_name":"` + name + `","experiment_id":"0",` + more +
		`"artifact_uri":"mlflow-artifacts:/0/` + id + `/artifacts","lifecycle_stage":"active"},"data":` + data + `,"inputs":{}` + rest + `}`
}

func need(field string) string { return strings.Replace(missing, "%s", field, 1) }

func wrong(value, field, kind string) string {
	return "Invalid value " + value + " for parameter '" + field + "' supplied:  Hint: Value was of type '" + kind + "'. See the API docs for more information about request parameters."
}

func TestARunFromBeginningToEnd(t *testing.T) {
	const running, named = `"user_id":"alice","status":"RUNNING","start_time":123,`, `{"tags":[{"key":"mlflow.runName","value":"r"}]}`
	newClient(t).talk([]exchange{
		{"create", "POST runs/create", `{"experiment_id":"0","user_id":"alice","run_name":"r","start_time":123}`, 200, `{"run":` + aRun("$1", "r", running, named, "") + `}`},
		{"get", "GET runs/get?run_id=$1&run_uuid=$1", "", 200, `{"run":` + aRun("$1", "r", running, named, `,"outputs":{}`) + `}`},
		{"get by its old name", "GET runs/get?run_uuid=$1", "", 200, `{"run":` + aRun("$1", "r", running, named, `,"outputs":{}`) + `}`},
		{"an unknown run", "GET runs/get?run_id=00", "", 404, "Run with id=00 not found"},
		{"no run", "GET runs/get", "", 400, need("run_id")},
		{
			"end", "POST runs/update", `{"run_id":"$1","status":"FINISHED","end_time":456}`, 200,
			`{"run_info":{"run_id":"$1","run_uuid":"$1","run_name":"r","experiment_id":"0","user_id":"alice","status":"FINISHED","start_time":123,"end_time":456,"artifact_uri":"mlflow-artifacts:/0/$1/artifacts","lifecycle_stage":"active"}}`,
		},
		{
			"resume with the old end", "POST runs/update", `{"run_id":"$1","status":1,"end_time":456}`, 200,
			`{"run_info":{"run_id":"$1","run_uuid":"$1","run_name":"r","experiment_id":"0","user_id":"alice","status":"RUNNING","start_time":123,"end_time":456,"artifact_uri":"mlflow-artifacts:/0/$1/artifacts","lifecycle_stage":"active"}}`,
		},
		{
			"rename; what is not said stays", "POST runs/update", `{"run_id":"$1","run_name":"s"}`, 200,
			`{"run_info":{"run_id":"$1","run_uuid":"$1","run_name":"s","experiment_id":"0","user_id":"alice","status":"RUNNING","start_time":123,"end_time":456,"artifact_uri":"mlflow-artifacts:/0/$1/artifacts","lifecycle_stage":"active"}}`,
		},
		{"the name is the tag", "GET runs/get?run_id=$1", "", 200, `{"run":` + aRun("$1", "s", `"user_id":"alice","status":"RUNNING","start_time":123,"end_time":456,`, `{"tags":[{"key":"mlflow.runName","value":"s"}]}`, `,"outputs":{}`) + `}`},
		{"the tag is the name", "POST runs/set-tag", `{"run_id":"$1","key":"mlflow.runName","value":"t"}`, 200, `{}`},
		{"as is seen", "GET runs/get?run_id=$1", "", 200, `{"run":` + aRun("$1", "t", `"user_id":"alice","status":"RUNNING","start_time":123,"end_time":456,`, `{"tags":[{"key":"mlflow.runName","value":"t"}]}`, `,"outputs":{}`) + `}`},
		{"an unknown state", "POST runs/update", `{"run_id":"$1","status":"DONE"}`, 400, wrong(`"DONE"`, "status", "str")},
		{"a state too far", "POST runs/update", `{"run_id":"$1","status":6}`, 400, wrong(`6`, "status", "int")},
		{"an end that is no number", "POST runs/update", `{"run_id":"$1","end_time":"soon"}`, 400, wrong(`"soon"`, "end_time", "str")},
		{"update an unknown run", "POST runs/update", `{"run_id":"00","status":"FINISHED"}`, 404, "Run with id=00 not found"},
		{"delete", "POST runs/delete", `{"run_id":"$1"}`, 200, `{}`},
		{"delete again", "POST runs/delete", `{"run_id":"$1"}`, 200, `{}`},
		{"delete an unknown one", "POST runs/delete", `{"run_id":"00"}`, 404, "Run with id=00 not found"},
		{"log to a deleted one", "POST runs/log-metric", `{"run_id":"$1","key":"k","value":1,"timestamp":1}`, 400, "The run $1 must be in the 'active' state. Current state is deleted."},
		{"batch to a deleted one", "POST runs/log-batch", `{"run_id":"$1","params":[{"key":"k","value":"1"}]}`, 400, "The run $1 must be in the 'active' state. Current state is deleted."},
		{"restore", "POST runs/restore", `{"run_id":"$1"}`, 200, `{}`},
		{"restore again", "POST runs/restore", `{"run_id":"$1"}`, 200, `{}`},
		{"restore an unknown one", "POST runs/restore", `{"run_id":"00"}`, 404, "Run with id=00 not found"},
		{"it is back", "POST runs/log-metric", `{"run_id":"$1","key":"k","value":1,"timestamp":1}`, 200, `{}`},
	})
}

func TestNamesOfRuns(t *testing.T) {
	anew := func(id, name, tags string) string {
		return `{"run":` + aRun(id, name, `"user_id":"","status":"RUNNING","start_time":0,`, `{"tags":[`+tags+`{"key":"mlflow.runName","value":"`+name+`"}]}`, "") + `}`
	}
	newClient(t).talk([]exchange{
		{"without one, one is made up, and without an experiment it is the default one", "POST runs/create", `{}`, 200, anew("$1", "$name", "")},
		{"an empty body will do", "POST runs/create", ``, 200, anew("$2", "$name", "")},
		{"a tag is a name", "POST runs/create", `{"tags":[{"key":"mlflow.runName","value":"b"}]}`, 200, anew("$3", "b", "")},
		{"both, and equal", "POST runs/create", `{"run_name":"b","tags":[{"key":"a","value":""},{"key":"mlflow.runName","value":"b"}]}`, 200, anew("$4", "b", `{"key":"a","value":""},`)},
		{"of equal tags the last counts", "POST runs/create", `{"run_name":"b","tags":[{"key":"a","value":"1"},{"key":"a","value":"2"}]}`, 200, anew("$5", "b", `{"key":"a","value":"2"},`)},
		{
			"both, and unequal", "POST runs/create", `{"run_name":"a","tags":[{"key":"mlflow.runName","value":"b"}]}`, 400,
			"Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values (run_name='a', mlflow.runName='b').",
		},
		{"a key of any characters, for MLflow takes it here", "POST runs/create", `{"run_name":"c","tags":[{"key":"a@b/../c","value":"` + strings.Repeat("x", 8001) + `"}]}`, 200, anew("$6", "c", `{"key":"a@b/../c","value":"`+strings.Repeat("x", 8000)+`"},`)},
		{"a long key", "POST runs/create", `{"tags":[{"key":"` + strings.Repeat("k", 251) + `","value":""}]}`, 400, "'key' exceeds the maximum length of 250 characters"},
		{"an experiment that is not there", "POST runs/create", `{"experiment_id":"99"}`, 404, "No Experiment with id=99 exists"},
		{"an experiment that is no number", "POST runs/create", `{"experiment_id":"x"}`, 400, "Invalid experiment ID 'x'. Experiment ID must be a valid integer."},
		{"a tag without a key", "POST runs/create", `{"tags":[{"value":"b"}]}`, 400, need("tags[0].key")},
		{"a name that is a number", "POST runs/create", `{"run_name":123}`, 400, wrong("123", "run_name", "int")},
	})
}

func TestParamsAreWrittenOnce(t *testing.T) {
	newClient(t).talk([]exchange{
		{"a run", "POST runs/create", `{"run_name":"r"}`, 200, `{"run":` + aRun("$1", "r", `"user_id":"","status":"RUNNING","start_time":0,`, `{"tags":[{"key":"mlflow.runName","value":"r"}]}`, "") + `}`},
		{"log", "POST runs/log-parameter", `{"run_id":"$1","run_uuid":"$1","key":"a","value":"1"}`, 200, `{}`},
		{"the same again", "POST runs/log-parameter", `{"run_id":"$1","key":"a","value":"1"}`, 200, `{}`},
		{
			"another value", "POST runs/log-parameter", `{"run_id":"$1","key":"a","value":"2"}`, 400,
			"Changing param values is not allowed. Param with key='a' was already logged with value='1' for run ID='$1'. Attempted logging new value '2'.",
		},
		{"no value is an empty one", "POST runs/log-parameter", `{"run_id":"$1","key":"empty"}`, 200, `{}`},
		{"no key", "POST runs/log-parameter", `{"run_id":"$1","value":"2"}`, 400, need("key")},
		{
			"another value in a batch", "POST runs/log-batch", `{"run_id":"$1","params":[{"key":"b","value":"1"},{"key":"a","value":"2"}],"tags":[{"key":"t","value":"1"}],"metrics":[{"key":"m","value":1,"timestamp":1}]}`, 400,
			"Changing param values is not allowed. Params were already logged='[{'key': 'a', 'old_value': '1', 'new_value': '2'}]' for run ID='$1'.",
		},
		{
			"one key twice", "POST runs/log-batch", `{"run_id":"$1","params":[{"key":"d","value":"1"},{"key":"d","value":"1"},{"key":"d","value":"1"}]}`, 400,
			"Duplicate parameter keys have been submitted: ['d', 'd']. Please ensure the request contains only one param value per param key.",
		},
		{"of tags the last", "POST runs/log-batch", `{"run_id":"$1","tags":[{"key":"t","value":"1"},{"key":"t","value":"2"}]}`, 200, `{}`},
		{"a long value is cut", "POST runs/log-parameter", `{"run_id":"$1","key":"long","value":"` + strings.Repeat("é", 6001) + `"}`, 200, `{}`},
		{"a long tag is cut", "POST runs/set-tag", `{"run_id":"$1","key":"u","value":"` + strings.Repeat("é", 8001) + `"}`, 200, `{}`},
		{"a batch that was refused left nothing", "GET runs/get?run_id=$1", "", 200, `{"run":` + aRun("$1", "r", `"user_id":"","status":"RUNNING","start_time":0,`,
			`{"params":[{"key":"a","value":"1"},{"key":"empty","value":""},{"key":"long","value":"`+strings.Repeat("é", 6000)+`"}],`+
				`"tags":[{"key":"mlflow.runName","value":"r"},{"key":"t","value":"2"},{"key":"u","value":"`+strings.Repeat("é", 8000)+`"}]}`, `,"outputs":{}`) + `}`},
		{"delete a tag", "POST runs/delete-tag", `{"run_id":"$1","key":"t"}`, 200, `{}`},
		{"delete it twice", "POST runs/delete-tag", `{"run_id":"$1","key":"t"}`, 404, "No tag with name: t in run with id $1"},
		{"delete a tag of an unknown run", "POST runs/delete-tag", `{"run_id":"00","key":"t"}`, 404, "Run with id=00 not found"},
		{"an unknown run", "POST runs/log-parameter", `{"run_id":"00","key":"a","value":"1"}`, 404, "Run with id=00 not found"},
		{"a tag without a value", "POST runs/set-tag", `{"run_id":"$1","key":"t"}`, 200, `{}`},
		{"a tag without a key", "POST runs/set-tag", `{"run_id":"$1"}`, 400, need("key")},
	})
}

func TestLimitsOfABatch(t *testing.T) {
	list := func(n int, item string) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strings.ReplaceAll(item, "#", fmt.Sprint(i)))
		}
		return "[" + b.String() + "]"
	}
	metrics := func(n int) string { return list(n, `{"key":"k#","value":#,"timestamp":1}`) }
	pairs := func(n int) string { return list(n, `{"key":"k#","value":"v"}`) }
	const characters = `Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).`
	const path = `Names may be treated as files in certain cases, and must not resolve to other names when treated as such. This name would resolve to `
	at := func(value, where, why string) string {
		return `Invalid value ` + value + ` for parameter '` + where + `' supplied: ` + why
	}
	c := newClient(t)
	c.ask("POST runs/create", `{}`)
	c.talk([]exchange{
		{"nothing", "POST runs/log-batch", `{"run_id":"$1"}`, 200, `{}`},
		{"metrics", "POST runs/log-batch", `{"run_id":"$1","metrics":` + metrics(1001) + `}`, 400, "A batch logging request can contain at most 1000 metrics. Got 1001 metrics. Please split up metrics across multiple requests and try again."},
		{"params", "POST runs/log-batch", `{"run_id":"$1","params":` + pairs(101) + `}`, 400, "A batch logging request can contain at most 100 params. Got 101 params. Please split up params across multiple requests and try again."},
		{"tags", "POST runs/log-batch", `{"run_id":"$1","tags":` + pairs(101) + `}`, 400, "A batch logging request can contain at most 100 tags. Got 101 tags. Please split up tags across multiple requests and try again."},
		{"all", "POST runs/log-batch", `{"run_id":"$1","metrics":` + metrics(901) + `,"params":` + pairs(100) + `}`, 400, "A batch logging request can contain at most 1000 metrics, params, and tags. Got 1001 metrics, params, and tags. Please split up metrics, params, and tags across multiple requests and try again."},
		{"the most", "POST runs/log-batch", `{"run_id":"$1","metrics":` + metrics(800) + `,"params":` + pairs(100) + `,"tags":` + pairs(100) + `}`, 200, `{}`},

		{"a long metric key", "POST runs/log-batch", `{"run_id":"$1","metrics":[{"key":"` + strings.Repeat("k", 251) + `","value":1,"timestamp":1}]}`, 400, "'Metric name' exceeds the maximum length of 250 characters"},
		{"a long param key", "POST runs/log-parameter", `{"run_id":"$1","key":"` + strings.Repeat("k", 251) + `","value":"1"}`, 400, "'Param key' exceeds the maximum length of 250 characters"},
		{"a long tag key", "POST runs/set-tag", `{"run_id":"$1","key":"` + strings.Repeat("k", 251) + `","value":"1"}`, 400, "'key' exceeds the maximum length of 250 characters"},
		{"the longest key", "POST runs/set-tag", `{"run_id":"$1","key":"` + strings.Repeat("k", 250) + `","value":"1"}`, 200, `{}`},

		{"characters of a metric", "POST runs/log-batch", `{"run_id":"$1","metrics":[{"key":"a$","value":1,"timestamp":1}]}`, 400, at(`"a$"`, "metrics[0].name", characters)},
		{"characters of a param", "POST runs/log-batch", `{"run_id":"$1","params":[{"key":"a"},{"key":"b"},{"key":"c"},{"key":"<"}]}`, 400, at(`"<"`, "params[3].key", characters)},
		{"characters of a tag", "POST runs/log-batch", `{"run_id":"$1","tags":[{"key":"a"},{"key":"b\n"}]}`, 400, at(`"b\n"`, "tags[1].key", characters)},
		{"characters of one metric", "POST runs/log-metric", `{"run_id":"$1","key":"a$","value":1,"timestamp":1}`, 400, at(`"a$"`, "name", characters)},
		{"characters of one param", "POST runs/log-parameter", `{"run_id":"$1","key":"a$","value":"1"}`, 400, at(`"a$"`, "key", characters)},
		{"characters of one tag", "POST runs/set-tag", `{"run_id":"$1","key":"a$","value":"1"}`, 400, at(`"a$"`, "key", characters)},
		{"letters of any script, and all that is allowed", "POST runs/log-batch", `{"run_id":"$1","tags":[{"key":"żółw/ABC_1.2-3 4:5","value":"x"},{"key":"数","value":"x"}]}`, 200, `{}`},
		{"a key that is a folder", "POST runs/set-tag", `{"run_id":"$1","key":".","value":"1"}`, 400, at(`"."`, "key", path+"'.'")},
		{"a key that leads up", "POST runs/set-tag", `{"run_id":"$1","key":"..","value":"1"}`, 400, at(`".."`, "key", path+"'..'")},
		{"a key that leads up later", "POST runs/set-tag", `{"run_id":"$1","key":"a/../../b","value":"1"}`, 400, at(`"a/../../b"`, "key", path+"'../b'")},
		{"an absolute key", "POST runs/set-tag", `{"run_id":"$1","key":"/a","value":"1"}`, 400, at(`"/a"`, "key", path+"'/a'")},
		{"a key with two slashes", "POST runs/log-batch", `{"run_id":"$1","params":[{"key":"a//b","value":"1"}]}`, 400, at(`"a//b"`, "params[0].key", path+"'a/b'")},

		{"a metric without a key", "POST runs/log-batch", `{"run_id":"$1","metrics":[{"value":1,"timestamp":1}]}`, 400, need("metrics[0].key")},
		{"a metric without a value", "POST runs/log-batch", `{"run_id":"$1","metrics":[{"key":"k","timestamp":1}]}`, 400, need("metrics[0].value")},
		{"a metric without a time", "POST runs/log-batch", `{"run_id":"$1","metrics":[{"key":"k","value":1}]}`, 400, need("metrics[0].timestamp")},
		{"a param without a key", "POST runs/log-batch", `{"run_id":"$1","params":[{"value":"1"}]}`, 400, need("params[0].key")},
		{"a tag without a key", "POST runs/log-batch", `{"run_id":"$1","tags":[{"value":"1"}]}`, 400, need("tags[0].key")},
		{"a metric that is no object", "POST runs/log-batch", `{"run_id":"$1","metrics":[1]}`, 400, wrong("1", "metrics[0]", "int")},
		{"metrics that are no list", "POST runs/log-batch", `{"run_id":"$1","metrics":{"key":"k"}}`, 400, wrong("{…}", "metrics", "dict")},
		{"a value that is no number", "POST runs/log-metric", `{"run_id":"$1","key":"k","value":"high","timestamp":1}`, 400, wrong(`"high"`, "value", "str")},
		{"a truth is no number", "POST runs/log-metric", `{"run_id":"$1","key":"k","value":true,"timestamp":1}`, 400, wrong(`true`, "value", "bool")},
		{"a step that does not fit", "POST runs/log-metric", `{"run_id":"$1","key":"k","value":1,"timestamp":1,"step":9223372036854775808}`, 400, wrong(`9223372036854775808`, "step", "int")},
		{"a step with a fraction", "POST runs/log-metric", `{"run_id":"$1","key":"k","value":1,"timestamp":1,"step":1.5}`, 400, wrong(`1.5`, "step", "float")},
		{"a time before 1970", "POST runs/log-metric", `{"run_id":"$1","key":"k","value":1,"timestamp":-1}`, 400, at("-1", "timestamp", "metric 'k' (value=1.0). Timestamp must be a nonnegative long (64-bit integer) ")},
		{"the same in a batch", "POST runs/log-batch", `{"run_id":"$1","metrics":[{"key":"k","value":1e-5,"timestamp":-1}]}`, 400, at("-1", "metrics[0].timestamp", "metric 'k' (value=1e-05). Timestamp must be a nonnegative long (64-bit integer) ")},
		{"a batch for no run", "POST runs/log-batch", `{"run_id":"","params":[]}`, 400, need("run_id")},
		{"a batch for what cannot be a run", "POST runs/log-batch", `{"run_id":"a/b"}`, 400, `Invalid value "a/b" for parameter 'run_id' supplied.`},
		{"a batch for an unknown run", "POST runs/log-batch", `{"run_id":"00"}`, 404, "Run with id=00 not found"},
	})
}

func TestDatasetsAndModels(t *testing.T) {
	const ds = `{"name":"d","digest":"1","source_type":"code","source":"{}","schema":"{\"a\":1}"}`
	c := newClient(t)
	c.ask("POST runs/create", `{"run_name":"r"}`)
	input := func(field, value string) string {
		return strings.Replace(`{"run_id":"$1","datasets":[{"dataset":`+ds+`}]}`, `"`+field+`":"`, `"`+field+`":"`+value, 1)
	}
	long := func(n int) string { return strings.Repeat("x", n) }
	c.talk([]exchange{
		{"log", "POST runs/log-inputs", `{"run_id":"$1","datasets":[{"tags":[{"key":"mlflow.data.context","value":"train"}],"dataset":` + ds + `}],"models":[{"model_id":"m-1"}]}`, 200, `{}`},
		{"again, with other words", "POST runs/log-inputs", `{"run_id":"$1","datasets":[{"tags":[{"key":"mlflow.data.context","value":"eval"}],"dataset":{"name":"d","digest":"1","source_type":"x","source":"y"}}]}`, 200, `{}`},
		{"nothing", "POST runs/log-inputs", `{"run_id":"$1","datasets":[]}`, 200, `{}`},
		{"outputs", "POST runs/outputs", `{"run_id":"$1","models":[{"model_id":"m-2","step":"3"},{"model_id":"m-unknown"}]}`, 200, `{}`},
		{"outputs again", "POST runs/outputs", `{"run_id":"$1","models":[{"model_id":"m-2","step":3}]}`, 200, `{}`},
		{"the first words stay", "GET runs/get?run_id=$1", "", 200, strings.NewReplacer(`"inputs":{}`,
			`"inputs":{"dataset_inputs":[{"tags":[{"key":"mlflow.data.context","value":"train"}],"dataset":`+ds+`}],"model_inputs":[{"model_id":"m-1"}]}`).Replace(
			`{"run":` + aRun("$1", "r", `"user_id":"","status":"RUNNING","start_time":0,`, `{"tags":[{"key":"mlflow.runName","value":"r"}]}`,
				`,"outputs":{"model_outputs":[{"model_id":"m-unknown","step":0},{"model_id":"m-2","step":3}]}`) + `}`)},
		{"what the experiment read", "POST /ajax-api/2.0/mlflow/experiments/search-datasets", `{"experiment_ids":["0"]}`, 200, `{"dataset_summaries":[{"experiment_id":"0","name":"d","digest":"1","context":"train"}]}`},
		{"no outputs", "POST runs/outputs", `{"run_id":"$1"}`, 400, need("models")},
		{"an output without a model", "POST runs/outputs", `{"run_id":"$1","models":[{"step":1}]}`, 400, need("models[0].model_id")},
		{"an input without a model", "POST runs/log-inputs", `{"run_id":"$1","models":[{}]}`, 400, need("models[0].model_id")},
		{"no dataset", "POST runs/log-inputs", `{"run_id":"$1","datasets":[{}]}`, 400, need("datasets[0].dataset")},
		{"a dataset without a name", "POST runs/log-inputs", `{"run_id":"$1","datasets":[{"dataset":{"digest":"1"}}]}`, 400, need("datasets[0].dataset.name")},
		{"a dataset without a digest", "POST runs/log-inputs", `{"run_id":"$1","datasets":[{"dataset":{"name":"1"}}]}`, 400, need("datasets[0].dataset.digest")},
		{"a long name", "POST runs/log-inputs", input("name", long(500)), 400, "'name' exceeds the maximum length of 500 characters"},
		{"a long digest", "POST runs/log-inputs", input("digest", long(36)), 400, "'digest' exceeds the maximum length of 36 characters"},
		{"a long source", "POST runs/log-inputs", input("source", long(65535)), 400, "'source' exceeds the maximum length of 65535 characters"},
		{"a long schema", "POST runs/log-inputs", input("schema", long(1048575)), 400, "'schema' exceeds the maximum length of 1048575 characters"},
		{"a long profile", "POST runs/log-inputs", `{"run_id":"$1","datasets":[{"dataset":{"name":"1","digest":"1","profile":"` + long(16777216) + `"}}]}`, 400, "'profile' exceeds the maximum length of 16777215 characters"},
		{"a long key", "POST runs/log-inputs", `{"run_id":"$1","datasets":[{"dataset":` + ds + `,"tags":[{"key":"` + long(256) + `"}]}]}`, 400, "'key' exceeds the maximum length of 255 characters"},
		{"a long value", "POST runs/log-inputs", `{"run_id":"$1","datasets":[{"dataset":` + ds + `,"tags":[{"key":"k","value":"` + long(501) + `"}]}]}`, 400, "'value' exceeds the maximum length of 500 characters"},
		{"an unknown run", "POST runs/log-inputs", `{"run_id":"00","datasets":[{"dataset":` + ds + `}]}`, 404, "Run with id=00 not found"},
		{"what cannot be a run", "POST runs/log-inputs", `{"run_id":"-","datasets":[]}`, 400, `Invalid value "-" for parameter 'run_id' supplied.`},
	})
}

func TestModelsLoggedTheOldWay(t *testing.T) {
	const model = `{\"run_id\": \"1\", \"artifact_path\": \"m\", \"utc_time_created\": \"now\", \"flavors\": {\"a\": 1.50}}`
	c := newClient(t)
	c.ask("POST runs/create", `{"run_name":"r"}`)
	c.talk([]exchange{
		{"log", "POST runs/log-model", `{"run_id":"$1","model_json":"` + model + `"}`, 200, `{}`},
		{"another", "POST runs/log-model", `{"run_id":"$1","model_json":"` + model + `"}`, 200, `{}`},
		{"both are told", "GET runs/get?run_id=$1", "", 200, `{"run":` + aRun("$1", "r", `"user_id":"","status":"RUNNING","start_time":0,`,
			`{"tags":[{"key":"mlflow.log-model.history","value":"[`+model+`, `+model+`]"},{"key":"mlflow.runName","value":"r"}]}`, `,"outputs":{}`) + `}`},
		{"too little", "POST runs/log-model", `{"run_id":"$1","model_json":"{\"flavors\":{},\"run_id\":1}"}`, 400, "Model json is missing mandatory fields: {'artifact_path', 'utc_time_created'}"},
		{"no JSON", "POST runs/log-model", `{"run_id":"$1","model_json":"nope"}`, 400, "Malformed model info. \n nope \n is not a valid JSON."},
		{"nothing", "POST runs/log-model", `{"run_id":"$1"}`, 400, need("model_json")},
		{"an unknown run", "POST runs/log-model", `{"run_id":"00","model_json":"` + model + `"}`, 404, "Run with id=00 not found"},
	})
}

func TestRunsAreSearched(t *testing.T) {
	c := newClient(t)
	for i := range 3 {
		c.ask("POST runs/create", fmt.Sprintf(`{"run_name":"r%d","start_time":%d}`, i, i+1))
		c.ask("POST runs/log-metric", fmt.Sprintf(`{"run_id":"$%d","key":"acc","value":%d,"timestamp":1}`, i+1, i))
	}
	run := func(i int) string {
		return aRun(fmt.Sprintf("$%d", i+1), fmt.Sprintf("r%d", i), fmt.Sprintf(`"user_id":"","status":"RUNNING","start_time":%d,`, i+1),
			fmt.Sprintf(`{"metrics":[{"key":"acc","value":%d,"timestamp":1,"step":0}],"tags":[{"key":"mlflow.runName","value":"r%d"}]}`, i, i), `,"outputs":{}`)
	}
	c.talk([]exchange{
		{"the newest first", "POST runs/search", `{"experiment_ids":["0"]}`, 200, `{"runs":[` + run(2) + `,` + run(1) + `,` + run(0) + `]}`},
		{"filtered and ordered", "POST runs/search", `{"experiment_ids":["0"],"filter":"metrics.acc < 2","order_by":["metrics.acc ASC"]}`, 200, `{"runs":[` + run(0) + `,` + run(1) + `]}`},
		{"of no experiment", "POST runs/search", `{}`, 200, `{}`},
		{"of an unknown one", "POST runs/search", `{"experiment_ids":["77"]}`, 200, `{}`},
		{"of one that is no number", "POST runs/search", `{"experiment_ids":["x"]}`, 400, "Invalid experiment ID 'x'. Experiment ID must be a valid integer."},
		{"no deleted ones", "POST runs/search", `{"experiment_ids":["0"],"run_view_type":"DELETED_ONLY"}`, 200, `{}`},
		{"a length of 0", "POST runs/search", `{"experiment_ids":["0"],"max_results":0}`, 400, "Invalid value 0 for parameter 'max_results' supplied. It must be a positive integer"},
		{"too long a page", "POST runs/search", `{"experiment_ids":["0"],"max_results":50001}`, 400, wrong("50001", "max_results", "int")},
		{"OR", "POST runs/search", `{"experiment_ids":["0"],"filter":"metrics.a > 1 OR params.b = '1'"}`, 400, "Invalid clause(s) in filter string: 'OR'"},
		{"an endless filter", "POST runs/search", `{"experiment_ids":["0"],"filter":"` + strings.Repeat(" ", 1<<20) + `a"}`, 400, "The filter has 1048577 bytes, and 1048576 are the most"},
		{"a token that is none", "POST runs/search", `{"experiment_ids":["0"],"page_token":"?"}`, 400, "Invalid page token, could not base64-decode"},
	})
}
