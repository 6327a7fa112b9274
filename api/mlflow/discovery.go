// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"context"
	"io"
	"net/http"
	"strings"

	"flyball/governance/access"
)

// Release is the release of MLflow whose API this is. Clients ask for it and compare.
const Release = "3.18.0"

// discoveryRoutes adds the calls by which clients and balancers find out what answers.
func (f *face) discoveryRoutes() {
	f.route(access.Open, http.MethodGet, "/3.0/mlflow/server-info", f.serverInfo)
	f.page(access.Open, http.MethodGet, "/version", f.plainText(Release))
	f.page(access.Open, http.MethodGet, "/health", f.plainText("OK"))
	for _, path := range elsewhere {
		f.page(access.Open, http.MethodPost, path, f.unknown)
	}
}

// elsewhere are calls of MLflow that are not below the roots and not served: clients
// that try them want to hear so in MLflow's way.
var elsewhere = []string{"/v1/traces", "/v1/metrics", "/graphql", "/gateway/"}

func (f *face) plainText(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Flyball-Version", f.Version)
		_, _ = io.WriteString(w, s) // the caller may have gone
	}
}

// serverInfo says what clients may try. What is not here is not offered: files go up
// and down in one piece, and there are neither workspaces nor a gateway.
func (f *face) serverInfo(context.Context, *args) (any, error) {
	return map[string]any{
		"store_type":                                   "SqlStore",
		"workspaces_enabled":                           false,
		"trace_archival_enabled":                       false,
		"multipart_uploads_enabled":                    false,
		"multipart_downloads_enabled":                  false,
		"artifact_serving_enabled":                     true,
		"presigned_upload_run_id_supported":            false,
		"presigned_upload_model_id_supported":          false,
		"model_artifact_presigned_downloads_supported": false,
		"artifacts_presigned_only":                     false,
		"skill_content_max_size":                       26214400,
		"skill_content_max_files":                      10000,
		"features_enabled":                             map[string]bool{"gateway": false, "scheduled_issue_detection": false},
		"tracking_auth":                                "",
	}, nil
}

// Serves says whether a path is of this face, so that whoever refuses a request before
// it comes here can do so in MLflow's way.
func Serves(path string) bool {
	return strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/ajax-api/") ||
		path == "/get-artifact" || path == "/model-versions/get-artifact" || Exempt(path)
}

// Exempt says whether a path is asked for by balancers and monitors, which may use any
// name for the server.
func Exempt(path string) bool { return path == "/health" || path == "/version" }

// Forbid answers 403 with a text for whoever asked.
func Forbid(w http.ResponseWriter, text string) {
	writeProblem(w, problem{status: http.StatusForbidden, Code: "PERMISSION_DENIED", Message: text})
}
