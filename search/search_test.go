// SPDX-License-Identifier: Apache-2.0

package search_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"flyball/fault"
	"flyball/search"
)

func TestAFilterIsReadIntoComparisons(t *testing.T) {
	for _, tt := range []struct {
		name, of, filter string
		want             search.Filter
	}{
		{"nothing asks for everything", "runs", "", nil},
		{"an entity may be left out for attributes", "runs", "status = 'FINISHED'", search.Filter{{Key: "status", Text: "FINISHED"}}},
		{"other names of an attribute are its name", "runs", "`Run Name` != 'a' and Created >= 5", search.Filter{
			{Key: "run_name", Op: search.NotEqual, Text: "a"}, {Key: "start_time", Op: search.GreaterEqual, Number: 5, IsNum: true},
		}},
		{"keys with dots need no quotes", "runs", "tags.mlflow.runName like 'a%'", search.Filter{{Entity: search.Tag, Key: "mlflow.runName", Op: search.Like, Text: "a%"}}},
		{"keys with anything else stand in quotes", "runs", "metrics.`val/acc @1` > 1e-1 AND params.\"a b\" IS NOT NULL", search.Filter{
			{Entity: search.Metric, Key: "val/acc @1", Op: search.Greater, Number: 0.1, IsNum: true}, {Entity: search.Param, Key: "a b", Op: search.IsNotNull},
		}},
		{"a quote in a text is written twice", "runs", `params.a = 'it''s "x"'`, search.Filter{{Entity: search.Param, Key: "a", Text: `it's "x"`}}},
		{"lists keep their case and order", "runs", "run_id not in ('B', \"a\",)", search.Filter{{Key: "run_id", Op: search.NotIn, List: []string{"B", "a"}}}},
		{"words inside texts are no words", "runs", "params.a='x AND y' AND", search.Filter{{Entity: search.Param, Key: "a", Text: "x AND y"}}},
		{"datasets are asked by name", "runs", "datasets.context IN ('train')", search.Filter{{Entity: search.Dataset, Key: "context", Op: search.In, List: []string{"train"}}}},
		{"an experiment's id is a number in a text", "experiments", "experiment_id = '007'", search.Filter{{Key: "experiment_id", Text: "7"}}},
		{"a version's number may stand in quotes", "versions", "version_number > '3'", search.Filter{{Key: "version_number", Op: search.Greater, Number: 3, IsNum: true}}},
		{"the long name of a status is its name", "logged_models", "status IN ('LOGGED_MODEL_READY', 'PENDING')", search.Filter{{Key: "status", Op: search.In, List: []string{"READY", "PENDING"}}}},
		{"logged models take texts without quotes", "logged_models", "params.lr = 0.01 AND name = model", search.Filter{{Entity: search.Param, Key: "lr", Text: "0.01"}, {Key: "name", Text: "model"}}},
		{"what is asked about prompts is kept", "models", "tag.`mlflow.prompt.is_prompt` != 'true'", search.Filter{{Entity: search.Tag, Key: "mlflow.prompt.is_prompt", Op: search.NotEqual, Text: "true"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parse(tt.of, tt.filter)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, tt.want); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAFilterIsRefusedInMLflowsWords(t *testing.T) {
	for _, tt := range []struct{ of, filter, want string }{
		{"runs", "metrics.a > 1 OR metrics.b > 2", "Invalid clause(s) in filter string: 'OR'"},
		{"runs", "(metrics.a > 1)", "Invalid clause(s) in filter string: '(metrics.a > 1)'"},
		{"runs", "metrics.a > 1;", "Invalid clause(s) in filter string: ';'"},
		{"runs", "foo.a = 'x'", "Invalid entity type 'foo'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']"},
		{"runs", "acc > 1", "Invalid attribute key 'acc' specified. Valid keys are '{'artifact_uri', 'run_id', 'status', 'user_id', 'run_name', 'run name', 'Run name', 'Run Name', 'start_time', 'created', 'Created', 'end_time'}'"},
		{"runs", "dataset.foo = 'x'", "Invalid dataset key 'foo' specified. Valid keys are '{'name', 'digest', 'context'}'"},
		{"runs", "params.a > 'x'", "Invalid comparator '>' not one of '{'=', '!=', 'LIKE', 'ILIKE', 'IS NULL', 'IS NOT NULL'}'"},
		{"runs", "metrics.a > '0.5'", "Expected numeric value type for metric. Found '0.5'"},
		{"runs", "start_time > '1'", "Expected numeric value type for numeric attribute: start_time. Found '1'"},
		{"runs", "params.a = adam", "Parameter value is either not quoted or unidentified quote types used for string value adam. Use either single or double quotes."},
		{"runs", "status = 1", "Expected a quoted string value for attributes. Got value 1"},
		{"runs", "1 = 1", "Invalid comparison clause. Expected 'Identifier' found '1'"},
		{"runs", "status IN ('x')", "Only ['run_id'] attributes support comparison with a list of quoted string values."},
		{"experiments", "name IN ('x')", "Only ['experiment_id'] attributes support comparison with a list of quoted string values."},
		{"runs", "tags.a IN ('x')", "Expected a quoted string value for tag (e.g. 'my-value'). Got value ('x')"},
		{"runs", "metrics.acc IS NULL", "IS NULL / IS NOT NULL is only supported for tags and params, not for 'metric' 'acc'"},
		{"experiments", "creation_time > 1.5", "Invalid value for numeric attribute 'creation_time': '1.5'"},
		{"experiments", "experiment_id = 'abc'", "Invalid experiment ID 'abc'. Experiment ID must be a valid integer."},
		{"models", "name = 'a' OR name = 'b'", "Invalid clause(s) in filter string: OR"},
		{"models", "name > 'a'", "Invalid comparator for attribute: >"},
		{"models", "tags.a IS NULL", "IS NULL / IS NOT NULL is not supported for registered model search."},
		{"versions", "tags.a IS NOT NULL", "IS NULL / IS NOT NULL is not supported for model version search."},
		{"logged_models", "status = '2'", "Unknown model status in filter: '2'"},
		{"logged_models", "lifecycle_stage = 'x'", "Invalid attribute key 'lifecycle_stage' specified. Valid keys are '{'name', 'model_id', 'model_type', 'status', 'source_run_id', 'experiment_id', 'creation_timestamp', 'creation_time', 'creation_timestamp_ms', 'last_updated_timestamp', 'last_updated_time', 'last_updated_timestamp_ms'}'"},
	} {
		t.Run(tt.of+" "+tt.filter, func(t *testing.T) {
			_, err := parse(tt.of, tt.filter)
			if got := what(err); got != tt.want || !fault.Is(err, fault.Invalid) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// what is a fault's message without its advice.
func what(err error) string {
	said, _, _ := strings.Cut(err.Error(), "; look at column")
	return said
}

func TestAFaultSaysWhereToLook(t *testing.T) {
	_, err := search.Runs("params.ä = 'x' AND params.my-key = 'y'")
	if err == nil || !strings.Contains(err.Error(), "; look at column 20; ") || !strings.Contains(err.Error(), "between back quotes") {
		t.Errorf("got %v, want column 20", err)
	}
}

func TestAnOrderIsRead(t *testing.T) {
	got, err := search.RunsOrder([]string{"metrics.`a b` desc", "attributes.Created", "params.lr ASC"})
	want := []search.Order{{Entity: search.Metric, Key: "a b", Desc: true}, {Key: "start_time"}, {Entity: search.Param, Key: "lr"}}
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	got, err = search.ModelsOrder([]string{"timestamp DESC", "name"})
	want = []search.Order{{Key: "last_updated_timestamp", Desc: true}, {Key: "name"}}
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	got, err = search.LoggedModelsOrder([]search.OrderBy{{Field: "metrics.acc", Desc: true, DatasetName: "d"}, {Field: "creation_time"}, {Field: "creation_timestamp", Desc: true}})
	want = []search.Order{{Entity: search.Metric, Key: "acc", Desc: true, DatasetName: "d"}, {Key: "creation_timestamp"}}
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestAnOrderIsRefusedInMLflowsWords(t *testing.T) {
	for clause, want := range map[string]string{
		"metrics.acc FOO": "Invalid ordering key in order_by clause 'metrics.acc FOO'.",
		"a, b":            "Invalid order_by clause 'a, b'. Could not be parsed.",
		"metrics.":        "Invalid order_by clause 'metrics.'. Could not be parsed.",
		"dataset.name":    "Invalid identifier type 'dataset'",
	} {
		if _, err := search.RunsOrder([]string{clause}); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", clause, err, want)
		}
	}
	_, err := search.RunsOrder([]string{"start_time", "created DESC"})
	if want := "`order_by` contains duplicate fields: ['start_time', 'created DESC']"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestALongFilterTakesTimeInItsLength(t *testing.T) {
	const million = 1 << 20
	for name, filter := range map[string]string{
		"quotes":            strings.Repeat("'", million),
		"parentheses":       strings.Repeat("(", million),
		"nested lists":      "run_id IN " + strings.Repeat("(", million/2) + strings.Repeat(")", million/2),
		"dots":              strings.Repeat(".", million),
		"a long number":     "metrics.a > " + strings.Repeat("1", million),
		"comparisons":       strings.Repeat("metrics.a > 1 AND ", million/18),
		"a list":            "run_id IN (" + strings.Repeat("'a',", million/4) + ")",
		"open back quotes":  strings.Repeat("metrics.`a ", million/11),
		"words without end": strings.Repeat("a ", million/2),
		"spaces":            strings.Repeat(" ", million),
	} {
		began := time.Now()
		_, err := search.Runs(filter)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%s: %v", name, took)
		}
		if err != nil && len(err.Error()) > 4000 {
			t.Errorf("%s: the message has %d bytes", name, len(err.Error()))
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, seed := range []string{
		"", "metrics.`a b` >= -1.5e+3 AND params.a = 'it''s'", "run_id NOT IN ('a', \"b\",) AND tags.x IS NOT NULL", "datasets.name ILIKE '%\xff'",
		"`Run Name` != \"\"\"\"", "metrics.a < 1e999 and AND created = 9007199254740993", "status in ('READY')", "name = 5 AND experiment_id = '-1'", "tag.```` = '`'", "version_number = '1'", "((('", "metrics.1_0 > -.5",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, filter string) {
		for _, of := range []string{"runs", "experiments", "models", "versions", "logged_models"} {
			read, err := parse(of, filter)
			if err != nil {
				if !fault.Is(err, fault.Invalid) {
					t.Fatalf("%s: %v is not an Invalid fault", of, err)
				}
				continue
			}
			again, err := parse(of, read.String())
			if err != nil {
				t.Fatalf("%s: %q is printed as %q: %v", of, filter, read.String(), err)
			}
			if diff := cmp.Diff(read, again); diff != "" {
				t.Fatalf("%s: %q is printed as %q: %s", of, filter, read.String(), diff)
			}
		}
	})
}

func FuzzOrder(f *testing.F) {
	for _, seed := range []string{"metrics.`a b` DESC", "created", "name asc", "\"run_name\"", "a, b", "params.x y z", "timestamp DESC", "tags.'a'"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, clause string) {
		for name, read := range map[string]func([]string) ([]search.Order, error){
			"runs": search.RunsOrder, "experiments": search.ExperimentsOrder, "models": search.ModelsOrder, "versions": search.VersionsOrder,
		} {
			got, err := read([]string{clause})
			if err != nil {
				if !fault.Is(err, fault.Invalid) {
					t.Fatalf("%s: %v is not an Invalid fault", name, err)
				}
				continue
			}
			if again, err := read([]string{got[0].String()}); err != nil || !cmp.Equal(got, again) {
				t.Fatalf("%s: %q is printed as %q: %v, %v", name, clause, got[0], again, err)
			}
		}
	})
}
