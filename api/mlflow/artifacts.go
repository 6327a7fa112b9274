// SPDX-License-Identifier: Apache-2.0

package mlflow

import (
	"context"
	"net/http"
	"strings"

	"flyball/blob/artifact"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/ident"
)

// artifactScheme is how the location of files begins that are kept here.
const artifactScheme = "mlflow-artifacts:/"

// The texts by which clients know that they must send and fetch a file in one piece.
const (
	noParts     = "Multipart upload is not supported for the current artifact repository"
	noDownloads = "Multipart download is not supported for the current artifact repository"
	noDirect    = " is not supported for proxied artifact storage (artifact URI scheme: mlflow-artifacts). This endpoint requires a direct cloud storage artifact URI."
)

// mostByPage bounds a file that the web page uploads, in bytes.
const mostByPage = 10 << 20

// artifactRoutes adds the calls about files.
func (f *face) artifactRoutes() {
	const store, one = "/2.0/mlflow-artifacts/", "/2.0/mlflow-artifacts/artifacts/{path...}"
	f.route(access.Read, http.MethodGet, store+"artifacts", f.listFiles)
	f.raw(access.Read, http.MethodGet, one, f.download)
	f.raw(access.Track, http.MethodPut, one, f.upload)
	f.route(access.Track, http.MethodDelete, one, func(ctx context.Context, in *args) (any, error) {
		return nil, f.Artifacts.Remove(ctx, in.http.PathValue("path"))
	})
	for _, step := range []string{"create", "complete", "abort"} {
		f.route(access.Track, http.MethodPost, store+"mpu/"+step+"/{path...}", unsupported(noParts))
	}
	f.route(access.Read, http.MethodGet, store+"presigned/{path...}", unsupported(noDownloads))

	f.route(access.Read, http.MethodGet, "artifacts/list", f.listRun)
	f.route(access.Track, http.MethodPost, "artifacts/presigned-upload-url", f.presignUpload)
	f.route(access.Read, http.MethodPost, "artifacts/presigned-download-url", f.presignDownload)
	f.raw(access.Track, http.MethodPost, "upload-artifact", f.uploadByPage)
	f.page(access.Read, http.MethodGet, "/get-artifact", f.downloadOf(f.ofRun, "path"))
	f.page(access.Read, http.MethodGet, "/model-versions/get-artifact", f.downloadOf(f.ofVersion, "path"))
	f.route(access.Read, http.MethodGet, "logged-models/{id}/artifacts/directories", f.listLogged)
	f.raw(access.Read, http.MethodGet, "logged-models/{id}/artifacts/files", f.downloadOf(f.ofLogged, "artifact_file_path"))
}

// listedFile is an entry of a folder as MLflow writes it.
type listedFile struct {
	Path   string `json:"path"`
	Folder bool   `json:"is_dir"`
	Size   int64  `json:"file_size,omitempty"`
}

// listing is the answer of the calls that list files.
type listing struct {
	Root  string       `json:"root_uri,omitempty"`
	Files []listedFile `json:"files,omitempty"`
}

// listing lists a folder; before stands before every name.
func (f *face) listing(ctx context.Context, folder, before string) (listing, error) {
	es, err := f.Artifacts.List(ctx, folder)
	out := listing{Files: make([]listedFile, len(es))}
	for i, e := range es {
		out.Files[i] = listedFile{Path: before + e.Path, Folder: e.Folder, Size: e.Size}
	}
	return out, err
}

func (f *face) listFiles(ctx context.Context, in *args) (any, error) {
	folder := in.text("path")
	if err := in.err(); err != nil {
		return nil, err
	}
	return f.listing(ctx, folder, "")
}

// listBelow lists a folder of a run or model; its answers are relative to the root.
func (f *face) listBelow(ctx context.Context, root, folder string) (any, error) {
	folder, err := artifact.CleanFolder(folder)
	if err != nil {
		return nil, err
	}
	tree, kept := strings.CutPrefix(root, artifactScheme)
	if !kept { // the client keeps them elsewhere, where this server does not look
		return listing{Root: root}, nil
	}
	before := ""
	if folder != "" {
		before = folder + "/"
	}
	out, err := f.listing(ctx, below(tree, folder), before)
	out.Root = root
	return out, err
}

func below(root, path string) string {
	root = strings.Trim(root, "/")
	if root == "" || path == "" {
		return root + path
	}
	return root + "/" + path
}

func (f *face) listRun(ctx context.Context, in *args) (any, error) {
	id, folder := in.runID(), in.text("path")
	if err := in.err(); err != nil {
		return nil, err
	}
	run, err := f.Tracker.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	return f.listBelow(ctx, run.Location, folder)
}

func (f *face) listLogged(ctx context.Context, in *args) (any, error) {
	root, err := f.ofLogged(ctx, in)
	if err != nil {
		return nil, err
	}
	folder := in.text("artifact_directory_path")
	if err := in.err(); err != nil {
		return nil, err
	}
	return f.listBelow(ctx, root, folder)
}

// unsupported answers calls that would send or fetch a file in pieces. They name
// files, so what they name is checked as everywhere. Clients before 3.18 say the whole
// path that a file has on their own machine.
func unsupported(text string) func(context.Context, *args) (any, error) {
	return func(_ context.Context, in *args) (any, error) {
		name := in.text("path")
		if err := in.err(); err != nil {
			return nil, err
		}
		if _, err := artifact.CleanFolder(in.http.PathValue("path")); err != nil {
			return nil, err
		}
		if in.has("path") {
			if _, err := artifact.Clean(name[strings.LastIndexAny(name, `/\`)+1:]); err != nil {
				return nil, err
			}
		}
		return nil, failure(http.StatusNotImplemented, "NOT_IMPLEMENTED", text)
	}
}

// presigned checks the arguments that both calls have.
func presigned(in *args) error {
	path := in.need("path")
	expiration := in.int64("expiration", 900)
	if err := in.err(); err != nil {
		return err
	}
	if expiration < 1 || expiration > 604800 {
		return fault.New(fault.Invalid, "expiration must be between 1 and 604800 seconds.")
	}
	_, err := artifact.Clean(path)
	return err
}

func (f *face) presignUpload(ctx context.Context, in *args) (any, error) {
	run := in.has("run_id") || in.has("run_uuid")
	if run == in.has("model_id") {
		return nil, fault.New(fault.Invalid, "Exactly one of run_id and model_id must be provided.")
	}
	if err := presigned(in); err != nil {
		return nil, err
	}
	of := f.ofRun
	if !run {
		of = f.ofLogged
	}
	if _, err := of(ctx, in); err != nil {
		return nil, err
	}
	return nil, fault.New(fault.Invalid, "Presigned upload"+noDirect)
}

func (f *face) presignDownload(ctx context.Context, in *args) (any, error) {
	if err := presigned(in); err != nil {
		return nil, err
	}
	if _, err := f.ofRun(ctx, in); err != nil {
		return nil, err
	}
	return nil, fault.New(fault.Invalid, "Presigned download"+noDirect)
}

// ofRun, ofLogged and ofVersion find where the files lie of what a call names.
func (f *face) ofRun(ctx context.Context, in *args) (string, error) {
	id := in.runID()
	if err := in.err(); err != nil {
		return "", err
	}
	run, err := f.Tracker.Run(ctx, id)
	return run.Location, err
}

func (f *face) ofLogged(ctx context.Context, in *args) (string, error) {
	id := in.path("id")
	if id == "" {
		id = in.need("model_id")
	}
	if err := in.err(); err != nil {
		return "", err
	}
	m, err := f.Tracker.LoggedModel(ctx, ident.ModelID(id), false)
	return m.Location, err
}

func (f *face) ofVersion(ctx context.Context, in *args) (string, error) {
	ref := in.ref()
	if err := in.err(); err != nil {
		return "", err
	}
	return f.Registry.Location(ctx, ref)
}
