// SPDX-License-Identifier: Apache-2.0

package engines

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// TestARealAPIServerTakesTheChart renders the chart with everything on and has the API server
// read each object strictly, without keeping it: a field that there is not is an error.
func TestARealAPIServerTakesTheChart(t *testing.T) {
	Want(t, "kubernetes")
	k := StartKubernetes(t)
	render := exec.CommandContext(t.Context(), cached(t, "bin/helm-*"), "template", "rel", "../../deploy/helm/flyball", "--kube-version", "1.37.2", "--namespace", "default",
		"--set", "database.existingSecret=db,token.existingSecret=token,bucket.url=s3://flyball,bucket.existingSecret=aws,bucket.env.AWS_REGION=eu,control.existingSecret=more",
		"--set", "executor.kubernetes.enabled=true,executor.kubernetes.settings.image=flyball")
	var said bytes.Buffer
	render.Stderr = &said
	raw, err := render.Output()
	if err != nil {
		t.Fatal(err, said.String())
	}
	n := 0
	for doc := range strings.SplitSeq(string(raw), "\n---") {
		body, err := yaml.YAMLToJSON([]byte(strings.TrimPrefix(doc, "---")))
		if err != nil {
			t.Fatal(err, doc)
		}
		var o struct{ APIVersion, Kind string }
		if err := json.Unmarshal(body, &o); err != nil || o.Kind == "" {
			continue // a comment
		}
		n++
		path := "/apis/" + o.APIVersion
		if !strings.Contains(o.APIVersion, "/") {
			path = "/api/" + o.APIVersion
		}
		path += "/namespaces/default/" + plural(o.Kind) + "?dryRun=All&fieldValidation=Strict"
		if answer := string(k.Do(http.MethodPost, path, string(body))); !strings.Contains(answer, `"kind":"`+o.Kind+`"`) {
			t.Errorf("%s: %s", o.Kind, answer)
		}
	}
	if n < 16 {
		t.Errorf("only %d objects were tried", n)
	}
}

func plural(kind string) string {
	kind = strings.ToLower(kind)
	if stem, y := strings.CutSuffix(kind, "y"); y {
		return stem + "ies"
	}
	return kind + "s"
}
