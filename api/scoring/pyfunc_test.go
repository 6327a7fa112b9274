// SPDX-License-Identifier: Apache-2.0

package scoring

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"
)

// What MLflow's own predict makes of folders that it saved itself is what we answer, in
// value and shape. Numbers may differ as near says.
func TestAnswersAreThoseOfPyfunc(t *testing.T) {
	for _, client := range []string{"mlflow2", "mlflow3"} {
		t.Run(client, func(t *testing.T) {
			interpreter := interpreterOf(t, client)
			script, err := filepath.Abs("testdata/log.py")
			if err != nil {
				t.Fatal(err)
			}
			made := t.TempDir()
			var out, talk bytes.Buffer
			cmd := exec.CommandContext(t.Context(), interpreter, script, made)
			cmd.Dir = t.TempDir() // MLflow leaves files where it runs
			cmd.Stdout, cmd.Stderr = &out, &talk
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v\n%s", err, talk.String())
			}
			var models map[string]struct {
				Rows        json.RawMessage
				Predictions any
			}
			if err := json.Unmarshal(out.Bytes(), &models); err != nil {
				t.Fatal(err)
			}
			folders := map[string]string{}
			for name := range models {
				folders[name] = filepath.Join(made, name)
			}
			srv := served(t, folders, interpreter)
			for name, m := range models {
				status, got := send(t, srv.URL+"/models/"+name+"/invocations", jsonType, string(m.Rows))
				var answer struct{ Predictions any }
				if err := json.Unmarshal([]byte(got), &answer); err != nil || status != 200 {
					t.Errorf("%s: got %d %s", name, status, got)
					continue
				}
				if !near(answer.Predictions, m.Predictions) {
					t.Errorf("%s:\ngot  %v\nwant %v", name, answer.Predictions, m.Predictions)
				}
			}
		})
	}
}
