// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestWhatAnswers(t *testing.T) {
	c := newClient(t)
	for _, e := range []struct{ path, want string }{{"/version", "3.18.0"}, {"/health", "OK"}} {
		w := c.ask("GET "+e.path, "")
		if w.Code != http.StatusOK || w.Body.String() != e.want || w.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s: %d %q %s, want %q", e.path, w.Code, w.Body, w.Header().Get("Content-Type"), e.want)
		}
		if got := w.Header().Get("Flyball-Version"); got != "0.2.0" {
			t.Errorf("%s: Flyball-Version is %q", e.path, got)
		}
	}
	const info = `{"store_type":"SqlStore","workspaces_enabled":false,"trace_archival_enabled":false,
		"multipart_uploads_enabled":false,"multipart_downloads_enabled":false,"artifact_serving_enabled":true,
		"presigned_upload_run_id_supported":false,"presigned_upload_model_id_supported":false,
		"model_artifact_presigned_downloads_supported":false,"artifacts_presigned_only":false,
		"skill_content_max_size":26214400,"skill_content_max_files":10000,
		"features_enabled":{"gateway":false,"scheduled_issue_detection":false},"tracking_auth":""}`
	c.talk([]exchange{
		{"what the server can", "GET /api/3.0/mlflow/server-info", "", 200, info},
		{"the same for web pages", "GET /ajax-api/3.0/mlflow/server-info", "", 200, info},
	})
}

func TestPathsOfThisFace(t *testing.T) {
	for path, want := range map[string]bool{
		"/api/2.0/mlflow/runs/get": true, "/ajax-api/2.0/mlflow/runs/get": true, "/get-artifact": true, "/model-versions/get-artifact": true,
		"/health": true, "/version": true, "/": false, "/v1/models": false, "/apis": false, "/healthz": false,
	} {
		if got := Serves(path); got != want {
			t.Errorf("Serves(%q) = %v", path, got)
		}
	}
}

func TestAPathThatLeadsElsewhereIsRefused(t *testing.T) {
	h := Straight(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	for path, want := range map[string]int{
		"/api/2.0/mlflow-artifacts/artifacts/a/../b":     http.StatusBadRequest,
		"/api/2.0/mlflow-artifacts/artifacts/../../../x": http.StatusBadRequest, // leads to /api/x
		"/api/2.0/mlflow-artifacts/artifacts//b":         http.StatusBadRequest,
		"/api/2.0/mlflow-artifacts/artifacts/./b":        http.StatusBadRequest,
		"/ajax-api/2.0/mlflow/../x":                      http.StatusBadRequest,
		"/api/2.0/mlflow-artifacts/artifacts/a%2Fb/":     http.StatusNoContent,
		"/api/2.0/mlflow-artifacts/artifacts/a..b/.c":    http.StatusNoContent,
		"/static/../v1/models":                           http.StatusNoContent, // not of this face
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPut, "http://localhost"+path, nil))
		if w.Code != want {
			t.Errorf("%s: %d %s, want %d", path, w.Code, w.Body, want)
		}
	}
}
