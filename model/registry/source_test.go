// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"strings"
	"testing"

	"flyball/fault"
	"flyball/ident"
)

const (
	run     = ident.RunID("a0000000000000000000000000000008")
	other   = ident.RunID("a0000000000000000000000000000009")
	logged  = ident.ModelID("m-b0000000000000000000000000000001")
	noRun   = ident.RunID("f0000000000000000000000000000001")
	noModel = ident.ModelID("m-f0000000000000000000000000000001")
)

// here is what exists in the tests: two runs, a logged model of the first, and a
// version.
func here() Known {
	return Known{
		Runs: map[ident.RunID]Resource{
			run:   {Location: "mlflow-artifacts:/6/" + string(run) + "/artifacts"},
			other: {Location: "mlflow-artifacts:/6/" + string(other) + "/artifacts"},
		},
		Models: map[ident.ModelID]Resource{logged: {Location: "mlflow-artifacts:/6/models/" + string(logged) + "/artifacts", SourceRun: run}},
		Version: Version{
			Ref: ident.Ref{Model: "demo", Version: 3}, Source: "models:/" + string(logged), RunID: run, ModelID: logged,
			Location: "mlflow-artifacts:/6/models/" + string(logged) + "/artifacts",
		},
	}
}

func settled(c Claim, k Known) (Origin, error) {
	s, err := ParseSource(c, nil)
	if err != nil {
		return Origin{}, err
	}
	if s.Run == run && s.Name == "model" {
		k.Logged = logged
	}
	return CheckSource(s, k)
}

func TestWhatASourceMeans(t *testing.T) {
	inRun, inModel := "mlflow-artifacts:/6/"+string(run)+"/artifacts", "mlflow-artifacts:/6/models/"+string(logged)+"/artifacts"
	for _, c := range []struct {
		name  string
		claim Claim
		want  Origin
	}{
		{
			"a logged model brings its place and the run that made it",
			Claim{Source: "models:/" + string(logged), ModelID: logged},
			Origin{Source: "models:/" + string(logged), Location: inModel, RunID: run, ModelID: logged},
		},
		{
			"a logged model that only the source names is filled in",
			Claim{Source: "models:/" + string(logged)},
			Origin{Source: "models:/" + string(logged), Location: inModel, RunID: run, ModelID: logged},
		},
		{
			"the run that the client names counts more than the one that made the logged model",
			Claim{Source: "models:/" + string(logged), RunID: other, ModelID: logged},
			Origin{Source: "models:/" + string(logged), Location: inModel, RunID: other, ModelID: logged},
		},
		{
			"a logged model that is not here leads nowhere",
			Claim{Source: "models:/" + string(noModel), ModelID: noModel},
			Origin{Source: "models:/" + string(noModel), ModelID: noModel},
		},
		{
			"the same without its id",
			Claim{Source: "models:/" + string(noModel)},
			Origin{Source: "models:/" + string(noModel)},
		},
		{
			"a copy of a version has its place, run and logged model",
			Claim{Source: "models:/demo/3"},
			Origin{Source: "models:/demo/3", Location: inModel, RunID: run, ModelID: logged},
		},
		{
			"a copy by alias is kept under the number",
			Claim{Source: "models:/demo@champion", RunID: run},
			Origin{Source: "models:/demo/3", Location: inModel, RunID: run, ModelID: logged},
		},
		{
			"a copy by stage is kept under the number",
			Claim{Source: "models:/demo/production", ModelID: logged},
			Origin{Source: "models:/demo/3", Location: inModel, RunID: run, ModelID: logged},
		},
		{
			"a copy of the latest is kept under the number",
			Claim{Source: "models:/demo/latest"},
			Origin{Source: "models:/demo/3", Location: inModel, RunID: run, ModelID: logged},
		},
		{
			"a path of a run lies among its artifacts",
			Claim{Source: "runs:/" + string(other) + "/model", RunID: other},
			Origin{Source: "runs:/" + string(other) + "/model", Location: "mlflow-artifacts:/6/" + string(other) + "/artifacts/model", RunID: other},
		},
		{
			"a run that only the source names is filled in",
			Claim{Source: "runs:/" + string(other) + "/a/b%20c"},
			Origin{Source: "runs:/" + string(other) + "/a/b%20c", Location: "mlflow-artifacts:/6/" + string(other) + "/artifacts/a/b c", RunID: other},
		},
		{
			"a model that the run logged is where that lies",
			Claim{Source: "runs:/" + string(run) + "/model"},
			Origin{Source: "runs:/" + string(run) + "/model", Location: inModel, RunID: run, ModelID: logged},
		},
		{
			"a part of it",
			Claim{Source: "runs:/" + string(run) + "/model/data", ModelID: logged},
			Origin{Source: "runs:/" + string(run) + "/model/data", Location: inModel + "/data", RunID: run, ModelID: logged},
		},
		{
			"a run that is not here leads nowhere",
			Claim{Source: "runs:/" + string(noRun) + "/model"},
			Origin{Source: "runs:/" + string(noRun) + "/model"},
		},
		{
			"an artifact of the run that the client names",
			Claim{Source: inRun + "/model", RunID: run},
			Origin{Source: inRun + "/model", Location: inRun + "/model", RunID: run},
		},
		{
			"an artifact of a run that only the path names",
			Claim{Source: inRun + "/model"},
			Origin{Source: inRun + "/model", Location: inRun + "/model", RunID: run},
		},
		{
			"an artifact of a logged model that only the path names",
			Claim{Source: inModel},
			Origin{Source: inModel, Location: inModel, RunID: run, ModelID: logged},
		},
		{
			"an artifact of the logged model that the client names",
			Claim{Source: inModel + "/", RunID: other, ModelID: logged},
			Origin{Source: inModel + "/", Location: inModel, RunID: other, ModelID: logged},
		},
		{
			"an encoded path is kept as it was said, and its place decoded",
			Claim{Source: "mlflow-artifacts:/6/" + string(run) + "/artifacts/my%20model%2Fpart", RunID: run},
			Origin{Source: "mlflow-artifacts:/6/" + string(run) + "/artifacts/my%20model%2Fpart", Location: inRun + "/my model/part", RunID: run},
		},
		{
			"an artifact of a run that is not here leads nowhere, with its run",
			Claim{Source: "mlflow-artifacts:/9/" + string(noRun) + "/artifacts/model", RunID: noRun},
			Origin{Source: "mlflow-artifacts:/9/" + string(noRun) + "/artifacts/model", RunID: noRun},
		},
		{
			"and without it",
			Claim{Source: "mlflow-artifacts:/9/" + string(noRun) + "/artifacts/model"},
			Origin{Source: "mlflow-artifacts:/9/" + string(noRun) + "/artifacts/model"},
		},
		{
			"an artifact in no run's place leads nowhere",
			Claim{Source: "mlflow-artifacts:/models/x"},
			Origin{Source: "mlflow-artifacts:/models/x"},
		},
		{
			"a run's number in another experiment is not that run",
			Claim{Source: "mlflow-artifacts:/7/" + string(run) + "/artifacts/model"},
			Origin{Source: "mlflow-artifacts:/7/" + string(run) + "/artifacts/model"},
		},
		{
			"a bucket is kept as it was said",
			Claim{Source: "s3://bucket/models/7", RunID: noRun},
			Origin{Source: "s3://bucket/models/7", Location: "s3://bucket/models/7", RunID: noRun},
		},
		{
			"a bucket with a logged model",
			Claim{Source: "GS://bucket/m", ModelID: logged},
			Origin{Source: "GS://bucket/m", Location: "GS://bucket/m", RunID: run, ModelID: logged},
		},
		{"dbfs", Claim{Source: "dbfs:/models/7"}, Origin{Source: "dbfs:/models/7", Location: "dbfs:/models/7"}},
		{"wasbs", Claim{Source: "wasbs://c@a.blob.core.windows.net/m"}, Origin{Source: "wasbs://c@a.blob.core.windows.net/m", Location: "wasbs://c@a.blob.core.windows.net/m"}},
		{"a prompt has no files", Claim{Source: "dummy-source", Prompt: true}, Origin{Source: "dummy-source"}},
		{"a prompt by its other name", Claim{Source: "prompt-template", Prompt: true}, Origin{Source: "prompt-template"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := settled(c.claim, here())
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v\nwant %+v", got, err, c.want)
			}
		})
	}
}

// The ends of MLflow's refusals, and their kinds.
const (
	local    = " To use a local path as a model version source, the run_id request parameter has to be specified and the local path has to be contained within the artifact directory of the run specified by the run_id."
	absolute = " If supplying a source as an http, https, local file path, ftp, objectstore, or mlflow-artifacts uri, an absolute path must be provided without relative path references present. Please provide an absolute path."
	notRun   = " The run_id request parameter must identify the resource that contains the source."
	notModel = " The model_id request parameter must identify the resource that contains the source."
	notBoth  = " The run_id and model_id request parameters must match the referenced model version."
)

func TestASourceThatLeadsElsewhereIsRefused(t *testing.T) {
	inRun := "mlflow-artifacts:/6/" + string(run) + "/artifacts"
	for _, c := range []struct {
		name  string
		claim Claim
		want  string // after: Invalid model version source: '…'.
	}{
		{"a path of this machine", Claim{Source: "/etc/passwd"}, local},
		{"a path of this machine with a run", Claim{Source: "/etc/passwd", RunID: run}, local},
		{"a relative path", Claim{Source: "model"}, local},
		{"a file URI", Claim{Source: "file:///etc/passwd"}, local},
		{"a file URI in capitals", Claim{Source: "FILE:/etc"}, local},
		{"a drive of Windows", Claim{Source: `C:\models`}, local},
		{"a drive of Windows with slashes", Claim{Source: "c:/models"}, local},
		{"a share of Windows", Claim{Source: `\\host\share`}, local},
		{"a placeholder of prompts without the tag", Claim{Source: "dummy-source"}, local},
		{"a URI behind a space", Claim{Source: " s3://b/m"}, local},
		{"nothing", Claim{}, local},
		{"a bucket left by dots", Claim{Source: "s3://b/../k"}, absolute},
		{"a bucket left by encoded dots", Claim{Source: "s3://b/%2e%2e/k"}, absolute},
		{"a bucket left by dots that are encoded twice", Claim{Source: "s3://b/%252e%252e%252fk"}, absolute},
		{"a bucket left by dots that are encoded four times", Claim{Source: "s3://b/%2525252e%2525252e/k"}, absolute},
		{"dots behind a question mark", Claim{Source: "s3://b/m?x=/../y"}, absolute},
		{"backslashes", Claim{Source: `s3://b/a\..\c`}, absolute},
		{"a dot alone", Claim{Source: "s3://b/./m"}, absolute},
		{"a zero byte", Claim{Source: "s3://b/m%00"}, absolute},
		{"a line feed", Claim{Source: "s3://b/m%0a"}, absolute},
		{"a bucket and no path", Claim{Source: "s3://b"}, absolute},
		{"a path that is not absolute", Claim{Source: "dbfs:models/7"}, absolute},
		{"artifacts left by dots", Claim{Source: inRun + "/../../x", RunID: run}, absolute},
		{"artifacts left by encoded dots", Claim{Source: inRun + "/..%2f..%2fx", RunID: run}, absolute},
		{"artifacts with a query", Claim{Source: inRun + "/x?y", RunID: run}, absolute},
		{"artifacts with a fragment", Claim{Source: inRun + "/x%23y", RunID: run}, absolute},
		{"artifacts at no place", Claim{Source: "mlflow-artifacts:/"}, absolute},
		{"artifacts at a relative place", Claim{Source: "mlflow-artifacts:6/x"}, absolute},
		{"another logged model than the one named", Claim{Source: "models:/" + string(logged), ModelID: noModel}, notModel},
		{"no models URI", Claim{Source: "models:/a/b/c"}, notModel},
		{"an empty models URI", Claim{Source: "models:/"}, notModel},
		{"a models URI that is not absolute", Claim{Source: "models:demo/1"}, notModel},
		{"a model without a version", Claim{Source: "models:/demo"}, notModel},
		{"a stage that is none", Claim{Source: "models:/demo/Best"}, notModel},
		{"a registry elsewhere", Claim{Source: "models://elsewhere/demo/1"}, " Registered model sources must use the active model registry."},
		{"a copy with the run of another", Claim{Source: "models:/demo/3", RunID: other}, notBoth},
		{"a copy with the logged model of another", Claim{Source: "models:/demo@champion", ModelID: noModel}, notBoth},
		{"another run than the one named", Claim{Source: "runs:/" + string(run) + "/model", RunID: other}, notRun},
		{"another run that is not here", Claim{Source: "runs:/" + string(run) + "/model", RunID: noRun}, notRun},
		{"a run and no path", Claim{Source: "runs:/" + string(run)}, notRun},
		{"a run elsewhere", Claim{Source: "runs://host/" + string(run) + "/model", RunID: run}, notRun},
		{"a run of which the id is none", Claim{Source: "runs:/!/model"}, notRun},
		{"a run left by dots", Claim{Source: "runs:/" + string(run) + "/../x", RunID: run}, absolute},
		{"artifacts of another run", Claim{Source: inRun + "/model", RunID: other}, notRun},
		{"artifacts of another run than one that is not here", Claim{Source: inRun + "/model", RunID: noRun}, notRun},
		{"artifacts of a run whose id begins alike", Claim{Source: "mlflow-artifacts:/6/" + string(run) + "0/artifacts/model", RunID: run}, notRun},
		{"the parent of a run's artifacts", Claim{Source: "mlflow-artifacts:/6/" + string(run), RunID: run}, notRun},
		{"artifacts that are in no run's place, for a run", Claim{Source: "mlflow-artifacts:/x", RunID: run}, notRun},
		{"artifacts of a run for a logged model", Claim{Source: inRun + "/model", ModelID: logged}, notModel},
		{"artifacts of a logged model for a run", Claim{Source: "mlflow-artifacts:/6/models/" + string(logged) + "/artifacts", RunID: other}, notRun},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := settled(c.claim, here())
			says(t, err, fault.Invalid, "Invalid model version source: '"+c.claim.Source+"'."+c.want)
		})
	}
}

func says(t *testing.T, err error, kind fault.Kind, want string) {
	t.Helper()
	if !fault.Is(err, kind) || err.Error() != want {
		t.Errorf("got %v\nwant a fault that is %s and says %s", err, kind, want)
	}
}

func TestASchemeThatNamesAHostIsRefusedUnlessAllowed(t *testing.T) {
	for _, s := range []string{
		"http://evil/m", "https://evil/m", "ftp://evil/m", "sftp://evil/m", "hdfs://evil/m", "viewfs://evil/m", "r2://b@evil/m", "b2://b@evil/m",
		"abfss://f@evil/m", "mlflow-artifacts://evil/m", "gopher://evil/m", "javascript:/alert(1)", "data:text/plain,x", "HTTP://evil/m",
	} {
		scheme := strings.ToLower(s[:strings.Index(s, ":")])
		_, err := settled(Claim{Source: s, RunID: run}, here())
		says(t, err, fault.Invalid, "'source' cannot use the '"+scheme+"' scheme: the '"+scheme+"' scheme addresses a host other than the tracking server's configured artifact storage, so the server would connect to the host named in the URI. Log the files to a run or a logged model, and name that.")
	}
	s, err := ParseSource(Claim{Source: "hdfs://nn/m"}, []string{"hdfs"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := CheckSource(s, Known{})
	if want := (Origin{Source: "hdfs://nn/m", Location: "hdfs://nn/m"}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	_, err = ParseSource(Claim{Source: "hdfs://nn/a/../b"}, []string{"hdfs"})
	says(t, err, fault.Invalid, "Invalid model version source: 'hdfs://nn/a/../b'."+absolute)
}

func TestWhatElseAClaimMayNotSay(t *testing.T) {
	k := here()
	k.Version.Tags = []Tag{{PromptTag, "true"}}
	long := "s3://b/" + strings.Repeat("x", 4090)
	for _, c := range []struct {
		name  string
		claim Claim
		kind  fault.Kind
		want  string
	}{
		{"a prompt with files", Claim{Source: "s3://b/m", Prompt: true}, fault.Invalid, "Invalid prompt source: 's3://b/m'. Prompt sources must use an MLflow placeholder."},
		{"a copy of a prompt", Claim{Source: "models:/demo/3"}, fault.Invalid, "Invalid model version source: 'models:/demo/3'. Prompt versions cannot be used as model version sources."},
		{"a logged model beside a bucket that is not here", Claim{Source: "s3://b/m", ModelID: noModel}, fault.NotFound, "Logged model with ID '" + string(noModel) + "' not found."},
		{"a logged model beside a run that is not here", Claim{Source: "runs:/" + string(run) + "/m", ModelID: noModel}, fault.NotFound, "Logged model with ID '" + string(noModel) + "' not found."},
		{"a run id that is none", Claim{Source: "s3://b/m", RunID: "../x"}, fault.Invalid, `Invalid value "../x" for parameter 'run_id' supplied.`},
		{"a model id that is none", Claim{Source: "s3://b/m", ModelID: "b/1"}, fault.Invalid, `Invalid value "b/1" for parameter 'model_id' supplied.`},
		{"a long source", Claim{Source: long}, fault.Invalid, "'source' exceeds the maximum length of 4096 characters"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := settled(c.claim, k)
			says(t, err, c.kind, c.want)
		})
	}
}

// FuzzSource wants that no source has a place outside of what it was checked against.
func FuzzSource(f *testing.F) {
	for _, s := range []string{
		"models:/" + string(logged), "models:/demo/3", "models:/demo@x", "runs:/" + string(run) + "/m", "s3://b/%2e%2e/k", "%25%32%65",
		"mlflow-artifacts:/6/" + string(run) + "/artifacts/..%2f", "mlflow-artifacts:/6/" + string(run) + "/artifacts//m", "file:x", "a:b", "http://x", "%", "models:////",
	} {
		f.Add(s, string(run), string(logged))
	}
	f.Fuzz(func(t *testing.T, source, runID, modelID string) {
		k := here()
		o, err := settled(Claim{Source: source, RunID: ident.RunID(runID), ModelID: ident.ModelID(modelID)}, k)
		if err != nil {
			if kind := fault.KindOf(err); kind != fault.Invalid && kind != fault.NotFound {
				t.Fatalf("%q: got %v, want an answer or a fault that is the client's", source, err)
			}
			return
		}
		if o.Location == "" {
			return
		}
		for part := range strings.SplitSeq(o.Location, "/") {
			if part == ".." || part == "." || strings.ContainsRune(part, 0) {
				t.Fatalf("%q leads to %q", source, o.Location)
			}
		}
		if rest, ok := strings.CutPrefix(o.Location, "mlflow-artifacts:/"); ok {
			inside := strings.HasPrefix(rest+"/", "6/"+string(run)+"/artifacts/") || strings.HasPrefix(rest+"/", "6/"+string(other)+"/artifacts/") ||
				strings.HasPrefix(rest+"/", "6/models/"+string(logged)+"/artifacts/")
			if !inside {
				t.Fatalf("%q leads to %q, which is nobody's", source, o.Location)
			}
		}
	})
}
