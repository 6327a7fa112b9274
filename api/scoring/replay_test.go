// SPDX-License-Identifier: Apache-2.0

package scoring

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// recorded is a request to MLflow's own scoring server, and its answer.
type recorded struct {
	Model, Case, Method, Path string
	ContentType               string `json:"content_type"`
	Request                   json.RawMessage
	RequestText               string `json:"request_text"`
	Status                    int
	Response                  json.RawMessage
	ResponseText              string `json:"response_text"`
}

// otherwise are the cases in which we mean to answer otherwise than MLflow, with the
// status and a part of the answer that we give.
var otherwise = map[string]struct {
	status int
	says   string
	why    string
}{
	"iris/no content type":             {415, "content types", "MLflow fails"},
	"iris/no rows":                     {200, `{"predictions": []}`, "no rows are no mistake"},
	"iris/ragged":                      {400, "Row 1 of the data has 2 values, and there are 4 columns", "pandas fills short rows with nulls"},
	"tensor/NaN in, NaN out":           {200, `{"predictions": [null]}`, "a bare NaN is not JSON"},
	"types/integer overflow wraps":     {400, "Failed to convert column i to type 'int32'", "another number than was sent"},
	"types/double for float overflows": {400, "Failed to convert column f to type 'float32'", "another number than was sent"},
	"types/bad base64":                 {400, "Failed to convert column bin", "other bytes than were sent"},
	"types/ints in array of double":    {200, "[1.0, 2.0]", "an int is a double in JSON"},
	"types/null datetime":              {200, `"t": null`, "a bare NaN is not JSON"},
	"types/null optional double":       {200, `"opt": null`, "a bare NaN is not JSON"},
	"types/null string":                {200, `"s": null`, "a bare NaN is not JSON"},
}

func TestEveryRecordedRequestIsAnsweredAsMLflowAnsweredIt(t *testing.T) {
	interpreter := interpreterOf(t, "mlflow3")
	made := t.TempDir()
	script, err := filepath.Abs("testdata/models.py")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), interpreter, script, made)
	cmd.Dir = t.TempDir() // MLflow leaves files where it runs
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	folders := map[string]string{"tensor": filepath.Join(made, "tensor"), "types": filepath.Join(made, "types")}
	for _, name := range []string{"iris", "xgb_booster", "xgb_classifier", "lgb_booster"} {
		folders[name] = filepath.Join("testdata", "models", name)
	}
	srv := served(t, folders, interpreter)
	raw, err := os.ReadFile("testdata/recorded.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range bytes.Lines(raw) {
		var r recorded
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		name := r.Model + "/" + r.Case
		t.Run(name, func(t *testing.T) { replay(t, srv.URL+"/models/"+r.Model+r.Path, name, r, seen) })
	}
	for name := range otherwise {
		if !seen[name] {
			t.Errorf("nothing was recorded of %q", name)
		}
	}
}

func replay(t *testing.T, url, name string, r recorded, seen map[string]bool) {
	body := r.RequestText
	if len(r.Request) > 0 {
		body = string(r.Request)
	}
	req, err := http.NewRequestWithContext(t.Context(), r.Method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if r.ContentType != "" {
		req.Header.Set("Content-Type", r.ContentType)
	}
	status, got := do(t, req)
	if strings.Contains(got, "stack_trace") {
		t.Errorf("got %s", got)
	}
	if o, ok := otherwise[name]; ok {
		if seen[name] = true; status != o.status || !strings.Contains(got, o.says) {
			t.Errorf("got %d %s, want %d %s", status, got, o.status, o.says)
		}
		return
	}
	if r.Path == "/nope" {
		return // paths beside those of a model are others'
	}
	if status != r.Status {
		t.Fatalf("got %d %s, want %d %s%s", status, got, r.Status, r.Response, r.ResponseText)
	}
	if len(r.Response) == 0 {
		if got != r.ResponseText {
			t.Errorf("got %q, want %q", got, r.ResponseText)
		}
		return
	}
	same(t, got, r.Response)
}

// same compares two answers: predictions as they are, errors by what we mean to keep.
func same(t *testing.T, got string, want json.RawMessage) {
	t.Helper()
	var g, w map[string]any
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatalf("got %q: %v", got, err)
	}
	if err := json.Unmarshal(want, &w); err != nil {
		t.Fatal(err)
	}
	if w["error_code"] != nil {
		delete(w, "stack_trace")
		w["message"], g["message"] = kept(w["message"].(string)), kept(g["message"].(string))
	}
	if !near(g, w) {
		t.Errorf("got  %v\nwant %v", g, w)
	}
}

// kept is a message without what it repeats of the rows.
func kept(message string) string {
	for _, cut := range []struct{ of, to string }{
		{`(?s)Failed to predict data '.*?'\. \nError`, "Failed to predict data. \nError"},
		{`(?s)enforce schema of data '.*?' with`, "enforce schema of data with"},
		{`(?s)\nInput: \n.*`, ""},
		{`(?s)(Failed to convert column .* to type '.*'\. Error: ).*`, "$1"},
		{`(?s)(Encountered an unexpected error .* for inference\.).*`, "$1"},
		{`(?s)(Invalid input\. )(row \d+: )?(could not convert string to float).*`, "$1$3"},
		{" for value `.*?`", ""},
		{`extra inputs: \['b', 'a'\]`, "extra inputs: ['a', 'b']"},
	} {
		message = regexp.MustCompile(cut.of).ReplaceAllString(message, cut.to)
	}
	return message
}

// near compares numbers up to three places of a float32, and all else as it is: XGBoost
// works out its softmax in float32, and we round once at the end.
func near(a, b any) bool {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k := range x {
			if !near(x[k], y[k]) {
				return false
			}
		}
		return true
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !near(x[i], y[i]) {
				return false
			}
		}
		return true
	case float64:
		y, ok := b.(float64)
		return ok && math.Abs(x-y) <= 3*1.2e-7*math.Abs(y)
	}
	return reflect.DeepEqual(a, b)
}
